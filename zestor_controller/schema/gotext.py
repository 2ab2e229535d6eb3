"""Values and numbers as Go prints them, which is how the API server's messages show them."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

__all__ = ["encode", "number", "quote"]

_ESCAPES = {
    "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v", "\\": "\\\\", '"': '\\"',
}  # fmt: skip
_EXPONENT = re.compile(r'"(?:[^"\\]|\\.)*"|(-?[0-9.]+)e([+-])([0-9]+)')
_HTML = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})


def quote(text: str) -> str:
    """A string as ``%q`` prints it."""
    if text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return '"' + "".join(_quoted(char) for char in text) + '"'


def _quoted(char: str) -> str:
    known = _ESCAPES.get(char)
    if known is not None:
        return known
    if char.isprintable():
        return char
    code = ord(char)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def number(value: float) -> str:
    """A number as ``%v`` prints it: ``10`` for 10.0, ``1e+06`` for a million that is a float."""
    if isinstance(value, int):
        # What does not fit into 64 bits was read as a float.
        return str(value) if -(2**63) <= value < 2**63 else number(float(value))
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    if not isinstance(exponent, int):
        return str(value)
    magnitude = exponent + len(digits) - 1
    if value == 0 or -4 <= magnitude < 6:
        return str(int(value)) if value.is_integer() else str(value)
    text = "".join(map(str, digits))
    fraction = f".{text[1:]}" if len(text) > 1 else ""
    return f"{'-' * sign}{text[0]}{fraction}e{'-' if magnitude < 0 else '+'}{abs(magnitude):02d}"


def encode(value: Any) -> str:
    """A value as Go's JSON encoder writes it: keys sorted, signs that matter in HTML escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    if "e-" in text or "e+" in text:
        text = _EXPONENT.sub(_without_exponent, text)
    return text.translate(_HTML)


def _without_exponent(found: re.Match[str]) -> str:
    """A number in Go's JSON: with an exponent only where it is very small or very large."""
    if found[1] is None:
        return found[0]
    if 1e-6 <= abs(float(found[0])) < 1e21:
        return format(Decimal(found[0]), "f")
    return f"{found[1]}e{found[2]}{int(found[3])}"
