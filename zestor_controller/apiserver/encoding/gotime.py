"""Instants as the server reads and writes them: RFC 3339 in seconds, or with exactly six fractional digits.

Times are converted to UTC; texts that are none are rejected with the messages of Go's time parser.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

__all__ = ["micro_time", "parse_seconds", "plain_time"]

_SECONDS = "2006-01-02T15:04:05Z07:00"
_MICROS = "2006-01-02T15:04:05.000000Z07:00"
_STEPS = (
    (r"[0-9]{4}", "2006"), (r"-", "-"), (r"[0-9]{2}", "01"), (r"-", "-"), (r"[0-9]{2}", "02"), (r"T", "T"),
    (r"[0-9]{2}", "15"), (r":", ":"), (r"[0-9]{2}", "04"), (r":", ":"), (r"[0-9]{2}", "05"),
)  # fmt: skip
_FRACTION = re.compile(r"[.,][0-9]+")
_ZONE = re.compile(r"Z|[-+][0-9]{2}:[0-9]{2}")
_RANGES = {"01": (1, 12, "month"), "15": (0, 23, "hour"), "04": (0, 59, "minute"), "05": (0, 59, "second")}


def _refuse(text: str, layout: str, rest: str, part: str) -> ValueError:
    return ValueError(f'parsing time "{text}" as "{layout}": cannot parse "{rest}" as "{part}"')


def _read(text: str, layout: str, micros: bool) -> datetime:
    at = 0
    for pattern, part in _STEPS:
        found = re.compile(pattern).match(text, at)
        if found is None:
            raise _refuse(text, layout, text[at:], part)
        at = found.end()
        low, high, name = _RANGES.get(part, (0, 99, ""))
        if name and not low <= int(found.group()) <= high:
            raise ValueError(f'parsing time "{text}": {name} out of range')
    fraction = 0
    found = _FRACTION.match(text, at)
    if micros:
        # Go's fixed fraction ".000000" wants exactly so many digits.
        if found is None or found.end() - at < 7:
            raise _refuse(text, layout, text[at:], ".000000")
        fraction, at = int(text[at + 1 : at + 7]), at + 7
    elif found is not None:
        at = found.end()
    zone = _ZONE.match(text, at)
    if zone is None:
        raise _refuse(text, layout, text[at:], "Z07:00")
    if zone.end() != len(text):
        raise ValueError(f'parsing time "{text}": extra text: "{text[zone.end() :]}"')
    shift = _shift(text, zone.group())
    try:
        moment = datetime.fromisoformat(text[:19]).replace(microsecond=fraction, tzinfo=UTC)
    except ValueError:
        raise ValueError(f'parsing time "{text}": day out of range') from None
    try:
        return moment - shift
    except OverflowError:  # in UTC the year is before 1 or after 9999, which RFC 3339 cannot write
        raise ValueError(f'parsing time "{text}": year out of range') from None


def _shift(text: str, zone: str) -> timedelta:
    """The offset of a zone; Go takes 24 hours and 60 minutes for one."""
    if zone == "Z":
        return timedelta()
    hours, minutes = int(zone[1:3]), int(zone[4:6])
    for number, most, name in ((hours, 24, "hour"), (minutes, 60, "minute")):
        if number > most:
            raise ValueError(f'parsing time "{text}": time zone offset {name} out of range')
    shift = timedelta(hours=hours, minutes=minutes)
    return -shift if zone[0] == "-" else shift


@lru_cache(maxsize=1024)
def plain_time(text: str) -> str:
    """A ``metav1.Time`` in its canonical form: UTC, whole seconds.

    Raises:
        ValueError: the text is no time; the message is Go's.
    """
    return _read(text, _SECONDS, False).strftime("%Y-%m-%dT%H:%M:%SZ")


@lru_cache(maxsize=1024)
def micro_time(text: str) -> str:
    """A ``metav1.MicroTime`` in its canonical form: UTC, six fractional digits.

    Raises:
        ValueError: the text is no time; the message is Go's.
    """
    return _read(text, _MICROS, True).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_seconds(text: str) -> float | None:
    """Seconds since the epoch of a stored time or micro time; None for what is no time."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None
