"""Strategic merge patches: lists of built-in kinds merge by their keys.

Source: apimachinery pkg/util/strategicpatch/patch.go. Invariant: neither the document nor the patch is changed.
"""

from __future__ import annotations

import copy
from typing import Any, Final

from zestor_controller.apiserver.contract import UNTYPED, TypeDef
from zestor_controller.apiserver.status import Failure, status_body

__all__ = ["strategic_merge"]

DIRECTIVE: Final = "$patch"
RETAIN_KEYS: Final = "$retainKeys"
DELETE_FROM: Final = "$deleteFromPrimitiveList/"
SET_ORDER: Final = "$setElementOrder/"


def strategic_merge(document: Any, patch: Any, typedef: TypeDef) -> Any:
    """A strategic merge patch applied.

    Args:
        document: the live object.
        patch: the patch.
        typedef: the object's type.

    Raises:
        Failure: 500, as the real server has it, for an unknown directive or a list item without its merge key.
    """
    return _merge_map(copy.deepcopy(document), copy.deepcopy(patch), typedef)


def _bad(message: str) -> Failure:
    return Failure(status_body(500, message))


def _merge_map(original: dict[str, Any], patch: dict[str, Any], typedef: TypeDef) -> dict[str, Any]:
    directive = patch.get(DIRECTIVE)
    if directive is not None:
        if directive == "replace":
            return {key: value for key, value in patch.items() if key != DIRECTIVE}
        if directive == "delete":
            return {}
        if directive != "merge":
            raise _bad(f"unknown patch type: {directive} in map: {_go(patch)}")
        patch = {key: value for key, value in patch.items() if key != DIRECTIVE}
    retain = patch.pop(RETAIN_KEYS, None)
    if retain is not None:
        if not isinstance(retain, list):
            raise _bad("invalid patch format of retainKeys list: the value of $retainKeys must be a list")
        missing = [key for key in patch if key not in retain and not key.startswith("$")]
        if missing:
            raise _bad(f"{missing[0]} is not in the retainKeys list: {retain}")
        original = {key: value for key, value in original.items() if key in retain}
    orders = {key[len(SET_ORDER) :]: value for key, value in patch.items() if key.startswith(SET_ORDER)}
    deletions = {key[len(DELETE_FROM) :]: value for key, value in patch.items() if key.startswith(DELETE_FROM)}
    merged = dict(original)
    for name, gone in deletions.items():
        if isinstance(merged.get(name), list):
            merged[name] = [item for item in merged[name] if item not in gone]
    for name, value in patch.items():
        if name.startswith((SET_ORDER, DELETE_FROM)):
            continue
        inner = typedef.child(name) or UNTYPED
        if value is None:
            merged.pop(name, None)
            continue
        present = merged.get(name)
        if isinstance(value, dict):
            if "replace" in inner.patch_strategy.split(","):
                merged[name] = value
            else:
                made = _merge_map(present if isinstance(present, dict) else {}, value, inner)
                if value.get(DIRECTIVE) == "delete":
                    merged.pop(name, None)
                else:
                    merged[name] = made
        elif isinstance(value, list) and "merge" in inner.patch_strategy.split(","):
            merged[name] = _merge_list(present if isinstance(present, list) else [], value, inner, orders.get(name))
        else:
            merged[name] = value
    for name, order in orders.items():
        inner = typedef.child(name) or UNTYPED
        if name not in patch and isinstance(merged.get(name), list):
            merged[name] = _ordered(merged[name], order, inner.patch_merge_key, original.get(name) or [])
    return merged


def _merge_list(present: list[Any], patch: list[Any], typedef: TypeDef, order: list[Any] | None) -> list[Any]:
    key = typedef.patch_merge_key
    element = typedef.element or UNTYPED
    if not any(isinstance(item, dict) for item in [*patch, *present]):
        merged = list(present)
        merged += [item for item in patch if item not in merged]
        return _ordered(merged, order if order is not None else patch, "", present)
    if any(isinstance(item, dict) and item.get(DIRECTIVE) == "replace" for item in patch):
        return [
            {name: value for name, value in item.items() if name != DIRECTIVE}
            for item in patch
            if item.get(DIRECTIVE) != "replace" or len(item) > 1
        ]
    merged = list(present)
    for item in patch:
        if not isinstance(item, dict):
            raise _bad("expected elements of type map[string]interface {} in the list")
        if key not in item:
            if item.get(DIRECTIVE) == "delete" and len(item) == 1:
                continue
            raise _bad(f"map: {_go(item)} does not contain declared merge key: {key}")
        at = next(
            (n for n, known in enumerate(merged) if isinstance(known, dict) and known.get(key) == item[key]), None
        )
        directive = item.get(DIRECTIVE)
        if directive == "delete":
            merged = [known for known in merged if not (isinstance(known, dict) and known.get(key) == item[key])]
        elif directive not in (None, "merge", "replace"):
            raise _bad(f"unknown patch type: {directive} in map: {_go(item)}")
        elif at is None:
            merged.append(_merge_map({}, item, element))
        else:
            merged[at] = _merge_map(merged[at], item, element)
    return _ordered(merged, order if order is not None else patch, key, present)


def _ordered(items: list[Any], order: list[Any], key: str, live: list[Any]) -> list[Any]:
    """The merged items: those that `order` names in its order, the others as they were; where the live list does not
    tell which of two comes first, the named one does.
    """

    def identity(item: Any) -> Any:
        return item.get(key) if key and isinstance(item, dict) else item

    wanted = [identity(item) for item in order if not (isinstance(item, dict) and item.get(DIRECTIVE) == "delete")]
    before = [identity(item) for item in live]
    named = sorted((item for item in items if identity(item) in wanted), key=lambda item: wanted.index(identity(item)))
    others = [item for item in items if identity(item) not in wanted]
    merged: list[Any] = []
    while named or others:
        if not named:
            merged.append(others.pop(0))
            continue
        if others:
            left, right = identity(others[0]), identity(named[0])
            if left in before and right in before and before.index(left) < before.index(right):
                merged.append(others.pop(0))
                continue
        merged.append(named.pop(0))
    return merged


def _go(value: Any) -> str:
    """A value as Go's %v prints it."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{_go(inner)}" for key, inner in sorted(value.items())) + "]"
    if isinstance(value, list):
        return "[" + " ".join(_go(inner) for inner in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "<nil>" if value is None else str(value)
