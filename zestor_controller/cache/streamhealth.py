"""What the outcomes of lists and watches mean for an informer's status.

Invariant: a kind whose watches end at once is not called live; a failure is logged when it changes the state, not each
time that it is met.
"""

from __future__ import annotations

import logging

from zestor_controller.cache.status import InformerState, InformerStatus
from zestor_controller.cache.sync import SHORT_WATCH_S, Ended, Failed, Listed, Outcome, Phase, SyncState
from zestor_controller.errors import ApiError, Forbidden, NotFound

__all__ = ["StreamHealth"]

_log = logging.getLogger(__name__)


class StreamHealth:
    """Reports how one stream is doing.

    Args:
        kind: the kind's name.
        namespace: the one that is watched; None for all.
        status: where it is reported.

    Attributes:
        refused: the server ends, or rejects, each watch: the kind lives from lists only.
    """

    def __init__(self, kind: str, namespace: str | None, status: InformerStatus) -> None:
        self._kind = kind
        self._where = f" in namespace {namespace}" if namespace else ""
        self._status = status
        self._shorts = 0
        self.refused = False

    def listed(self) -> None:
        """A list was swapped in."""
        if not self.refused:
            self.live()

    def live(self) -> None:
        """The stream is open."""
        self._status.become(InformerState.LIVE)

    def proved(self) -> None:
        """A watch has lived for long enough to count."""
        self.refused, self._shorts = False, 0
        if self._status.synced:
            self.live()

    def note(self, state: SyncState, outcome: Outcome) -> None:
        """Distinguish a kind that has a stream from one that lives from lists only, because each watch ends at once."""
        if state.phase is not Phase.WATCH or isinstance(outcome, Listed):
            return
        if outcome.seconds >= SHORT_WATCH_S or (isinstance(outcome, Ended) and (outcome.own or outcome.unconfirmed)):
            self._shorts = 0
            return
        self._shorts += 1
        self.refused = isinstance(outcome, Failed) or self._shorts > 1
        if self.refused and isinstance(outcome, Ended) and self._status.synced:
            message = f"the server ends each watch of {self._kind} within a second; a proxy may do so"
            if self._status.become(InformerState.STALE, message):
                _log.warning("%s", message)

    def report(self, state: SyncState, failed: Failed) -> None:
        """Set the state that a failure means, and log it."""
        error = failed.error
        what = f"{state.phase.value} {self._kind}{self._where}"
        if isinstance(error, Forbidden):
            message = f"not allowed to {what}: {error.message}; grant get, list and watch on it"
            changed = self._status.become(InformerState.FORBIDDEN, message)
        elif isinstance(error, NotFound):
            message = f"the server does not know {self._kind}; install its CustomResourceDefinition"
            changed = self._status.become(InformerState.NO_CRD, message)
        elif isinstance(error, ApiError) and error.status == 410 and not (self.refused and state.fresh):
            return  # history expired: an ordinary relist
        else:
            message = f"cannot {what}: {error}"
            synced = self._status.synced
            changed = self._status.become(InformerState.STALE if synced else InformerState.FAILED, message)
        if changed:
            _log.warning("%s", message)
        else:
            _log.debug("%s", message)
