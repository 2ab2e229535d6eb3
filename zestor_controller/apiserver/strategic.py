"""Strategic merge patches: lists of built-in kinds merge by their keys.

Invariant: neither the document nor the patch is changed. The rules and texts are those of apimachinery's
pkg/util/strategicpatch.
"""

from __future__ import annotations

import copy
from typing import Any, Final

from zestor_controller.apiserver.contract import UNTYPED, TypeDef
from zestor_controller.apiserver.fieldset import value_key
from zestor_controller.apiserver.status import Failure, bad_request, status_body
from zestor_controller.apiserver.typedchecks import go_value
from zestor_controller.apiserver.typedvalues import same

__all__ = ["strategic_merge"]

DIRECTIVE: Final = "$patch"
RETAIN_KEYS: Final = "$retainKeys"
DELETE_FROM: Final = "$deleteFromPrimitiveList/"
SET_ORDER: Final = "$setElementOrder/"

_Map = dict[str, Any]


def strategic_merge(document: Any, patch: Any, typedef: TypeDef) -> Any:
    """A strategic merge patch applied.

    Args:
        document: the live object.
        patch: the patch.
        typedef: the object's type.

    Raises:
        Failure: 400 for a directive of the wrong form; 500, as the real server has it, for an unknown directive or a
            list item without its merge key; 422 for lists of lists.
    """
    return _merge_map(copy.deepcopy(document), copy.deepcopy(patch), typedef)


def _failed(message: str) -> Failure:
    return Failure(status_body(500, message))


def _no_key(item: _Map, key: str) -> Failure:
    return _failed(f"map: {go_value(item)} does not contain declared merge key: {key}")


def _strategy(typedef: TypeDef) -> str:
    """The strategy that is left when retainKeys, which is the client's business, is taken off."""
    return ",".join(part for part in typedef.patch_strategy.split(",") if part and part != "retainKeys")


# Maps


def _merge_map(original: _Map, patch: _Map, typedef: TypeDef) -> _Map:
    """The patch merged into `original`, which is changed, as the patch is."""
    if DIRECTIVE in patch:
        directive = patch[DIRECTIVE]
        if directive == "replace":
            del patch[DIRECTIVE]
            return patch
        if directive == "delete":
            return {}
        raise _failed(f"unknown patch type: {go_value(directive)} in map: {go_value(patch)}")
    _retain(original, patch)
    for name in [name for name in patch if name.startswith(SET_ORDER)]:
        _merge_ordered(original, patch, name.removeprefix(SET_ORDER), patch.pop(name), typedef)
    for name in [name for name in patch if name.startswith(DELETE_FROM)]:
        _delete_from(original, name.removeprefix(DELETE_FROM), patch.pop(name), typedef)
    for name, value in patch.items():
        if value is None:
            original.pop(name, None)
        else:
            _merge_member(original, name, value, typedef.child(name) or UNTYPED)
    return original


def _merge_member(original: _Map, name: str, value: Any, typedef: TypeDef) -> None:
    present = original.get(name)
    if isinstance(value, dict) and isinstance(present, dict):
        original[name] = value if _strategy(typedef) == "replace" else _merge_map(present, value, typedef)
    elif isinstance(value, list) and isinstance(present, list):
        original[name] = _merge_list(present, value, typedef) if _strategy(typedef) == "merge" else value
    else:
        _drop_nulls(value)
        kept = _without_directives(value)
        if kept is _DROPPED:
            original.pop(name, None)
        else:
            original[name] = kept


def _retain(original: _Map, patch: _Map) -> None:
    if RETAIN_KEYS not in patch:
        return
    retained = patch.pop(RETAIN_KEYS)
    needed = (
        name for name, value in patch.items() if value is not None and not name.startswith((DELETE_FROM, SET_ORDER))
    )
    if not isinstance(retained, list) or any(name not in retained for name in needed):
        raise bad_request("invalid patch format of retainKeys")
    for name in [name for name in original if name not in retained]:
        del original[name]


def _delete_from(original: _Map, name: str, gone: Any, typedef: TypeDef) -> None:
    present = original.get(name)
    if gone is None:
        original.pop(name, None)
    elif isinstance(present, list) and isinstance(gone, list) and (present or gone):
        if _element_kind(present, gone) is dict:
            original[name] = _merge_list(present, gone, typedef.child(name) or UNTYPED)
        else:
            original[name] = [item for item in present if not _among(item, gone)]


_DROPPED: Final = object()


def _without_directives(value: Any) -> Any:
    """A value that meets nothing to merge with: what its directives speak of is not there."""
    if isinstance(value, dict):
        if DIRECTIVE in value:
            return _DROPPED
        kept = {name: _without_directives(inner) for name, inner in value.items()}
        return {name: inner for name, inner in kept.items() if inner is not _DROPPED}
    if isinstance(value, list):
        return [inner for item in value if (inner := _without_directives(item)) is not _DROPPED]
    return value


def _drop_nulls(value: Any) -> None:
    if isinstance(value, dict):
        for name, inner in list(value.items()):
            if inner is None:
                del value[name]
            else:
                _drop_nulls(inner)
    elif isinstance(value, list):
        for inner in value:
            _drop_nulls(inner)


# Lists


def _among(item: Any, items: list[Any]) -> bool:
    return any(same(item, other) for other in items)


def _element_kind(*lists: list[Any]) -> type | None:
    kinds = {float if type(item) is int else type(item) for items in lists for item in items}
    if len(kinds) > 1:
        raise _failed(f"list element types are not identical: {go_value(list(lists))}")
    if list in kinds:
        message = "the server rejected our request due to an error in our request"
        raise Failure(status_body(422, message, "Invalid", {}))
    return next(iter(kinds), None)


