"""A cache against a scripted server, in virtual time."""

import asyncio
import random
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from zestor_controller.cache import ClusterCache, Informer, Lister, Timing
from zestor_controller.client import Client, MemoryTransport
from zestor_controller.objects import Unstructured, kind_of
from zestor_controller.objects.registry import declare
from zestor_controller.store import Overflow
from zestor_controller.testing.clock import run_virtual
from zestor_controller.testing.scripted import ScriptedServer

sys.path.insert(0, str(Path(__file__).parent))  # importlib mode puts no folder of tests on the path

WEBSITE = "cache.test/v1/Website"
declare(WEBSITE, "websites")
declare("cache.test/v1/Other", "others")


@dataclass
class World:
    """A scripted server, a cache of its websites, and what the cache delivered."""

    server: ScriptedServer
    cache: ClusterCache
    delivered: list[tuple[str, str, int]] = field(default_factory=list)

    def informer(self, **options: Any) -> Informer[Unstructured]:
        informer = self.cache.informer(kind_of(WEBSITE), **options)
        watch = informer.lister.watch(overflow=Overflow.CLOSE, buffer_size=10_000, initial_replay=True)
        self._listener = asyncio.get_running_loop().create_task(self._listen(watch))
        return informer

    async def _listen(self, watch: Any) -> None:
        with watch:
            async for event in watch:
                self.delivered.append((event.type.name, event.name, int(event.object["metadata"]["resourceVersion"])))

    async def stop(self) -> None:
        listener = getattr(self, "_listener", None)
        if listener is not None:
            listener.cancel()
            with suppress(asyncio.CancelledError):
                await listener

    async def synced(self, **options: Any) -> Lister[Unstructured]:
        informer = self.informer(**options)
        await informer.wait_synced()
        await self.advance(2)  # a watch that ends sooner counts as short
        return informer.lister

    async def advance(self, seconds: float = 0.001) -> None:
        """Everything that can happen by now, and for some seconds more, has happened."""
        await asyncio.sleep(seconds)

    def versions(self, lister: Lister[Any]) -> dict[str, str]:
        return {f"{m.namespace}/{m.name}": m.resource_version for m in lister.metadata()}

    def server_versions(self) -> dict[str, str]:
        return {key: obj["metadata"]["resourceVersion"] for key, obj in self.server.objects("websites").items()}

    def metric(self, name: str, **labels: str) -> float:
        value = self.cache.metrics.registry.get_sample_value(name, {"kind": "websites.cache.test", **labels})
        return value or 0.0


@pytest.fixture
def virtually() -> Iterator[Callable[..., None]]:
    """Run a test's coroutine with a world, in virtual time."""

    def run(test: Callable[[World], Awaitable[None]], timing: Timing | None = None) -> None:
        async def main() -> None:
            server = ScriptedServer()
            client = Client(MemoryTransport(server))
            async with ClusterCache(client, timing=timing, rng=random.Random(7)) as cache:
                world = World(server, cache)
                await test(world)
                await world.stop()
            assert server.open_watches() == 0
            assert len(asyncio.all_tasks()) == 1, "a task leaked"

        run_virtual(main())

    return run
