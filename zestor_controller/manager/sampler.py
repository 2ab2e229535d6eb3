"""The series that are computed when /metrics is read, from what the parts of a manager count themselves.

Invariant: a counter of a part only grows; the difference since the last sample is added, so that no event is counted
twice and none is lost between two samples.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from zestor_controller.cache import ClusterCache
from zestor_controller.client import AiohttpTransport, Client
from zestor_controller.controller import Runner
from zestor_controller.metrics import Metrics

__all__ = ["Sampler"]


class Sampler:
    """Brings the sampled series of one registry up to date.

    Args:
        metrics: the registry.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._seen: dict[Hashable, float] = {}
        self._priorities: dict[str, set[int]] = {}

    def count(self, counter: Any, labels: tuple[str, ...], total: float, source: Hashable = None) -> None:
        """Add to a counter what a total has grown by.

        Args:
            counter: a counter of the registry.
            labels: its labels' values.
            total: the present total.
            source: whose total it is; one that begins anew is another source.
        """
        key = (counter._name, labels, source)
        grown = total - self._seen.get(key, 0.0)
        self._seen[key] = total
        series = counter.labels(*labels)
        if grown > 0:
            series.inc(grown)

    def sample_client(self, client: Client) -> None:
        """The requests of a client and the renewals of its credentials."""
        metrics, transport = self._metrics, client.transport
        for (method, code), total in list(client.requests.items()):
            self.count(metrics.requests, (code, method, transport.host), total, id(client.requests))
        if isinstance(transport, AiohttpTransport):
            source = transport.config.source
            for result, total in source.refreshes.items():
                self.count(metrics.credential_refreshes, (result,), total, id(source))

    def sample_cache(self, cache: ClusterCache) -> None:
        """The informers, and what their watches have dropped or folded."""
        cache.refresh_metrics()

    def sample_queues(self, runners: Sequence[Runner[Any]]) -> None:
        """The depths and ages of the work queues."""
        metrics = self._metrics
        for runner in runners:
            name, queue = runner.name, runner.queue
            now = queue.now()
            # Every priority that has ever waited is set, or its last depth would stay when its line is empty.
            seen = self._priorities.setdefault(name, {0})
            by_priority: dict[int, list[float]] = {priority: [] for priority in seen}
            for _, priority, since in queue.waiting():
                by_priority.setdefault(priority, []).append(now - since)
            seen.update(by_priority)
            for priority, ages in by_priority.items():
                metrics.queue_depth.labels(name, name, str(priority)).set(len(ages))
                metrics.queue_oldest.labels(name, str(priority)).set(max(ages, default=0.0))
            running = [now - since for since in queue.processing().values()]
            metrics.unfinished_seconds.labels(name, name).set(sum(running))
            metrics.longest_running_seconds.labels(name, name).set(max(running, default=0.0))
