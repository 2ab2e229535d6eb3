"""The scheduler: binds Pods to the one node, unless it is cordoned or does not have the labels that a Pod selects."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec

from zestor_controller.cluster.simulation.node import NODE, NODE_KIND
from zestor_controller.cluster.simulation.ownedpod import POD, is_terminating
from zestor_controller.cluster.simulation.statuswriter import conditions, pod_condition, set_status
from zestor_controller.controller import Context, Controller, Result
from zestor_controller.errors import Conflict, NotFound
from zestor_controller.http import HttpRequest
from zestor_controller.objects import Unstructured

__all__ = ["DEFAULT_SCHEDULER", "scheduler"]

DEFAULT_SCHEDULER = "default-scheduler"
_UNBOUND = timedelta(seconds=1)


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
            await set_status(ctx.client, POD, pod, {"conditions": [pod_condition(each) for each in found]})
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
