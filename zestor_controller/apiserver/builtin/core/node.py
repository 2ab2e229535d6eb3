"""Nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zestor_controller.apiserver.encoding.quantity import canonical
from zestor_controller.apiserver.encoding.typedstrategy import BuiltinStrategy
from zestor_controller.apiserver.validation.fieldchecks import check_label_name
from zestor_controller.schema.fielderror import FieldError, duplicate, not_supported, required

if TYPE_CHECKING:
    from zestor_controller.apiserver.rest.resource import Writing
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["NodeStrategy"]


class NodeStrategy(BuiltinStrategy):
    """Nodes."""

    def default(self, obj: Json) -> None:
        """Everything that a node has is allocatable unless told otherwise."""
        status = obj.get("status")
        if status and "capacity" in status and "allocatable" not in status:
            status["allocatable"] = {name: canonical(amount) for name, amount in status["capacity"].items()}

    def prepare_create(self, obj: Json, writing: Writing) -> None:
        """A kubelet registers itself with its status, so the status stays."""

    def validate(self, obj: Json) -> list[FieldError]:
        """Taints."""
        errors: list[FieldError] = []
        seen: set[tuple[str, str]] = set()
        effects = ["NoSchedule", "PreferNoSchedule", "NoExecute"]
        for index, taint in enumerate((obj.get("spec") or {}).get("taints", ())):
            where = f"spec.taints[{index}]"
            errors += check_label_name(f"{where}.key", taint.get("key", ""))
            effect = taint.get("effect", "")
            if not effect:
                errors.append(required(f"{where}.effect"))
            elif effect not in effects:
                errors.append(not_supported(f"{where}.effect", effect, effects))
            if (taint.get("key", ""), effect) in seen:
                errors.append(duplicate(where, taint))
            seen.add((taint.get("key", ""), effect))
        return errors
