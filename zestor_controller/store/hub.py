"""Fan-out of one kind's changes to its watches: order, replay, buffers, overflow and close, written once.

How it works: a write appends its Event to the hub's log, whatever the number of watches, and wakes the consumers that
wait. A watch takes the log's tail into its own buffer (it *settles*) when its consumer asks, when a waiting consumer's
filter must be asked, or when the log is full. What its policy decides does not depend on when it settles, because room
in a buffer is made by its consumer only, and a consumer settles first.

Invariants: everything here runs under the store's lock; only :meth:`Hub.publish` appends to the log and only the
consumer takes from a buffer; publishing never waits for a consumer. Guarantees S4 to S9 and S12 of
:mod:`zestor_controller.store.contract` are kept in this module, ``_buffer`` and ``_wake``, and nowhere else.
"""

from __future__ import annotations

import asyncio
import threading
import time
import warnings
import weakref
from collections import deque
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from zestor_controller.errors import WatchOverflow
from zestor_controller.store._buffer import AGAIN, Again, Buffer, CoalescingBuffer, EventFilter, QueueBuffer, Replay
from zestor_controller.store._wake import LoopWaiter, ThreadWaiter, Waiter, running_loop, wake_all
from zestor_controller.store.event import Event, EventType, Overflow

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
    from types import TracebackType

__all__ = ["Hub", "Watch"]

T = TypeVar("T")

_LOG_LIMIT = 256  # events kept before every watch has to settle
_BATCH = 512  # events in one batch of a thread or a loop
_BREATH_S = 0.004  # how long a consumer that is never out of events holds its loop


