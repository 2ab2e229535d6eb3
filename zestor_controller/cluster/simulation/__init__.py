"""Simulated controllers of a cluster: kube-controller-manager, the scheduler and a kubelet, one module each.

They are written with this toolkit as any operator is: nothing runs in a container. What is simulated and what is only
stored is listed in ``docs/reference/embedded-cluster.md``.
"""

from __future__ import annotations

from typing import Any

from zestor_controller.client import Client
from zestor_controller.cluster.simulation.clusterrole import aggregated_roles
from zestor_controller.cluster.simulation.daemonset import daemon_sets
from zestor_controller.cluster.simulation.deployment import deployments
from zestor_controller.cluster.simulation.garbagecollector import GarbageCollector
from zestor_controller.cluster.simulation.job import jobs
from zestor_controller.cluster.simulation.kubelet import kubelet
from zestor_controller.cluster.simulation.namespace import namespaces
from zestor_controller.cluster.simulation.poddisruptionbudget import disruption_budgets
from zestor_controller.cluster.simulation.replicaset import replica_sets
from zestor_controller.cluster.simulation.rootcertificate import root_certificates
from zestor_controller.cluster.simulation.scheduler import scheduler
from zestor_controller.cluster.simulation.serviceaccount import service_accounts
from zestor_controller.cluster.simulation.statefulset import stateful_sets
from zestor_controller.controller import Controller

__all__ = ["GarbageCollector", "simulated_controllers"]


def simulated_controllers(node_client: Client, ca: str) -> list[Controller[Any]]:
    """Fresh controllers of everything that is simulated, but for the garbage collector.

    Args:
        node_client: writes as the kubelet does, under its field manager.
        ca: the certificate of the server's authority, as PEM text; without one no namespace gets it.
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
        service_accounts(),
        *([root_certificates(ca)] if ca else []),
        namespaces(),
        aggregated_roles(),
    ]
