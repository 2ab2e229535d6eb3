"""JSONPath as kube-apiserver reads it in printer columns and selectable fields.

A subset with its own grammar: fields, ``['field']``, indexes and slices, wildcards, unions, recursive descent and
filters such as ``[?(@.type=="Ready")]``. A missing field is no error and gives nothing.

Source: ``k8s.io/client-go/util/jsonpath``.
"""

from __future__ import annotations

import ast
import functools
import operator
import re
from collections.abc import Callable
from typing import Any

from zestor_controller.schema import gotext

__all__ = ["PathError", "compile_path", "print_value"]

Values = list[Any]
Node = Callable[[Values], Values]

_DICT_KEY = re.compile(r"'([^']*)'")
_SLICE = re.compile(r"(-?\d*)(:-?\d*)?(:-?\d*)?", re.ASCII)
_COMPARISON = re.compile(r"([^!<>=]+)([!<>=]+)(.+?)", re.DOTALL)
_TERMINATORS = frozenset(" \t\r\n.,[]$@{}")
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, ">": operator.gt, "<=": operator.le, ">=": operator.ge,
}  # fmt: skip


class PathError(ValueError):
    """A path that cannot be read, or that cannot be followed in an object."""


@functools.lru_cache(maxsize=1024)
def compile_path(path: str) -> Callable[[Any], Values]:
    """What finds the values at a path.

    Args:
        path: with or without the braces around it.

    Returns:
        A function from an object to its values there; it raises PathError where the object does not have the shape that
        the path needs: an index out of range, a comparison of different types.

    Raises:
        PathError: the path cannot be read.
    """
    text = path.strip()
    if text.startswith("{") and text.endswith("}"):
        text = text[1:-1]
    if "{" in text or "}" in text:
        raise PathError(f"cannot read the path {path!r}: one pair of braces at most, around all of it")
    follow = _chain(_Parser(text).nodes())
    return lambda value: follow([value])


def print_value(value: Any) -> str:
    """A value as a column of type string shows it."""
    if value is None:
        return "<no value>"
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return gotext.encode(value) if isinstance(value, dict | list) else gotext.number(value)


def _chain(nodes: list[Node]) -> Node:
    def follow(values: Values) -> Values:
        for node in nodes:
            values = node(values)
        return values

    return follow


