"""PersistentVolumeClaims: immutable, but that a volume may be bound and a bound claim may request more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zestor_controller.apiserver.builtin.pods.claimspec import check_claim_spec
from zestor_controller.apiserver.builtin.pods.poddefaults import default_claim_spec
from zestor_controller.apiserver.encoding.quantity import value_of
from zestor_controller.apiserver.encoding.typedstrategy import BuiltinStrategy
from zestor_controller.schema.fielderror import FieldError, forbidden

if TYPE_CHECKING:
    from zestor_controller.apiserver.rest.resource import Writing
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["ClaimStrategy"]


class ClaimStrategy(BuiltinStrategy):
    """PersistentVolumeClaims."""

    def default(self, obj: Json) -> None:
        """A file system."""
        if obj.get("spec") is not None:
            default_claim_spec(obj["spec"])
        if not (obj.get("status") or {}).get("phase"):
            obj.setdefault("status", {})["phase"] = "Pending"

    def prepare_create(self, obj: Json, writing: Writing) -> None:
        """Start as Pending, protected by the finalizer that admission adds."""
        super().prepare_create(obj, writing)
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
                words = "field can not be less than status.capacity"
                return [forbidden("spec.resources.requests.storage", words)]
            now["resources"] = was.get("resources")
        if "volumeAttributesClassName" in now or "volumeAttributesClassName" in was:
            now["volumeAttributesClassName"] = was.get("volumeAttributesClassName")
        if now != was:
            free = "resources.requests and volumeAttributesClassName for bound claims"
            return [forbidden("spec", f"spec is immutable after creation except {free}")]
        return []
