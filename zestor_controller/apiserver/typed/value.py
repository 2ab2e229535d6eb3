"""Typed values: which fields a value holds, how one is merged into another, what is removed from one.

Walks over a value with its TypeDef. Invariant: no argument is changed; merged values share what neither side changed;
the rules of lists and maps are in this module and nowhere else.

The rules are those of sigs.k8s.io/structured-merge-diff v6.3.2, the version in kube-apiserver 1.36.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from zestor_controller.apiserver.typed.fieldset import SELF, FieldSet, item_key, value_key
from zestor_controller.apiserver.typed.typedef import UNTYPED, TypeDef

__all__ = [
    "child_of",
    "element_of",
    "field_set",
    "form_of",
    "is_keyed",
    "keyed_items",
    "merge",
    "named_fields",
    "named_members",
    "path_element",
    "remove",
    "same",
]


NamedFields = Mapping[str, TypeDef]
_NO_FIELDS: Final[NamedFields] = {}


def form_of(typedef: TypeDef, value: Any) -> str:
    """What to treat a value as: typed by the definition, untyped by the value itself; null is as good as a map."""
    if typedef.form == "any":
        return "list" if isinstance(value, list) else "map" if value is None or isinstance(value, dict) else "scalar"
    return "map" if typedef.form == "struct" else typedef.form


def named_fields(typedef: TypeDef) -> NamedFields:
    """The types of a struct's fields; none for other types."""
    return typedef.fields() if typedef.fields is not None else _NO_FIELDS


def child_of(typedef: TypeDef, named: NamedFields, name: str) -> TypeDef:
    """The type of a field or of a map's value."""
    return named.get(name) or typedef.element or UNTYPED


def element_of(typedef: TypeDef) -> TypeDef:
    """The type of a list's items."""
    return typedef.element if typedef.element is not None else UNTYPED


def is_keyed(typedef: TypeDef) -> bool:
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
        ValueError: the item cannot have one; the message is the machinery's.
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


def keyed_items(typedef: TypeDef, value: Any) -> list[tuple[str, Any]]:
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
    form = form_of(typedef, value)
    if form == "scalar":
        return {SELF: True}
    found: FieldSet = {}
    if form == "list":
        if not is_keyed(typedef):
            return {SELF: True}
        element = element_of(typedef)
        for key, item in keyed_items(typedef, value):
            inner = {} if typedef.topology == "set" or key in found else field_set(item, element)
            found[key] = {**inner, SELF: True}  # of repeated items only the place is owned
        return found
    if typedef.topology == "atomic":
        return {SELF: True}
    named = named_fields(typedef)
    for name, item in value.items() if isinstance(value, dict) else ():
        inner = field_set(item, child_of(typedef, named, name))
        if item is None or item == {} or name not in named:
            inner[SELF] = True
        if inner:
            found[f"f:{name}"] = inner
    return found


def named_members(fields: FieldSet, typedef: TypeDef) -> FieldSet:
    """The set with the named fields above its members, which are not members as a rule."""
    if not fields or typedef.form in ("any", "scalar"):
        return fields
    named = named_fields(typedef)
    found: FieldSet = {}
    for element, inner in fields.items():
        if element == SELF:
            found[SELF] = True
            continue
        is_field = element.startswith("f:")
        below = named_members(inner, child_of(typedef, named, element[2:]) if is_field else element_of(typedef))
        if is_field and element[2:] in named and SELF not in below:
            below = {**below, SELF: True}
        found[element] = below
    return found


# How one value is merged into another


def merge(live: Any, applied: Any, typedef: TypeDef) -> Any:
    """The live value with the applied one laid over it: fields by name, list items by key, leaves replaced.

    Raises:
        ValueError: an item of a keyed list of the live value has no key.
    """
    if applied is None and live and not isinstance(live, str | int | float):
        # Null asks for nothing of a map or a keyed list; it takes the place of everything else.
        granular = isinstance(live, dict) or is_keyed(typedef)
        return live if granular and typedef.topology != "atomic" else None
    form = form_of(typedef, applied)
    if form == "scalar" or not live or typedef.topology == "atomic":
        return applied
    if form == "list":
        return _merge_list(live, applied, typedef) if is_keyed(typedef) and isinstance(live, list) else applied
    if not isinstance(live, dict) or not isinstance(applied, dict):
        return applied
    named = named_fields(typedef)
    merged = dict(live)
    for name, value in applied.items():
        merged[name] = merge(live[name], value, child_of(typedef, named, name)) if name in live else value
    return merged


def _merge_list(live: Sequence[Any], applied: Sequence[Any], typedef: TypeDef) -> list[Any]:
    """Items of both sides in the applied order; those of the live side alone stay between their neighbours."""
    element = element_of(typedef)
    left, right = _indexed(typedef, live), _indexed(typedef, applied)
    ours: dict[str, Any] = {}  # no item is null: a null has no path element
    for key, item in left:
        ours[key] = None if key in ours else item  # a repeated item is replaced, not merged
    theirs = dict(right)
    shared = [key for key, _ in right if key in ours]
    at_shared = 0
    merged: list[Any] = []
    done: set[str] = set()

    def take(key: str, item: Any) -> None:
        mine = ours.get(key)
        merged.append(item if mine is None else merge(mine, item, element))
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
    form = form_of(typedef, value)
    if form == "scalar" or not gone or not value:
        return value
    if form == "list":
        if not isinstance(value, list) or not is_keyed(typedef):
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
    named = named_fields(typedef)
    found: dict[str, Any] = {}
    for name, item in value.items():
        inner = gone.get(f"f:{name}")
        if inner is None:
            found[name] = item
        elif SELF not in inner:
            found[name] = remove(item, child_of(typedef, named, name), inner)
    return found
