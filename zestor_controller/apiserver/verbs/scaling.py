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
from zestor_controller.apiserver.rest.resource import Reply, RequestContext
from zestor_controller.apiserver.rest.status import not_found
from zestor_controller.apiserver.rest.wireprofile import APPLY_PATCH
from zestor_controller.apiserver.typed.typedef import Json
from zestor_controller.apiserver.verbs import scalefields
from zestor_controller.apiserver.verbs.scale import SCALE, scale_of, with_replicas

if TYPE_CHECKING:
    from zestor_controller.apiserver.rest.resourceregistry import Registry
    from zestor_controller.apiserver.storage.revisionlog import Storage, Version
    from zestor_controller.apiserver.verbs.mutation import Writer
    from zestor_controller.apiserver.verbs.retrieval import Reader

__all__ = ["Scaler"]


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

    def handle(self, ctx: RequestContext) -> Reply:
        """Read or write a Scale.

        Raises:
            Failure: 404, 400 or 422 for a Scale that cannot be read or is not valid, 409 for a conflict, and what a
                write of the object raises.
        """
        resource = ctx.resource
        present = self._storage.table(resource.storage).get(ctx.info.namespace, ctx.info.name)
        if present is None:
            raise not_found(resource.group, resource.plural, ctx.info.name)
        obj = self._reader.object(resource, present)
        if ctx.info.verb == "get":
            return Reply(200, scale_of(resource, obj), converted=True)
        changed = self._update(ctx, present, obj) if ctx.info.verb == "update" else self._patch(ctx, present, obj)
        return Reply(200, scale_of(resource, changed), converted=True)

    def _update(self, ctx: RequestContext, present: Version, obj: Json) -> Json:
        options = write_options(ctx.info.query, "UpdateOptions", dry=ctx.values("dryRun"))
        scale = self._writer.read_scale(ctx, options)
        return self._write(ctx, present, obj, scale, options)

    def _patch(self, ctx: RequestContext, present: Version, obj: Json) -> Json:
        kind = patch_type(ctx.request.headers.get("content-type"), ctx.resource.wire)
        options = write_options(ctx.info.query, "PatchOptions", applying=kind == APPLY_PATCH, dry=ctx.values("dryRun"))
        if kind == APPLY_PATCH:
            return self._apply(ctx, present, obj, options)
        patch = read_patch(ctx.request.body, kind)
        scale = self._writer.patched(ctx, SCALE, patch, lambda: scale_of(ctx.resource, obj), options)
        return self._write(ctx, present, obj, scale, options)

    def _apply(self, ctx: RequestContext, present: Version, obj: Json, options: WriteOptions) -> Json:
        resource, paths = ctx.resource, self._paths(ctx)
        live = scale_of(resource, obj)
        meta = obj["metadata"]
        entries: list[Any] = meta.get("managedFields") or []
        live["metadata"]["managedFields"] = scalefields.of_scale(entries, paths)
        scale = serversideapply.apply(
            live,
            read_applied(ctx.request.body, SCALE),
            SCALE.types(),
            FieldOwner(options.manager, SCALE.api_version, "scale", ctx.now),
            force=options.force,
        )
        scale, _ = SCALE.strategy.decode(scale, "Ignore", [])
        scaled = scale["metadata"].get("managedFields") or []
        meta["managedFields"] = scalefields.of_object(entries, scaled, paths, resource.api_version)
        return self._write(ctx, present, obj, scale, options, owned=True)

    def _write(
        self,
        ctx: RequestContext,
        present: Version,
        obj: Json,
        scale: Json,
        options: WriteOptions,
        *,
        owned: bool = False,
    ) -> Json:
        self._writer.place(ctx, scale["metadata"])
        with_replicas(ctx.resource, obj, scale)
        for precondition in ("uid", "resourceVersion"):
            if scale["metadata"].get(precondition):
                obj["metadata"][precondition] = scale["metadata"][precondition]
        return self._writer.changed(ctx, present, obj, options, owned=owned)

    def _paths(self, ctx: RequestContext) -> dict[str, str]:
        """Where each served version of the resource has its replicas, by apiVersion."""
        versions = self._registry.by_plural(ctx.resource.group, ctx.resource.plural)
        return {
            other.api_version: other.scale_paths.spec_replicas for other in versions if "scale" in other.subresources
        }
