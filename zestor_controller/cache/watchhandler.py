"""The lines of one watch on their way into the store.

Invariants: a batch is applied in one go, in the order of its lines; no event replaces something newer (C2); the version
that a reading has reached is that of the last event applied, and when an event could not be used, that is said beside
it and not hidden in an older version.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final, Protocol

import msgspec

from zestor_controller.cache.overlay import Overlay
from zestor_controller.cache.record import Record, decode_line, is_news, version_of
from zestor_controller.errors import ApiError
from zestor_controller.metrics import Metrics
from zestor_controller.objects import Kind
from zestor_controller.store import EncodedKind, Tombstone

__all__ = ["Reading"]

_log = logging.getLogger(__name__)

SLICE_S: Final = 0.005
SLICE_LINES: Final = 128

Change = tuple[str, Record | Tombstone[Record] | None]


class Stream(Protocol):
    """Whose watch is read; a reflector."""

    kind: Kind[Any]
    target: EncodedKind[Record]
    metrics: Metrics
    overlay: Overlay
    metadata_only: bool
    unsure: bool

    def record(self, uid: str, version: str, body: bytes, *, wrapped: bool = False) -> Record:
        """A record of what the server sent."""
        ...

    def reached(self, version: str) -> None:
        """Take note of the version up to which everything has been applied."""
        ...


class Reading:
    """What one watch brings.

    Args:
        reflector: whose watch it is.
        version: where the watch begins.

    Attributes:
        version: the version of the last event applied.
        lines: how many lines could be used, bookmarks included.
        skipped: an event could not be used; only a list can tell what it said.
    """

    def __init__(self, reflector: Stream, version: str) -> None:
        self.version = version
        self.lines = 0
        self.skipped = False
        self._clock = asyncio.get_running_loop().time  # virtual in a simulation
        self._yielded = self._clock()
        number = version_of(version)
        self._last = number if isinstance(number, int) else 0
        self._reflector = reflector
        self._overlay = reflector.overlay
        self._get = reflector.target.get
        self._apply = reflector.target.apply
        self._name = reflector.kind.store_name
        self._kind = "PartialObjectMetadata" if reflector.metadata_only else reflector.kind.kind
        self._record = reflector.record
        self._counts = {
            kind: reflector.metrics.watch_events.labels(self._name, kind)
            for kind in ("ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR")
        }

    async def take(self, lines: list[bytes]) -> None:
        """Apply a batch of lines; lets the loop breathe between slices.

        Raises:
            ApiError: the batch holds an ERROR event; what came before it has been applied.
        """
        for start in range(0, len(lines), SLICE_LINES):
            self._take(lines[start : start + SLICE_LINES])
            # By the clock, not by the batch: a transport whose next piece is there already never lets go of the loop.
            if self._clock() - self._yielded > SLICE_S:
                await asyncio.sleep(0)
                self._yielded = self._clock()

    def _take(self, lines: list[bytes]) -> None:
        changes: list[Change] = []
        counts = dict.fromkeys(self._counts, 0)
        version, last = self.version, self._last
        try:
            for line in lines:
                try:
                    decoded = decode_line(line)
                    kind, obj = decoded.type, decoded.object
                    counts[kind] += 1
                except (msgspec.DecodeError, UnicodeDecodeError, KeyError):
                    self._skip(line, "malformed")
                    continue
                meta = obj.metadata
                if kind == "ERROR":
                    raise ApiError.from_status(msgspec.json.decode(line)["object"], status=200)
                if obj.kind != self._kind and obj.kind:
                    self._skip(line, "wrong_kind")
                    continue
                if not meta.resourceVersion or not (meta.name or kind == "BOOKMARK"):
                    self._skip(line, "malformed")
                    continue
                number = version_of(meta.resourceVersion)
                if isinstance(number, int):
                    if number < last:
                        # A server that was restored goes on from an older version, and some of it is lost: list.
                        self._skip(line, "out_of_order")
                        changes = self._flushed(changes)  # the next event is compared with what these make
                    else:
                        last, version = number, meta.resourceVersion
                else:
                    version = meta.resourceVersion
                if kind == "BOOKMARK":
                    continue
                record = self._record(meta.uid, meta.resourceVersion, line, wrapped=True)
                self._note(changes, meta.key(), record, kind == "DELETED")
        finally:
            # Also when an ERROR ends the batch: what came before it is true and must not be lost.
            self._flushed(changes)
            self._last = last
            self.version = version
            self.lines += sum(counts.values()) - counts["ERROR"]
            self._reflector.reached(version)
            for kind, count in counts.items():
                if count:
                    self._counts[kind].inc(count)

    def _flushed(self, changes: list[Change]) -> list[Change]:
        if changes:
            self._apply(changes)
        return []

    def _note(self, changes: list[Change], key: str, record: Record, deleted: bool) -> None:
        """Add the change that an event means, unless what is held is newer: an own write, or an event told twice."""
        if self._overlay and self._overlay.hides(key, record, deleted):
            return
        held = self._get(key)
        if deleted:
            if held is None or held.uid == record.uid or is_news(held, record):
                changes.append((key, Tombstone(record)))
        elif is_news(held, record):
            changes.append((key, record))

    def _skip(self, line: bytes, reason: str) -> None:
        """Count an event that cannot be used; the stream goes on, but what it keeps is not known to be whole."""
        self.skipped = self._reflector.unsure = True
        self._reflector.metrics.skipped_events.labels(self._name, reason).inc()
        _log.warning("%s: skipped a watch event (%s): %.200r", self._name, reason, line)
