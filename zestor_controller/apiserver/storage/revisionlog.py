"""The revision log: every object of the server, every change in order, and the channels that watch them.

Invariant: one counter numbers all writes; an object is encoded once, when it is written, and lists and watches return
those bytes; an event reaches every watcher in the order of the revisions, or the watcher is closed because it
fell behind. Nothing here knows a kind: a *table* holds the objects of one resource, whatever its versions.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Iterator
from operator import attrgetter
from typing import Any, Final, Protocol

from zestor_controller.apiserver.storage.logentry import (
    ADDED,
    DELETED,
    MODIFIED,
    LogEntry,
    Version,
    encode_object,
    object_key,
)
from zestor_controller.apiserver.storage.retention import MAX_BYTES, Retention

__all__ = [
    "ADDED",
    "DELETED",
    "MODIFIED",
    "Journal",
    "LogEntry",
    "ObjectTooLarge",
    "Storage",
    "Table",
    "Version",
    "Watcher",
    "WriteFailed",
    "encode_object",
    "object_key",
]

Json = dict[str, Any]

MAX_OBJECT: Final = 1536 * 1024
"""Bytes of an object as it is stored: etcd's --max-request-bytes."""

_LINES_KEPT = 1000

_revision = attrgetter("revision")


class WriteFailed(Exception):
    """A write could not be made to last, as on a full disk. Nothing has changed; it may be tried again."""


class ObjectTooLarge(WriteFailed):
    """An object, as it would be stored, has more than :data:`MAX_OBJECT` bytes."""

    def __init__(self) -> None:
        super().__init__("etcdserver: request is too large")


class Journal(Protocol):
    """Makes writes last: called with each one before it is visible."""

    def append(self, storage: tuple[str, str], change: LogEntry) -> None:
        """Write a change down; returns when it cannot be lost any more.

        Raises:
            OSError: it could not be written.
        """
        ...


class Signal(Protocol):
    """Set when a channel has something to take; an ``asyncio.Event`` is one."""

    def set(self) -> None:
        """Wake the consumer."""
        ...


class Watcher:
    """One open watch's end of the channel: a bounded buffer and a signal.

    Args:
        table: what is watched.
        namespace: empty for all.
        limit: how many changes may wait, and
        size: how many bytes of objects; more closes the channel.
    """

    def __init__(
        self, table: Table, namespace: str, signal: Signal, limit: int = 10_000, size: int = MAX_BYTES
    ) -> None:
        self._table = table
        self._namespace = namespace
        self._limit = limit
        self._size = size
        self._held = 0
        self.signal = signal
        self.pending: deque[LogEntry] = deque()
        self.closed = False

    def offer(self, change: LogEntry) -> None:
        """Take a change; a watcher that is a buffer behind is closed instead."""
        if len(self.pending) >= self._limit or self._held > self._size:
            self.close()
            return
        self.pending.append(change)
        self._held += len(change.version.raw)
        self.signal.set()

    def take(self) -> LogEntry:
        """The change that has waited longest."""
        change = self.pending.popleft()
        self._held -= len(change.version.raw)
        return change

    def close(self) -> None:
        """End the channel: nothing more comes, what waits may still be taken."""
        self.closed = True
        self._table.forget(self._namespace, self)
        self.signal.set()


class Table:
    """The objects of one resource and the log of their changes.

    Attributes:
        storage: (group, plural).
        since: the revision at which the table came to be; older watches have expired.
    """

    def __init__(self, storage: tuple[str, str], since: int) -> None:
        self.storage = storage
        self.since = since
        self._live: dict[str, Version] = {}
        self._keys: list[str] = []
        self._log: list[LogEntry] = []
        self._watchers: dict[str, dict[Watcher, None]] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def get(self, namespace: str, name: str) -> Version | None:
        """The present version of an object; None when there is none."""
        return self._live.get(f"{namespace}/{name}" if namespace else name)

    def versions(self, namespace: str = "") -> list[Version]:
        """The present objects, of one namespace or of all, in the order of their keys."""
        live = self._live
        return [live[key] for key in self._keys[self._range(namespace)]]

    def _range(self, namespace: str) -> slice:
        if not namespace:
            return slice(0, len(self._keys))
        # "0" follows "/" in the order of characters.
        return slice(bisect_left(self._keys, namespace + "/"), bisect_left(self._keys, namespace + "0"))

    def snapshot(self, revision: int, namespace: str = "") -> list[Version]:
        """The objects as they were after a revision, which must not be compacted away."""
        undone: dict[str, Version | None] = {}
        for change in reversed(self._log):
            if change.revision <= revision:
                break
            if not namespace or change.version.namespace == namespace:
                undone[change.version.key] = change.previous
        present = self.versions(namespace)
        if not undone:
            return present
        kept = [version for version in present if version.key not in undone]
        kept += [version for version in undone.values() if version is not None]
        kept.sort(key=attrgetter("key"))
        return kept

    def changes(self, revision: int, namespace: str = "") -> Iterator[LogEntry]:
        """The changes after a revision, oldest first."""
        start = bisect_right(self._log, revision, key=_revision)
        for change in self._log[start:]:
            if not namespace or change.version.namespace == namespace:
                yield change

    def record(self, change: LogEntry) -> None:
        """Take a committed change: into the log, the live objects, and the watchers' buffers."""
        version = change.version
        if change.type == DELETED:
            del self._live[version.key]
            del self._keys[bisect_left(self._keys, version.key)]
        else:
            if change.previous is None:
                insort(self._keys, version.key)
            self._live[version.key] = version
        self._log.append(change)
        if len(self._log) > _LINES_KEPT:
            # Watchers have taken it long ago; one that has not makes its own line.
            self._log[-_LINES_KEPT].lines.clear()
        if self._watchers:
            for scope in ("", version.namespace) if version.namespace else ("",):
                for watcher in list(self._watchers.get(scope, ())):
                    watcher.offer(change)

    def restore(self, version: Version) -> None:
        """Take an object that was there before the history began."""
        insort(self._keys, version.key)
        self._live[version.key] = version

    def watch(self, namespace: str, signal: Signal) -> Watcher:
        """Open a channel; it delivers every change from now on."""
        watcher = Watcher(self, namespace, signal)
        self._watchers.setdefault(namespace, {})[watcher] = None
        return watcher

    def forget(self, namespace: str, watcher: Watcher) -> None:
        """Take a channel out; harmless when it is out already."""
        watchers = self._watchers.get(namespace)
        if watchers is not None:
            watchers.pop(watcher, None)
            if not watchers:
                del self._watchers[namespace]

    @property
    def watchers(self) -> int:
        """How many channels are open."""
        return sum(len(watchers) for watchers in self._watchers.values())

    def close(self) -> None:
        """End every watch."""
        for watchers in list(self._watchers.values()):
            for watcher in list(watchers):
                watcher.close()

    def compact(self, revision: int) -> None:
        """Forget the changes up to a revision."""
        del self._log[: bisect_right(self._log, revision, key=_revision)]


