"""The metrics of a process: controller-runtime's names unchanged, and ours under ``zestor_``.

A :class:`Metrics` owns one prometheus registry; packages receive it and set its series. Labels never hold an object's
name, so cardinality is bounded by the number of kinds and controllers. Values that are cheap to read and dear to keep
up to date (queue depth, cache size) are collected at scrape time by collectors that ``manager`` registers.
"""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

__all__ = ["CONTENT_TYPE", "RESULTS", "Metrics"]

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
RESULTS: Final = ("success", "error", "requeue_after")

# Source: controller-runtime pkg/internal/controller/metrics/metrics.go
_RECONCILE_BUCKETS: Final = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
    *(1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5, 6, 7, 8, 9, 10, 15, 20, 25, 30, 40, 50, 60),
)
# Source: controller-runtime pkg/internal/metrics/workqueue.go, ExponentialBuckets(10e-9, 10, 12)
_QUEUE_BUCKETS: Final = tuple(1e-8 * 10**n for n in range(12))


class Metrics:
    """Every series of this package, on a registry of its own.

    Args:
        registry: where to register; a fresh one unless given, so that two managers in one process do not collide.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry if registry is not None else CollectorRegistry()
        self._add_reconciles(self.registry)
        self._add_queues(self.registry)
        self._add_process(self.registry)
        self._add_informers(self.registry)
        self._add_streams(self.registry)

    def _add_reconciles(self, r: CollectorRegistry) -> None:
        by_controller = ["controller"]
        self.reconcile_total = Counter(
            "controller_runtime_reconcile_total", "Reconciles by result", ["controller", "result"], registry=r
        )
        self.reconcile_errors = Counter(
            "controller_runtime_reconcile_errors_total", "Reconciles that failed", by_controller, registry=r
        )
        self.terminal_errors = Counter(
            "controller_runtime_terminal_reconcile_errors_total",
            "Reconciles that failed for good, until the next change",
            by_controller,
            registry=r,
        )
        self.reconcile_panics = Counter(
            "controller_runtime_reconcile_panics_total",
            "Reconciles that ended in something that is no Exception",
            by_controller,
            registry=r,
        )
        self.reconcile_timeouts = Counter(
            "controller_runtime_reconcile_timeouts_total",
            "Reconciles that hit their timeout",
            by_controller,
            registry=r,
        )
        self.reconcile_seconds = Histogram(
            "controller_runtime_reconcile_time_seconds",
            "Length of a reconcile",
            by_controller,
            buckets=_RECONCILE_BUCKETS,
            registry=r,
        )
        self.max_concurrent = Gauge(
            "controller_runtime_max_concurrent_reconciles", "Workers of a controller", by_controller, registry=r
        )
        self.active_workers = Gauge(
            "controller_runtime_active_workers", "Workers that are reconciling", by_controller, registry=r
        )
        self.reconcile_stuck = Gauge(
            "zestor_reconcile_stuck", "Reconciles that outlived their cancellation", by_controller, registry=r
        )

    def _add_queues(self, r: CollectorRegistry) -> None:
        by_queue = ["name", "controller"]
        self.queue_depth = Gauge("workqueue_depth", "Keys that wait", ["name", "controller", "priority"], registry=r)
        self.queue_adds = Counter("workqueue_adds_total", "Keys queued", by_queue, registry=r)
        self.queue_seconds = Histogram(
            "workqueue_queue_duration_seconds",
            "How long a key waited",
            by_queue,
            buckets=_QUEUE_BUCKETS,
            registry=r,
        )
        self.work_seconds = Histogram(
            "workqueue_work_duration_seconds",
            "How long processing a key took",
            by_queue,
            buckets=_QUEUE_BUCKETS,
            registry=r,
        )
        self.unfinished_seconds = Gauge(
            "workqueue_unfinished_work_seconds", "Seconds of work in progress, summed", by_queue, registry=r
        )
        self.longest_running_seconds = Gauge(
            "workqueue_longest_running_processor_seconds", "Age of the longest running reconcile", by_queue, registry=r
        )
        self.queue_retries = Counter("workqueue_retries_total", "Delayed adds", by_queue, registry=r)
        self.queue_oldest = Gauge(
            "zestor_queue_oldest_seconds", "Age of the oldest waiting key", ["controller", "priority"], registry=r
        )

    def _add_process(self, r: CollectorRegistry) -> None:
        self.requests = Counter(
            "rest_client_requests_total", "Requests to the API server", ["code", "method", "host"], registry=r
        )
        self.leader = Gauge("leader_election_master_status", "1 while this replica leads", ["name"], registry=r)
        self.fenced_writes = Counter(
            "zestor_leader_fenced_writes_total",
            "Writes refused because this replica did not lead",
            ["name"],
            registry=r,
        )
        self.loop_blocked_seconds = Histogram(
            "zestor_event_loop_blocked_seconds", "Gaps seen by the event loop's watchdog", registry=r
        )
        self.credential_refreshes = Counter(
            "zestor_credential_refresh_total", "Credential refreshes", ["result"], registry=r
        )

    def _add_informers(self, r: CollectorRegistry) -> None:
        self.informer_synced = Gauge(
            "zestor_informer_synced", "1 when the first list is complete and the stream is live", ["kind"], registry=r
        )
        self.informer_state = Gauge(
            "zestor_informer_state", "One-hot: the state of a kind's informer", ["kind", "state"], registry=r
        )
        self.informer_unsynced_seconds = Gauge(
            "zestor_informer_unsynced_seconds", "How long a kind has not been live; 0 when live", ["kind"], registry=r
        )
        self.last_event_age = Gauge(
            "zestor_informer_last_event_age_seconds",
            "Seconds since the last line of a kind's stream",
            ["kind"],
            registry=r,
        )
        self.resource_version = Gauge(
            "zestor_informer_resource_version", "The last resourceVersion, where it is a number", ["kind"], registry=r
        )
        self.cache_objects = Gauge("zestor_cache_objects", "Objects in a cache", ["kind"], registry=r)
        self.cache_bytes = Gauge("zestor_cache_bytes", "Encoded bytes in a cache", ["kind"], registry=r)
        self.invalid_objects = Gauge(
            "zestor_cache_invalid_objects", "Objects kept raw because their model refuses them", ["kind"], registry=r
        )

    def _add_streams(self, r: CollectorRegistry) -> None:
        self.watch_events = Counter("zestor_watch_events_total", "Watch events received", ["kind", "type"], registry=r)
        self.watch_streams = Counter(
            "zestor_watch_streams_total", "How watch streams ended", ["kind", "end"], registry=r
        )
        self.skipped_events = Counter(
            "zestor_watch_skipped_events_total", "Watch events that could not be used", ["kind", "reason"], registry=r
        )
        self.relists = Counter("zestor_relists_total", "Lists, by reason", ["kind", "reason"], registry=r)
        self.list_seconds = Histogram("zestor_list_duration_seconds", "Length of a list", ["kind", "mode"], registry=r)
        self.list_items = Counter("zestor_list_items_total", "Objects received by lists", ["kind"], registry=r)
        self.synthetic_deletes = Counter(
            "zestor_synthetic_deletes_total", "Deletions found by a relist", ["kind"], registry=r
        )
        self.server_restores = Counter(
            "zestor_server_restores_total",
            "How often the server of a kind was found to have been restored from a backup",
            ["kind"],
            registry=r,
        )
        self.watch_dropped = Counter(
            "zestor_watch_dropped_total", "Events dropped or folded by full watches", ["kind", "policy"], registry=r
        )

    def add_process_collectors(self) -> None:
        """Register ``process_*`` and ``python_*``; for a process that owns its /metrics page."""
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)

    def render(self) -> bytes:
        """The exposition text of the whole registry, of type :data:`CONTENT_TYPE`."""
        return generate_latest(self.registry)
