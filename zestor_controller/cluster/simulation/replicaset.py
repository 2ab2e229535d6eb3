"""ReplicaSets and ReplicationControllers: so many Pods of one template, and no more.

Source: pkg/controller/replicaset.
"""

from __future__ import annotations

from typing import Any

from zestor_controller.cluster.simulation.ownedpod import (
    POD,
    available_pods,
    is_ready,
    is_terminating,
    letters,
    match_pods,
)
from zestor_controller.cluster.simulation.statuswriter import set_status
from zestor_controller.controller import Context, Controller, Result
from zestor_controller.objects import Unstructured

__all__ = ["REPLICA_SET", "replica_sets"]

REPLICA_SET = "apps/v1/ReplicaSet"


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
