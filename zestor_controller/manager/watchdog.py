"""A thread that sees when the event loop is blocked, and logs by what.

A reconcile that blocks the loop (a ``time.sleep``, a synchronous request) freezes every other one, the watches and the
probes, and cannot report itself. This thread asks the loop for a sign of life; when none comes within a second, it
logs the stack of the loop's thread, once per blockage (R3: within 2 s).
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
import traceback
from typing import Final, Self

from zestor_controller.metrics import Metrics

__all__ = ["LoopWatchdog"]

_log = logging.getLogger(__name__)

LIMIT_S: Final = 1.0
PERIOD_S: Final = 0.25


class LoopWatchdog:
    """Watches the running loop while entered.

    Attributes:
        blocked_for: seconds that the loop has not responded; 0 when well. `/healthz` reads it.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread_id = 0
        self._responded = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="zestor-loop-watchdog", daemon=True)

    @property
    def blocked_for(self) -> float:
        """Seconds since the loop should have responded; 0 while it is in time."""
        late = time.monotonic() - self._responded
        return late if late > LIMIT_S else 0.0

    def __enter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._thread_id = threading.get_ident()
        self._responded = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._ended.set()
        self._thread.join(timeout=2 * PERIOD_S)

    def _respond(self) -> None:
        now = time.monotonic()
        gap = now - self._responded
        if gap > LIMIT_S:
            self._metrics.loop_blocked_seconds.observe(gap)
        self._responded = now

    def _run(self) -> None:
        logged = False
        while not self._ended.wait(PERIOD_S):
            assert self._loop is not None  # set before the thread starts
            try:
                self._loop.call_soon_threadsafe(self._respond)
            except RuntimeError:  # the loop is closed
                return
            blocked = self.blocked_for
            if not blocked:
                logged = False
            elif not logged:
                logged = True
                frame = sys._current_frames().get(self._thread_id)
                stack = "".join(traceback.format_stack(frame, limit=12)) if frame is not None else "(no stack)"
                task = asyncio.current_task(self._loop)
                _log.error(
                    "the event loop has been held for %.1f s by %s; everything waits. It is at:\n%s",
                    *(blocked, task.get_name() if task is not None else "a callback", stack),
                )
