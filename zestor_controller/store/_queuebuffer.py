"""A buffer of events one by one, with a limit: the policies DROP and CLOSE (S6).

Invariant: it never holds more than its limit of live events; the SYNCED bookmark and the replay take no place.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from zestor_controller.store._buffer import AGAIN, SCAN, Again, take_each
from zestor_controller.store.event import Event, EventType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from zestor_controller.store._eventfilter import EventFilter

__all__ = ["QueueBuffer", "Replay"]

T = TypeVar("T")

_CREATE = EventType.CREATE
_SYNCED = EventType.SYNCED


class Replay(Generic[T]):
    """The objects present at subscription, as CREATE events, made one by one."""

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
        closing: end the watch at the first event that does not fit (CLOSE); otherwise drop it (DROP).
        bookmarks: deliver the SYNCED event.
        selected: the filter, or None when everything passes.
        replay: the objects present at subscription; those the filter rejects are skipped.
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
        self._bookmarked = False  # the SYNCED bookmark has been offered
        self._held_bookmarks = 0  # 0 or 1; a bookmark takes no place
        self._synced = False
        self.dropped = 0
        self.coalesced = 0
        self.overflowed = False

    def offer(self, events: Sequence[Event[T]]) -> None:
        """Append what passes the filter and fits; the rest is dropped and counted, or ends the watch."""
        held = self.events
        if self._filter is None and self._bookmarked and len(held) - self._held_bookmarks + len(events) <= self._size:
            held.extend(events)
            return
        accepts = None if self._filter is None else self._filter.accepts
        for event in events:
            if event._type is _SYNCED:
                self.bookmark(event)
            elif accepts is not None and not accepts(event):
                continue
            elif len(held) - self._held_bookmarks < self._size:
                held.append(event)
            elif self._closing:
                self.overflowed = True
                return
            else:
                self.dropped += 1
                # The newest event held is still undelivered, because a drop needs a full buffer: it counts the gap.
                at = -2 if held[-1]._type is _SYNCED and not self._bookmarks else -1
                held[at] = held[at].with_missed(held[at].missed + 1)

    def bookmark(self, event: Event[T]) -> None:
        """Append the SYNCED bookmark, once."""
        if not self._bookmarked:
            self._bookmarked = True
            self._held_bookmarks = 1
            self.plain = False
            self.events.append(event)

    def take(self) -> Event[T] | Again | None:
        """Take from the replay first, then from the live events."""
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
            self._pass_bookmark()
            if self._bookmarks:
                return event
        self.plain = self._held_bookmarks == 0
        return None

    def take_into(self, batch: list[Event[T]], limit: int | None) -> bool:
        """Move everything at once where nothing but live events is left, else one by one."""
        if self.plain and (limit is None or len(self.events) <= limit):
            batch.extend(self.events)
            self.events.clear()
            return False
        if self._filter is None and self._replay is not None and limit is not None:
            if self._head is not None:
                batch.append(self._head)
                self._head = None
            batch.extend(islice(self._replay, limit - len(batch)))
        return take_each(self, batch, limit)

    def _pass_bookmark(self) -> None:
        self._held_bookmarks = 0
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
        """Return whether there is an event, or more of the replay to look at."""
        if self._replay is not None and (not self._look() or self._head is not None):
            return True
        if self.events and self.events[0]._type is _SYNCED and not self._bookmarks:
            self.events.popleft()
            self._pass_bookmark()
        return bool(self.events)

    def in_sync(self) -> bool:
        """Return whether the replay is through and the bookmark is next or has been taken."""
        if self._synced:
            return True
        if self._replay is not None and (not self._look() or self._head is not None):
            return False
        return bool(self.events) and self.events[0]._type is _SYNCED
