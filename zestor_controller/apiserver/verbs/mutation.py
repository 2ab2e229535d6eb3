"""POST, PUT and PATCH: decode, default, own, prepare, validate, store.

Invariant: every write goes through :meth:`Writer._commit`, so none skips a check; a write that changes nothing is not
written; a dry run does all but the last step.

Source: apiserver pkg/registry/generic/registry/store.go, pkg/endpoints/handlers/{create,update,patch}.go.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any, Final

from zestor_controller.apiserver.admission.namespacelifecycle import NamespaceGuard
from zestor_controller.apiserver.admission.rbacescalation import EscalationGuard
from zestor_controller.apiserver.encoding.typedcodec import DecodeFailure
from zestor_controller.apiserver.patch import managedfields as managed
from zestor_controller.apiserver.patch import serversideapply
from zestor_controller.apiserver.patch.managedfields import FieldOwner
from zestor_controller.apiserver.request.body import decode_object, patch_type
from zestor_controller.apiserver.request.options import WriteOptions, write_options
from zestor_controller.apiserver.request.patchbody import Patch, read_applied, read_patch
from zestor_controller.apiserver.rest.resource import Reply, RequestContext, Resource
from zestor_controller.apiserver.rest.resourceregistry import Registry
from zestor_controller.apiserver.rest.status import (
    Failure,
    already_exists,
    bad_request,
    conflict,
    invalid,
    not_found,
    status_body,
)
from zestor_controller.apiserver.rest.strategy import Strategy, WriteContext
from zestor_controller.apiserver.storage.revisionlog import Storage, Version
from zestor_controller.apiserver.syntax.depthlimit import TOO_DEEP, too_deep
from zestor_controller.apiserver.syntax.gonumber import parse_uint
from zestor_controller.apiserver.typed.fieldset import FieldSet
from zestor_controller.apiserver.typed.fieldtable import empty_value
from zestor_controller.apiserver.typed.typedef import Json
from zestor_controller.apiserver.validation import objectmeta as metadata
from zestor_controller.apiserver.verbs.scale import SCALE
from zestor_controller.schema.fielderror import FieldError
from zestor_controller.schema.fielderror import invalid as wrong

__all__ = ["Writer"]

MODIFIED: Final = "the object has been modified; please apply your changes to the latest version and try again"
DUPLICATE_OWNERS: Final = (
    ".metadata.ownerReferences contains duplicate entries{when}; API server dedups owner references in 1.20+, and may "
    "reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: {uids}"
)


class Writer:
    """The writing verbs of one server.

    Args:
        storage: what is written.
        rng: uids and generated names.
        guard: whether a namespace takes new objects.
        registry: the other kinds that there are.
        grants: whether a user may grant what a role or a binding grants.
    """

    def __init__(
        self,
        storage: Storage,
        rng: random.Random,
        guard: NamespaceGuard,
        registry: Registry,
        grants: EscalationGuard,
    ) -> None:
        self._storage = storage
        self._grants = grants
        self._registry = registry
        self._rng = rng
        self._guard = guard

    # Create

    def create(self, ctx: RequestContext) -> Reply:
        """POST to a collection."""
        resource = ctx.resource
        options = write_options(ctx.info.query, "CreateOptions", dry=ctx.values("dryRun"))
        body = decode_object(ctx.request.headers.get("content-type"), ctx.request.body, resource.kind, resource.wire)
        obj = self._decoded(ctx, resource, body.value, options, body.duplicates)
        obj = self._created(ctx, obj, options, owned=False)
        return Reply(201, self._read(resource, obj))

    def _created(self, ctx: RequestContext, obj: Json, options: WriteOptions, *, owned: bool) -> Json:
        resource = ctx.resource
        meta = self._meta(obj)
        self.place(ctx, meta)
        namespace = meta.get("namespace", "")
        if not meta.get("name") and meta.get("generateName"):
            meta["name"] = metadata.generate_name(meta["generateName"], self._rng)
        if resource.namespaced:
            self._guard.admit(namespace, resource, str(meta.get("name", "")))
        for field in ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"):
            meta.pop(field, None)
        meta["uid"] = metadata.new_uid(self._rng)
        meta["creationTimestamp"] = ctx.now
        self._fold_owners(ctx, meta)
        write = self._write_context(ctx, options)
        resource.strategy.default(obj)
        if not owned:
            obj = managed.update(
                None,
                obj,
                resource.types(),
                FieldOwner(options.manager or ctx.manager, resource.api_version, "", ctx.now),
                resets=_resets(resource.strategy),
                empty=empty_value(resource.message) if resource.message else None,
            )
        resource.strategy.prepare_for_create(write, obj)
        self._grants.admit(ctx, obj, None)
        errors = metadata.validate_new(obj, resource.strategy)
        errors += resource.strategy.validate_create(write, obj)
        name = str(obj["metadata"].get("name", ""))
        if errors:
            raise self._invalid(resource, obj, name, errors)
        _check_depth(obj)
        if not options.dry_run and _is_version(meta.get("resourceVersion") or "0"):
            raise Failure(status_body(500, "resourceVersion should not be set on objects to be created"))
        present = self._storage.table(resource.storage).get(namespace, name)
        if present is not None:
            failure = already_exists(resource.group, resource.plural, name)
            if present.obj["metadata"].get("deletionTimestamp"):
                failure.body["message"] = "object is being deleted: " + failure.body["message"]
            raise failure
        stored = resource.strategy.on_store(obj)
        if options.dry_run:
            return stored
        return self._storage.write(resource.storage, namespace, name, stored).obj

    def create_object(self, ctx: RequestContext, body: Json) -> Json:
        """Create an object that the server itself wants."""
        obj = self._decoded(ctx, ctx.resource, body, WriteOptions(False, "", "Ignore", False), [])
        return self._created(ctx, obj, WriteOptions(False, "", "Ignore", False), owned=False)

    # Scale

    def read_scale(self, ctx: RequestContext, options: WriteOptions) -> Json:
        """The Scale in the body of a PUT."""
        body = decode_object(ctx.request.headers.get("content-type"), ctx.request.body, "Scale")
        version = body.value.get("apiVersion")
        if not ctx.resource.wire.typed and version not in (None, "", SCALE.api_version):
            scheme = "k8s.io/apiextensions-apiserver/pkg/apiserver/customresource_handler.go:781"
            raise bad_request(f'no kind is registered for the type {version}.Scale in scheme "{scheme}"')
        return self._decoded(ctx, SCALE, body.value, options, body.duplicates)

    # Update

    def update(self, ctx: RequestContext) -> Reply:
        """PUT of an object, or of its status."""
        resource = ctx.resource
        options = write_options(ctx.info.query, "UpdateOptions", dry=ctx.values("dryRun"))
        body = decode_object(ctx.request.headers.get("content-type"), ctx.request.body, resource.kind, resource.wire)
        obj = self._decoded(ctx, resource, body.value, options, body.duplicates)
        meta = self._meta(obj)
        self.place(ctx, meta)
        present = self._storage.table(resource.storage).get(ctx.info.namespace, ctx.info.name)
        if present is None:
            if resource.allow_create_on_update and not ctx.info.subresource:
                made = self._created(ctx, obj, options, owned=False)
                return Reply(201, self._read(resource, made))
            raise not_found(resource.group, resource.plural, ctx.info.name)
        if not _wanted_version(meta) and not resource.allow_unconditional_update:
            error = wrong("metadata.resourceVersion", 0, "must be specified for an update")
            raise invalid(resource.group, resource.plural, ctx.info.name, [error])
        changed = self.changed(ctx, present, obj, options)
        return Reply(200, self._read(resource, changed))

    def changed(
        self, ctx: RequestContext, present: Version, new: Json, options: WriteOptions, *, owned: bool = False
    ) -> Json:
        """Commit a changed object over the present one; answers what is stored then."""
        resource = ctx.resource
        old = present.copy()
        meta, before = self._meta(new), old["metadata"]
        version = _wanted_version(meta)
        uid = meta.get("uid")
        if uid and uid != before["uid"] and not owned and ctx.info.verb == "update":
            told = (
                f"StorageError: invalid object, Code: 4, Key: /registry/{self._path(resource)}/{present.key}, "
                "ResourceVersion: 0, AdditionalErrorMsg: "
                f"Precondition failed: UID in precondition: {uid}, UID in object meta: {before['uid']}"
            )
            raise conflict(resource.group, resource.plural, ctx.info.name, told)
        if version and version != int(before["resourceVersion"]):
            raise conflict(resource.group, resource.plural, ctx.info.name, MODIFIED)
        meta.pop("selfLink", None)
        self._fold_owners(ctx, meta)
        for field in ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"):
            if field in before and (field not in meta or meta[field] is None or field == "creationTimestamp"):
                meta[field] = before[field]
        if "generation" in before:
            meta["generation"] = before["generation"]
        elif "generation" in meta:
            del meta["generation"]
        write = self._write_context(ctx, options)
        live = resource.strategy.on_read(present.copy())
        resource.strategy.default(new)
        if not owned:
            # What the server itself sets below is nobody's.
            now = "" if ctx.info.subresource == "scale" else ctx.now  # entries of a Scale carry no time
            new = managed.update(
                live,
                new,
                resource.types(),
                FieldOwner(options.manager or ctx.manager, resource.api_version, ctx.info.subresource, now),
                resets=_resets(ctx.strategy),
            )
        ctx.strategy.prepare_for_update(write, new, live)
        self._grants.admit(ctx, new, live)
        new["metadata"]["resourceVersion"] = before["resourceVersion"]
        # The registry checks the metadata, and so does each strategy: a complaint is a cause twice.
        errors = metadata.validate_update(new, live) * 2
        errors += metadata.validate_finalizers(new, ctx.strategy)
        errors += ctx.strategy.validate_update(write, new, live)
        if errors:
            raise self._invalid(resource, new, ctx.info.name, errors)
        _check_depth(new)
        stored = resource.strategy.on_store(new)
        return self._commit(resource, ctx, stored, old, options)

    def _commit(self, resource: Resource, ctx: RequestContext, stored: Json, old: Json, options: WriteOptions) -> Json:
        meta = stored["metadata"]
        if options.dry_run or _same(stored, old):
            return stored if options.dry_run else old
        namespace, name = ctx.info.namespace, ctx.info.name
        finished = not meta.get("finalizers") and resource.strategy.should_delete(stored)
        if meta.get("deletionTimestamp") and finished and not meta.get("deletionGracePeriodSeconds"):
            # The answer has the change and the version before it; the event has the deletion's version, and no change.
            self._storage.delete(resource.storage, namespace, name)
            return stored
        return self._storage.write(resource.storage, namespace, name, stored).obj

    # Patch

    def patch(self, ctx: RequestContext) -> Reply:
        """PATCH of any kind."""
        resource = ctx.resource
        kind = patch_type(ctx.request.headers.get("content-type"), resource.wire)
        applying = kind == "application/apply-patch+yaml"
        options = write_options(ctx.info.query, "PatchOptions", applying=applying, dry=ctx.values("dryRun"))
        if applying:
            return self._apply(ctx, options)
        patch = read_patch(ctx.request.body, kind)
        present = self._storage.table(resource.storage).get(ctx.info.namespace, ctx.info.name)
        if present is None:
            raise not_found(resource.group, resource.plural, ctx.info.name)
        new = self.patched(ctx, resource, patch, lambda: resource.strategy.on_read(present.copy()), options)
        self.place(ctx, self._meta(new))
        changed = self.changed(ctx, present, new, options)
        return Reply(200, self._read(resource, changed))

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
        why = "" if not resource.wire.typed else self._stranger(resource, new)
        if not why:
            try:
                obj, warnings = resource.strategy.decode(new, options.validation, patch.duplicates)
                ctx.warnings += warnings
                return obj
            except DecodeFailure as error:
                why = error.why
            except Failure as error:
                if error.code != 400:
                    raise
                why = error.body["message"].partition(": ")[2] or error.body["message"]
        # Decoding may have changed the document, which is shown as the patch left it: made anew, for failures alone.
        before, again = live(), read_patch(ctx.request.body, patch.kind)
        raise again.failure(why, again.applied(before, resource), before, resource)

    def _apply(self, ctx: RequestContext, options: WriteOptions) -> Reply:
        resource = ctx.resource
        applied = read_applied(ctx.request.body, resource)
        present = self._storage.table(resource.storage).get(ctx.info.namespace, ctx.info.name)
        if present is None and ctx.info.subresource:
            raise not_found(resource.group, resource.plural, ctx.info.name)
        live = resource.strategy.on_read(present.copy()) if present is not None else None
        new = serversideapply.apply(
            live,
            applied,
            resource.types(),
            FieldOwner(options.manager, resource.api_version, ctx.info.subresource, ctx.now),
            force=options.force,
            resets=_resets(ctx.strategy),
            empty=empty_value(resource.message) if resource.message else None,
        )
        if live is not None and present is not None and new is live:
            return Reply(200, live)
        quiet = WriteOptions(options.dry_run, options.manager, "Ignore", options.force)
        new = self._decoded(ctx, resource, json.loads(json.dumps(new)), quiet, [])
        if present is None:
            meta = self._meta(new)
            meta.setdefault("name", ctx.info.name)
            meta.pop("resourceVersion", None)
            if meta.get("uid"):
                twice = [wrong("metadata.uid", meta["uid"], "field is immutable")] * 2
                raise self._invalid(resource, new, ctx.info.name, twice)
            made = self._created(ctx, new, quiet, owned=True)
            return Reply(201, self._read(resource, made))
        self.place(ctx, self._meta(new))
        changed = self.changed(ctx, present, new, quiet, owned=True)
        return Reply(200, self._read(resource, changed))

    # Inside

    def _decoded(
        self, ctx: RequestContext, resource: Resource, body: Json, options: WriteOptions, duplicates: list[str]
    ) -> Json:
        version, kind = body.get("apiVersion"), body.get("kind")
        if resource.wire.typed:
            told = self._stranger(resource, body)
            if told:
                version = str(body.get("apiVersion") or resource.api_version).rpartition("/")[2]
                kind = body.get("kind") or resource.kind
                raise bad_request(f'{kind} in version "{version}" cannot be handled as a {resource.kind}: {told}')
            body = {**body, "apiVersion": resource.api_version, "kind": resource.kind}
        elif version != resource.api_version and ctx.info.verb != "patch":
            told = f"the API version in the data ({version or ''}) does not match the expected API version "
            raise bad_request(f"{told}({resource.api_version})")
        obj, warnings = resource.strategy.decode(body, options.validation, duplicates)
        ctx.warnings += warnings
        return obj

    def _stranger(self, resource: Resource, body: Json) -> str:
        """Why a body that names another kind or version cannot be read as this kind; empty when it names this one."""
        version, kind = body.get("apiVersion") or resource.api_version, body.get("kind") or resource.kind
        if (version, kind) == (resource.api_version, resource.kind):
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

    def _path(self, resource: Resource) -> str:
        """Where the real server would keep the resource's objects."""
        return resource.plural if resource.wire.typed else f"{resource.group}/{resource.plural}"

    def _meta(self, obj: Json) -> Json:
        meta = obj.get("metadata")
        if not isinstance(meta, dict):
            meta = obj["metadata"] = {}
        return meta

    def place(self, ctx: RequestContext, meta: Json) -> None:
        """Hold name and namespace of a body against the path's."""
        info = ctx.info
        if info.single and ctx.info.verb != "create":
            name = meta.get("name")
            if not name:
                why = f"the name of the object ({info.name} based on URL) was undeterminable: name must be provided"
                raise bad_request(why)
            if name != info.name:
                raise bad_request(f"the name of the object ({name}) does not match the name on the URL ({info.name})")
        namespace = meta.get("namespace")
        if ctx.resource.namespaced:
            if namespace and namespace != info.namespace:
                told = "the namespace of the provided object does not match the namespace sent on the request"
                raise bad_request(told)
            meta["namespace"] = info.namespace
        elif namespace:
            meta.pop("namespace")

    def _fold_owners(self, ctx: RequestContext, meta: Json) -> None:
        """Fold owner references that occur twice, with a warning."""
        twice = metadata.fold_owners(meta)
        if twice:
            when = " after mutating admission happens" if ctx.info.verb == "patch" else ""
            ctx.warnings.append(DUPLICATE_OWNERS.format(when=when, uids=", ".join(twice)))

    def _write_context(self, ctx: RequestContext, options: WriteOptions) -> WriteContext:
        return WriteContext(ctx.user, options.dry_run, ctx.now, self._storage.lookup, ctx.warnings)

    def _read(self, resource: Resource, obj: Json) -> Json:
        if resource.wire.typed:
            return resource.strategy.on_read(obj)
        return resource.strategy.on_read(json.loads(json.dumps(obj)))

    def _invalid(self, resource: Resource, obj: Json, name: str, errors: list[FieldError]) -> Failure:
        return invalid(*resource.group_kind(obj), name, errors)


