"""Nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zestor_controller.apiserver.builtin.declaration import declare
from zestor_controller.apiserver.builtin.fieldgetter import flag_at
from zestor_controller.apiserver.builtin.printcolumns import AGE, NAME, NONE, Cell, columns, condition_status, value_at
from zestor_controller.apiserver.encoding.quantity import canonical
from zestor_controller.apiserver.encoding.typedstrategy import BuiltinStrategy
from zestor_controller.apiserver.rest.resource import Resource
from zestor_controller.apiserver.validation.fieldchecks import check_label_name
from zestor_controller.schema.fielderror import FieldError, duplicate, not_supported, required

if TYPE_CHECKING:
    from zestor_controller.apiserver.rest.strategy import WriteContext
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["NodeStrategy", "resource"]


class NodeStrategy(BuiltinStrategy):
    """Nodes."""

    def default(self, obj: Json) -> None:
        """Everything that a node has is allocatable unless its status lists it."""
        status = obj.get("status")
        if status and "capacity" in status and "allocatable" not in status:
            status["allocatable"] = {name: canonical(amount) for name, amount in status["capacity"].items()}

    def prepare_for_create(self, ctx: WriteContext, obj: Json) -> None:
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


def _node_status(obj: Json, now: float) -> str:
    ready = condition_status(obj, "Ready")
    state = {"True": "Ready", "": "Unknown"}.get(ready, "NotReady")
    return state + (",SchedulingDisabled" if (obj.get("spec") or {}).get("unschedulable") else "")


def _node_roles(obj: Json, now: float) -> str:
    prefix = "node-role.kubernetes.io/"
    labels = obj["metadata"].get("labels") or {}
    return ",".join(sorted(name.removeprefix(prefix) for name in labels if name.startswith(prefix))) or NONE


def _node_address(kind: str) -> Cell:
    def cell(obj: Json, now: float) -> str:
        addresses = (obj.get("status") or {}).get("addresses", ())
        return next((each.get("address", "") for each in addresses if each.get("type") == kind), NONE)

    return cell


def resource() -> Resource:
    """The resource ``nodes`` of ``v1``."""
    return declare(
        "v1",
        "Node",
        "nodes",
        NodeStrategy,
        columns(
            "nodes",
            NAME,
            ("Status", _node_status, 0),
            ("Roles", _node_roles, 0),
            AGE,
            ("Version", value_at("status", "nodeInfo", "kubeletVersion"), 0),
            ("Internal-IP", _node_address("InternalIP"), 1),
            ("External-IP", _node_address("ExternalIP"), 1),
            ("OS-Image", value_at("status", "nodeInfo", "osImage", absent="<unknown>"), 1),
            ("Kernel-Version", value_at("status", "nodeInfo", "kernelVersion", absent="<unknown>"), 1),
            ("Container-Runtime", value_at("status", "nodeInfo", "containerRuntimeVersion", absent="<unknown>"), 1),
        ),
        namespaced=False,
        short_names=("no",),
        subresources=("status",),
        selectable_fields={"spec.unschedulable": flag_at("spec", "unschedulable")},
    )
