"""What the controller tests share: two kinds, and a manager at work on a plain server, in virtual time."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from plainserver import PlainServer

from zestor_controller import Client, Controller, CustomResource, Manager, Spec, Status
from zestor_controller.client import MemoryTransport
from zestor_controller.controller import Outcome
from zestor_controller.testing.clock import run_virtual


class ShopSpec(Spec):
    size: int = 1


class ShopStatus(Status):
    open: bool | None = None


class Shop(CustomResource[ShopSpec, ShopStatus], group="demo.example.org", version="v1", plural="shops"):
    pass


class Region(
    CustomResource[ShopSpec, ShopStatus], group="demo.example.org", version="v1", plural="regions", namespaced=False
):
    pass


def virtual(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an async test on the virtual clock."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        run_virtual(test(*args, **kwargs))

    run.__signature__ = inspect.signature(test)  # type: ignore[attr-defined]  # pytest finds the fixtures by it
    del run.__wrapped__  # or pytest-asyncio would look through it
    return run


@dataclass
class Operating:
    server: PlainServer
    manager: Manager
    client: Client
    stop: asyncio.Event
    serving: asyncio.Task[None]

    async def until(self, condition: Callable[[], object], within: float = 30.0) -> None:
        """Return when the condition holds; fail when it does not within so many seconds."""
        async with asyncio.timeout(within):
            while not condition():
                if self.serving.done():
                    await self.serving
                await asyncio.sleep(max(0.005, within / 2000))

    def outcome(self, controller: Controller[Any], name: str) -> Outcome | None:
        return self.manager.outcomes.get(f"{controller.name}/{name}")

    def check(self, name: str) -> Any:
        return next(check for check in self.manager.checks() if check.name == name)

    async def ready(self) -> None:
        await self.until(lambda: self.manager.checks() and all(check.ok for check in self.manager.checks()))


@asynccontextmanager
async def operating(
    *controllers: Controller[Any], server: PlainServer | None = None, **options: Any
) -> AsyncIterator[Operating]:
    """A manager of these controllers at work; stopped in order on leaving."""
    server = server if server is not None else PlainServer()
    manager = Manager(*controllers, **options)
    async with Client(MemoryTransport(server)) as client:
        stop = asyncio.Event()
        serving = asyncio.create_task(manager.serve(stop, client=client))
        await asyncio.sleep(0)
        try:
            yield Operating(server, manager, client, stop, serving)
        finally:
            stop.set()
            await serving
