"""The commit of a stage: compare, swap, publish, in slices between which a loop may run.

Invariants: a reader sees the complete old state or the complete new one; the published events are exactly the
difference; the lock is never held for longer than a slice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, TypeVar

from zestor_controller.store._difference import Difference

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from zestor_controller.store._kindtable import KindTable

__all__ = ["Commit"]

S = TypeVar("S")

STEP: Final = 64  # objects handled between two looks at the clock
FREED: Final = 4096  # objects of the old content released in one slice


class Commit(Generic[S]):
    """Makes a kind what was staged.

    Args:
        table: the kind to swap.
        staged: its next content; taken over.
        keep: names that stay as they are.

    Attributes:
        changed: how many names the commit changed.
    """

    def __init__(self, table: KindTable[S], staged: dict[str, S], keep: Callable[[str], bool] | None) -> None:
        self._table = table
        self._staged = staged
        self._keep = keep
        self._indexes = {name: index.empty() for name, index in table.indexes.items()}
        self._touched: dict[str, None] = {}  # written by others since the commit began
        self._swapped = False
        self.changed = 0

    def begin(self) -> None:
        """Note from now on what others write. Under the lock."""
        self._table.journal(self._touched)

    def slices(self) -> Generator[bool, None, None]:
        """Do it; each item is a place to pause, true after events were published."""
        table = self._table
        try:
            yield from self._fill_indexes()
            if self._keep is not None:
                yield from self._each(list(table.objects), self._refresh)
            while True:
                watched, changes = bool(table.hub.refs), Difference(table, self._staged)
                yield from self._compare(changes, watched)
                old = table.objects
                with table.writing():
                    if watched or not table.hub.refs:  # else the first watch was opened meanwhile: it needs events
                        self._swap(changes, watched)
                        break
            self.changed = len(changes.names)
            del changes
            while table.hub.publish_slice():
                yield True
            for _ in range(len(old) // FREED):  # release the old content bit by bit: freeing takes time too
                for _ in range(FREED):
                    old.popitem()
                yield False
        finally:
            if not self._swapped:
                with table.lock:
                    table.end_journal(self._touched)
            while table.hub.publish_slice():
                pass

    def _fill_indexes(self) -> Iterator[bool]:
        indexes, staged = list(self._indexes.values()), self._staged
        if not indexes:
            return iter(())

        def put(name: str) -> None:
            for index in indexes:
                index.put(name, staged[name])

        return self._each(list(staged), put)

    def _compare(self, changes: Difference[S], watched: bool) -> Iterator[bool]:
        """Compare every name, and again what others wrote meanwhile, until little of that is left."""
        table, staged = self._table, self._staged

        def note(name: str) -> None:
            changes.note(name, watched)

        def note_absent(name: str) -> None:
            if name not in staged:
                changes.note(name, watched)

        def note_again(name: str) -> None:
            self._refresh(name)
            changes.note(name, watched)

        yield from self._each(list(staged), note)
        yield from self._each(list(table.objects), note_absent)
        while len(self._touched) > STEP:  # another stage was swapped in: the lock must not be held for all of it
            with table.lock:
                late = list(self._touched)
                self._touched.clear()
            changes.forget(late)
            yield from self._each(late, note_again)

    def _swap(self, changes: Difference[S], watched: bool) -> None:
        """Swap objects and indexes, and schedule the events. Under the lock."""
        table = self._table
        changes.forget(self._touched)
        for name in self._touched:
            self._refresh(name)
            changes.note(name, watched)
        for index_name, index in table.indexes.items():
            if index_name not in self._indexes:  # added since the commit began
                fresh = self._indexes[index_name] = index.empty()
                for name, stored in self._staged.items():
                    fresh.put(name, stored)
        table.objects = self._staged
        table.indexes = self._indexes
        table.hub.schedule(changes.slices)
        table.end_journal(self._touched)
        for journal in table.journals:
            journal.update(changes.names)
        self._swapped = True

    def _refresh(self, name: str) -> None:
        """Copy a kept name as it is now."""
        if self._keep is None or not self._keep(name):
            return
        with self._table.lock:
            stored = self._table.objects.get(name)
        if stored is None:
            self._staged.pop(name, None)
            for index in self._indexes.values():
                index.remove(name)
        else:
            self._staged[name] = stored
            for index in self._indexes.values():
                index.put(name, stored)

    def _each(self, names: list[str], handle: Callable[[str], object]) -> Iterator[bool]:
        """Call a function for each name; yields now and then."""
        for at in range(0, len(names), STEP):
            for name in names[at : at + STEP]:
                handle(name)
            yield False
