"""The write path: what is proposed becomes what is stored: managed fields, admission, preparation, validation, commit.

Invariant: every create and update of an object goes through here, so none skips a check; a write that changes nothing
is not written; a dry run does all but the last step. The order of the steps is kube-apiserver's: it decides which of
two errors a client sees.

Source: apiserver pkg/registry/generic/registry/store.go, pkg/registry/rest/{create,update}.go.
"""

from __future__ import annotations

import random
from functools import cache
from typing import Any, Final

from zestor_controller.apiserver.admission.attributes import CREATE, UPDATE, AdmissionAttributes
from zestor_controller.apiserver.admission.chain import AdmissionChain
from zestor_controller.apiserver.patch import managedfields
from zestor_controller.apiserver.patch.managedfields import FieldOwner
from zestor_controller.apiserver.request.options import WriteOptions
from zestor_controller.apiserver.rest.resource import RequestContext, Resource
from zestor_controller.apiserver.rest.status import (
    Failure,
    already_exists,
    bad_request,
    conflict,
    invalid,
    status_body,
)
from zestor_controller.apiserver.rest.strategy import WriteContext
from zestor_controller.apiserver.storage.revisionlog import Storage, Version
from zestor_controller.apiserver.syntax.depthlimit import TOO_DEEP, too_deep
from zestor_controller.apiserver.syntax.gonumber import parse_uint
from zestor_controller.apiserver.typed.fieldset import FieldSet
from zestor_controller.apiserver.typed.fieldtable import empty_value
from zestor_controller.apiserver.typed.typedef import Json
from zestor_controller.apiserver.validation import objectmeta

__all__ = ["WritePath", "place", "required_version", "reset_field_set"]

MODIFIED: Final = "the object has been modified; please apply your changes to the latest version and try again"
DUPLICATE_OWNERS: Final = (
    ".metadata.ownerReferences contains duplicate entries{when}; API server dedups owner references in 1.20+, and may "
    "reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: {uids}"
)
_SYSTEM_FIELDS: Final = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")


