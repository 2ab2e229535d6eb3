"""Quantities: parsed exactly, compared as numbers, written in the one canonical form.

The canonical form keeps the family of the suffix (``Mi``, ``M`` or an exponent), uses the largest suffix that leaves an
integer, and never loses precision above one nano unit (smaller parts are rounded away from zero).
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

__all__ = ["BAD_QUANTITY", "canonical", "value_of"]

BAD_QUANTITY = r"quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"

_SHAPE = re.compile(r"([+-]?)(\d*)(?:\.(\d*))?([A-Za-z]*)([-+]?\d*)")
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
    if not whole and not part:
        raise ValueError(BAD_QUANTITY)
    number = Fraction(int((whole or "0") + (part or "")), 10 ** len(part or ""))
    if suffix in ("e", "E") and power:
        family, number = "exponent", number * Fraction(10) ** int(power)
    elif power:
        raise ValueError(BAD_QUANTITY)
    elif suffix in _DECIMAL:
        family, number = "decimal", number * Fraction(10) ** _DECIMAL[suffix]
    elif suffix in _BINARY:
        family, number = "binary", number * 1024 ** _BINARY[suffix]
    else:
        raise ValueError(BAD_QUANTITY)
    nanos = -((-number * _NANO).numerator // (number * _NANO).denominator)
    return Fraction(-nanos if sign == "-" else nanos, _NANO), family


@lru_cache(maxsize=4096)
def value_of(text: str) -> Fraction:
    """The exact value.

    Raises:
        ValueError: with the server's words when it is no quantity.
    """
    return _parse(text)[0]


@lru_cache(maxsize=4096)
def canonical(text: str) -> str:
    """The canonical form of a quantity.

    Raises:
        ValueError: with the server's words when it is no quantity.
    """
    number, family = _parse(text)
    if number == 0:
        return "0"
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
