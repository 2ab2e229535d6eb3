"""Deleted objects: ``deleted`` once for each uid with the last known state, and no reconcile while one is going."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import Any

import pytest
from operating import Shop, operating, virtual

from zestor_controller import Context, Controller, Request, Result
from zestor_controller.errors import TerminalError

OURS, THEIRS = "demo.example.org/cleanup", "other.example.org/hold"


class Calls:
    """A controller that notes which of its functions were called, and for which uid."""

    def __init__(self, *, finalizer: bool = False, fails: tuple[BaseException, ...] = ()) -> None:
        self.controller = Controller(Shop).owns("v1/ConfigMap")
        self.deleted: list[tuple[str, str | None]] = []
        self.reconciled: list[str] = []
        failures = list(fails)

        @self.controller.reconciler
        async def reconcile(shop: Shop, ctx: Context) -> None:
            self.reconciled.append(f"{shop.metadata.uid}{' going' if shop.metadata.deletion_timestamp else ''}")

        @self.controller.deleted
        async def deleted(request: Request, last: Shop | None, ctx: Context) -> None:
            self.deleted.append((str(request), last.metadata.uid if last else None))
            if failures:
                raise failures.pop(0)

        if finalizer:

            @self.controller.finalizer(OURS)
            async def cleanup(shop: Shop, ctx: Context) -> None: ...


def child(owner: dict[str, Any]) -> dict[str, Any]:
    reference = {"apiVersion": "demo.example.org/v1", "kind": "Shop", "name": "a", "controller": True}
    return {"ownerReferences": [{**reference, "uid": owner["metadata"]["uid"]}]}


@pytest.mark.parametrize("finalizer", [False, True])
@virtual
async def test_children_that_go_after_their_owner_report_its_deletion_no_second_time(finalizer: bool) -> None:
    calls = Calls(finalizer=finalizer)
    async with operating(calls.controller) as op:
        shop = op.server.put("shops", "a")
        for name in ("x", "y"):
            op.server.put("configmaps", name, metadata=child(shop))
        await op.until(lambda: calls.reconciled)
        op.server.take("shops", "a")
        await op.until(lambda: calls.deleted)
        for name in ("x", "y"):
            op.server.take("configmaps", name)
            await asyncio.sleep(1)
    assert calls.deleted == [("default/a", shop["metadata"]["uid"])]


@virtual
async def test_a_name_that_is_made_anew_reports_each_of_its_objects_once() -> None:
    calls = Calls()
    async with operating(calls.controller) as op:
        uids = []
        for size in range(1, 4):
            uids.append(op.server.put("shops", "a", spec={"size": size})["metadata"]["uid"])
            await op.until(lambda: calls.reconciled and calls.reconciled[-1] == uids[-1])
            op.server.take("shops", "a")  # the next one is made before the worker has its turn
        await op.until(lambda: len(calls.deleted) == 3)
        await asyncio.sleep(1)
    assert calls.deleted == [("default/a", uid) for uid in uids]


@virtual
async def test_a_deletion_by_the_controller_itself_is_reported_once_with_the_last_state() -> None:
    shops = Controller(Shop)
    reported: list[int | None] = []

    @shops.reconciler
    async def reconcile(shop: Shop, ctx: Context) -> Result:
        await ctx.delete(Shop, shop.metadata.name)
        return Result(requeue_after=timedelta(0))  # once more, while only this process knows of the deletion

    @shops.deleted
    async def deleted(request: Request, last: Shop | None, ctx: Context) -> None:
        reported.append(last.spec.size if last else None)

    async with operating(shops) as op:
        op.server.put("shops", "a", spec={"size": 7})
        await op.until(lambda: reported)
        await asyncio.sleep(1)
    assert reported == [7]


@virtual
async def test_a_failing_deleted_function_is_retried_until_it_succeeds_and_then_no_more() -> None:
    calls = Calls(fails=(ValueError("once"), ValueError("twice")))
    async with operating(calls.controller) as op:
        uid = op.server.put("shops", "a")["metadata"]["uid"]
        await op.until(lambda: calls.reconciled)
        op.server.take("shops", "a")
        await op.until(lambda: len(calls.deleted) == 3)
        op.server.put("shops", "a")
        await op.until(lambda: len(calls.reconciled) > 1)
        await asyncio.sleep(1)
    assert calls.deleted == [("default/a", uid)] * 3


@virtual
async def test_a_terminal_error_of_deleted_neither_retries_nor_holds_up_the_next_object_of_the_name() -> None:
    calls = Calls(fails=(TerminalError("no more of this"),))
    async with operating(calls.controller) as op:
        op.server.put("shops", "a")
        await op.until(lambda: calls.reconciled)
        op.server.take("shops", "a")
        newer = op.server.put("shops", "a")["metadata"]["uid"]
        await op.until(lambda: calls.reconciled[-1] == newer)
        await asyncio.sleep(30)
        assert len(calls.deleted) == 1
        op.server.take("shops", "a")
        await op.until(lambda: len(calls.deleted) == 2)
        await op.until(lambda: op.outcome(calls.controller, "default/a") is None)  # nothing is kept of what is over


@pytest.mark.parametrize("finalizer", [False, True])
@virtual
async def test_an_object_that_is_going_is_not_reconciled_with_and_without_a_finalizer(finalizer: bool) -> None:
    calls = Calls(finalizer=finalizer)
    async with operating(calls.controller) as op:
        shop = op.server.put("shops", "a", metadata={"finalizers": [THEIRS]})
        await op.until(lambda: calls.reconciled)
        op.server.take("shops", "a")
        op.server.put("configmaps", "x", metadata=child(shop))
        await op.until(lambda: op.server.objects["shops", "default", "a"]["metadata"]["finalizers"] == [THEIRS])
        await asyncio.sleep(1)
        op.server.put("shops", "a", spec={"size": 9})
        await asyncio.sleep(1)
        assert not [uid for uid in calls.reconciled if uid.endswith("going")]
        assert calls.deleted == []
        op.server.put("shops", "a", metadata={"finalizers": None})
        await op.until(lambda: calls.deleted)


@virtual
async def test_an_owner_is_woken_by_a_child_that_the_childs_model_rejects(caplog: pytest.LogCaptureFixture) -> None:
    regions = Controller("v1/ConfigMap", name="regions").owns(Shop)
    maps = Controller("v1/ConfigMap", name="maps").watches(Shop, map=lambda shop: [f"default/{shop.spec.size}"])
    causes: list[str] = []

    @regions.reconciler
    async def reconcile(obj: Any, ctx: Context) -> None:
        causes.extend(ctx.causes)

    @maps.reconciler
    async def ignore(obj: Any, ctx: Context) -> None: ...

    async with operating(regions, maps) as op:
        owner = op.server.put("configmaps", "a")
        await op.until(lambda: causes)
        reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "controller": True}
        reference["uid"] = owner["metadata"]["uid"]
        with caplog.at_level(logging.WARNING):
            op.server.put("shops", "b", spec={"size": "many"}, metadata={"ownerReferences": [reference]})
            await op.until(lambda: "create shops.demo.example.org default/b" in causes)
            await op.until(
                lambda: "the map function of shops.demo.example.org is not called for default/b" in caplog.text
            )
