"""Which history of versions a server is in: its versions only grow, unless it was restored from a backup (C2).

Invariant: a list that would turn time back is used only when two consistent responses, at least half a minute apart,
have said so; from then on versions count from a new epoch, so that everything of the new history is newer than, and
unlike, everything of the old one.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Final

from zestor_controller.cache.checkpoint import Checkpoint
from zestor_controller.cache.overlay import Overlay
from zestor_controller.cache.record import EPOCH, version_of
from zestor_controller.cache.status import InformerStatus
from zestor_controller.cache.sync import OlderList
from zestor_controller.metrics import Metrics

__all__ = ["History"]

_log = logging.getLogger(__name__)

RESTORE_CONFIRM_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class _Suspicion:
    """A consistent response whose version lies below the last one seen: when it was first met."""

    version: int
    at: float


class History:
    """The history of one stream's versions.

    Args:
        kind: the kind's name.
        status: where a restored server is told.
        metrics: where it is counted.
        overlay: the own writes, which belong to one history.
        checkpoint: the stream's file, which does, too; None for none.

    Attributes:
        epoch: what is added to versions; it grows when the server has been restored.
        anew: a new epoch has begun and no list has been accepted since: the next one is, whatever its version.
        suspicion: a restore that has not been confirmed yet.
    """

    def __init__(
        self, kind: str, status: InformerStatus, metrics: Metrics, overlay: Overlay, checkpoint: Checkpoint | None
    ) -> None:
        self._kind = kind
        self._status = status
        self._metrics = metrics
        self._overlay = overlay
        self._checkpoint = checkpoint
        self.epoch = 0
        self.anew = False
        self.suspicion: _Suspicion | None = None

    def version_of(self, text: str) -> int | str:
        """A record's version: the resourceVersion, above all those of earlier epochs."""
        version = version_of(text)
        return version + self.epoch if self.epoch and isinstance(version, int) else version

    def suspect(self, version: str) -> None:
        """Note a consistent response whose version lies below the last one seen."""
        number = version_of(version)
        if self.suspicion is None and isinstance(number, int):
            self.suspicion = _Suspicion(number, asyncio.get_running_loop().time())

    def look_back(self, last: str, version: str, *, consistent: bool) -> None:
        """Refuse a list that would turn time back.

        Args:
            last: the last version seen; empty before the first list.
            version: the list's.
            consistent: the list was asked for without a version, so that no replica that lags may give it.

        Raises:
            OlderList: the list must not be used; confirmed, when a new epoch has begun and it is to be made again.
        """
        before, after = version_of(last), version_of(version)
        if self.anew or not isinstance(before, int) or not isinstance(after, int):
            self.suspicion, self.anew = None, False
            return
        if after >= before:
            if self.suspicion is not None:
                self._passed_again(version)
            return
        older = f"the server's list (version {version}) is older than the cache ({last})"
        if not consistent:
            raise OlderList(older)
        self.suspect(version)
        assert self.suspicion is not None
        if asyncio.get_running_loop().time() - self.suspicion.at < RESTORE_CONFIRM_S:
            raise OlderList(older)
        self.alarm(last, version)
        self._begin_epoch()
        raise OlderList(older, confirmed=True)

    def _passed_again(self, version: str) -> None:
        """Perhaps it was restored and has grown past the last version since: equal versions may mean other states."""
        assert self.suspicion is not None
        _log.warning(
            "%s: the server's version was %d, below the last one seen, and now is %s; everything is replaced",
            *(self._kind, self.suspicion.version, version),
        )
        self._begin_epoch()
        raise OlderList("the server's versions went back for a moment; the list is made again", confirmed=True)

    def _begin_epoch(self) -> None:
        """What has been read so far carries the old epoch; the next list replaces everything."""
        self.epoch += EPOCH
        self.anew = True
        self._overlay.clear()
        if self._checkpoint is not None:
            self._checkpoint.remove()  # the server may pass its version again, and then nothing could tell

    def alarm(self, last: str, version: str) -> None:
        """Tell everybody that the server was restored."""
        _log.error(
            "%s: the server's versions went back from %s to %s: it was restored from a backup; everything is replaced",
            *(self._kind, last, version),
        )
        self._metrics.server_restores.labels(self._kind).inc()
        self._status.restores += 1
