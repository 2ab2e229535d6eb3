"""Typed values: which fields a value holds, how two differ, how one is merged into another, what is taken out.

Walks over a value with its TypeDef; the rules of lists and maps stand here and nowhere else. Invariant: no argument is
changed; merged values share what neither side changed.

The rules are those of sigs.k8s.io/structured-merge-diff v6.3.2, the version in kube-apiserver 1.36.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from zestor_controller.apiserver.typed.fieldset import SELF, FieldSet, item_key, value_key
from zestor_controller.apiserver.typed.typedef import UNTYPED, TypeDef

__all__ = [
    "Comparison",
    "compare",
    "element_of",
    "field_set",
    "merge",
    "named_members",
    "path_element",
    "remove",
    "same",
]


class _Absent:
    """Tells a missing value from null."""


ABSENT: Final = _Absent()
_Named = Mapping[str, TypeDef]
_NO_FIELDS: Final[_Named] = {}


@dataclass(slots=True)
class Comparison:
    """How one value differs from another, as three sets of paths."""

    added: FieldSet = field(default_factory=dict)
    removed: FieldSet = field(default_factory=dict)
    modified: FieldSet = field(default_factory=dict)


def _form(typedef: TypeDef, value: Any) -> str:
    """What to treat a value as: typed by the definition, untyped by the value itself; null is as good as a map."""
    if typedef.form == "any":
        return "list" if isinstance(value, list) else "map" if value is None or isinstance(value, dict) else "scalar"
    return "map" if typedef.form == "struct" else typedef.form


def _named(typedef: TypeDef) -> _Named:
    return typedef.fields() if typedef.fields is not None else _NO_FIELDS


def _child(typedef: TypeDef, named: _Named, name: str) -> TypeDef:
    return named.get(name) or typedef.element or UNTYPED


def element_of(typedef: TypeDef) -> TypeDef:
    """The type of a list's items."""
    return typedef.element if typedef.element is not None else UNTYPED


def _keyed(typedef: TypeDef) -> bool:
    """Whether items of the list have places of their own; an untyped list is atomic."""
    return typedef.topology in ("set", "map") and typedef.form == "list"


def same(left: Any, right: Any) -> bool:
    """Equal as JSON: a number is no boolean."""
    if isinstance(left, dict):
        return (
            isinstance(right, dict)
            and left.keys() == right.keys()
            and all(same(value, right[name]) for name, value in left.items())
        )
    if isinstance(left, list):
        return isinstance(right, list) and len(left) == len(right) and all(map(same, left, right))
    return bool(left == right) and isinstance(left, bool) == isinstance(right, bool)


def path_element(typedef: TypeDef, item: Any) -> str:
    """The path element of an item of a keyed list.

    Raises:
        ValueError: the item cannot have one; the text says why, in the machinery's words.
    """
    if typedef.topology == "set":
        if isinstance(item, dict):
            raise ValueError("associative list without keys has an element that's a map type")
        if isinstance(item, list):
            raise ValueError("not supported: associative list with lists as elements")
        if item is None:
            raise ValueError("associative list without keys has an element that's an explicit null")
        return value_key(item)
    if item is None:
        raise ValueError("associative list with keys may not have a null element")
    if not isinstance(item, dict):
        raise ValueError("associative list with keys may not have non-map elements")
    keys: dict[str, Any] = {}
    for key in typedef.keys:
        if key in item:
            keys[key] = item[key]
        elif key in typedef.key_defaults:
            keys[key] = typedef.key_defaults[key]
    if not keys:
        names = " ".join(f'"{key}"' for key in typedef.keys)
        raise ValueError(
            f"associative list with keys has an element that omits all key fields [{names}] "
            "(and doesn't have default values for any key fields)"
        )
    return item_key(keys)


