"""The gate that fences a deposed leader: asked right before a write reaches the socket.

Invariant: a passive value. The election sets it, the transport asks it; it waits for nobody and calls nobody.
"""

from __future__ import annotations

from zestor_controller.errors import TransportError

__all__ = ["WriteGate"]

_READS = frozenset({"GET", "HEAD", "OPTIONS"})


class WriteGate:
    """Open until somebody closes it; reads always pass (L1)."""

    def __init__(self) -> None:
        self._reason = ""

    @property
    def closed(self) -> bool:
        """Whether writes are refused."""
        return bool(self._reason)

    def close(self, reason: str) -> None:
        """Refuse writes from now on; what the socket has already is not recalled.

        Args:
            reason: why, for the error that a refused write raises.
        """
        self._reason = reason

    def open(self) -> None:
        """Let writes pass again."""
        self._reason = ""

    def check(self, method: str, path: str) -> None:
        """Pass a request or refuse it.

        Raises:
            TransportError: it is a write and the gate is closed; nothing was sent.
        """
        if self._reason and method not in _READS:
            raise TransportError(f"{method} {path} was not sent: {self._reason}")
