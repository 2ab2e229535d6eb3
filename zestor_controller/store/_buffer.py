"""What a watch needs of its buffer, whatever it does when it is full (S6).

Invariants: every method is called under the store's lock; ``offer`` never waits; an event is fixed once it has been
taken. The replay (S4) is read from a snapshot as the consumer requests it, so it takes no place in a buffer.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Sequence

    from zestor_controller.store.event import Event

__all__ = ["AGAIN", "SCAN", "Again", "Buffer", "take_each"]

T = TypeVar("T")

SCAN: Final = 512  # rejected events looked at in one go; then the consumer's loop gets a turn


class Again(Enum):
    """What a ``take`` returns that looked at many rejected events and found none: call again after a yield."""

    AGAIN = "AGAIN"


AGAIN: Final = Again.AGAIN


class Buffer(Protocol[T]):
    """What a watch needs of its buffer."""

    plain: bool  # nothing but `events` is left to take: the watch may take from them directly
    events: deque[Event[T]]
    dropped: int
    coalesced: int
    overflowed: bool

    def offer(self, events: Sequence[Event[T]]) -> None:
        """Buffer live events, in order."""
        ...

    def take(self) -> Event[T] | Again | None:
        """Remove and return the next event; None when there is none now, AGAIN when looking for one took long."""
        ...

    def take_into(self, batch: list[Event[T]], limit: int | None) -> bool:
        """Move what is there into a batch, up to `limit` events in all; false when nothing is left to look at."""
        ...

    def ready(self) -> bool:
        """Return whether a ``take`` would return something or has more to look at."""
        ...

    def in_sync(self) -> bool:
        """Return whether everything before the SYNCED bookmark has been taken."""
        ...


def take_each(buffer: Buffer[T], batch: list[Event[T]], limit: int | None) -> bool:
    """Do what :meth:`Buffer.take_into` does, one event at a time."""
    while limit is None or len(batch) < limit:
        event = buffer.take()
        if event is None:
            return False
        if event is not AGAIN:
            batch.append(event)
        elif limit is not None:
            return True
    return True
