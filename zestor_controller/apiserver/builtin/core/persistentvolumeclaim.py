"""PersistentVolumeClaims: immutable, but that a volume may be bound and a bound claim may request more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zestor_controller.apiserver.builtin.declaration import declare
from zestor_controller.apiserver.builtin.pods.claimspec import check_claim_spec
from zestor_controller.apiserver.builtin.pods.poddefaults import default_claim_spec
from zestor_controller.apiserver.builtin.printcolumns import AGE, NAME, UNSET, Cell, columns, value_at
from zestor_controller.apiserver.encoding.quantity import value_of
from zestor_controller.apiserver.encoding.typedstrategy import BuiltinStrategy
from zestor_controller.apiserver.rest.resource import Resource
from zestor_controller.schema.fielderror import FieldError, forbidden

if TYPE_CHECKING:
    from zestor_controller.apiserver.rest.strategy import WriteContext
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["ClaimStrategy", "access_modes_at", "phase_cell", "resource"]


class ClaimStrategy(BuiltinStrategy):
    """PersistentVolumeClaims."""

    def default(self, obj: Json) -> None:
        """A file system."""
        if obj.get("spec") is not None:
            default_claim_spec(obj["spec"])
        if not (obj.get("status") or {}).get("phase"):
            obj.setdefault("status", {})["phase"] = "Pending"

    def prepare_for_create(self, ctx: WriteContext, obj: Json) -> None:
        """Start as Pending, protected by the finalizer that admission adds."""
        super().prepare_for_create(ctx, obj)
        finalizers = obj["metadata"].setdefault("finalizers", [])
        if "kubernetes.io/pvc-protection" not in finalizers:
            finalizers.append("kubernetes.io/pvc-protection")

    def reset_status(self, obj: Json) -> None:
        """Not bound yet."""
        obj["status"] = {"phase": "Pending"}

    def validate(self, obj: Json) -> list[FieldError]:
        """Modes, and a size."""
        return check_claim_spec("spec", obj.get("spec") or {})

    def validate_change(self, new: Json, old: Json) -> list[FieldError]:
        """Only the volume may be bound, and a bound claim may ask for more."""
        now, was = dict(new["spec"]), dict(old["spec"])
        if not was.get("volumeName"):
            now.pop("volumeName", None)
        was_size = ((was.get("resources") or {}).get("requests") or {}).get("storage", "0")
        now_size = ((now.get("resources") or {}).get("requests") or {}).get("storage", "0")
        if (old.get("status") or {}).get("phase") == "Bound":
            if value_of(now_size) < value_of(was_size):
                message = "field can not be less than status.capacity"
                return [forbidden("spec.resources.requests.storage", message)]
            now["resources"] = was.get("resources")
        if "volumeAttributesClassName" in now or "volumeAttributesClassName" in was:
            now["volumeAttributesClassName"] = was.get("volumeAttributesClassName")
        if now != was:
            free = "resources.requests and volumeAttributesClassName for bound claims"
            return [forbidden("spec", f"spec is immutable after creation except {free}")]
        return []


_SHORT_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}


def access_modes_at(part: str) -> Cell:
    """The access modes of a claim or a volume in their short forms; `part` is ``spec`` or ``status``."""

    def cell(obj: Json, now: float) -> str:
        modes = (obj.get(part) or {}).get("accessModes") or ()
        return ",".join(short for mode, short in _SHORT_MODES.items() if mode in modes)

    return cell


def phase_cell(obj: Json, now: float) -> str:
    """The phase of a claim or a volume, or that it is being deleted."""
    return "Terminating" if "deletionTimestamp" in obj["metadata"] else str((obj.get("status") or {}).get("phase", ""))


def _claim_capacity(obj: Json, now: float) -> str:
    status = obj.get("status") or {}
    return str((status.get("capacity") or {}).get("storage", "")) if (obj.get("spec") or {}).get("volumeName") else ""


def resource() -> Resource:
    """The resource ``persistentvolumeclaims`` of ``v1``."""
    return declare(
        "v1",
        "PersistentVolumeClaim",
        "persistentvolumeclaims",
        ClaimStrategy,
        columns(
            "persistentvolumeclaims",
            NAME,
            ("Status", phase_cell, 0),
            ("Volume", value_at("spec", "volumeName"), 0),
            ("Capacity", _claim_capacity, 0),
            (
                "Access Modes",
                lambda obj, now: (
                    access_modes_at("status")(obj, now) if (obj.get("spec") or {}).get("volumeName") else ""
                ),
                0,
            ),
            ("StorageClass", value_at("spec", "storageClassName"), 0),
            ("VolumeAttributesClass", value_at("spec", "volumeAttributesClassName", absent=UNSET), 0),
            AGE,
            ("VolumeMode", value_at("spec", "volumeMode", absent=UNSET), 1),
        ),
        short_names=("pvc",),
        subresources=("status",),
        returns_deleted_object=True,
    )
