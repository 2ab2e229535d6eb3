"""PersistentVolumes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zestor_controller.apiserver.builtin.core.persistentvolumeclaim import access_modes_at, phase_cell
from zestor_controller.apiserver.builtin.declaration import declare
from zestor_controller.apiserver.builtin.pods.claimspec import check_access_modes
from zestor_controller.apiserver.builtin.printcolumns import AGE, NAME, UNSET, columns, value_at
from zestor_controller.apiserver.encoding.quantity import value_of
from zestor_controller.apiserver.encoding.typedstrategy import BuiltinStrategy
from zestor_controller.apiserver.rest.resource import Resource
from zestor_controller.schema.fielderror import FieldError, invalid, not_supported, required

if TYPE_CHECKING:
    from zestor_controller.apiserver.rest.strategy import WriteContext
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["VolumeStrategy", "resource"]


class VolumeStrategy(BuiltinStrategy):
    """PersistentVolumes."""

    def default(self, obj: Json) -> None:
        """A file system that is kept."""
        spec = obj.get("spec")
        if spec is not None:
            spec.setdefault("persistentVolumeReclaimPolicy", "Retain")
            spec.setdefault("volumeMode", "Filesystem")
            if "hostPath" in spec:
                spec["hostPath"].setdefault("type", "")
        if not (obj.get("status") or {}).get("phase"):
            obj.setdefault("status", {})["phase"] = "Pending"

    def reset_status(self, obj: Json) -> None:
        """Not available yet."""
        obj["status"] = {"phase": "Pending"}

    def prepare_for_create(self, ctx: WriteContext, obj: Json) -> None:
        """Start as Pending, protected by the finalizer that admission adds."""
        super().prepare_for_create(ctx, obj)
        finalizers = obj["metadata"].setdefault("finalizers", [])
        if "kubernetes.io/pv-protection" not in finalizers:
            finalizers.append("kubernetes.io/pv-protection")

    def validate(self, obj: Json) -> list[FieldError]:
        """Modes, a capacity and a policy."""
        spec = obj.get("spec") or {}
        errors = check_access_modes("spec.accessModes", spec)
        capacity = spec.get("capacity") or {}
        if not capacity:
            errors.append(required("spec.capacity"))
        elif set(capacity) != {"storage"}:
            errors.append(not_supported("spec.capacity", capacity, ["storage"]))
        elif value_of(capacity["storage"]) <= 0:
            errors.append(invalid("spec.capacity[storage]", capacity["storage"], "must be greater than zero"))
        policy, policies = spec.get("persistentVolumeReclaimPolicy"), ["Delete", "Recycle", "Retain"]
        if policy not in policies:
            errors.append(not_supported("spec.persistentVolumeReclaimPolicy", policy, policies))
        return errors


def _volume_claim(obj: Json, now: float) -> str:
    claim = (obj.get("spec") or {}).get("claimRef")
    return f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim else ""


def resource() -> Resource:
    """The resource ``persistentvolumes`` of ``v1``."""
    return declare(
        "v1",
        "PersistentVolume",
        "persistentvolumes",
        VolumeStrategy,
        columns(
            "persistentvolumes",
            NAME,
            ("Capacity", value_at("spec", "capacity", "storage"), 0),
            ("Access Modes", access_modes_at("spec"), 0),
            ("Reclaim Policy", value_at("spec", "persistentVolumeReclaimPolicy"), 0),
            ("Status", phase_cell, 0),
            ("Claim", _volume_claim, 0),
            ("StorageClass", value_at("spec", "storageClassName"), 0),
            ("VolumeAttributesClass", value_at("spec", "volumeAttributesClassName", absent=UNSET), 0),
            ("Reason", value_at("status", "reason"), 0),
            AGE,
            ("VolumeMode", value_at("spec", "volumeMode", absent=UNSET), 1),
        ),
        namespaced=False,
        short_names=("pv",),
        subresources=("status",),
        returns_deleted_object=True,
    )
