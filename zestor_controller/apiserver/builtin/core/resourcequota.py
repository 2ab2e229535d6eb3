"""ResourceQuotas."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zestor_controller.apiserver.builtin.pods.podchecks import check_quantities
from zestor_controller.apiserver.encoding.typedstrategy import BuiltinStrategy

if TYPE_CHECKING:
    from zestor_controller.apiserver.typed.typedef import Json
    from zestor_controller.schema.fielderror import (
        FieldError,
    )

__all__ = ["QuotaStrategy"]


class QuotaStrategy(BuiltinStrategy):
    """ResourceQuotas."""

    def validate(self, obj: Json) -> list[FieldError]:
        """No negative amounts."""
        return check_quantities("spec.hard", (obj.get("spec") or {}).get("hard"))
