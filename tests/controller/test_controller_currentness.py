"""A reconcile that decides by what is not there: after a lost response, and in the first run of a new leader (C11)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from operating import virtual

from zestor_controller import Client, Controller, LeaderElection, Manager
from zestor_controller.apiserver import ApiServer
from zestor_controller.apiserver.auth.authentication import ADMINISTRATOR, TokenAuthenticator
from zestor_controller.client import MemoryTransport
from zestor_controller.errors import TransportError
from zestor_controller.http import HttpRequest, HttpResponse
from zestor_controller.objects import MergePatch


class Way:
    """The embedded server; its watches are late, and responses to writes can be lost."""

    def __init__(self, api: ApiServer) -> None:
        self.api = api
        self.lag = 0.5
        self.lose: list[Exception | HttpResponse] = []
        self.reads: list[float] = []

    async def handle(self, request: HttpRequest) -> HttpResponse:
        response = await self.api.handle(request)
        query = dict(request.query)
        if request.method == "POST" and request.path.endswith("/secrets") and self.lose:
            lost = self.lose.pop(0)
            if isinstance(lost, Exception):
                raise lost
            return lost
        if query.get("limit") == "1" and request.path.endswith("/secrets"):
            self.reads.append(asyncio.get_running_loop().time())
        if query.get("watch"):
            return HttpResponse(response.status, response.headers, self._late(response.body))
        return response

    async def _late(self, body: Any) -> AsyncIterator[bytes]:
        try:
            async for piece in body:
                await asyncio.sleep(self.lag)
                yield piece
        finally:
            await body.aclose()


def new_server() -> ApiServer:
    return ApiServer(TokenAuthenticator({"t": ADMINISTRATOR}))


def client_of(handler: Any, **options: Any) -> Client:
    return Client(MemoryTransport(handler, {"Authorization": "Bearer t"}, **options))


@asynccontextmanager
async def serving(manager: Manager, client: Client) -> AsyncIterator[asyncio.Event]:
    stop = asyncio.Event()
    task = asyncio.create_task(manager.serve(stop, client=client))
    try:
        yield stop
    finally:
        stop.set()
        await task


def one_child_each(runs: list[tuple[str, float]]) -> Controller[Any]:
    controller = Controller("v1/ConfigMap", name="c", concurrency=4).owns("v1/Secret")

    @controller.reconciler
    async def reconcile(obj: Any, ctx: Any) -> None:
        if not obj.metadata.name.startswith("owner"):
            return
        runs.append((obj.metadata.name, asyncio.get_running_loop().time()))
        owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": obj.metadata.name, "uid": obj.metadata.uid}
        have = [
            child
            for child in ctx.list("v1/Secret")
            if any(r["uid"] == obj.metadata.uid for r in child["metadata"].get("ownerReferences") or ())
        ]
        if not have:
            meta = {"generateName": "kid-", "ownerReferences": [{**owner, "controller": True}]}
            await ctx.client.create("v1/Secret", {"metadata": meta}, namespace="default")

    return controller


FAILURE = b'{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"InternalError","code":%d}'


@pytest.mark.parametrize(
    "lost",
    [
        pytest.param(TransportError("the response is lost"), id="reset"),
        pytest.param(HttpResponse(500, [], FAILURE % 500), id="500 after the write"),
        pytest.param(HttpResponse(504, [], FAILURE % 504), id="504 of a proxy"),
    ],
)
def test_c11_a_create_whose_response_is_lost_makes_one_child(lost: Exception | HttpResponse) -> None:
    @virtual
    async def test() -> None:
        way, runs = Way(new_server()), []
        user = client_of(way.api)
        async with serving(Manager(one_child_each(runs), namespaces=["default"]), client_of(way)):
            await asyncio.sleep(3)
            way.lose.append(lost)
            await user.create("v1/ConfigMap", {"metadata": {"name": "owner"}}, namespace="default")
            await asyncio.sleep(60)
            assert way.lose == []
            children = await user.list("v1/Secret", namespace="default")
            assert len([child for child in children if child.metadata.name.startswith("kid-")]) == 1

    test()


@virtual
async def test_c11_only_the_key_whose_write_was_lost_waits() -> None:
    way, runs = Way(new_server()), []
    user = client_of(way.api)
    async with serving(Manager(one_child_each(runs), namespaces=["default"]), client_of(way)):
        await asyncio.sleep(3)
        way.lose.append(TransportError("the response is lost"))
        for name in ("owner-1", "owner-2"):
            await user.create("v1/ConfigMap", {"metadata": {"name": name}}, namespace="default")
        await asyncio.sleep(60)
        asked = [at for at in way.reads if runs[0][1] <= at <= runs[0][1] + 1]
        assert len(asked) == 1
        names = [child.metadata.name for child in await user.list("v1/Secret", namespace="default")]
        assert len([name for name in names if name.startswith("kid-")]) == 2


@virtual
async def test_c11_a_reconcile_that_is_cancelled_in_a_write_is_followed_by_one_that_waits() -> None:
    way, runs = Way(new_server()), []
    user = client_of(way.api)
    controller = one_child_each(runs)
    controller.timeout = timedelta(seconds=1)
    usual = way.handle

    async def slow(request: HttpRequest) -> HttpResponse:
        response = await usual(request)
        if request.method == "POST" and request.path.endswith("/secrets") and len(runs) == 1:
            await asyncio.sleep(3600)
        return response

    way.handle = slow  # type: ignore[method-assign]
    async with serving(Manager(controller, namespaces=["default"]), client_of(way)):
        await asyncio.sleep(3)
        await user.create("v1/ConfigMap", {"metadata": {"name": "owner"}}, namespace="default")
        await asyncio.sleep(120)
        names = [child.metadata.name for child in await user.list("v1/Secret", namespace="default")]
        assert len([name for name in names if name.startswith("kid-")]) == 1


@virtual
async def test_c11_the_first_reconcile_of_a_new_leader_sees_what_the_last_one_wrote() -> None:
    api = new_server()
    user, seen = client_of(api), []
    controller = Controller("v1/ConfigMap", name="c").owns("v1/Secret")

    @controller.reconciler
    async def reconcile(obj: Any, ctx: Any) -> None:
        if obj.metadata.name == "owner":
            seen.append(ctx.get("v1/Secret", "child") is not None)

    lease = "coordination.k8s.io/v1/Lease"
    held = {"metadata": {"name": "c"}, "spec": {"holderIdentity": "another", "leaseDurationSeconds": 3600}}
    await user.create("v1/ConfigMap", {"metadata": {"name": "owner"}}, namespace="default")
    await user.create(lease, held, namespace="default")
    manager = Manager(controller, namespaces=["default"], leader_election=LeaderElection("c"))
    way = Way(api)
    async with serving(manager, client_of(way, gate=manager.gate)):
        await asyncio.sleep(10)
        way.lag = 5.0
        await asyncio.sleep(300)  # so that the watch that is open by now lags
        assert seen == []
        await user.create("v1/Secret", {"metadata": {"name": "child"}}, namespace="default")
        await user.patch(lease, "c", MergePatch({"spec": {"holderIdentity": None}}), namespace="default")
        await asyncio.sleep(30)
        assert seen
        assert all(seen)
