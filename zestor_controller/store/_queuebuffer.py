"""A buffer of events one by one, with a limit: the policies DROP and CLOSE (S6).

Invariant: it never holds more than its limit of live events; the SYNCED bookmark and the replay take no place.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from zestor_controller.store._buffer import AGAIN, SCAN, Again
from zestor_controller.store.event import Event, EventType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from zestor_controller.store._eventfilter import EventFilter

__all__ = ["QueueBuffer", "Replay"]

T = TypeVar("T")

_CREATE = EventType.CREATE
_SYNCED = EventType.SYNCED


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