class WritePath:
    """Takes proposed objects to the storage.

    Args:
        storage: where they are committed.
        rng: uids and generated names.
        admission: the chain.
    """

    def __init__(self, storage: Storage, rng: random.Random, admission: AdmissionChain) -> None:
        self._storage = storage
        self._rng = rng
        self._admission = admission

    def create(self, ctx: RequestContext, obj: Json, options: WriteOptions, *, owned: bool = False) -> Json:
        """Commit a new object.

        Args:
            ctx: the request.
            obj: the proposed object; may be changed.
            options: of the request.
            owned: its managed fields are final, as server-side apply leaves them.

        Returns:
            What is stored, or would be by a dry run.

        Raises:
            Failure: 403, 404, 409 or 422.
        """
        resource = ctx.resource
        strategy = resource.strategy
        meta = obj["metadata"]
        place(ctx, meta)
        namespace = meta.get("namespace", "")
        if not meta.get("name") and meta.get("generateName"):
            meta["name"] = objectmeta.generate_name(meta["generateName"], self._rng)
        for field in (*_SYSTEM_FIELDS, "selfLink"):
            meta.pop(field, None)
        meta["uid"] = objectmeta.new_uid(self._rng)
        meta["creationTimestamp"] = ctx.now
        if meta.get("ownerReferences"):
            _fold_owners(ctx, meta)
        strategy.default(obj)
        if not owned:
            obj = managedfields.update(
                None,
                obj,
                resource.types(),
                FieldOwner(options.manager or ctx.manager, resource.api_version, "", ctx.now),
                resets=reset_field_set(strategy.reset_fields()),
                empty=empty_value(resource.message) if resource.message else None,
            )
        info = ctx.info
        attributes = AdmissionAttributes(
            CREATE, info.verb, resource, info.subresource, namespace, info.name, ctx.user, None, options.dry_run
        )
        self._admission.admit(attributes, obj)
        write = WriteContext(ctx.user, options.dry_run, ctx.now, ctx.warnings)
        strategy.prepare_for_create(write, obj)
        errors = objectmeta.validate_new(obj, strategy)
        errors += strategy.validate_create(write, obj)
        name = str(obj["metadata"].get("name", ""))
        if errors:
            raise invalid(*resource.group_kind(obj), name, errors)
        self._admission.validate(attributes, obj)
        if too_deep(obj):
            raise bad_request(f"the object {TOO_DEEP}")
        if not options.dry_run and _is_version(meta.get("resourceVersion") or "0"):
            raise Failure(status_body(500, "resourceVersion should not be set on objects to be created"))
        present = self._storage.table(resource.storage).get(namespace, name)
        if present is not None:
            raise _already_exists(resource, name, present)
        stored = strategy.on_store(obj)
        if options.dry_run:
            return stored
        self._storage.write(resource.storage, namespace, name, stored)
        return stored

    def update(
        self, ctx: RequestContext, present: Version, new: Json, options: WriteOptions, *, owned: bool = False
    ) -> Json:
        """Commit a changed object over the present one.

        Args:
            ctx: the request.
            present: the object as it is stored.
            new: the proposed object; may be changed.
            options: of the request.
            owned: its managed fields are final, as server-side apply leaves them.

        Returns:
            What is stored then, or would be by a dry run.

        Raises:
            Failure: 403, 409 or 422.
        """
        resource, strategy, info = ctx.resource, ctx.strategy, ctx.info
        old = present.obj
        before = old["metadata"]
        _check_preconditions(ctx, present.key, before, new["metadata"], owned=owned)
        _keep_system_fields(new["metadata"], before)
        if new["metadata"].get("ownerReferences"):
            _fold_owners(ctx, new["metadata"])
        live = resource.strategy.on_read(present.copy())
        resource.strategy.default(new)
        if not owned:
            # What the server itself sets below has no manager. Entries that come by way of a Scale carry no time.
            now = "" if info.subresource == "scale" else ctx.now
            new = managedfields.update(
                live,
                new,
                resource.types(),
                FieldOwner(options.manager or ctx.manager, resource.api_version, info.subresource, now),
                resets=reset_field_set(strategy.reset_fields()),
            )
        attributes = AdmissionAttributes(
            UPDATE, info.verb, resource, info.subresource, info.namespace, info.name, ctx.user, live, options.dry_run
        )
        self._admission.admit(attributes, new)
        write = WriteContext(ctx.user, options.dry_run, ctx.now, ctx.warnings)
        strategy.prepare_for_update(write, new, live)
        new["metadata"]["resourceVersion"] = before["resourceVersion"]
        # The registry checks the metadata, and so does each strategy: an error is a cause twice.
        errors = objectmeta.validate_update(new, live) * 2
        errors += objectmeta.validate_finalizers(new, strategy)
        errors += strategy.validate_update(write, new, live)
        if errors:
            raise invalid(*resource.group_kind(new), info.name, errors)
        self._admission.validate(attributes, new)
        if too_deep(new):
            raise bad_request(f"the object {TOO_DEEP}")
        return self._commit(ctx, old, resource.strategy.on_store(new), options)

    def _commit(self, ctx: RequestContext, old: Json, stored: Json, options: WriteOptions) -> Json:
        """Store a changed object; remove it, where the change is the end of its deletion."""
        if options.dry_run:
            return stored
        if _same(stored, old):
            return old
        resource, meta = ctx.resource, stored["metadata"]
        waits = meta.get("finalizers") or meta.get("deletionGracePeriodSeconds")
        if meta.get("deletionTimestamp") and not waits and resource.strategy.should_delete(stored):
            # The response has the change and the version before it; the event has the deletion's version and no change.
            self._storage.delete(resource.storage, ctx.info.namespace, ctx.info.name)
            return stored
        self._storage.write(resource.storage, ctx.info.namespace, ctx.info.name, stored)
        return stored


def place(ctx: RequestContext, meta: Json) -> None:
    """Compare name and namespace of a body with those of the path, and set the namespace.

    Raises:
        Failure: 400 where they differ, or an update names no object.
    """
    info = ctx.info
    if info.single and info.verb != "create":
        name = meta.get("name")
        if not name:
            why = f"the name of the object ({info.name} based on URL) was undeterminable: name must be provided"
            raise bad_request(why)
        if name != info.name:
            raise bad_request(f"the name of the object ({name}) does not match the name on the URL ({info.name})")
    namespace = meta.get("namespace")
    if ctx.resource.namespaced:
        if namespace and namespace != info.namespace:
            raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
        meta["namespace"] = info.namespace
    elif namespace:
        meta.pop("namespace")


