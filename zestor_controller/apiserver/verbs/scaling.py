"""GET, PUT and PATCH of the scale subresource: a write of the object with another number of replicas.

Source: kubernetes pkg/registry/apps/deployment/storage (ScaleREST), apiextensions-apiserver
pkg/registry/customresource/etcd.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zestor_controller.apiserver.patch import serversideapply
from zestor_controller.apiserver.patch.managedfields import FieldOwner
from zestor_controller.apiserver.request.body import patch_type
from zestor_controller.apiserver.request.options import WriteOptions, write_options
from zestor_controller.apiserver.request.patchbody import read_applied, read_patch
from zestor_controller.apiserver.rest.context import Call, Reply
from zestor_controller.apiserver.rest.status import not_found
from zestor_controller.apiserver.typed.typedef import Json
from zestor_controller.apiserver.verbs import scalefields
from zestor_controller.apiserver.verbs.scale import SCALE, paths_of, scale_of, with_replicas

if TYPE_CHECKING:
    from zestor_controller.apiserver.rest.resourceregistry import Registry
    from zestor_controller.apiserver.storage.revisionlog import Storage, Version
    from zestor_controller.apiserver.verbs.mutation import Writer
    from zestor_controller.apiserver.verbs.retrieval import Reader

__all__ = ["Scaler"]

APPLY = "application/apply-patch+yaml"


class Scaler:
    """The verbs of the scale subresource.

    Args:
        storage: where the objects are.
        reader: reads them in a version of their resource.
        writer: writes them.
        registry: the other versions of a resource.
    """

    def __init__(self, storage: Storage, reader: Reader, writer: Writer, registry: Registry) -> None:
        self._storage = storage
        self._reader = reader
        self._writer = writer
        self._registry = registry

    def handle(self, call: Call) -> Reply:
        """Read or write a Scale.

        Raises:
            Failure: 404, 400 or 422 for a Scale that cannot be read or is not valid, 409 for a conflict, and what a
                write of the object raises.
        """
        resource = call.resource
        present = self._storage.table(resource.storage).get(call.info.namespace, call.info.name)
        if present is None:
            raise not_found(resource.group, resource.plural, call.info.name)
        obj = self._reader.object(resource, present)
        if call.info.verb == "get":
            return Reply(200, scale_of(resource, obj), shaped=True)
        changed = self._update(call, present, obj) if call.info.verb == "update" else self._patch(call, present, obj)
        return Reply(200, scale_of(resource, changed), shaped=True)

    def _update(self, call: Call, present: Version, obj: Json) -> Json:
        options = write_options(call.query, "UpdateOptions", dry=call.values("dryRun"))
        scale = self._writer.read_scale(call, options)
        return self._write(call, present, obj, scale, options)

    def _patch(self, call: Call, present: Version, obj: Json) -> Json:
        kind = patch_type(call.request.headers.get("content-type"), call.resource.strategic)
        options = write_options(call.query, "PatchOptions", applying=kind == APPLY, dry=call.values("dryRun"))
        if kind == APPLY:
            return self._apply(call, present, obj, options)
        patch = read_patch(call.request.body, kind)
        scale = self._writer.patched(call, SCALE, patch, lambda: scale_of(call.resource, obj), options)
        return self._write(call, present, obj, scale, options)

    def _apply(self, call: Call, present: Version, obj: Json, options: WriteOptions) -> Json:
        resource, paths = call.resource, self._paths(call)
        live = scale_of(resource, obj)
        meta = obj["metadata"]
        entries: list[Any] = meta.get("managedFields") or []
        live["metadata"]["managedFields"] = scalefields.of_scale(entries, paths)
        scale = serversideapply.apply(
            live,
            read_applied(call.request.body, SCALE),
            SCALE.types(),
            FieldOwner(options.manager, SCALE.api_version, "scale", call.now),
            force=options.force,
        )
        scale, _ = SCALE.strategy.decode(scale, "Ignore", [])
        scaled = scale["metadata"].get("managedFields") or []
        meta["managedFields"] = scalefields.of_object(entries, scaled, paths, resource.api_version)
        return self._write(call, present, obj, scale, options, owned=True)

    def _write(
        self, call: Call, present: Version, obj: Json, scale: Json, options: WriteOptions, *, owned: bool = False
    ) -> Json:
        self._writer.place(call, scale["metadata"])
        with_replicas(call.resource, obj, scale)
        for precondition in ("uid", "resourceVersion"):
            if scale["metadata"].get(precondition):
                obj["metadata"][precondition] = scale["metadata"][precondition]
        return self._writer.changed(call, present, obj, options, owned=owned)

    def _paths(self, call: Call) -> dict[str, str]:
        """Where each served version of the resource has its replicas, by apiVersion."""
        versions = self._registry.by_plural(call.resource.group, call.resource.plural)
        return {other.api_version: paths_of(other)[0] for other in versions if "scale" in other.subresources}
