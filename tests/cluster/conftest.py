"""One simulated controller at a time, on a server in memory."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from zestor_controller.apiserver import ApiServer
from zestor_controller.apiserver.authentication import ADMINISTRATOR, TokenAuthenticator
from zestor_controller.client import Client, MemoryTransport
from zestor_controller.errors import NotFound
from zestor_controller.manager import Manager
from zestor_controller.objects import MergePatch

WAIT_S = 30.0


class Simulated:
    """A server in memory with the namespace ``default``, and the controllers that run on it."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def create(self, kind: str, name: str = "x", **fields: Any) -> Any:
        body = {"metadata": {"name": name, **fields.pop("metadata", {})}, **fields}
        return await self.client.create(kind, body, namespace="default")

    async def get(self, kind: str, name: str = "x") -> Any:
        """An object; None when there is none."""
        try:
            return await self.client.get(kind, name, namespace="default")
        except NotFound:
            return None

    async def list(self, kind: str) -> list[Any]:
        return list(await self.client.list(kind, namespace="default"))

    async def patch(self, kind: str, name: str, patch: Any, subresource: str = "") -> Any:
        options = {"subresource": subresource} if subresource else {}
        return await self.client.patch(kind, name, MergePatch(patch), namespace="default", **options)

    async def until(self, kind: str, test: Callable[[list[Any]], Any]) -> Any:
        """Wait until the objects of a kind pass a test, and return what it returns."""

        async def listed() -> Any:
            return test(await self.list(kind))

        return await self.eventually(listed)

    async def eventually(self, look: Callable[[], Awaitable[Any]]) -> Any:
        """Look again until there is something to return; the controllers run on this loop in between."""
        async with asyncio.timeout(WAIT_S):
            while True:
                found = await look()
                if found:
                    return found
                await asyncio.sleep(0)

    async def until_deleted(self, kind: str, name: str) -> None:
        """Wait until a cluster-scoped object no longer exists."""

        async def missing() -> bool:
            try:
                await self.client.get(kind, name)
            except NotFound:
                return True
            return False

        await self.eventually(missing)

    async def ready(self, *names: str) -> None:
        """Mark Pods as Ready, as a kubelet would."""
        condition = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
        for name in names:
            await self.patch("v1/Pod", name, {"status": {"phase": "Running", "conditions": [condition]}}, "status")


@asynccontextmanager
async def simulate(
    *controllers: Any,
    with_client: Callable[[Client], Any] | None = None,
    background: Callable[[Client], Any] | None = None,
) -> AsyncIterator[Simulated]:
    """A server in memory with these controllers, one that is made of the client, and perhaps another task."""
    api = ApiServer(TokenAuthenticator({"t": ADMINISTRATOR}), rng=random.Random(1))
    client = Client(MemoryTransport(api, {"Authorization": "Bearer t"}), field_manager="kube-controller-manager")
    stop = asyncio.Event()
    controllers += (with_client(client),) if with_client is not None else ()
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(Manager(*controllers).serve(stop, client=client)) if controllers else None
        more = tasks.create_task(background(client)) if background is not None else None
        try:
            yield Simulated(client)
        finally:
            stop.set()
            if running is not None:
                await running
            if more is not None:
                more.cancel()


@pytest.fixture
def simulation() -> Any:
    return simulate
