"""Whole numbers written as text, as Go's strconv reads them: of any length, with its bounds and its error texts.

Python's own ``int`` takes digits of every script, underscores and spaces, and refuses texts of more than 4300 digits
with an error of its own; nothing that a client sends is given to it unchecked.
"""

from __future__ import annotations

import json
import re
from typing import Final

__all__ = ["parse_int", "parse_uint"]

_SIGNED: Final = re.compile(r"[-+]?[0-9]+")
_UNSIGNED: Final = re.compile(r"[0-9]+")
_LONGEST: Final = 20
"""Digits of the largest 64-bit number."""
_FAR: Final = 2**65
"""In place of every number with more digits: out of range with either sign."""


def parse_int(text: str) -> int:
    """A text as an int64.

    Raises:
        ValueError: with strconv.ParseInt's text: it is no number, or is out of range.
    """
    return _parse("ParseInt", _SIGNED, text, -(2**63), 2**63)


def parse_uint(text: str) -> int:
    """A text as a uint64.

    Raises:
        ValueError: with strconv.ParseUint's text: it is no number, or is out of range.
    """
    return _parse("ParseUint", _UNSIGNED, text, 0, 2**64)


def _parse(function: str, form: re.Pattern[str], text: str, low: int, above: int) -> int:
    why = "invalid syntax"
    if form.fullmatch(text):
        digits = text.lstrip("+-").lstrip("0") or "0"
        value = int(digits) if len(digits) <= _LONGEST else _FAR
        value = -value if text.startswith("-") else value
        if low <= value < above:
            return value
        why = "value out of range"
    raise ValueError(f"strconv.{function}: parsing {json.dumps(text, ensure_ascii=False)}: {why}")
