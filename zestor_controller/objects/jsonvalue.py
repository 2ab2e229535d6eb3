"""What JSON holds, as far as types describe it.

``JsonValue`` is the one place where ``Any`` is on the public surface: ``obj["spec"]["replicas"]`` goes as deep as the
object does, and a type that is exact (a union of all that JSON has) would demand a check at each step.
"""

from __future__ import annotations

from typing import Any, TypeAlias

__all__ = ["JsonObject", "JsonValue"]

JsonValue: TypeAlias = Any
"""None, a bool, a number, a text, a list or a mapping of JSON values."""

JsonObject: TypeAlias = dict[str, JsonValue]
"""A JSON object."""
