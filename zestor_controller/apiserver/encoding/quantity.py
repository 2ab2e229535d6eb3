"""Quantities: parsed exactly, compared as numbers, written in the one canonical form.

The canonical form keeps the family of the suffix (``Mi``, ``M`` or an exponent), uses the largest suffix that leaves an
integer, and never loses precision above one nano unit (smaller parts are rounded away from zero). What Go's parser
takes for canonical at a glance, such as ``+1`` and ``1E3``, stays as it was written.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

__all__ = ["BAD_QUANTITY", "canonical", "value_of"]

BAD_QUANTITY = r"quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"

BAD_NUMBER = "unable to parse numeric part of quantity"
BAD_SUFFIX = "unable to parse quantity's suffix"

_SHAPE = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?([eEinumkKMGTP]*)([-+]?[0-9]*)")
_LARGEST = 2**63 - 1  # larger values with a binary suffix are cut down to it
_MOST_DIGITS = 1000  # a value with more is refused, as it would keep the server busy; a smaller one is one nano unit
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_DECIMAL_NAMES = {power: name for name, power in _DECIMAL.items()}
_BINARY_NAMES = {power: name for name, power in _BINARY.items()}
_NANO = 10**9


def _parse(text: str) -> tuple[Fraction, str]:
    """The exact value and the family: ``decimal``, ``binary`` or ``exponent``."""
    found = _SHAPE.fullmatch(text)
    if found is None:
        raise ValueError(BAD_QUANTITY)
    sign, whole, part, suffix, power = found.groups()
    if not text or (power and not suffix):
        raise ValueError(BAD_QUANTITY)
    if suffix in ("Pi", "Ei") and not (whole or part):
        raise ValueError(BAD_NUMBER)  # with other suffixes, no digits are a zero
    digits = ((whole or "") + (part or "")).lstrip("0")
    if suffix in ("e", "E") and power.lstrip("+-"):
        family, scale = "exponent", _exponent(power)
    elif power or (suffix not in _DECIMAL and suffix not in _BINARY):
        raise ValueError(BAD_SUFFIX)
    else:
        family, scale = ("decimal", _DECIMAL[suffix]) if suffix in _DECIMAL else ("binary", 0)
    scale -= len(part or "")
    if not digits:
        return Fraction(0), family
    if len(digits) + scale > _MOST_DIGITS:
        raise ValueError(BAD_SUFFIX)
    if len(digits) + scale < -_MOST_DIGITS:
        return _signed(sign, Fraction(1, _NANO)), family
    number = Fraction(int(digits[: 2 * _MOST_DIGITS])) * Fraction(10) ** (
        scale + max(0, len(digits) - 2 * _MOST_DIGITS)
    )
    if family == "binary":
        number *= 1024 ** _BINARY[suffix]
    if family == "binary" and number > _LARGEST:
        return _signed(sign, _LARGEST), "decimal"
    nanos = -((-number * _NANO).numerator // (number * _NANO).denominator)
    return _signed(sign, Fraction(nanos, _NANO)), family


def _exponent(text: str) -> int:
    """An exponent; one with very many digits counts as the largest that makes a difference."""
    digits = text.lstrip("+-").lstrip("0") or "0"
    number = int(digits) if len(digits) < 7 else 10**6
    return -number if text.startswith("-") else number


def _signed(sign: str, value: Fraction | int) -> Fraction:
    return Fraction(-value if sign == "-" else value)


@lru_cache(maxsize=4096)
def value_of(text: str) -> Fraction:
    """The exact value.

    Raises:
        ValueError: it is no quantity; the message is the server's.
    """
    return _parse(text)[0]


@lru_cache(maxsize=4096)
def canonical(text: str) -> str:
    """The canonical form of a quantity.

    Raises:
        ValueError: it is no quantity; the message is the server's.
    """
    number, family = _parse(text)
    if number == 0:
        return "0"
    if _is_kept(text):
        return text
    if family == "binary" and -1024 < number < 1024:
        family = "decimal"
    if family == "binary" and number.denominator != 1:
        family = "decimal"
    sign = "-" if number < 0 else ""
    number = abs(number)
    if family == "binary":
        mantissa, power = number.numerator, 0
        while mantissa % 1024 == 0 and power < 6:
            mantissa, power = mantissa // 1024, power + 1
        return f"{sign}{mantissa}{_BINARY_NAMES[power] if power else ''}"
    power = 0
    while number.denominator != 1:
        number, power = number * 1000, power - 3
    mantissa = number.numerator
    while mantissa % 1000 == 0 and (family == "exponent" or power < 18):
        mantissa, power = mantissa // 1000, power + 3
    if family == "exponent":
        return f"{sign}{mantissa}e{power}" if power else f"{sign}{mantissa}"
    return f"{sign}{mantissa}{_DECIMAL_NAMES[power]}"


def _is_kept(text: str) -> bool:
    """Whether Go's parser takes a quantity for canonical at a glance, and so keeps it as it was written."""
    found = _SHAPE.fullmatch(text)
    assert found is not None  # it has been parsed
    _, whole, part, suffix, power = found.groups()
    digits = (whole.lstrip("0") or "0") + (part or "")
    if suffix in _BINARY:
        digits_left = 15 - len(digits) - int(_BINARY[suffix] * 10 * 3 / 10) - 1
        return not part and digits_left >= 0 and int(digits) % 8 != 0
    scale = (_exponent(power) if power else _DECIMAL[suffix]) - len(part or "")
    plain = scale % 3 == 0 and not digits.endswith("000") and not digits.startswith("0")
    return plain and scale >= -9 and len(digits) <= 18
