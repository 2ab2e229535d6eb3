"""The gate that fences a deposed leader: asked right before a write reaches the socket.

Invariant: a passive value. The election sets it, the transport asks it; it waits for nobody and calls nobody. A
permission runs out by the gate's own clock, so that neither a loop that was held nor a process that was stopped or a
machine that slept can let a write through before somebody has noticed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from time import monotonic

from zestor_controller.errors import TransportError

__all__ = ["WriteGate"]

_READS = frozenset({"GET", "HEAD", "OPTIONS"})


class WriteGate:
    """Open until somebody closes it or its time is over; reads always pass (L1).

    Attributes:
        exempt: ends of paths that are let through even when closed: the lease's own.
        refused: how many writes were refused so far.
    """

    def __init__(self) -> None:
        self.exempt: tuple[str, ...] = ()
        self.refused = 0
        self._reason = ""
        self._until = math.inf
        self._clock: Callable[[], float] = monotonic

    @property
    def closed(self) -> bool:
        """Whether writes are refused."""
        return bool(self._reason) or self._clock() >= self._until

    def close(self, reason: str) -> None:
        """Refuse writes from now on; what the socket has already is not recalled.

        Args:
            reason: why, for the error that a refused write raises.
        """
        self._reason = reason

    def open(self, until: float = math.inf, *, clock: Callable[[], float] = monotonic) -> None:
        """Let writes pass again.

        Args:
            until: the time at which it closes by itself; never unless given.
            clock: the seconds that `until` is measured by.
        """
        self._reason, self._until, self._clock = "", until, clock

    def check(self, method: str, path: str) -> None:
        """Pass a request or refuse it.

        Raises:
            TransportError: it is a write and the gate is closed; nothing was sent.
        """
        if method in _READS or not self.closed or path.endswith(self.exempt):
            return
        self.refused += 1
        reason = self._reason or "the lease has run out and could not be renewed"
        raise TransportError(f"{method} {path} was not sent: {reason}")
