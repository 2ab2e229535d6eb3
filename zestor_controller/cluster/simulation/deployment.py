"""Deployments: a ReplicaSet for each template, rolled over by the strategy, the oldest ones removed.

Invariant: a Deployment itself is written through its status only, annotations included, so that its generation counts
what users change and nothing else.

Source: pkg/controller/deployment.
"""

from __future__ import annotations

from typing import Any

from zestor_controller.cluster.simulation.ownedpod import is_terminating, owned
from zestor_controller.cluster.simulation.replicaset import REPLICA_SET
from zestor_controller.cluster.simulation.rollout import REVISION, Rollout
from zestor_controller.cluster.simulation.statuswriter import set_status
from zestor_controller.controller import Context, Controller, Result
from zestor_controller.errors import AlreadyExists, NotFound
from zestor_controller.objects import MergePatch, Unstructured

__all__ = ["DEPLOYMENT", "deployments"]

DEPLOYMENT = "apps/v1/Deployment"


def deployments() -> Controller[Any]:
    """The controller of Deployments."""
    controller = Controller(DEPLOYMENT, name="deployment-controller").owns(REPLICA_SET)

    @controller.reconciler
    async def reconcile(deployment: Unstructured, ctx: Context) -> Result | None:
        if is_terminating(deployment):
            return None
        found = owned(ctx, REPLICA_SET, deployment)
        rollout = Rollout(deployment, {name: each for name, each in found.items() if not is_terminating(each)})
        if not deployment["spec"].get("paused"):
            await _ensure_current(ctx, rollout)
        for replica_set, replicas in rollout.scaling():
            await _scale(ctx, rollout, replica_set, replicas)
        annotations = {REVISION: str(rollout.revision)} if rollout.current is not None else None
        await set_status(ctx.client, DEPLOYMENT, deployment, rollout.status(), annotations)
        for replica_set in rollout.superfluous():
            await ctx.delete(REPLICA_SET, replica_set.metadata.name, namespace=replica_set.metadata.namespace)
        return None

    return controller


async def _ensure_current(ctx: Context, rollout: Rollout) -> None:
    """Create the ReplicaSet of the present template, or bring the annotations of the one that is there up to date."""
    current = rollout.current
    if current is None:
        replicas = rollout.first_replicas()
        if replicas is None:
            return
        try:
            made = await ctx.client.create(
                REPLICA_SET, rollout.replica_set(replicas), namespace=rollout.deployment.metadata.namespace
            )
        except AlreadyExists:
            return  # the cache has not seen it yet, or it is being deleted
        rollout.sets[made.metadata.name] = made
        return
    changes: dict[str, Any] = {}
    known = current.metadata.annotations or {}
    added = {name: value for name, value in rollout.annotations().items() if known.get(name) != value}
    if added:
        changes["metadata"] = {"annotations": added}
    delay = rollout.spec.get("minReadySeconds", 0)
    if current["spec"].get("minReadySeconds", 0) != delay:
        changes["spec"] = {"minReadySeconds": delay}
    if changes:
        await _patch(ctx, current, changes)


async def _scale(ctx: Context, rollout: Rollout, replica_set: Unstructured, replicas: int) -> None:
    patch = {"metadata": {"annotations": rollout.sizes()}, "spec": {"replicas": replicas}}
    await _patch(ctx, replica_set, patch)


async def _patch(ctx: Context, replica_set: Unstructured, patch: dict[str, Any]) -> None:
    name, namespace = replica_set.metadata.name, replica_set.metadata.namespace
    try:
        await ctx.client.patch(REPLICA_SET, name, MergePatch(patch), namespace=namespace)
    except NotFound:
        return
