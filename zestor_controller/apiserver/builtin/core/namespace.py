"""Namespaces: the finalizer ``kubernetes`` holds them until their content is deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zestor_controller.apiserver.builtin.declaration import declare
from zestor_controller.apiserver.builtin.fieldgetter import text_at
from zestor_controller.apiserver.builtin.printcolumns import AGE, NAME, columns, value_at
from zestor_controller.apiserver.encoding.typedstrategy import BuiltinStrategy
from zestor_controller.apiserver.rest.resource import Resource, Subresource
from zestor_controller.apiserver.rest.strategy import SubresourceStrategy
from zestor_controller.apiserver.validation.fieldchecks import bad_name_label
from zestor_controller.schema.fielderror import FieldError, invalid

if TYPE_CHECKING:
    from zestor_controller.apiserver.rest.strategy import WriteContext
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["FinalizeStrategy", "NamespaceStrategy", "resource"]

_NAME_LABEL = "kubernetes.io/metadata.name"


class NamespaceStrategy(BuiltinStrategy):
    """Namespaces: the finalizer ``kubernetes`` holds them until their content is gone."""

    def default(self, obj: Json) -> None:
        """Label the namespace with its name."""
        name = obj["metadata"].get("name")
        if name:
            obj["metadata"].setdefault("labels", {})[_NAME_LABEL] = name

    def prepare_for_create(self, ctx: WriteContext, obj: Json) -> None:
        """Start as Active, held by the finalizer."""
        obj["status"] = {"phase": "Active"}
        spec = obj.setdefault("spec", {})
        finalizers = spec.get("finalizers") or []
        if "kubernetes" not in finalizers:
            spec["finalizers"] = [*finalizers, "kubernetes"]

    def prepare_for_update(self, ctx: WriteContext, new: Json, old: Json) -> None:
        """Spec and status have one subresource each: ``finalize`` and ``status``."""
        new["spec"] = old.get("spec", {})
        new["status"] = old.get("status", {})

    def prepare_status(self, new: Json, old: Json) -> None:
        """Keep the spec."""
        new["spec"] = old.get("spec", {})

    def validate_name(self, name: str) -> list[str]:
        """A label, for it is a part of DNS names."""
        return bad_name_label(name)

    def prepare_for_delete(self, ctx: WriteContext, obj: Json) -> bool:
        """Start to terminate; the namespace stays until it has been finalized."""
        obj["metadata"]["deletionTimestamp"] = ctx.now
        obj["status"] = {**(obj.get("status") or {}), "phase": "Terminating"}
        return False

    def should_delete(self, obj: Json) -> bool:
        """Its own finalizers are in the spec."""
        return not (obj.get("spec") or {}).get("finalizers")

    def validate_status(self, new: Json, old: Json) -> list[FieldError]:
        """Terminating and deletion go together."""
        phase = (new.get("status") or {}).get("phase", "")
        deleting = "deletionTimestamp" in new["metadata"]
        if deleting and phase != "Terminating":
            message = "may only be 'Terminating' if `deletionTimestamp` is not empty"
            return [invalid("status.Phase", phase, message)]
        if not deleting and phase != "Active":
            message = "may only be 'Active' if `deletionTimestamp` is empty"
            return [invalid("status.Phase", phase, message)]
        return []


class FinalizeStrategy(SubresourceStrategy):
    """``namespaces/finalize``: a write of the finalizers in the spec.

    Args:
        main: the strategy of namespaces.
    """

    def prepare_for_update(self, ctx: WriteContext, new: Json, old: Json) -> None:
        """Keep the status."""
        new["status"] = old.get("status", {})

    def reset_fields(self) -> tuple[tuple[str, ...], ...]:
        """The status has an endpoint of its own."""
        return self._main.reset_fields()


def _finalize(main: NamespaceStrategy) -> Subresource:
    return Subresource("finalize", "Namespace", "", "v1", ("update",), FinalizeStrategy(main))


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
        subresources=(_finalize, "status"),
        verbs=("create", "delete", "get", "list", "patch", "update", "watch"),
        selectable_fields={"status.phase": text_at("status", "phase")},
    )
