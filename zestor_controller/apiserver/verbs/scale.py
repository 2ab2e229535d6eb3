"""The scale subresource: the requested and the present number of replicas of an object, whatever its kind.

Invariant: a write of a Scale is a write of its object, through the write path.

Source: kubernetes pkg/registry/apps/deployment/storage (ScaleREST), apiextensions-apiserver
pkg/registry/customresource/etcd.go.
"""

from __future__ import annotations

from typing import Any, Final

from zestor_controller.apiserver.patch import serversideapply
from zestor_controller.apiserver.patch.managedfields import FieldOwner
from zestor_controller.apiserver.request.body import decode_object, patch_type
from zestor_controller.apiserver.request.options import WriteOptions, write_options
from zestor_controller.apiserver.request.patchbody import read_applied, read_patch
from zestor_controller.apiserver.rest.resource import Reply, RequestContext, Resource
from zestor_controller.apiserver.rest.resourceregistry import ResourceRegistry
from zestor_controller.apiserver.rest.status import bad_request, internal, invalid, not_found
from zestor_controller.apiserver.rest.wireprofile import APPLY_PATCH
from zestor_controller.apiserver.storage.revisionlog import Storage, Version
from zestor_controller.apiserver.typed.typedef import Json
from zestor_controller.apiserver.validation import scalepaths
from zestor_controller.apiserver.verbs import scalefields
from zestor_controller.apiserver.verbs.mutation import Mutation
from zestor_controller.apiserver.verbs.writepath import WritePath, place
from zestor_controller.schema.fielderror import invalid as wrong

__all__ = ["ScaleVerbs"]

_SCHEME: Final = "k8s.io/apiextensions-apiserver/pkg/apiserver/customresource_handler.go:781"


class ScaleVerbs:
    """GET, PUT and PATCH of the scale subresource: a write of the object with another number of replicas.

    Args:
        storage: where the objects are.
        mutation: reads what is proposed.
        path: takes it to the storage.
        registry: the other versions of a resource.
        kind: the kind Scale, as bodies and patches of the subresource are read.
    """

    def __init__(
        self, storage: Storage, mutation: Mutation, path: WritePath, registry: ResourceRegistry, kind: Resource
    ) -> None:
        self._storage = storage
        self._mutation = mutation
        self._path = path
        self._registry = registry
        self._kind = kind

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
        obj = resource.strategy.on_read(present.copy())
        if ctx.info.verb == "get":
            return Reply(200, _scale_of(self._kind, resource, obj), converted=True)
        changed = self._update(ctx, present, obj) if ctx.info.verb == "update" else self._patch(ctx, present, obj)
        return Reply(200, _scale_of(self._kind, resource, changed), converted=True)

    def _update(self, ctx: RequestContext, present: Version, obj: Json) -> Json:
        options = write_options(ctx, "UpdateOptions")
        body = decode_object(
            ctx.request.headers.get("content-type"), ctx.request.body, self._kind.kind, self._kind.wire
        )
        version = body.value.get("apiVersion")
        if not ctx.resource.wire.typed and version not in (None, "", self._kind.api_version):
            raise bad_request(f'no kind is registered for the type {version}.{self._kind.kind} in scheme "{_SCHEME}"')
        scale = self._mutation.decode(ctx, self._kind, body.value, options, body.duplicates)
        return self._write(ctx, present, obj, scale, options)

    def _patch(self, ctx: RequestContext, present: Version, obj: Json) -> Json:
        media = patch_type(ctx.request.headers.get("content-type"), ctx.resource.wire)
        options = write_options(ctx, "PatchOptions", applying=media == APPLY_PATCH)
        if media == APPLY_PATCH:
            return self._apply(ctx, present, obj, options)
        patch = read_patch(ctx.request.body, media)
        scale = self._mutation.patched(
            ctx, self._kind, patch, lambda: _scale_of(self._kind, ctx.resource, obj), options
        )
        return self._write(ctx, present, obj, scale, options)

    def _apply(self, ctx: RequestContext, present: Version, obj: Json, options: WriteOptions) -> Json:
        resource, paths = ctx.resource, self._paths(ctx)
        live = _scale_of(self._kind, resource, obj)
        meta = obj["metadata"]
        entries: list[Any] = meta.get("managedFields") or []
        live["metadata"]["managedFields"] = scalefields.of_scale(entries, paths)
        scale = serversideapply.apply(
            live,
            read_applied(ctx.request.body, self._kind),
            self._kind.types(),
            FieldOwner(options.manager, self._kind.api_version, "scale", ctx.now),
            force=options.force,
        )
        scale, _ = self._kind.strategy.decode(scale, "Ignore", [])
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
        place(ctx, scale["metadata"])
        _set_replicas(self._kind, ctx.resource, obj, scale)
        for precondition in ("uid", "resourceVersion"):
            if scale["metadata"].get(precondition):
                obj["metadata"][precondition] = scale["metadata"][precondition]
        return self._path.update(ctx, present, obj, options, owned=owned)

    def _paths(self, ctx: RequestContext) -> dict[str, str]:
        """Where each served version of the resource has its replicas, by apiVersion."""
        versions = self._registry.by_plural(ctx.resource.group, ctx.resource.plural)
        return {
            other.api_version: other.scale_paths.spec_replicas for other in versions if "scale" in other.subresources
        }


def _get(obj: Json, path: str, kind: type, expected: str) -> Any:
    """The value at a path; None if it is absent.

    Raises:
        Failure: 500 for a value of the wrong type, as the real server has it.
    """
    try:
        return scalepaths.find(obj, path, kind, expected)
    except ValueError as error:
        raise internal(str(error)) from None


def _scale_of(kind: Resource, resource: Resource, obj: Json) -> Json:
    """The Scale of an object.

    Raises:
        Failure: 500 for a custom object that says no number, as the real server has it.
    """
    paths, typed = resource.scale_paths, resource.wire.typed
    meta = obj["metadata"]
    shown = {
        key: meta[key] for key in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp") if key in meta
    }
    status: Json = {"replicas": _get(obj, paths.status_replicas, int, "int64") or 0}
    text = _selector_text(obj) if typed else ""
    if paths.label_selector:
        text = _get(obj, paths.label_selector, str, "string")
    if text:
        status["selector"] = text
    replicas = _get(obj, paths.spec_replicas, int, "int64")
    if replicas is None and not typed:
        raise internal(f'the spec replicas field "{paths.spec_replicas}" does not exist')
    spec: Json = {"replicas": replicas} if replicas else {}
    return {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": shown, "spec": spec, "status": status}


def _selector_text(obj: Json) -> str:
    labels = ((obj.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def _set_replicas(kind: Resource, resource: Resource, obj: Json, scale: Json) -> None:
    """Set the requested number of an object from a Scale, in place.

    Raises:
        Failure: 422 for a number below zero, 500 for an object that has a value of another type on the way to it.
    """
    replicas = (scale.get("spec") or {}).get("replicas", 0)
    name, path = obj["metadata"]["name"], resource.scale_paths.spec_replicas
    if replicas < 0:
        if not resource.wire.typed:
            raise invalid(
                resource.group, resource.kind, name, [wrong(path, replicas, "should be a non-negative integer")]
            )
        error = wrong("spec.replicas", replicas, "must be greater than or equal to 0")
        raise invalid(kind.group, kind.kind, name, [error])
    parts = path.removeprefix(".").split(".")
    here: Any = obj
    for part in parts[:-1]:
        here = here.setdefault(part, {})
        if not isinstance(here, dict):
            raise internal(f"value cannot be set because {path} is not a map[string]interface{{}}")
    here[parts[-1]] = replicas
