"""The metrics of informers that are computed at scrape time."""

from __future__ import annotations

from typing import Any

from zestor_controller.cache.informer import Informer, badness
from zestor_controller.cache.status import InformerState
from zestor_controller.metrics import Metrics
from zestor_controller.store import Overflow

__all__ = ["InformerSeries"]


class InformerSeries:
    """Sets the series of the kinds of one cache.

    Args:
        metrics: where they are set.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._lost: dict[tuple[str, Overflow], int] = {}  # what has been counted

    def refresh(self, informers: list[Informer[Any]], now: float) -> None:
        """The series of a kind are about all that is cached of it, and about the stream that is worst off."""
        name, metrics = informers[0].kind.store_name, self._metrics
        status = max((one.status for one in informers), key=badness)
        metrics.informer_synced.labels(name).set(status.live)
        for state in InformerState:
            metrics.informer_state.labels(name, state.value).set(status.state is state)
        metrics.informer_unsynced_seconds.labels(name).set(0 if status.live else now - status.since)
        if status.last_line is not None:
            metrics.last_event_age.labels(name).set(now - status.last_line)
        if status.version.isdecimal():
            metrics.resource_version.labels(name).set(int(status.version))
        metrics.cache_objects.labels(name).set(sum(len(one.lister) for one in informers))
        metrics.cache_bytes.labels(name).set(sum(one.bytes for one in informers))
        metrics.invalid_objects.labels(name).set(sum(len(one.refused()) for one in informers))
        for policy in Overflow:
            lost = sum(one.lost()[policy] for one in informers)
            metrics.watch_dropped.labels(name, policy.value).inc(lost - self._lost.get((name, policy), 0))
            self._lost[name, policy] = lost
