"""The scheduler and the kubelet of the embedded cluster: Pods get a node, run, and end when they are deleted.

Nothing runs in a container. A Pod is bound to the one node, is Running and Ready at once, and that of a Job succeeds.
Invariant: no state is written without the step that a cluster takes before it: a Pod is bound before it runs, and its
containers have ended before it is removed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import msgspec

from zestor_controller.client import Client
from zestor_controller.cluster.simulation.ownedpod import POD, is_terminating
from zestor_controller.cluster.simulation.replicaset import NODE
from zestor_controller.cluster.simulation.statuswriter import conditions, now, set_status
from zestor_controller.controller import Context, Controller, Request, Result
from zestor_controller.errors import Conflict, NotFound
from zestor_controller.http import HttpRequest
from zestor_controller.objects import Unstructured

__all__ = ["kubelet", "scheduler"]

DEFAULT_SCHEDULER = "default-scheduler"
NODE_KIND = "v1/Node"
_UNBOUND = timedelta(seconds=1)
_ENDED = ("Succeeded", "Failed")


def scheduler() -> Controller[Any]:
    """Binds Pods to the node, unless it is cordoned or does not have the labels that a Pod selects."""
    controller = Controller(POD, name="kube-scheduler", concurrency=4)

    @controller.reconciler
    async def reconcile(pod: Unstructured, ctx: Context) -> Result | None:
        spec = pod["spec"]
        mine = spec.get("schedulerName", DEFAULT_SCHEDULER) == DEFAULT_SCHEDULER
        if spec.get("nodeName") or is_terminating(pod) or spec.get("schedulingGates") or not mine:
            return None
        reason = _unfit(pod, await _node(ctx))
        if reason:
            message = f"0/1 nodes are available: {reason}."
            found = conditions(
                (pod.get("status") or {}).get("conditions"), ("PodScheduled", "False", "Unschedulable", message)
            )
            await set_status(ctx.client, POD, pod, {"conditions": [_pod_condition(each) for each in found]})
            return Result(requeue_after=_UNBOUND)
        await _bind(ctx, pod)
        return None

    return controller


async def _node(ctx: Context) -> Unstructured | None:
    try:
        return await ctx.client.get(NODE_KIND, NODE)
    except NotFound:
        return None


def _unfit(pod: Unstructured, node: Unstructured | None) -> str:
    """Why a Pod cannot run on the node; empty when it can."""
    if node is None:
        return "the node of the embedded cluster has been deleted"
    daemon = any(ref.kind == "DaemonSet" for ref in pod.metadata.owner_references or ())
    if (node.get("spec") or {}).get("unschedulable") and not daemon:
        return "1 node(s) were unschedulable"
    labels = node.metadata.labels or {}
    selector = pod["spec"].get("nodeSelector") or {}
    if any(labels.get(name) != value for name, value in selector.items()):
        return "1 node(s) didn't match Pod's node affinity/selector"
    return ""


def _pod_condition(condition: Mapping[str, Any]) -> dict[str, Any]:
    """A condition of a Pod, which has a time of probing and none of updating."""
    found = {name: value for name, value in condition.items() if name != "lastUpdateTime"}
    return {"lastProbeTime": None, **found}


async def _bind(ctx: Context, pod: Unstructured) -> None:
    meta = pod.metadata
    body = {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": meta.name, "namespace": meta.namespace, "uid": meta.uid},
        "target": {"apiVersion": "v1", "kind": "Node", "name": NODE},
    }
    path = f"/api/v1/namespaces/{meta.namespace}/pods/{meta.name}/binding"
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    try:
        await ctx.client.call(HttpRequest("POST", path, [], headers, msgspec.json.encode(body)))
    except (Conflict, NotFound):
        return  # it is bound already, or deleted: its next event says which


def kubelet(client: Client) -> Controller[Any]:
    """Runs Pods that have a node, and ends those that are deleted.

    Args:
        client: writes the statuses, as the kubelet's own field manager.
    """
    controller = Controller(POD, name="kubelet", concurrency=4)

    @controller.requests  # a reconciler is not called for what is being deleted
    async def reconcile(request: Request, ctx: Context) -> Result | None:
        pod = ctx.get(POD, request.name)
        if pod is None:
            return None
        meta, status = pod.metadata, pod.get("status") or {}
        if not pod["spec"].get("nodeName"):
            return None
        if is_terminating(pod):
            if status.get("phase") == "Running":
                await set_status(client, POD, pod, _ended(pod, status))
            # The containers have ended: confirm the graceful deletion, as a kubelet does.
            await client.delete(POD, meta.name, namespace=meta.namespace, grace_period=0, uid=meta.uid, missing_ok=True)
            return None
        if status.get("phase") in (None, "Pending"):
            await set_status(client, POD, pod, _running(pod, status))
        return None

    return controller


def _running(pod: Unstructured, status: Mapping[str, Any]) -> dict[str, Any]:
    spec, moment = pod["spec"], now()
    finishes = any(ref.kind == "Job" for ref in pod.metadata.owner_references or ())
    ended = {"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": moment, "finishedAt": moment}}
    state = ended if finishes else {"running": {"startedAt": moment}}
    octets = hashlib.sha256(str(pod.metadata.uid).encode()).digest()
    address = f"10.244.{octets[0]}.{1 + octets[1] % 254}"
    ready, reason = "False" if finishes else "True", "PodCompleted" if finishes else ""
    found = {
        "phase": "Succeeded" if finishes else "Running",
        "conditions": _pod_conditions(
            status,
            ("PodReadyToStartContainers", ready, ""),
            ("Initialized", "True", reason),
            ("Ready", ready, reason),
            ("ContainersReady", ready, reason),
            ("PodScheduled", "True", ""),
        ),
        "hostIP": "127.0.0.1",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "startTime": status.get("startTime") or moment,
        "containerStatuses": [_container(pod, each, state, ready=not finishes) for each in spec["containers"]],
        "qosClass": status.get("qosClass", "BestEffort"),
    }
    first = spec.get("initContainers") or ()
    if first:
        found["initContainerStatuses"] = [_container(pod, each, ended, ready=True) for each in first]
    return found


def _ended(pod: Unstructured, status: Mapping[str, Any]) -> dict[str, Any]:
    """The status of a Pod whose containers have ended by themselves when they were asked to."""
    moment = now()
    statuses = []
    for container in status.get("containerStatuses") or ():
        started = ((container.get("state") or {}).get("running") or {}).get("startedAt", moment)
        ended = {"exitCode": 0, "reason": "Completed", "startedAt": started, "finishedAt": moment}
        statuses.append({**container, "ready": False, "started": False, "state": {"terminated": ended}})
    return {
        "phase": "Succeeded",
        "conditions": _pod_conditions(
            status,
            ("PodReadyToStartContainers", "False", ""),
            ("Ready", "False", "PodCompleted"),
            ("ContainersReady", "False", "PodCompleted"),
        ),
        "containerStatuses": statuses,
    }


def _pod_conditions(status: Mapping[str, Any], *wanted: tuple[str, str, str]) -> list[dict[str, Any]]:
    found = conditions(status.get("conditions"), *((type_, state, reason, "") for type_, state, reason in wanted))
    return [
        {name: value for name, value in _pod_condition(each).items() if value or name == "lastProbeTime"}
        for each in found
    ]


def _container(pod: Unstructured, container: Mapping[str, Any], state: Mapping[str, Any], *, ready: bool) -> Any:
    running = "running" in state
    return {
        "name": container["name"],
        "image": container["image"],
        "imageID": f"simulated://{container['image']}",
        "containerID": f"simulated://{pod.metadata.uid}/{container['name']}",
        "ready": ready,
        "started": running,
        "restartCount": 0,
        "lastState": {},
        "state": state,
    }
