"""The writer's side of a kind: values in stored form, without decoding and without copying.

An informer writes here (``kind.encoded``). Invariant: a writer never changes a stored value that it has passed on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from zestor_controller.store._kindtable import KindTable, Tombstone
from zestor_controller.store._subscription import Subscription
from zestor_controller.store.event import Overflow
from zestor_controller.store.stage import EncodedStage
from zestor_controller.store.watch import Watch
from zestor_controller.store.watchoptions import EncodedWatchOptions, WatchSettings

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Unpack

__all__ = ["EncodedKind", "Tombstone"]

S = TypeVar("S")


class EncodedKind(KindTable[S]):
    """One kind's table with what a writer of stored values needs; reached through ``kind.encoded``."""

    def mark_synced(self) -> None:
        """Publish to every watch that the initial state is complete (S4); for a kind created with ``synced=False``."""
        with self.writing():
            self.hub.mark_synced()

    @property
    def synced(self) -> bool:
        """Whether the initial state is complete."""
        return self.hub.synced

    def watches(self) -> int:
        """Return the number of open watches, for metrics."""
        return self.hub.count()

    def lost(self) -> dict[Overflow, int]:
        """Return totals for metrics: events dropped (DROP), events folded (COALESCE), watches closed (CLOSE)."""
        return self.hub.lost()

    def stage(self, keep: Callable[[str], bool] | None = None) -> EncodedStage[S]:
        """Open a stage: ``put`` stored values, then ``commit``, ``await commit_async`` or leave its block.

        Args:
            keep: true for names that stay as they are, whatever happens to them meanwhile; without it the kind
                becomes exactly what was put.
        """
        with self.lock:
            self.guard.check_open()
        return EncodedStage(self, keep)

    def watch(self, **options: Unpack[EncodedWatchOptions[Any]]) -> Watch[Any]:
        """Subscribe to the kind's changes; ``event.stored`` is the value in stored form.

        Args:
            **options: see :class:`EncodedWatchOptions`.
        """
        settings = WatchSettings(**options)
        with self.lock:  # the snapshot and the subscription are one step (S4)
            self.guard.check_open()
            return Watch(Subscription(self.hub, self.objects, settings))
