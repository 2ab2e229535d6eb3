"""The objects of a server on disk: a snapshot, and a journal of every change since (A4).

Invariants: a change is in the journal, and the journal's head counts it, before its write is acknowledged, so that
``kill -9`` loses nothing. The head holds exactly how much was acknowledged: anything less, or any damage, is refused
and named, and the files are left as they are; only what follows it may be cut off. It is the process that may die, not
the machine: nothing is forced through the disk's caches.

A disk that is full does not keep a server from starting: it serves what it has, and its writes fail until there is
space.

History is not kept: a server that comes back knows the objects and their versions, and returns 410 to a watch from an
older one, as after a compaction.
"""

from __future__ import annotations

import contextlib
import logging
import os
import struct
import zlib
from pathlib import Path
from typing import Final

import msgspec

from zestor_controller.apiserver.storage.recordfile import MAGIC, check_magic, damaged, framed, records
from zestor_controller.apiserver.storage.revisionlog import DELETED, LogEntry, Storage, Version
from zestor_controller.errors import ConfigError

try:
    import fcntl
except ImportError:  # no such locks on this platform
    fcntl = None  # type: ignore[assignment]

__all__ = ["FileJournal"]

_log = logging.getLogger(__name__)

JOURNAL: Final = b"zestor journal \x02"
SNAPSHOT: Final = b"zestor snapshot\x02"
LEAST_BEFORE_SNAPSHOT: Final = 64 << 20
_COUNTED: Final = struct.Struct(">QQ")  # revision of the snapshot that the journal goes on from, bytes acknowledged
_START: Final = MAGIC + _COUNTED.size + 4

_Key = tuple[str, str, str]


class _Head(msgspec.Struct, array_like=True):
    """The first record of a snapshot."""

    revision: int
    objects: int


class _Record(msgspec.Struct, array_like=True):
    """One change; in a snapshot, one object."""

    type: str
    group: str
    plural: str
    namespace: str
    key: str
    revision: int
    raw: bytes


_encode = msgspec.msgpack.Encoder().encode
_decode_record = msgspec.msgpack.Decoder(_Record).decode
_decode_head = msgspec.msgpack.Decoder(_Head).decode


