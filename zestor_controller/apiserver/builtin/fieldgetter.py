"""Getters of field selectors: the text of one field of an object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["counter_at", "flag_at", "text_at"]


def text_at(*path: str) -> Callable[[Json], str]:
    """The value at a path, as text; empty when absent."""

    def read(obj: Json) -> str:
        value: Any = obj
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        if isinstance(value, bool):
            return "true" if value else "false"
        return "" if value is None else str(value)

    return read


def flag_at(*path: str) -> Callable[[Json], str]:
    """The boolean at a path: ``false`` when absent."""
    read = text_at(*path)
    return lambda obj: read(obj) or "false"


def counter_at(*path: str) -> Callable[[Json], str]:
    """The number at a path: ``0`` when absent."""
    read = text_at(*path)
    return lambda obj: read(obj) or "0"
