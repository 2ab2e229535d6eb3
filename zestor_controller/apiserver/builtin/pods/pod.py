"""Pods: their defaults, what admission adds to new ones, and the few fields that may change later."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from zestor_controller.apiserver.builtin.declaration import ALL, CONNECT, READ_WRITE, declare
from zestor_controller.apiserver.builtin.fieldgetter import flag_at, text_at
from zestor_controller.apiserver.builtin.pods.ephemeral import check_ephemeral_change, keep_all_but_ephemeral
from zestor_controller.apiserver.builtin.pods.podchecks import check_pod_spec, pod_spec_warnings
from zestor_controller.apiserver.builtin.pods.poddefaults import default_pod, quality_of_service
from zestor_controller.apiserver.builtin.pods.poddiff import spec_difference
from zestor_controller.apiserver.builtin.pods.podstatus import pod_cells
from zestor_controller.apiserver.builtin.printcolumns import AGE, NAME, NONE, columns, value_at
from zestor_controller.apiserver.encoding.typedstrategy import BuiltinStrategy
from zestor_controller.apiserver.rest.resource import Resource, Subresource
from zestor_controller.apiserver.rest.strategy import SubresourceStrategy
from zestor_controller.schema.fielderror import FieldError, forbidden, invalid

if TYPE_CHECKING:
    from zestor_controller.apiserver.rest.strategy import WriteContext
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["EphemeralContainersStrategy", "PodStrategy", "resource"]

_NOT_READY = "node.kubernetes.io/not-ready"
_UNREACHABLE = "node.kubernetes.io/unreachable"
_GATED = {
    "type": "PodScheduled",
    "status": "False",
    "lastProbeTime": None,
    "reason": "SchedulingGated",
    "message": "Scheduling is blocked due to non-empty scheduling gates",
}
_MAY_CHANGE = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\n"
)


class PodStrategy(BuiltinStrategy):
    """Pods."""

    generation = True

    def default(self, obj: Json) -> None:
        """Fill the spec, and keep the two spellings of the addresses in step."""
        spec = obj.get("spec")
        if spec is not None:
            default_pod(spec)
        status = obj.get("status")
        if status:
            _mirror(status, "podIP", "podIPs")
            _mirror(status, "hostIP", "hostIPs")

    def prepare_for_create(self, ctx: WriteContext, obj: Json) -> None:
        """Start as Pending, with the tolerations that admission gives to every pod."""
        super().prepare_for_create(ctx, obj)
        spec = obj["spec"]
        obj["status"] = {"phase": "Pending", "qosClass": quality_of_service(spec)}
        if spec.get("schedulingGates"):
            obj["status"]["conditions"] = [{**_GATED, "lastTransitionTime": ctx.now}]
        _add_tolerations(spec)
        ctx.warnings.extend(pod_spec_warnings("spec", spec))

    def prepare_status(self, new: Json, old: Json) -> None:
        """Keep the spec, the owners and the class of the pod."""
        super().prepare_status(new, old)
        owners = old["metadata"].get("ownerReferences")
        new["metadata"].pop("ownerReferences", None)
        if owners:
            new["metadata"]["ownerReferences"] = owners
        quality = old.get("status", {}).get("qosClass")
        if quality and isinstance(new.get("status"), dict):
            new["status"].setdefault("qosClass", quality)

    def reset_status_fields(self) -> tuple[tuple[str, ...], ...]:
        """A status write sets the owners and the deletion back too."""
        fields = super().reset_status_fields()
        return (*fields, ("metadata", "deletionTimestamp"), ("metadata", "ownerReferences"))

    def graceful_delete(self, obj: Json, seconds: int | None) -> int | None:
        """Seconds until a Pod is removed; only one on a node has something to end."""
        spec, meta = obj.get("spec") or {}, obj["metadata"]
        if not spec.get("nodeName") or (obj.get("status") or {}).get("phase") in ("Failed", "Succeeded"):
            return 0
        if seconds is not None:
            return seconds
        if meta.get("deletionTimestamp"):
            return int(meta.get("deletionGracePeriodSeconds") or 0)
        wanted = spec.get("terminationGracePeriodSeconds")
        return int(wanted) if wanted is not None else 30

    def validate(self, obj: Json) -> list[FieldError]:
        """The rules of the spec."""
        return check_pod_spec("spec", obj.get("spec") or {})

    def validate_change(self, new: Json, old: Json) -> list[FieldError]:
        """Only images, the deadline, added tolerations and a negative grace period may change."""
        errors: list[FieldError] = []
        was, now = old["spec"], new["spec"]
        for group in ("containers", "initContainers"):
            if len(now.get(group) or ()) != len(was.get(group) or ()):
                return [forbidden(f"spec.{group}", "pod updates may not add or remove containers")]
        errors += _check_deadline(now.get("activeDeadlineSeconds"), was.get("activeDeadlineSeconds"))
        munged = copy.deepcopy(now)
        for group in ("containers", "initContainers"):
            for container, before in zip(munged.get(group) or (), was.get(group) or (), strict=True):
                container["image"] = before.get("image", "")
        _restore(munged, was, "activeDeadlineSeconds")
        errors += _check_gates(now, was)
        _restore(munged, was, "schedulingGates")
        if was.get("schedulingGates"):
            errors += _check_node_selector(now, was)
            _restore(munged, was, "nodeSelector")
        if was.get("terminationGracePeriodSeconds", 0) < 0 and now.get("terminationGracePeriodSeconds") == 1:
            _restore(munged, was, "terminationGracePeriodSeconds")
        tolerations = now.get("tolerations", [])
        if all(toleration in tolerations for toleration in was.get("tolerations", ())):
            _restore(munged, was, "tolerations")
        if munged != was:
            errors.append(forbidden("spec", _MAY_CHANGE + spec_difference(was, munged)))
        return errors


class EphemeralContainersStrategy(SubresourceStrategy):
    """``pods/ephemeralcontainers``: a write of the ephemeral containers changes nothing else.

    Args:
        main: the strategy of Pods.
    """

    def __init__(self, main: PodStrategy) -> None:
        super().__init__(main)
        self._pods = main

    def prepare_for_update(self, ctx: WriteContext, new: Json, old: Json) -> None:
        """Keep everything else."""
        keep_all_but_ephemeral(new, old)
        self._pods.set_generation(new, old, new["spec"] != old["spec"])

    def validate_update(self, ctx: WriteContext, new: Json, old: Json) -> list[FieldError]:
        """Ephemeral containers may only be added."""
        return check_ephemeral_change(new, old)

    def reset_fields(self) -> tuple[tuple[str, ...], ...]:
        """The status has an endpoint of its own."""
        return self._pods.reset_fields()


def _check_gates(now: Json, was: Json) -> list[FieldError]:
    known = [gate.get("name") for gate in was.get("schedulingGates", ())]
    message = "only deletion is allowed, but found new scheduling gate '{}'"
    return [
        forbidden(f"spec.schedulingGates[{index}].name", message.format(gate.get("name", "")))
        for index, gate in enumerate(now.get("schedulingGates", ()))
        if gate.get("name") not in known
    ]


def _check_node_selector(now: Json, was: Json) -> list[FieldError]:
    """A pod that waits for a gate may still be narrowed down to fewer nodes."""
    before, after = was.get("nodeSelector") or {}, now.get("nodeSelector") or {}
    if any(after.get(name) != value for name, value in before.items()):
        message = "only additions to spec.nodeSelector are allowed (no mutations or deletions)"
        return [invalid("spec.nodeSelector", after, message)]
    return []


def _restore(spec: Json, old: Json, name: str) -> None:
    spec.pop(name, None)
    if name in old:
        spec[name] = old[name]


def _check_deadline(new: int | None, old: int | None) -> list[FieldError]:
    if new == old:
        return []
    if new is None:
        return [invalid("spec.activeDeadlineSeconds", None, "must not update from a positive integer to nil value")]
    if old is not None and new > old:
        return [invalid("spec.activeDeadlineSeconds", new, "must be less than or equal to previous value")]
    return []


def _mirror(status: Json, one: str, many: str) -> None:
    first = status.get(one)
    listed = status.get(many)
    if first and (not listed or listed[0].get("ip") != first):
        status[many] = [{"ip": first}]
    elif listed and not first:
        status[one] = listed[0].get("ip", "")


def _add_tolerations(spec: Json) -> None:
    tolerations = spec.get("tolerations", [])
    missing = [key for key in (_NOT_READY, _UNREACHABLE) if not any(_tolerates(t, key) for t in tolerations)]
    if missing:
        spec["tolerations"] = tolerations + [
            {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300} for key in missing
        ]


def _tolerates(toleration: Json, key: str) -> bool:
    return toleration.get("key", "") in ("", key) and toleration.get("effect", "") in ("", "NoExecute")


def _ephemeral_containers(main: PodStrategy) -> Subresource:
    return Subresource("ephemeralcontainers", "Pod", "", "v1", READ_WRITE, EphemeralContainersStrategy(main))


_SUBRESOURCES = (
    Subresource("attach", "PodAttachOptions", "", "v1", CONNECT),
    Subresource("binding", "Binding", "", "v1", ("create",)),
    _ephemeral_containers,
    Subresource("eviction", "Eviction", "policy", "v1", ("create",)),
    Subresource("exec", "PodExecOptions", "", "v1", CONNECT),
    Subresource("log", "Pod", "", "v1", ("get",)),
    Subresource("portforward", "PodPortForwardOptions", "", "v1", CONNECT),
    Subresource("proxy", "PodProxyOptions", "", "v1", ("create", "delete", "get", "patch", "update")),
    "resize",
    "status",
)
_SELECTABLE = {
    "spec.nodeName": text_at("spec", "nodeName"),
    "spec.restartPolicy": text_at("spec", "restartPolicy"),
    "spec.schedulerName": text_at("spec", "schedulerName"),
    "spec.serviceAccountName": text_at("spec", "serviceAccountName"),
    "spec.hostNetwork": flag_at("spec", "hostNetwork"),
    "status.phase": text_at("status", "phase"),
    "status.podIP": text_at("status", "podIP"),
    "status.nominatedNodeName": text_at("status", "nominatedNodeName"),
}


def resource() -> Resource:
    """The resource ``pods`` of ``v1``."""
    return declare(
        "v1",
        "Pod",
        "pods",
        PodStrategy,
        columns(
            "pods",
            NAME,
            ("Ready", lambda obj, now: pod_cells(obj, now)[0], 0),
            ("Status", lambda obj, now: pod_cells(obj, now)[1], 0),
            ("Restarts", lambda obj, now: pod_cells(obj, now)[2], 0),
            AGE,
            ("IP", value_at("status", "podIP", absent=NONE), 1),
            ("Node", value_at("spec", "nodeName", absent=NONE), 1),
            ("Nominated Node", value_at("status", "nominatedNodeName", absent=NONE), 1),
            ("Readiness Gates", lambda obj, now: pod_cells(obj, now)[3], 1),
        ),
        short_names=("po",),
        categories=ALL,
        subresources=_SUBRESOURCES,
        selectable_fields=_SELECTABLE,
        returns_deleted_object=True,
    )
