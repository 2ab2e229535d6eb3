"""Field selectors as text: the one parser, for the name that authorizes a request and for the objects that it selects.

Invariant: a selector that cannot be parsed is an error; it never selects everything. Which fields exist is a matter of
the resource (``selectors``).

Source: apimachinery pkg/fields/selector.go.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

__all__ = ["FieldSelectorError", "FieldTerm", "exact_value", "parse_field_selector"]

_OPERATORS: Final = ("!=", "==", "=")
_ESCAPED: Final = "\\,="


class FieldSelectorError(ValueError):
    """A field selector cannot be parsed; the message is the server's."""


@dataclass(frozen=True, slots=True)
class FieldTerm:
    """One requirement of a field selector.

    Attributes:
        field: such as ``metadata.name``; blanks are part of it.
        value: without escapes.
        differs: the field must not have the value.
    """

    field: str
    value: str
    differs: bool


@lru_cache(maxsize=256)
def parse_field_selector(text: str) -> tuple[FieldTerm, ...]:
    """The requirements of a selector, all of which an object must meet, in the order of their text.

    Raises:
        FieldSelectorError: a term has no operator, or its value an unknown escape or a sign that must be escaped.
    """
    terms: list[FieldTerm] = []
    for part in sorted(_split(text)):
        if not part:
            continue
        field, operator, value = _cut(part)
        if not operator:
            raise FieldSelectorError(f"invalid selector: '{text}'; can't understand '{part}'")
        terms.append(FieldTerm(field, _unescape(value), operator == "!="))
    return tuple(terms)


def exact_value(terms: tuple[FieldTerm, ...], field: str) -> str | None:
    """The one value that a field must have to be selected; None when the terms leave it open."""
    return next((term.value for term in terms if term.field == field and not term.differs), None)


def _split(text: str) -> list[str]:
    """The parts between commas that no backslash precedes."""
    parts: list[str] = []
    start, escaped = 0, False
    for at, sign in enumerate(text):
        if escaped:
            escaped = False
        elif sign == "\\":
            escaped = True
        elif sign == ",":
            parts.append(text[start:at])
            start = at + 1
    return [*parts, text[start:]]


def _cut(part: str) -> tuple[str, str, str]:
    """Field, operator and value; the first operator counts, and there is none when it is empty."""
    for at in range(len(part)):
        for operator in _OPERATORS:
            if part.startswith(operator, at):
                return part[:at], operator, part[at + len(operator) :]
    return part, "", ""


def _unescape(value: str) -> str:
    out: list[str] = []
    escaped = False
    for sign in value:
        if escaped:
            if sign not in _ESCAPED:
                raise FieldSelectorError(f"invalid field selector: invalid escape sequence: \\{sign}")
            out.append(sign)
            escaped = False
        elif sign == "\\":
            escaped = True
        elif sign in _ESCAPED:
            raise FieldSelectorError(f"invalid field selector: unescaped character in value: {ord(sign)}")
        else:
            out.append(sign)
    if escaped:
        raise FieldSelectorError("invalid field selector: invalid escape sequence: \\")
    return "".join(out)
