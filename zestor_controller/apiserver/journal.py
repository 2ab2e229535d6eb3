"""The objects of a server on disk: a snapshot, and every change since, written down before it is acknowledged (A4).

What always holds: a change is in the file when its write is answered, so ``kill -9`` loses nothing that was
acknowledged; a record that was being written when the process ended was not, and is cut off. Damage anywhere else is
refused and named, never skipped. It is the process that may die, not the machine: nothing is forced through the disk's
caches.

History is not kept: a server that comes back knows the objects and their versions, and answers 410 to a watch from an
older one, as after a compaction.
"""

from __future__ import annotations

import logging
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from zestor_controller.apiserver.storage import DELETED, Change, Storage, Version
from zestor_controller.errors import ConfigError

try:
    import fcntl
except ImportError:  # no such locks on this platform
    fcntl = None  # type: ignore[assignment]

__all__ = ["FileJournal"]

_log = logging.getLogger(__name__)

FORMAT: Final = 1
HEAD: Final = 8  # length and CRC-32, big-endian
LEAST_BEFORE_SNAPSHOT: Final = 64 << 20


class _Head(msgspec.Struct, array_like=True):
    """The first record of a snapshot."""

    format: int
    revision: int


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
        folder: made if it is not there; readable by its owner alone.

    Raises:
        ConfigError: it cannot be used, another server uses it, or what is in it is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._storage: Storage | None = None
        self._snapshot_size = 0
        self._size = 0
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
            self._file = os.open(folder / "journal", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise ConfigError(f"--data {folder}: {error.strerror or error}") from error
        if fcntl is not None:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                self.close()
                raise ConfigError(f"--data {folder}: another server uses it; stop that one, or name another") from error

    def restore(self, storage: Storage) -> None:
        """Fill a storage with what is here, and keep it from now on.

        Raises:
            ConfigError: what is here is damaged.
        """
        revision, live = self._read()
        for record in live.values():
            version = Version(record.key, record.namespace, record.revision, record.raw)
            storage.restore((record.group, record.plural), version)
        storage.begin_at(revision)
        self._storage = storage
        self._write_snapshot()

    def append(self, storage: tuple[str, str], change: Change) -> None:
        """See :class:`~zestor_controller.apiserver.storage.Journal`.

        Raises:
            OSError: it could not be written; the file is as it was before.
        """
        version = change.version
        record = _Record(change.type, *storage, version.namespace, version.key, change.revision, version.raw)
        framed = _framed(_encode(record))
        try:
            self._put(framed)
        except OSError:
            os.ftruncate(self._file, self._size)
            os.lseek(self._file, self._size, os.SEEK_SET)
            raise
        self._size += len(framed)
        if self._size > max(LEAST_BEFORE_SNAPSHOT, 2 * self._snapshot_size):
            try:
                # The storage does not have this change yet, and so the snapshot has not: it begins the new journal.
                self._write_snapshot(framed)
            except OSError as error:
                # The change is in the journal, so its write has succeeded; it must not fail for the snapshot's sake.
                _log.warning("%s: no snapshot could be written, the journal goes on growing: %s", self._folder, error)
                self._snapshot_size = self._size  # try again when it has doubled

    def close(self) -> None:
        """Give the folder back."""
        for file in (self._file, self._lock):
            os.close(file)

    def _put(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._file, view) :]

    # Reading

    def _read(self) -> tuple[int, dict[tuple[str, str, str], _Record]]:
        revision, live = 0, {}
        snapshot = self._folder / "snapshot"
        if snapshot.exists():
            records = self._records(snapshot, cut=False)
            head = _decode_head(next(records, b"\x92\x00\x00"))
            if head.format != FORMAT:
                raise ConfigError(f"{snapshot}: is of another version of this program; name another --data folder")
            revision = head.revision
            for record in map(_decode_record, records):
                live[record.group, record.plural, record.key] = record
        for record in map(_decode_record, self._records(self._folder / "journal", cut=True)):
            if record.revision <= revision:
                continue  # in the snapshot already: the process ended between writing that and emptying this
            revision = record.revision
            if record.type == DELETED:
                live.pop((record.group, record.plural, record.key), None)
            else:
                live[record.group, record.plural, record.key] = record
        return max(revision, 1), live

    def _records(self, path: Path, *, cut: bool) -> Iterator[bytes]:
        """The records of a file; a last one that is not whole is cut off where that may be."""
        data = memoryview(path.read_bytes())
        at = 0
        while at < len(data):
            length = int.from_bytes(data[at : at + 4], "big")
            body = data[at + HEAD : at + HEAD + length]
            whole = len(data) - at >= HEAD and len(body) == length
            if not whole and cut:
                _log.warning(
                    "%s: the last change was not written whole, and was not acknowledged; it is left out", path
                )
                return
            if not whole or zlib.crc32(body) != int.from_bytes(data[at + 4 : at + HEAD], "big"):
                raise ConfigError(
                    f"{path}: is damaged at byte {at}; take the folder from a copy, name another with --data, or cut "
                    "the file there and lose what follows"
                )
            yield bytes(body)
            at += HEAD + length

    # Writing

    def _write_snapshot(self, later: bytes = b"") -> None:
        """Write the live objects to a new file, put it in the old one's place, and empty the journal."""
        assert self._storage is not None
        path, new = self._folder / "snapshot", self._folder / "snapshot.new"
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(_framed(_encode(_Head(FORMAT, self._storage.revision))))
            for table in self._storage.tables():
                for version in table.versions():
                    record = _Record("", *table.storage, version.namespace, version.key, version.revision, version.raw)
                    file.write(_framed(_encode(record)))
            self._snapshot_size = file.tell()
        new.replace(path)
        os.ftruncate(self._file, 0)
        os.lseek(self._file, 0, os.SEEK_SET)
        self._size = len(later)
        self._put(later)


def _framed(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + zlib.crc32(body).to_bytes(4, "big") + body
