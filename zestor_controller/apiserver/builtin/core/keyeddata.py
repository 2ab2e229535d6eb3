"""Rules that ConfigMaps and Secrets share: how much they hold, and what ``immutable`` forbids."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zestor_controller.schema.fielderror import FieldError, forbidden

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["MAX_DATA", "check_frozen", "decoded_size"]

MAX_DATA = 1024 * 1024
_FROZEN = "field is immutable when `immutable` is set"


def check_frozen(new: Json, old: Json, fields: tuple[str, ...]) -> list[FieldError]:
    """Errors of fields that changed although the old object was ``immutable``."""
    if not old.get("immutable"):
        return []
    errors = [] if new.get("immutable") else [forbidden("immutable", _FROZEN)]
    return errors + [forbidden(name, _FROZEN) for name in fields if (new.get(name) or {}) != (old.get(name) or {})]


def decoded_size(values: Mapping[str, str | None]) -> int:
    """The size of base64 values in bytes, once they are decoded."""
    return sum(len(value) * 3 // 4 - value.count("=", -2) for value in values.values() if value)