@cache
def reset_field_set(paths: tuple[tuple[str, ...], ...]) -> FieldSet:
    """The fields that an endpoint sets back, as a set, which is not to be changed."""
    found: FieldSet = {}
    for path in paths:
        here = found
        for name in path[:-1]:
            here = here.setdefault(f"f:{name}", {})
        here[f"f:{path[-1]}"] = _Everything()
    return found


def _check_preconditions(ctx: RequestContext, key: str, before: Json, meta: Json, *, owned: bool) -> None:
    """Compare uid and resourceVersion of an update with the present object.

    Raises:
        Failure: 409 where they differ; 400 or 500 for a resourceVersion that is no number.
    """
    resource, info = ctx.resource, ctx.info
    version = required_version(meta)
    uid = meta.get("uid")
    if uid and uid != before["uid"] and not owned and info.verb == "update":
        path = resource.plural if resource.wire.typed else f"{resource.group}/{resource.plural}"
        why = (
            f"StorageError: invalid object, Code: 4, Key: /registry/{path}/{key}, "
            "ResourceVersion: 0, AdditionalErrorMsg: "
            f"Precondition failed: UID in precondition: {uid}, UID in object meta: {before['uid']}"
        )
        raise conflict(resource.group, resource.plural, info.name, why)
    if version and version != int(before["resourceVersion"]):
        raise conflict(resource.group, resource.plural, info.name, MODIFIED)


def _keep_system_fields(meta: Json, before: Json) -> None:
    """Set the fields that no update changes where the client left them out, and the generation."""
    meta.pop("selfLink", None)
    for field in _SYSTEM_FIELDS:
        if field in before and (field not in meta or meta[field] is None or field == "creationTimestamp"):
            meta[field] = before[field]
    if "generation" in before:
        meta["generation"] = before["generation"]
    elif "generation" in meta:
        del meta["generation"]


def _fold_owners(ctx: RequestContext, meta: Json) -> None:
    """Fold owner references that occur twice, with a warning."""
    twice = objectmeta.fold_owners(meta)
    if twice:
        when = " after mutating admission happens" if ctx.info.verb == "patch" else ""
        ctx.warnings.append(DUPLICATE_OWNERS.format(when=when, uids=", ".join(twice)))


def _already_exists(resource: Resource, name: str, present: Version) -> Failure:
    failure = already_exists(resource.group, resource.plural, name)
    if present.obj["metadata"].get("deletionTimestamp"):
        failure.body["message"] = "object is being deleted: " + failure.body["message"]
    return failure


def _is_version(text: str) -> bool:
    """Whether a text is a resourceVersion of some object: a number other than 0."""
    try:
        return parse_uint(text) != 0
    except ValueError:
        return False


def required_version(meta: Json) -> int:
    """The resourceVersion that an update requires; 0 for any.

    Raises:
        Failure: 500 for one that is no number, as the real server has it; 400 for one that is out of range.
    """
    text = meta.get("resourceVersion") or "0"
    try:
        return parse_uint(text)
    except ValueError as error:
        raise bad_request(str(error)) if text.isdecimal() else Failure(status_body(500, str(error))) from None


def _same(new: Json, old: Json) -> bool:
    """Whether a write would change nothing; the times of managers alone are no change."""
    if new.keys() != old.keys() or any(new[name] != old[name] for name in new if name != "metadata"):
        return False
    return bool(new == old) or _without_times(new["metadata"]) == _without_times(old["metadata"])


def _without_times(meta: Json) -> Json:
    entries = [{k: v for k, v in entry.items() if k != "time"} for entry in meta.get("managedFields") or ()]
    return {**meta, "managedFields": entries}


class _Everything(dict[str, Any]):
    """A set that holds every path below its root."""

    def __contains__(self, key: object) -> bool:
        return True

    def __getitem__(self, key: str) -> Any:
        return self

    def __bool__(self) -> bool:
        return True
