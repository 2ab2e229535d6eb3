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

__all__ = ["AGAIN", "SCAN", "Again", "Buffer"]

T = TypeVar("T")

SCAN: Final = 512  # rejected events looked at in one go; then the consumer's loop gets a turn


class Again(Enum):
    """What a ``take`` returns that looked at many rejected events and found none: call again after a yield."""

    AGAIN = "AGAIN"


AGAIN: Final = Again.AGAIN


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