def _items(typedef: TypeDef, value: Any) -> list[tuple[str, Any]]:
    """A keyed list's items with their path elements; an item that can have none is passed over."""
    found: list[tuple[str, Any]] = []
    for item in value if isinstance(value, list) else ():
        try:
            found.append((path_element(typedef, item), item))
        except ValueError:
            continue
    return found


# Which fields a value holds


def field_set(value: Any, typedef: TypeDef) -> FieldSet:
    """The paths of a value's fields: leaves, list items, map values, and null or empty parts."""
    form = _form(typedef, value)
    if form == "scalar":
        return {SELF: True}
    found: FieldSet = {}
    if form == "list":
        if not _keyed(typedef):
            return {SELF: True}
        element = element_of(typedef)
        for key, item in _items(typedef, value):
            inner = {} if typedef.topology == "set" or key in found else field_set(item, element)
            found[key] = {**inner, SELF: True}  # of items that stand twice only the place is owned
        return found
    if typedef.topology == "atomic":
        return {SELF: True}
    named = _named(typedef)
    for name, item in value.items() if isinstance(value, dict) else ():
        inner = field_set(item, _child(typedef, named, name))
        if item is None or item == {} or name not in named:
            inner[SELF] = True
        if inner:
            found[f"f:{name}"] = inner
    return found


def named_members(fields: FieldSet, typedef: TypeDef) -> FieldSet:
    """The set with the named fields above its members, which are not members as a rule."""
    if not fields or typedef.form in ("any", "scalar"):
        return fields
    named = _named(typedef)
    found: FieldSet = {}
    for element, inner in fields.items():
        if element == SELF:
            found[SELF] = True
            continue
        is_field = element.startswith("f:")
        below = named_members(inner, _child(typedef, named, element[2:]) if is_field else element_of(typedef))
        if is_field and element[2:] in named and SELF not in below:
            below = {**below, SELF: True}
        found[element] = below
    return found


# How two values differ


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
    form = _form(typedef, new)
    if typedef.form == "any":
        before = _form(typedef, old)
        if before != form:
            # Both shapes are gone through: what was below the old one is removed, what is below the new one added.
            left, right = _everything(old, typedef), _everything(new, typedef)
            left.pop(SELF, None)
            right.pop(SELF, None)
            leaf = "scalar" in (before, form) or (before, form) in (("map", "list"), ("list", "map"))
            return right, left, {SELF: True} if leaf else {}
    if form == "scalar" or (form == "list" and not _keyed(typedef)) or typedef.topology == "atomic":
        return None if same(old, new) else ({}, {}, {SELF: True})
    if not old and not new:
        return None if old == new else ({}, {}, {SELF: True})
    if form == "list":
        return _compare_list(old, new, typedef)
    added: FieldSet = {}
    removed: FieldSet = {}
    modified: FieldSet = {}
    named = _named(typedef)
    left = old if isinstance(old, dict) else {}
    right = new if isinstance(new, dict) else {}
    for name, value in left.items():
        theirs = right.get(name, ABSENT)
        if value is theirs:
            continue
        parts = _compare(value, theirs, _child(typedef, named, name))
        if parts is not None:
            _collect(f"f:{name}", parts, added, removed, modified)
    for name, value in right.items():
        if name not in left:
            added[f"f:{name}"] = _everything(value, _child(typedef, named, name))
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
    form = _form(typedef, value)
    found: FieldSet = {SELF: True}
    if form == "scalar" or typedef.topology == "atomic" or not value:
        return found
    if form == "list":
        if _keyed(typedef):
            element = element_of(typedef)
            seen: set[str] = set()
            for key, item in _items(typedef, value):
                found[key] = {SELF: True} if key in seen else _everything(item, element)
                seen.add(key)
        return found
    if isinstance(value, dict):
        named = _named(typedef)
        for name, item in value.items():
            found[f"f:{name}"] = _everything(item, _child(typedef, named, name))
    return found


def _grouped(typedef: TypeDef, value: Any) -> dict[str, list[Any]]:
    groups: dict[str, list[Any]] = {}
    for key, item in _items(typedef, value):
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


