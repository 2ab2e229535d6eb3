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
from typing import Any

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


def item_key(keys: Mapping[str, Any]) -> str:
    """The path element of a list item with keys."""
    return "k:" + json.dumps(dict(sorted(keys.items())), separators=(",", ":"), ensure_ascii=False)


def value_key(value: Any) -> str:
    """The path element of a set's value."""
    return "v:" + json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def decode(wire: Mapping[str, Any]) -> FieldSet:
    """From FieldsV1.

    Raises:
        ValueError: an element has no known form.
    """
    found: FieldSet = {}
    for element, inner in wire.items():
        if element == SELF:
            found[SELF] = True
            continue
        if element[:2] not in ("f:", "k:", "v:", "i:") or not isinstance(inner, Mapping):
            raise ValueError(f"invalid path element {element!r}")
        if element[:2] in ("k:", "v:"):
            # The server writes its own form; another writer's spacing must not make two of one item.
            parsed = json.loads(element[2:])
            element = item_key(parsed) if element[0] == "k" else value_key(parsed)
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
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
