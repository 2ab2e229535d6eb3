"""A watch: one consumer's view of a kind's changes, from a thread or from an event loop.

Invariants: one consumer at a time; whatever the consumer asks for, it first takes in what the hub's log holds; an event
leaves the buffer only when it is handed out, so a consumer that is cancelled while it waits loses nothing.
"""

from __future__ import annotations

import asyncio
import threading
import time
import warnings
import weakref
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from zestor_controller.errors import WatchOverflow
from zestor_controller.store._buffer import AGAIN, Again, Buffer
from zestor_controller.store._coalescingbuffer import CoalescingBuffer
from zestor_controller.store._eventfilter import EventFilter
from zestor_controller.store._queuebuffer import QueueBuffer, Replay
from zestor_controller.store._waiter import LoopWaiter, ThreadWaiter, Waiter, running_loop, wake_all
from zestor_controller.store.event import Event, EventType, Overflow

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Generator, Iterator, Mapping, Sequence
    from types import TracebackType

    from zestor_controller.store.hub import Hub, Subscriber

__all__ = ["Batch", "Batches", "Watch"]

T = TypeVar("T")

_BATCH = 512  # events in one batch of a thread or a loop
_BREATH_S = 0.004  # how long a consumer that is never out of events holds its loop


class Watch(Generic[T]):
    """An open subscription to one kind: iterate it from a thread (``for``) or on an event loop (``async for``).

    Opened by ``kind.watch(...)``; leave its ``with`` or ``async with`` block, or call :meth:`cancel`, to end it. What
    was buffered then is still handed out before iteration ends. One consumer at a time: a second one gets RuntimeError.
    """

    def __init__(
        self,
        hub: Hub[T],
        objects: Mapping[str, Any],
        *,
        event_types: Collection[EventType] | None,
        names: Collection[str] | None,
        predicate: Callable[[Event[T]], object] | None,
        initial_replay: bool,
        buffer_size: int,
        overflow: Overflow,
        bookmarks: bool,
        brief: bool = False,
    ) -> None:
        self.ended = True  # until everything below has worked: a refused argument leaves nothing to warn about
        if isinstance(names, str):
            raise TypeError(f"watch of kind {hub.kind!r}: names takes a collection of names; write names=[{names!r}]")
        if buffer_size < 1:
            raise ValueError(f"watch of kind {hub.kind!r}: buffer_size must be at least 1, not {buffer_size}")
        selected = EventFilter(event_types, names, predicate, hub.guard)
        self.overflow = Overflow(overflow)
        self._hub = hub
        self._lock = hub.lock
        self._ref: weakref.ref[Subscriber] = weakref.ref(self)
        self._filter = None if selected.is_open() else selected
        self.waiter: Waiter | None = None
        self._consumer: weakref.ref[_Iterator[T]] | None = None
        self._error: BaseException | None = None  # to be raised once, when the buffer is empty
        self._clock: Callable[[], float] = time.monotonic
        self._breath = 0.0
        with self._lock:
            present: Mapping[str, Any] = objects if initial_replay and selected.wants_replay() else {}
            if present and selected.names is not None:
                present = {name: present[name] for name in sorted(selected.names) if name in present}
            self._buffer: Buffer[T] = self._make_buffer(present, buffer_size, bookmarks, brief)
            if hub.synced:
                self._buffer.offer([Event(hub.kind, "", EventType.SYNCED)])
            self._cursor = hub.subscribe(self, self._ref)
            self.ended = False

    def _make_buffer(self, present: Mapping[str, Any], size: int, bookmarks: bool, brief: bool) -> Buffer[T]:
        hub = self._hub
        if self.overflow is Overflow.COALESCE:
            return CoalescingBuffer(hub.kind, hub.decode, bookmarks, self._filter, present, brief)
        replay: Iterator[Event[T]] | None = None
        if present:
            # Two flat copies: nothing is made for each object until the consumer comes to it.
            replay = iter(Replay(hub.kind, zip(list(present), list(present.values()), strict=True), hub.decode))
        return QueueBuffer(size, self.overflow is Overflow.CLOSE, bookmarks, self._filter, replay)

    # The hub's side, under the lock.

    def settle(self) -> None:
        """Take in what the log has for this watch."""
        hub = self._hub
        if self._cursor >= hub.end or self.ended:
            return
        cursor, self._cursor = self._cursor, hub.end
        self._take_in(hub.tail(cursor))

    def settle_all(self) -> None:
        """Take in the log and what is scheduled after it: the store closes."""
        self.settle()
        if not self.ended:
            self._take_in(self._hub.scheduled(self._cursor))

    def _take_in(self, events: Sequence[Event[T]]) -> None:
        try:
            self._buffer.offer(events)
        except Exception as error:  # the predicate: this watch ends, loudly and alone (S8)
            self._fail(error)
            return
        if self._buffer.overflowed:
            self._fail(
                WatchOverflow(
                    f"watch of kind {self._hub.kind!r} fell a buffer behind and was closed; "
                    "subscribe again with initial_replay=True, a larger buffer_size or overflow=COALESCE"
                )
            )

    def has_news(self) -> bool:
        """Tell whether the waiting consumer should look: something passed the filter, or the end has come."""
        if self._filter is None and self.overflow is not Overflow.CLOSE:
            return self._cursor < self._hub.end
        self.settle()
        return self._ready() or self.ended

    def _ready(self) -> bool:
        try:
            return self._buffer.ready()
        except Exception as error:
            self._fail(error)
            return True

    def _fail(self, error: BaseException) -> None:
        self._error = error
        self.end()

    def end(self) -> None:
        """Take in nothing more and wake the consumer."""
        if self.ended:
            return
        self.ended = True
        self._hub.past.append((self.overflow, self.lost))
        self._hub.remove(self)
        waiter, self.waiter = self.waiter, None
        if waiter is not None:
            wake_all([waiter])

    # The consumer's side.

    def _pull(self) -> Event[T] | Again | None:
        """Hand out the next event, None when there is none now; raise the watch's last word once. Under the lock."""
        if self._cursor < self._hub.end:
            self.settle()
        buffer = self._buffer
        if buffer.plain and buffer.events:
            return buffer.events.popleft()
        try:
            event = buffer.take()
        except Exception as error:
            self._fail(error)
            event = None
        if event is None and self._error is not None:
            last_word, self._error = self._error, None
            raise last_word
        return event

    def _take_many(self, limit: int | None) -> list[Event[T]]:
        """Hand out what is there, up to `limit`; a failure waits for its turn when there are events before it."""
        with self._lock:
            self._refuse_second()
            if self._cursor < self._hub.end:
                self.settle()
            batch = self._buffer.take_all(limit)
            while limit is None or len(batch) < limit:
                if batch and self._error is not None and not self._buffer.ready():
                    break
                event = self._pull()
                if event is None:
                    break
                if event is not AGAIN:
                    batch.append(event)
                elif limit is not None:
                    break
        return batch

    def _is_through(self) -> bool:
        """Tell whether an ended watch has handed out everything, its last word included."""
        with self._lock:
            return not self._ready() and self._error is None

    def _refuse_second(self) -> None:
        if self.waiter is not None:
            raise RuntimeError(
                f"watch of kind {self._hub.kind!r} has a consumer that waits already; open a second watch instead"
            )

    def _park(self, waiter: Waiter) -> bool:
        """Register a waiter; False when there is something to look at after all. Under the lock."""
        self._refuse_second()
        self.settle()
        if self.ended or self._ready():
            return False
        self.waiter = waiter
        self._hub.park(self, self._ref)
        return True

    def _unpark(self, waiter: Waiter) -> None:
        with self._lock:
            if self.waiter is waiter:
                self.waiter = None
                self._hub.unpark(self)

    def _wait_here(self, deadline: float | None) -> bool:
        """Block this thread until there is something to look at; False at the deadline."""
        waiter = ThreadWaiter()
        with self._lock:
            if not self._park(waiter):
                return True
        try:
            return waiter.wait(None if deadline is None else deadline - time.monotonic())
        finally:
            self._unpark(waiter)

    async def _wait_there(self) -> None:
        """Suspend this task until there is something to look at."""
        loop = asyncio.get_running_loop()
        waiter = LoopWaiter(loop)
        with self._lock:
            parked = self._park(waiter)
        if not parked:
            await asyncio.sleep(0)  # there is more to look at: but others on this loop come first
            return
        try:
            await waiter.future
        finally:
            self._unpark(waiter)
            self._breath = self._clock()

    async def _breathe(self) -> None:
        """Give the loop a turn when events have been handed out for a while without one."""
        if self._clock() - self._breath > _BREATH_S:
            await asyncio.sleep(0)
            self._breath = self._clock()

    def _refuse_loop(self, instead: str) -> None:
        if running_loop() is not None:
            raise RuntimeError(f"this thread runs an event loop, which must not block: use {instead}")

    def _claim(self, iterator: _Iterator[T]) -> None:
        """Make an iterator the watch's consumer; refuse it while another thread's or task's is alive."""
        with self._lock:
            self._refuse_second()
            self._refuse_other()
            self._consumer = weakref.ref(iterator)

    def _refuse_other(self) -> None:
        other = None if self._consumer is None else self._consumer()
        busy = other is not None and not other.done and other.owner != _caller()
        del other  # the error's traceback would keep it alive
        if busy:
            raise RuntimeError(
                f"watch of kind {self._hub.kind!r} is being iterated by another consumer; open a second watch instead"
            )

    def __iter__(self) -> Iterator[Event[T]]:
        self._refuse_loop("async for")
        return _ThreadIterator(self)

    def __aiter__(self) -> AsyncIterator[Event[T]]:
        return _LoopIterator(self)

    def get(self, timeout: float | None = None) -> Event[T] | None:
        """Return the next event; wait up to `timeout` seconds for it, for ever when None.

        On a thread whose event loop runs this returns an awaitable of the same (typed as :meth:`aget`, which says it
        openly): ``event = await watch.get(timeout=1)``.

        Returns:
            The event; None when the time has passed or the watch has ended (see :attr:`closed`).

        Raises:
            WatchOverflow: the watch's policy is CLOSE and it fell a buffer behind; raised once.
            RuntimeError: another consumer is at work on this watch.
        """
        if running_loop() is not None:
            return cast("Event[T] | None", self.aget(timeout))
        self._refuse_other()
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            with self._lock:
                self._refuse_second()
                event = self._pull()
                if event is None and self.ended:
                    return None
            if event is AGAIN:
                continue
            if event is not None:
                return event
            if not self._wait_here(deadline):
                return None

    def aget(self, timeout: float | None = None) -> Coroutine[Any, Any, Event[T] | None]:
        """Return the next event; the same as :meth:`get`, for an event loop: ``await watch.aget(timeout=1)``."""
        self._refuse_other()  # by who calls: asyncio.wait_for may await in another task
        return self._get_there(timeout)

    async def _get_there(self, timeout: float | None) -> Event[T] | None:
        try:
            async with asyncio.timeout(timeout):
                return await self._next_there()
        except TimeoutError:
            return None

    async def _next_there(self) -> Event[T] | None:
        while True:
            with self._lock:
                self._refuse_second()
                event = self._pull()
                if event is None and self.ended:
                    return None
            if event is AGAIN:
                await asyncio.sleep(0)
            elif event is not None:
                return event
            else:
                await self._wait_there()

    def drain(self) -> Batch[T]:
        """Return all events that are there now, the rest of a replay included; never waits.

        The list may also be awaited, so that ``await watch.drain()`` works on an event loop.

        Raises:
            WatchOverflow: nothing is left and the watch fell a buffer behind; raised once.
            RuntimeError: another consumer is at work on this watch.
        """
        self._refuse_other()
        return Batch(self._take_many(None))

    def batches(self) -> Batches[T]:
        """Iterate lists of events instead of events: one wake-up a batch.

        ``for`` in a thread, ``async for`` on an event loop. A batch is never empty and has at most 512 events.
        """
        return Batches(self)

    def cancel(self) -> None:
        """End the watch; what is buffered is still handed out. Calling it again is harmless."""
        with self._lock:
            if not self.ended:
                self.settle_all()
                self.end()

    @property
    def kind(self) -> str:
        """The kind's name."""
        return self._hub.kind

    @property
    def closed(self) -> bool:
        """Tell whether the watch has ended: no new event comes in, buffered ones may still be there."""
        with self._lock:
            self.settle()
            return self.ended

    @property
    def synced(self) -> bool:
        """Tell whether the consumer has been handed the whole initial state (S4)."""
        with self._lock:
            self.settle()
            try:
                return self._buffer.in_sync()
            except Exception as error:
                self._fail(error)
                return False

    @property
    def dropped(self) -> int:
        """How many events the policy DROP has dropped."""
        with self._lock:
            self.settle()
            return self._buffer.dropped

    @property
    def lost(self) -> int:
        """How many events the policy has dropped or folded so far, or 1 for a watch that it has closed."""
        return self._buffer.dropped + self._buffer.coalesced + self._buffer.overflowed

    @property
    def coalesced(self) -> int:
        """How many events the policy COALESCE has folded into others."""
        with self._lock:
            self.settle()
            return self._buffer.coalesced

    def __enter__(self) -> Watch[T]:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.cancel()

    async def __aenter__(self) -> Watch[T]:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.cancel()

    def __del__(self) -> None:
        # The hub holds a weak reference, which is dead by now; it is removed at the next subscription or end. Nothing
        # else is touched here: this may run at any allocation, in the middle of any other operation.
        if not self.ended:
            self._hub.dead.append(id(self))
            self._hub.past.append((self.overflow, self.lost))
            warnings.warn(
                f"watch of kind {self._hub.kind!r} was dropped without cancel(); use it in a with block",
                ResourceWarning,
                stacklevel=2,
                source=self,
            )

    def __repr__(self) -> str:
        state = "closed" if self.ended else "open"
        return f"<Watch of {self._hub.kind!r}, {self.overflow.value}, {state}>"


