"""The options of a watch, spelt once for every method that opens one.

:class:`WatchOptions` is what callers see, as keyword arguments (``**options: Unpack[WatchOptions[T]]``);
:class:`WatchSettings` holds the same with every default filled in. Invariant: both have the same names.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Generic, TypedDict, TypeVar

from zestor_controller.store.event import Event, EventType, Overflow

__all__ = ["EncodedWatchOptions", "WatchOptions", "WatchSettings"]

T = TypeVar("T")


class WatchOptions(TypedDict, Generic[T], total=False):
    """What a watch delivers and how it buffers (S4 to S6); every option may be left out.

    Attributes:
        event_types: deliver only these types.
        names: deliver only these names.
        predicate: deliver only events for which this plain, quick, pure function returns true. It runs under the
            store's lock; when it raises, this watch ends with that error.
        initial_replay: first deliver a CREATE for every object present now.
        buffer_size: how many events are held for the consumer; 128 unless given.
        overflow: what happens when the buffer is full; DROP unless given.
        bookmarks: deliver one event of type SYNCED when the initial state is through.
    """

    event_types: Collection[EventType] | None
    names: Collection[str] | None
    predicate: Callable[[Event[T]], object] | None
    initial_replay: bool
    buffer_size: int
    overflow: Overflow
    bookmarks: bool


class EncodedWatchOptions(WatchOptions[T], total=False):
    """The options of a watch on the writer's side.

    Attributes:
        brief: with COALESCE, what was created and deleted before it could be delivered is a DELETE and does not vanish:
            its consumer reads the kind, too, and may have seen it there.
    """

    brief: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchSettings:
    """The options of one watch, complete."""

    event_types: Collection[EventType] | None = None
    names: Collection[str] | None = None
    predicate: Callable[[Event[Any]], object] | None = None
    initial_replay: bool = False
    buffer_size: int = 128
    overflow: Overflow = Overflow.DROP
    bookmarks: bool = False
    brief: bool = False
