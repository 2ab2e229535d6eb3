"""What a controller holds does not grow with what it has done: queue, runner, memory, outcomes."""

from __future__ import annotations

import asyncio
import gc
from collections import deque
from datetime import timedelta
from typing import Any

import pytest
from operating import Shop, operating, virtual
from plainserver import PlainServer

from zestor_controller import Context, Controller, Request, Result
from zestor_controller.controller.dispatch import Dispatcher
from zestor_controller.controller.memory import Memory
from zestor_controller.controller.runner import Runner
from zestor_controller.controller.workqueue import WorkQueue
from zestor_controller.errors import Conflict, Forbidden, TerminalError

OURS = "demo.example.org/cleanup"
PARTS = (Runner, Dispatcher, Memory, WorkQueue)


def held(owner: object, seen: set[int] | None = None) -> dict[str, int]:
    """The number of entries in each container of a runner and of its parts."""
    seen = set() if seen is None else seen
    seen.add(id(owner))
    names = getattr(type(owner), "__slots__", ()) or vars(owner)
    found: dict[str, int] = {}
    for name in names:
        value = getattr(owner, name)
        if isinstance(value, PARTS) and id(value) not in seen:
            found |= held(value, seen)
        elif isinstance(value, dict | list | set | deque):
            found[f"{type(owner).__name__}.{name}"] = len(value)
    return found


@virtual
async def test_nothing_is_kept_of_objects_that_have_come_and_gone_however_their_runs_ended() -> None:
    shops = Controller(Shop, concurrency=4)
    failures = [ValueError("boom"), TerminalError("no"), Conflict("late"), Forbidden("denied"), None]
    attempts: dict[str, int] = {}

    def fail(where: str, name: str) -> None:
        attempts[f"{where}/{name}"] = attempts.get(f"{where}/{name}", 0) + 1
        error = failures[int(name[1:]) % len(failures)]
        if error is not None and attempts[f"{where}/{name}"] == 1:
            raise error

    @shops.reconciler
    async def reconcile(shop: Shop, ctx: Context) -> Result:
        fail("reconcile", shop.metadata.name)
        return Result(requeue_after=timedelta(hours=1))

    @shops.finalizer(OURS)
    async def cleanup(shop: Shop, ctx: Context) -> None:
        if int(shop.metadata.name[1:]) % 2:
            fail("cleanup", shop.metadata.name)

    @shops.deleted
    async def deleted(request: Request, last: Shop | None, ctx: Context) -> None:
        fail("deleted", request.name)

    async with operating(shops) as op:
        await op.ready()
        runner: Runner[Any] = op.manager._runners[0]
        before = held(runner)
        for n in range(60):
            op.server.put("shops", f"s{n}")
        await op.until(lambda: len({key for key in attempts if key.startswith("reconcile")}) == 60)
        for n in range(60):
            op.server.take("shops", f"s{n}")
        await asyncio.sleep(100)
        for n in range(60):  # a terminal error of a cleanup waits for a change
            if ("shops", "default", f"s{n}") in op.server.objects:
                op.server.put("shops", f"s{n}", metadata={"labels": {"again": "yes"}})
        await asyncio.sleep(100)
        assert op.manager.outcomes.list() == []
        gc.collect()
        after = held(runner)
        assert op.server.names("shops") == []
    grown = {name: (before[name], after[name]) for name in after if after[name] > before[name]}
    assert grown.keys() <= {"WorkQueue._timers"}
    assert after["WorkQueue._timers"] <= 64


@pytest.mark.parametrize("way", ["requeue", "fail"])
@virtual
async def test_one_key_that_runs_again_and_again_holds_what_it_held_at_first(way: str) -> None:
    shops = Controller(Shop)
    runs: list[int] = []

    @shops.reconciler
    async def reconcile(shop: Shop, ctx: Context) -> Result | None:
        runs.append(1)
        if way == "fail":
            raise ValueError("boom")
        return Result(requeue_after=timedelta(hours=10))

    async with operating(shops, server=PlainServer()) as op:
        op.server.put("shops", "a")
        await op.until(lambda: runs)
        first = held(op.manager._runners[0])
        for n in range(300):
            op.server.put("shops", "a", spec={"size": n + 2})
            await op.until(lambda n=n: len(runs) > n + 1)
        last = held(op.manager._runners[0])
    assert {name: size for name, size in last.items() if size > first[name] + 1} in ({}, {"WorkQueue._timers": 64})
