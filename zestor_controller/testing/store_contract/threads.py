"""Threads and event loops (S9)."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from zestor_controller.testing.store_contract.fixtures import WAIT_S, StoreFixtures, collect

if TYPE_CHECKING:
    from zestor_controller.store import StoreKind

__all__ = ["Threads"]


class Threads(StoreFixtures):
    """Threads and event loops (S9)."""

    # S9

    def test_s9_a_thread_and_a_loop_are_woken_by_another_thread(self, numbers: StoreKind[int]) -> None:
        """Everything written by one thread reaches a ``for`` in a second and an ``async for`` in a third."""
        count = 300
        for_thread, for_loop = numbers.watch(buffer_size=count), numbers.watch(buffer_size=count)
        got: dict[str, list[int]] = {}

        def iterate() -> None:
            got["thread"] = [event.object for event in for_thread]

        def run() -> None:
            got["loop"] = [event.object for event in asyncio.run(collect(for_loop))]

        consumers = [threading.Thread(target=iterate), threading.Thread(target=run)]
        for consumer in consumers:
            consumer.start()
        for i in range(count):
            numbers.set("n", i)
        for_thread.cancel()
        for_loop.cancel()
        for consumer in consumers:
            consumer.join(WAIT_S)
        assert got == {"thread": list(range(count)), "loop": list(range(count))}

    def test_s9_for_on_a_running_loop_is_refused(self, numbers: StoreKind[int]) -> None:
        """It would block the loop."""

        async def check() -> None:
            with numbers.watch() as watch:
                with pytest.raises(RuntimeError, match="async for"):
                    iter(watch)
                with pytest.raises(RuntimeError, match="async for"):
                    iter(watch.batches())

        asyncio.run(check())

    def test_s9_a_second_concurrent_consumer_is_refused(self, numbers: StoreKind[int]) -> None:
        """On a loop while the first waits; in threads while the first iterates."""

        async def check() -> None:
            with numbers.watch() as watch:
                first = asyncio.ensure_future(collect(watch))
                await asyncio.sleep(0)
                with pytest.raises(RuntimeError, match="consumer"):
                    await watch.aget()
                with pytest.raises(RuntimeError, match="consumer"):
                    await collect(watch)
                with pytest.raises(RuntimeError, match="consumer"):
                    watch.drain()
                watch.cancel()
                assert await first == []

        asyncio.run(check())
        numbers.set("a", 1)
        with numbers.watch(initial_replay=True) as watch:
            iterator = iter(watch)
            assert next(iterator).name == "a"
            errors: list[BaseException] = []

            def intrude() -> None:
                for attempt in (lambda: iter(watch), lambda: watch.get(timeout=0), watch.drain):
                    try:
                        attempt()
                    except RuntimeError as error:
                        errors.append(error)

            thread = threading.Thread(target=intrude)
            thread.start()
            thread.join(WAIT_S)
            assert len(errors) == 3
            del iterator
            thread = threading.Thread(target=intrude)
            thread.start()
            thread.join(WAIT_S)
            assert len(errors) == 3

    def test_s9_get_and_drain_serve_a_thread(self, numbers: StoreKind[int]) -> None:
        """Get waits up to its timeout; drain never waits."""
        with numbers.watch() as watch:
            assert watch.get(timeout=0.01) is None
            assert watch.drain() == []
            numbers.set("a", 1)
            numbers.set("a", 2)
            event = watch.get(timeout=WAIT_S)
            assert event is not None
            assert event.object == 1
            assert [later.object for later in watch.drain()] == [2]
            assert not watch.closed

    def test_s9_get_and_drain_serve_a_loop(self, numbers: StoreKind[int]) -> None:
        """Called on a running loop, get returns an awaitable; drain's list may be awaited too."""

        async def check() -> None:
            with numbers.watch() as watch:
                assert await watch.aget(timeout=0.01) is None
                assert await watch.drain() == []
                numbers.set("a", 1)
                numbers.set("a", 2)
                awaitable: Any = watch.get(timeout=WAIT_S)
                event = await awaitable
                assert event.object == 1
                assert [later.object for later in await watch.drain()] == [2]
                pending: Any = asyncio.ensure_future(watch.aget())
                await asyncio.sleep(0)
                pending.cancel()
                await asyncio.wait([pending])
                numbers.set("a", 3)
                assert [later.object for later in watch.drain()] == [3]

        asyncio.run(check())

    def test_s9_batches_serve_both_with_one_wake_up(self, numbers: StoreKind[int]) -> None:
        """What is written in one go arrives in one batch."""

        async def check() -> list[list[int]]:
            batches: list[list[int]] = []
            async with numbers.watch() as watch:

                async def consume() -> None:
                    async for batch in watch.batches():
                        batches.append([event.object for event in batch])

                task = asyncio.ensure_future(consume())
                await asyncio.sleep(0)
                numbers.set_many({"a": 1, "b": 2, "c": 3})
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                numbers.set("a", 4)
                watch.cancel()
                await task
            return batches

        assert asyncio.run(check()) == [[1, 2, 3], [4]]
        with numbers.watch() as watch:
            numbers.set("a", 5)
            watch.cancel()
            assert [[event.object for event in batch] for batch in watch.batches()] == [[5]]

    def test_s9_writers_in_many_threads_lose_nothing(self, numbers: StoreKind[int]) -> None:
        """Counting with `update` from several threads reaches the sum, and each step is delivered once, in order."""
        numbers.set("n", 0)
        with numbers.watch(buffer_size=1_000_000) as watch:

            def count() -> None:
                for _ in range(200):
                    numbers.update("n", lambda value: (value or 0) + 1)

            threads = [threading.Thread(target=count) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(WAIT_S)
            assert numbers.get("n") == 800
            assert [event.object for event in watch.drain()] == list(range(1, 801))
