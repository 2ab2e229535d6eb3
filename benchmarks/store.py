"""What the store costs: writes with fan-out to watches, and the replay of a large kind.

Run ``python benchmarks/store.py``. Each figure is the median of several runs with the least and the greatest, in
microseconds of CPU an event for all watches together, consumers included; "burst" is the number of events written
between two turns of the event loop. Limits hold for consumers that take batches, as controllers do; ``async for`` hands
out one event at a time, which costs a lock and a coroutine for each. The last lines give the longest time that the
event loop was held, on the clock.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Coroutine
from importlib.metadata import version

from zestor_controller.store import EventType, MemoryStore, Overflow, StoreKind, Watch

Consume = Callable[[Watch[int], int], Coroutine[None, None, None]]


async def by_event(watch: Watch[int], count: int) -> None:
    """Consume `count` events one at a time."""
    async for _ in watch:
        count -= 1
        if not count:
            return


async def by_batch(watch: Watch[int], count: int) -> None:
    """Consume `count` events in batches."""
    async for batch in watch.batches():
        for _ in batch:
            count -= 1
        if not count:
            return


async def fan_out(watchers: int, events: int, burst: int, consume: Consume, overflow: Overflow) -> float:
    """Return the CPU microseconds of one event."""
    store = MemoryStore()
    kind: StoreKind[int] = store.kind("numbers", int)
    watches = [kind.watch(overflow=overflow, buffer_size=1024) for _ in range(watchers)]
    tasks = [asyncio.create_task(consume(watch, events)) for watch in watches]
    names = [f"n{i}" for i in range(burst)]
    await asyncio.sleep(0)
    gc.collect()
    started = time.process_time()
    value = 0
    for _ in range(0, events, burst):
        for name in names:
            kind.set(name, value)
            value += 1
        await asyncio.sleep(0)
        if burst == 1:  # let every consumer come back to its wait, as it would with events that arrive now and then
            await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    spent = time.process_time() - started
    assert sum(watch.dropped for watch in watches) == 0
    store.close()
    return spent / events * 1e6


class Heartbeat:
    """Measures the longest gap between two turns of the event loop."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._task: asyncio.Task[None] | None = None

    async def _beat(self) -> None:
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0)
            now = time.perf_counter()
            self.longest = max(self.longest, now - last)
            last = now

    async def __aenter__(self) -> Heartbeat:
        self._task = asyncio.create_task(self._beat())
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        await asyncio.sleep(0)
        self._task.cancel()


async def replay(objects: int, consume: str, overflow: Overflow) -> tuple[float, float]:
    """Return seconds and the longest held loop in milliseconds of a replay to a new watch."""
    with MemoryStore() as store:
        kind: StoreKind[int] = store.kind("numbers", int)
        kind.replace({f"default/object-{i}": i for i in range(objects)})
        gc.collect()
        seen = 0
        async with Heartbeat() as heart:
            started = time.perf_counter()
            async with kind.watch(initial_replay=True, bookmarks=True, overflow=overflow) as watch:
                if consume == "events":
                    async for event in watch:
                        if event.type is EventType.SYNCED:
                            break
                        seen += 1
                else:
                    async for batch in watch.batches():
                        seen += len(batch)
                        if batch[-1].type is EventType.SYNCED:
                            seen -= 1
                            break
            took = time.perf_counter() - started
        assert seen == objects
        return took, heart.longest * 1e3


async def stage(objects: int, changed: int) -> tuple[float, float]:
    """Return seconds and the longest held loop in milliseconds of a staged swap with one coalescing watch."""
    with MemoryStore() as store:
        kind: StoreKind[str] = store.kind("texts", str)
        kind.replace({f"default/object-{i}": f"value {i}" for i in range(objects)})
        gc.collect()
        delivered = 0
        async with kind.watch(overflow=Overflow.COALESCE) as watch:

            async def consume() -> None:
                nonlocal delivered
                async for batch in watch.batches():
                    delivered += len(batch)
                    if delivered == changed:
                        return

            task = asyncio.create_task(consume())
            async with Heartbeat() as heart:
                started = time.perf_counter()
                swap = kind.encoded.stage()
                for i in range(objects):
                    swap.put(f"default/object-{i}", f"value {i}" if i >= changed else f"new {i}")
                    if i % 1000 == 0:
                        await asyncio.sleep(0)
                assert await swap.commit_async() == changed
                await task
                took = time.perf_counter() - started
        return took, heart.longest * 1e3


def show(name: str, values: list[float], unit: str, limit: float | None = None) -> bool:
    """Print one line; returns False when the median is over its limit."""
    median = statistics.median(values)
    verdict = "" if limit is None else f"   limit {limit:g}: {'ok' if median <= limit else 'OVER'}"
    print(f"{name:58s} {median:9.2f} {unit:3s} [{min(values):.2f}-{max(values):.2f}]{verdict}", flush=True)
    return limit is None or median <= limit


def main() -> int:
    """Run everything; exit code 1 when a median is over its limit and --check was given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--check", action="store_true", help="fail when a median is over its limit")
    options = parser.parse_args()
    machine = f"{platform.platform()}, {platform.processor() or platform.machine()}, {os.cpu_count()} CPUs"
    print(f"{machine}, Python {sys.version.split()[0]}, zestor-controller {version('zestor-controller')}")
    print(f"{options.runs} runs: median [least-greatest]")
    good = True
    limits = {1: 1.0, 10: 4.0, 100: 30.0}
    for burst, how, consume, overflow in (
        (100, "batches", by_batch, Overflow.DROP),
        (100, "async for", by_event, Overflow.DROP),
        (100, "batches", by_batch, Overflow.COALESCE),
        (1, "async for", by_event, Overflow.DROP),
    ):
        for watchers, events in ((1, 20000), (10, 10000), (100, 2000)):
            values = [
                asyncio.run(fan_out(watchers, events if burst > 1 else events // 5, burst, consume, overflow))
                for _ in range(options.runs)
            ]
            limit = limits[watchers] if how == "batches" else None
            good &= show(f"set + event, burst {burst}, {overflow}, {how}, {watchers} watches", values, "us", limit)
    for how in ("batches", "events"):
        for overflow in (Overflow.DROP, Overflow.COALESCE):
            results = [asyncio.run(replay(100_000, how, overflow)) for _ in range(options.runs)]
            show(f"replay of 100 000, {overflow}, {how}: whole", [1e3 * took for took, _ in results], "ms")
            held = [longest for _, longest in results]
            good &= show(f"replay of 100 000, {overflow}, {how}: longest held loop", held, "ms", 20.0)
    for changed in (25_000, 100_000):
        results = [asyncio.run(stage(100_000, changed)) for _ in range(options.runs)]
        show(f"stage of 100 000, {changed} changed: whole", [1e3 * took for took, _ in results], "ms")
        held = [longest for _, longest in results]
        good &= show(f"stage of 100 000, {changed} changed: longest held loop", held, "ms", 20.0)
    return 0 if good or not options.check else 1


if __name__ == "__main__":
    raise SystemExit(main())
