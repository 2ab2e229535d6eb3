"""Staging: a kind's next content, put together piece by piece and swapped in at once (S10, C4).

How it works: a stage compares as it is filled (a value equal to the present one is not kept twice), prepares the
difference and the new indexes in slices, swaps under the lock in constant time, then publishes to the watches in
slices. Changes written by others during the slices are published in their place: before the swap they are part of what
the swap replaces, after it they queue behind its events. How the commit keeps that is in ``_commit``.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

from zestor_controller.errors import StoreError
from zestor_controller.store._commit import Commit

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import TracebackType

    from zestor_controller.store._kindtable import KindTable

__all__ = ["EncodedStage"]

S = TypeVar("S")


class EncodedStage(Generic[S]):
    """Collects stored values; commits when its ``with`` or ``async with`` block is left without an error.

    Args:
        table: the kind to swap.
        keep: names that the stage does not concern, whatever is under them stays: several writers of one kind, each
            for a part of the names, may stage at the same time.
    """

    def __init__(self, table: KindTable[S], keep: Callable[[str], bool] | None = None) -> None:
        self._table = table
        self._keep = keep
        self._objects: dict[str, S] = {}
        self._over = False
        self._commit: Commit[S] | None = None

    @property
    def changed(self) -> int:
        """How many names the commit changed."""
        return 0 if self._commit is None else self._commit.changed

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
        """Swap the kind to exactly what was put, and publish the difference; returns how many names changed.

        Raises:
            StoreClosed: the store has been closed.
            StoreError: this stage is over.
        """
        for _ in self._slices():
            pass
        return self.changed

    async def commit_async(self, slice_s: float = 0.005) -> int:
        """Do what :meth:`commit` does without holding the event loop for much longer than `slice_s` seconds at a time.

        A cancellation before the swap changes nothing; after it the rest is published at once, then it is passed on.
        """
        clock = asyncio.get_running_loop().time  # virtual in a simulation
        started = clock()
        slices = self._slices()
        try:
            for published in slices:
                # Each slice gives the consumers a turn, so that a watch that keeps up drops nothing.
                if published or clock() - started > slice_s:
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
            staged, self._objects = self._objects, {}
            commit = self._commit = Commit(table, staged, self._keep)
            commit.begin()
        yield from commit.slices()

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
