"""PodDisruptionBudgets."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from zestor_controller.apiserver.builtin.declaration import declare
from zestor_controller.apiserver.builtin.printcolumns import AGE, NAME, columns, value_at
from zestor_controller.apiserver.encoding.typedstrategy import BuiltinStrategy
from zestor_controller.apiserver.rest.resource import Resource
from zestor_controller.apiserver.validation.fieldchecks import check_percent_or_int, check_selector, shown_fields
from zestor_controller.schema.fielderror import FieldError, invalid, not_supported

if TYPE_CHECKING:
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["DisruptionBudgetStrategy", "resource"]


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


def resource() -> Resource:
    """The resource ``poddisruptionbudgets`` of ``policy/v1``."""
    return declare(
        "policy/v1",
        "PodDisruptionBudget",
        "poddisruptionbudgets",
        DisruptionBudgetStrategy,
        columns(
            "poddisruptionbudgets",
            NAME,
            ("Min Available", lambda obj, now: str(value_at("spec", "minAvailable", absent="N/A")(obj, now)), 0),
            ("Max Unavailable", lambda obj, now: str(value_at("spec", "maxUnavailable", absent="N/A")(obj, now)), 0),
            ("Allowed Disruptions", value_at("status", "disruptionsAllowed", absent=0), 0),
            AGE,
        ),
        short_names=("pdb",),
        subresources=("status",),
        allow_unconditional_update=False,
    )