def _is_version(text: str) -> bool:
    """Whether a text is a resourceVersion of some object: a number other than 0."""
    try:
        return parse_uint(text) != 0
    except ValueError:
        return False


def _wanted_version(meta: Json) -> int:
    """The resourceVersion that an update asks for; 0 for any.

    Raises:
        Failure: 500 for one that is no number, as the real server has it; 400 for one that is out of range.
    """
    text = meta.get("resourceVersion") or "0"
    try:
        return parse_uint(text)
    except ValueError as error:
        raise bad_request(str(error)) if text.isdecimal() else Failure(status_body(500, str(error))) from None


def _check_depth(obj: Json) -> None:
    """Reject an object that is nested too deeply to be stored; managedFields count.

    Raises:
        Failure: 400.
    """
    if too_deep(obj):
        raise bad_request(f"the object {TOO_DEEP}")


def _same(new: Json, old: Json) -> bool:
    """Whether a write would change nothing; the times of managers alone are no change."""
    if new == old:
        return True
    return _without_times(new) == _without_times(old)


def _without_times(obj: Json) -> Json:
    meta = obj["metadata"]
    entries = [{k: v for k, v in entry.items() if k != "time"} for entry in meta.get("managedFields") or ()]
    return {**obj, "metadata": {**meta, "managedFields": entries}}


def _resets(strategy: Strategy) -> FieldSet:
    """The fields that an endpoint sets back, as a set."""
    found: FieldSet = {}
    for path in strategy.reset_fields():
        here = found
        for name in path[:-1]:
            here = here.setdefault(f"f:{name}", {})
        here[f"f:{path[-1]}"] = _Everything()
    return found


class _Everything(dict[str, Any]):
    """A set that holds every path below its root."""

    def __contains__(self, key: object) -> bool:
        return True

    def __getitem__(self, key: str) -> Any:
        return self

    def __bool__(self) -> bool:
        return True
