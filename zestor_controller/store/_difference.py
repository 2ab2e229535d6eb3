"""What a stage changes: the names that differ, and their events in slices.

Invariant: no event is made before its slice is published; a hundred thousand events held at once would make the garbage
collector stop the loop for tens of milliseconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from zestor_controller.store._kindtable import KindTable
    from zestor_controller.store.event import Event

__all__ = ["Difference", "Slice"]

S = TypeVar("S")

# Events in one slice at most: a consumer may find two slices at once, and the default buffer holds 128.
SLICE_EVENTS: Final = 64


class Slice(Generic[S]):
    """Some changes, as three flat lists."""

    __slots__ = ("_new", "_old", "_size", "_table", "names")

    def __init__(self, table: KindTable[S]) -> None:
        self._table = table
        self.names: list[str] = []
        self._old: list[S | None] = []
        self._new: list[S | None] = []
        self._size = 0  # events, of which a replaced object makes two

    def add(self, name: str, old: S | None, new: S | None) -> None:
        """Append one change."""
        self.names.append(name)
        self._old.append(old)
        self._new.append(new)
        self._size += 2 if self._table.is_replaced(old, new) else 1

    def without(self, names: set[str]) -> Slice[S]:
        """Return a slice without the changes of these names."""
        if names.isdisjoint(self.names):
            return self
        rest: Slice[S] = Slice(self._table)
        for name, old, new in zip(self.names, self._old, self._new, strict=True):
            if name not in names:
                rest.add(name, old, new)
        return rest

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Event[Any]]:
        for name, old, new in zip(self.names, self._old, self._new, strict=True):
            yield from self._table.difference(name, old, new)


class Difference(Generic[S]):
    """What turns the present content into the staged one: the names, and the changes in slices."""

    def __init__(self, table: KindTable[S], staged: dict[str, S]) -> None:
        self._table = table
        self._staged = staged
        self.names: dict[str, None] = {}  # in order, so that what follows from it is the same in every process
        self.slices: list[Slice[S]] = [Slice(table)]

    def note(self, name: str, watched: bool) -> None:
        """Compare one name."""
        with self._table.lock:
            old = self._table.objects.get(name)
        new = self._staged.get(name)
        if old is new:
            return
        if old is not None and new is not None and self._table.codec.same(old, new):
            self._staged[name] = old
            return
        self.names[name] = None
        if watched:
            if len(self.slices[-1]) + 2 > SLICE_EVENTS:  # a replaced object is two events
                self.slices.append(Slice(self._table))
            self.slices[-1].add(name, old, new)

    def forget(self, names: Collection[str]) -> None:
        """Remove names, to be compared again."""
        if names:
            gone = set(names)
            self.names = {name: None for name in self.names if name not in gone}
            self.slices = [part.without(gone) for part in self.slices]