# How one value is merged into another


def merge(live: Any, applied: Any, typedef: TypeDef) -> Any:
    """The live value with the applied one laid over it: fields by name, list items by key, leaves replaced.

    Raises:
        ValueError: an item of a keyed list of the live value has no key.
    """
    if applied is None and live and not isinstance(live, str | int | float):
        # Null asks for nothing of a map or a keyed list; it takes the place of everything else.
        granular = isinstance(live, dict) or _keyed(typedef)
        return live if granular and typedef.topology != "atomic" else None
    form = _form(typedef, applied)
    if form == "scalar" or not live or typedef.topology == "atomic":
        return applied
    if form == "list":
        return _merge_list(live, applied, typedef) if _keyed(typedef) and isinstance(live, list) else applied
    if not isinstance(live, dict) or not isinstance(applied, dict):
        return applied
    named = _named(typedef)
    merged = dict(live)
    for name, value in applied.items():
        merged[name] = merge(live[name], value, _child(typedef, named, name)) if name in live else value
    return merged


def _merge_list(live: Sequence[Any], applied: Sequence[Any], typedef: TypeDef) -> list[Any]:
    """Items of both sides in the applied order; those of the live side alone stay between their neighbours."""
    element = element_of(typedef)
    left, right = _indexed(typedef, live), _indexed(typedef, applied)
    ours: dict[str, Any] = {}
    for key, item in left:
        ours[key] = ABSENT if key in ours else item  # an item that stood twice is replaced, not merged
    theirs = dict(right)
    shared = [key for key, _ in right if key in ours]
    at_shared = 0
    merged: list[Any] = []
    done: set[str] = set()

    def take(key: str, item: Any) -> None:
        mine = ours.get(key, ABSENT)
        merged.append(item if mine is ABSENT else merge(mine, item, element))
        done.add(key)

    here = there = 0
    while here < len(left) or there < len(right):
        if here < len(left) and there < len(right):
            key = left[here][0]
            if key == right[there][0]:
                take(*right[there])
                here, there, at_shared = here + 1, there + 1, at_shared + 1
                continue
            if key in theirs and at_shared < len(shared) and shared[at_shared] != key:
                here += 1  # its turn comes with the applied order
                continue
        if here < len(left):
            key, item = left[here]
            if key not in theirs:
                merged.append(item)
                here += 1
                continue
            if key in done:
                here += 1
        if there < len(right):
            key, item = right[there]
            take(key, item)
            there += 1
            if at_shared < len(shared) and shared[at_shared] == key:
                at_shared += 1
    return merged


def _indexed(typedef: TypeDef, value: Iterable[Any]) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for index, item in enumerate(value):
        try:
            found.append((path_element(typedef, item), item))
        except ValueError as error:
            raise ValueError(f"element {index}: {error}") from None
    return found


# What is taken out


def remove(value: Any, typedef: TypeDef, gone: FieldSet) -> Any:
    """The value without the members of `gone`; what is emptied by that stays as an empty map or list."""
    form = _form(typedef, value)
    if form == "scalar" or not gone or not value:
        return value
    if form == "list":
        if not isinstance(value, list) or not _keyed(typedef):
            return [] if isinstance(value, list) else value
        element = element_of(typedef)
        kept: list[Any] = []
        for item in value:
            try:
                inner = gone.get(path_element(typedef, item))
            except ValueError:
                inner = None
            if inner is None:
                kept.append(item)
            elif SELF not in inner:
                kept.append(remove(item, element, inner))
        return kept
    if not isinstance(value, dict) or typedef.topology == "atomic":
        return {} if isinstance(value, dict) else value
    named = _named(typedef)
    found: dict[str, Any] = {}
    for name, item in value.items():
        inner = gone.get(f"f:{name}")
        if inner is None:
            found[name] = item
        elif SELF not in inner:
            found[name] = remove(item, _child(typedef, named, name), inner)
    return found
