"""CustomResourceDefinitions: the strategy of the kind, and its Resource.

What becomes of a definition once it is stored (its names, its resources, its end) is the business of
:mod:`zestor_controller.apiserver.crds.crdcontroller`.

Source: ``k8s.io/apiextensions-apiserver/pkg/registry/customresourcedefinition``.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from zestor_controller.apiserver.crds.crdcondition import set_condition
from zestor_controller.apiserver.encoding.typedstrategy import BuiltinStrategy, StatusStrategy
from zestor_controller.apiserver.rest.resource import Column, Resource, Subresource
from zestor_controller.apiserver.rest.strategy import WriteContext
from zestor_controller.apiserver.typed.fieldtable import builtin
from zestor_controller.apiserver.typed.typedef import Json, TypeDef
from zestor_controller.schema.celrules import RuleEngine
from zestor_controller.schema.definition import (
    definition_formats,
    definition_has_rules,
    set_definition_defaults,
    validate_definition,
    validate_definition_update,
)
from zestor_controller.schema.fielderror import FieldError, forbidden

__all__ = ["CLEANUP", "GROUP", "MESSAGE", "PLURAL", "DefinitionStrategy", "definition_resource", "definition_types"]

GROUP: Final = "apiextensions.k8s.io"
PLURAL: Final = "customresourcedefinitions"
CLEANUP: Final = "customresourcecleanup.apiextensions.k8s.io"
KIND: Final = "CustomResourceDefinition"
_PACKAGE: Final = "k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.v1"
MESSAGE: Final = f"{_PACKAGE}.{KIND}"
_READ_WRITE: Final = ("get", "patch", "update")
_VERBS: Final = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
_UNEVALUATED: Final = "x-kubernetes-validations are not evaluated by this server"
_NAME: Final = (
    "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a "
    "client to request the generation of an appropriate name automatically. Name is primarily intended for creation "
    "idempotence and configuration definition. Cannot be updated. More info: "
    "https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names"
)
_CREATED: Final = (
    "CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed "
    "to be set in happens-before order across separate operations. Clients may not set this value. It is represented "
    "in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: "
    "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata"
)


class DefinitionStrategy(BuiltinStrategy):
    """How definitions are read and written.

    Args:
        rules: the CEL engine; None: ``x-kubernetes-validations`` are accepted unread, and the client is warned.
    """

    generation = True

    def __init__(self, rules: RuleEngine | None = None) -> None:
        super().__init__(KIND, "v1", MESSAGE)
        self._rules = rules

    def default(self, obj: Json) -> None:
        """Set the names that may be left out, and the conversion."""
        set_definition_defaults(obj)

    def prepare_for_create(self, ctx: WriteContext, obj: Json) -> None:
        """Start with an empty status, but for the version that objects will be stored in."""
        super().prepare_for_create(ctx, obj)
        _note_storage(obj)
        ctx.warnings.extend(f'unrecognized format "{form}"' for form in definition_formats(obj))
        self._warn_about_rules(obj, ctx)

    def prepare_for_update(self, ctx: WriteContext, new: Json, old: Json) -> None:
        """Keep the status, but for the version that objects will be stored in."""
        super().prepare_for_update(ctx, new, old)
        new["status"] = {**(new.get("status") or {})}
        _note_storage(new)
        known = set(definition_formats(old))
        ctx.warnings.extend(f'unrecognized format "{form}"' for form in definition_formats(new) if form not in known)
        self._warn_about_rules(new, ctx)

    def validate_finalizers(self, finalizers: Sequence[str]) -> list[FieldError]:
        """The apiextensions server has no rules of its own."""
        return []

    def prepare_for_delete(self, ctx: WriteContext, obj: Json) -> bool:
        """Mark the definition: the controller removes it when its objects have been deleted."""
        metadata = obj["metadata"]
        metadata["deletionTimestamp"] = ctx.now
        finalizers = metadata.get("finalizers") or []
        metadata["finalizers"] = finalizers if CLEANUP in finalizers else [*finalizers, CLEANUP]
        message = "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon"
        set_condition(obj, ctx.now, "Terminating", True, "InstanceDeletionPending", message)
        return True

    def _warn_about_rules(self, obj: Json, ctx: WriteContext) -> None:
        if self._rules is None and definition_has_rules(obj):
            ctx.warnings.append(_UNEVALUATED)

    def validate_create(self, ctx: WriteContext, obj: Json) -> list[FieldError]:
        """The rules of definitions; conversion webhooks are refused where they would be needed."""
        return validate_definition(obj, self._rules) or _check_conversion(obj)

    def validate_update(self, ctx: WriteContext, new: Json, old: Json) -> list[FieldError]:
        """The rules of definitions, immutable fields included."""
        return validate_definition_update(new, old, self._rules) or _check_conversion(new)


def _note_storage(obj: Json) -> None:
    """Remember the version that objects are stored in from now on."""
    status = obj["status"]
    for version in obj["spec"].get("versions") or ():
        if version.get("storage"):
            stored = status.get("storedVersions") or []
            if version.get("name") not in stored:
                status["storedVersions"] = [*stored, version.get("name")]
            return


def _check_conversion(obj: Json) -> list[FieldError]:
    spec = obj["spec"]
    if spec["conversion"].get("strategy") == "Webhook" and len(spec["versions"]) > 1:
        why = "this server calls no conversion webhooks; keep one version, or use the strategy None"
        return [forbidden("spec.conversion.strategy", why)]
    return []


@functools.cache
def definition_types() -> TypeDef:
    """The shape of a definition: that of its field tables, with conditions told apart by their type."""
    fields = dict(_fields(builtin(MESSAGE)))
    status = dict(_fields(fields["status"]))
    status["conditions"] = replace(status["conditions"], topology="map", keys=("type",))
    fields["status"] = replace(fields["status"], fields=lambda: status)
    return TypeDef("struct", fields=lambda: fields)


def _fields(typedef: TypeDef) -> Mapping[str, TypeDef]:
    return typedef.fields() if typedef.fields is not None else {}


def definition_resource(rules: RuleEngine | None = None) -> Resource:
    """The Resource of definitions.

    Args:
        rules: the CEL engine; None: ``x-kubernetes-validations`` hold nothing back.
    """
    strategy = DefinitionStrategy(rules)
    return Resource(
        group=GROUP,
        version="v1",
        kind=KIND,
        plural=PLURAL,
        singular="customresourcedefinition",
        namespaced=False,
        strategy=strategy,
        types=definition_types,
        verbs=_VERBS,
        list_kind=f"{KIND}List",
        short_names=("crd", "crds"),
        categories=("api-extensions",),
        subresources={"status": Subresource("status", KIND, GROUP, "v1", _READ_WRITE, StatusStrategy(strategy))},
        columns=(
            Column("Name", "string", "name", _NAME, 0, lambda obj, now: obj["metadata"].get("name", "")),
            Column("Created At", "date", "", _CREATED, 0, lambda obj, now: obj["metadata"].get("creationTimestamp")),
        ),
        allow_unconditional_update=False,
        message=MESSAGE,
    )
