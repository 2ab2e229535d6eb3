"""The iterators over a watch: events or batches, in a thread (``for``) or on an event loop (``async for``).

Invariant: an iterator on a loop gives the loop a turn now and then, even when it is never out of events.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from zestor_controller.store._buffer import AGAIN
from zestor_controller.store._subscription import YIELD_INTERVAL_S, Subscription, caller
from zestor_controller.store._waiter import LoopWaiter
from zestor_controller.store.event import Event

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

__all__ = ["Batches", "LoopIterator", "ThreadIterator", "next_on_loop"]

T = TypeVar("T")

BATCH: Final = 512  # events in one batch of a thread or a loop


class _Iterator(Generic[T]):
    """What the iterators share: who iterates, and whether it is over."""

    def __init__(self, watch: Subscription[T]) -> None:
        self.watch = watch
        self.owner = caller()
        self.done = False
        watch.claim(self)
        watch.start_interval()


class ThreadIterator(_Iterator[T]):
    """Events one by one, in a thread."""

    def __iter__(self) -> Iterator[Event[T]]:
        return self

    def __next__(self) -> Event[T]:
        watch = self.watch
        while True:
            with watch.lock:
                if watch.waiter is not None:
                    watch.reject_second()
                event = watch.take()
                if event is None and watch.ended:
                    self.done = True
                    raise StopIteration
            if event is AGAIN:
                continue
            if event is not None:
                return event
            watch.reject_loop("async for")
            watch.wait_in_thread(None)


class LoopIterator(_Iterator[T]):
    """Events one by one, on an event loop."""

    def __init__(self, watch: Subscription[T]) -> None:
        super().__init__(watch)
        self._lock = watch.lock
        self._hub = watch.hub
        self._buffer = watch.buffer

    def __aiter__(self) -> AsyncIterator[Event[T]]:
        return self

    async def __anext__(self) -> Event[T]:
        watch, buffer = self.watch, self._buffer
        with self._lock:
            # The common case in one step; now and then, and whenever there is more to it, the long way round.
            if buffer.plain and len(buffer.events) & 31 and watch.cursor >= self._hub.end:
                return buffer.events.popleft()
        if (buffer.events or not buffer.plain) and watch.clock() - watch.yielded > YIELD_INTERVAL_S:
            await watch.yield_to_loop()
        with self._lock:
            watch.reject_second()
            event = watch.take()
        if event is None or event is AGAIN:
            event = await next_on_loop(watch)
            if event is None:
                self.done = True
                raise StopAsyncIteration
        return event


async def next_on_loop(watch: Subscription[T]) -> Event[T] | None:
    """Wait for the next event of a watch; None when it has ended."""
    while True:
        with watch.lock:
            watch.reject_second()
            event = watch.take()
            if event is None and watch.ended:
                return None
        if event is AGAIN:
            await asyncio.sleep(0)
        elif event is not None:
            return event
        else:
            await watch.wait_on_loop()


class Batches(Generic[T]):
    """The batches of a watch: ``for`` in a thread, ``async for`` on an event loop."""

    def __init__(self, watch: Subscription[T]) -> None:
        self._watch = watch

    def __iter__(self) -> Iterator[list[Event[T]]]:
        self._watch.reject_loop("async for")
        return _ThreadBatches(self._watch)

    def __aiter__(self) -> AsyncIterator[list[Event[T]]]:
        return _LoopBatches(self._watch)


class _ThreadBatches(_Iterator[T]):
    def __iter__(self) -> Iterator[list[Event[T]]]:
        return self

    def __next__(self) -> list[Event[T]]:
        watch = self.watch
        while True:
            with watch.lock:
                batch = watch.take_batch(BATCH)
                if batch:
                    return batch
                if watch.ended and not watch.more:
                    self.done = True
                    raise StopIteration
            if not watch.more:
                watch.reject_loop("async for")
                watch.wait_in_thread(None)


class _LoopBatches(_Iterator[T]):
    def __init__(self, watch: Subscription[T]) -> None:
        super().__init__(watch)
        self._loop = asyncio.get_running_loop()
        self._waited = True  # for the batch before

    def __aiter__(self) -> AsyncIterator[list[Event[T]]]:
        return self

    async def __anext__(self) -> list[Event[T]]:
        watch = self.watch
        if not self._waited:  # the batch before was there already, and this one may be: others on this loop come first
            await asyncio.sleep(0)
        self._waited = False
        while True:
            waiter = None
            with watch.lock:
                batch = watch.take_batch(BATCH)
                if batch:
                    return batch
                if not watch.more:
                    if watch.ended:
                        self.done = True
                        raise StopAsyncIteration
                    waiter = LoopWaiter(self._loop)
                    watch.park(waiter)
            if waiter is None:
                await asyncio.sleep(0)
                continue
            try:
                await waiter.future
            except BaseException:
                watch.unpark(waiter)
                raise
            self._waited = True
