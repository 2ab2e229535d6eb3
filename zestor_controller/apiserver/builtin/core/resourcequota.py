"""ResourceQuotas."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zestor_controller.apiserver.builtin.declaration import declare
from zestor_controller.apiserver.builtin.pods.podchecks import check_quantities
from zestor_controller.apiserver.builtin.printcolumns import AGE, NAME, Cell, columns
from zestor_controller.apiserver.encoding.typedstrategy import BuiltinStrategy
from zestor_controller.apiserver.rest.resource import Resource

if TYPE_CHECKING:
    from zestor_controller.apiserver.typed.typedef import Json
    from zestor_controller.schema.fielderror import (
        FieldError,
    )

__all__ = ["QuotaStrategy", "resource"]


class QuotaStrategy(BuiltinStrategy):
    """ResourceQuotas."""

    def validate(self, obj: Json) -> list[FieldError]:
        """No negative amounts."""
        return check_quantities("spec.hard", (obj.get("spec") or {}).get("hard"))


def _quota(prefix: str) -> Cell:
    def cell(obj: Json, now: float) -> str:
        status = obj.get("status") or {}
        hard, used = status.get("hard") or {}, status.get("used") or {}
        names = [name for name in sorted(hard) if name.startswith("limits.") == (prefix == "limits.")]
        return ", ".join(f"{name}: {used.get(name, '0')}/{hard[name]}" for name in names)

    return cell


def resource() -> Resource:
    """The resource ``resourcequotas`` of ``v1``."""
    return declare(
        "v1",
        "ResourceQuota",
        "resourcequotas",
        QuotaStrategy,
        columns("resourcequotas", NAME, ("Request", _quota(""), 0), ("Limit", _quota("limits."), 0), AGE),
        short_names=("quota",),
        subresources=("status",),
        returns_deleted_object=True,
    )
