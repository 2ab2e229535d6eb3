"""PodDisruptionBudget, PriorityClass and StorageClass."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from zestor_controller.apiserver.encoding.typedstrategy import BuiltinStrategy
from zestor_controller.apiserver.validation.fieldchecks import (
    check_immutable,
    check_percent_or_int,
    check_selector,
    shown_fields,
)
from zestor_controller.schema.fielderror import FieldError, forbidden, invalid, not_supported, required

if TYPE_CHECKING:
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["DisruptionBudgetStrategy", "PriorityClassStrategy", "StorageClassStrategy"]

_MAX_USER_PRIORITY = 1_000_000_000


class DisruptionBudgetStrategy(BuiltinStrategy):
    """PodDisruptionBudgets."""

    generation = True

    def validate(self, obj: Json) -> list[FieldError]:
        """One of the two bounds, and a selector."""
        spec = obj.get("spec") or {}
        errors: list[FieldError] = []
        bounds = [name for name in ("minAvailable", "maxUnavailable") if spec.get(name) is not None]
        if len(bounds) > 1:
            refused = invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set")
            shown = shown_fields(spec, "minAvailable", "selector", "maxUnavailable", "unhealthyPodEvictionPolicy")
            errors.append(replace(refused, shown=shown))
        for name in bounds:
            value = spec[name]
            errors += check_percent_or_int(f"spec.{name}", value)
            if isinstance(value, str) and value[:-1].isdigit() and int(value[:-1]) > 100:
                errors.append(invalid(f"spec.{name}", value, "must not be greater than 100%"))
        errors += check_selector("spec.selector", spec.get("selector"))
        policy, policies = spec.get("unhealthyPodEvictionPolicy"), ["AlwaysAllow", "IfHealthyBudget"]
        if policy is not None and policy not in policies:
            errors.append(not_supported("spec.unhealthyPodEvictionPolicy", policy, policies))
        return errors


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
            words = "priority class names with 'system-' prefix are reserved for system use only"
            errors.append(forbidden("metadata.name", words))
        elif value > _MAX_USER_PRIORITY:
            words = f"maximum allowed value of a user defined priority is {_MAX_USER_PRIORITY}"
            errors.append(forbidden("value", words))
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


class StorageClassStrategy(BuiltinStrategy):
    """StorageClasses."""

    has_status = False

    def default(self, obj: Json) -> None:
        """Volumes are deleted with their claim and bound at once."""
        obj.setdefault("reclaimPolicy", "Delete")
        obj.setdefault("volumeBindingMode", "Immediate")

    def validate(self, obj: Json) -> list[FieldError]:
        """The provisioner and the policies."""
        errors: list[FieldError] = []
        if not obj.get("provisioner"):
            errors.append(required("provisioner"))
        for name, allowed in (
            ("reclaimPolicy", ["Delete", "Retain"]),
            ("volumeBindingMode", ["Immediate", "WaitForFirstConsumer"]),
        ):
            if obj.get(name) not in allowed:
                errors.append(not_supported(name, obj.get(name), allowed))
        return errors

    def validate_change(self, new: Json, old: Json) -> list[FieldError]:
        """All but the metadata and the expansion stays."""
        errors = [
            forbidden(name, f"updates to {name} are forbidden.")
            for name in ("parameters", "provisioner", "reclaimPolicy")
            if new.get(name) != old.get(name)
        ]
        return errors + check_immutable("volumeBindingMode", new.get("volumeBindingMode"), old.get("volumeBindingMode"))
