"""StorageClasses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zestor_controller.apiserver.builtin.declaration import declare
from zestor_controller.apiserver.builtin.printcolumns import AGE, NAME, columns, value_at
from zestor_controller.apiserver.encoding.typedstrategy import BuiltinStrategy
from zestor_controller.apiserver.rest.resource import Resource
from zestor_controller.apiserver.validation.fieldchecks import check_immutable
from zestor_controller.schema.fielderror import FieldError, forbidden, not_supported, required

if TYPE_CHECKING:
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["StorageClassStrategy", "resource"]


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


def resource() -> Resource:
    """The resource ``storageclasses`` of ``storage.k8s.io/v1``."""
    return declare(
        "storage.k8s.io/v1",
        "StorageClass",
        "storageclasses",
        StorageClassStrategy,
        columns(
            "storageclasses",
            NAME,
            ("Provisioner", value_at("provisioner"), 0),
            ("ReclaimPolicy", value_at("reclaimPolicy"), 0),
            ("VolumeBindingMode", value_at("volumeBindingMode"), 0),
            ("AllowVolumeExpansion", value_at("allowVolumeExpansion", absent=False), 0),
            AGE,
        ),
        namespaced=False,
        short_names=("sc",),
    )
