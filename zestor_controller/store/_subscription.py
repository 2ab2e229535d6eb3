"""One watch's place between the hub and its consumer: what it has buffered, who waits for it, and how it ends.

Invariants: one consumer at a time; whatever the consumer takes, the hub's log is buffered first; an event leaves the
buffer only when it is taken, so a consumer that is cancelled while it waits loses nothing. What callers use is
:class:`~zestor_controller.store.watch.Watch`.
"""

from __future__ import annotations

import asyncio
import threading
import time
import warnings
import weakref
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from zestor_controller.errors import WatchOverflow
from zestor_controller.store._buffer import Again, Buffer
from zestor_controller.store._coalescingbuffer import CoalescingBuffer
from zestor_controller.store._eventfilter import EventFilter
from zestor_controller.store._queuebuffer import QueueBuffer, Replay
from zestor_controller.store._waiter import LoopWaiter, ThreadWaiter, Waiter, running_loop, wake_all
from zestor_controller.store.event import Event, EventType, Overflow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from zestor_controller.store.hub import Hub, Subscriber
    from zestor_controller.store.watchoptions import WatchSettings

__all__ = ["Subscription"]

T = TypeVar("T")

YIELD_INTERVAL_S = 0.004  # how long a consumer that is never out of events keeps its loop


class Consumer(Protocol):
    """An iterator over a watch.

    Attributes:
        owner: the thread, and the task on an event loop, that iterates.
        done: the iteration is over.
    """

    owner: tuple[int, int]
    done: bool


