"""Fan-out of one kind's changes to its watches: order, wake-ups and close, written once for every backend.

How it works: a write appends its Event to the hub's log, whatever the number of watches, and wakes the consumers that
wait. A watch takes the log's tail into its own buffer (it *settles*) when its consumer asks, when a waiting consumer's
filter must be asked, or when the log is full. What its policy decides does not depend on when it settles, because room
in a buffer is made by its consumer only, and a consumer settles first.

Invariants: everything here runs under the store's lock; only this module appends to the log; publishing never waits
for a consumer. Guarantees S4 to S9 and S12 of :mod:`zestor_controller.store.contract` are kept here, in ``watch``,
``_buffer`` and ``_wake``, and nowhere else.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from zestor_controller.store._guard import Guard
from zestor_controller.store._waiter import wake_all
from zestor_controller.store.event import Event, EventType, Overflow

if TYPE_CHECKING:
    import threading
    import weakref
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from zestor_controller.store._waiter import Waiter

__all__ = ["Hub", "Part", "Subscriber"]

T = TypeVar("T")

_LOG_LIMIT = 256  # events kept before every watch has to settle


class Part(Protocol[T]):
    """A slice of scheduled events; they may be made only when it is told."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Event[T]]: ...


class Subscriber(Protocol):
    """What the hub needs of a watch; every method is called under the store's lock."""

    ended: bool
    waiter: Waiter | None
    overflow: Overflow

    @property
    def lost(self) -> int:
        """How many events its policy has dropped or folded, or the one time that it closed."""
        ...

    def settle(self) -> None:
        """Take in what the log has for this watch."""
        ...

    def settle_all(self) -> None:
        """Take in the log and what is scheduled after it."""
        ...

    def has_news(self) -> bool:
        """Tell whether the waiting consumer should look."""
        ...

    def end(self) -> None:
        """Take in nothing more; what is buffered is still handed out."""
        ...


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
        self.guard = Guard(kind)
        self.end = 0  # the number of the next event; the log holds the ones before it
        # By identity, so that subscribing and cancelling cost the same however many watches are open.
        # Empty: an event is not worth making.
        self.refs: dict[int, weakref.ref[Subscriber]] = {}
        self.dead: list[int] = []  # what was in refs and is gone; appended by a watch's __del__
        self._log: list[Event[T]] = []
        self._backlog: deque[Part[T]] = deque()  # decided, not yet published: a big swap is told in slices
        self._backlog_size = 0
        self._waiting: dict[int, weakref.ref[Subscriber]] = {}
        self._settled = 0  # watches that have taken in the whole log
        self.past: list[tuple[Overflow, int]] = []  # what watches that are gone had lost; appended by their __del__ too
        self._lost = dict.fromkeys(Overflow, 0)

    def publish(self, event: Event[T]) -> None:
        """Tell one change; it comes after everything published before, also after what is still told in slices."""
        if self._backlog:
            self.schedule([(event,)])
            return
        log = self._log
        log.append(event)
        self.end += 1
        self._settled = 0
        if self._waiting:
            self._wake()
        if len(log) >= _LOG_LIMIT:
            self.settle()

    def publish_all(self, events: Sequence[Event[T]]) -> None:
        """Tell many changes with one wake-up for each watch."""
        if not events:
            return
        if self._backlog:
            self.schedule([events])
            return
        self._log.extend(events)
        self.end += len(events)
        self._settled = 0
        if self._waiting:
            self._wake()
        if len(self._log) >= _LOG_LIMIT:
            self.settle()

    def schedule(self, parts: Iterable[Part[T]]) -> None:
        """Take over changes to be told by :meth:`publish_slice`; changes published meanwhile come after them."""
        if self.refs:
            for part in parts:
                self._backlog.append(part)
                self._backlog_size += len(part)

    def publish_slice(self) -> bool:
        """Tell one slice of the scheduled changes; returns False when none is left."""
        with self.lock:
            backlog = self._backlog
            if not backlog:
                return False
            events = list(backlog.popleft())
            self._backlog_size -= len(events)
            self._backlog = deque()  # so that this slice goes to the log
            self.publish_all(events)
            self._backlog = backlog
            return bool(backlog)

    def scheduled(self, cursor: int) -> list[Event[T]]:
        """Return the scheduled events from the number `cursor` on."""
        events = [event for part in self._backlog for event in part]
        return events[max(0, cursor - self.end) :]

    def mark_synced(self) -> None:
        """Tell every watch once that what came before was the initial state."""
        if not self.synced:
            self.synced = True
            self.publish(Event(self.kind, "", EventType.SYNCED))

    def settle(self) -> None:
        """Make every watch take in the log, and empty it."""
        for key, ref in list(self.refs.items()):
            watch = ref()
            if watch is None:
                self.refs.pop(key, None)
            else:
                watch.settle()
        self._clear()

    def _clear(self) -> None:
        self._log = []
        self._settled = 0

    def tail(self, cursor: int) -> Sequence[Event[T]]:
        """Return the log from the number `cursor` on, to a watch that takes it in now."""
        log = self._log
        at = cursor - self.end + len(log)
        self._settled += 1
        if self._settled >= len(self.refs):  # all have it: let go of the objects it holds
            self._clear()
        return log if at == 0 else log[at:]

    def subscribe(self, watch: Subscriber, ref: weakref.ref[Subscriber]) -> int:
        """Add a watch; returns the number of the first event that is for it."""
        self._bury()
        self.refs[id(watch)] = ref
        self._settled = 0
        self._count_past()
        return self.end + self._backlog_size

    def lost(self) -> dict[Overflow, int]:
        """Return, for each policy, how many events all watches so far have dropped or folded, or how many closed."""
        with self.lock:
            self.settle()
            self._count_past()
            totals = dict(self._lost)
            for ref in self.refs.values():
                if (watch := ref()) is not None:
                    totals[watch.overflow] += watch.lost
            return totals

    def count(self) -> int:
        """Return the number of open watches."""
        with self.lock:
            return sum(ref() is not None for ref in self.refs.values())

    def _bury(self) -> None:
        """Forget the watches that were dropped without cancel."""
        while self.dead:
            key = self.dead.pop()
            ref = self.refs.get(key)
            if ref is not None and ref() is None:  # else a new watch has the identity of the old one
                del self.refs[key]

    def _count_past(self) -> None:
        while self.past:
            overflow, lost = self.past.pop()
            self._lost[overflow] += lost

    def remove(self, watch: Subscriber) -> None:
        """Forget a watch that has ended."""
        self.refs.pop(id(watch), None)
        self._bury()
        self._waiting.pop(id(watch), None)
        self._settled = 0  # it may have been counted; the log is emptied a little later then
        if not self.refs:
            self._forget_all()

    def _forget_all(self) -> None:
        self._clear()
        self._backlog.clear()
        self._backlog_size = 0

    def close(self) -> None:
        """End every watch; what is buffered is still handed out."""
        for ref in list(self.refs.values()):
            watch = ref()
            if watch is not None:
                watch.settle_all()
                watch.end()
        self.refs = {}
        self._forget_all()

    def park(self, watch: Subscriber, ref: weakref.ref[Subscriber]) -> None:
        """Note that the watch's consumer waits."""
        self._waiting[id(watch)] = ref

    def unpark(self, watch: Subscriber) -> None:
        """Note that it does not wait any more."""
        self._waiting.pop(id(watch), None)

    def _wake(self) -> None:
        parked, self._waiting = self._waiting, {}
        waiters: list[Waiter] = []
        for key, ref in parked.items():
            watch = ref()
            if watch is None or watch.waiter is None:
                continue
            if watch.has_news():
                if (waiter := watch.waiter) is not None:  # a watch that has ended meanwhile has woken its consumer
                    waiters.append(waiter)
                    watch.waiter = None
            else:
                self._waiting[key] = ref
        if waiters:
            wake_all(waiters)