class Hub(Generic[T]):
    """The watches of one kind and the log of what they have not taken in yet.

    Args:
        kind: the kind's name.
        lock: the store's lock.
        decode: turns a stored value into a private copy.
        synced: whether the kind is in sync from the start.
    """

    def __init__(self, kind: str, lock: threading.RLock, decode: Callable[[Any], T], synced: bool) -> None:
        self.kind = kind
        self.lock = lock
        self.decode = decode
        self.synced = synced
        self.log: list[Event[T]] = []
        self.base = 0  # the number of the log's first event
        self._backlog: deque[Event[T]] = deque()  # decided, not yet published: a big swap is told in slices
        self._refs: list[weakref.ref[Watch[T]]] = []
        self._waiting: dict[int, weakref.ref[Watch[T]]] = {}
        self._settled = 0  # watches that have taken in the whole log

    @property
    def watched(self) -> bool:
        """Tell whether there may be a watch, so that an event is worth making."""
        return bool(self._refs)

    def watches(self) -> list[Watch[T]]:
        """Return the open watches."""
        with self.lock:
            return [watch for ref in self._refs if (watch := ref()) is not None]

    def publish(self, event: Event[T]) -> None:
        """Tell one change; it comes after everything published before, also after what is still told in slices."""
        if self._backlog:
            self._backlog.append(event)
            return
        self.log.append(event)
        self._settled = 0
        if self._waiting:
            self._wake()
        if len(self.log) >= _LOG_LIMIT:
            self.settle()

    def publish_all(self, events: Sequence[Event[T]]) -> None:
        """Tell many changes with one wake-up for each watch."""
        if not events:
            return
        if self._backlog:
            self._backlog.extend(events)
            return
        self.log.extend(events)
        self._settled = 0
        if self._waiting:
            self._wake()
        if len(self.log) >= _LOG_LIMIT:
            self.settle()

    def schedule(self, events: Iterable[Event[T]]) -> None:
        """Take over changes to be told by :meth:`publish_slice`; changes published meanwhile come after them."""
        if self._refs:
            self._backlog.extend(events)

    def publish_slice(self, count: int) -> bool:
        """Tell up to `count` of the scheduled changes; returns False when none is left."""
        with self.lock:
            backlog = self._backlog
            events = [backlog.popleft() for _ in range(min(count, len(backlog)))]
            rest, self._backlog = backlog, deque()
            self.publish_all(events)
            self._backlog = rest
            return bool(rest)

    def mark_synced(self) -> None:
        """Tell every watch once that what came before was the initial state."""
        if not self.synced:
            self.synced = True
            self.publish(Event(self.kind, "", EventType.SYNCED))

    def settle(self) -> None:
        """Make every watch take in the log, and empty it."""
        alive: list[weakref.ref[Watch[T]]] = []
        for ref in self._refs:
            watch = ref()
            if watch is not None:
                watch._settle()
                if not watch._ended:
                    alive.append(ref)
        self._refs = alive
        self._clear()

    def _clear(self) -> None:
        self.base += len(self.log)
        self.log = []
        self._settled = 0

    def tail(self, cursor: int) -> list[Event[T]]:
        """Return what the log holds from `cursor` on, to a watch that takes it in now."""
        at = cursor - self.base
        events = self.log if at == 0 else self.log[at:]
        self._settled += 1
        if self._settled >= len(self._refs):  # all have it: let go of the objects it holds
            self._clear()
        return events

    @property
    def end(self) -> int:
        """The number of the next event."""
        return self.base + len(self.log)

    def subscribe(self, watch: Watch[T]) -> int:
        """Add a watch; returns the number of the first event that is for it."""
        self._refs = [ref for ref in self._refs if ref() is not None]
        self._refs.append(watch._ref)
        self._settled = 0
        return self.end + len(self._backlog)

    def remove(self, watch: Watch[T]) -> None:
        """Forget a watch that has ended."""
        self._refs = [ref for ref in self._refs if ref is not watch._ref]
        self._waiting.pop(id(watch), None)
        if not self._refs:
            self._clear()
            self._backlog.clear()

    def close(self) -> None:
        """End every watch; what is buffered is still handed out."""
        for watch in self.watches():
            watch._settle_all()
            watch._end()
        self._refs = []
        self._backlog.clear()
        self._clear()

    def park(self, watch: Watch[T]) -> None:
        """Note that the watch's consumer waits."""
        self._waiting[id(watch)] = watch._ref

    def unpark(self, watch: Watch[T]) -> None:
        """Note that it does not wait any more."""
        self._waiting.pop(id(watch), None)

    def _wake(self) -> None:
        parked, self._waiting = self._waiting, {}
        waiters: list[Waiter] = []
        for key, ref in parked.items():
            watch = ref()
            if watch is None or watch._waiter is None:
                continue
            if watch._has_news():
                waiters.append(watch._waiter)
                watch._waiter = None
            else:
                self._waiting[key] = ref
        if waiters:
            wake_all(waiters)


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
    ) -> None:
        self._ended = True  # until everything below has worked: a refused argument leaves nothing to warn about
        if isinstance(names, str):
            raise TypeError(f"watch of kind {hub.kind!r}: names takes a collection of names; write names=[{names!r}]")
        if buffer_size < 1:
            raise ValueError(f"watch of kind {hub.kind!r}: buffer_size must be at least 1, not {buffer_size}")
        selected = EventFilter(event_types, names, predicate)
        self.overflow = Overflow(overflow)
        self._hub = hub
        self._lock = hub.lock
        self._ref = weakref.ref(self)
        self._filter = None if selected.is_open() else selected
        self._waiter: Waiter | None = None
        self._consumer: weakref.ref[_Iterator[T]] | None = None
        self._error: BaseException | None = None  # to be raised once, when the buffer is empty
        self._breath = 0.0
        with self._lock:
            present: Mapping[str, Any] = objects if initial_replay and selected.wants_replay() else {}
            if present and selected.names is not None:
                present = {name: present[name] for name in sorted(selected.names) if name in present}
            self._buffer: Buffer[T] = self._make_buffer(present, buffer_size, bookmarks)
            if hub.synced:
                self._buffer.offer([Event(hub.kind, "", EventType.SYNCED)])
            self._cursor = hub.subscribe(self)
            self._ended = False

    def _make_buffer(self, present: Mapping[str, Any], size: int, bookmarks: bool) -> Buffer[T]:
        hub = self._hub
        if self.overflow is Overflow.COALESCE:
            return CoalescingBuffer(hub.kind, hub.decode, bookmarks, self._filter, present)
        replay: Iterator[Event[T]] | None = None
        if present:
            # Two flat copies: nothing is made for each object until the consumer comes to it.
            replay = iter(Replay(hub.kind, zip(list(present), list(present.values()), strict=True), hub.decode))
        return QueueBuffer(size, self.overflow is Overflow.CLOSE, bookmarks, self._filter, replay)

    # The hub's side, under the lock.

    def _settle(self) -> None:
        """Take in what the log has for this watch."""
        hub = self._hub
        if self._ended or self._cursor >= hub.base + len(hub.log):
            return
        cursor, self._cursor = self._cursor, hub.end
        self._take_in(hub.tail(cursor))

    def _settle_all(self) -> None:
        """Take in the log and what is scheduled after it: the store closes."""
        self._settle()
        skip = max(0, self._cursor - self._hub.end)
        scheduled = list(self._hub._backlog)[skip:]
        if scheduled and not self._ended:
            self._take_in(scheduled)

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

    def _has_news(self) -> bool:
        """Tell whether the waiting consumer should look: something passed the filter, or the end has come."""
        if self._filter is None and self.overflow is not Overflow.CLOSE:
            return self._cursor < self._hub.end
        self._settle()
        return self._ready() or self._ended

    def _ready(self) -> bool:
        try:
            return self._buffer.ready()
        except Exception as error:
            self._fail(error)
            return True

    def _fail(self, error: BaseException) -> None:
        self._error = error
        self._end()

    def _end(self) -> None:
        if self._ended:
            return
        self._ended = True
        self._hub.remove(self)
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            wake_all([waiter])

    # The consumer's side.

    def _pull(self) -> Event[T] | Again | None:
        """Hand out the next event, None when there is none now; raise the watch's last word once. Under the lock."""
        if not self._ended:
            self._settle()
        try:
            event = self._buffer.take()
        except Exception as error:
            self._fail(error)
            event = None
        if event is None and self._error is not None:
            last_word, self._error = self._error, None
            raise last_word
        return event

    def _take_many(self, limit: int | None) -> list[Event[T]]:
        """Hand out what is there, up to `limit`; a failure waits for its turn when there are events before it."""
        batch: list[Event[T]] = []
        with self._lock:
            self._refuse_second()
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

    def _refuse_second(self) -> None:
        if self._waiter is not None:
            raise RuntimeError(
                f"watch of kind {self._hub.kind!r} has a consumer that waits already; open a second watch instead"
            )

    def _park(self, waiter: Waiter) -> bool:
        """Register a waiter; False when there is something to look at after all. Under the lock."""
        self._refuse_second()
        self._settle()
        if self._ended or self._ready():
            return False
        self._waiter = waiter
        self._hub.park(self)
        return True

    def _unpark(self, waiter: Waiter) -> None:
        with self._lock:
            if self._waiter is waiter:
                self._waiter = None
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
            if not self._park(waiter):
                return
        try:
            await waiter.future
        finally:
            self._unpark(waiter)
            self._breath = time.perf_counter()

    async def _breathe(self) -> None:
        """Give the loop a turn when events have been handed out for a while without one."""
        if time.perf_counter() - self._breath > _BREATH_S:
            await asyncio.sleep(0)
            self._breath = time.perf_counter()

    def _refuse_loop(self, instead: str) -> None:
        if running_loop() is not None:
            raise RuntimeError(f"this thread runs an event loop, which must not block: use {instead}")

    def _claim(self, iterator: _Iterator[T]) -> None:
        """Make an iterator the watch's consumer; refuse it while another thread's or task's is alive."""
        with self._lock:
            self._refuse_second()
            other = None if self._consumer is None else self._consumer()
            if other is not None and other is not iterator and not other.done and other.owner != iterator.owner:
                raise RuntimeError(
                    f"watch of kind {self._hub.kind!r} is being iterated by another consumer; open a second watch instead"
                )
            self._consumer = weakref.ref(iterator)

    def _refuse_other_thread(self) -> None:
        other = None if self._consumer is None else self._consumer()
        if other is not None and not other.done and other.owner[0] != threading.get_ident():
            raise RuntimeError(
                f"watch of kind {self._hub.kind!r} is being iterated by another thread; open a second watch instead"
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
        self._refuse_other_thread()
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            with self._lock:
                self._refuse_second()
                event = self._pull()
                if event is None and self._ended:
                    return None
            if event is AGAIN:
                continue
            if event is not None:
                return event
            if not self._wait_here(deadline):
                return None

    async def aget(self, timeout: float | None = None) -> Event[T] | None:
        """Return the next event; the same as :meth:`get`, for an event loop."""
        self._refuse_other_thread()
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
                if event is None and self._ended:
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
        self._refuse_other_thread()
        return Batch(self._take_many(None))

    def batches(self) -> Batches[T]:
        """Iterate lists of events instead of events: one wake-up a batch.

        ``for`` in a thread, ``async for`` on an event loop. A batch is never empty and has at most 512 events.
        """
        return Batches(self)

    def cancel(self) -> None:
        """End the watch; what is buffered is still handed out. Calling it again is harmless."""
        with self._lock:
            if not self._ended:
                self._settle_all()
                self._end()

    @property
    def kind(self) -> str:
        """The kind's name."""
        return self._hub.kind

    @property
    def closed(self) -> bool:
        """Tell whether the watch has ended: no new event comes in, buffered ones may still be there."""
        with self._lock:
            self._settle()
            return self._ended

    @property
    def synced(self) -> bool:
        """Tell whether the consumer has been handed the whole initial state (S4)."""
        with self._lock:
            self._settle()
            try:
                return self._buffer.in_sync()
            except Exception as error:
                self._fail(error)
                return False

    @property
    def dropped(self) -> int:
        """How many events the policy DROP has dropped."""
        with self._lock:
            self._settle()
            return self._buffer.dropped

    @property
    def coalesced(self) -> int:
        """How many events the policy COALESCE has folded into others."""
        with self._lock:
            self._settle()
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
        # The hub holds a weak reference, which is dead by now; it is swept at the next settle or subscription. Nothing
        # else is touched here: this may run at any allocation, in the middle of any other operation.
        if not self._ended:
            warnings.warn(
                f"watch of kind {self._hub.kind!r} was dropped without cancel(); use it in a with block",
                ResourceWarning,
                stacklevel=2,
                source=self,
            )

    def __repr__(self) -> str:
        state = "closed" if self._ended else "open"
        return f"<Watch of {self._hub.kind!r}, {self.overflow.value}, {state}>"


class Batch(list[Event[T]]):
    """A list of events that may also be awaited, for code on an event loop."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, None, Batch[T]]:
        yield from ()  # never suspends
        return self


class _Iterator(Generic[T]):
    """What both iterators share: who iterates, and whether it is over."""

    def __init__(self, watch: Watch[T]) -> None:
        task = None if running_loop() is None else asyncio.current_task()
        self.watch = watch
        self.owner = (threading.get_ident(), 0 if task is None else id(task))
        self.done = False
        watch._claim(self)


class _ThreadIterator(_Iterator[T]):
    def __iter__(self) -> Iterator[Event[T]]:
        return self

    def __next__(self) -> Event[T]:
        watch = self.watch
        while True:
            with watch._lock:
                if watch._waiter is not None:
                    watch._refuse_second()
                event = watch._pull()
                if event is None and watch._ended:
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
        self._count = 0

    def __aiter__(self) -> AsyncIterator[Event[T]]:
        return self

    async def __anext__(self) -> Event[T]:
        watch = self.watch
        self._count += 1
        if not self._count & 31:
            await watch._breathe()
        with watch._lock:
            if watch._waiter is not None:
                watch._refuse_second()
            event = watch._pull()
        if event is None or event is AGAIN:
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
            with watch._lock:
                if watch._ended and not watch._buffer.ready() and watch._error is None:
                    self.done = True
                    raise StopIteration
            watch._refuse_loop("async for")
            watch._wait_here(None)


class _LoopBatches(_Iterator[T]):
    def __aiter__(self) -> AsyncIterator[list[Event[T]]]:
        return self

    async def __anext__(self) -> list[Event[T]]:
        watch = self.watch
        await watch._breathe()
        while True:
            batch = watch._take_many(_BATCH)
            if batch:
                return batch
            with watch._lock:
                more = watch._buffer.ready()
                if watch._ended and not more and watch._error is None:
                    self.done = True
                    raise StopAsyncIteration
            if more:
                await asyncio.sleep(0)
            await watch._wait_there()
