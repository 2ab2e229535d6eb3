"""The series of one controller, looked up once: a lookup by labels for each reconcile would cost more than the count.

Invariant: every series exists from the start; one that begins at its first failure hides that failure from ``rate()``.
"""

from __future__ import annotations

from zestor_controller.metrics import RESULTS, Metrics

__all__ = ["RunnerMetrics"]


class RunnerMetrics:
    """The series of a controller.

    Args:
        metrics: the registry's series.
        name: the controller's name.
    """

    def __init__(self, metrics: Metrics, name: str) -> None:
        self.queue_adds = metrics.queue_adds.labels(name, name)
        self.queue_retries = metrics.queue_retries.labels(name, name)
        self.queue_seconds = metrics.queue_seconds.labels(name, name)
        self.work_seconds = metrics.work_seconds.labels(name, name)
        self.reconcile_seconds = metrics.reconcile_seconds.labels(name)
        self.results = {result: metrics.reconcile_total.labels(name, result) for result in RESULTS}
        self.errors = metrics.reconcile_errors.labels(name)
        self.terminal_errors = metrics.terminal_errors.labels(name)
        self.panics = metrics.reconcile_panics.labels(name)
        self.timeouts = metrics.reconcile_timeouts.labels(name)
        self.active_workers = metrics.active_workers.labels(name)
        self.stuck = metrics.reconcile_stuck.labels(name)
        self.max_concurrent = metrics.max_concurrent.labels(name)

    def observe(self, seconds: float) -> None:
        """Record how long a reconcile took."""
        self.reconcile_seconds.observe(seconds)
        self.work_seconds.observe(seconds)

    def failed(self) -> None:
        """Count a reconcile that failed."""
        self.results["error"].inc()
        self.errors.inc()