def _caller() -> tuple[int, int]:
    """Return what tells one consumer from another: its thread, and its task on an event loop."""
    task = None if running_loop() is None else asyncio.current_task()
    return threading.get_ident(), 0 if task is None else id(task)


class Batch(list[Event[T]]):
    """A list of events that may also be awaited, for code on an event loop."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, None, Batch[T]]:
        yield from ()  # never suspends
        return self


class _Iterator(Generic[T]):
    """What both iterators share: who iterates, and whether it is over."""

    def __init__(self, watch: Watch[T]) -> None:
        self.watch = watch
        self.owner = _caller()
        self.done = False
        watch._claim(self)
        loop = running_loop()
        if loop is not None:
            watch._clock = loop.time  # virtual in a simulation, where turns would depend on the machine
        watch._breath = watch._clock()


class _ThreadIterator(_Iterator[T]):
    def __iter__(self) -> Iterator[Event[T]]:
        return self

    def __next__(self) -> Event[T]:
        watch = self.watch
        while True:
            with watch._lock:
                if watch.waiter is not None:
                    watch._refuse_second()
                event = watch._pull()
                if event is None and watch.ended:
                    self.done = True
                    raise StopIteration
            if event is AGAIN:
                continue
            if event is not None:
                return event
            watch._refuse_loop("async for")
            watch._wait_here(None)


class _LoopIterator(_Iterator[T]):
    def __init__(self, watch: Watch[T]) -> None:
        super().__init__(watch)
        self._lock = watch._lock
        self._hub = watch._hub
        self._buffer = watch._buffer

    def __aiter__(self) -> AsyncIterator[Event[T]]:
        return self

    async def __anext__(self) -> Event[T]:
        watch = self.watch
        with self._lock:
            # The common case in one step; now and then, and whenever there is more to it, the long way round.
            buffer = self._buffer
            if buffer.plain and len(buffer.events) & 31 and watch._cursor >= self._hub.end:
                return buffer.events.popleft()
        if buffer.events or not buffer.plain:
            await watch._breathe()
        event = await watch._next_there()
        if event is None:
            self.done = True
            raise StopAsyncIteration
        return event


class Batches(Generic[T]):
    """The batches of a watch: ``for`` in a thread, ``async for`` on an event loop."""

    def __init__(self, watch: Watch[T]) -> None:
        self._watch = watch

    def __iter__(self) -> Iterator[list[Event[T]]]:
        self._watch._refuse_loop("async for")
        return _ThreadBatches(self._watch)

    def __aiter__(self) -> AsyncIterator[list[Event[T]]]:
        return _LoopBatches(self._watch)


class _ThreadBatches(_Iterator[T]):
    def __iter__(self) -> Iterator[list[Event[T]]]:
        return self

    def __next__(self) -> list[Event[T]]:
        watch = self.watch
        while True:
            batch = watch._take_many(_BATCH)
            if batch:
                return batch
            if watch.ended and watch._is_through():
                self.done = True
                raise StopIteration
            watch._refuse_loop("async for")
            watch._wait_here(None)


class _LoopBatches(_Iterator[T]):
    def __aiter__(self) -> AsyncIterator[list[Event[T]]]:
        return self

    async def __anext__(self) -> list[Event[T]]:
        watch = self.watch
        if watch._clock() - watch._breath > _BREATH_S:
            await watch._breathe()
        while True:
            batch = watch._take_many(_BATCH)
            if batch:
                return batch
            if watch.ended and watch._is_through():
                self.done = True
                raise StopAsyncIteration
            await watch._wait_there()