class FileJournal:
    """Keeps a storage in a folder.

    Args:
        folder: made if it does not exist; readable by its owner alone.

    Raises:
        ConfigError: it cannot be used, or another server uses it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / "journal"
        self._storage: Storage | None = None
        self._base = 0  # revision of the snapshot before this journal
        self._size = 0  # bytes acknowledged
        self._snapshot_size = 0
        self._file = -1
        self._broken = ""
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise ConfigError(f"--data {folder}: {error.strerror or error}") from error
        if fcntl is not None:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                self.close()
                raise ConfigError(f"--data {folder}: another server uses it; stop that one, or name another") from error

    def restore(self, storage: Storage) -> None:
        """Fill a storage with what is in the folder, and keep it from now on.

        Raises:
            ConfigError: the files are damaged or not ours, or a new folder cannot be written.
        """
        try:
            snapshot_revision, live = self._read_snapshot()
            revision = self._read_journal(snapshot_revision, live)
        except OSError as error:
            raise ConfigError(f"--data {self._folder}: {error.strerror or error}") from error
        for record in live.values():
            version = Version(record.key, record.namespace, record.revision, record.raw)
            storage.restore((record.group, record.plural), version)
        storage.begin_at(revision)
        self._storage = storage
        try:
            if self._file < 0:
                self._begin_journal(0)  # before the first snapshot: one without a journal is always damage
            self._write_snapshot()
        except OSError as error:
            if self._base == 0:
                why = error.strerror or str(error)
                raise ConfigError(f"--data {self._folder}: a new folder cannot be written: {why}") from error
            _log.warning("%s: no snapshot can be written, and writes may fail: %s", self._folder, error)

    def append(self, storage: tuple[str, str], change: LogEntry) -> None:
        """See :class:`~zestor_controller.apiserver.storage.revisionlog.Journal`.

        Raises:
            OSError: it could not be written; the file is as it was before.
        """
        if self._broken:
            raise OSError(self._broken)
        version = change.version
        record = _Record(change.type, *storage, version.namespace, version.key, change.revision, version.raw)
        data = framed(_encode(record))
        written = False
        try:
            _put(self._file, data, self._size)
            written = True
            _put(self._file, self._head(self._size + len(data)), 0)
        except OSError as error:
            self._cut(head=written)
            error.filename = str(self._path)
            raise
        self._size += len(data)
        if self._size > max(LEAST_BEFORE_SNAPSHOT, 2 * self._snapshot_size):
            try:
                # The storage does not have this change yet, and so the snapshot has not: it begins the new journal.
                self._write_snapshot(data)
            except OSError as error:
                # The change is in the journal, so its write has succeeded; it must not fail for the snapshot's sake.
                _log.warning("%s: no snapshot could be written, the journal goes on growing: %s", self._folder, error)
                self._snapshot_size = self._size  # try again when it has doubled

    def close(self) -> None:
        """Release the folder; harmless when it is released already."""
        for file in (self._file, self._lock):
            if file >= 0:
                os.close(file)
        self._file = self._lock = -1

    def _head(self, size: int) -> bytes:
        counted = JOURNAL + _COUNTED.pack(self._base, size)
        return counted + zlib.crc32(counted).to_bytes(4, "big")

    def _cut(self, *, head: bool = False) -> None:
        """Cut off what follows the last acknowledged record; with `head`, count again only what was acknowledged."""
        try:
            if head:
                _put(self._file, self._head(self._size), 0)
            os.ftruncate(self._file, self._size)
        except OSError as error:
            self._broken = f"what a failed write left cannot be cut off ({error}); restart the server"
            _log.error("%s: %s", self._path, self._broken)

    # Reading

    def _read_snapshot(self) -> tuple[int, dict[_Key, _Record]]:
        """The revision and the objects of the snapshot; revision 0 when there is none."""
        path = self._folder / "snapshot"
        if not path.exists():
            return 0, {}
        data = path.read_bytes()
        check_magic(path, data, SNAPSHOT)
        head: _Head | None = None
        live: dict[_Key, _Record] = {}
        start = MAGIC
        for end, body in records(path, data, MAGIC, len(data)):
            try:
                if head is None:
                    head = _decode_head(body)
                else:
                    record = _decode_record(body)
                    live[record.group, record.plural, record.key] = record
            except msgspec.MsgspecError as error:
                raise damaged(path, start, str(error)) from error
            start = end
        if head is None or head.objects != len(live):
            raise damaged(path, len(data), f"it ends after {len(live)} objects, before its last")
        return head.revision, live

    def _read_journal(self, snapshot_revision: int, live: dict[_Key, _Record]) -> int:
        """Apply the journal to the objects of the snapshot, and open it; returns the last revision."""
        path = self._path
        if not path.exists():
            if snapshot_revision:
                raise damaged(path, 0, "it is missing")
            return 1
        data = path.read_bytes()
        check_magic(path, data, JOURNAL)
        counted = data[:_START]
        if len(counted) < _START or zlib.crc32(counted[:-4]) != int.from_bytes(counted[-4:], "big"):
            raise damaged(path, MAGIC, "the checksum of its head is wrong")
        base, committed = _COUNTED.unpack_from(counted, MAGIC)
        if base > snapshot_revision:
            state = "older than the journal" if snapshot_revision else "missing, and the journal goes on from it"
            raise damaged(self._folder / "snapshot", 0, f"it is {state}")
        revision, start = max(snapshot_revision, 1), _START
        for end, body in records(path, data, _START, committed):
            try:
                record = _decode_record(body)
            except msgspec.MsgspecError as error:
                raise damaged(path, start, str(error)) from error
            start = end
            if record.revision <= revision:
                continue  # in the snapshot already: the process ended between writing that and a new journal
            revision = record.revision
            if record.type == DELETED:
                live.pop((record.group, record.plural, record.key), None)
            else:
                live[record.group, record.plural, record.key] = record
        self._base = base
        self._size = start
        self._file = os.open(path, os.O_RDWR)
        if start < len(data):
            self._cut()
        return revision

    # Writing

    def _write_snapshot(self, later: bytes = b"") -> None:
        """Write the live objects to a new snapshot, then begin a new journal, each in the old one's place."""
        storage = self._storage
        assert storage is not None
        head = _Head(storage.revision, sum(len(table) for table in storage.tables()))
        new = self._folder / "snapshot.new"
        try:
            with open(_created(new), "wb") as file:
                file.write(SNAPSHOT + framed(_encode(head)))
                for table in storage.tables():
                    for live in table.versions():
                        record = _Record("", *table.storage, live.namespace, live.key, live.revision, live.raw)
                        file.write(framed(_encode(record)))
                snapshot_size = file.tell()
            new.replace(self._folder / "snapshot")
        except OSError:
            _discard(new)
            raise
        self._begin_journal(storage.revision, later)
        self._snapshot_size = snapshot_size

    def _begin_journal(self, base: int, later: bytes = b"") -> None:
        old_base, old_file = self._base, self._file
        new = self._folder / "journal.new"
        file = _created(new)
        try:
            self._base = base
            _put(file, self._head(_START + len(later)) + later, 0)
            new.replace(self._path)
        except OSError:
            # The old journal goes on: what the new snapshot has of it is skipped by its revision.
            self._base = old_base
            os.close(file)
            _discard(new)
            raise
        self._file, self._size = file, _START + len(later)
        if old_file >= 0:
            os.close(old_file)


def _discard(path: Path) -> None:
    """Remove what could not be finished: on a full disk its space is needed."""
    with contextlib.suppress(OSError):
        path.unlink()


def _created(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)


def _put(file: int, data: bytes, at: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(file, view, at)
        view, at = view[written:], at + written
