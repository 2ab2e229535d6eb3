"""Sets of field paths, in the shape in which managedFields carry them.

A set is a nested mapping: a path element (``f:name`` a field, ``k:{...}`` a list item by its keys, ``v:...`` a set's
value, ``i:n`` an index) leads to the set below it; the element ``"."`` says that the path itself is a member. On the
wire a member without members below it is written ``{}``; :func:`decode` and :func:`encode` translate.

Invariant: no empty branch is kept; the functions never change their arguments.

Source: sigs.k8s.io/structured-merge-diff fieldpath (set.go, serialize.go).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from zestor_controller.apiserver.syntax.gojson import load as load_json
from zestor_controller.apiserver.syntax.gonumber import parse_int

__all__ = [
    "FieldSet",
    "decode",
    "difference",
    "encode",
    "intersection",
    "item_key",
    "paths",
    "shown_element",
    "union",
    "value_key",
]

FieldSet = dict[str, Any]

SELF = "."
# One encoder for all: json.dumps with options makes a new one for each value.
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def item_key(keys: Mapping[str, Any]) -> str:
    """The path element of a list item with keys."""
    return "k:" + _encode(dict(sorted(keys.items())))


def value_key(value: Any) -> str:
    """The path element of a set's value."""
    return "v:" + _encode(value)


@lru_cache(maxsize=4096)
def _normal(element: str) -> str:
    """A path element of keys or of a value as this server writes it: another writer's spacing makes no other item."""
    parsed, _ = load_json(element[2:].encode("utf-8", "surrogatepass"))
    if element[0] == "v":
        return value_key(parsed)
    if not isinstance(parsed, dict):
        raise ValueError(f"invalid path element {element!r}: the keys of an item must be an object")
    return item_key(parsed)


def decode(wire: Any) -> FieldSet:
    """From FieldsV1.

    Raises:
        ValueError: an element has no known form.
    """
    if not isinstance(wire, Mapping):
        raise ValueError("a set of fields must be an object")
    found: FieldSet = {}
    for element, inner in wire.items():
        if element == SELF:
            found[SELF] = True
            continue
        if element[:2] not in ("f:", "k:", "v:", "i:") or not isinstance(inner, Mapping):
            raise ValueError(f"invalid path element {element!r}")
        if element[0] == "i":
            parse_int(element[2:])
        elif element[0] in "kv":
            element = _normal(element)
        found[element] = decode(inner) if inner else {SELF: True}
    return found


def encode(fields: FieldSet) -> dict[str, Any]:
    """To FieldsV1."""
    found: dict[str, Any] = {}
    for element in sorted(fields):
        if element == SELF:
            found[SELF] = {}
        else:
            inner = fields[element]
            found[element] = {} if len(inner) == 1 and SELF in inner else encode(inner)
    return found


def union(left: FieldSet, right: FieldSet) -> FieldSet:
    """Members of either."""
    if not left:
        return right
    if not right:
        return left
    found = dict(left)
    for element, inner in right.items():
        if element == SELF:
            found[SELF] = True
        else:
            found[element] = union(found[element], inner) if element in found else inner
    return found


def difference(left: FieldSet, right: FieldSet) -> FieldSet:
    """Members of `left` that are not members of `right`."""
    if not right or not left:
        return left
    found: FieldSet = {}
    for element, inner in left.items():
        if element == SELF:
            if SELF not in right:
                found[SELF] = True
        elif element not in right:
            found[element] = inner
        else:
            rest = difference(inner, right[element])
            if rest:
                found[element] = rest
    return found


def intersection(left: FieldSet, right: FieldSet) -> FieldSet:
    """Members of both."""
    found: FieldSet = {}
    for element, inner in left.items():
        if element not in right:
            continue
        if element == SELF:
            found[SELF] = True
            continue
        both = intersection(inner, right[element])
        if both:
            found[element] = both
    return found


def paths(fields: FieldSet, prefix: str = "") -> Iterator[str]:
    """The members as text, ``.spec.containers[name="a"].image``: those of a level before those below."""
    below = sorted(element for element in fields if element != SELF)
    if not prefix and SELF in fields:
        yield "."
    for element in below:
        if SELF in fields[element]:
            yield prefix + shown_element(element)
    for element in below:
        yield from paths(fields[element], prefix + shown_element(element))


def shown_element(element: str) -> str:
    """A path element as messages show it: ``.name``, ``[key="value"]``, ``[="value"]``, ``[0]``."""
    kind, text = element[:2], element[2:]
    if kind == "f:":
        return f".{text}"
    if kind == "i:":
        return f"[{text}]"
    if kind == "v:":
        return f"[={_go(json.loads(text))}]"
    keys = json.loads(text)
    return "[" + ",".join(f"{key}={_go(value)}" for key, value in sorted(keys.items())) + "]"


def _go(value: Any) -> str:
    return _encode(value)
