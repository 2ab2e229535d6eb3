"""JSON as Go's decoder reads it: its numbers, its error texts, and the keys that stand twice.

What always holds: a value that comes out of here can be encoded again (no lone surrogates, no NaN), whole numbers are
``int`` even when the text said ``1.0``, a key that stood twice has its last value, and nothing is nested deeper than
:data:`~zestor_controller.apiserver.syntax.depthlimit.MAX_DEPTH`.
"""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal
from typing import Any

from zestor_controller.apiserver.syntax.depthlimit import MAX_DEPTH, TOO_DEEP, too_deep
from zestor_controller.apiserver.syntax.gonumber import parse_int

__all__ = ["DocumentError", "duplicate_paths", "go_number", "load", "syntax_error"]

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_LARGEST_WHOLE = 1e21


class DocumentError(ValueError):
    """The text is not a document; the message is Go's."""


def go_number(value: float) -> int | float:
    """A float as it looks after Go has written it and read it again: whole numbers below 1e21 are integers."""
    if value.is_integer() and abs(value) < _LARGEST_WHOLE:
        return int(value) if abs(value) < 2**53 else int(Decimal(repr(value)))
    return value


def _float(text: str) -> int | float:
    value = float(text)
    if math.isinf(value):
        raise DocumentError(f"json: cannot unmarshal number {text} into Go value of type float64")
    return go_number(value)


def _int(text: str) -> int | float:
    if len(text) < 19:
        return int(text)
    try:
        return parse_int(text)
    except ValueError:
        return _float(text)


def _constant(text: str) -> Any:
    raise DocumentError(f"invalid character '{text[0]}' looking for beginning of value")


