"""Typed values: which fields a value holds, how two differ, how one is merged into another, what is taken out.

Four walks over a value with its TypeDef; the rules of lists and maps stand here and nowhere else. Invariant: no argument is
changed; merged values share what neither side changed.

Source: sigs.k8s.io/structured-merge-diff v6: typed/tofieldset.go, compare.go, merge.go, remove.go, validate.go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from zestor_controller.apiserver.contract import UNTYPED, TypeDef
from zestor_controller.apiserver.fieldset import SELF, FieldSet, item_key, paths, value_key

__all__ = ["Comparison", "InvalidValue", "compare", "field_set", "merge", "remove", "validate"]


class InvalidValue(Exception):
    """A value does not fit its type; the message is the machinery's own."""


class _Absent:
    """Tells a missing value from null."""

    def __bool__(self) -> bool:
        return False


ABSENT: Final = _Absent()


@dataclass(slots=True)
class Comparison:
    """How one value differs from another, as three sets of paths."""

    added: FieldSet = field(default_factory=dict)
    removed: FieldSet = field(default_factory=dict)
    modified: FieldSet = field(default_factory=dict)


def _form(typedef: TypeDef, value: Any) -> str:
    """What to treat a value as: typed by the definition, untyped by the value itself."""
    if typedef.form != "any":
        return typedef.form
    return "map" if isinstance(value, dict) else "list" if isinstance(value, list) else "scalar"


def _child(typedef: TypeDef, name: str) -> TypeDef:
    if typedef.form == "any":
        return UNTYPED
    return typedef.child(name) or UNTYPED


def _element(typedef: TypeDef) -> TypeDef:
    return typedef.element if typedef.element is not None else UNTYPED


def _atomic(typedef: TypeDef, form: str) -> bool:
    if form == "list":
        return typedef.form == "any" or typedef.topology not in ("set", "map")  # an untyped list is atomic
    return typedef.topology == "atomic"


def _items(typedef: TypeDef, value: Any) -> Iterator[tuple[str, Any]]:
    """A keyed list's elements with their path elements; an element without any key is passed over."""
    for item in value or ():
        if typedef.topology == "set":
            yield value_key(item), item
        elif isinstance(item, dict):
            keys = {key: item.get(key, typedef.key_defaults.get(key)) for key in typedef.keys}
            keys = {key: value for key, value in keys.items() if value is not None}
            if keys:
                yield item_key(keys), item


# Which fields a value holds


def field_set(value: Any, typedef: TypeDef) -> FieldSet:
    """The paths of a value's fields: leaves, list items, and null or empty parts."""
    form = _form(typedef, value)
    if form == "scalar":
        return {SELF: True}
    if form == "list":
        if _atomic(typedef, form):
            return {SELF: True}
        found: FieldSet = {}
        element = _element(typedef)
        for key, item in _items(typedef, value):
            inner = field_set(item, element) if typedef.topology == "map" else {}
            found[key] = {**inner, SELF: True}
        return found
    if _atomic(typedef, form):
        return {SELF: True}
    found = {}
    named = typedef.form == "struct"
    for name, item in (value or {}).items():
        inner = field_set(item, _child(typedef, name))
        known = named and typedef.fields is not None and name in typedef.fields()
        if item is None or item == {} or not known:
            inner = {**inner, SELF: True}
        if inner:
            found[f"f:{name}"] = inner
    return found


# How two values differ


def compare(old: Any, new: Any, typedef: TypeDef) -> Comparison:
    """What was added, removed and modified between two values of one type."""
    found = Comparison()
    parts = _compare(old, new, typedef)
    if parts is not None:
        found.added, found.removed, found.modified = parts
    return found


_Parts = tuple[FieldSet, FieldSet, FieldSet]


def _leaf(old: Any, new: Any) -> _Parts | None:
    if old is ABSENT:
        return {SELF: True}, {}, {}
    if new is ABSENT:
        return {}, {SELF: True}, {}
    return None if _equal(old, new) else ({}, {}, {SELF: True})


def _equal(old: Any, new: Any) -> bool:
    """Values are equal; a number is no boolean."""
    return old is new or (old == new and isinstance(old, bool) == isinstance(new, bool))


