"""ReplicaSets, ReplicationControllers and DaemonSets: so many Pods of one template, and no more.

Source: pkg/controller/replicaset, pkg/controller/daemon.
"""

from __future__ import annotations

from typing import Any

from zestor_controller.cluster.simulation.deployment import REPLICA_SET
from zestor_controller.cluster.simulation.ownedpod import (
    POD,
    available_pods,
    copied,
    digest,
    is_ready,
    is_terminating,
    letters,
    match_pods,
    owned,
)
from zestor_controller.cluster.simulation.statuswriter import set_status
from zestor_controller.controller import Context, Controller, Result
from zestor_controller.objects import Unstructured

__all__ = ["NODE", "daemon_sets", "replica_sets"]

NODE = "embedded-node"
DAEMON_SET = "apps/v1/DaemonSet"
REVISION_LABEL = "controller-revision-hash"


def replica_sets(kind: str = REPLICA_SET, name: str = "replicaset-controller") -> Controller[Any]:
    """The controller of ReplicaSets, or of ReplicationControllers, which differ in their selector only."""
    controller = Controller(kind, name=name).owns(POD)

    @controller.reconciler
    async def reconcile(replica_set: Unstructured, ctx: Context) -> Result | None:
        if is_terminating(replica_set):
            return None
        spec, uid = replica_set["spec"], replica_set.metadata.uid
        slots = range(int(spec.get("replicas", 1)))
        wanted = {f"{replica_set.metadata.name}-{letters(f'{uid}/{slot}', 5)}": spec["template"] for slot in slots}
        pods = await match_pods(ctx, replica_set, wanted)
        available, again = available_pods(pods.values(), spec.get("minReadySeconds", 0))
        status = {
            "observedGeneration": replica_set.metadata.generation,
            "replicas": len(pods),
            "fullyLabeledReplicas": len(pods) or None,
            "readyReplicas": sum(is_ready(pod) for pod in pods.values()) or None,
            "availableReplicas": available or None,
        }
        await set_status(ctx.client, kind, replica_set, status)
        return again

    return controller


def daemon_sets() -> Controller[Any]:
    """The controller of DaemonSets."""
    controller = Controller(DAEMON_SET, name="daemonset-controller").owns(POD)

    @controller.reconciler
    async def reconcile(daemon_set: Unstructured, ctx: Context) -> Result | None:
        if is_terminating(daemon_set):
            return None
        spec = daemon_set["spec"]
        revision = digest(spec["template"])
        template = copied(spec["template"])
        template.setdefault("metadata", {}).setdefault("labels", {})[REVISION_LABEL] = revision
        name = f"{daemon_set.metadata.name}-{letters(f'{daemon_set.metadata.uid}/{NODE}', 5)}"
        if (spec.get("updateStrategy") or {}).get("type") != "OnDelete":
            for pod in owned(ctx, POD, daemon_set).values():
                if not _is_of(pod, revision) and not is_terminating(pod):
                    await ctx.delete(POD, pod.metadata.name, namespace=pod.metadata.namespace)
        pods = await match_pods(ctx, daemon_set, {name: template})
        available, again = available_pods(pods.values(), spec.get("minReadySeconds", 0))
        status = {
            "observedGeneration": daemon_set.metadata.generation,
            "currentNumberScheduled": len(pods),
            "desiredNumberScheduled": 1,
            "numberMisscheduled": 0,
            "numberReady": sum(is_ready(pod) for pod in pods.values()),
            "numberAvailable": available or None,
            "numberUnavailable": 1 - available or None,
            "updatedNumberScheduled": sum(_is_of(pod, revision) for pod in pods.values()) or None,
        }
        await set_status(ctx.client, DAEMON_SET, daemon_set, status)
        return again

    return controller


def _is_of(pod: Unstructured, revision: str) -> bool:
    return (pod.metadata.labels or {}).get(REVISION_LABEL) == revision
