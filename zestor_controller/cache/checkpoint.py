"""What a reflector has read, on disk: a restart resumes the watch where it was and reads no list.

Invariants: a file is whole and meant for exactly this stream (server, kind, selection), or it is not used; its version
and its objects belong together, for it is written only while the stream is live. What it holds is served once the
server goes on from its version: with the first line of the watch, or when it has not refused it for a second. An
expired version (410) is a relist, as after any other pause. Secrets are never written. Files are readable by their
owner alone.
"""

from __future__ import annotations

import hashlib
import logging
import os
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from zestor_controller.cache.decode import Record

__all__ = ["NEVER", "Checkpoint"]

_log = logging.getLogger(__name__)

FORMAT: Final = 1
NEVER: Final = frozenset({"secrets"})


class _Content(msgspec.Struct, array_like=True):
    format: int
    stream: tuple[str, ...]
    version: str
    records: list[tuple[str, str, int | str, bytes, bool]]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Content).decode


class Checkpoint:
    """The file of one stream.

    Args:
        folder: where; made if it is not there.
        stream: what tells the stream from every other: the server, the kind, the namespace, the selection.
    """

    def __init__(self, folder: Path, stream: tuple[str, ...]) -> None:
        self._stream = stream
        name = hashlib.sha256("\0".join(stream).encode()).hexdigest()[:24]
        self._path = folder / f"{name}.checkpoint"

    def load(self) -> tuple[str, list[tuple[str, Record]]] | None:
        """The version and the objects; None when there is nothing that can be used, which is told in the log."""
        try:
            data = self._path.read_bytes()
            body = data[4:]
            if zlib.crc32(body) != int.from_bytes(data[:4], "big"):
                raise ValueError("its checksum is wrong")
            content = _decode(body)
            if content.format != FORMAT or content.stream != self._stream:
                raise ValueError("it is of another version or another stream")
        except FileNotFoundError:
            return None
        except (OSError, ValueError, msgspec.DecodeError) as error:
            _log.warning("%s is not used: %s", self._path, error)
            return None
        found = [(name, Record(uid, at, raw, wrapped)) for name, uid, at, raw, wrapped in content.records]
        return content.version, found

    def save(self, version: str, items: Iterable[tuple[str, Record]]) -> None:
        """Write the file in the old one's place; a failure is told in the log and leaves the old one."""
        records = [(name, r.uid, r.version, r.raw, r.wrapped) for name, r in items]
        body = _encode(_Content(FORMAT, self._stream, version, records))
        new = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(zlib.crc32(body).to_bytes(4, "big") + body)
            new.replace(self._path)
        except OSError as error:
            _log.warning("the checkpoint %s could not be written: %s", self._path, error)
