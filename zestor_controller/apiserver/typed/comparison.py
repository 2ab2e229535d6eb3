"""The comparison of two values of one type: which fields were added, removed and modified.

Invariant: no argument is changed; a part that both values share by identity costs nothing.

Source: structured-merge-diff v6.3.2, typed/compare.go, the version in kube-apiserver 1.36.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from zestor_controller.apiserver.typed.fieldset import SELF, FieldSet
from zestor_controller.apiserver.typed.typedef import TypeDef
from zestor_controller.apiserver.typed.value import (
    child_of,
    element_of,
    form_of,
    is_keyed,
    keyed_items,
    named_fields,
    same,
)

__all__ = ["Comparison", "compare"]


to_json: Final = msgspec.json.Encoder().encode


class _Absent:
    """Tells a missing value from null."""


ABSENT: Final = _Absent()


@dataclass(slots=True)
class Comparison:
    """How one value differs from another, as three sets of paths."""

    added: FieldSet = field(default_factory=dict)
    removed: FieldSet = field(default_factory=dict)
    modified: FieldSet = field(default_factory=dict)


_Parts = tuple[FieldSet, FieldSet, FieldSet]


def compare(old: Any, new: Any, typedef: TypeDef) -> Comparison:
    """What was added, removed and modified between two values of one type."""
    parts = _compare(old, new, typedef)
    return Comparison() if parts is None else Comparison(*parts)


def _compare(old: Any, new: Any, typedef: TypeDef) -> _Parts | None:
    if old is new:
        return None
    if old is ABSENT:
        return _everything(new, typedef), {}, {}
    if new is ABSENT:
        return {}, _everything(old, typedef), {}
    form = form_of(typedef, new)
    if typedef.form == "any":
        before = form_of(typedef, old)
        if before != form:
            # Both shapes are gone through: what was below the old one is removed, what is below the new one added.
            left, right = _everything(old, typedef), _everything(new, typedef)
            left.pop(SELF, None)
            right.pop(SELF, None)
            leaf = "scalar" in (before, form) or (before, form) in (("map", "list"), ("list", "map"))
            return right, left, {SELF: True} if leaf else {}
    if form == "scalar" or (form == "list" and not is_keyed(typedef)) or typedef.topology == "atomic":
        return None if same(old, new) else ({}, {}, {SELF: True})
    if not old and not new:
        return None if old == new else ({}, {}, {SELF: True})
    if form == "list":
        return _compare_list(old, new, typedef)
    added: FieldSet = {}
    removed: FieldSet = {}
    modified: FieldSet = {}
    named = named_fields(typedef)
    left = old if isinstance(old, dict) else {}
    right = new if isinstance(new, dict) else {}
    for name, value in left.items():
        theirs = right.get(name, ABSENT)
        # Equal for Python may be another value in JSON (1 and true); equal bytes are the same value.
        if value is theirs or (value == theirs and to_json(value) == to_json(theirs)):
            continue
        parts = _compare(value, theirs, child_of(typedef, named, name))
        if parts is not None:
            _collect(f"f:{name}", parts, added, removed, modified)
    for name, value in right.items():
        if name not in left:
            added[f"f:{name}"] = _everything(value, child_of(typedef, named, name))
    return (added, removed, modified) if added or removed or modified else None


def _collect(key: str, parts: _Parts, added: FieldSet, removed: FieldSet, modified: FieldSet) -> None:
    if parts[0]:
        added[key] = parts[0]
    if parts[1]:
        removed[key] = parts[1]
    if parts[2]:
        modified[key] = parts[2]


def _everything(value: Any, typedef: TypeDef) -> FieldSet:
    """Every path of a value that stands alone: unlike a field set, with all that lies between."""
    form = form_of(typedef, value)
    found: FieldSet = {SELF: True}
    if form == "scalar" or typedef.topology == "atomic" or not value:
        return found
    if form == "list":
        if is_keyed(typedef):
            element = element_of(typedef)
            seen: set[str] = set()
            for key, item in keyed_items(typedef, value):
                found[key] = {SELF: True} if key in seen else _everything(item, element)
                seen.add(key)
        return found
    if isinstance(value, dict):
        named = named_fields(typedef)
        for name, item in value.items():
            found[f"f:{name}"] = _everything(item, child_of(typedef, named, name))
    return found


def _grouped(typedef: TypeDef, value: Any) -> dict[str, list[Any]]:
    groups: dict[str, list[Any]] = {}
    for key, item in keyed_items(typedef, value):
        groups.setdefault(key, []).append(item)
    return groups


def _compare_list(old: Any, new: Any, typedef: TypeDef) -> _Parts | None:
    element = element_of(typedef)
    before, after = _grouped(typedef, old), _grouped(typedef, new)
    added: FieldSet = {}
    removed: FieldSet = {}
    modified: FieldSet = {}
    for key in {**before, **after}:
        left, right = before.get(key, []), after.get(key, [])
        parts: _Parts | None
        if len(left) <= 1 and len(right) <= 1:
            parts = _compare(left[0] if left else ABSENT, right[0] if right else ABSENT, element)
        elif len(left) > 1 and len(right) > 1:
            # Items that stand twice are one thing, with nothing to be told apart inside.
            parts = None if same(left, right) else ({}, {}, {SELF: True})
        elif len(left) > 1:
            parts = (_everything(right[0], element) if right else {}, {SELF: True}, {})
        else:
            parts = ({SELF: True}, _everything(left[0], element) if left else {}, {})
        if parts is not None:
            _collect(key, parts, added, removed, modified)
    return (added, removed, modified) if added or removed or modified else None
