"""The keywords of numbers, with the server's arithmetic: 64 bits, and floats where a bound is one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zestor_controller.schema.gotext import number
from zestor_controller.schema.structural import Schema

__all__ = ["NumberCheck", "is_whole", "number_check"]

Complaint = tuple[Any, str]
"""The value to show and the message; the value None is for complaints that belong to no field."""

NumberCheck = Callable[[Any, str], list[Complaint]]
"""What is wrong with a number that stands at a path."""

_INT32 = (-(2**31), 2**31 - 1)
_INT64 = (-(2**63), 2**63 - 1)
_MAX_FLOAT32 = 3.4028235677973366e38
_MAX_JSON_FLOAT = float(2**53 - 1)
_EPSILON = 1e-9


def is_whole(value: float) -> bool:
    """Whether a float counts as an integer; tiny differences do not matter."""
    if value != value or not -_MAX_JSON_FLOAT <= value <= _MAX_JSON_FLOAT:
        return False
    whole = float(int(value))
    if value == whole:
        return True
    difference = abs(value - whole)
    total = abs(value) + abs(whole)
    return difference / total < _EPSILON if total else False


def _misfit(value: float, types: tuple[str, ...], form: str, what: str) -> str:
    """Why a number is out of its type's range; ends with the place where the path goes."""
    only = types[0] if len(types) == 1 else ""
    if only == "integer":
        low, high = _INT32 if form == "int32" else _INT64
        # A float fits when Go prints it as a whole number.
        if not (isinstance(value, float) and not value.is_integer()) and low <= value <= high:
            return ""
    elif form != "float" or only != "number" or abs(value) < _MAX_FLOAT32:
        return ""
    known = form if form in ("int32", "int64", "float", "double") else ""
    return f"{what} value must be of type {only} " + (f"with format {known}" if known else "(default format)") + " in "


def _is_int(value: float) -> bool:
    return isinstance(value, int) and _INT64[0] <= value <= _INT64[1]


def number_check(schema: Schema, types: tuple[str, ...]) -> NumberCheck | None:
    """What checks numbers against a schema; None when every number will do."""
    form = schema.get("format") or ""
    if form not in {"integer": ("int32", "int64"), "number": ("float", "double")}.get("".join(types), ()):
        form = ""
    parts = [
        part
        for part in (
            _range_check(types, form),
            _multiple_check(schema, types, form),
            _bound_check(schema, "maximum", types, form),
            _bound_check(schema, "minimum", types, form),
        )
        if part is not None
    ]
    if not parts:
        return None

    def check(value: Any, path: str) -> list[Complaint]:
        return [complaint for part in parts for complaint in part(value, path)]

    return check


def _range_check(types: tuple[str, ...], form: str) -> NumberCheck | None:
    if types != ("integer",) and form != "float":
        return None

    def check(value: Any, path: str) -> list[Complaint]:
        why = _misfit(value, types, form, "Checked")
        return [(None, why + path)] if why else []

    return check


def _multiple_check(schema: Schema, types: tuple[str, ...], form: str) -> NumberCheck | None:
    factor = schema.get("multipleOf")
    if factor is None:
        return None
    misfit = _misfit(factor, types, form, "MultipleOf")

    def wrong(value: Any, path: str) -> list[Complaint]:
        whole = _is_int(value) and not misfit
        used = int(factor) if whole else float(factor)
        if used <= 0:
            return [(used, f"factor MultipleOf declared for {path} must be positive: {number(used)}")]
        quotient = 1 / used * value if used < 1 else value / used
        fits = value % used == 0 if whole else is_whole(quotient)
        shown = float(value) if misfit else value
        return [] if fits else [(shown, f"{path} in body should be a multiple of {number(used)}")]

    return _with_misfit(misfit, wrong)


def _bound_check(schema: Schema, keyword: str, types: tuple[str, ...], form: str) -> NumberCheck | None:
    bound = schema.get(keyword)
    if bound is None:
        return None
    upper = keyword == "maximum"
    exclusive = bool(schema.get("exclusiveMaximum" if upper else "exclusiveMinimum"))
    misfit = _misfit(bound, types, form, f"{keyword.capitalize()} boundary")
    words = ("less" if upper else "greater") + " than " + ("" if exclusive else "or equal to ")

    def wrong(value: Any, path: str) -> list[Complaint]:
        used = int(bound) if _is_int(value) and not misfit else float(bound)
        low, high = (value, used) if upper else (used, value)
        if low < high or (low == high and not exclusive):
            return []
        # A bound that does not fit the type makes the server compare, and show, floats.
        return [(float(value) if misfit else value, f"{path} in body should be {words}{number(used)}")]

    return _with_misfit(misfit, wrong)


def _with_misfit(misfit: str, check: NumberCheck) -> NumberCheck:
    if not misfit:
        return check
    return lambda value, path: [(None, misfit + path), *check(value, path)]