def _compare(old: Any, new: Any, typedef: TypeDef) -> _Parts | None:
    if old is new:
        return None
    one = new if new is not ABSENT else old
    form = _form(typedef, one)
    other = old if one is new else new
    if typedef.form == "any" and other is not ABSENT and _form(typedef, other) != form:
        return _leaf(old, new)
    if form == "scalar":
        return _leaf(old, new)
    empty = (old is ABSENT or not old) and (new is ABSENT or not new)
    if _atomic(typedef, form) or empty:
        return _leaf(old, new)
    added: FieldSet = {}
    removed: FieldSet = {}
    modified: FieldSet = {}
    if form == "list":
        element = _element(typedef)
        before = dict(_items(typedef, old if old is not ABSENT else ()))
        after = dict(_items(typedef, new if new is not ABSENT else ()))
        elements: Iterator[tuple[str, Any, Any, TypeDef]] = (
            (key, before.get(key, ABSENT), after.get(key, ABSENT), element) for key in {**before, **after}
        )
    else:
        left: Mapping[str, Any] = old if old is not ABSENT and old is not None else {}
        right: Mapping[str, Any] = new if new is not ABSENT and new is not None else {}
        elements = (
            (f"f:{name}", left.get(name, ABSENT), right.get(name, ABSENT), _child(typedef, name))
            for name in {**left, **right}
        )
    for key, mine, theirs, inner in elements:
        parts = _compare(mine, theirs, inner)
        if parts is None:
            continue
        for whole, part in ((added, parts[0]), (removed, parts[1]), (modified, parts[2])):
            if part:
                whole[key] = part
    if old is ABSENT:
        added[SELF] = True
    elif new is ABSENT:
        removed[SELF] = True
    return (added, removed, modified) if added or removed or modified else None


# How one value is merged into another


def merge(live: Any, applied: Any, typedef: TypeDef) -> Any:
    """The live value with the applied one laid over it: fields by name, list items by key, leaves replaced."""
    form = _form(typedef, applied)
    if form == "scalar" or live is None or applied is None or _form(typedef, live) != form or _atomic(typedef, form):
        return applied
    if form == "list":
        return _merge_list(live, applied, typedef)
    merged = dict(live)
    for name, value in applied.items():
        merged[name] = merge(live[name], value, _child(typedef, name)) if name in live else value
    return merged


def _merge_list(live: list[Any], applied: list[Any], typedef: TypeDef) -> list[Any]:
    """Items in the live order where only the live side has them, in the applied order otherwise."""
    element = _element(typedef)
    before = list(_items(typedef, live))
    after = dict(_items(typedef, applied))
    present = dict(before)
    keyless = [item for item in applied if not any(item is known for known in after.values())]
    merged: list[Any] = []
    left, right = 0, list(after)
    index = 0
    while left < len(before) or index < len(right):
        if left < len(before) and index < len(right) and before[left][0] == right[index]:
            merged.append(_merged_item(present, after, right[index], element, typedef))
            left, index = left + 1, index + 1
        elif left < len(before) and before[left][0] not in after:
            merged.append(before[left][1])
            left += 1
        elif left < len(before) and (index >= len(right) or before[left][0] not in right[index:]):
            left += 1  # has been taken at the place that the applied list gives it
        elif index < len(right):
            merged.append(_merged_item(present, after, right[index], element, typedef))
            index += 1
        else:
            left += 1
    return merged + keyless


def _merged_item(
    present: Mapping[str, Any], after: Mapping[str, Any], key: str, element: TypeDef, typedef: TypeDef
) -> Any:
    if key in present and typedef.topology == "map":
        return merge(present[key], after[key], element)
    return after[key]


# What is taken out