class _Parser:
    """Reads a path from left to right; every node takes the values so far and gives the next ones."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def nodes(self) -> list[Node]:
        found: list[Node] = []
        text = self._text
        after_descent = False
        while self._at < len(text):
            if text.startswith("[?(", self._at):
                found.append(self._filter())
            elif text.startswith("..", self._at):
                if after_descent:
                    raise PathError("invalid multiple recursive descent")
                self._at += 2
                found.append(_descend)
                after_descent = True
                if self._at < len(text) and (text[self._at].isalnum() or text[self._at] == "_"):
                    found.append(self._field())
                    after_descent = False
                continue
            else:
                found += self._plain(text[self._at])
            after_descent = False
        return found

    def _plain(self, char: str) -> list[Node]:
        if char in " @$":
            self._at += 1
            return []
        if char == "[":
            return self._brackets()
        if char in "'\"":
            return [self._quoted(char)]
        if char == ".":
            self._at += 1
            return [self._field()]
        if char in "+-" or char.isdigit():
            return [self._number()]
        if char.isalnum() or char == "_":
            word = self._word()
            if word in ("true", "false"):
                return [_literal(word == "true")]
            raise PathError(f"unrecognized identifier {word}")
        raise PathError(f"unrecognized character in action: {char!r}")

    def _word(self) -> str:
        start = self._at
        while self._at < len(self._text) and self._text[self._at] not in _TERMINATORS:
            self._at += 2 if self._text[self._at] == "\\" else 1
        return self._text[start : self._at]

    def _field(self) -> Node:
        word = self._word()
        return _wildcard if word == "*" else _field_of(word.replace("\\", ""))

    def _number(self) -> Node:
        found = re.match(r"[+-]?[\d.]*", self._text[self._at :])
        text = found[0] if found else ""
        self._at += len(text)
        try:
            return _literal(float(text) if "." in text else int(text))
        except ValueError:
            raise PathError(f"cannot parse number {text}") from None

    def _quoted(self, sign: str) -> Node:
        end = self._at + 1
        while end < len(self._text) and not (self._text[end] == sign and self._text[end - 1] != "\\"):
            end += 1
        if end >= len(self._text):
            raise PathError("unterminated quoted string")
        text = self._text[self._at : end + 1]
        self._at = end + 1
        if "\\" not in text:
            return _literal(text[1:-1])
        try:
            return _literal(str(ast.literal_eval(text)))
        except (SyntaxError, ValueError):
            raise PathError(f"unquote string {text} error invalid syntax") from None

    def _brackets(self) -> list[Node]:
        end = self._text.find("]", self._at)
        if end < 0:
            raise PathError("unterminated array")
        inside = self._text[self._at + 1 : end]
        self._at = end + 1
        parts = inside.split(",")
        if len(parts) > 1:
            return [_union([_chain(_Parser(f"[{part.strip(' ')}]").nodes()) for part in parts])]
        key = _DICT_KEY.fullmatch(inside)
        if key is not None:
            return _Parser(f".{key[1]}").nodes()
        bounds = _SLICE.fullmatch(":" if inside == "*" else inside)
        if bounds is None or not inside:
            raise PathError(f"invalid array index {inside}")
        return [_slice_of(*_bounds(bounds))]

    def _filter(self) -> Node:
        start = self._at + 3
        at, sign = start, ""
        while True:
            if at >= len(self._text):
                raise PathError("unterminated filter")
            char = self._text[at]
            if sign:
                sign = "" if char == sign and self._text[at - 1] != "\\" else sign
            elif char in "'\"":
                sign = char
            elif char == ")":
                break
            at += 1
        if not self._text.startswith(")]", at):
            raise PathError("unclosed array expect ]")
        text = self._text[start:at]
        self._at = at + 2
        found = _COMPARISON.fullmatch(text)
        if found is None:
            return _existing(_chain(_Parser(text).nodes()))
        if found[2] not in _OPERATORS:
            raise PathError(f"unrecognized filter operator {found[2]}")
        return _comparing(_chain(_Parser(found[1]).nodes()), _OPERATORS[found[2]], _chain(_Parser(found[3]).nodes()))


def _literal(value: Any) -> Node:
    return lambda values: [value] * len(values)


def _field_of(name: str) -> Node:
    return lambda values: [value[name] for value in values if isinstance(value, dict) and name in value]


def _wildcard(values: Values) -> Values:
    return [inner for value in values for inner in _inside(value)]


def _inside(value: Any) -> Values:
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, list) else []


def _descend(values: Values) -> Values:
    found: Values = []
    for value in values:
        inner = _inside(value)
        if inner:
            found.append(value)
            found += _descend(inner)
    return found


def _union(branches: list[Node]) -> Node:
    return lambda values: [value for branch in branches for value in branch(values)]


def _bounds(found: re.Match[str]) -> tuple[int, int | None, int]:
    first = int(found[1]) if found[1] else 0
    if found[2] is None:
        # One index: the slice of one, which for -1 has no end.
        last: int | None = first + 1 if first != -1 else None
    else:
        last = int(found[2][1:]) if found[2][1:] else None
    step = int(found[3][1:]) if found[3] and found[3][1:] else 1
    return first, last, step


def _slice_of(first: int, last: int | None, step: int) -> Node:
    def choose(values: Values) -> Values:
        found: Values = []
        for value in values:
            if value is None:
                continue
            if not isinstance(value, list):
                raise PathError(f"{type(value).__name__} is not array or slice")
            size = len(value)
            start = first + size if first < 0 else first
            end = size if last is None else last + size if last < 0 else last
            if start == end:
                return found
            if not 0 <= start < size or not 0 <= end <= size:
                raise PathError(f"array index out of bounds: index {start}, length {size}")
            if start > end:
                raise PathError(f"starting index {start} is greater than ending index {end}")
            if step <= 0:
                raise PathError("step must be > 0")
            found += value[start:end:step]
        return found

    return choose


def _items(values: Values) -> Values:
    found: Values = []
    for value in values:
        if not isinstance(value, list):
            raise PathError("the value is not array or slice and cannot be filtered")
        found += value
    return found


def _existing(condition: Node) -> Node:
    def holds(item: Any) -> bool:
        try:
            return bool(condition([item]))
        except PathError:
            return False

    return lambda values: [item for item in _items(values) if holds(item)]


def _kind(value: Any) -> str:
    for name, types in (("bool", bool), ("string", str), ("int", int), ("float", float)):
        if isinstance(value, types):
            return name
    raise PathError("invalid type for comparison")


def _comparing(left: Node, compare: Callable[[Any, Any], bool], right: Node) -> Node:
    def holds(item: Any) -> bool:
        lefts, rights = left([item]), right([item])
        if len(lefts) > 1 or len(rights) > 1:
            raise PathError("can only compare one element at a time")
        if not lefts or not rights:
            return False
        if _kind(lefts[0]) != _kind(rights[0]):
            raise PathError("incompatible types for comparison")
        if isinstance(lefts[0], bool) and compare not in (operator.eq, operator.ne):
            raise PathError("invalid type for comparison")
        return compare(lefts[0], rights[0])

    return lambda values: [item for item in _items(values) if holds(item)]
