"""DaemonSets: one Pod of the template on each node, which is one Pod here.

Source: pkg/controller/daemon.
"""

from __future__ import annotations

from typing import Any

from zestor_controller.cluster.simulation.node import NODE
from zestor_controller.cluster.simulation.ownedpod import (
    POD,
    REVISION_LABEL,
    available_pods,
    copied,
    digest,
    is_of_revision,
    is_ready,
    is_terminating,
    letters,
    match_pods,
    owned,
)
from zestor_controller.cluster.simulation.statuswriter import set_status
from zestor_controller.controller import Context, Controller, Result
from zestor_controller.objects import Unstructured

__all__ = ["DAEMON_SET", "daemon_sets"]

DAEMON_SET = "apps/v1/DaemonSet"


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
                if not is_of_revision(pod, revision) and not is_terminating(pod):
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
            "updatedNumberScheduled": sum(is_of_revision(pod, revision) for pod in pods.values()) or None,
        }
        await set_status(ctx.client, DAEMON_SET, daemon_set, status)
        return again

    return controller
