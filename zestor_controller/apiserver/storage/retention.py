"""How much history a storage keeps: a number of changes, of bytes, and of minutes.

Invariant: memory is flat under writes, whatever their size: a bound that is exceeded forgets the older half. Every few
minutes the changes that are older than that are forgotten, as kube-apiserver compacts etcd.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Final

__all__ = ["Retention"]

MAX_BYTES: Final = 64 << 20
MAX_AGE_S: Final = 300.0  # kube-apiserver's --etcd-compaction-interval


class Retention:
    """The revisions that are remembered, and what they take.

    Args:
        changes: how many are kept.
        size: how many bytes of objects they may hold.
        age: seconds between two compactions; a change is kept for once to twice as long.
        clock: seconds, never going back.
    """

    def __init__(
        self,
        changes: int,
        size: int = MAX_BYTES,
        age: float = MAX_AGE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._changes = changes
        self._size = size
        self._age = age
        self._clock = clock
        self._marks: deque[tuple[int, int]] = deque()
        self._held = 0
        self._since, self._until = clock(), 0

    def add(self, revision: int, size: int) -> int:
        """Remember a change; returns the revision up to which history is to be forgotten, 0 for none."""
        self._marks.append((revision, size))
        self._held += size
        due = 0
        now = self._clock()
        if now - self._since >= self._age:
            due, self._since, self._until = self._until, now, revision
        if len(self._marks) > self._changes or self._held > self._size:
            count, held = len(self._marks), self._held
            for old, taken in self._marks:
                if count <= self._changes // 2 and held <= self._size // 2:
                    break
                due, count, held = max(due, old), count - 1, held - taken
        return due

    def forget(self, revision: int) -> None:
        """Take note that the history up to a revision is forgotten."""
        while self._marks and self._marks[0][0] <= revision:
            self._held -= self._marks.popleft()[1]
