"""The lines of one watch on their way into the store.

Invariants: a batch is applied in one go, in the order of its lines; no event replaces something newer (C2); the version
that a handler has reached is that of the last event applied, and an event that could not be used is reported beside it
and not hidden in an older version. No input or output, no clock: the reflector reads the lines.
"""

from __future__ import annotations

import logging
from typing import Any, Final

import msgspec

from zestor_controller.cache.history import VersionHistory
from zestor_controller.cache.overlay import Overlay
from zestor_controller.cache.record import Line, Record, compressed, decode_line, version_of
from zestor_controller.errors import ApiError
from zestor_controller.metrics import Metrics
from zestor_controller.objects import Kind
from zestor_controller.store import EncodedKind, Tombstone

__all__ = ["SLICE_LINES", "SLICE_S", "WatchHandler"]

_log = logging.getLogger(__name__)

SLICE_S: Final = 0.005
SLICE_LINES: Final = 128
EVENTS: Final = ("ADDED", "MODIFIED", "DELETED", "BOOKMARK")


class WatchHandler:
    """Applies what one watch brings.

    Args:
        kind: the kind of the objects.
        target: the kind's writer side in the store.
        overlay: the own writes.
        history: gives the versions their epoch.
        metrics: where to count.
        metadata_only: the objects are metadata and nothing else.
        compact: keep objects compressed.
        version: where the watch begins.

    Attributes:
        version: the version of the last event applied.
        lines: how many lines could be used, bookmarks included.
        skipped: an event could not be used; only a list can repair that.
    """

    def __init__(
        self,
        kind: Kind[Any],
        target: EncodedKind[Record],
        overlay: Overlay,
        history: VersionHistory,
        metrics: Metrics,
        *,
        metadata_only: bool,
        compact: bool,
        version: str,
    ) -> None:
        self.version = version
        self.lines = 0
        self.skipped = False
        number = version_of(version)
        self._last = number if isinstance(number, int) else 0
        self._target = target
        self._overlay = overlay
        self._history = history
        self._name = kind.store_name
        self._kind = "PartialObjectMetadata" if metadata_only else kind.kind
        self._compact = compact
        self._metrics = metrics
        self._counters = {event: metrics.watch_events.labels(self._name, event) for event in (*EVENTS, "ERROR")}

    def take(self, lines: list[bytes]) -> None:
        """Apply a batch of lines.

        Raises:
            ApiError: the batch holds an ERROR event; what came before it has been applied.
        """
        changes: list[tuple[str, Record | Tombstone[Record] | None]] = []
        counts: dict[str, int] = {}
        version, last, epoch = self.version, self._last, self._history.epoch
        try:
            for line in lines:
                try:
                    decoded = decode_line(line)
                except (msgspec.DecodeError, UnicodeDecodeError):
                    self._skip(line, "malformed")
                    continue
                event, obj = decoded.type, decoded.object
                meta = obj.metadata
                text = meta.resourceVersion
                usual = event in EVENTS and text and (meta.name or event == "BOOKMARK") and obj.kind == self._kind
                if not usual and (reason := self._flaw(line, decoded, counts)):
                    self._skip(line, reason)
                    continue
                counts[event] = counts.get(event, 0) + 1
                number = int(text) if text.isdecimal() and text.isascii() and text[0] != "0" else version_of(text)
                if not isinstance(number, int):
                    version = text
                elif number >= last:
                    last, version = number, text
                    number += epoch
                else:
                    # A server that was restored goes on from an older version, and some of it is lost: list.
                    self._skip(line, "out_of_order")
                    number += epoch
                    self._target.apply(changes)  # the next event is compared with what these make
                    changes = []
                if event == "BOOKMARK":
                    continue
                key = f"{meta.namespace}/{meta.name}" if meta.namespace else meta.name
                record = Record(meta.uid, number, compressed(line) if self._compact else line, True)
                if self._overlay.deletions and self._overlay.hides(key, record, event == "DELETED"):
                    continue
                held = self._target.objects.get(key)
                if event != "DELETED":
                    if _is_news(held, record):  # else an own write, or an event delivered twice
                        changes.append((key, record))
                elif held is None or held.uid == record.uid or _is_news(held, record):
                    changes.append((key, Tombstone(record)))
        finally:
            # Also when an ERROR ends the batch: what came before it is true and must not be lost.
            if changes:
                self._target.apply(changes)
            self._last, self.version = last, version
            for event, count in counts.items():
                self.lines += count
                self._counters[event].inc(count)

    def _flaw(self, line: bytes, decoded: Line, counts: dict[str, int]) -> str:
        """Return why a line is no usable event; empty for one whose object does not say its kind.

        Raises:
            ApiError: it is an ERROR event.
        """
        event, obj = decoded.type, decoded.object
        if event == "ERROR":
            self._counters[event].inc()
            raise ApiError.from_status(msgspec.json.decode(line)["object"], status=200)
        if event not in EVENTS:
            return "malformed"
        reason = ""
        if obj.kind != self._kind and obj.kind:
            reason = "wrong_kind"
        elif not obj.metadata.resourceVersion or not (obj.metadata.name or event == "BOOKMARK"):
            reason = "malformed"
        if reason:
            counts[event] = counts.get(event, 0) + 1
        return reason

    def _skip(self, line: bytes, reason: str) -> None:
        """Count an event that cannot be used; the stream goes on, but what it keeps may be incomplete."""
        self.skipped = True
        self._metrics.skipped_events.labels(self._name, reason).inc()
        _log.warning("%s: skipped a watch event (%s): %.200r", self._name, reason, line)


def _is_news(held: Record | None, record: Record) -> bool:
    """Whether an event of a stream says something newer than what is held under its name (C2)."""
    if held is None:
        return True
    before, after = held.version, record.version
    if isinstance(before, int) and isinstance(after, int) and before != after:
        return after > before
    return before != after or held.uid != record.uid
