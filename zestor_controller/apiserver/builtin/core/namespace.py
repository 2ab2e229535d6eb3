"""Namespaces: the finalizer ``kubernetes`` holds them until their content is deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zestor_controller.apiserver.builtin.declaration import declare
from zestor_controller.apiserver.builtin.fieldgetter import text_at
from zestor_controller.apiserver.builtin.printcolumns import AGE, NAME, columns, value_at
from zestor_controller.apiserver.encoding.typedstrategy import BuiltinStrategy
from zestor_controller.apiserver.rest.resource import Resource, Subresource
from zestor_controller.schema.fielderror import FieldError, invalid

if TYPE_CHECKING:
    from zestor_controller.apiserver.rest.resource import Writing
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["NamespaceStrategy", "resource"]

_NAME_LABEL = "kubernetes.io/metadata.name"


class NamespaceStrategy(BuiltinStrategy):
    """Namespaces: the finalizer ``kubernetes`` holds them until their content is gone."""

    def default(self, obj: Json) -> None:
        """Label the namespace with its name."""
        name = obj["metadata"].get("name")
        if name:
            obj["metadata"].setdefault("labels", {})[_NAME_LABEL] = name

    def prepare_create(self, obj: Json, writing: Writing) -> None:
        """Start as Active, held by the finalizer."""
        obj["status"] = {"phase": "Active"}
        spec = obj.setdefault("spec", {})
        finalizers = spec.get("finalizers") or []
        if "kubernetes" not in finalizers:
            spec["finalizers"] = [*finalizers, "kubernetes"]

    def prepare_update(self, new: Json, old: Json, writing: Writing) -> None:
        """Spec and status have one subresource each: ``finalize`` and ``status``."""
        if writing.subresource != "finalize":
            new["spec"] = old.get("spec", {})
        if writing.subresource != "status":
            new["status"] = old.get("status", {})

    def validate_status(self, new: Json, old: Json) -> list[FieldError]:
        """Terminating and deletion go together."""
        phase = (new.get("status") or {}).get("phase", "")
        deleting = "deletionTimestamp" in new["metadata"]
        if deleting and phase != "Terminating":
            words = "may only be 'Terminating' if `deletionTimestamp` is not empty"
            return [invalid("status.Phase", phase, words)]
        if not deleting and phase != "Active":
            words = "may only be 'Active' if `deletionTimestamp` is empty"
            return [invalid("status.Phase", phase, words)]
        return []


_FINALIZE = Subresource("finalize", "Namespace", "", "v1", ("update",))


def resource() -> Resource:
    """The resource ``namespaces`` of ``v1``."""
    return declare(
        "v1",
        "Namespace",
        "namespaces",
        NamespaceStrategy,
        columns("namespaces", NAME, ("Status", value_at("status", "phase"), 0), AGE),
        namespaced=False,
        short_names=("ns",),
        subresources=(_FINALIZE, "status"),
        verbs=("create", "delete", "get", "list", "patch", "update", "watch"),
        selectable={"status.phase": text_at("status", "phase")},
        name_rule="label",
    )
