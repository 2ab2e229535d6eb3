"""ControllerRevisions: immutable data, and a revision number that may change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zestor_controller.apiserver.encoding.typedstrategy import BuiltinStrategy
from zestor_controller.apiserver.validation.fieldchecks import check_immutable, check_not_negative
from zestor_controller.schema.fielderror import FieldError, required

if TYPE_CHECKING:
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["ControllerRevisionStrategy"]


class ControllerRevisionStrategy(BuiltinStrategy):
    """ControllerRevisions: data that never changes, and a revision number that may."""

    has_status = False

    def validate(self, obj: Json) -> list[FieldError]:
        """Data and a revision."""
        errors: list[FieldError] = []
        if obj.get("data") is None:
            errors.append(required("data", "data is mandatory"))
        revision = obj.get("revision", 0)
        return errors + check_not_negative("revision", revision)

    def validate_change(self, new: Json, old: Json) -> list[FieldError]:
        """The data stays."""
        return check_immutable("data", new.get("data"), old.get("data"))
