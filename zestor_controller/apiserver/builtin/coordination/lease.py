"""Leases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zestor_controller.apiserver.builtin.declaration import declare
from zestor_controller.apiserver.builtin.printcolumns import AGE, NAME, columns, value_at
from zestor_controller.apiserver.encoding.typedstrategy import BuiltinStrategy
from zestor_controller.apiserver.rest.resource import Resource
from zestor_controller.apiserver.validation.fieldchecks import check_not_negative
from zestor_controller.schema.fielderror import FieldError, invalid

if TYPE_CHECKING:
    from zestor_controller.apiserver.rest.strategy import WriteContext
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["LeaseStrategy", "resource"]

# Fields of coordinated leader election, which this server does not offer: they are dropped, as the server with that
# feature off does.
_COORDINATED = ("strategy", "preferredHolder")


class LeaseStrategy(BuiltinStrategy):
    """Leases."""

    has_status = False

    def prepare_for_create(self, ctx: WriteContext, obj: Json) -> None:
        """Drop what belongs to a feature that is off."""
        for name in _COORDINATED:
            (obj.get("spec") or {}).pop(name, None)

    def prepare_for_update(self, ctx: WriteContext, new: Json, old: Json) -> None:
        """Drop what belongs to a feature that is off."""
        self.prepare_for_create(ctx, new)

    def validate(self, obj: Json) -> list[FieldError]:
        """A duration is positive; a Lease that was released has an empty holder."""
        spec = obj.get("spec") or {}
        errors: list[FieldError] = []
        duration = spec.get("leaseDurationSeconds")
        if duration is not None and duration <= 0:
            errors.append(invalid("spec.leaseDurationSeconds", duration, "must be greater than 0"))
        return errors + check_not_negative("spec.leaseTransitions", spec.get("leaseTransitions"))


def resource() -> Resource:
    """The resource ``leases`` of ``coordination.k8s.io/v1``."""
    return declare(
        "coordination.k8s.io/v1",
        "Lease",
        "leases",
        LeaseStrategy,
        columns("leases", NAME, ("Holder", value_at("spec", "holderIdentity"), 0), AGE),
        allow_unconditional_update=False,
        allow_create_on_update=True,
    )
