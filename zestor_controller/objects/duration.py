"""Durations as people and Go programs write them: ``1h30m``, ``90s``, ``1.5h``, ``100ms``, and ISO 8601's ``PT1H``.

Invariant: a duration that was read is written as the text that was read. A duration made from numbers is written in
Go's form. What :data:`PATTERN` matches is what can be read, so a CRD that carries the pattern lets nothing else in.

Source: Go's ``time.ParseDuration``; ISO 8601 without years and months, whose length depends on the
calendar; its parts may come in any order, as in Go.
"""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final, SupportsIndex

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

__all__ = ["PATTERN", "Duration"]

# Bounded in digits and (by LIMIT) in parts, so that every text it matches fits into a timedelta.
_NUMBER: Final = r"[0-9]{1,7}(\.[0-9]{1,9})?"
_GO: Final = r"0|(([0-9]{1,9}(\.[0-9]{0,9})?|\.[0-9]{1,9})(ns|us|µs|μs|ms|s|m|h))+"
_ISO: Final = rf"P(({_NUMBER}[WD])+(T({_NUMBER}[HMS])+)?|T({_NUMBER}[HMS])+)"
PATTERN: Final = rf"^[-+]?({_GO}|{_ISO})$"
LIMIT: Final = 64

_MATCH: Final = re.compile(PATTERN)
_PART: Final = re.compile(r"([0-9]*(?:\.[0-9]*)?)(ns|us|µs|μs|ms|s|m|h|[WDHMS])")
_MICROSECONDS: Final = {
    "ns": Decimal("0.001"),
    **dict.fromkeys(("us", "µs", "μs"), Decimal(1)),
    "ms": Decimal(1_000),
    **dict.fromkeys(("s", "S"), Decimal(1_000_000)),
    **dict.fromkeys(("m", "M"), Decimal(60_000_000)),
    **dict.fromkeys(("h", "H"), Decimal(3_600_000_000)),
    "D": Decimal(86_400_000_000),
    "W": Decimal(604_800_000_000),
}


class Duration(timedelta):
    """A timedelta that reads Go's and ISO 8601's forms and keeps the text that it was read from.

    In a Spec or Status, ``every: Duration = Duration("5m")``. A plain timedelta is taken in its place where a model is
    made in Python. Below a microsecond the value is rounded; the text is not.

    Args:
        text: such as ``"1h30m"`` or ``"PT1H"``; or give timedelta's own keyword arguments.

    Raises:
        ValueError: the text is no duration.
    """

    __slots__ = ("_text",)

    _text: str

    def __new__(cls, text: str = "0s", **parts: float) -> Duration:
        """From a text, or from timedelta's keyword arguments."""
        if parts:
            return cls.of(timedelta(**parts))
        span = _parsed(text)
        made = super().__new__(cls, days=span.days, seconds=span.seconds, microseconds=span.microseconds)
        made._text = text
        return made

    @classmethod
    def of(cls, span: timedelta) -> Duration:
        """The duration of a timedelta, written in Go's form.

        Raises:
            ValueError: it is longer than 999,999,999 hours, which no text can say.
        """
        return span if isinstance(span, cls) else cls(_written(span))

    @property
    def text(self) -> str:
        """The text that was read, or Go's form."""
        return self._text

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"Duration({self._text!r})"

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        """Copies and pickles keep the text."""
        return type(self), (self._text,)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls._validate,
            serialization=core_schema.plain_serializer_function_ser_schema(
                cls._dumped, return_schema=core_schema.str_schema(), when_used="json"
            ),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "pattern": PATTERN, "maxLength": LIMIT}

    @classmethod
    def _dumped(cls, span: timedelta) -> str:
        return cls.of(span).text  # arithmetic makes plain timedeltas, and they may have been assigned to a field

    @classmethod
    def _validate(cls, value: Any) -> Duration:
        if isinstance(value, timedelta):
            return cls.of(value)
        if isinstance(value, str):
            return cls(value)
        raise ValueError(f"a duration is a text such as '1h30m' or 'PT1H', or a timedelta, not {value!r}")


def _parsed(text: str) -> timedelta:
    if len(text) > LIMIT or _MATCH.match(text) is None or text.endswith("\n"):
        raise ValueError(f"{text[:80]!r} is no duration: write it as '1h30m', '90s', '1.5h', '100ms' or 'PT1H'")
    total = sum(Decimal(number) * _MICROSECONDS[unit] for number, unit in _PART.findall(text))
    return timedelta(microseconds=int(total.to_integral_value() if total else 0) * (-1 if text[0] == "-" else 1))


def _written(span: timedelta) -> str:
    """Go's form: hours, minutes, seconds with a fraction."""
    micros = abs(span) // timedelta(microseconds=1)
    minutes, rest = divmod(micros, 60_000_000)
    hours, minutes = divmod(minutes, 60)
    seconds = f"{rest // 1_000_000}.{rest % 1_000_000:06}".rstrip("0").rstrip(".")
    parts = [
        f"{hours}h" if hours else "",
        f"{minutes}m" if minutes else "",
        f"{seconds}s" if rest or not micros else "",
    ]
    return ("-" if span < timedelta(0) else "") + "".join(parts)
