"""Workloads that come alive: Deployments make ReplicaSets, those make Pods, and Pods become ready.

A simulation of kube-controller-manager's workload controllers, of the scheduler and of a kubelet, written with this
toolkit as any operator is: nothing runs in a container. What is simulated and what is only stored stands in
``docs/reference/embedded-cluster.md``.
"""

from __future__ import annotations

from typing import Any

from zestor_controller.client import Client
from zestor_controller.cluster.simulation.deployment import deployments
from zestor_controller.cluster.simulation.job import jobs
from zestor_controller.cluster.simulation.kubelet import kubelet, scheduler
from zestor_controller.cluster.simulation.poddisruptionbudget import disruption_budgets
from zestor_controller.cluster.simulation.replicaset import NODE, daemon_sets, replica_sets
from zestor_controller.cluster.simulation.statefulset import stateful_sets
from zestor_controller.controller import Controller

__all__ = ["NODE", "workload_controllers"]


def workload_controllers(node_client: Client) -> list[Controller[Any]]:
    """Fresh controllers for everything that makes Pods, and for the Pods themselves.

    Args:
        node_client: writes as the kubelet does, under its field manager.
    """
    return [
        deployments(),
        replica_sets(),
        replica_sets("v1/ReplicationController", "replication-controller"),
        stateful_sets(),
        daemon_sets(),
        jobs(),
        disruption_budgets(),
        scheduler(),
        kubelet(node_client),
    ]