def remove(value: Any, typedef: TypeDef, gone: FieldSet, owned: FieldSet) -> Any:
    """The value without the paths of `gone` that nobody owns.

    A part goes with all that is in it when it is a member of `gone`, or a named field above one, and `owned` holds neither
    it nor anything below it.

    Args:
        value: a merged value.
        typedef: its type.
        gone: what a manager applied before and applies no more.
        owned: what anybody owns now.
    """
    form = _form(typedef, value)
    if form == "scalar" or not value or _atomic(typedef, form):
        return value
    if form == "list":
        element = _element(typedef)
        keys = {id(item): key for key, item in _items(typedef, value)}
        kept: list[Any] = []
        for item in value:
            key = keys.get(id(item)) if not isinstance(item, str | int | float | bool) else value_key(item)
            inner = gone.get(key) if key is not None else None
            if inner is None or key is None:
                kept.append(item)
            elif key in owned:
                kept.append(remove(item, element, inner, owned[key]) if typedef.topology == "map" else item)
            elif SELF not in inner:
                kept.append(remove(item, element, inner, {}))
        return kept
    named = typedef.fields() if typedef.form == "struct" and typedef.fields is not None else {}
    found: dict[str, Any] = {}
    for name, item in value.items():
        key = f"f:{name}"
        inner = gone.get(key)
        if inner is None:
            found[name] = item
        elif key in owned:
            found[name] = remove(item, _child(typedef, name), inner, owned[key])
        elif SELF not in inner and name not in named:
            found[name] = remove(item, _child(typedef, name), inner, {})
    return found


# Whether a value fits


def validate(value: Any, typedef: TypeDef, path: str = "") -> None:
    """Refuse what an applied configuration must not hold.

    Raises:
        InvalidValue: an unknown field, a value of another type, or an item that stands twice.
    """
    if value is None or typedef.form == "any":
        return
    if typedef.form == "scalar":
        _check_scalar(value, typedef, path)
    elif typedef.form == "list":
        if not isinstance(value, list):
            raise InvalidValue(f"{path}: expected list, got {_shown(value)}")
        _check_list(value, typedef, path)
    else:
        if not isinstance(value, dict):
            raise InvalidValue(f"{path}: expected map, got {_shown(value)}")
        for name, item in value.items():
            inner = typedef.child(name)
            if inner is None:
                raise InvalidValue(f"{path}.{name}: field not declared in schema")
            validate(item, inner, f"{path}.{name}")


def _check_list(value: list[Any], typedef: TypeDef, path: str) -> None:
    element = _element(typedef)
    seen: set[str] = set()
    for index, item in enumerate(value):
        if typedef.topology not in ("set", "map"):
            validate(item, element, f"{path}[{index}]")
            continue
        if item is None:
            raise InvalidValue(f"{path}: element {index}: associative list may not have null elements")
        if typedef.topology == "map":
            if not isinstance(item, dict):
                raise InvalidValue(f"{path}: element {index}: associative list elements must be maps")
            keys = {key: item.get(key, typedef.key_defaults.get(key)) for key in typedef.keys}
            keys = {key: inner for key, inner in keys.items() if inner is not None}
            if not keys:
                names = " ".join(f'"{key}"' for key in typedef.keys)
                raise InvalidValue(
                    f"{path}: element {index}: associative list with keys has an element that omits all key fields "
                    f"[{names}] (and doesn't have default values for any key fields)"
                )
            key = item_key(keys)
        else:
            key = value_key(item)
        shown = next(iter(paths({key: {SELF: True}})))
        if key in seen:
            raise InvalidValue(f"{path}: duplicate entries for key {shown}")
        seen.add(key)
        validate(item, element, f"{path}{shown}")


def _check_scalar(value: Any, typedef: TypeDef, path: str) -> None:
    kind = typedef.scalar
    if kind in ("integer", "number"):
        fits, wanted = isinstance(value, int | float) and not isinstance(value, bool), "numeric (int or float)"
    elif kind == "boolean":
        fits, wanted = isinstance(value, bool), "boolean"
    elif kind in ("int-or-string", "quantity"):
        fits, wanted = isinstance(value, str | int | float), "string"
    else:
        fits, wanted = isinstance(value, str), "string"
    if not fits:
        raise InvalidValue(f"{path}: expected {wanted}, got {_shown(value, wanted)}")


def _shown(value: Any, wanted: str = "") -> str:
    """A value as the machinery words it."""
    if wanted.startswith("numeric"):
        return "string" if isinstance(value, str) else "boolean" if isinstance(value, bool) else type(value).__name__
    text = {True: "true", False: "false"}[value] if isinstance(value, bool) else value
    if isinstance(value, dict):
        text = "map[" + " ".join(f"{key}:{item}" for key, item in sorted(value.items())) + "]"
    elif isinstance(value, list):
        text = "[" + " ".join(str(item) for item in value) + "]"
    return f"&value.valueUnstructured{{Value:{text}}}" if not isinstance(value, str) else f'"{value}"'
