"""What is done to a Pod by a subresource of its own: binding it to a node, evicting it, reading its log.

Invariant: an eviction is a deletion that the PodDisruptionBudgets allow; what a deletion refuses, an eviction refuses.

No container of this server's Pods runs, so a log is empty, as that of a container that has written nothing.

Source: pkg/registry/core/pod/storage (storage.go, eviction.go), pkg/registry/core/pod/strategy.go (LogLocation).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from zestor_controller.apiserver.builtin import bind, evict
from zestor_controller.apiserver.encoding.typedstrategy import BuiltinStrategy
from zestor_controller.apiserver.request.body import decode_object
from zestor_controller.apiserver.request.deleteoptions import DeleteOptions, validated
from zestor_controller.apiserver.request.options import write_options
from zestor_controller.apiserver.rest.resource import Handler, Reply, RequestContext, Resource
from zestor_controller.apiserver.rest.status import (
    Failure,
    bad_request,
    conflict,
    invalid,
    not_found,
    status_body,
    success,
)
from zestor_controller.apiserver.storage.revisionlog import Storage, Version
from zestor_controller.apiserver.typed.typedef import Json
from zestor_controller.apiserver.verbs.deletion import Deletion
from zestor_controller.schema.fielderror import invalid as wrong

__all__ = ["PodActions", "with_pod_actions"]

PODS: Final = ("", "pods")
BUDGETS: Final = ("policy", "poddisruptionbudgets")
BINDINGS: Final = ("v1",)
EVICTIONS: Final = ("policy/v1", "policy/v1beta1")
UNSAFE: Final = "ignoreStoreReadErrorWithClusterBreakingPotential"
_BINDING: Final = BuiltinStrategy("Binding", "v1", "k8s.io.api.core.v1.Binding")
_EVICTION: Final = BuiltinStrategy("Eviction", "v1", "k8s.io.api.policy.v1.Eviction")


class PodActions:
    """The handlers of ``pods/binding``, ``pods/eviction`` and ``pods/log``.

    Args:
        storage: where Pods and PodDisruptionBudgets are.
        deletion: deletes evicted Pods.
    """

    def __init__(self, storage: Storage, deletion: Deletion) -> None:
        self._storage = storage
        self._deletion = deletion

    def handlers(self) -> dict[str, dict[str, Handler]]:
        """The handlers, by subresource and verb."""
        return {
            "binding": {"create": self.bind},
            "eviction": {"create": self.evict},
            "log": {"get": self.log},
        }

    def bind(self, ctx: RequestContext) -> Reply:
        """Assign a Pod to a node.

        Raises:
            Failure: 400, 404, 409 or 422.
        """
        body, dry = _decoded(ctx, _BINDING, BINDINGS)
        present = self._present(ctx)
        meta = body["metadata"]
        _check_identity(present, meta.get("uid"), meta.get("resourceVersion"), "pods/binding")
        bound = bind(present.copy(), body, ctx.now)
        if not dry:
            self._storage.write(PODS, ctx.info.namespace, ctx.info.name, bound)
        return _done()

    def evict(self, ctx: RequestContext) -> Reply:
        """Delete a Pod, if the budgets allow it.

        Raises:
            Failure: 400, 404, 409, 422 or 429.
        """
        body, dry = _decoded(ctx, _EVICTION, EVICTIONS)
        options = body.get("deleteOptions") or {}
        dry = _agreed_dry_run(ctx, options)
        if options.get(UNSAFE):
            message = "can not be set for pod eviction, try after removing the option"
            error = wrong(f"deleteOptions.{UNSAFE}", True, message)
            raise invalid("policy", "Eviction", ctx.info.name, [error])
        present = self._present(ctx)
        conditions = options.get("preconditions") or {}
        _check_identity(present, conditions.get("uid"), conditions.get("resourceVersion"), "Pod")
        namespace, name = ctx.info.namespace, ctx.info.name
        budgets = [version.obj for version in self._storage.table(BUDGETS).versions(namespace)]
        guards, used = evict(present.obj, budgets, ctx.now)
        if len(guards) > 1:
            # kube-apiserver returns this failure with the HTTP status of a success.
            return Reply(201, status_body(500, _MANY_BUDGETS), converted=True)
        delete, deleting = _as_delete(ctx), _delete_options(options)
        self._deletion.remove(delete, replace(deleting, dry_run=True))  # what cannot be deleted costs no budget
        if not dry:
            if used is not None:
                self._storage.write(BUDGETS, namespace, used["metadata"]["name"], used)
            self._storage.write(PODS, namespace, name, _doomed(present.copy(), ctx.now))
            self._deletion.remove(delete, deleting)
        return _done()

    def log(self, ctx: RequestContext) -> Reply:
        """The log of a container: empty.

        Raises:
            Failure: 400 for a container that the Pod does not have, 404.
        """
        _check_container(self._present(ctx).obj, ctx.info.query.get("container", ""))
        return Reply(200, raw=b"", media="text/plain")

    def _present(self, ctx: RequestContext) -> Version:
        present = self._storage.table(PODS).get(ctx.info.namespace, ctx.info.name)
        if present is None:
            raise not_found("", "pods", ctx.info.name)
        return present


def with_pod_actions(resources: list[Resource], storage: Storage, deletion: Deletion) -> list[Resource]:
    """The resources, with the handlers of the subresources of Pods."""
    handlers = PodActions(storage, deletion).handlers()

    def completed(resource: Resource) -> Resource:
        if resource.storage != PODS:
            return resource
        parts = {
            name: replace(part, handlers=handlers.get(name, part.handlers))
            for name, part in resource.subresources.items()
        }
        return replace(resource, subresources=parts)

    return [completed(resource) for resource in resources]


_MANY_BUDGETS: Final = (
    "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
)


def _done() -> Reply:
    return Reply(201, {**success(), "code": 201}, converted=True)


def _decoded(ctx: RequestContext, strategy: BuiltinStrategy, versions: tuple[str, ...]) -> tuple[Json, bool]:
    """The request's object, and whether it is a dry run.

    Raises:
        Failure: 400 for another kind, or for another name than the path's.
    """
    request, kind = ctx.request, strategy.kind
    options = write_options(ctx, "CreateOptions")
    body = decode_object(request.headers.get("content-type"), request.body, kind)
    version = body.value.get("apiVersion") or versions[0]
    if (body.value.get("kind") or kind) != kind or version not in versions:
        raise bad_request(f"expected a {kind} of {' or '.join(versions)}")
    obj, warnings = strategy.decode(body.value, options.validation, body.duplicates)
    ctx.warnings.extend(warnings)
    if (obj.get("metadata") or {}).get("name", "") != ctx.info.name:
        raise bad_request(f"name in URL does not match name in {kind} object")
    return obj, options.dry_run


def _check_identity(present: Version, uid: str | None, version: str | None, resource: str) -> None:
    """Hold the preconditions of a request against the Pod.

    Raises:
        Failure: 409.
    """
    meta = present.obj["metadata"]
    why = ""
    if uid and uid != meta["uid"]:
        why = (
            f"the UID in the precondition ({uid}) does not match the UID in record ({meta['uid']}). "
            "The object might have been deleted and then recreated"
        )
    elif version and version != meta["resourceVersion"]:
        why = (
            f"the ResourceVersion in the precondition ({version}) does not match the ResourceVersion in record "
            f"({meta['resourceVersion']}). The object might have been modified"
        )
    if why:
        raise conflict("", resource, meta["name"], why)


def _check_container(pod: Json, wanted: str) -> None:
    """Find the container whose log is requested.

    Raises:
        Failure: 400 for a name that no container has, or for none where there are several.
    """
    spec, name = pod["spec"], pod["metadata"]["name"]
    names = [each["name"] for each in spec.get("containers") or ()]
    first = [each["name"] for each in spec.get("initContainers") or ()]
    later = [each["name"] for each in spec.get("ephemeralContainers") or ()]
    if not wanted and len(names) != 1:
        message = f"a container name must be specified for pod {name}, choose one of: [{' '.join(names)}]"
        if first:
            message += f" or one of the init containers: [{' '.join(first)}]"
        raise bad_request(message)
    if wanted and wanted not in (*names, *first, *later):
        raise bad_request(f"container {wanted} is not valid for pod {name}")


def _agreed_dry_run(ctx: RequestContext, options: Mapping[str, Any]) -> bool:
    """Whether an eviction is a dry run: the query and the body may each say so, but not differently."""
    asked, body = ctx.values("dryRun"), list(options.get("dryRun") or ())
    if asked and body and asked != body:
        shown = f"[{' '.join(asked)}] and [{' '.join(body)}]"
        raise Failure(status_body(500, f"Non-matching dry-run options in request and content: {shown}"))
    return bool(asked or body)


def _as_delete(ctx: RequestContext) -> RequestContext:
    """The DELETE that an eviction comes to."""
    return replace(ctx, info=replace(ctx.info, verb="delete", subresource=""), subresource=None)


def _delete_options(options: Json) -> DeleteOptions:
    """How an eviction deletes; the versions of its preconditions have been compared already.

    Raises:
        Failure: 422 for options that are not valid.
    """
    body = {name: value for name, value in options.items() if name != "dryRun"}
    if "preconditions" in body:
        body["preconditions"] = {name: value for name, value in body["preconditions"].items() if name == "uid"}
    return validated(body)


def _doomed(pod: Json, now: str) -> Json:
    """The Pod with the condition that says why it is going to be deleted."""
    condition = {
        "type": "DisruptionTarget",
        "status": "True",
        "lastProbeTime": None,
        "lastTransitionTime": now,
        "reason": "EvictionByEvictionAPI",
        "message": "Eviction API: evicting",
    }
    conditions = pod.setdefault("status", {}).setdefault("conditions", [])
    conditions[:] = [each for each in conditions if each.get("type") != condition["type"]]
    conditions.append(condition)
    return pod
