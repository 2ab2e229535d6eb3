"""``ctx.kubernetes_client()``: the official client, for the operator's cluster and by the operator's rules."""

from __future__ import annotations

import asyncio

import kubernetes
import pytest

from zestor_controller import BlockingContext, Client, Context, Controller, EmbeddedCluster, Manager, Unstructured
from zestor_controller.client import MemoryTransport, WriteGate
from zestor_controller.client.officialclient import official_client
from zestor_controller.errors import ConfigError, TransportError
from zestor_controller.testing.scripted import ScriptedServer


def write(client: object, name: str) -> None:
    body = {"metadata": {"name": name}}
    kubernetes.client.CoreV1Api(client).create_namespaced_config_map("default", body)


async def operate(cluster: EmbeddedCluster, controller: Controller[Unstructured], written: str) -> None:
    """Run a controller until it has written a ConfigMap."""
    stop = asyncio.Event()
    manager = Manager(controller, kubeconfig=cluster.kubeconfig)
    running = asyncio.create_task(manager.serve(stop))
    await cluster.client.wait_for("v1/ConfigMap", written, bool, namespace="default")
    stop.set()
    await running


async def test_an_async_reconcile_reaches_the_operators_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/of/another/cluster")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.invalid:3128")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    names = Controller("v1/Namespace", name="names")

    @names.reconciler
    async def reconcile(obj: Unstructured, ctx: Context) -> None:
        if obj.metadata.name == "default":
            await asyncio.to_thread(write, ctx.kubernetes_client(), "by-the-official-client")

    async with EmbeddedCluster() as cluster:
        await operate(cluster, names, "by-the-official-client")


async def test_a_plain_reconcile_has_it_too_and_one_client_serves_all_calls() -> None:
    names = Controller("v1/Namespace", name="names")
    seen = []

    @names.reconciler
    def reconcile(obj: Unstructured, ctx: BlockingContext) -> None:
        seen.append(ctx.kubernetes_client())
        if obj.metadata.name == "default":
            write(ctx.kubernetes_client(), "by-a-thread")

    async with EmbeddedCluster() as cluster:
        await operate(cluster, names, "by-a-thread")
    assert len({id(client) for client in seen}) == 1


async def test_a_call_on_the_loop_itself_does_not_wait_for_the_loop() -> None:
    async with EmbeddedCluster() as cluster, Client.connect(cluster.kubeconfig) as client:
        await client.list("v1/Namespace")
        official = official_client(client.transport, asyncio.get_running_loop())
        write(official, "blocking")  # the server has a loop of its own
        assert await client.get("v1/ConfigMap", "blocking", namespace="default")


async def test_a_write_is_refused_while_the_gate_is_closed() -> None:
    gate = WriteGate()
    async with EmbeddedCluster() as cluster, Client.connect(cluster.kubeconfig, gate=gate) as client:
        await client.list("v1/Namespace")
        official = official_client(client.transport, asyncio.get_running_loop())
        gate.close("another replica leads")
        with pytest.raises(TransportError, match="another replica leads"):
            await asyncio.to_thread(write, official, "fenced")
        assert await asyncio.to_thread(kubernetes.client.CoreV1Api(official).list_namespace)


async def test_impersonation_is_that_of_the_operator() -> None:
    async with EmbeddedCluster() as cluster, Client.connect(cluster.kubeconfig) as client:
        await client.list("v1/Namespace")
        official = official_client(client.transport, asyncio.get_running_loop())
        client.transport.config.extra.append(("Impersonate-User", "somebody"))  # type: ignore[attr-defined]
        await asyncio.to_thread(write, official, "impersonated")
        user = next(record.user for record in cluster.requests if record.verb == "create")
        assert user == "somebody"


async def test_a_server_in_memory_has_no_official_client() -> None:
    with pytest.raises(ConfigError, match="in memory"):
        official_client(MemoryTransport(ScriptedServer()), asyncio.get_running_loop())
