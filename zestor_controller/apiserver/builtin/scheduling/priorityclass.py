"""PriorityClasses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zestor_controller.apiserver.builtin.declaration import declare
from zestor_controller.apiserver.builtin.printcolumns import AGE, NAME, columns, value_at
from zestor_controller.apiserver.encoding.typedstrategy import BuiltinStrategy
from zestor_controller.apiserver.rest.resource import Resource
from zestor_controller.apiserver.validation.fieldchecks import check_immutable
from zestor_controller.schema.fielderror import FieldError, forbidden, not_supported

if TYPE_CHECKING:
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["PriorityClassStrategy", "resource"]

_MAX_USER_PRIORITY = 1_000_000_000


class PriorityClassStrategy(BuiltinStrategy):
    """PriorityClasses."""

    has_status = False
    generation = True

    def default(self, obj: Json) -> None:
        """Pods of the class preempt others."""
        obj.setdefault("preemptionPolicy", "PreemptLowerPriority")

    def counts_up(self, new: Json, old: Json) -> bool:
        """The generation stays: what counts never changes."""
        return False

    def validate(self, obj: Json) -> list[FieldError]:
        """Names and values that are the system's own are refused."""
        name, value = obj["metadata"].get("name", ""), obj.get("value", 0)
        errors: list[FieldError] = []
        if name.startswith("system-"):
            message = "priority class names with 'system-' prefix are reserved for system use only"
            errors.append(forbidden("metadata.name", message))
        elif value > _MAX_USER_PRIORITY:
            message = f"maximum allowed value of a user defined priority is {_MAX_USER_PRIORITY}"
            errors.append(forbidden("value", message))
        policy, policies = obj.get("preemptionPolicy"), ["Never", "PreemptLowerPriority"]
        if policy not in policies:
            errors.append(not_supported("preemptionPolicy", policy, policies))
        return errors

    def validate_change(self, new: Json, old: Json) -> list[FieldError]:
        """The value and the policy stay."""
        errors: list[FieldError] = []
        if new.get("value", 0) != old.get("value", 0):
            errors.append(forbidden("value", "may not be changed in an update."))
        return errors + check_immutable("preemptionPolicy", new.get("preemptionPolicy"), old.get("preemptionPolicy"))


def resource() -> Resource:
    """The resource ``priorityclasses`` of ``scheduling.k8s.io/v1``."""
    return declare(
        "scheduling.k8s.io/v1",
        "PriorityClass",
        "priorityclasses",
        PriorityClassStrategy,
        columns(
            "priorityclasses",
            NAME,
            ("Value", value_at("value", absent=0), 0),
            ("Global-Default", value_at("globalDefault", absent=False), 0),
            AGE,
            ("PreemptionPolicy", value_at("preemptionPolicy"), 0),
        ),
        namespaced=False,
        short_names=("pc",),
    )