def _merge_list(original: list[Any], patch: list[Any], typedef: TypeDef) -> list[Any]:
    if not original and not patch:
        return original
    if _element_kind(original, patch) is not dict:
        merged: list[Any] = []
        for item in [*original, *patch]:
            if not _among(item, merged):
                merged.append(item)
        return _in_order(merged, patch, original, "")
    key = typedef.patch_merge_key
    if not key:
        raise _failed("cannot merge lists without merge key for ")
    original, patch = _special_items(original, patch, key)
    return _in_order(_merge_items(list(original), patch, key, typedef), patch, original, key)


def _special_items(original: list[_Map], patch: list[_Map], key: str) -> tuple[list[_Map], list[_Map]]:
    """What is left of both sides when the patch's directives are done."""
    plain: list[_Map] = []
    replace = False
    for item in patch:
        if DIRECTIVE not in item:
            plain.append(item)
            continue
        directive = item[DIRECTIVE]
        if directive == "delete":
            if key not in item:
                raise _no_key(item, key)
            original = [known for known in original if not same(_key_of(known, key), item[key])]
        elif directive == "replace":
            replace = True
        elif directive == "merge":
            raise _failed("merging lists cannot yet be specified in the patch")
        else:
            raise _failed(f"unknown patch type: {go_value(directive)} in map: {go_value(item)}")
    return (plain, []) if replace else (original, plain)


def _merge_items(merged: list[_Map], patch: list[_Map], key: str, typedef: TypeDef) -> list[_Map]:
    element = typedef.element or UNTYPED
    for item in patch:
        if key not in item:
            raise _no_key(item, key)
        for index, known in enumerate(merged):
            if key in known and same(known[key], item[key]):
                merged[index] = _merge_map(known, item, element)
                break
        else:
            merged.append(item)
    return merged


def _merge_ordered(original: _Map, patch: _Map, name: str, order: Any, typedef: TypeDef) -> None:
    """A list together with the order that the patch wants for it."""
    inner = typedef.child(name) or UNTYPED
    key = inner.patch_merge_key
    present: Any = original.get(name)
    wanted: Any = patch.get(name)
    for value in (order, present or [], wanted or []):
        if not isinstance(value, list):
            raise _failed(f"expected a []interface {{}}, but received a {_go_kind(value)}")
    if name in patch and wanted is None and name in original:
        raise _failed("expected a []interface {}, but received a %!s(<nil>)")
    if wanted:
        _check_order(wanted, order, key)
    if name not in original and name not in patch:
        return
    if name not in original:
        merged = _without_directives(wanted)
    elif name not in patch:
        merged = present
    else:
        merged = _merge_list(present, wanted, inner) if _strategy(inner) == "merge" else wanted
    if _element_kind(present or [], wanted or []) is None:
        raise _failed("no elements in any of the given slices")
    original[name] = _in_order(merged, order, present or [], key)
    patch.pop(name, None)


def _go_kind(value: Any) -> str:
    return {dict: "map[string]interface {}", str: "string", bool: "bool"}.get(type(value), "float64")


def _check_order(patch: list[Any], order: list[Any], key: str) -> None:
    """Refuse an order that does not name the patch's items as they follow one another."""
    named = iter(order)
    if not order:
        return
    for item in patch:
        if isinstance(item, dict) and DIRECTIVE in item:
            continue
        if not any(same(_identity(other, key), _identity(item, key)) for other in named):
            head = f"The order in patch list:\n{go_value(patch)}\n doesn't match $setElementOrder list:\n"
            raise _failed(f"{head}{go_value(order)}\n")


def _key_of(item: _Map, key: str) -> Any:
    if key not in item:
        raise _no_key(item, key)
    return item[key]


def _identity(item: Any, key: str) -> Any:
    return _key_of(item, key) if key and isinstance(item, dict) else item


def _places(items: list[Any], key: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for index, item in enumerate(items):
        found.setdefault(value_key(_identity(item, key)), index)
    return found


def _sorted(items: list[Any], places: dict[str, int], key: str) -> list[Any]:
    """The items by their places; one without a place goes before whatever stood before it.

    That is no order at all, but what the real server's insertion sort makes of its comparison.
    """
    found: list[tuple[int, Any]] = []
    for item in items:
        mine = places.get(value_key(_identity(item, key)), -1)
        at = len(found)
        while at and (mine < 0 or found[at - 1][0] < 0 or mine < found[at - 1][0]):
            at -= 1
        found.insert(at, (mine, item))
    return [item for _, item in found]


def _in_order(items: list[Any], order: list[Any], live: list[Any], key: str) -> list[Any]:
    """The merged items: those that `order` names in its order, the others as they were live.

    Where the live list does not tell which of two comes first, the named one does.
    """
    wanted, before = _places(order, key), _places(live, key)
    named = _sorted([item for item in items if value_key(_identity(item, key)) in wanted], wanted, key)
    others = _sorted([item for item in items if value_key(_identity(item, key)) not in wanted], before, key)
    merged: list[Any] = []
    here = there = 0
    while here < len(others) and there < len(named):
        left = before.get(value_key(_identity(others[here], key)), -1)
        right = before.get(value_key(_identity(named[there], key)), -1)
        if 0 <= left < right:
            merged.append(others[here])
            here += 1
        else:
            merged.append(named[there])
            there += 1
    return merged + others[here:] + named[there:]
