"""POST, PUT and PATCH: decode, default, own, prepare, validate, store.

Invariant: every write goes through :meth:`Writer._commit`, so none skips a check; a write that changes nothing is not
written; a dry run does all but the last step.

Source: apiserver pkg/registry/generic/registry/store.go, pkg/endpoints/handlers/{create,update,patch}.go.
"""

from __future__ import annotations

import json
import random
from typing import Any, Final

from zestor_controller.apiserver import managedfields as managed
from zestor_controller.apiserver import metadata
from zestor_controller.apiserver.bodies import decode_object, patch_type
from zestor_controller.apiserver.builtin.codec import DecodeFailure
from zestor_controller.apiserver.context import Call, Reply
from zestor_controller.apiserver.contract import UNTYPED, Json, Resource, Writing
from zestor_controller.apiserver.escalation import EscalationGuard
from zestor_controller.apiserver.fieldset import FieldSet
from zestor_controller.apiserver.gojson import DocumentError, duplicate_paths
from zestor_controller.apiserver.gojson import load as load_json
from zestor_controller.apiserver.goyaml import load as load_yaml
from zestor_controller.apiserver.namespaces import NamespaceGuard
from zestor_controller.apiserver.options import WriteOptions, write_options
from zestor_controller.apiserver.patch import json_patch, merge_patch, text
from zestor_controller.apiserver.registry import Registry
from zestor_controller.apiserver.status import (
    Failure,
    already_exists,
    bad_request,
    conflict,
    invalid,
    not_found,
    status_body,
)
from zestor_controller.apiserver.storage import Storage, Version
from zestor_controller.apiserver.strategic import strategic_merge
from zestor_controller.apiserver.typedefs import empty_value
from zestor_controller.schema.fielderror import FieldError
from zestor_controller.schema.fielderror import invalid as wrong

__all__ = ["Writer"]

