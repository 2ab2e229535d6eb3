"""What options of several verbs have in common."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any, Final

import click

__all__ = ["DURATION"]

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class _Duration(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.5 on only
    """A length of time as Kubernetes writes it: ``90s``, ``1m30s``, ``500ms``; a bare number means seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """A timedelta.

        Raises:
            BadParameter: the text is no length of time.
        """
        if isinstance(value, timedelta):
            return value
        text = str(value)
        if re.fullmatch(r"(\d+(\.\d+)?(ms|s|m|h))+", text):
            parts = re.findall(r"([\d.]+)(ms|s|m|h)", text)
            return timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in parts))
        if re.fullmatch(r"\d+(\.\d+)?", text):
            return timedelta(seconds=float(text))
        self.fail(f"{text!r} is no length of time: write a number with a unit, such as 60s or 2m", param, ctx)


DURATION: Final = _Duration()
