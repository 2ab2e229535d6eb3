"""The work queue: fair, stingy, multi-consumer, with shut-down, delays, backoff and ageing priorities.

Invariant (client-go's set algebra): a key is in at most one of *queued* and *processing*; a key added while it is
processed is *dirty* and is queued again when it is done. So no key is processed twice at once (Q1), and any number of
adds while it waits or runs lead to exactly one further run (Q2).

Priorities age by one a second: the effective priority of a key is ``priority + seconds waited``. The order of two
waiting keys therefore never changes with time, and each priority is a plain first-in-first-out line (Q5).

What is held is bounded by the number of keys: a key has one place in one line, a line without keys is dropped (but that
of priority 0, which nearly every key passes), and of its superseded delays at most as many stay in the heap as there
are delayed keys.

Everything runs on one event loop, of any implementation; the times are the loop's, so virtual time works.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
import math
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

__all__ = ["Item", "QueueClosed", "WorkQueue"]

K = TypeVar("K", bound=Hashable)

MAX_CAUSES: Final = 10
SPARE_TIMERS: Final = 64  # superseded delays that are kept before the heap is rebuilt


class QueueClosed(Exception):
    """The queue has been shut down; a worker that sees this ends."""


@dataclass(slots=True)
class Item(Generic[K]):
    """A key handed to a worker.

    Attributes:
        key: what to work on.
        causes: why, oldest first, at most ten; `more` counts those that did not fit.
        waited: seconds between the first add and now.
        failures: how often the key has failed since it last succeeded.
    """

    key: K
    causes: tuple[str, ...]
    more: int
    waited: float
    failures: int = 0


@dataclass(slots=True)
class _Pending:
    """A key that waits (or is dirty): when it was first added, at what priority, and why."""

    since: float
    priority: int
    causes: list[str] = field(default_factory=list)
    more: int = 0

    def because(self, cause: str) -> None:
        if not cause or cause in self.causes:
            return
        if len(self.causes) < MAX_CAUSES:
            self.causes.append(cause)
        else:
            self.more += 1


class WorkQueue(Generic[K]):
    """Keys to work on, each at most once at a time.

    Args:
        clock: seconds, monotonic; the loop's clock by default.
        first_delay: seconds before the first retry of a failing key.
        max_delay: the cap of the doubling retry delay, in seconds.
        on_add: called with each key that starts to wait (metrics).
        on_retry: called with each key whose run is delayed (metrics).
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] | None = None,
        first_delay: float = 0.005,
        max_delay: float = 1000.0,
        on_add: Callable[[], None] | None = None,
        on_retry: Callable[[], None] | None = None,
    ) -> None:
        self.now: Callable[[], float] = clock if clock is not None else self._loop_time
        """The time of the queue's clock, in seconds."""
        self._first_delay = first_delay
        self._max_delay = max_delay
        self._on_add = on_add
        self._on_retry = on_retry
        self._pending: dict[K, _Pending] = {}
        # By priority: the keys, and when each was first added.
        self._lines: dict[int, OrderedDict[K, float]] = {0: OrderedDict()}
        self._processing: dict[K, float] = {}
        self._dirty: dict[K, _Pending] = {}
        self._failures: dict[K, int] = {}
        self._delays: dict[K, tuple[float, str]] = {}
        self._timers: list[tuple[float, int, K]] = []
        self._sequence = itertools.count()
        # Beside its time, for not every loop's handles tell theirs: uvloop's call_at may return a plain Handle.
        self._wakeup: tuple[float, asyncio.Handle] | None = None
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._idle: list[asyncio.Future[None]] = []
        self._closed = False

    # Adding

    def add(self, key: K, *, cause: str = "", priority: int = 0) -> None:
        """Queue a key to run as soon as a worker is free; a pending delay is dropped.

        Args:
            key: what to work on.
            cause: why, for ``ctx.causes``.
            priority: higher runs first; the highest of several adds counts.
        """
        if self._closed:
            return
        self._delays.pop(key, None)
        if key in self._processing:
            waiting = self._dirty.get(key)
            if waiting is None:
                waiting = self._dirty[key] = _Pending(self.now(), priority)
            elif priority > waiting.priority:
                waiting.priority = priority
            waiting.because(cause)
            return
        waiting = self._pending.get(key)
        if waiting is None:
            self._enqueue(key, _Pending(self.now(), priority, [cause] if cause else []))
            return
        waiting.because(cause)
        if priority > waiting.priority:
            self._leave_line(key, waiting)
            waiting.priority = priority
            self._lines.setdefault(priority, OrderedDict())[key] = waiting.since

    def add_after(self, key: K, delay: float, *, cause: str = "") -> None:
        """Queue a key when `delay` seconds have passed; of several delays the earliest counts.

        A key that waits already runs sooner than that, so nothing is added for it.
        """
        if self._closed:
            return
        if delay <= 0:
            self.add(key, cause=cause)
            return
        if self._on_retry is not None:
            self._on_retry()
        if key in self._pending or key in self._dirty:
            return
        when = self.now() + delay
        known = self._delays.get(key)
        if known is not None and known[0] <= when:
            return
        self._delays[key] = (when, cause)
        heapq.heappush(self._timers, (when, next(self._sequence), key))
        self._arm()

    def retry(self, key: K, *, cause: str = "") -> float:
        """Count a failure of this key and queue it after its backoff; returns the delay in seconds."""
        failures = self._failures.get(key, 0)
        if not self._closed:
            self._failures[key] = failures + 1
        # 2**60 would overflow nothing in Python, but the float product must stay finite.
        delay = min(self._first_delay * 2.0 ** min(failures, 60), self._max_delay)
        self.add_after(key, delay, cause=cause)
        return delay

    def forget(self, key: K) -> None:
        """Success: the next failure of this key starts from the first delay again."""
        self._failures.pop(key, None)

    def failures(self, key: K) -> int:
        """How often this key has failed since it last succeeded."""
        return self._failures.get(key, 0)

    # Taking

    def get_nowait(self) -> Item[K] | None:
        """The next key, or None when none waits.

        Raises:
            QueueClosed: the queue was shut down.
        """
        if self._closed:
            raise QueueClosed
        best = self._lines[0]
        if len(self._lines) > 1:
            score = next(iter(best.values())) if best else math.inf
            for priority, line in self._lines.items():
                if priority and (since := next(iter(line.values()))) - priority < score:
                    best, score = line, since - priority
        if not best:
            return None
        key, _ = best.popitem(last=False)
        waiting = self._pending.pop(key)
        if not best and waiting.priority:
            del self._lines[waiting.priority]
        now = self.now()
        self._processing[key] = now
        return Item(key, tuple(waiting.causes), waiting.more, now - waiting.since, self._failures.get(key, 0))

    async def get(self) -> Item[K]:
        """Wait for a key.

        Raises:
            QueueClosed: the queue was shut down.
        """
        while True:
            item = self.get_nowait()
            if item is not None:
                return item
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            except BaseException:
                if waiter.done() and not waiter.cancelled():
                    self._wake()  # the wake-up was meant for a worker that is leaving: hand it on
                else:
                    with contextlib.suppress(ValueError):  # _wake drops cancelled waiters as it meets them
                        self._waiters.remove(waiter)
                raise

    def hold(self, key: K) -> None:
        """Lock a key that is worked on outside this queue, until :meth:`done`; adds meanwhile make it run after that.

        Args:
            key: one that this queue is not processing.
        """
        self._processing[key] = self.now()
        waiting = self._pending.pop(key, None)
        if waiting is not None:
            self._leave_line(key, waiting)
            self._dirty[key] = waiting

    def done(self, key: K) -> None:
        """The worker has finished with a key; it is queued again if it was added meanwhile."""
        self._processing.pop(key, None)
        waiting = self._dirty.pop(key, None)
        if waiting is not None and not self._closed:
            self._enqueue(key, waiting)
        if not self._processing:
            for future in self._idle:
                if not future.done():
                    future.set_result(None)
            self._idle.clear()

    # Ending

    def shut_down(self) -> list[K]:
        """Start nothing new; returns the keys that were left waiting, delayed or dirty."""
        left = list(dict.fromkeys([*self._pending, *self._dirty, *self._delays]))
        self._closed = True
        if self._wakeup is not None:
            self._wakeup[1].cancel()
            self._wakeup = None
        for held in (self._pending, self._lines, self._dirty, self._delays, self._failures):
            held.clear()
        self._timers.clear()
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
        return left

    async def drained(self) -> None:
        """Return when no key is being processed."""
        if self._processing:
            future = asyncio.get_running_loop().create_future()
            self._idle.append(future)
            await future

    # Looking

    def __len__(self) -> int:
        return len(self._pending)

    def waiting(self) -> Iterable[tuple[K, int, float]]:
        """Each waiting key with its priority and the time (of the clock) of its first add."""
        return [(key, pending.priority, pending.since) for key, pending in self._pending.items()]

    def processing(self) -> dict[K, float]:
        """The keys being processed, with the time (of the clock) at which each started."""
        return dict(self._processing)

    # Inside

    def _loop_time(self) -> float:
        """The time of the running loop, which is this queue's from now on."""
        self.now = asyncio.get_running_loop().time
        return self.now()

    def _leave_line(self, key: K, waiting: _Pending) -> None:
        line = self._lines[waiting.priority]
        del line[key]
        if not line and waiting.priority:
            del self._lines[waiting.priority]

    def _enqueue(self, key: K, waiting: _Pending) -> None:
        self._pending[key] = waiting
        line = self._lines.get(waiting.priority)
        if line is None:
            line = self._lines[waiting.priority] = OrderedDict()
        line[key] = waiting.since
        if self._on_add is not None:
            self._on_add()
        if self._waiters:
            self._wake()

    def _wake(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def _arm(self) -> None:
        """Set the one timer to the earliest delay that still counts."""
        if len(self._timers) > 2 * len(self._delays) + SPARE_TIMERS:
            self._timers = [(when, next(self._sequence), key) for key, (when, _) in self._delays.items()]
            heapq.heapify(self._timers)
        while self._timers:
            when, _, key = self._timers[0]
            known = self._delays.get(key)
            if known is not None and known[0] == when:
                break
            heapq.heappop(self._timers)
        earliest = self._timers[0][0] if self._timers else None
        if self._wakeup is not None:
            if self._wakeup[0] == earliest:
                return
            self._wakeup[1].cancel()
            self._wakeup = None
        if earliest is not None:
            self._wakeup = earliest, asyncio.get_running_loop().call_at(earliest, self._fire)

    def _fire(self) -> None:
        self._wakeup = None
        now = self.now()
        while self._timers and self._timers[0][0] <= now:
            when, _, key = heapq.heappop(self._timers)
            known = self._delays.get(key)
            if known is not None and known[0] == when:
                del self._delays[key]
                self.add(key, cause=known[1])
        self._arm()
