"""The gate that fences a former leader: checked right before a write reaches the socket.

Invariant: passive values. The election sets the gate, the transport checks it; neither waits nor calls anything. A
permission runs out by the gate's own clock, so that neither a loop that was held nor a process that was stopped or a
machine that slept can let a write through before the election has noticed. A :class:`Term` is the token of one term of
work: what was started in it carries it as a context variable (tasks, callbacks of timers, threads of plain functions),
so a write of an ended term is rejected, also while the same process leads again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import monotonic

from zestor_controller.errors import TransportError

__all__ = ["Term", "WriteGate"]

_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_term: ContextVar[Term | None] = ContextVar("zestor_controller_term", default=None)


class Term:
    """One term of work: from the moment a process may work until it has stopped doing so.

    Attributes:
        ended: why it is over; empty while it is not.
    """

    def __init__(self) -> None:
        self.ended = ""

    @staticmethod
    def current() -> Term | None:
        """The term that the calling code was started in; None outside of all terms."""
        return _term.get()

    @contextmanager
    def entered(self) -> Iterator[None]:
        """What is started in this block, and whatever that starts, belongs to this term."""
        token = _term.set(self)
        try:
            yield
        finally:
            _term.reset(token)

    def end(self, reason: str) -> None:
        """Reject what this term's code still writes, from now on.

        Args:
            reason: why, for the error that a rejected write raises.
        """
        self.ended = reason

    def check(self, what: str) -> None:
        """Pass while the term lasts.

        Args:
            what: what is to be written, for the error.

        Raises:
            TransportError: the term has ended; nothing was sent.
        """
        if self.ended:
            raise TransportError(f"{what} was not sent: {self.ended}")


class WriteGate:
    """Open until it is closed or its time is over; reads always pass (L1).

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
            TransportError: it is a write and the gate is closed, or the caller's term has ended; nothing was sent.
        """
        if method in _READS:
            return
        term = Term.current()
        if term is not None and term.ended:
            self.refused += 1
            term.check(f"{method} {path}")
        if not self.closed or path.endswith(self.exempt):
            return
        self.refused += 1
        reason = self._reason or "the lease has run out and could not be renewed"
        raise TransportError(f"{method} {path} was not sent: {reason}")