class Subscription(Generic[T]):
    """The buffer of one watch, filled from a hub.

    Args:
        hub: the hub of the kind.
        objects: what is stored now, for the replay.
        settings: what is delivered and how it is buffered.

    Attributes:
        ended: nothing more is buffered.
        waiter: the consumer that waits now.
        overflow: what happens when the buffer is full.
        selective: not every event is for the consumer.
        more: the last :meth:`take_batch` left something to look at.
        buffer: what has not been taken yet.
        cursor: the number of the next event of the hub that is to be buffered.
        clock: the clock of :attr:`yielded`; a loop's own, which is virtual in tests.
        yielded: when the consumer's loop last had a turn.
    """

    def __init__(self, hub: Hub[T], objects: Mapping[str, Any], settings: WatchSettings) -> None:
        self.ended = True  # until everything below has worked: a rejected argument leaves nothing to warn about
        names = settings.names
        if isinstance(names, str):
            raise TypeError(f"watch of kind {hub.kind!r}: names takes a collection of names; write names=[{names!r}]")
        if settings.buffer_size < 1:
            size = settings.buffer_size
            raise ValueError(f"watch of kind {hub.kind!r}: buffer_size must be at least 1, not {size}")
        selected: EventFilter[T] = EventFilter(settings.event_types, names, settings.predicate, hub.guard)
        self.overflow = Overflow(settings.overflow)
        self.lock = hub.lock
        self.hub = hub
        self.waiter: Waiter | None = None
        self.more = False
        self.selective = not selected.is_open() or self.overflow is Overflow.CLOSE
        self._ref: weakref.ref[Subscriber] = weakref.ref(self)
        self._consumer: weakref.ref[Consumer] | None = None
        self._error: BaseException | None = None  # to be raised once, when the buffer is empty
        self._empty = False  # known to be: the last batch took everything, and nothing was buffered since
        self.clock: Callable[[], float] = time.monotonic
        self.yielded = 0.0
        with self.lock:
            present: Mapping[str, Any] = objects if settings.initial_replay and selected.selects_replay() else {}
            if present and selected.names is not None:
                present = {name: present[name] for name in sorted(selected.names) if name in present}
            self.buffer = self._make_buffer(present, None if selected.is_open() else selected, settings)
            if hub.synced:
                self.buffer.offer([Event(hub.kind, "", EventType.SYNCED)])
            self.cursor = hub.subscribe(self, self._ref)
            self.ended = False

    def _make_buffer(
        self, present: Mapping[str, Any], selected: EventFilter[T] | None, settings: WatchSettings
    ) -> Buffer[T]:
        hub, bookmarks = self.hub, settings.bookmarks
        if self.overflow is Overflow.COALESCE:
            return CoalescingBuffer(hub.kind, hub.decode, bookmarks, selected, present, settings.brief)
        replay: Iterator[Event[T]] | None = None
        if present:
            # Two flat copies: nothing is made for each object until the consumer comes to it.
            replay = iter(Replay(hub.kind, zip(list(present), list(present.values()), strict=True), hub.decode))
        return QueueBuffer(settings.buffer_size, self.overflow is Overflow.CLOSE, bookmarks, selected, replay)

    # The hub's side, under the lock

    def catch_up(self) -> None:
        """Buffer what the log has for this watch."""
        hub = self.hub
        if self.cursor >= hub.end or self.ended:
            return
        cursor, self.cursor = self.cursor, hub.end
        self._offer(hub.tail(cursor))

    def catch_up_to_end(self) -> None:
        """Buffer the log and what is scheduled after it: the store closes."""
        self.catch_up()
        if not self.ended:
            self._offer(self.hub.scheduled(self.cursor))

    def _offer(self, events: Sequence[Event[T]]) -> None:
        self._empty = False
        try:
            self.buffer.offer(events)
        except Exception as error:  # the predicate: only this watch ends, with its error (S8)
            self._fail(error)
            return
        if self.buffer.overflowed:
            self._fail(
                WatchOverflow(
                    f"watch of kind {self.hub.kind!r} fell a buffer behind and was closed; "
                    "subscribe again with initial_replay=True, a larger buffer_size or overflow=COALESCE"
                )
            )

    def has_news(self) -> bool:
        """Return whether the waiting consumer should look: something passed the filter, or the watch has ended."""
        self.catch_up()
        return self._ready() or self.ended

    def _ready(self) -> bool:
        try:
            return self.buffer.ready()
        except Exception as error:
            self._fail(error)
            return True

    def _fail(self, error: BaseException) -> None:
        self._error = error
        self._empty = False
        self.end()

    def end(self) -> None:
        """Buffer nothing more and wake the consumer."""
        if self.ended:
            return
        self.ended = True
        self.hub.past.append((self.overflow, self.lost))
        self.hub.remove(self)
        waiter, self.waiter = self.waiter, None
        if waiter is not None:
            wake_all([waiter])

    # The consumer's side, under the lock

    def take(self) -> Event[T] | Again | None:
        """Return the next event, None when there is none now; raise the watch's error once, when nothing is left."""
        if self.cursor < self.hub.end:
            self.catch_up()
        buffer = self.buffer
        if buffer.plain and buffer.events:
            return buffer.events.popleft()
        try:
            event = buffer.take()
        except Exception as error:
            self._fail(error)
            event = None
        if event is None and self._error is not None:
            self._raise_error()
        return event

    def take_batch(self, limit: int | None) -> list[Event[T]]:
        """Return what is there, up to `limit` events; an error is raised once, when no event is before it."""
        if self.waiter is not None:
            self.reject_second()
        batch: list[Event[T]] = []
        if self.cursor < self.hub.end:
            self.catch_up()
        elif self._empty:
            return batch
        try:
            self.more = self.buffer.take_into(batch, limit)
            self._empty = not self.more and self._error is None
        except Exception as error:  # what came before the error is in the batch
            self.more = False
            self._fail(error)
        if self._error is not None and not batch and not self.more:
            self._raise_error()
        return batch

    def _raise_error(self) -> None:
        error, self._error = self._error, None
        assert error is not None  # the caller looked
        raise error

    def reject_second(self) -> None:
        """Raise when another consumer waits."""
        if self.waiter is not None:
            raise RuntimeError(
                f"watch of kind {self.hub.kind!r} has a consumer that waits already; open a second watch instead"
            )

    def park(self, waiter: Waiter) -> None:
        """Register the waiter of a consumer that has found nothing to take."""
        self.waiter = waiter
        self.hub.waiting[id(self)] = self._ref

    def _park_unless_ready(self, waiter: Waiter) -> bool:
        self.reject_second()
        self.catch_up()
        if self.ended or self._ready():
            return False
        self.park(waiter)
        return True

    # The consumer's side

    def unpark(self, waiter: Waiter) -> None:
        """Take a waiter back that has not been woken."""
        with self.lock:
            if self.waiter is waiter:
                self.waiter = None
                self.hub.waiting.pop(id(self), None)

    def wait_in_thread(self, deadline: float | None) -> bool:
        """Block this thread until there is something to look at; False at the deadline."""
        waiter = ThreadWaiter()
        with self.lock:
            if not self._park_unless_ready(waiter):
                return True
        try:
            return waiter.wait(None if deadline is None else deadline - time.monotonic())
        finally:
            self.unpark(waiter)

    async def wait_on_loop(self) -> None:
        """Suspend this task until there is something to look at."""
        waiter = LoopWaiter(asyncio.get_running_loop())
        with self.lock:
            parked = self._park_unless_ready(waiter)
        if not parked:
            await asyncio.sleep(0)  # there is more to look at: but others on this loop come first
            return
        try:
            await waiter.future
        finally:
            self.unpark(waiter)
            self.yielded = self.clock()

    def start_interval(self) -> None:
        """Begin to measure how long the consumer keeps its loop."""
        loop = running_loop()
        if loop is not None:
            self.clock = loop.time
        self.yielded = self.clock()

    async def yield_to_loop(self) -> None:
        """Give the loop a turn."""
        await asyncio.sleep(0)
        self.yielded = self.clock()

    def reject_loop(self, instead: str) -> None:
        """Raise when this thread runs an event loop, which must not block."""
        if running_loop() is not None:
            raise RuntimeError(f"this thread runs an event loop, which must not block: use {instead}")

    def claim(self, consumer: Consumer) -> None:
        """Make an iterator the watch's consumer; reject it while another thread's or task's is alive."""
        with self.lock:
            self.reject_second()
            self.reject_other()
            self._consumer = weakref.ref(consumer)

    def reject_other(self) -> None:
        """Raise when another consumer iterates this watch."""
        other = None if self._consumer is None else self._consumer()
        busy = other is not None and not other.done and other.owner != caller()
        del other  # the error's traceback would keep it alive
        if busy:
            raise RuntimeError(
                f"watch of kind {self.hub.kind!r} is being iterated by another consumer; open a second watch instead"
            )

    # Figures

    @property
    def closed(self) -> bool:
        """See :attr:`~zestor_controller.store.watch.Watch.closed`."""
        with self.lock:
            self.catch_up()
            return self.ended

    @property
    def synced(self) -> bool:
        """See :attr:`~zestor_controller.store.watch.Watch.synced`."""
        with self.lock:
            self.catch_up()
            try:
                return self.buffer.in_sync()
            except Exception as error:
                self._fail(error)
                return False

    @property
    def dropped(self) -> int:
        """See :attr:`~zestor_controller.store.watch.Watch.dropped`."""
        with self.lock:
            self.catch_up()
            return self.buffer.dropped

    @property
    def lost(self) -> int:
        """How many events the policy has dropped or folded so far, or 1 for a watch that it has closed."""
        return self.buffer.dropped + self.buffer.coalesced + self.buffer.overflowed

    @property
    def coalesced(self) -> int:
        """See :attr:`~zestor_controller.store.watch.Watch.coalesced`."""
        with self.lock:
            self.catch_up()
            return self.buffer.coalesced

    def __del__(self) -> None:
        # The hub holds a weak reference, which is dead by now; it is removed at the next subscription or end. Nothing
        # else is touched here: this may run at any allocation, in the middle of any other operation.
        if not self.ended:
            self.hub.dead.append(id(self))
            self.hub.past.append((self.overflow, self.lost))
            warnings.warn(
                f"watch of kind {self.hub.kind!r} was dropped without cancel(); use it in a with block",
                ResourceWarning,
                stacklevel=2,
                source=self,
            )


def caller() -> tuple[int, int]:
    """Return what distinguishes one consumer from another: its thread, and its task on an event loop."""
    task = None if running_loop() is None else asyncio.current_task()
    return threading.get_ident(), 0 if task is None else id(task)
