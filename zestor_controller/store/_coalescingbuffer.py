"""A buffer that keeps the newest state of each name: the policy COALESCE (S6).

Invariant: it holds at most one event for each name, and none for a name whose changes cancel each other out.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from zestor_controller.store._buffer import AGAIN, SCAN, Again
from zestor_controller.store.event import Event, EventType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from zestor_controller.store._eventfilter import EventFilter

__all__ = ["CoalescingBuffer"]

T = TypeVar("T")

_CREATE = EventType.CREATE
_UPDATE = EventType.UPDATE
_DELETE = EventType.DELETE
_SYNCED = EventType.SYNCED


class CoalescingBuffer(Generic[T]):
    """The newest state of each name, in the order of its first undelivered change: the policy COALESCE.

    Folding compares what the consumer was told of a name with what is there now: nothing and something is a CREATE,
    something and something an UPDATE whose ``old`` is the value told last, something and nothing a DELETE, nothing and
    nothing is no event. The filter judges the folded event when it is handed out. A change that the predicate refuses
    was not told: it is kept aside (`_hidden`) and folds with the next change of its name, so that an object which
    comes into view is a CREATE and ``old`` stays what the consumer saw. `_hidden` holds names that exist, nothing else.

    Args:
        kind: the kind's name.
        decode: turns stored values into private copies.
        bookmarks: hand out the SYNCED event.
        selected: the filter, or None when everything passes.
        replay: the objects present at subscription, by name.
        brief: what came and went before it was handed out is a DELETE, for a consumer that also reads the kind.
    """

    def __init__(
        self,
        kind: str,
        decode: Callable[[Any], T],
        bookmarks: bool,
        selected: EventFilter[T] | None,
        replay: Mapping[str, Any] | None,
        brief: bool = False,
    ) -> None:
        self._brief = brief
        self._kind = kind
        self._decode = decode
        self._bookmarks = bookmarks
        self._filter = selected
        self._replay: dict[str, Any] = dict(replay) if replay else {}  # not told yet
        self._order: Iterator[str] = iter(list(self._replay))
        self._next = next(self._order, "")
        # What is handed out now, in the order of a list of its names, and what has come in since. Two plain dicts,
        # because taking the first item of a dict again and again gets slower with each item taken.
        self._front: dict[str | None, Event[T]] = {}
        self._names: Iterator[str | None] = iter(())
        self._name: str | None = ""
        self._pending: dict[str | None, Event[T]] = {}  # the key None is the SYNCED mark
        self.plain = False
        self.events: deque[Event[T]] = deque()
        self._hidden: dict[str, Event[T] | None] = {}  # None: the consumer was never told of it
        self._synced = False
        self.dropped = 0
        self.coalesced = 0
        self.overflowed = False

    def offer(self, events: Sequence[Event[T]]) -> None:
        """Fold live events into what is pending."""
        names = None if self._filter is None else self._filter.names
        front, pending = self._front, self._pending
        if names is None and not (front or pending or self._replay or self._hidden):
            fresh: dict[str | None, Event[T]] = {event._name: event for event in events}
            if len(fresh) == len(events) and "" not in fresh:
                self._pending = fresh
                return
        for event in events:
            name = event._name
            if event._type is _SYNCED:
                self.mark(event)
            elif names is not None and name not in names:
                continue
            elif name in self._replay:
                self.coalesced += 1
                if event._type is _DELETE:
                    del self._replay[name]
                    if self._brief:
                        pending[name] = event
                else:
                    self._replay[name] = event._object
            elif name in front or name in pending:
                self.coalesced += 1
                held = front if name in front else pending
                folded = self._fold(held[name], event)
                if folded is None:
                    del held[name]
                else:
                    held[name] = folded
            elif name in self._hidden:
                folded = self._reveal(self._hidden.pop(name), event)
                if folded is not None:
                    pending[name] = folded
            else:
                pending[name] = event

    def _fold(self, before: Event[T], event: Event[T]) -> Event[T] | None:
        told, now = before._type, event._type
        if now is _DELETE:
            if told is _CREATE:
                return event if self._brief else None
            return self._event(event._name, _DELETE, event._object, before._old)
        if told is _CREATE:
            return self._event(event._name, _CREATE, event._object, None)
        return self._event(event._name, _UPDATE, event._object, before._old)

    def _reveal(self, hidden: Event[T] | None, event: Event[T]) -> Event[T] | None:
        if hidden is not None:
            return self._fold(hidden, event)
        return None if event._type is _DELETE else self._event(event._name, _CREATE, event._object, None)

    def _event(self, name: str, type: EventType, stored: Any, old: Any) -> Event[T]:
        return Event(self._kind, name, type, stored, old, self._decode)

    def mark(self, event: Event[T]) -> None:
        """Append the SYNCED mark, once."""
        if not self._synced and None not in self._front:
            self._pending.setdefault(None, event)

    def take(self) -> Event[T] | Again | None:
        """Hand out the replay first, then what is pending."""
        event = self._first()
        if isinstance(event, Event):
            self._forget(event)
        return event

    def take_all(self, limit: int | None) -> list[Event[T]]:
        """Hand out everything at once, unless there is a replay, a mark or a filter to pass."""
        if self._filter is not None or self._front or self._replay or None in self._pending:
            return []
        if limit is not None and len(self._pending) > limit:
            return []
        events = list(self._pending.values())
        self._pending = {}
        return events

    def ready(self) -> bool:
        """Tell whether an event passes, or more is left to look at."""
        return self._first() is not None

    def in_sync(self) -> bool:
        """Tell whether the replay is through and the mark is next or behind."""
        event = None if self._synced else self._first()
        return self._synced or (isinstance(event, Event) and event._type is _SYNCED)

    def _first(self) -> Event[T] | Again | None:
        """Return the first event that passes, still in its place so that it can fold; what is refused is put aside."""
        for _ in range(SCAN):
            event = self._peek()
            if event is None:
                return None
            if event._type is _SYNCED:
                if self._bookmarks:
                    return event
                self._forget(event)
            elif self._passes(event):
                return event
        return AGAIN

    def _peek(self) -> Event[T] | None:
        while self._replay:
            if self._next not in self._replay:
                self._next = next(self._order)
            else:
                return self._event(self._next, _CREATE, self._replay[self._next], None)
        if not self._front:
            if not self._pending:
                return None
            self._front, self._pending = self._pending, {}
            self._names = iter(list(self._front))
            self._name = next(self._names)
        while self._name not in self._front:
            self._name = next(self._names)
        return self._front[self._name]

    def _forget(self, event: Event[T]) -> None:
        if self._replay:
            del self._replay[event._name]
        elif event._type is _SYNCED:
            del self._front[None]
            self._synced = True
        else:
            del self._front[event._name]

    def _passes(self, event: Event[T]) -> bool:
        selected = self._filter
        if selected is None:
            return True
        if selected.types is not None and event._type not in selected.types:
            self._forget(event)
            return False
        try:
            passes = selected.passes_predicate(event)
        except BaseException:
            self._forget(event)  # or the next look would meet the same event and the same error again
            raise
        if not passes:
            self._forget(event)
            if event._type is _CREATE:
                self._hidden[event._name] = None
            elif event._type is _UPDATE:
                self._hidden[event._name] = event
        return passes
