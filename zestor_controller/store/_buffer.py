"""What one watch holds for its consumer, one class for each way to overflow (S6), and the filter before it (S5).

Invariants: every method is called under the store's lock; ``offer`` never waits; an event is fixed once ``take`` has
returned it. The replay (S4) is read from a snapshot as the consumer asks for it, so it takes no place in a buffer.
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from zestor_controller.errors import InvalidObject
from zestor_controller.store.event import Event, EventType

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from zestor_controller.store._guard import Guard

__all__ = ["AGAIN", "Again", "Buffer", "CoalescingBuffer", "EventFilter", "QueueBuffer"]

T = TypeVar("T")

_CREATE = EventType.CREATE
_UPDATE = EventType.UPDATE
_DELETE = EventType.DELETE
_SYNCED = EventType.SYNCED

SCAN = 512  # rejected events looked at in one go; then the consumer's loop gets a turn


class Again(Enum):
    """The answer of a ``take`` that looked at many rejected events and found none: ask again after a breath."""

    AGAIN = "AGAIN"


AGAIN: Final = Again.AGAIN


class EventFilter(Generic[T]):
    """What a watch wants to hear of; the three conditions compose with AND.

    Args:
        event_types: the types to tell, or None for all.
        names: the names to tell, or None for all.
        predicate: a plain, quick function of the event, or None.
        guard: keeps the predicate from writing to the kind whose events it judges.
    """

    __slots__ = ("_guard", "names", "predicate", "types")

    def __init__(
        self,
        event_types: Collection[EventType] | None,
        names: Collection[str] | None,
        predicate: Callable[[Event[T]], object] | None,
        guard: Guard,
    ) -> None:
        self._guard = guard
        self.types = None if event_types is None else frozenset(event_types)
        self.names = None if names is None else frozenset(names)
        self.predicate = predicate

    def is_open(self) -> bool:
        """Tell whether everything passes."""
        return self.types is None and self.names is None and self.predicate is None

    def wants_replay(self) -> bool:
        """Tell whether a replay, which is made of CREATE events, could pass."""
        return self.types is None or _CREATE in self.types

    def passes_predicate(self, event: Event[T]) -> bool:
        """Ask the predicate; an object that its model refuses passes, for its consumer is to find it (C10)."""
        if self.predicate is None:
            return True
        before = self._guard.begin("a watch's predicate")
        try:
            return bool(self.predicate(event))
        except InvalidObject:
            return True
        finally:
            self._guard.begin(before)

    def accepts(self, event: Event[T]) -> bool:
        """Tell whether the event is wanted."""
        if self.types is not None and event._type not in self.types:
            return False
        if self.names is not None and event._name not in self.names:
            return False
        return self.predicate is None or self.passes_predicate(event)


class Replay(Generic[T]):
    """The objects present at subscription, told as CREATE events one by one."""

    __slots__ = ("_decode", "_items", "_kind")

    def __init__(self, kind: str, items: Iterator[tuple[str, Any]], decode: Callable[[Any], T]) -> None:
        self._kind = kind
        self._items = items
        self._decode = decode

    def __iter__(self) -> Iterator[Event[T]]:
        kind, decode = self._kind, self._decode
        for name, stored in self._items:
            yield Event(kind, name, _CREATE, stored, None, decode)


class Buffer(Protocol[T]):
    """What a watch needs of its buffer."""

    plain: bool  # nothing but `events` is left to hand out: the watch may take from them directly
    events: deque[Event[T]]
    dropped: int
    coalesced: int
    overflowed: bool

    def offer(self, events: Sequence[Event[T]]) -> None:
        """Take in live events, in order."""
        ...

    def take(self) -> Event[T] | Again | None:
        """Hand out the next event; None when there is none now, AGAIN when looking for one took long."""
        ...

    def take_all(self, limit: int | None) -> list[Event[T]]:
        """Hand out everything at once where that is simple and within the limit; else nothing."""
        ...

    def ready(self) -> bool:
        """Tell whether a ``take`` would hand out something or has more to look at."""
        ...

    def in_sync(self) -> bool:
        """Tell whether everything before the SYNCED mark has been handed out."""
        ...


class QueueBuffer(Generic[T]):
    """Events one by one, at most `size` of them: the policies DROP and CLOSE.

    Args:
        size: how many live events are held.
        closing: end the watch at the first event that finds no room (CLOSE); otherwise drop it (DROP).
        bookmarks: hand out the SYNCED event.
        selected: the filter, or None when everything passes.
        replay: the objects present at subscription; those the filter refuses are skipped.
    """

    def __init__(
        self,
        size: int,
        closing: bool,
        bookmarks: bool,
        selected: EventFilter[T] | None,
        replay: Iterator[Event[T]] | None,
    ) -> None:
        self._size = size
        self._closing = closing
        self._bookmarks = bookmarks
        self._filter = selected
        self._replay = replay
        self._head: Event[T] | None = None  # the next event of the replay, found by looking ahead
        self.events: deque[Event[T]] = deque()
        self.plain = False
        self._marked = False  # the SYNCED mark has come in
        self._marks = 0  # how many marks are held, 0 or 1; a mark takes no place
        self._synced = False
        self.dropped = 0
        self.coalesced = 0
        self.overflowed = False

    def offer(self, events: Sequence[Event[T]]) -> None:
        """Append what passes the filter and finds room; the rest is dropped and told, or ends the watch."""
        held = self.events
        if self._filter is None and self._marked and len(held) - self._marks + len(events) <= self._size:
            held.extend(events)
            return
        accepts = None if self._filter is None else self._filter.accepts
        for event in events:
            if event._type is _SYNCED:
                self.mark(event)
            elif accepts is not None and not accepts(event):
                continue
            elif len(held) - self._marks < self._size:
                held.append(event)
            elif self._closing:
                self.overflowed = True
                return
            else:
                self.dropped += 1
                # The newest event held is still undelivered, because a drop needs a full buffer: it tells of the gap.
                at = -2 if held[-1]._type is _SYNCED and not self._bookmarks else -1
                held[at] = held[at].with_missed(held[at].missed + 1)

    def mark(self, event: Event[T]) -> None:
        """Append the SYNCED mark, once."""
        if not self._marked:
            self._marked = True
            self._marks = 1
            self.plain = False
            self.events.append(event)

    def take(self) -> Event[T] | Again | None:
        """Hand out the replay first, then live events."""
        if self._replay is not None:
            if not self._look():
                return AGAIN
            if (event := self._head) is not None:
                self._head = None
                return event
        while self.events:
            event = self.events.popleft()
            if event._type is not _SYNCED:
                return event
            self._pass_mark()
            if self._bookmarks:
                return event
        self.plain = self._marks == 0
        return None

    def take_all(self, limit: int | None) -> list[Event[T]]:
        """Hand out everything at once, unless there is a replay or a mark to pass."""
        if not self.plain or (limit is not None and len(self.events) > limit):
            return []
        events = list(self.events)
        self.events.clear()
        return events

    def _pass_mark(self) -> None:
        self._marks = 0
        self._synced = True
        self.plain = self._replay is None

    def _look(self) -> bool:
        """Find the next event of the replay; False when that needs another go."""
        if self._head is not None or self._replay is None:
            return True
        for _ in range(SCAN):
            event = next(self._replay, None)
            if event is None:
                self._replay = None
                return True
            if self._filter is None or self._filter.accepts(event):
                self._head = event
                return True
        return False

    def ready(self) -> bool:
        """Tell whether there is an event, or more of the replay to look at."""
        if self._replay is not None and (not self._look() or self._head is not None):
            return True
        if self.events and self.events[0]._type is _SYNCED and not self._bookmarks:
            self.events.popleft()
            self._pass_mark()
        return bool(self.events)

    def in_sync(self) -> bool:
        """Tell whether the replay is through and the mark is next or behind."""
        if self._synced:
            return True
        if self._replay is not None and (not self._look() or self._head is not None):
            return False
        return bool(self.events) and self.events[0]._type is _SYNCED


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
