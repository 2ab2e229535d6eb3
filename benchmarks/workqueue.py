"""What the work queue costs: add, get and done of a key, alone and with a million keys waiting.

Run ``python benchmarks/workqueue.py``. Each figure is the median of five runs with the least and the greatest, in
microseconds of CPU for one key's add + get + done. "deep" adds all keys before the first is taken; "dirty" adds each
key once more while it is processed; "priorities" spreads the keys over ten priorities.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import platform
import statistics
import time
from collections.abc import Callable

from zestor_controller.controller import WorkQueue

RUNS = 5


def shallow(queue: WorkQueue[int], count: int) -> None:
    for key in range(count):
        queue.add(key, cause="update things a/b")
        item = queue.get_nowait()
        assert item is not None
        queue.done(item.key)


def deep(queue: WorkQueue[int], count: int, priorities: int = 1) -> None:
    for key in range(count):
        queue.add(key, cause="update things a/b", priority=key % priorities)
    for _ in range(count):
        item = queue.get_nowait()
        assert item is not None
        queue.done(item.key)
    assert not len(queue)


def dirty(queue: WorkQueue[int], count: int) -> None:
    for key in range(count):
        queue.add(key)
        for again in (True, False):
            item = queue.get_nowait()
            assert item is not None
            if again:
                queue.add(key, cause="update things a/b")
            queue.done(item.key)


def spread(queue: WorkQueue[int], count: int) -> None:
    deep(queue, count, priorities=10)


async def awaited(count: int, workers: int) -> float:
    """CPU microseconds of a key with workers that wait in `get`, as controllers' do."""
    queue: WorkQueue[int] = WorkQueue()
    left = count

    async def work() -> None:
        nonlocal left
        while left:
            item = await queue.get()
            queue.done(item.key)
            left -= 1

    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(work()) for _ in range(workers)]
        await asyncio.sleep(0)
        started = time.process_time()
        for key in range(count):
            queue.add(key)
            if key % 100 == 0:
                await asyncio.sleep(0)
        while left:  # noqa: ASYNC110 - an event a key would be measured too
            await asyncio.sleep(0)
        spent = time.process_time() - started
        for task in running:
            task.cancel()
    return spent / count * 1e6


async def timed(body: Callable[[WorkQueue[int], int], None], count: int) -> float:
    queue: WorkQueue[int] = WorkQueue()
    gc.collect()
    started = time.process_time()
    body(queue, count)
    return (time.process_time() - started) / count * 1e6


def show(name: str, figures: list[float]) -> None:
    print(f"{name:<34} {statistics.median(figures):7.2f} us  ({min(figures):.2f} - {max(figures):.2f})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=100_000)
    parser.add_argument("--deep", type=int, default=1_000_000)
    given = parser.parse_args()
    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores, {given.keys} keys")
    for name, body, count in (
        ("add + get + done", shallow, given.keys),
        ("dirty while processed", dirty, given.keys),
        (f"deep, {given.deep} keys wait", deep, given.deep),
        ("ten priorities", spread, given.keys),
    ):
        show(name, [asyncio.run(timed(body, count)) for _ in range(RUNS)])
    show("awaited, 4 workers", [asyncio.run(awaited(given.keys, 4)) for _ in range(RUNS)])


if __name__ == "__main__":
    main()
