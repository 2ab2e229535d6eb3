"""The kubelet: Pods that have a node run, and end when they are deleted.

Nothing runs in a container. A Pod is Running and Ready at once, and that of a Job succeeds.
Invariant: no state is written without the step that a cluster takes before it: a Pod is bound before it runs, and its
containers have ended before it is removed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from zestor_controller.client import Client
from zestor_controller.cluster.simulation.ownedpod import POD, is_terminating
from zestor_controller.cluster.simulation.statuswriter import conditions, now, pod_condition, set_status
from zestor_controller.controller import Context, Controller, Request, Result
from zestor_controller.objects import Unstructured

__all__ = ["kubelet"]

_ENDED = ("Succeeded", "Failed")


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
        {name: value for name, value in pod_condition(each).items() if value or name == "lastProbeTime"}
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
