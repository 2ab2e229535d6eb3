"""Rules of a rolling update, which Deployments and DaemonSets share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zestor_controller.apiserver.validation.fieldchecks import check_percent_or_int
from zestor_controller.schema.fielderror import FieldError, invalid

if TYPE_CHECKING:
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["check_rolling_update"]


def check_rolling_update(field: str, rolling: Json) -> list[FieldError]:
    """Errors of the numbers of a rolling update."""
    unavailable, surge = rolling.get("maxUnavailable", 0), rolling.get("maxSurge", 0)
    errors = check_percent_or_int(f"{field}.maxUnavailable", unavailable)
    errors += check_percent_or_int(f"{field}.maxSurge", surge)
    if _is_zero(unavailable) and _is_zero(surge):
        errors.append(invalid(f"{field}.maxUnavailable", unavailable, "may not be 0 when `maxSurge` is 0"))
    errors += _not_over_hundred(f"{field}.maxUnavailable", unavailable)
    return errors


def _is_zero(value: Any) -> bool:
    return value in (0, "0%")


def _not_over_hundred(field: str, value: Any) -> list[FieldError]:
    if isinstance(value, str) and value.endswith("%") and value[:-1].isdigit() and int(value[:-1]) > 100:
        return [invalid(field, value, "must not be greater than 100%")]
    return []
