"""What an informer says of itself: a state with a reason, not a boolean.

Invariant: only the reflector writes it; anybody may read it, from any thread, and wait for it on the informer's loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import Enum

__all__ = ["InformerState", "InformerStatus"]


class InformerState(Enum):
    """The state of one kind's informer."""

    SYNCING = "syncing"
    LIVE = "live"
    STALE = "stale"
    FORBIDDEN = "forbidden"
    NO_CRD = "no_crd"
    FAILED = "failed"


class InformerStatus:
    """The present state of one informer.

    Attributes:
        kind: the kind's name, ``websites.demo.zestor.dev``.
        state: see :class:`InformerState`.
        reason: one sentence: what is wrong and what to do, or how many objects are cached.
        synced: a whole list has been read once; the cache serves (perhaps stale) objects.
        since: the loop's time of the last change of `state`.
        last_line: the loop's time of the last line of the stream, bookmarks included; None before the first.
        version: the last resourceVersion seen.
        relists: lists made after the first.
    """

    def __init__(self, kind: str, clock: Callable[[], float]) -> None:
        self.kind = kind
        self.state = InformerState.SYNCING
        self.reason = "the first list has not been read yet"
        self.synced = False
        self.since = clock()
        self.last_line: float | None = None
        self.version = ""
        self.relists = 0
        self._clock = clock
        self._first_list = asyncio.Event()

    def become(self, state: InformerState, reason: str) -> bool:
        """Set the state; True when it is another one than before."""
        changed = state is not self.state
        if changed:
            self.state = state
            self.since = self._clock()
        self.reason = reason
        return changed

    def listed(self) -> None:
        """A whole list has been swapped in."""
        self.synced = True
        self._first_list.set()

    async def wait_synced(self) -> None:
        """Return once a whole list has been read."""
        await self._first_list.wait()

    @property
    def live(self) -> bool:
        """Listed, and the stream is open."""
        return self.synced and self.state is InformerState.LIVE

    def __str__(self) -> str:
        return f"{self.kind}: {self.state.value}: {self.reason}"
