"""The promises of reconciling once more, on the embedded API server: its apply, its finalizers, its Events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from operating import Shop, virtual

from zestor_controller import Client, Context, Controller, Manager, Request, Unstructured
from zestor_controller.apiserver import ApiServer
from zestor_controller.apiserver.auth.authentication import ADMINISTRATOR, TokenAuthenticator
from zestor_controller.client import MemoryTransport
from zestor_controller.crd import crd_for

CRD = "apiextensions.k8s.io/v1/CustomResourceDefinition"
OURS = "demo.example.org/cleanup"


@asynccontextmanager
async def at_work(*controllers: Controller[Shop]) -> AsyncIterator[tuple[Client, Manager]]:
    """The controllers at work on a server that serves Shops."""
    server = ApiServer(TokenAuthenticator({"token": ADMINISTRATOR}))
    transport = MemoryTransport(server, {"Authorization": "Bearer token"})
    async with Client(transport) as client:
        await client.create(CRD, crd_for(Shop))
        await client.wait_for(CRD, "shops.demo.example.org", until="Established", namespace=None)
        manager, stop = Manager(*controllers), asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(manager.serve(stop, client=client))
            yield client, manager
            stop.set()


async def until(condition: object, within: float = 60.0) -> None:
    assert callable(condition)
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110 - any state of manager and test may be asked for
            await asyncio.sleep(within / 2000)


@virtual
async def test_r5_an_unchanged_apply_and_status_cause_no_reconcile_on_a_real_server() -> None:
    shops = Controller(Shop).owns("v1/ConfigMap")
    runs: list[tuple[str, ...]] = []

    @shops.reconciler
    async def reconcile(shop: Shop, ctx: Context) -> None:
        runs.append(ctx.causes)
        made = await ctx.apply(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "till"}, "data": {"a": "1"}}
        )
        shop.status.open = made["data"] == {"a": "1"}
        await ctx.apply_status(shop)

    async with at_work(shops) as (client, _):
        await client.create(Shop(metadata={"name": "a"}), namespace="default")
        shop = await client.wait_for(Shop, "a", until=lambda obj: obj is not None and obj.status.open)
        till = await client.get("v1/ConfigMap", "till")
        assert [reference.uid for reference in till.metadata.owner_references or ()] == [shop.metadata.uid]
        with pytest.raises(TimeoutError):
            await until(lambda: len(runs) > 4, within=600)
        assert (await client.get(Shop, "a")).metadata.resource_version == shop.metadata.resource_version


@virtual
async def test_r4_cleanup_holds_the_object_on_a_real_server() -> None:
    shops = Controller(Shop)
    delivered: list[str] = []

    @shops.reconciler
    async def reconcile(shop: Shop, ctx: Context) -> None:
        assert OURS in (shop.metadata.finalizers or ())
        delivered.append("reconcile")

    @shops.finalizer(OURS)
    async def cleanup(shop: Shop, ctx: Context) -> None:
        assert (await ctx.client.get(Shop, ctx.request.name)).metadata.deletion_timestamp
        delivered.append("cleanup")
        if delivered.count("cleanup") == 1:
            raise ValueError("once more")

    @shops.deleted
    async def deleted(request: Request, last: Shop | None, ctx: Context) -> None:
        delivered.append(f"deleted {request} of size {last.spec.size if last else None}")

    async with at_work(shops) as (client, _):
        await client.create(Shop(metadata={"name": "a"}, spec={"size": 3}), namespace="default")
        await until(lambda: "reconcile" in delivered)
        await client.delete(Shop, "a")
        await until(lambda: delivered[-1].startswith("deleted"))
    assert [word for word in delivered if word != "reconcile"] == ["cleanup", "cleanup", "deleted default/a of size 3"]


@virtual
async def test_events_are_accepted_by_a_real_server_and_their_series_too() -> None:
    shops = Controller(Shop)

    @shops.reconciler
    async def reconcile(shop: Shop, ctx: Context) -> None:
        ctx.event("Opened", "the shop is open", action="Open")

    def runs() -> int:
        outcome = manager.outcomes.get(f"{shops.name}/default/a")
        return outcome.runs if outcome is not None else 0

    async with at_work(shops) as (client, manager):
        await client.create(Shop(metadata={"name": "a"}), namespace="default")
        for size in (2, 3):
            await until(
                lambda size=size: (seen := manager.outcomes.get(f"{shops.name}/default/a")) and seen.runs >= size - 1
            )
            await client.apply(Shop(metadata={"name": "a"}, spec={"size": size}), namespace="default")
        await until(lambda: runs() >= 3)

        def series(event: Unstructured | None) -> object:
            return event is not None and (event.get("series") or {}).get("count") == 3

        (event,) = await client.list("events.k8s.io/v1/Event", namespace="default")
        done = await client.wait_for("events.k8s.io/v1/Event", event.metadata.name or "", until=series)
        assert (done["regarding"]["name"], done["reason"], done["note"]) == ("a", "Opened", "the shop is open")


@virtual
async def test_a_child_of_a_kind_that_only_the_server_knows_is_applied() -> None:
    shops = Controller(Shop)
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    names = {"kind": "Sign", "listKind": "SignList", "plural": "signs", "singular": "sign"}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    signs = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "signs.only.example.org"},
        "spec": {"group": "only.example.org", "names": names, "scope": "Namespaced", "versions": [version]},
    }

    @shops.reconciler
    async def reconcile(shop: Shop, ctx: Context) -> None:
        await ctx.apply(
            {"apiVersion": "only.example.org/v1", "kind": "Sign", "metadata": {"name": "door"}, "text": "x"}
        )

    async with at_work(shops) as (client, manager):
        await client.create(CRD, signs)
        await client.wait_for(CRD, "signs.only.example.org", until="Established", namespace=None)
        await client.create(Shop(metadata={"name": "a"}), namespace="default")
        await until(lambda: manager.outcomes.get(f"{shops.name}/default/a"))
        sign = await client.get("only.example.org/v1/Sign", "door")
        assert [reference.name for reference in sign.metadata.owner_references or ()] == ["a"]
