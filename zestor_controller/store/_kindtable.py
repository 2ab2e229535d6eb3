"""One kind's objects in stored form, its indexes and its hub: where every write ends.

Invariants: objects, indexes and the hub's log change together, under the store's lock; a stored value is never changed
in place; a user's function that runs under the lock cannot write to the same kind.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from zestor_controller.errors import StoreError
from zestor_controller.store.codec import Codec, ReplacingCodec
from zestor_controller.store.event import Change, Event, EventType
from zestor_controller.store.hub import Hub
from zestor_controller.store.index import Index, IndexFunction

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["Table"]

S = TypeVar("S")

_CREATE = EventType.CREATE
_UPDATE = EventType.UPDATE
_DELETE = EventType.DELETE
_CREATED = Change.CREATED
_UPDATED = Change.UPDATED
_UNCHANGED = Change.UNCHANGED


class Table(Generic[S]):
    """One kind's objects, indexes and hub.

    Args:
        kind: the kind's name.
        lock: the store's lock.
        codec: compares, decodes and tells replaced objects.
        synced: whether the kind is in sync from the start.
    """

    def __init__(self, kind: str, lock: threading.RLock, codec: Codec[Any, S], synced: bool) -> None:
        self.kind = kind
        self.lock = lock
        self.codec = codec
        self.hub: Hub[Any] = Hub(kind, lock, codec.decode, synced)
        self.objects: dict[str, S] = {}
        self.indexes: dict[str, Index] = {}
        self.guard = self.hub.guard
        self.journals: list[dict[str, None]] = []  # for each stage being committed: the names written meanwhile
        self._same = codec.same
        self._decode = codec.decode
        self._replaced = codec.replaced if isinstance(codec, ReplacingCodec) else None
        self._plain = self._replaced is None  # a write touches nothing but the objects and the hub

    # Reading.

    def get(self, name: str) -> S | None:
        """Return the stored value, not copied; None when there is none.

        Raises:
            StoreClosed: the store has been closed.
        """
        with self.lock:
            if self.guard.closed:
                self.guard.check_open()
            return self.objects.get(name)

    def items(self) -> list[tuple[str, S]]:
        """Return all names and stored values, of one moment."""
        with self.lock:
            self.guard.check_open()
            return list(self.objects.items())

    def names(self) -> list[str]:
        """Return all names, of one moment."""
        with self.lock:
            self.guard.check_open()
            return list(self.objects)

    def count(self) -> int:
        """Return the number of objects."""
        with self.lock:
            self.guard.check_open()
            return len(self.objects)

    def by_index(self, index: str, key: Any) -> list[tuple[str, S]]:
        """Return names and stored values filed under a key.

        Raises:
            StoreError: the kind has no such index.
        """
        with self.lock:
            self.guard.check_open()
            objects = self.objects
            return [(name, objects[name]) for name in self.index(index).names(key)]

    def index(self, name: str) -> Index:
        """Return an index by its name, to be used under the lock."""
        found = self.indexes.get(name)
        if found is None:
            known = ", ".join(self.indexes) or "none"
            raise StoreError(f"kind {self.kind!r} has no index {name!r} (it has: {known}); add it with add_index()")
        return found

    # Writing.

    def add_index(self, name: str, function: IndexFunction, *, encoded: bool = False) -> None:
        """Add an index and file every object that is there.

        Args:
            name: the index's name.
            function: gives the keys of one object.
            encoded: hand `function` the stored form instead of the decoded object.

        Raises:
            StoreError: the kind has an index of this name.
        """
        index = Index(function, None if encoded else self.codec.decode)
        with self.writing():
            if name in self.indexes:
                raise StoreError(f"kind {self.kind!r} has an index {name!r} already; choose another name")
            for key, stored in self.objects.items():
                index.put(key, stored)
            self.indexes[name] = index
            self._plain = False

    def journal(self, names: dict[str, None]) -> None:
        """Note the names written from now on in `names`. Under the lock."""
        self.journals.append(names)
        self._plain = False

    def end_journal(self, names: dict[str, None]) -> None:
        """End what :meth:`journal` began. Under the lock."""
        self.journals = [other for other in self.journals if other is not names]
        self._plain = not self.journals and self._replaced is None and not self.indexes

    def merge(self, values: dict[str, S]) -> dict[str, Change]:
        """Write the given names and leave others, in name order; returns what changed."""
        with self.writing():
            return self._write_all({name: values[name] for name in sorted(values)})

    def replace(self, values: dict[str, S]) -> dict[str, Change]:
        """Make the kind equal to `values`, in name order; returns what changed."""
        with self.writing():
            return self._write_all({name: values.get(name) for name in sorted({*self.objects, *values})})

    def _write_all(self, values: dict[str, S | None]) -> dict[str, Change]:
        # Everything is compared before anything is written: a comparison that raises changes nothing.
        different: dict[str, S | None] = {}
        for name, stored in values.items():
            old = self.objects.get(name)
            if stored is None or old is None or not self._same(old, stored):
                different[name] = stored
        events: list[Event[Any]] = []
        changes: dict[str, Change] = {}
        for name, stored in different.items():
            if stored is not None:
                changes[name] = self.place(name, stored, events)
            elif self.remove(name, events) is not None:
                changes[name] = Change.DELETED
        self.hub.publish_all(events)
        return changes

    def write(self, name: str, stored: S) -> Change:
        """Write one value."""
        with self.lock:
            if self.guard.refusing:
                self.guard.check_write()
            old = self.objects.get(name)
            if old is not None and self._same(old, stored):
                return _UNCHANGED
            if not self._plain:
                events: list[Event[Any]] = []
                change = self.place(name, stored, events)
                self.hub.publish_all(events)
                return change
            self.objects[name] = stored
            if old is None:
                if self.hub.refs:
                    self.hub.publish(Event(self.kind, name, _CREATE, stored, None, self._decode))
                return _CREATED
            if self.hub.refs:
                self.hub.publish(Event(self.kind, name, _UPDATE, stored, old, self._decode))
            return _UPDATED

    def discard(self, name: str) -> S | None:
        """Delete one name; returns what was there."""
        with self.writing():
            events: list[Event[Any]] = []
            old = self.remove(name, events)
            self.hub.publish_all(events)
            return old

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the lock for a write; refuse it when the store is closed, or from within the kind's own functions."""
        with self.lock:
            if self.guard.refusing:
                self.guard.check_write()
            yield

    # Under the lock: one change of objects and indexes, with its events.

    def put(self, name: str, stored: S, events: list[Event[Any]]) -> Change:
        """Write one value unless it is the same, and append its events."""
        old = self.objects.get(name)
        if old is not None and self._same(old, stored):
            return _UNCHANGED
        return self.place(name, stored, events)

    def place(self, name: str, stored: S, events: list[Event[Any]]) -> Change:
        """Write one value that differs, and append its events."""
        old = self.objects.get(name)
        self.objects[name] = stored
        if self.indexes:
            with self.guard.calling("an index function"):
                for index in self.indexes.values():
                    index.put(name, stored)
        for journal in self.journals:
            journal[name] = None
        if self.hub.refs:
            events.extend(self.difference(name, old, stored))
        return Change.CREATED if old is None else Change.UPDATED

    def remove(self, name: str, events: list[Event[Any]], final: S | None = None) -> S | None:
        """Delete one name and append its event; returns what was there."""
        old = self.objects.pop(name, None)
        if old is None:
            return None
        for index in self.indexes.values():
            index.remove(name)
        for journal in self.journals:
            journal[name] = None
        if self.hub.refs:
            events.append(Event(self.kind, name, _DELETE, old if final is None else final, old, self.codec.decode))
        return old

    def is_replaced(self, old: S | None, new: S | None) -> bool:
        """Tell whether the codec calls `new` another object than `old`."""
        return self._replaced is not None and old is not None and new is not None and self._replaced(old, new)

    def difference(self, name: str, old: S | None, new: S | None) -> Iterable[Event[Any]]:
        """Return the events that lead from one stored value to another; the two are not the same."""
        decode: Callable[[S], Any] = self.codec.decode
        if new is None:
            return (Event(self.kind, name, _DELETE, old, old, decode),)
        if old is None:
            return (Event(self.kind, name, _CREATE, new, None, decode),)
        if self.is_replaced(old, new):
            return (
                Event(self.kind, name, _DELETE, old, old, decode),
                Event(self.kind, name, _CREATE, new, None, decode),
            )
        return (Event(self.kind, name, _UPDATE, new, old, decode),)

    def close(self) -> None:
        """End every watch and refuse later operations."""
        with self.lock:
            if not self.guard.closed:
                self.guard.close()
                self.hub.close()
