"""CustomResourceDefinitions: the kind itself, and what becomes of each one.

Invariant: a resource is served exactly while its definition's names are accepted and it exists.

Source: apiextensions-apiserver pkg/controller/{establish,status,finalizer}, pkg/registry/customresourcedefinition.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from zestor_controller.apiserver import managedfields as managed
from zestor_controller.apiserver.builtin.strategy import BuiltinStrategy
from zestor_controller.apiserver.contract import Json, Resource, Subresource, Writing
from zestor_controller.apiserver.customresources import resources_of
from zestor_controller.apiserver.registry import Registry
from zestor_controller.apiserver.storage import DELETED, Change, Storage
from zestor_controller.apiserver.typedefs import builtin
from zestor_controller.schema.definition import validate_definition
from zestor_controller.schema.fielderror import FieldError

__all__ = ["DefinitionController", "definition_resource"]

GROUP: Final = "apiextensions.k8s.io"
MESSAGE: Final = "k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition"
STORAGE: Final = (GROUP, "customresourcedefinitions")
CLEANUP: Final = "customresourcecleanup.apiextensions.k8s.io"


class _Strategy(BuiltinStrategy):
    generation = True

    def default(self, obj: Json) -> None:
        spec = obj.setdefault("spec", {})
        names = spec.setdefault("names", {})
        kind = names.get("kind")
        if kind:
            names.setdefault("singular", kind.lower())
            names.setdefault("listKind", f"{kind}List")
        spec.setdefault("conversion", {"strategy": "None"})

    def prepare_create(self, obj: Json, writing: Writing) -> None:
        super().prepare_create(obj, writing)
        stored = [v["name"] for v in obj["spec"].get("versions") or () if v.get("storage")]
        obj["status"] = {"conditions": None, "acceptedNames": {"plural": "", "kind": ""}, "storedVersions": stored}
        finalizers = obj["metadata"].setdefault("finalizers", [])
        del finalizers

    def validate(self, obj: Json) -> list[FieldError]:
        return list(validate_definition(obj))


def definition_resource() -> Resource:
    """The kind CustomResourceDefinition."""
    return Resource(
        group=GROUP,
        version="v1",
        kind="CustomResourceDefinition",
        plural="customresourcedefinitions",
        singular="customresourcedefinition",
        namespaced=False,
        strategy=_Strategy("CustomResourceDefinition", "v1", MESSAGE),
        types=lambda: builtin(MESSAGE),
        short_names=("crd", "crds"),
        categories=("api-extensions",),
        subresources={
            "status": Subresource("status", "CustomResourceDefinition", GROUP, "v1", ("get", "patch", "update"))
        },
        generation=True,
        protobuf=MESSAGE,
    )


class DefinitionController:
    """Serves what definitions define.

    Args:
        storage: where they are.
        registry: where their resources are served.
        now: RFC 3339.
    """

    def __init__(self, storage: Storage, registry: Registry, now: Callable[[], str]) -> None:
        self._storage = storage
        self._registry = registry
        self._now = now
        self._served: dict[str, list[tuple[str, str, str]]] = {}
        storage.hooks.append(self._changed)

    def _changed(self, storage: tuple[str, str], change: Change) -> None:
        if storage != STORAGE:
            return
        name = change.version.obj["metadata"]["name"]
        if change.type == DELETED:
            self._serve(name, [])
            self._storage.drop((change.version.obj["spec"]["group"], change.version.obj["spec"]["names"]["plural"]))
            return
        asyncio.get_running_loop().call_soon(self._settle, name)

    def _settle(self, name: str) -> None:
        found = self._storage.table(STORAGE).get("", name)
        if found is None:
            return
        old, new = found.copy(), found.copy()
        if not (old.get("status") or {}).get("conditions"):
            moment = self._now()
            conditions = [
                ("NamesAccepted", "NoConflicts", "no conflicts found"),
                ("Established", "InitialNamesAccepted", "the initial names have been accepted"),
            ]
            new["status"] = {
                **(old.get("status") or {}),
                "acceptedNames": new["spec"]["names"],
                "conditions": [
                    {"type": t, "status": "True", "lastTransitionTime": moment, "reason": r, "message": m}
                    for t, r, m in conditions
                ],
            }
            new = managed.update(
                old,
                new,
                builtin(MESSAGE),
                manager="kube-apiserver",
                api_version=f"{GROUP}/v1",
                subresource="status",
                now=moment,
            )
            self._serve(name, resources_of(new))
            self._storage.write(STORAGE, "", name, new)
            return
        self._serve(name, resources_of(new))

    def _serve(self, name: str, resources: list[Resource]) -> None:
        keys = [(r.group, r.version, r.plural) for r in resources]
        for key in self._served.get(name, ()):
            if key not in keys:
                self._registry.remove(*key)
        for resource in resources:
            self._registry.add(resource)
        self._served[name] = keys
