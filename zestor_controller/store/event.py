"""What a store delivers to its watchers: one :class:`Event` a change, and the small vocabulary around it.

Invariant: an Event never changes once it has been delivered, and it holds values in stored form only; reading
``event.object`` or ``event.old`` makes a private copy at that moment (S13), so an event that is never read costs
nothing and one Event may be shared by all the watchers of its kind.
"""

from __future__ import annotations

from enum import Enum
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Change", "Event", "EventType", "Overflow"]

T = TypeVar("T")


class EventType(Enum):
    """What happened to a name (S2); ``SYNCED`` is the bookmark that ends the initial state (S4)."""

    CREATE = "CREATE"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    SYNCED = "SYNCED"

    def __str__(self) -> str:
        return self.value


class Change(Enum):
    """What a write did to a name; ``UNCHANGED`` means that nothing was written and no watcher notified (S3)."""

    CREATED = "CREATED"
    UPDATED = "UPDATED"
    UNCHANGED = "UNCHANGED"
    DELETED = "DELETED"

    def __str__(self) -> str:
        return self.value


class Overflow(Enum):
    """What a watch does when its consumer falls a buffer behind (S6)."""

    DROP = "DROP"
    COALESCE = "COALESCE"
    CLOSE = "CLOSE"

    def __str__(self) -> str:
        return self.value


def _as_is(stored: Any) -> Any:
    return stored


class Event(Generic[T]):
    """One change of one name.

    ``event.object`` is the new value of a CREATE or UPDATE and the last value of a DELETE. ``event.old`` is the value
    before it, the one that this watch's consumer saw last, for an UPDATE or DELETE; None for a CREATE. ``event.missed``
    is the number of events dropped right after this one (S6). A SYNCED event has an empty name and no object.

    Args:
        kind: the kind's name.
        name: the name in the kind.
        type: what happened.
        object: the value in stored form.
        old: the value before, in stored form.
        decode: turns a stored value into a private copy; without it values are handed out as they are.
    """

    __slots__ = ("_decode", "_kind", "_name", "_object", "_old", "_type")

    def __init__(
        self,
        kind: str,
        name: str,
        type: EventType,
        object: Any = None,
        old: Any = None,
        decode: Callable[[Any], T] = _as_is,
    ) -> None:
        self._kind = kind
        self._name = name
        self._type = type
        self._object = object
        self._old = old
        self._decode = decode

    if TYPE_CHECKING:

        @property
        def kind(self) -> str:
            """The kind's name."""

        @property
        def name(self) -> str:
            """The name in the kind; empty for SYNCED."""

        @property
        def type(self) -> EventType:
            """What happened."""

    else:  # read for each event by each consumer: a getter in C takes a third of the time
        kind = property(attrgetter("_kind"), doc="The kind's name.")
        name = property(attrgetter("_name"), doc="The name in the kind; empty for SYNCED.")
        type = property(attrgetter("_type"), doc="What happened.")

    @property
    def missed(self) -> int:
        """How many events were dropped right after this one; fixed when the event is handed out."""
        return 0

    @property
    def object(self) -> T:
        """The value, a private copy made now.

        Raises:
            InvalidObject: the stored value does not decode to the kind's model.
        """
        if self._object is None:
            return cast("T", None)
        return self._decode(self._object)

    @property
    def old(self) -> T | None:
        """The value before, a private copy made now; None for a CREATE and for SYNCED.

        Raises:
            InvalidObject: the stored value does not decode to the kind's model.
        """
        if self._old is None:
            return None
        return self._decode(self._old)

    @property
    def stored(self) -> Any:
        """The value in stored form, not copied: for the writer's side and for consumers that read metadata only."""
        return self._object

    @property
    def stored_old(self) -> Any:
        """The value before in stored form, not copied."""
        return self._old

    def with_missed(self, missed: int) -> Event[T]:
        """Return a copy of this event that tells how many were dropped after it."""
        event = _LastBeforeGap(self._kind, self._name, self._type, self._object, self._old, self._decode)
        event._missed = missed
        return event

    def __repr__(self) -> str:
        missed = f", missed={self.missed}" if self.missed else ""
        return f"Event({self._type.value}, kind={self._kind!r}, name={self._name!r}{missed})"


class _LastBeforeGap(Event[T]):
    """The rare event that tells of a gap; a number in every event would cost every write."""

    __slots__ = ("_missed",)

    _missed: int

    @property
    def missed(self) -> int:
        return self._missed
