"""Paths to fields of a schema, as rules and field selectors state them: ``.spec.color``, ``.spec['a.b'].c``."""

from __future__ import annotations

import re

from zestor_controller.schema.structural import Structural

__all__ = ["FieldPathError", "find_field"]

_TOKEN = re.compile(r"'(?:[^'\\]|\\.)*'|[.\[\]]|[^.\[\]]+")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


class FieldPathError(ValueError):
    """A path that leads nowhere; the message is the server's."""


def find_field(root: Structural, path: str, *, arrays: bool = True) -> tuple[tuple[str, ...], Structural]:
    """Follow a path through a schema.

    Args:
        root: where it starts.
        path: begins with a dot or a bracket.
        arrays: names in brackets are allowed.

    Returns:
        The names of the fields on the way, and the schema of the last one.

    Raises:
        FieldPathError: the path is malformed, or the schema has no such field.
    """
    tokens = _TOKEN.findall(path)
    names: list[str] = []
    node = root
    at = 0
    while at < len(tokens):
        token = tokens[at]
        if token == "[":
            if not arrays:
                raise FieldPathError("array notation is not allowed")
            name = _quoted(tokens, at)
            at += 3
        elif token == ".":
            if at + 1 >= len(tokens):
                raise FieldPathError("unexpected end of JSON path")
            name = tokens[at + 1]
            at += 2
        else:
            raise FieldPathError(f"expected [ or . but got: {token}")
        node = _step(node, name)
        names.append(name)
    return tuple(names), node


def _quoted(tokens: list[str], at: int) -> str:
    if at + 1 >= len(tokens):
        raise FieldPathError("unexpected end of JSON path")
    token = tokens[at + 1]
    if len(token) < 2 or token[0] != "'" or token[-1] != "'":
        raise FieldPathError(f"expected single quoted string but got {token}")
    if at + 2 >= len(tokens):
        raise FieldPathError("unexpected end of JSON path")
    if tokens[at + 2] != "]":
        raise FieldPathError(f"expected ] but got {tokens[at + 2]}")
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), token[1:-1])


def _step(node: Structural, name: str) -> Structural:
    found = node.properties.get(name) if node.properties else node.additional
    if found is None:
        raise FieldPathError("does not refer to a valid field")
    return found
