"""The user of a request: what authentication finds, and what authorization, admission and strategies go by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["User"]


@dataclass(frozen=True, slots=True)
class User:
    """Who sends a request."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
