"""The writer's side of a kind: values in stored form, without decoding and without copying.

An informer writes here (``kind.encoded``). Invariant: whoever hands over a stored value never changes it again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from zestor_controller.store._kindtable import Table
from zestor_controller.store.event import Change, Event, EventType, Overflow
from zestor_controller.store.stage import EncodedStage
from zestor_controller.store.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

__all__ = ["EncodedKind", "Tombstone"]

S = TypeVar("S")


class Tombstone(Generic[S]):
    """Deletes a name in :meth:`EncodedKind.apply` and carries the object's final state for the event.

    Args:
        stored: the final state, in stored form; it becomes ``event.object`` of the DELETE.
    """

    __slots__ = ("stored",)

    def __init__(self, stored: S) -> None:
        self.stored = stored


class EncodedKind(Table[S]):
    """One kind's table with what a writer of stored values needs; reached through ``kind.encoded``."""

    def apply(self, changes: Sequence[tuple[str, S | Tombstone[S] | None]]) -> int:
        """Write many changes in order, in one go: one lock, one wake-up for each watch.

        Args:
            changes: names with the new stored value, None to delete, or a :class:`Tombstone` to delete and tell the
                final state. A value that the codec calls the same is skipped; an object that the codec calls replaced
                is told as DELETE then CREATE.

        Returns:
            How many of the changes changed something.
        """
        changed = 0
        with self.writing():
            events: list[Event[Any]] = []
            try:
                for name, stored in changes:
                    if stored is None:
                        changed += self.remove(name, events) is not None
                    elif isinstance(stored, Tombstone):
                        changed += self.remove(name, events, stored.stored) is not None
                    else:
                        changed += self.put(name, stored, events) is not Change.UNCHANGED
            finally:  # whatever the codec raised half-way: what has been written is told
                self.hub.publish_all(events)
        return changed

    def mark_synced(self) -> None:
        """Tell every watch that the initial state is complete (S4); for a kind created with ``synced=False``."""
        with self.writing():
            self.hub.mark_synced()

    @property
    def synced(self) -> bool:
        """Tell whether the initial state is complete."""
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

    def watch(
        self,
        *,
        event_types: Collection[EventType] | None = None,
        names: Collection[str] | None = None,
        predicate: Callable[[Event[Any]], object] | None = None,
        initial_replay: bool = False,
        buffer_size: int = 128,
        overflow: Overflow = Overflow.DROP,
        bookmarks: bool = False,
        brief: bool = False,
    ) -> Watch[Any]:
        """Subscribe to the kind's changes; ``event.stored`` is the value in stored form.

        Args:
            event_types: see :meth:`zestor_controller.store.StoreKind.watch`, also for the arguments that follow.
            names: see there.
            predicate: see there.
            initial_replay: see there.
            buffer_size: see there.
            overflow: see there.
            bookmarks: see there.
            brief: with COALESCE, what was created and deleted before it could be handed out is told as DELETE and does
                not vanish: its consumer reads the kind, too, and may have seen it there.
        """
        with self.lock:  # the snapshot and the subscription are one step (S4)
            self.guard.check_open()
            return Watch(
                self.hub,
                self.objects,
                event_types=event_types,
                names=names,
                predicate=predicate,
                initial_replay=initial_replay,
                buffer_size=buffer_size,
                overflow=overflow,
                bookmarks=bookmarks,
                brief=brief,
            )
