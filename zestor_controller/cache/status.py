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
        reason: one sentence, true at the time it is read: what is wrong and what to do, or what is cached.
        synced: a whole list has been read once; the cache serves (perhaps stale) objects.
        since: the loop's time of the last change of `state`.
        last_line: the loop's time of the last line of the stream, bookmarks included; None before the first.
        version: the last resourceVersion seen.
        relists: lists made after the first.
        restores: how often the server was found to have been restored from a backup (C2).
        no_namespace: the server does not know the namespace that is watched.

    Args:
        kind: the kind's name.
        clock: seconds, monotonic.
        content: returns what is cached, as text.
        namespace: the one that is watched; None for all.
    """

    def __init__(
        self, kind: str, clock: Callable[[], float], content: Callable[[], str], namespace: str | None = None
    ) -> None:
        self.kind = kind
        self.namespace = namespace
        self.state = InformerState.SYNCING
        self.restores = 0
        self.no_namespace = False
        self._content = content
        self._trouble = "the first list has not been read yet"
        self.synced = False
        self.since = clock()
        self.last_line: float | None = None
        self.version = ""
        self.relists = 0
        self._clock = clock
        self._first_list = asyncio.Event()

    @property
    def reason(self) -> str:
        """What is wrong and what to do, or, of a live informer, what is cached at this moment."""
        if self.state is not InformerState.LIVE:
            return self._trouble
        parts = [self._content()]
        if self.no_namespace:
            parts.append(f"the server has no namespace {self.namespace!r}: create it, or watch another one")
        if self.restores:
            parts.append(f"the server was restored from a backup (noticed {self.restores} times since the start)")
        return "; ".join(parts)

    def become(self, state: InformerState, reason: str = "") -> bool:
        """Set the state and, unless it is LIVE, the reason; True when it is another state than before."""
        changed = state is not self.state
        if changed:
            self.state = state
            self.since = self._clock()
        self._trouble = reason
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