MODIFIED: Final = "the object has been modified; please apply your changes to the latest version and try again"


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
        obj = self._decoded(call, body.value, options, body.duplicates)
        obj = self._created(call, obj, options, owned=False)
        return Reply(201, self._read(resource, obj))

    def _created(self, call: Call, obj: Json, options: WriteOptions, *, owned: bool) -> Json:
        resource = call.resource
        meta = self._meta(obj)
        if meta.get("resourceVersion"):
            raise Failure(status_body(500, "resourceVersion should not be set on objects to be created"))
        self._place(call, meta)
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
        writing = self._writing(call, options)
        resource.strategy.default(obj)
        if not owned:
            obj = managed.update(
                None,
                obj,
                resource.types(),
                manager=options.manager or call.manager,
                api_version=resource.api_version,
                subresource="",
                now=call.now,
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
        obj = self._decoded(call, body, WriteOptions(False, "", "Ignore", False), [])
        return self._created(call, obj, WriteOptions(False, "", "Ignore", False), owned=False)

    # Scale

    def scale_body(self, call: Call, present: Json) -> Json:
        """The Scale that a PUT or PATCH of the subresource asks for."""
        if call.info.verb == "update":
            body = decode_object(call.request.headers.get("content-type"), call.request.body, "Scale", custom=False)
            version = body.value.get("apiVersion")
            if call.resource.custom and version not in (None, "", "autoscaling/v1"):
                scheme = "k8s.io/apiextensions-apiserver/pkg/apiserver/customresource_handler.go:781"
                raise bad_request(f'no kind is registered for the type {version}.Scale in scheme "{scheme}"')
            return body.value
        kind = patch_type(call.request.headers.get("content-type"), True)
        if kind == "application/apply-patch+yaml":
            raise bad_request("apply is not supported on the scale subresource by this server")
        patch, _ = self._read_patch(call, kind)
        changed: Json = json_patch(present, patch) if "json-patch" in kind else merge_patch(present, patch)
        return changed

    def write_scaled(self, call: Call, present: Version, obj: Json) -> Json:
        """Commit an object whose number of replicas was set by its scale subresource."""
        kind = "UpdateOptions" if call.info.verb == "update" else "PatchOptions"
        return self._changed(call, present, obj, write_options(call.query, kind, dry=call.values("dryRun")))

    # Update

    def update(self, call: Call) -> Reply:
        """PUT of an object, or of its status."""
        resource = call.resource
        options = write_options(call.query, "UpdateOptions", dry=call.values("dryRun"))
        body = decode_object(
            call.request.headers.get("content-type"), call.request.body, resource.kind, custom=resource.custom
        )
        obj = self._decoded(call, body.value, options, body.duplicates)
        meta = self._meta(obj)
        self._place(call, meta)
        present = self._storage.table(resource.storage).get(call.info.namespace, call.info.name)
        if present is None:
            if resource.create_on_update and not call.info.subresource:
                made = self._created(call, obj, options, owned=False)
                return Reply(201, self._read(resource, made))
            raise not_found(resource.group, resource.plural, call.info.name)
        if not meta.get("resourceVersion") and not resource.unconditional_update:
            error = wrong("metadata.resourceVersion", 0, "must be specified for an update")
            raise invalid(resource.group, resource.plural, call.info.name, [error])
        changed = self._changed(call, present, obj, options)
        return Reply(200, self._read(resource, changed))

    def _changed(self, call: Call, present: Version, new: Json, options: WriteOptions, *, owned: bool = False) -> Json:
        """Commit a changed object over the present one; answers what is stored then."""
        resource = call.resource
        old = present.copy()
        meta, before = self._meta(new), old["metadata"]
        version = meta.get("resourceVersion")
        uid = meta.get("uid")
        if uid and uid != before["uid"] and not owned and call.info.verb == "update":
            told = (
                f"StorageError: invalid object, Code: 4, Key: /registry/{self._path(resource)}/{present.key}, "
                "ResourceVersion: 0, AdditionalErrorMsg: "
                f"Precondition failed: UID in precondition: {uid}, UID in object meta: {before['uid']}"
            )
            raise conflict(resource.group, resource.plural, call.info.name, told)
        if version and not (version.isascii() and version.isdecimal()):
            raise Failure(status_body(500, f'strconv.ParseUint: parsing "{version}": invalid syntax'))
        if version and version != before["resourceVersion"]:
            raise conflict(resource.group, resource.plural, call.info.name, MODIFIED)
        meta.pop("selfLink", None)
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
            new = managed.update(
                live,
                new,
                resource.types(),
                manager=options.manager or call.manager,
                api_version=resource.api_version,
                subresource=call.info.subresource,
                # Entries that come by way of a Scale carry no time.
                now="" if call.info.subresource == "scale" else call.now,
                resets=_resets(resource, call.info.subresource),
            )
        resource.strategy.prepare_update(new, live, writing)
        self._grants.admit(call, new, live)
        new["metadata"]["resourceVersion"] = before["resourceVersion"]
        # The registry checks the metadata, and so does each strategy: a complaint is a cause twice.
        errors = metadata.validate_update(new, live)
        errors += metadata.validate_update(new, live) + metadata.bare_finalizers(new, resource)
        errors += resource.strategy.validate_update(new, live, writing)
        if errors:
            raise self._invalid(resource, new, call.info.name, errors)
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
        patch, duplicates = self._read_patch(call, kind)
        present = self._storage.table(resource.storage).get(call.info.namespace, call.info.name)
        if present is None:
            raise not_found(resource.group, resource.plural, call.info.name)
        live = resource.strategy.on_read(present.copy())
        if kind == "application/json-patch+json":
            new = json_patch(live, patch)
        elif kind == "application/merge-patch+json":
            new = merge_patch(live, patch)
        else:
            new = strategic_merge(live, patch, resource.types())
        new = self._patched(call, new, live, options, duplicates)
        self._place(call, self._meta(new))
        changed = self._changed(call, present, new, options)
        return Reply(200, self._read(resource, changed))

    def _read_patch(self, call: Call, kind: str) -> tuple[Any, list[str]]:
        try:
            patch, twice = load_json(call.request.body)
        except DocumentError as error:
            words = str(error) if kind.startswith("application/strategic") else f"error decoding patch: {error}"
            raise bad_request(words) from None
        wanted, go = (list, "[]handlers.jsonPatchOp") if "json-patch" in kind else (dict, "map[string]interface {}")
        if not isinstance(patch, wanted):
            found = {dict: "object", list: "array", str: "string", bool: "bool"}.get(type(patch), "number")
            raise bad_request(f"error decoding patch: json: cannot unmarshal {found} into Go value of type {go}")
        if twice and isinstance(patch, dict):
            return patch, duplicate_paths(call.request.body)
        return patch, []

    def _patched(self, call: Call, new: Any, live: Json, options: WriteOptions, duplicates: list[str]) -> Json:
        """The patched document as an object of the kind; what does not fit is told with the whole document."""
        shown = text(new, live, UNTYPED if call.resource.custom else call.resource.types())
        why = "" if call.resource.custom or not isinstance(new, dict) else self._stranger(call.resource, new)
        if why:
            raise invalid("", "", "", [wrong("patch", shown, why)])
        try:
            obj, warnings = call.resource.strategy.decode(new, options.validation, duplicates)
            call.warnings += warnings
            return obj
        except DecodeFailure as error:
            why = error.why
        except Failure as error:
            if error.code != 400:
                raise
            why = error.body["message"].partition(": ")[2] or error.body["message"]
        raise invalid("", "", "", [wrong("patch", shown, why)])

    def _apply(self, call: Call, options: WriteOptions) -> Reply:
        resource = call.resource
        try:
            applied, _ = load_yaml(call.request.body)
        except DocumentError as error:
            raise bad_request(f"error decoding YAML: error converting YAML to JSON: {error}") from None
        if not isinstance(applied, dict):
            raise bad_request("error decoding YAML: an object is expected")
        version, kind = applied.get("apiVersion") or "", applied.get("kind") or ""
        if (version, kind) != (resource.api_version, resource.kind):
            shown = version if "/" in version else f"/{version}"
            raise bad_request(f"invalid object type: {shown}, Kind={kind}")
        present = self._storage.table(resource.storage).get(call.info.namespace, call.info.name)
        if present is None and call.info.subresource:
            raise not_found(resource.group, resource.plural, call.info.name)
        live = resource.strategy.on_read(present.copy()) if present is not None else None
        managed.strip_null_times(applied)
        new = managed.apply(
            live,
            applied,
            resource.types(),
            manager=options.manager,
            force=options.force,
            api_version=resource.api_version,
            subresource=call.info.subresource,
            now=call.now,
            resets=_resets(resource, call.info.subresource),
            empty=empty_value(resource.protobuf) if resource.protobuf else None,
        )
        if live is not None and present is not None and new is live:
            return Reply(200, live)
        quiet = WriteOptions(options.dry_run, options.manager, "Ignore", options.force)
        new = self._decoded(call, json.loads(json.dumps(new)), quiet, [])
        if present is None:
            meta = self._meta(new)
            meta.setdefault("name", call.info.name)
            meta.pop("resourceVersion", None)
            if meta.get("uid"):
                twice = [wrong("metadata.uid", meta["uid"], "field is immutable")] * 2
                raise self._invalid(resource, new, call.info.name, twice)
            made = self._created(call, new, quiet, owned=True)
            return Reply(201, self._read(resource, made))
        self._place(call, self._meta(new))
        changed = self._changed(call, present, new, quiet, owned=True)
        return Reply(200, self._read(resource, changed))

    # Inside

    def _decoded(self, call: Call, body: Json, options: WriteOptions, duplicates: list[str]) -> Json:
        resource = call.resource
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

    def _place(self, call: Call, meta: Json) -> None:
        """Hold name and namespace of a body against the path's."""
        info = call.info
        if info.single and call.info.verb != "create":
            name = meta.get("name")
            if name and name != info.name:
                raise bad_request(f"the name of the object ({name}) does not match the name on the URL ({info.name})")
            meta["name"] = info.name
        namespace = meta.get("namespace")
        if call.resource.namespaced:
            if namespace and namespace != info.namespace:
                told = "the namespace of the provided object does not match the namespace sent on the request"
                raise bad_request(told)
            meta["namespace"] = info.namespace
        elif namespace:
            meta.pop("namespace")

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


_META_ORDER: Final = (
    *("name", "generateName", "namespace", "selfLink", "uid", "resourceVersion", "generation", "creationTimestamp"),
    *("deletionTimestamp", "deletionGracePeriodSeconds", "labels", "annotations", "ownerReferences", "finalizers"),
)


def _document(resource: Resource, patched: Any) -> str:
    """A patched document as messages show it: a built-in kind's metadata in field order, without managers."""
    if resource.custom or not isinstance(patched, dict):
        return json.dumps(patched, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    shown = {key: patched[key] for key in sorted(patched)}
    meta = shown.get("metadata")
    if isinstance(meta, dict):
        known = {key: meta[key] for key in _META_ORDER if key in meta}
        rest = {key: value for key, value in sorted(meta.items()) if key not in known and key != "managedFields"}
        shown["metadata"] = {**known, **rest}
    return json.dumps(shown, separators=(",", ":"), ensure_ascii=False)


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