def load(data: bytes) -> tuple[Any, bool]:
    """Read a JSON document.

    Args:
        data: the text; bytes that are not UTF-8 are replaced, as Go does.

    Returns:
        The value, and whether any key stood twice in its object (then :func:`duplicate_paths` names them).

    Raises:
        DocumentError: in Go's words.
    """
    twice = False

    def build(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal twice
        built = dict(pairs)
        if len(built) != len(pairs):
            twice = True
        return built

    try:
        value = json.loads(
            data.decode("utf-8", "replace"),
            object_pairs_hook=build,
            parse_float=_float,
            parse_int=_int,
            parse_constant=_constant,
        )
    except DocumentError as error:
        # Go checks the whole syntax before it reads any number.
        raise DocumentError(syntax_error(data) or str(error)) from None
    except RecursionError:
        raise DocumentError(syntax_error(data) or TOO_DEEP) from None
    except ValueError as error:
        raise DocumentError(syntax_error(data) or str(error)) from None
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH and too_deep(value):
        raise DocumentError(TOO_DEEP)
    if _SURROGATE.search(data):
        value = _without_surrogates(value)
    return value, twice


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    return [_without_surrogates(item) for item in value] if isinstance(value, list) else value


class _Pairs(list[tuple[str, Any]]):
    """An object with all its keys, also those that stand twice."""


def duplicate_paths(data: bytes) -> list[str]:
    """The paths of keys that stand twice, each once, in the order of the document: ``spec.list[0].name``."""
    found: dict[str, None] = {}

    def visit(value: Any, path: str) -> None:
        if isinstance(value, _Pairs):
            seen: set[str] = set()
            for key, item in value:
                inner = f"{path}.{key}" if path else key
                if key in seen:
                    found[inner] = None
                seen.add(key)
                visit(item, inner)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                visit(item, f"{path}[{index}]")

    visit(json.loads(data.decode("utf-8", "replace"), object_pairs_hook=_Pairs), "")
    return list(found)


_END = "unexpected end of JSON input"
_SPACE = b" \t\r\n"
_ESCAPES = b'bfnrt\\/"'
_HEX = b"0123456789abcdefABCDEF"
_DIGITS = b"0123456789"


class _Scanner:
    """A second reading of a text that is known to be wrong, only to find Go's words for it."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def run(self) -> None:
        self._value("looking for beginning of value")
        self._space()
        if self._at < len(self._data):
            self._refuse("after top-level value")

    def _peek(self) -> int:
        if self._at >= len(self._data):
            raise DocumentError(_END)
        return self._data[self._at]

    def _space(self) -> None:
        while self._at < len(self._data) and self._data[self._at] in _SPACE:
            self._at += 1

    def _refuse(self, where: str) -> None:
        raise DocumentError(f"invalid character {_quoted(self._peek())} {where}")

    def _value(self, where: str) -> None:
        """One value, without recursion: `open` holds the brackets that are still open."""
        open_: list[int] = []
        expect = where
        while True:
            self._space()
            byte = self._peek()
            if byte == 0x7B:
                self._at += 1
                open_.append(byte)
                self._depth(open_)
                self._space()
                if self._peek() == 0x7D:
                    self._at += 1
                    open_.pop()
                else:
                    self._key()
                    expect = "looking for beginning of value"
                    continue
            elif byte == 0x5B:
                self._at += 1
                open_.append(byte)
                self._depth(open_)
                self._space()
                if self._peek() == 0x5D:
                    self._at += 1
                    open_.pop()
                else:
                    expect = "looking for beginning of value"
                    continue
            else:
                self._scalar(byte, expect)
            if self._close(open_):
                return
            expect = "looking for beginning of value"

    def _depth(self, open_: list[int]) -> None:
        if len(open_) > MAX_DEPTH:
            raise DocumentError(TOO_DEEP)

    def _close(self, open_: list[int]) -> bool:
        """After a value: the commas and closing brackets; True when nothing is open any more."""
        while open_:
            self._space()
            byte = self._peek()
            if open_[-1] == 0x7B:
                if byte == 0x2C:
                    self._at += 1
                    self._space()
                    self._key()
                    return False
                if byte != 0x7D:
                    self._refuse("after object key:value pair")
            else:
                if byte == 0x2C:
                    self._at += 1
                    return False
                if byte != 0x5D:
                    self._refuse("after array element")
            self._at += 1
            open_.pop()
        return True

    def _key(self) -> None:
        if self._peek() != 0x22:
            self._refuse("looking for beginning of object key string")
        self._string()
        self._space()
        if self._peek() != 0x3A:
            self._refuse("after object key")
        self._at += 1

    def _scalar(self, byte: int, where: str) -> None:
        if byte == 0x22:
            self._string()
        elif byte == 0x2D or byte in _DIGITS:
            self._number()
        elif byte in b"tfn":
            word = {0x74: b"true", 0x66: b"false", 0x6E: b"null"}[byte]
            for wanted in word:
                if self._peek() != wanted:
                    self._refuse(f"in literal {word.decode()} (expecting '{chr(wanted)}')")
                self._at += 1
        else:
            self._refuse(where)

    def _string(self) -> None:
        self._at += 1
        while True:
            byte = self._peek()
            if byte == 0x22:
                self._at += 1
                return
            if byte < 0x20:
                self._refuse("in string literal")
            self._at += 1
            if byte == 0x5C:
                escape = self._peek()
                if escape == 0x75:
                    self._at += 1
                    for _ in range(4):
                        if self._peek() not in _HEX:
                            self._refuse("in \\u hexadecimal character escape")
                        self._at += 1
                elif escape in _ESCAPES:
                    self._at += 1
                else:
                    self._refuse("in string escape code")

    def _number(self) -> None:
        if self._peek() == 0x2D:
            self._at += 1
            if self._peek() not in _DIGITS:
                self._refuse("in numeric literal")
        if self._peek() == 0x30:
            self._at += 1
        else:
            self._digits()
        if self._at < len(self._data) and self._data[self._at] == 0x2E:
            self._at += 1
            if self._peek() not in _DIGITS:
                self._refuse("after decimal point in numeric literal")
            self._digits()
        if self._at < len(self._data) and self._data[self._at] in b"eE":
            self._at += 1
            if self._peek() in b"+-":
                self._at += 1
            if self._peek() not in _DIGITS:
                self._refuse("in exponent of numeric literal")
            self._digits()

    def _digits(self) -> None:
        while self._at < len(self._data) and self._data[self._at] in _DIGITS:
            self._at += 1


def _quoted(byte: int) -> str:
    """A byte as Go quotes it in these messages."""
    if byte == 0x27:
        return "'\\''"
    if byte == 0x22:
        return "'\"'"
    known = {0x5C: "\\\\", 0x07: "\\a", 0x08: "\\b", 0x0C: "\\f", 0x0A: "\\n", 0x0D: "\\r", 0x09: "\\t", 0x0B: "\\v"}
    if byte in known:
        return f"'{known[byte]}'"
    if byte < 0x20 or byte == 0x7F:
        return f"'\\x{byte:02x}'"
    if 0x80 <= byte <= 0xA0 or byte == 0xAD:
        return f"'\\u{byte:04x}'"
    return f"'{chr(byte)}'"


def syntax_error(data: bytes) -> str | None:
    """What Go's scanner says of a text; None when the syntax is right."""
    try:
        _Scanner(data).run()
    except DocumentError as error:
        return str(error)
    return None
