"""Exponential backoff with jitter and reset; pure but for an injected clock and random source.

Source: client-go's reflector: 0.8 s, doubling, cap 30 s, jitter 1.0 (a delay lies in [d, 2d)), reset after 120 s of
health.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from time import monotonic

__all__ = ["Backoff"]


class Backoff:
    """Delays for one thing that fails.

    Args:
        first: seconds before the first retry.
        cap: the longest delay before jitter, in seconds.
        reset_after: seconds without a failure after which the next delay is the first one again.
        jitter: a delay d becomes one in [d, d * (1 + jitter)).
        rng: where the jitter comes from.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        *,
        first: float = 0.8,
        cap: float = 30.0,
        reset_after: float = 120.0,
        jitter: float = 1.0,
        rng: random.Random | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._first = first
        self._cap = cap
        self._reset_after = reset_after
        self._jitter = jitter
        self._rng = rng if rng is not None else random.Random()
        self._clock = clock
        self._failures = 0
        self._last: float | None = None

    def next(self) -> float:
        """Seconds to wait before the next try; call it once for each failure."""
        now = self._clock()
        if self._last is not None and now - self._last > self._reset_after:
            self._failures = 0
        base: float = min(self._first * 2.0 ** min(self._failures, 60), self._cap)
        self._failures += 1
        delay = base * (1 + self._jitter * self._rng.random())
        self._last = now + delay
        return delay

    def reset(self) -> None:
        """Forget all failures."""
        self._failures = 0
        self._last = None
