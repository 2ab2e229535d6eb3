"""The controller manager of an embedded cluster: garbage collection, namespaces, aggregated roles, workloads.

Invariant: it reaches the server in memory and as any client does; it reads and writes nothing of the server's own.
"""

from __future__ import annotations

import asyncio
from typing import Final

from zestor_controller.apiserver import ApiServer
from zestor_controller.apiserver.discovery.groups import GIT_VERSION
from zestor_controller.cache import ClusterCache
from zestor_controller.client import Client, MemoryTransport
from zestor_controller.cluster.simulation import GarbageCollector, simulated_controllers
from zestor_controller.cluster.simulation.node import NODE
from zestor_controller.errors import AlreadyExists
from zestor_controller.manager import Manager

__all__ = ["ControllerManager"]

CONTROLLER_MANAGER: Final = "kube-controller-manager"
KUBELET: Final = "kubelet"


class ControllerManager:
    """The controllers of a cluster, run beside its server.

    Args:
        api: the server; it is reached in memory.
        token: an administrator's.
        ca: the certificate of the server's authority, as PEM text: each namespace gets it in a ConfigMap.
    """

    def __init__(self, api: ApiServer, token: str, ca: str = "") -> None:
        self._api = api
        self._token = token
        self._ca = ca

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set."""
        transport = MemoryTransport(
            self._api, {"Authorization": f"Bearer {self._token}", "User-Agent": "zestor-cluster"}
        )
        client = Client(transport, field_manager=CONTROLLER_MANAGER)
        node_client = Client(transport, field_manager=KUBELET)
        await _make_node(node_client)
        manager = Manager(*simulated_controllers(node_client, self._ca))
        async with ClusterCache(client) as cache, asyncio.TaskGroup() as tasks:
            collector = tasks.create_task(GarbageCollector(client, cache).run(), name="collector")
            managing = tasks.create_task(manager.serve(stop, client=client), name="controllers")
            await stop.wait()
            collector.cancel()
            await managing


async def _make_node(client: Client) -> None:
    """The one node on which simulated Pods run."""
    node = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": NODE, "labels": {"kubernetes.io/hostname": NODE, "kubernetes.io/os": "linux"}},
    }
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "KubeletReady",
        "message": "the embedded node is simulated",
    }
    capacity = {"cpu": "64", "memory": "256Gi", "pods": "10000"}
    try:
        made = await client.create("v1/Node", node)
    except AlreadyExists:
        return
    info = {"kubeletVersion": GIT_VERSION, "operatingSystem": "linux", "architecture": "amd64", "osImage": "simulated"}
    made["status"] = {"conditions": [ready], "capacity": capacity, "allocatable": capacity, "nodeInfo": info}
    await client.apply_status(made, field_manager=KUBELET)
