"""POST, PUT and PATCH: what a request proposes to store.

A create or update proposes its body, a patch the patched live object, an apply what server-side apply makes of both.
What becomes of a proposal is the business of :mod:`zestor_controller.apiserver.verbs.writepath`.

Invariant: nothing here writes.

Source: apiserver pkg/endpoints/handlers/{create,update,patch}.go.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from zestor_controller.apiserver.encoding.typedcodec import DecodeFailure
from zestor_controller.apiserver.patch import serversideapply
from zestor_controller.apiserver.patch.managedfields import FieldOwner
from zestor_controller.apiserver.request.body import decode_object, patch_type
from zestor_controller.apiserver.request.options import WriteOptions, write_options
from zestor_controller.apiserver.request.patchbody import Patch, read_applied, read_patch
from zestor_controller.apiserver.rest.resource import Reply, RequestContext, Resource
from zestor_controller.apiserver.rest.resourceregistry import ResourceRegistry
from zestor_controller.apiserver.rest.status import Failure, bad_request, conflict, invalid, not_found
from zestor_controller.apiserver.rest.wireprofile import APPLY_PATCH
from zestor_controller.apiserver.storage.revisionlog import Storage
from zestor_controller.apiserver.typed.fieldtable import empty_value
from zestor_controller.apiserver.typed.typedef import Json
from zestor_controller.apiserver.verbs.writepath import WritePath, place, required_version, reset_field_set
from zestor_controller.schema.fielderror import invalid as field_invalid

__all__ = ["Mutation"]


class Mutation:
    """The writing verbs of one server, but for DELETE.

    Args:
        storage: the present objects.
        path: takes what is proposed to the storage.
        registry: the other kinds that there are, for messages.
    """

    def __init__(self, storage: Storage, path: WritePath, registry: ResourceRegistry) -> None:
        self._storage = storage
        self._path = path
        self._registry = registry

    def create(self, ctx: RequestContext) -> Reply:
        """POST to a collection.

        Raises:
            Failure: 400, 413, 415 or 422 for a body that cannot be read or is invalid, and what the write path raises.
        """
        options = write_options(ctx, "CreateOptions")
        obj = self.read_body(ctx, ctx.resource, options)
        return Reply(201, _shown(ctx.resource, self._path.create(ctx, obj, options)))

    def create_object(self, ctx: RequestContext, body: Json) -> None:
        """Create an object that the server itself needs."""
        options = WriteOptions(False, "", "Ignore", False)
        self._path.create(ctx, self.decode(ctx, ctx.resource, body, options, ()), options)

    def update(self, ctx: RequestContext) -> Reply:
        """PUT of an object, or of a part of it.

        Raises:
            Failure: as for :meth:`create`; 404 for an object that does not exist, 409 for a conflict.
        """
        resource, info = ctx.resource, ctx.info
        options = write_options(ctx, "UpdateOptions")
        obj = self.read_body(ctx, resource, options)
        place(ctx, obj["metadata"])
        present = self._storage.table(resource.storage).get(info.namespace, info.name)
        if present is None:
            if resource.allow_create_on_update and not info.subresource:
                return Reply(201, _shown(resource, self._path.create(ctx, obj, options)))
            raise not_found(resource.group, resource.plural, info.name)
        if not resource.allow_unconditional_update and not required_version(obj["metadata"]):
            error = field_invalid("metadata.resourceVersion", 0, "must be specified for an update")
            raise invalid(resource.group, resource.plural, info.name, [error])
        return Reply(200, _shown(resource, self._path.update(ctx, present, obj, options)))

    def patch(self, ctx: RequestContext) -> Reply:
        """PATCH of any kind.

        Raises:
            Failure: as for :meth:`update`.
        """
        resource, info = ctx.resource, ctx.info
        kind = patch_type(ctx.request.headers.get("content-type"), resource.wire)
        applying = kind == APPLY_PATCH
        options = write_options(ctx, "PatchOptions", applying=applying)
        if applying:
            return self._apply(ctx, options)
        patch = read_patch(ctx.request.body, kind)
        present = self._storage.table(resource.storage).get(info.namespace, info.name)
        if present is None:
            raise not_found(resource.group, resource.plural, info.name)
        new = self.patched(ctx, resource, patch, lambda: resource.strategy.on_read(present.copy()), options)
        place(ctx, new["metadata"])
        return Reply(200, _shown(resource, self._path.update(ctx, present, new, options)))

    def _apply(self, ctx: RequestContext, options: WriteOptions) -> Reply:
        resource, info = ctx.resource, ctx.info
        applied = read_applied(ctx.request.body, resource)
        present = self._storage.table(resource.storage).get(info.namespace, info.name)
        if present is None and info.subresource:
            raise not_found(resource.group, resource.plural, info.name)
        live = resource.strategy.on_read(present.copy()) if present is not None else None
        new = serversideapply.apply(
            live,
            applied,
            resource.types(),
            FieldOwner(options.manager, resource.api_version, info.subresource, ctx.now),
            force=options.force,
            resets=reset_field_set(ctx.strategy.reset_fields()),
            empty=empty_value(resource.message) if resource.message else None,
        )
        if live is not None and new is live:
            return Reply(200, live)
        quiet = WriteOptions(options.dry_run, options.manager, "Ignore", options.force)
        new = self.decode(ctx, resource, json.loads(json.dumps(new)), quiet, ())
        if present is not None:
            place(ctx, new["metadata"])
            return Reply(200, _shown(resource, self._path.update(ctx, present, new, quiet, owned=True)))
        meta = new["metadata"]
        meta.setdefault("name", info.name)
        meta.pop("resourceVersion", None)
        if meta.get("uid"):
            why = f"uid mismatch: the provided object specified uid {meta['uid']}, and no existing object was found"
            raise conflict(resource.group, resource.plural, info.name, why)
        return Reply(201, _shown(resource, self._path.create(ctx, new, quiet, owned=True)))

    # Proposals

    def read_body(self, ctx: RequestContext, resource: Resource, options: WriteOptions) -> Json:
        """The object in the body of a request.

        Args:
            ctx: the request.
            resource: whose kind the object must be.
            options: of the request.

        Raises:
            Failure: 400, 413 or 415.
        """
        body = decode_object(ctx.request.headers.get("content-type"), ctx.request.body, resource.kind, resource.wire)
        return self.decode(ctx, resource, body.value, options, body.duplicates)

    def decode(
        self, ctx: RequestContext, resource: Resource, body: Json, options: WriteOptions, duplicates: Sequence[str]
    ) -> Json:
        """A decoded body as an object of a kind, its warnings noted.

        Raises:
            Failure: 400 for another kind or version, and for what the kind's strategy rejects.
        """
        version = body.get("apiVersion")
        if resource.wire.typed:
            why = self._type_mismatch(resource, body)
            if why:
                version = str(body.get("apiVersion") or resource.api_version).rpartition("/")[2]
                kind = body.get("kind") or resource.kind
                raise bad_request(f'{kind} in version "{version}" cannot be handled as a {resource.kind}: {why}')
            body = {**body, "apiVersion": resource.api_version, "kind": resource.kind}
        elif version != resource.api_version and ctx.info.verb != "patch":
            why = f"the API version in the data ({version or ''}) does not match the expected API version "
            raise bad_request(f"{why}({resource.api_version})")
        obj, warnings = resource.strategy.decode(body, options.validation, duplicates)
        ctx.warnings.extend(warnings)
        return obj

    def patched(
        self, ctx: RequestContext, resource: Resource, patch: Patch, live: Callable[[], Json], options: WriteOptions
    ) -> Json:
        """The patched document as an object of the kind.

        Args:
            ctx: the request.
            resource: whose kind it is.
            patch: the patch.
            live: makes a private copy of the live object.
            options: of the request.

        Raises:
            Failure: 400, 413 or 422.
        """
        new = patch.applied(live(), resource)
        typed = resource.wire.typed
        mismatch = typed and (new["apiVersion"] != resource.api_version or new["kind"] != resource.kind)
        why = self._type_mismatch(resource, new) if mismatch else ""
        if not why:
            try:
                obj, warnings = resource.strategy.decode(new, options.validation, patch.duplicates)
                ctx.warnings.extend(warnings)
                return obj
            except DecodeFailure as error:
                why = error.why
            except Failure as error:
                if error.code != 400:
                    raise
                why = error.body["message"].partition(": ")[2] or error.body["message"]
        # Decoding may have changed the document, which is shown as the patch left it: made anew, for failures only.
        before, again = live(), read_patch(ctx.request.body, patch.kind)
        raise again.failure(why, again.applied(before, resource), before, resource)

    # Internals

    def _type_mismatch(self, resource: Resource, body: Json) -> str:
        """Why a body that names another kind or version cannot be read as this kind; empty when it names this one."""
        version, kind = body.get("apiVersion") or resource.api_version, body.get("kind") or resource.kind
        if version == resource.api_version and kind == resource.kind:
            return ""
        group, _, number = version.rpartition("/")
        other = self._registry.by_kind(group, number, kind)
        if other is None or not other.wire.typed:
            return (
                f'no kind "{kind}" is registered for version "{version}" in scheme "pkg/api/legacyscheme/scheme.go:30"'
            )
        try:
            other.strategy.decode({**body}, "Ignore", [])
        except DecodeFailure as error:
            return error.why
        package = resource.group.partition(".")[0] or "core"
        return f"converting ({number}.{kind}) to ({package}.{resource.kind}): unknown conversion"


def _shown(resource: Resource, stored: Json) -> Json:
    """A stored object in the version of the request; what is stored is not changed."""
    if resource.wire.typed:
        return resource.strategy.on_read(stored)
    return resource.strategy.on_read(json.loads(json.dumps(stored)))
