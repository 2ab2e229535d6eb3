"""Files of checksummed records: how they are framed, and what is wrong with one that is damaged.

Invariant: every byte of a file is covered by a checksum, the lengths too, so that no damage is taken for the end of the
file. A last record that is incomplete may be dropped only where the caller says that it was never acknowledged.
"""

from __future__ import annotations

import logging
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from zestor_controller.errors import ConfigError

__all__ = ["MAGIC", "check_magic", "damaged", "framed", "records"]

_log = logging.getLogger(__name__)

MAGIC: Final = 16  # bytes: what the file is, and in the last one the version of its format
_HEAD: Final = struct.Struct(">III")  # length, CRC-32 of the body, CRC-32 of the eight bytes before


def framed(body: bytes) -> bytes:
    """A record as it is in the file."""
    return _head(body) + body


def _head(body: bytes) -> bytes:
    start = _HEAD.pack(len(body), zlib.crc32(body), 0)[:8]
    return start + zlib.crc32(start).to_bytes(4, "big")


def damaged(path: Path, at: int, why: str) -> ConfigError:
    """The error for a file that cannot be trusted; it is left as it is."""
    return ConfigError(
        f"{path}: is damaged at byte {at}: {why}; nothing was changed: restore the folder from a copy, or name another "
        "with --data"
    )


def check_magic(path: Path, data: bytes, magic: bytes) -> None:
    """Refuse a file of another program, or of another version of this one.

    Raises:
        ConfigError: it begins with other bytes than `magic`.
    """
    found = data[:MAGIC]
    if found == magic:
        return
    if found[:-1] == magic[:-1]:
        raise ConfigError(
            f"{path}: has format {found[-1]} where this version of zestor writes {magic[-1]}; use the version that "
            "wrote it, or name another --data folder"
        )
    if _is_first_format(data):
        raise ConfigError(
            f"{path}: was written by an earlier version of zestor, whose format did not protect it from damage; use "
            "that version to copy the objects, or name another --data folder"
        )
    raise ConfigError(
        f"{path}: does not begin as a file of zestor does: it is damaged at byte 0 or belongs to another program; it "
        "was not changed: name another --data folder"
    )


def _is_first_format(data: bytes) -> bool:
    """Whether a file begins with a record of the format that had no magic: length, CRC-32 and body."""
    body = data[8 : 8 + int.from_bytes(data[:4], "big")]
    return len(body) > 0 and zlib.crc32(body) == int.from_bytes(data[4:8], "big")


def records(path: Path, data: bytes, start: int, committed: int) -> Iterator[tuple[int, bytes]]:
    """The records of a file, each with the offset of its end.

    Args:
        path: the file, for messages.
        data: what is in it.
        start: where the first record begins.
        committed: up to here everything was acknowledged. What follows may be one incomplete record, which is dropped
            and logged.

    Raises:
        ConfigError: there is damage.
    """
    at = start
    while at < len(data):
        head = data[at : at + _HEAD.size]
        length, body_sum, head_sum = _HEAD.unpack(head) if len(head) == _HEAD.size else (len(data), 0, None)
        if head_sum is not None and zlib.crc32(head[:8]) != head_sum:
            raise damaged(path, at, "the checksum of a record's length is wrong")
        end = at + _HEAD.size + length
        if end > len(data):
            if at < committed:
                raise damaged(path, at, "a record that was acknowledged ends with the file")
            _log.warning("%s: the last write was cut short before it was acknowledged, and is dropped", path)
            return
        body = data[at + _HEAD.size : end]
        if zlib.crc32(body) != body_sum:
            raise damaged(path, at, "the checksum of a record is wrong")
        yield end, body
        at = end
    if at < committed:
        raise damaged(path, at, f"{committed - at} bytes that were acknowledged are missing")
