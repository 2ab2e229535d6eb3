"""The event recorder: Kubernetes Events about objects, deduplicated, bounded, written in the background.

Invariant: recording never waits and never fails a reconcile. The same event about the same object within six minutes
becomes a series (its count is patched) instead of a new Event; one object may write 25 events in a burst and one every
five minutes after that.

Source: client-go tools/events (series, 6 min), tools/record/events_cache.go (spam filter 25 and 1/300 s).
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from zestor_controller.client import Client
from zestor_controller.controller.denial import describe_denial
from zestor_controller.errors import Forbidden, NotFound, Unauthorized, ZestorError
from zestor_controller.objects import MergePatch

__all__ = ["EventRecorder"]

_log = logging.getLogger(__name__)

SERIES_S: Final = 360.0
BURST: Final = 25
REFILL_S: Final = 300.0
MAX_QUEUED: Final = 1000
MAX_KNOWN: Final = 4096
EVENTS: Final = "events.k8s.io/v1/Event"


@dataclass(slots=True)
class _Series:
    name: str
    namespace: str
    count: int
    at: float


@dataclass(slots=True)
class _Allowance:
    tokens: float
    at: float


@dataclass(frozen=True, slots=True)
class _Note:
    regarding: Mapping[str, Any]
    type: str
    reason: str
    message: str
    action: str


class EventRecorder:
    """Writes Events on behalf of one manager.

    Args:
        client: where to write.
        controller: ``reportingController`` of the Events.
        instance: ``reportingInstance``; the process's name.
        now: wall time, with a zone.
        clock: seconds, monotonic.
        suffix: makes Event names unique; a function of the manager's random source.

    Attributes:
        dropped: how many Events were one too many.
        refused: why the server denies Events, a missing right or the credentials, while it does; else empty.
    """

    def __init__(
        self,
        client: Client,
        *,
        controller: str,
        instance: str,
        now: Callable[[], datetime],
        clock: Callable[[], float],
        suffix: Callable[[], str],
    ) -> None:
        self._client = client
        self._controller = controller
        self._instance = instance
        self._now = now
        self._clock = clock
        self._suffix = suffix
        self._queue: asyncio.Queue[_Note] = asyncio.Queue(MAX_QUEUED)
        self._series: OrderedDict[tuple[str, ...], _Series] = OrderedDict()
        self._allowances: OrderedDict[str, _Allowance] = OrderedDict()
        self.dropped = 0
        self.refused = ""

    def record(self, regarding: Mapping[str, object], type: str, reason: str, message: str, *, action: str) -> None:
        """Queue an Event; never waits. One too many, of all or of its object, is counted as dropped.

        Args:
            regarding: an object reference: apiVersion, kind, name, namespace, uid, resourceVersion.
            type: ``Normal`` or ``Warning``.
            reason: one CamelCase word.
            message: for people; cut at 1024 bytes as the API requires.
            action: one CamelCase word: what was done or tried.
        """
        note = _Note(
            dict(regarding), type, reason, message.encode(errors="replace")[:1024].decode(errors="ignore"), action
        )
        if not self._allowed(note):
            self.dropped += 1
            return
        try:
            self._queue.put_nowait(note)
        except asyncio.QueueFull:
            self.dropped += 1

    async def run(self) -> None:
        """Write what is queued, until cancelled; a failed write is logged and forgotten."""
        while True:
            note = await self._queue.get()
            try:
                await self._write(note)
                self.refused = ""
            except (Forbidden, Unauthorized) as error:
                if not self.refused:  # once, and not for each Event
                    _log.warning("Events are not written: %s", describe_denial(error))
                self.refused = describe_denial(error)
            except ZestorError as error:
                _log.warning(
                    "could not write the Event %s about %s: %s", note.reason, note.regarding.get("name"), error
                )
            finally:
                self._queue.task_done()

    async def flush(self) -> None:
        """Return when all that was queued has been written (or given up)."""
        await self._queue.join()

    def _allowed(self, note: _Note) -> bool:
        key = str(note.regarding.get("uid") or note.regarding.get("name"))
        now = self._clock()
        allowance = self._allowances.get(key)
        if allowance is None:
            allowance = self._allowances[key] = _Allowance(float(BURST), now)
            if len(self._allowances) > MAX_KNOWN:
                self._allowances.popitem(last=False)
        self._allowances.move_to_end(key)
        allowance.tokens = min(float(BURST), allowance.tokens + (now - allowance.at) / REFILL_S)
        allowance.at = now
        if allowance.tokens < 1:
            return False
        allowance.tokens -= 1
        return True

    async def _write(self, note: _Note) -> None:
        regarding = note.regarding
        namespace = str(regarding.get("namespace") or "default")
        key = (str(regarding.get("uid")), note.type, note.reason, note.message, note.action)
        stamp = self._now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        known = self._series.get(key)
        if known is not None and self._clock() - known.at < SERIES_S:
            known.count += 1
            known.at = self._clock()
            series = {"count": known.count, "lastObservedTime": stamp}
            try:
                await self._client.patch(EVENTS, known.name, MergePatch({"series": series}), namespace=known.namespace)
                return
            except NotFound:  # Events live for an hour; a longer series starts anew
                del self._series[key]
        name = f"{str(regarding.get('name'))[:200]}.{self._suffix()}"
        await self._client.create(
            EVENTS,
            {
                "apiVersion": "events.k8s.io/v1",
                "kind": "Event",
                "metadata": {"name": name, "namespace": namespace},
                "eventTime": stamp,
                "type": note.type,
                "reason": note.reason,
                "action": note.action,
                "note": note.message,
                "regarding": regarding,
                "reportingController": self._controller,
                "reportingInstance": self._instance,
            },
            namespace=namespace,
        )
        self._series[key] = _Series(name, namespace, 1, self._clock())
        if len(self._series) > MAX_KNOWN:
            self._series.popitem(last=False)
