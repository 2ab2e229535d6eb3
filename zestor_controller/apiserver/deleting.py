"""DELETE, of one object and of a collection.

Invariant: an object with finalizers stays until the last one is gone; what is removed carries the version of its
removal.

Source: apiserver pkg/registry/generic/registry/store.go (BeforeDelete, deletionFinalizersForGarbageCollection), rule
matrix of pkg/endpoints/handlers/delete.go.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from zestor_controller.apiserver.bodies import JSON, decode_object, media_type
from zestor_controller.apiserver.context import Call, Reply
from zestor_controller.apiserver.contract import Json, Resource
from zestor_controller.apiserver.gojson import DocumentError
from zestor_controller.apiserver.gojson import load as load_json
from zestor_controller.apiserver.info import is_true
from zestor_controller.apiserver.namespaces import NamespaceGuard
from zestor_controller.apiserver.options import dry_run, list_options
from zestor_controller.apiserver.reading import Reader
from zestor_controller.apiserver.selectors import parse_selection
from zestor_controller.apiserver.status import bad_request, conflict, invalid, not_found, success
from zestor_controller.apiserver.storage import Storage, Version
from zestor_controller.schema.fielderror import FieldError, not_supported
from zestor_controller.schema.fielderror import invalid as wrong

__all__ = ["Deleter"]

POLICIES: Final = ("Background", "Foreground", "Orphan")
ORPHAN: Final = "orphan"
FOREGROUND: Final = "foregroundDeletion"


@dataclass(frozen=True, slots=True)
class _Options:
    dry_run: bool
    uid: str | None
    version: str | None
    policy: str
    grace: int | None


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

    def delete(self, call: Call) -> Reply:
        """DELETE of one object.

        Raises:
            Failure: 404, 409 for a precondition that does not hold, 403 for a namespace that stays.
        """
        resource, name = call.resource, call.info.name
        options = self._options(call)
        if resource.storage == ("", "namespaces") and (refused := self._guard.refuse_deletion(name)) is not None:
            raise refused
        present = self._storage.table(resource.storage).get(call.info.namespace, name)
        if present is None:
            raise not_found(resource.group, resource.plural, name)
        last, stays = self._remove(call, present, options)
        obj = resource.strategy.on_read(last)
        if stays or resource.returns_deleted:
            return Reply(200, obj)
        details: Json = {"name": name}
        if resource.group:
            details["group"] = resource.group
        details |= {"kind": resource.plural, "uid": present.obj["metadata"]["uid"]}
        return Reply(200, success(details), shaped=True)

    def collection(self, call: Call) -> Reply:
        """DELETE of a collection: every object that the selectors choose."""
        resource = call.resource
        options = self._options(call)
        list_options(call.query, watching=False)
        selection = parse_selection(call.query, resource)
        table = self._storage.table(resource.storage)
        revision = self._storage.revision
        items: list[Json] = []
        for version in table.versions(call.info.namespace):
            if not self._reader.selects(resource, selection, version):
                continue
            items.append(self._reader.item(resource, version))
            self._remove(call, version, options)
        head = {"kind": resource.list_name, "apiVersion": resource.api_version}
        return Reply(200, {**head, "metadata": {"resourceVersion": str(revision)}, "items": items})

    def _options(self, call: Call) -> _Options:
        body: Json = {}
        if call.request.body:
            body = _options_body(call)
        query = call.query
        orphan = body.get("orphanDependents")
        if orphan is None and "orphanDependents" in query:
            orphan = is_true(query["orphanDependents"])
        policy = body.get("propagationPolicy") or query.get("propagationPolicy") or ""
        grace: Any = body.get("gracePeriodSeconds")
        if grace is None and query.get("gracePeriodSeconds"):
            if not query["gracePeriodSeconds"].lstrip("-").isdecimal():
                raise bad_request(f'strconv.ParseInt: parsing "{query["gracePeriodSeconds"]}": invalid syntax')
            grace = int(query["gracePeriodSeconds"])
        is_dry, wrong_dry = dry_run(body.get("dryRun") or call.values("dryRun"))
        errors: list[FieldError] = []
        if policy and orphan is not None:
            told = "orphanDependents and deletionPropagation cannot be both set"
            errors.append(wrong("propagationPolicy", policy, told))
        if policy and policy not in POLICIES:
            told = "Foreground, Background, Orphan, or nil"
            errors.append(not_supported("propagationPolicy", policy, ["Foreground", "Background", "Orphan", "nil"]))
        errors += wrong_dry
        if errors:
            raise invalid("meta.k8s.io", "DeleteOptions", "", errors)
        if orphan is not None and not policy:
            policy = "Orphan" if orphan else "Background"
        conditions = body.get("preconditions") or {}
        return _Options(is_dry, conditions.get("uid"), conditions.get("resourceVersion"), policy, grace)

    def _remove(self, call: Call, present: Version, options: _Options) -> tuple[Json, bool]:
        """Mark or remove an object; answers its last state and whether it stays."""
        resource = call.resource
        obj = present.copy()
        meta = obj["metadata"]
        name = meta["name"]
        if options.uid is not None and options.uid != meta["uid"]:
            told = (
                f"the UID in the precondition ({options.uid}) does not match the UID in record ({meta['uid']}). "
                "The object might have been deleted and then recreated"
            )
            raise conflict(resource.group, resource.kind, name, told)
        if options.version is not None and options.version != meta["resourceVersion"]:
            told = (
                f"the ResourceVersion in the precondition ({options.version}) does not match the ResourceVersion in "
                f"record ({meta['resourceVersion']}). The object might have been modified"
            )
            raise conflict(resource.group, resource.kind, name, told)
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
        if not meta.get("deletionTimestamp") or _shorter(meta, grace):
            meta["deletionTimestamp"] = _later(call.now, grace)
            if resource.storage != ("", "namespaces"):
                meta["deletionGracePeriodSeconds"] = grace
            if meta.get("generation"):
                meta["generation"] += 1
        if resource.storage == ("", "namespaces"):
            obj["status"] = {**(obj.get("status") or {}), "phase": "Terminating"}
        if options.dry_run:
            return obj, True
        return self._storage.write(resource.storage, namespace, name, obj).copy(), True

    def _end_pod(self, call: Call, pod: Json, options: _Options) -> Json:
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

    def _finalizers(self, meta: Json, options: _Options) -> list[str]:
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

    def _grace(self, resource: Resource, obj: Json, options: _Options) -> int:
        """Seconds until a Pod is gone; only one on a node has something to end."""
        if resource.storage != ("", "pods"):
            return 0
        spec, meta = obj.get("spec") or {}, obj["metadata"]
        if not spec.get("nodeName") or (obj.get("status") or {}).get("phase") in ("Failed", "Succeeded"):
            return 0
        if options.grace is not None:
            return max(0, options.grace)
        if meta.get("deletionTimestamp"):
            return int(meta.get("deletionGracePeriodSeconds") or 0)
        wanted = spec.get("terminationGracePeriodSeconds")
        return int(wanted) if wanted is not None else 30

    def _held(self, resource: Resource, obj: Json) -> bool:
        """A namespace stays until it has been finalized."""
        return resource.storage == ("", "namespaces") and bool((obj.get("spec") or {}).get("finalizers"))


def _options_body(call: Call) -> Json:
    """The DeleteOptions in a request's body.

    Raises:
        Failure: 400, 413 or 415.
    """
    content = call.request.headers.get("content-type")
    if media_type(content) != JSON:
        body = decode_object(content, call.request.body, "DeleteOptions", custom=False).value
    else:
        try:
            body, _ = load_json(call.request.body)
        except DocumentError as error:
            raise bad_request(f"couldn't get version/kind; json parse error: {error}") from None
        if body is not None and not isinstance(body, dict):
            body = decode_object(content, call.request.body, "DeleteOptions", custom=False).value
    if body and body.get("kind") not in (None, "", "DeleteOptions"):
        scheme = "k8s.io/apimachinery/pkg/apis/meta/internalversion/scheme/register.go:27"
        version = body.get("apiVersion") or ""
        raise bad_request(f'no kind "{body["kind"]}" is registered for version "{version}" in scheme "{scheme}"')
    return body or {}


def _shorter(meta: Json, grace: int) -> bool:
    before = meta.get("deletionGracePeriodSeconds")
    return before is not None and bool(before) and grace < before


def _later(now: str, seconds: int) -> str:
    at = datetime.fromisoformat(now.replace("Z", "+00:00")).astimezone(UTC) + timedelta(seconds=seconds)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
