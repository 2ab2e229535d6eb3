"""DELETE, of one object and of a collection.

Invariant: an object with finalizers stays until the last one is gone; what is removed carries the version of its
removal.

Source: apiserver pkg/registry/generic/registry/store.go (BeforeDelete, deletionFinalizersForGarbageCollection), rule
matrix of pkg/endpoints/handlers/delete.go.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from zestor_controller.apiserver.admission.namespacelifecycle import NamespaceGuard
from zestor_controller.apiserver.request.deleteoptions import DeleteOptions, delete_options
from zestor_controller.apiserver.rest.context import Call, Reply
from zestor_controller.apiserver.rest.resource import Resource
from zestor_controller.apiserver.rest.status import conflict, not_found, success
from zestor_controller.apiserver.storage.revisionlog import Storage, Version
from zestor_controller.apiserver.typed.typedef import Json
from zestor_controller.apiserver.verbs.retrieval import Reader

__all__ = ["Deleter", "Marker"]

ORPHAN: Final = "orphan"
FOREGROUND: Final = "foregroundDeletion"
Marker = Callable[[Json], None]
"""Marks an object of a kind that is deleted by a controller of its own, in place."""


class Deleter:
    """The deleting verbs of one server.

    Args:
        storage: what is deleted from.
        reader: shows what was deleted.
        guard: namespaces that stay.
    """

    def __init__(self, storage: Storage, reader: Reader, guard: NamespaceGuard) -> None:
        self._storage = storage
        self._reader = reader
        self._guard = guard
        self._markers: dict[tuple[str, str], Marker] = {}

    def add_marker(self, storage: tuple[str, str], marker: Marker) -> None:
        """Let a DELETE of a kind mark its object for a controller, which deletes it later."""
        self._markers[storage] = marker

    def delete(self, call: Call) -> Reply:
        """DELETE of one object.

        Raises:
            Failure: 400 or 422 for its options, 404, 409 for a precondition that does not hold, 403 for a namespace
                that stays.
        """
        return self.remove(call, delete_options(call))

    def remove(self, call: Call, options: DeleteOptions) -> Reply:
        """Delete one object, with options that have been read and validated already.

        Raises:
            Failure: 404, 409 for a precondition that does not hold, 403 for a namespace that stays.
        """
        resource, name = call.resource, call.info.name
        if resource.storage == ("", "namespaces") and (refused := self._guard.refuse_deletion(name)) is not None:
            raise refused
        present = self._storage.table(resource.storage).get(call.info.namespace, name)
        if present is None:
            raise not_found(resource.group, resource.plural, name)
        marker = self._markers.get(resource.storage)
        if marker is not None and not present.obj["metadata"].get("deletionTimestamp"):
            last, stays = self._mark(call, present, options, marker), True
        else:
            last, stays = self._remove(call, present, options)
        obj = resource.strategy.on_read(last)
        if stays or resource.returns_deleted:
            return Reply(202 if stays and options.accepted else 200, obj)
        details: Json = {"name": name}
        if resource.group:
            details["group"] = resource.group
        details |= {"kind": resource.plural, "uid": present.obj["metadata"]["uid"]}
        return Reply(200, success(details), shaped=True)

    async def collection(self, call: Call) -> Reply:
        """DELETE of a collection: every object that the selectors choose, or with a limit one page of them.

        Raises:
            Failure: 400 or 422 for options that cannot be read or are not valid, 409 for a precondition that does not
                hold, and what a list raises.
        """
        resource = call.resource
        options = delete_options(call)
        chosen, metadata = await self._reader.chosen(call)
        table = self._storage.table(resource.storage)
        items: list[Json] = []
        for version in chosen:
            items.append(self._reader.item(resource, version))
            # A list of the past may name what has been deleted since.
            present = table.get(version.namespace, version.obj["metadata"]["name"])
            if present is not None:
                self._remove(call, present, options)
        head = {"kind": resource.list_name, "apiVersion": resource.api_version}
        return Reply(200, {**head, "metadata": metadata, "items": items})

    def _mark(self, call: Call, present: Version, options: DeleteOptions, marker: Marker) -> Json:
        """Mark an object for its controller; returns its state then."""
        resource, obj = call.resource, present.copy()
        meta, name = obj["metadata"], call.info.name
        for label, wanted, found in (
            ("UID", options.uid, meta["uid"]),
            ("ResourceVersion", options.version, meta["resourceVersion"]),
        ):
            if wanted is not None and wanted != found:
                why = f"Precondition failed: {label} in precondition: {wanted}, {label} in object meta: {found}"
                raise conflict(resource.group, resource.plural, name, why)
        marker(obj)
        return obj if options.dry_run else self._storage.write(resource.storage, "", name, obj).copy()

    def _remove(self, call: Call, present: Version, options: DeleteOptions) -> tuple[Json, bool]:
        """Mark or remove an object; returns its last state and whether it stays."""
        resource = call.resource
        obj = present.copy()
        meta = obj["metadata"]
        name = meta["name"]
        if options.uid is not None and options.uid != meta["uid"]:
            why = (
                f"the UID in the precondition ({options.uid}) does not match the UID in record ({meta['uid']}). "
                "The object might have been deleted and then recreated"
            )
            raise conflict(resource.group, resource.kind, name, why)
        if options.version is not None and options.version != meta["resourceVersion"]:
            why = (
                f"the ResourceVersion in the precondition ({options.version}) does not match the ResourceVersion in "
                f"record ({meta['resourceVersion']}). The object might have been modified"
            )
            raise conflict(resource.group, resource.kind, name, why)
        finalizers = self._finalizers(meta, options)
        grace = self._grace(resource, obj, options)
        kept = bool(finalizers) or grace > 0 or self._held(resource, obj)
        namespace = present.namespace
        if not kept and resource.storage == ("", "pods"):
            return self._end_pod(call, obj, options), False
        if not kept:
            if options.dry_run:
                return obj, False
            return self._storage.delete(resource.storage, namespace, name).copy(), False
        if meta.get("deletionTimestamp") and finalizers == (meta.get("finalizers") or []) and not _shorter(meta, grace):
            return obj, True
        if finalizers:
            meta["finalizers"] = finalizers
        else:
            meta.pop("finalizers", None)
        if not meta.get("deletionTimestamp"):
            meta["deletionTimestamp"] = _later(call.now, grace)
            if resource.storage != ("", "namespaces"):
                meta["deletionGracePeriodSeconds"] = grace
            if meta.get("generation"):
                meta["generation"] += 1
        elif _shorter(meta, grace):
            # The time counts from the first DELETE, and only that one counts as a change of the object.
            meta["deletionTimestamp"] = _later(meta["deletionTimestamp"], grace - meta["deletionGracePeriodSeconds"])
            meta["deletionGracePeriodSeconds"] = grace
        if resource.storage == ("", "namespaces"):
            obj["status"] = {**(obj.get("status") or {}), "phase": "Terminating"}
        if options.dry_run:
            return obj, True
        return self._storage.write(resource.storage, namespace, name, obj).copy(), True

    def _end_pod(self, call: Call, pod: Json, options: DeleteOptions) -> Json:
        """A Pod with nothing left to wait for: marked first, then removed, as all with a grace period are."""
        meta = pod["metadata"]
        if not meta.get("deletionTimestamp"):
            meta["deletionTimestamp"] = call.now
            if meta.get("generation"):
                meta["generation"] += 1
        meta["deletionGracePeriodSeconds"] = 0
        if options.dry_run:
            return pod
        storage, namespace, name = call.resource.storage, meta["namespace"], meta["name"]
        marked = self._storage.write(storage, namespace, name, pod).copy()
        self._storage.delete(storage, namespace, name)
        return marked

    def _finalizers(self, meta: Json, options: DeleteOptions) -> list[str]:
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

    def _grace(self, resource: Resource, obj: Json, options: DeleteOptions) -> int:
        """Seconds until a Pod is gone; only one on a node has something to end."""
        if resource.storage != ("", "pods"):
            return 0
        spec, meta = obj.get("spec") or {}, obj["metadata"]
        if not spec.get("nodeName") or (obj.get("status") or {}).get("phase") in ("Failed", "Succeeded"):
            return 0
        if options.grace is not None:
            return options.grace
        if meta.get("deletionTimestamp"):
            return int(meta.get("deletionGracePeriodSeconds") or 0)
        wanted = spec.get("terminationGracePeriodSeconds")
        return int(wanted) if wanted is not None else 30

    def _held(self, resource: Resource, obj: Json) -> bool:
        """A namespace stays until it has been finalized."""
        return resource.storage == ("", "namespaces") and bool((obj.get("spec") or {}).get("finalizers"))


def _shorter(meta: Json, grace: int) -> bool:
    before = meta.get("deletionGracePeriodSeconds")
    return before is not None and bool(before) and grace < before


_FARTHEST: Final = datetime.fromisoformat("9999-12-31T23:59:59+00:00")


def _later(now: str, seconds: int) -> str:
    at = datetime.fromisoformat(now.replace("Z", "+00:00"))
    # An int64 of seconds may lie beyond the last year that a date can have.
    seconds = min(seconds, int((_FARTHEST - at).total_seconds()))
    return (at + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