class Storage:
    """All tables, and the counter that numbers their writes.

    Args:
        journal: keeps the writes beyond the process; None keeps them in memory only.
        history: how many changes are kept before the oldest half of them is compacted; bytes and minutes are bounded
            too.

    Attributes:
        revision: of the last write.
        compacted: changes up to here are forgotten.
    """

    def __init__(self, journal: Journal | None = None, history: int = 100_000) -> None:
        self.revision = 1
        self.compacted = 0
        self._journal = journal
        self._history = Retention(history)
        self._tables: dict[tuple[str, str], Table] = {}

    def table(self, storage: tuple[str, str]) -> Table:
        """The table of a resource; made when it is first asked for."""
        found = self._tables.get(storage)
        if found is None:
            found = self._tables[storage] = Table(storage, self.revision)
        return found

    def restore(self, storage: tuple[str, str], version: Version) -> None:
        """Take an object of a previous run; before the storage is used."""
        self.table(storage).restore(version)

    def begin_at(self, revision: int) -> None:
        """Count on from a revision; what was before it is forgotten."""
        self.revision = self.compacted = revision
        for table in self._tables.values():
            table.since = revision

    def tables(self) -> Iterator[Table]:
        """Every table."""
        return iter(list(self._tables.values()))

    def drop(self, storage: tuple[str, str]) -> None:
        """Forget a table: its watches end. Its objects must be deleted before."""
        found = self._tables.pop(storage, None)
        if found is not None:
            found.close()

    def write(self, storage: tuple[str, str], namespace: str, name: str, obj: Json) -> Version:
        """Commit an object, new or changed; sets ``metadata.resourceVersion`` in it.

        Raises:
            ObjectTooLarge: it has more than :data:`MAX_OBJECT` bytes, even without its managed fields.
            WriteFailed: the journal could not take it.
        """
        table = self.table(storage)
        previous = table.get(namespace, name)
        revision = self.revision + 1
        obj["metadata"]["resourceVersion"] = str(revision)
        raw = encode_object(obj)
        if len(raw) > MAX_OBJECT and obj["metadata"].pop("managedFields", None):
            raw = encode_object(obj)  # as kube-apiserver, which tries again without them
        if len(raw) > MAX_OBJECT:
            raise ObjectTooLarge
        version = Version(object_key(namespace, name), namespace, revision, raw, obj)
        self._commit(table, LogEntry(ADDED if previous is None else MODIFIED, version, previous, revision))
        return version

    def delete(self, storage: tuple[str, str], namespace: str, name: str, obj: Json | None = None) -> Version:
        """Remove an object; returns its last state, which carries the deletion's revision.

        Args:
            storage: the table.
            namespace: of the object.
            name: of the object, which must be there.
            obj: its last state where that differs from the stored one.

        Raises:
            KeyError: there is no such object.
            WriteFailed: the journal could not take it.
        """
        table = self.table(storage)
        previous = table.get(namespace, name)
        if previous is None:
            raise KeyError(object_key(namespace, name))
        revision = self.revision + 1
        last = previous.copy() if obj is None else obj
        last["metadata"]["resourceVersion"] = str(revision)
        version = Version(previous.key, namespace, revision, encode_object(last), last)
        self._commit(table, LogEntry(DELETED, version, previous, revision))
        return version

    def _commit(self, table: Table, change: LogEntry) -> None:
        if self._journal is not None:
            try:
                self._journal.append(table.storage, change)
            except OSError as error:
                raise WriteFailed(error.strerror or str(error)) from error
        self.revision = change.revision
        if change.previous is not None:
            change.previous.forget_forms()
        size = len(change.version.raw) + (len(change.previous.raw) if change.previous is not None else 0)
        due = self._history.add(change.revision, size)
        table.record(change)
        if due:
            self.compact(due)

    def compact(self, revision: int | None = None) -> int:
        """Forget the history up to a revision (the present one when None); returns the compacted revision."""
        target = self.revision if revision is None else min(revision, self.revision)
        if target > self.compacted:
            self.compacted = target
            for table in self._tables.values():
                table.compact(target)
            self._history.forget(target)
        return self.compacted
