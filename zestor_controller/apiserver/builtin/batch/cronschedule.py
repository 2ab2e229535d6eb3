"""Cron schedules and time zones, as the server validates them for CronJobs.

The grammar is that of ``ParseStandard`` in robfig/cron v3 (five fields, or a descriptor), the error texts included; the
rules around it are those of pkg/apis/batch/validation. Nothing here computes when a schedule fires.
"""

from __future__ import annotations

import re
import zoneinfo
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from zestor_controller.schema import gotext
from zestor_controller.schema.fielderror import FieldError, invalid

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["check_schedule", "check_time_zone"]


@dataclass(frozen=True, slots=True)
class _Bounds:
    low: int
    high: int
    names: Mapping[str, int] = field(default_factory=dict)


_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS = (
    _Bounds(0, 59),
    _Bounds(0, 23),
    _Bounds(1, 31),
    _Bounds(1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    _Bounds(0, 6, {name: number for number, name in enumerate(_DAYS)}),
)
_DESCRIPTORS = frozenset({"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"})
_EVERY = "@every "
_SPACE = re.compile("[\t\n\v\f\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")
_NUMBER = re.compile(r"[-+]?[0-9]+")
_LARGEST = 2**63
_UNITS = {
    "ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9,
}  # fmt: skip  # both signs for micro, as in Go
_DURATION_PART = re.compile(r"([0-9]*)(?:(\.)([0-9]*))?([^.0-9]*)")
_ZONE_PART = re.compile(r"[A-Za-z.\-_0-9+]{1,14}")


def check_schedule(path: str, schedule: str, old: str | None, time_zone: str | None) -> list[FieldError]:
    """Errors of a schedule that is not empty.

    Args:
        path: the field.
        schedule: the schedule.
        old: the schedule before an update; one that names a time zone already may go on doing so.
        time_zone: the CronJob's ``timeZone``.
    """
    errors = []
    problem = _schedule_error(schedule)
    if problem:
        errors.append(invalid(path, schedule, problem))
    if "TZ" in schedule:
        if old is None or "TZ" not in old:
            errors.append(invalid(path, schedule, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"))
        elif time_zone is not None:
            errors.append(invalid(path, schedule, "cannot use both timeZone field and TZ or CRON_TZ in schedule"))
    return errors


def check_time_zone(path: str, name: str | None) -> list[FieldError]:
    """Errors of a CronJob's ``timeZone``; absent is fine."""
    if name is None:
        return []
    if not name:
        return [invalid(path, name, "timeZone must be nil or non-empty string")]
    unknown = [invalid(path, name, f"unknown time zone {name}")]
    for part in name.split("/"):
        if part in (".", "..") or part.startswith("-") or _ZONE_PART.fullmatch(part) is None:
            return unknown
    if name.lower() == "local":
        message = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        return [invalid(path, name, message)]
    return [] if _known_zone(name) else unknown


@lru_cache(maxsize=1024)
def _known_zone(name: str) -> bool:
    try:
        zoneinfo.ZoneInfo(name)
    except (OSError, ValueError, zoneinfo.ZoneInfoNotFoundError):
        return False  # also a folder of zones ("Europe") and a file that is no zone ("zone.tab")
    return True


def _schedule_error(schedule: str) -> str:
    """What the parser complains about; empty for a schedule that it takes."""
    try:
        _parse(schedule)
    except ValueError as error:
        return str(error)
    return ""


def _parse(schedule: str) -> None:
    if schedule.startswith(("TZ=", "CRON_TZ=")):
        head, space, rest = schedule.partition(" ")
        if not space:
            raise ValueError("invalid schedule format: runtime error: slice bounds out of range [:-1]")
        name = head.partition("=")[2]
        if name not in ("", "UTC", "Local") and not _known_zone(name):
            raise ValueError(f"provided bad location {name}: unknown time zone {name}")
        schedule = rest.strip()
    if schedule.startswith("@"):
        _parse_descriptor(schedule)
        return
    fields = [part for part in _SPACE.split(schedule) if part]
    if len(fields) != len(_FIELDS):
        raise ValueError(f"expected exactly {len(_FIELDS)} fields, found {len(fields)}: [{' '.join(fields)}]")
    for text, bounds in zip(fields, _FIELDS, strict=True):
        for expression in text.split(","):
            if expression:
                _parse_range(expression, bounds)


def _parse_descriptor(text: str) -> None:
    if text in _DESCRIPTORS:
        return
    if not text.startswith(_EVERY):
        raise ValueError(f"unrecognized descriptor: {text}")
    problem = _duration_error(text[len(_EVERY) :])
    if problem:
        raise ValueError(f"failed to parse duration {text}: time: {problem}")


def _parse_range(expression: str, bounds: _Bounds) -> None:
    parts = expression.split("/")
    ends = parts[0].split("-")
    if ends[0] in ("*", "?"):
        low, high = bounds.low, bounds.high
    else:
        low = high = _number(ends[0], bounds.names)
        if len(ends) == 2:
            high = _number(ends[1], bounds.names)
        elif len(ends) > 2:
            raise ValueError(f"too many hyphens: {expression}")
    step = 1
    if len(parts) > 2:
        raise ValueError(f"too many slashes: {expression}")
    if len(parts) == 2:
        step = _number(parts[1], {})
        if len(ends) == 1:
            high = bounds.high  # "N/step" is short for "N-max/step"
    if low < bounds.low:
        raise ValueError(f"beginning of range ({low}) below minimum ({bounds.low}): {expression}")
    if high > bounds.high:
        raise ValueError(f"end of range ({high}) above maximum ({bounds.high}): {expression}")
    if low > high:
        raise ValueError(f"beginning of range ({low}) beyond end of range ({high}): {expression}")
    if step == 0:
        raise ValueError(f"step of range should be a positive number: {expression}")


def _number(text: str, names: Mapping[str, int]) -> int:
    named = names.get(text.lower())
    if named is not None:
        return named
    problem = ""
    if _NUMBER.fullmatch(text) is None:
        problem = "invalid syntax"
    elif len(text.lstrip("+-0")) > 19 or not -_LARGEST <= int(text) < _LARGEST:
        problem = "value out of range"
    if problem:
        raise ValueError(f"failed to parse int from {text}: strconv.Atoi: parsing {gotext.quote(text)}: {problem}")
    if int(text) < 0:
        raise ValueError(f"negative number ({int(text)}) not allowed: {text}")
    return int(text)


def _duration_error(text: str) -> str:
    """What Go's ``time.ParseDuration`` says about a text; empty when it takes it."""
    bad = f"invalid duration {_quoted(text)}"
    rest = text[1:] if text[:1] in ("-", "+") else text
    if rest == "0":
        return ""
    if not rest:
        return bad
    total = 0
    while rest:
        part = _DURATION_PART.match(rest)
        assert part is not None  # each piece of the pattern may be empty
        digits, fraction, unit = part[1], part[3] or "", part[4]
        if not digits and not fraction:
            return bad
        if len(digits.lstrip("0")) > 19 or int(digits or "0") > _LARGEST:
            return bad
        if not unit:
            return f"missing unit in duration {_quoted(text)}"
        if unit not in _UNITS:
            return f"unknown unit {_quoted(unit)} in duration {_quoted(text)}"
        total += int(digits or "0") * _UNITS[unit]
        if fraction:
            total += int(int(fraction[:18]) * (_UNITS[unit] / 10 ** len(fraction[:18])))
        if total > _LARGEST:
            return bad
        rest = rest[part.end() :]
    return bad if total > _LARGEST - (not text.startswith("-")) else ""


def _quoted(text: str) -> str:
    """A text as the errors of Go's ``time`` quote it: bytes beyond ASCII one by one."""
    shown = ""
    for byte in text.encode("utf-8", "replace"):
        char = chr(byte)
        shown += f"\\x{byte:02x}" if byte >= 0x80 or byte < 0x20 else f"\\{char}" if char in '"\\' else char
    return f'"{shown}"'
