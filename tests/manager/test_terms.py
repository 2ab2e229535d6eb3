"""What a term of leadership leaves behind: its runs keep their keys, and write nothing in the next term (Q1, L1)."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from operating import virtual

from zestor_controller import Client, Context, Controller, LeaderElection, Manager, Request, Unstructured
from zestor_controller.apiserver import ApiServer
from zestor_controller.apiserver.auth.authentication import ADMINISTRATOR, TokenAuthenticator
from zestor_controller.client import MemoryTransport
from zestor_controller.controller import BlockingContext
from zestor_controller.errors import TransportError, ZestorError
from zestor_controller.http import HttpRequest, HttpResponse
from zestor_controller.objects import MergePatch

KIND = "v1/ConfigMap"
EVENT = "events.k8s.io/v1/Event"


@dataclass
class Terms:
    """One replica, whose lease requests can be cut, so that its term ends and a new one begins."""

    manager: Manager
    client: Client
    cut: bool = False
    api: ApiServer = field(default_factory=lambda: ApiServer(TokenAuthenticator({"t": ADMINISTRATOR})))

    async def handle(self, request: HttpRequest) -> HttpResponse:
        if self.cut and "/leases" in request.path:
            raise TransportError("the network to the lease is cut")
        return await self.api.handle(request)

    async def next_term(self) -> None:
        """End the term, and return when the next one has begun."""
        self.cut = True
        await until(lambda: self.manager.gate.closed)
        await asyncio.sleep(3)
        self.cut = False
        await until(lambda: not self.manager.gate.closed)


async def until(condition: Callable[[], object], within: float = 200.0) -> None:
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110 - any state of manager and test may be asked for
            await asyncio.sleep(0.05)


@asynccontextmanager
async def one_replica(controller: Controller[Any]) -> AsyncIterator[Terms]:
    manager = Manager(controller, namespaces=["default"], leader_election=LeaderElection("shops"))
    terms = Terms(manager, None)  # type: ignore[arg-type]  # set below
    headers = {"Authorization": "Bearer t"}
    terms.client = Client(MemoryTransport(terms.api, headers))
    await terms.client.create(KIND, {"metadata": {"name": "work"}}, namespace="default")
    stop = asyncio.Event()
    async with Client(MemoryTransport(terms, headers, gate=manager.gate)) as client:
        task = asyncio.create_task(manager.serve(stop, client=client))
        try:
            await until(lambda: not manager.gate.closed)
            yield terms
        finally:
            stop.set()
            await task


async def sleeping(seconds: float) -> None:
    """Sleep so long, even when cancelled."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while loop.time() < end:
        try:
            await asyncio.sleep(end - loop.time())
        except asyncio.CancelledError:
            continue


def written(by: str) -> MergePatch:
    return MergePatch({"data": {by: "was here"}})


async def data(terms: Terms) -> dict[str, str]:
    found: dict[str, str] = (await terms.client.get(KIND, "work", namespace="default")).get("data") or {}
    return found


@virtual
async def test_q1_a_run_that_outlives_its_term_keeps_its_key_in_the_next_ones() -> None:
    controller = Controller(KIND, name="shops")
    running: list[int] = []
    most: list[int] = []
    runs: list[str] = []

    @controller.reconciler
    async def reconcile(obj: Unstructured, ctx: Context) -> None:
        runs.append(obj.metadata.name)
        if obj.metadata.name != "work":
            return
        running.append(len(runs))
        most.append(len(running))
        if len(most) == 1:
            await sleeping(100)
        running.remove(running[0])

    async with one_replica(controller) as terms:
        await until(lambda: "work" in runs)
        await terms.next_term()
        await terms.next_term()
        runs.clear()
        await terms.client.create(KIND, {"metadata": {"name": "other"}}, namespace="default")
        await until(lambda: "other" in runs)  # the worker goes on with others
        assert len(most) == 1
        await until(lambda: len(most) == 2)  # the key is let go when the run has ended, and runs then
        assert most == [1, 1]


@virtual
async def test_l1_what_a_run_of_an_ended_term_still_writes_is_refused_in_the_next(
    caplog: pytest.LogCaptureFixture,
) -> None:
    controller = Controller(KIND, name="shops")
    refusals: dict[str, ZestorError] = {}
    runs: list[int] = []

    async def writes(name: str, ctx: Context) -> None:
        try:
            await ctx.client.patch(KIND, "work", written(name), namespace="default")
        except ZestorError as error:
            refusals[name] = error

    @controller.reconciler
    async def reconcile(obj: Unstructured, ctx: Context) -> None:
        if obj.metadata.name != "work":
            return
        runs.append(1)
        if len(runs) > 1:
            await ctx.client.patch(KIND, "work", written("next-term"), namespace="default")
            return
        loop, tasks = asyncio.get_running_loop(), set()
        loop.call_later(50, lambda: tasks.add(loop.create_task(writes("timer", ctx))))
        background = asyncio.create_task(sleeping(50))
        background.add_done_callback(lambda _: tasks.add(loop.create_task(writes("background", ctx))))
        await sleeping(60)
        await writes("run", ctx)
        try:
            ctx.event("Late", "an Event of an ended term")
        except ZestorError as error:
            refusals["event"] = error

    async with one_replica(controller) as terms:
        await until(lambda: runs)
        await terms.next_term()
        with caplog.at_level(logging.INFO):
            await until(lambda: len(runs) >= 2)
            await asyncio.sleep(1)
        assert await data(terms) == {"next-term": "was here"}
        assert sorted(refusals) == ["background", "event", "run", "timer"]
        assert all("a term of work that has ended" in str(error) for error in refusals.values())
        assert len(await terms.client.list(EVENT, namespace="default")) == 0
        assert terms.manager.gate.refused >= 3


@virtual
async def test_q1_a_plain_function_keeps_its_key_until_its_thread_ends_and_may_write_no_more() -> None:
    controller = Controller(KIND, name="shops")
    let_go, refusals, runs = threading.Event(), [], []

    @controller.reconciler
    def reconcile(obj: Unstructured, ctx: BlockingContext) -> None:
        if obj.metadata.name != "work":
            return
        runs.append(1)
        if len(runs) == 1:
            let_go.wait(30)
            try:
                ctx.apply_status(obj)
            except BaseException as error:
                refusals.append(type(error).__name__)
                raise

    async with one_replica(controller) as terms:
        await until(lambda: runs)
        await terms.next_term()
        await asyncio.sleep(30)
        assert len(runs) == 1
        let_go.set()
        await until(lambda: len(runs) == 2)
    assert refusals == ["CancelledError"]


@virtual
async def test_a_deletion_that_a_term_has_not_reported_is_reported_by_the_next() -> None:
    controller = Controller(KIND, name="shops")
    calls: list[str] = []

    @controller.reconciler
    async def reconcile(obj: Unstructured, ctx: Context) -> None: ...

    @controller.deleted
    async def deleted(request: Request, last: Unstructured | None, ctx: Context) -> None:
        calls.append(last.metadata.uid if last else "unknown")
        if len(calls) == 1:
            await asyncio.Event().wait()

    async with one_replica(controller) as terms:
        uid = (await terms.client.get(KIND, "work", namespace="default")).metadata.uid
        await asyncio.sleep(1)
        await terms.client.delete(KIND, "work", namespace="default")
        await until(lambda: calls)
        await terms.next_term()
        await until(lambda: len(calls) == 2)
        await terms.next_term()
        await asyncio.sleep(30)
        assert calls == [uid, uid]
