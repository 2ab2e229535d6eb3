"""DELETE, of one object and of a collection.

Invariant: an object with finalizers stays until the last one is gone; what is removed carries the version of its
removal.

Source: apiserver pkg/registry/generic/registry/store.go (BeforeDelete, deletionFinalizersForGarbageCollection), rule
matrix of pkg/endpoints/handlers/delete.go.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from zestor_controller.apiserver.admission.attributes import DELETE, AdmissionAttributes
from zestor_controller.apiserver.admission.chain import AdmissionChain
from zestor_controller.apiserver.request.deleteoptions import DeleteOptions, delete_options
from zestor_controller.apiserver.rest.resource import Reply, RequestContext, Resource
from zestor_controller.apiserver.rest.status import conflict, not_found, success
from zestor_controller.apiserver.rest.strategy import WriteContext
from zestor_controller.apiserver.storage.revisionlog import Storage, Version
from zestor_controller.apiserver.typed.typedef import Json
from zestor_controller.apiserver.verbs.objectview import item_view
from zestor_controller.apiserver.verbs.retrieval import Retrieval

__all__ = ["Deletion"]

ORPHAN: Final = "orphan"
FOREGROUND: Final = "foregroundDeletion"


class Deletion:
    """The deleting verbs of one server.

    Args:
        storage: what is deleted from.
        retrieval: chooses the objects of a collection.
        admission: the chain.
    """

    def __init__(self, storage: Storage, retrieval: Retrieval, admission: AdmissionChain) -> None:
        self._storage = storage
        self._retrieval = retrieval
        self._admission = admission

    def delete(self, ctx: RequestContext) -> Reply:
        """DELETE of one object.

        Raises:
            Failure: 400 or 422 for its options, 404, 409 for a precondition that does not hold, 403 for a namespace
                that stays.
        """
        return self.remove(ctx, delete_options(ctx))

    def remove(self, ctx: RequestContext, options: DeleteOptions) -> Reply:
        """Delete one object, with options that have been read and validated already.

        Raises:
            Failure: 404, 409 for a precondition that does not hold, 403 for a namespace that stays.
        """
        resource, name = ctx.resource, ctx.info.name
        self._admit(ctx, options)
        present = self._storage.table(resource.storage).get(ctx.info.namespace, name)
        if present is None:
            raise not_found(resource.group, resource.plural, name)
        obj = present.copy()
        if self._prepared(ctx, obj, options):
            _check_marking(resource, obj["metadata"], options)
            if not options.dry_run:
                obj = self._storage.write(resource.storage, present.namespace, name, obj).copy()
            last, stays = obj, True
        else:
            last, stays = self._remove(ctx, present, obj, options)
        shown = resource.strategy.on_read(last)
        if stays or resource.returns_deleted_object:
            return Reply(202 if stays and options.accepted else 200, shown)
        details: Json = {"name": name}
        if resource.group:
            details["group"] = resource.group
        details |= {"kind": resource.plural, "uid": present.obj["metadata"]["uid"]}
        return Reply(200, success(details), converted=True)

    async def collection(self, ctx: RequestContext) -> Reply:
        """DELETE of a collection: every object that the selectors choose, or with a limit one page of them.

        Raises:
            Failure: 400 or 422 for options that cannot be read or are not valid, 409 for a precondition that does not
                hold, and what a list raises.
        """
        resource = ctx.resource
        options = delete_options(ctx)
        self._admit(ctx, options)
        chosen, metadata = await self._retrieval.chosen(ctx)
        table = self._storage.table(resource.storage)
        items: list[Json] = []
        for version in chosen:
            items.append(item_view(resource, version))
            # A list of the past may name what has been deleted since.
            present = table.get(version.namespace, version.obj["metadata"]["name"])
            if present is not None:
                self._remove(ctx, present, present.copy(), options)
        head = {"kind": resource.list_name, "apiVersion": resource.api_version}
        return Reply(200, {**head, "metadata": metadata, "items": items}, converted=True)

    def _admit(self, ctx: RequestContext, options: DeleteOptions) -> None:
        info = ctx.info
        attributes = AdmissionAttributes(
            DELETE, info.verb, ctx.resource, "", info.namespace, info.name, ctx.user, None, options.dry_run
        )
        self._admission.admit(attributes, {})
        self._admission.validate(attributes, {})

    def _prepared(self, ctx: RequestContext, obj: Json, options: DeleteOptions) -> bool:
        """Let the kind prepare the first DELETE of an object; whether a controller finishes it."""
        if obj["metadata"].get("deletionTimestamp"):
            return False
        write = WriteContext(ctx.user, options.dry_run, ctx.now, ctx.warnings)
        return ctx.resource.strategy.prepare_for_delete(write, obj)

    def _remove(self, ctx: RequestContext, present: Version, obj: Json, options: DeleteOptions) -> tuple[Json, bool]:
        """Mark or remove an object.

        Args:
            ctx: the request.
            present: the object as it is stored.
            obj: a private copy, prepared for its deletion.
            options: of the request.

        Returns:
            Its last state, and whether it stays.
        """
        resource, strategy, meta = ctx.resource, ctx.resource.strategy, obj["metadata"]
        namespace, name = present.namespace, meta["name"]
        _check_preconditions(resource, meta, options)
        finalizers = _finalizers(meta, options)
        period = strategy.graceful_delete(obj, options.grace)
        grace = period or 0
        if not finalizers and not grace and strategy.should_delete(obj):
            if period is not None:
                return self._end(ctx, obj, options), False
            if options.dry_run:
                return obj, False
            return self._storage.delete(resource.storage, namespace, name).copy(), False
        deleting = present.obj["metadata"].get("deletionTimestamp")
        if deleting and finalizers == (meta.get("finalizers") or []) and not _shorter(meta, grace):
            return obj, True
        if finalizers:
            meta["finalizers"] = finalizers
        else:
            meta.pop("finalizers", None)
        if not meta.get("deletionTimestamp"):
            meta["deletionTimestamp"] = _later(ctx.now, grace)
            meta["deletionGracePeriodSeconds"] = grace
            if meta.get("generation"):
                meta["generation"] += 1
        elif _shorter(meta, grace):
            # The time counts from the first DELETE, and only that one counts as a change of the object.
            meta["deletionTimestamp"] = _later(meta["deletionTimestamp"], grace - meta["deletionGracePeriodSeconds"])
            meta["deletionGracePeriodSeconds"] = grace
        if options.dry_run:
            return obj, True
        return self._storage.write(resource.storage, namespace, name, obj).copy(), True

    def _end(self, ctx: RequestContext, obj: Json, options: DeleteOptions) -> Json:
        """Remove an object whose grace period is over: it is marked first, as all with a grace period are."""
        meta = obj["metadata"]
        if not meta.get("deletionTimestamp"):
            meta["deletionTimestamp"] = ctx.now
            if meta.get("generation"):
                meta["generation"] += 1
        meta["deletionGracePeriodSeconds"] = 0
        if options.dry_run:
            return obj
        storage, namespace, name = ctx.resource.storage, meta["namespace"], meta["name"]
        marked = self._storage.write(storage, namespace, name, obj).copy()
        self._storage.delete(storage, namespace, name)
        return marked


def _check_marking(resource: Resource, meta: Json, options: DeleteOptions) -> None:
    """Check the preconditions of a DELETE that only marks the object.

    Raises:
        Failure: 409 for one that does not hold.
    """
    for label, wanted, found in (
        ("UID", options.uid, meta["uid"]),
        ("ResourceVersion", options.version, meta["resourceVersion"]),
    ):
        if wanted is not None and wanted != found:
            why = f"Precondition failed: {label} in precondition: {wanted}, {label} in object meta: {found}"
            raise conflict(resource.group, resource.plural, meta["name"], why)


def _check_preconditions(resource: Resource, meta: Json, options: DeleteOptions) -> None:
    """Check the preconditions of a DELETE.

    Raises:
        Failure: 409 for one that does not hold.
    """
    if options.uid is not None and options.uid != meta["uid"]:
        why = (
            f"the UID in the precondition ({options.uid}) does not match the UID in record ({meta['uid']}). "
            "The object might have been deleted and then recreated"
        )
        raise conflict(resource.group, resource.kind, meta["name"], why)
    if options.version is not None and options.version != meta["resourceVersion"]:
        why = (
            f"the ResourceVersion in the precondition ({options.version}) does not match the ResourceVersion in "
            f"record ({meta['resourceVersion']}). The object might have been modified"
        )
        raise conflict(resource.group, resource.kind, meta["name"], why)


def _finalizers(meta: Json, options: DeleteOptions) -> list[str]:
    """The finalizers that an object has once it is being deleted this way."""
    found = list(meta.get("finalizers") or [])
    if not options.policy:
        return found
    found = [name for name in found if name not in (ORPHAN, FOREGROUND)]
    if options.policy == "Orphan":
        found.append(ORPHAN)
    elif options.policy == "Foreground":
        found.append(FOREGROUND)
    return found


def _shorter(meta: Json, grace: int) -> bool:
    before = meta.get("deletionGracePeriodSeconds")
    return before is not None and bool(before) and grace < before


_FARTHEST: Final = datetime.fromisoformat("9999-12-31T23:59:59+00:00")


def _later(now: str, seconds: int) -> str:
    at = datetime.fromisoformat(now.replace("Z", "+00:00"))
    # An int64 of seconds may lie beyond the last year that a date can have.
    seconds = min(seconds, int((_FARTHEST - at).total_seconds()))
    return (at + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
