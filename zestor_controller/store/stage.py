"""Staging: a kind's next content, put together piece by piece and swapped in at once (S10, C4).

How it works: a stage compares as it is filled (a value equal to the present one is not kept twice), prepares the
difference and the new indexes in slices, swaps under the lock in constant time, then tells the watches in slices.
Changes written by others during the slices are told in their place: before the swap they are part of what the swap
replaces, after it they queue behind its events. Invariants: a reader sees the whole old state or the whole new one; the
events told are exactly the difference.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from zestor_controller.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterator
    from types import TracebackType

    from zestor_controller.store._kindtable import Table
    from zestor_controller.store.event import Event
    from zestor_controller.store.index import Index

__all__ = ["EncodedStage"]

S = TypeVar("S")

_STEP = 64  # objects handled between two looks at the clock
_TELL = 64  # events in one slice at most: a consumer may find two slices at once, and the default buffer holds 128


class EncodedStage(Generic[S]):
    """Collects stored values; commits when its ``with`` or ``async with`` block is left without an error.

    Args:
        table: the kind to swap.
        keep: names that are not the stage's business, whatever is under them stays: several writers of one kind, each
            for a part of the names, may stage at the same time.
    """

    def __init__(self, table: Table[S], keep: Callable[[str], bool] | None = None) -> None:
        self._table = table
        self._keep = keep
        self._objects: dict[str, S] = {}
        self._over = False
        self.changed = 0
        """How many names the commit changed."""

    def put(self, name: str, stored: S) -> None:
        """Add one value; the last one put under a name counts."""
        if self._over:
            raise StoreError(f"kind {self._table.kind!r}: this stage is over; open another one with stage()")
        if self._keep is not None and self._keep(name):
            raise ValueError(f"kind {self._table.kind!r}, name {name!r}: this stage keeps the name; it cannot put it")
        with self._table.lock:
            old = self._table.objects.get(name)
        if old is not None and old is not stored and self._table.codec.same(old, stored):
            stored = old  # keep one of the two: memory stays near one copy while little has changed (C8)
        self._objects[name] = stored

    def get(self, name: str) -> S | None:
        """Return what was put under a name."""
        return self._objects.get(name)

    def remove(self, name: str) -> None:
        """Take back what was put under a name, if anything was."""
        self._objects.pop(name, None)

    def __len__(self) -> int:
        return len(self._objects)

    def commit(self) -> int:
        """Swap the kind to exactly what was put, and tell the difference; returns how many names changed.

        Raises:
            StoreClosed: the store has been closed.
            StoreError: this stage is over.
        """
        for _ in self._slices():
            pass
        return self.changed

    async def commit_async(self, slice_s: float = 0.005) -> int:
        """Do what :meth:`commit` does without holding the event loop for much longer than `slice_s` seconds at a time.

        A cancellation before the swap changes nothing; after it the rest is told at once, then it is passed on.
        """
        clock = asyncio.get_running_loop().time  # virtual in a simulation
        started = clock()
        slices = self._slices()
        try:
            for told in slices:
                # Telling gives the consumers a turn each time, so that a watch that keeps up drops nothing.
                if told or clock() - started > slice_s:
                    await asyncio.sleep(0)
                    started = clock()
        finally:
            slices.close()
        return self.changed

    def discard(self) -> None:
        """Give the stage up; nothing changes."""
        self._over = True
        self._objects = {}

    def _slices(self) -> Generator[bool, None, None]:
        table = self._table
        with table.writing():
            if self._over:
                raise StoreError(f"kind {table.kind!r}: this stage is over; open another one with stage()")
            self._over = True
            touched: dict[str, None] = {}
            table.journal(touched)
        swapped = False
        old = table.objects
        try:
            staged, self._objects = self._objects, {}
            indexes = {name: index.empty() for name, index in table.indexes.items()}
            for name in _stepped(list(staged)):
                if name is None:
                    yield False
                else:
                    for index in indexes.values():
                        index.put(name, staged[name])
            if self._keep is not None:
                for name in _stepped(list(table.objects)):
                    if name is None:
                        yield False
                    else:
                        self._refresh(name, staged, indexes)
            while True:
                watched, changes = bool(table.hub.refs), _Difference(table, staged)
                for name in _stepped(list(staged)):
                    if name is None:
                        yield False
                    else:
                        changes.note(name, watched)
                for name in _stepped(list(table.objects)):
                    if name is None:
                        yield False
                    elif name not in staged:
                        changes.note(name, watched)
                while len(touched) > _STEP:  # another stage was swapped in: the lock must not be held for all of it
                    with table.lock:
                        late = list(touched)
                        touched.clear()
                    changes.forget(late)
                    for name in _stepped(late):
                        if name is None:
                            yield False
                        else:
                            self._refresh(name, staged, indexes)
                            changes.note(name, watched)
                with table.writing():
                    if table.hub.refs and not watched:
                        continue  # the first watch was opened meanwhile: now the events are needed after all
                    changes.forget(touched)  # what others wrote meanwhile
                    for name in touched:
                        self._refresh(name, staged, indexes)
                        changes.note(name, watched)
                    old = table.objects
                    self._swap(staged, indexes)
                    table.hub.schedule(changes.parts)
                    table.end_journal(touched)
                    for journal in table.journals:
                        journal.update(changes.names)
                    swapped = True
                    break
            self.changed = len(changes.names)
            del changes
            while table.hub.publish_slice():
                yield True
            for _ in range(len(old) // 4096):  # let go of the old content bit by bit: freeing takes time too
                for _ in range(4096):
                    old.popitem()
                yield False
        finally:
            if not swapped:
                with table.lock:
                    table.end_journal(touched)
            while table.hub.publish_slice():
                pass

    def _refresh(self, name: str, staged: dict[str, S], indexes: dict[str, Index]) -> None:
        """Take a kept name over as it is now."""
        if self._keep is None or not self._keep(name):
            return
        with self._table.lock:
            stored = self._table.objects.get(name)
        if stored is None:
            staged.pop(name, None)
            for index in indexes.values():
                index.remove(name)
        else:
            staged[name] = stored
            for index in indexes.values():
                index.put(name, stored)

    def _swap(self, staged: dict[str, S], indexes: dict[str, Index]) -> None:
        table = self._table
        for name, index in table.indexes.items():
            if name not in indexes:  # added since the commit began
                indexes[name] = index.empty()
                for key, stored in staged.items():
                    indexes[name].put(key, stored)
        table.objects = staged
        table.indexes = indexes

    def __enter__(self) -> EncodedStage[S]:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._over:
            return
        if error is None:
            self.commit()
        else:
            self.discard()

    async def __aenter__(self) -> EncodedStage[S]:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        if self._over:
            return
        if error is None:
            await self.commit_async()
        else:
            self.discard()


class _Part(Generic[S]):
    """Some changes, as three flat lists: their events are made when they are told.

    A hundred thousand events held at once would make the garbage collector stop the loop for tens of milliseconds.
    """

    __slots__ = ("_new", "_old", "_size", "_table", "names")

    def __init__(self, table: Table[S]) -> None:
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

    def without(self, names: set[str]) -> _Part[S]:
        """Return a part without the changes of these names."""
        if names.isdisjoint(self.names):
            return self
        rest: _Part[S] = _Part(self._table)
        for name, old, new in zip(self.names, self._old, self._new, strict=True):
            if name not in names:
                rest.add(name, old, new)
        return rest

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Event[Any]]:
        for name, old, new in zip(self.names, self._old, self._new, strict=True):
            yield from self._table.difference(name, old, new)


class _Difference(Generic[S]):
    """What turns the present content into the staged one: the names, and the changes in parts."""

    def __init__(self, table: Table[S], staged: dict[str, S]) -> None:
        self._table = table
        self._staged = staged
        self.names: dict[str, None] = {}  # in order, so that what follows from it is the same in every process
        self.parts: list[_Part[S]] = [_Part(table)]

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
            if len(self.parts[-1]) + 2 > _TELL:  # a replaced object is two events
                self.parts.append(_Part(self._table))
            self.parts[-1].add(name, old, new)

    def forget(self, names: Collection[str]) -> None:
        """Take names out, to be compared again."""
        if names:
            gone = set(names)
            self.names = {name: None for name in self.names if name not in gone}
            self.parts = [part.without(gone) for part in self.parts]


def _stepped(names: list[str]) -> Iterator[str | None]:
    """Yield the names, and None now and then: a place to pause."""
    for at in range(0, len(names), _STEP):
        yield from names[at : at + _STEP]
        yield None
