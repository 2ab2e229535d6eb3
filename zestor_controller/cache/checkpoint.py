"""What a reflector has read, on disk: a restart resumes the watch where it was and reads no list.

Invariants: a file is whole and meant for exactly this stream (server, kind, selection), or it is not used; its version
and its objects belong together, for it is written only while the stream is live. What it holds is served once the
stream has reached the version that the server had at the start. An expired version (410) is a relist, as after any
other pause. Secrets are never written. Files are readable by their owner alone.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from zestor_controller.cache.record import Record

__all__ = ["NEVER", "Checkpoint"]

_log = logging.getLogger(__name__)

FORMAT: Final = 1
NEVER: Final = frozenset({"secrets"})
SLICE: Final = 200  # records that are encoded at once: no more than a few milliseconds (C8)

Row = tuple[str, str, int | str, bytes, bool]


class _Head(msgspec.Struct, array_like=True):
    format: int
    stream: tuple[str, ...]
    version: str


_encode = msgspec.msgpack.Encoder().encode
_decode_head = msgspec.msgpack.Decoder(_Head).decode
_decode_rows = msgspec.msgpack.Decoder(list[Row]).decode


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
        self._saved = ""

    def load(self) -> tuple[str, list[tuple[str, Record]]] | None:
        """The version and the objects; None when there is nothing that can be used, which is told in the log."""
        try:
            data = self._path.read_bytes()
            body = data[4:]
            if zlib.crc32(body) != int.from_bytes(data[:4], "big"):
                raise ValueError("its checksum is wrong")
            head, *slices = _parts(body)
            found = _decode_head(head)
            if found.format != FORMAT or found.stream != self._stream:
                raise ValueError("it is of another version or another stream")
            rows = [row for part in slices for row in _decode_rows(part)]
        except FileNotFoundError:
            return None
        except (OSError, ValueError, msgspec.DecodeError) as error:
            _log.warning("%s is not used: %s", self._path, error)
            return None
        return found.version, [(name, Record(uid, at, raw, wrapped)) for name, uid, at, raw, wrapped in rows]

    def remove(self) -> None:
        """Delete the file: what it holds is of a history that the server no longer has."""
        self._saved = ""
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            _log.error("the checkpoint %s is out of date and cannot be removed, remove it: %s", self._path, error)

    async def save(self, version: str, items: Sequence[tuple[str, Record]]) -> None:
        """Write the file in the old one's place, letting the loop breathe; nothing when the version is the same.

        A failure is told in the log and leaves the old file.
        """
        if version == self._saved:
            return
        new = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:  # noqa: ASYNC230
                file.write(bytes(4))
                part = _framed(_encode(_Head(FORMAT, self._stream, version)))
                checksum = zlib.crc32(part)
                file.write(part)
                for at in range(0, len(items), SLICE):
                    rows = [(name, r.uid, r.version, r.raw, r.wrapped) for name, r in items[at : at + SLICE]]
                    part = _framed(_encode(rows))
                    checksum = zlib.crc32(part, checksum)
                    file.write(part)
                    await asyncio.sleep(0)
                file.seek(0)
                file.write(checksum.to_bytes(4, "big"))
            new.replace(self._path)
            self._saved = version
        except OSError as error:
            _log.warning("the checkpoint %s could not be written: %s", self._path, error)


def _framed(part: bytes) -> bytes:
    return len(part).to_bytes(4, "big") + part


def _parts(body: bytes) -> list[bytes]:
    """What was framed; the checksum has vouched for the lengths."""
    parts, at = [], 0
    while at < len(body):
        end = at + 4 + int.from_bytes(body[at : at + 4], "big")
        parts.append(body[at + 4 : end])
        at = end
    return parts
