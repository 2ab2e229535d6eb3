"""The reflector's state machine: list, watch, relist; pure.

:func:`step` takes a state and what just happened and answers the next state, which says what to do next and whether to
back off before. It does no input or output and reads no clock, so every rule of the protocol can be tested as a table.

Source: client-go tools/cache/reflector.go and kube-runtime watcher.rs, with the differences that the docstrings name.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from zestor_controller.errors import ApiError, Gone, NotFound, ServerError, TransportError, ZestorError

__all__ = ["Ended", "Failed", "Listed", "OlderList", "Outcome", "Phase", "SyncState", "step"]

RETRY_IN_PLACE_S: Final = 30.0
SHORT_WATCH_S: Final = 1.0


class Phase(Enum):
    """What to do next."""

    LIST = "list"
    WATCH = "watch"


class OlderList(TransportError):
    """A list is older than what the cache has seen.

    Attributes:
        confirmed: it was met again and again: the server has been restored, and the next list begins a new epoch.
    """

    def __init__(self, message: str, *, confirmed: bool = False) -> None:
        super().__init__(message)
        self.confirmed = confirmed


@dataclass(frozen=True, slots=True)
class SyncState:
    """Where a reflector stands.

    Attributes:
        phase: what to do next.
        version: the last resourceVersion seen; empty before the first list.
        consistent: the next list must leave resourceVersion unset (the last one it asked for is not to be had).
        whole: the next list must come in one piece: history expires faster than its pages are read.
        delay: back off before doing it.
        reason: why the next list is made: ``start``, ``gone``, ``too_large_rv``, ``error``, ``no_kind``, ``skipped``,
            ``regression``, ``unconfirmed``.
        troubled_since: when the server began to answer a watch with errors, by the caller's clock; None when well.
        fresh: a list has just been accepted, and no watch has lived from its version since.
        absent: the server does not know the resource: what is cached is to be dropped.
    """

    phase: Phase = Phase.LIST
    version: str = ""
    consistent: bool = False
    whole: bool = False
    delay: bool = False
    reason: str = "start"
    troubled_since: float | None = None
    fresh: bool = False
    absent: bool = False


@dataclass(frozen=True, slots=True)
class Listed:
    """A whole list was received and swapped in."""

    version: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A watch ended without an error, or by the client's own deadline.

    Attributes:
        version: the last resourceVersion seen on it.
        events: how many lines it brought, bookmarks included.
        seconds: how long it lived.
        skipped: it brought an event that could not be used, of an object that is unknown: only a list can tell.
        own: the client ended it early, for a reason of its own.
        unconfirmed: it was to prove that a checkpoint is current, and brought nothing.
    """

    version: str
    events: int
    seconds: float
    skipped: bool = False
    own: bool = False
    unconfirmed: bool = False


@dataclass(frozen=True, slots=True)
class Failed:
    """A list or a watch failed.

    Attributes:
        error: why.
        version: the last resourceVersion seen before.
        events: how many lines a watch brought before it failed.
        skipped: as of :class:`Ended`.
        seconds: how long a watch lived.
    """

    error: ZestorError
    version: str
    events: int = 0
    skipped: bool = False
    seconds: float = 0.0


Outcome = Listed | Ended | Failed


def step(state: SyncState, outcome: Outcome, now: float) -> SyncState:
    """The next state.

    Args:
        state: where the reflector stood.
        outcome: what came of doing what `state` asked for.
        now: seconds, monotonic.
    """
    if isinstance(outcome, Listed):
        return SyncState(Phase.WATCH, outcome.version, fresh=True)
    if outcome.skipped:
        # The versions after the unusable event cannot be trusted to hold everything: see the whole again (C1).
        return SyncState(Phase.LIST, outcome.version, delay=True, reason="skipped")
    if isinstance(outcome, Ended):
        if outcome.unconfirmed:
            return SyncState(Phase.LIST, outcome.version, reason="unconfirmed")
        # client-go relists after a very short watch; resuming from the same version after a pause loses nothing. What
        # it brought does not count: a server that ends each watch after a line would be asked without a pause.
        short = outcome.seconds < SHORT_WATCH_S and not outcome.own
        return SyncState(Phase.WATCH, outcome.version, delay=short, fresh=state.fresh and short)
    if state.phase is Phase.LIST:
        return _list_failed(state, outcome.error)
    return _watch_failed(state, outcome, now)


def _list_failed(state: SyncState, error: ZestorError) -> SyncState:
    if isinstance(error, Gone) or _too_large(error):
        reason = "gone" if isinstance(error, Gone) else "too_large_rv"
        # Once at once without a version; if even that is refused, with backoff (fault 13).
        whole = state.whole or (state.consistent and isinstance(error, Gone))
        return replace(state, consistent=True, whole=whole, delay=state.consistent, reason=reason, absent=False)
    if isinstance(error, OlderList):
        return replace(state, consistent=True, delay=not error.confirmed, reason="regression", absent=False)
    if isinstance(error, NotFound):
        return replace(state, delay=True, absent=True, reason="no_kind")
    return replace(state, delay=True, absent=False, reason="error")


def _watch_failed(state: SyncState, outcome: Failed, now: float) -> SyncState:
    error, version = outcome.error, outcome.version
    fresh = state.fresh and outcome.seconds < SHORT_WATCH_S
    if isinstance(error, OlderList):  # so is a checkpoint's server, and nothing of it has been served: begin anew
        return SyncState(Phase.LIST, reason="regression")
    if isinstance(error, Gone):
        # A list that expires before its watch has lived for a second is a loop: from the second round on, back off.
        return SyncState(Phase.LIST, version, consistent=fresh, delay=fresh, reason="gone")
    if _too_large(error):
        return SyncState(Phase.LIST, version, consistent=True, delay=True, reason="too_large_rv")
    if isinstance(error, NotFound):
        return SyncState(Phase.LIST, version, delay=True, reason="no_kind")
    since = state.troubled_since if state.troubled_since is not None and outcome.events == 0 else now
    if isinstance(error, ServerError) and now - since >= RETRY_IN_PLACE_S:
        return SyncState(Phase.LIST, version, delay=True, reason="error")
    troubled = since if isinstance(error, ServerError) else None
    return SyncState(Phase.WATCH, version, delay=True, troubled_since=troubled, fresh=fresh)


def _too_large(error: ZestorError) -> bool:
    """The server has not reached the version asked for (a lagging replica)."""
    return isinstance(error, ApiError) and any(
        cause.reason == "ResourceVersionTooLarge" or "Too large resource version" in cause.message
        for cause in error.causes
    )
