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
from zestor_controller.apiserver.rest.context import Call, Reply
from zestor_controller.apiserver.rest.resource import Resource, Writing
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

    def create(self, call: Call) -> Reply:
        """POST to a collection."""
        resource = call.resource
        options = write_options(call.query, "CreateOptions", dry=call.values("dryRun"))
        body = decode_object(
            call.request.headers.get("content-type"), call.request.body, resource.kind, custom=resource.custom
        )
        obj = self._decoded(call, resource, body.value, options, body.duplicates)
        obj = self._created(call, obj, options, owned=False)
        return Reply(201, self._read(resource, obj))

    def _created(self, call: Call, obj: Json, options: WriteOptions, *, owned: bool) -> Json:
        resource = call.resource
        meta = self._meta(obj)
        self.place(call, meta)
        namespace = meta.get("namespace", "")
        if not meta.get("name") and meta.get("generateName"):
            meta["name"] = metadata.generate_name(meta["generateName"], self._rng)
        if resource.namespaced:
            self._guard.admit(namespace, resource, str(meta.get("name", "")))
        for field in ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"):
            meta.pop(field, None)
        meta["uid"] = metadata.new_uid(self._rng)
        meta["creationTimestamp"] = call.now
        if resource.storage == ("", "namespaces"):
            self._guard.prepare(obj)
        self._fold_owners(call, meta)
        writing = self._writing(call, options)
        resource.strategy.default(obj)
        if not owned:
            obj = managed.update(
                None,
                obj,
                resource.types(),
                FieldOwner(options.manager or call.manager, resource.api_version, "", call.now),
                resets=_resets(resource, ""),
                empty=empty_value(resource.protobuf) if resource.protobuf else None,
            )
        resource.strategy.prepare_create(obj, writing)
        self._grants.admit(call, obj, None)
        errors = metadata.validate_new(obj, resource) + metadata.bare_finalizers(obj, resource)
        errors += resource.strategy.validate_create(obj, writing)
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

    def create_object(self, call: Call, body: Json) -> Json:
        """Create an object that the server itself wants."""
        obj = self._decoded(call, call.resource, body, WriteOptions(False, "", "Ignore", False), [])
        return self._created(call, obj, WriteOptions(False, "", "Ignore", False), owned=False)

    # Scale

    def read_scale(self, call: Call, options: WriteOptions) -> Json:
        """The Scale in the body of a PUT."""
        body = decode_object(call.request.headers.get("content-type"), call.request.body, "Scale", custom=False)
        version = body.value.get("apiVersion")
        if call.resource.custom and version not in (None, "", SCALE.api_version):
            scheme = "k8s.io/apiextensions-apiserver/pkg/apiserver/customresource_handler.go:781"
            raise bad_request(f'no kind is registered for the type {version}.Scale in scheme "{scheme}"')
        return self._decoded(call, SCALE, body.value, options, body.duplicates)

    # Update

    def update(self, call: Call) -> Reply:
        """PUT of an object, or of its status."""
        resource = call.resource
        options = write_options(call.query, "UpdateOptions", dry=call.values("dryRun"))
        body = decode_object(
            call.request.headers.get("content-type"), call.request.body, resource.kind, custom=resource.custom
        )
        obj = self._decoded(call, resource, body.value, options, body.duplicates)
        meta = self._meta(obj)
        self.place(call, meta)
        present = self._storage.table(resource.storage).get(call.info.namespace, call.info.name)
        if present is None:
            if resource.create_on_update and not call.info.subresource:
                made = self._created(call, obj, options, owned=False)
                return Reply(201, self._read(resource, made))
            raise not_found(resource.group, resource.plural, call.info.name)
        if not _wanted_version(meta) and not resource.unconditional_update:
            error = wrong("metadata.resourceVersion", 0, "must be specified for an update")
            raise invalid(resource.group, resource.plural, call.info.name, [error])
        changed = self.changed(call, present, obj, options)
        return Reply(200, self._read(resource, changed))

    def changed(self, call: Call, present: Version, new: Json, options: WriteOptions, *, owned: bool = False) -> Json:
        """Commit a changed object over the present one; answers what is stored then."""
        resource = call.resource
        old = present.copy()
        meta, before = self._meta(new), old["metadata"]
        version = _wanted_version(meta)
        uid = meta.get("uid")
        if uid and uid != before["uid"] and not owned and call.info.verb == "update":
            told = (
                f"StorageError: invalid object, Code: 4, Key: /registry/{self._path(resource)}/{present.key}, "
                "ResourceVersion: 0, AdditionalErrorMsg: "
                f"Precondition failed: UID in precondition: {uid}, UID in object meta: {before['uid']}"
            )
            raise conflict(resource.group, resource.plural, call.info.name, told)
        if version and version != int(before["resourceVersion"]):
            raise conflict(resource.group, resource.plural, call.info.name, MODIFIED)
        meta.pop("selfLink", None)
        self._fold_owners(call, meta)
        for field in ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"):
            if field in before and (field not in meta or meta[field] is None or field == "creationTimestamp"):
                meta[field] = before[field]
        if "generation" in before:
            meta["generation"] = before["generation"]
        elif "generation" in meta:
            del meta["generation"]
        writing = self._writing(call, options)
        live = resource.strategy.on_read(present.copy())
        resource.strategy.default(new)
        if not owned:
            # What the server itself sets below is nobody's.
            now = "" if call.info.subresource == "scale" else call.now  # entries of a Scale carry no time
            new = managed.update(
                live,
                new,
                resource.types(),
                FieldOwner(options.manager or call.manager, resource.api_version, call.info.subresource, now),
                resets=_resets(resource, call.info.subresource),
            )
        resource.strategy.prepare_update(new, live, writing)
        self._grants.admit(call, new, live)
        new["metadata"]["resourceVersion"] = before["resourceVersion"]
        # The registry checks the metadata, and so does each strategy: a complaint is a cause twice.
        errors = metadata.validate_update(new, live) * 2 + metadata.bare_finalizers(new, resource)
        errors += resource.strategy.validate_update(new, live, writing)
        if errors:
            raise self._invalid(resource, new, call.info.name, errors)
        _check_depth(new)
        stored = resource.strategy.on_store(new)
        return self._commit(resource, call, stored, old, options)

    def _commit(self, resource: Resource, call: Call, stored: Json, old: Json, options: WriteOptions) -> Json:
        meta = stored["metadata"]
        if options.dry_run or _same(stored, old):
            return stored if options.dry_run else old
        namespace, name = call.info.namespace, call.info.name
        finished = not meta.get("finalizers") and not (
            resource.storage == ("", "namespaces") and (stored.get("spec") or {}).get("finalizers")
        )
        if meta.get("deletionTimestamp") and finished and not meta.get("deletionGracePeriodSeconds"):
            # The answer has the change and the version before it; the event has the deletion's version, and no change.
            self._storage.delete(resource.storage, namespace, name)
            return stored
        return self._storage.write(resource.storage, namespace, name, stored).obj

    # Patch

    def patch(self, call: Call) -> Reply:
        """PATCH of any kind."""
        resource = call.resource
        kind = patch_type(call.request.headers.get("content-type"), resource.strategic)
        applying = kind == "application/apply-patch+yaml"
        options = write_options(call.query, "PatchOptions", applying=applying, dry=call.values("dryRun"))
        if applying:
            return self._apply(call, options)
        patch = read_patch(call.request.body, kind)
        present = self._storage.table(resource.storage).get(call.info.namespace, call.info.name)
        if present is None:
            raise not_found(resource.group, resource.plural, call.info.name)
        new = self.patched(call, resource, patch, lambda: resource.strategy.on_read(present.copy()), options)
        self.place(call, self._meta(new))
        changed = self.changed(call, present, new, options)
        return Reply(200, self._read(resource, changed))

    def patched(
        self, call: Call, resource: Resource, patch: Patch, live: Callable[[], Json], options: WriteOptions
    ) -> Json:
        """The patched document as an object of the kind.

        Args:
            call: the request.
            resource: whose kind it is.
            patch: the patch.
            live: makes a private copy of the live object.
            options: of the request.

        Raises:
            Failure: 400, 413 or 422.
        """
        new = patch.applied(live(), resource)
        why = "" if resource.custom else self._stranger(resource, new)
        if not why:
            try:
                obj, warnings = resource.strategy.decode(new, options.validation, patch.duplicates)
                call.warnings += warnings
                return obj
            except DecodeFailure as error:
                why = error.why
            except Failure as error:
                if error.code != 400:
                    raise
                why = error.body["message"].partition(": ")[2] or error.body["message"]
        # Decoding may have changed the document, which is shown as the patch left it: made anew, for failures alone.
        before, again = live(), read_patch(call.request.body, patch.kind)
        raise again.failure(why, again.applied(before, resource), before, resource)

    def _apply(self, call: Call, options: WriteOptions) -> Reply:
        resource = call.resource
        applied = read_applied(call.request.body, resource)
        present = self._storage.table(resource.storage).get(call.info.namespace, call.info.name)
        if present is None and call.info.subresource:
            raise not_found(resource.group, resource.plural, call.info.name)
        live = resource.strategy.on_read(present.copy()) if present is not None else None
        new = serversideapply.apply(
            live,
            applied,
            resource.types(),
            FieldOwner(options.manager, resource.api_version, call.info.subresource, call.now),
            force=options.force,
            resets=_resets(resource, call.info.subresource),
            empty=empty_value(resource.protobuf) if resource.protobuf else None,
        )
        if live is not None and present is not None and new is live:
            return Reply(200, live)
        quiet = WriteOptions(options.dry_run, options.manager, "Ignore", options.force)
        new = self._decoded(call, resource, json.loads(json.dumps(new)), quiet, [])
        if present is None:
            meta = self._meta(new)
            meta.setdefault("name", call.info.name)
            meta.pop("resourceVersion", None)
            if meta.get("uid"):
                why = f"uid mismatch: the provided object specified uid {meta['uid']}, and no existing object was found"
                raise conflict(resource.group, resource.plural, call.info.name, why)
            made = self._created(call, new, quiet, owned=True)
            return Reply(201, self._read(resource, made))
        self.place(call, self._meta(new))
        changed = self.changed(call, present, new, quiet, owned=True)
        return Reply(200, self._read(resource, changed))

    # Inside

    def _decoded(
        self, call: Call, resource: Resource, body: Json, options: WriteOptions, duplicates: list[str]
    ) -> Json:
        version, kind = body.get("apiVersion"), body.get("kind")
        if not resource.custom:
            told = self._stranger(resource, body)
            if told:
                version = str(body.get("apiVersion") or resource.api_version).rpartition("/")[2]
                kind = body.get("kind") or resource.kind
                raise bad_request(f'{kind} in version "{version}" cannot be handled as a {resource.kind}: {told}')
            body = {**body, "apiVersion": resource.api_version, "kind": resource.kind}
        elif version != resource.api_version and call.info.verb != "patch":
            told = f"the API version in the data ({version or ''}) does not match the expected API version "
            raise bad_request(f"{told}({resource.api_version})")
        obj, warnings = resource.strategy.decode(body, options.validation, duplicates)
        call.warnings += warnings
        return obj

    def _stranger(self, resource: Resource, body: Json) -> str:
        """Why a body that names another kind or version cannot be read as this kind; empty when it names this one."""
        version, kind = body.get("apiVersion") or resource.api_version, body.get("kind") or resource.kind
        if (version, kind) == (resource.api_version, resource.kind):
            return ""
        group, _, number = version.rpartition("/")
        other = self._registry.by_kind(group, number, kind)
        if other is None or other.custom:
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
        return f"{resource.group}/{resource.plural}" if resource.custom else resource.plural

    def _meta(self, obj: Json) -> Json:
        meta = obj.get("metadata")
        if not isinstance(meta, dict):
            meta = obj["metadata"] = {}
        return meta

    def place(self, call: Call, meta: Json) -> None:
        """Hold name and namespace of a body against the path's."""
        info = call.info
        if info.single and call.info.verb != "create":
            name = meta.get("name")
            if not name:
                why = f"the name of the object ({info.name} based on URL) was undeterminable: name must be provided"
                raise bad_request(why)
            if name != info.name:
                raise bad_request(f"the name of the object ({name}) does not match the name on the URL ({info.name})")
        namespace = meta.get("namespace")
        if call.resource.namespaced:
            if namespace and namespace != info.namespace:
                told = "the namespace of the provided object does not match the namespace sent on the request"
                raise bad_request(told)
            meta["namespace"] = info.namespace
        elif namespace:
            meta.pop("namespace")

    def _fold_owners(self, call: Call, meta: Json) -> None:
        """Fold owner references that occur twice, with a warning."""
        twice = metadata.fold_owners(meta)
        if twice:
            when = " after mutating admission happens" if call.info.verb == "patch" else ""
            call.warnings.append(DUPLICATE_OWNERS.format(when=when, uids=", ".join(twice)))

    def _writing(self, call: Call, options: WriteOptions) -> Writing:
        def lookup(group: str, plural: str, namespace: str, name: str) -> Json | None:
            found = self._storage.table((group, plural)).get(namespace, name)
            return found.copy() if found is not None else None

        return Writing(call.user, call.info.subresource, options.dry_run, call.now, lookup, call.warnings)

    def _read(self, resource: Resource, obj: Json) -> Json:
        return (
            resource.strategy.on_read(json.loads(json.dumps(obj)))
            if resource.custom
            else resource.strategy.on_read(obj)
        )

    def _invalid(self, resource: Resource, obj: Json, name: str, errors: list[FieldError]) -> Failure:
        kind = str(obj.get("kind") or resource.kind) if resource.custom else resource.kind
        return invalid(resource.group if resource.custom else resource.storage[0], kind, name, errors)


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


def _resets(resource: Resource, subresource: str) -> FieldSet:
    """The fields that an endpoint sets back, as a set."""
    found: FieldSet = {}
    reset = getattr(resource.strategy, "reset_fields", None)
    for path in reset(subresource) if reset is not None else ():
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
