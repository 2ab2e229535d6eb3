"""Watch streams: chunks to lines, lines to events.

Invariant: a line may be of any length and may arrive in any pieces; only whole lines are handed on, and what a broken
connection left half is dropped, so a reader resumes from the last whole event.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from zestor_controller.errors import ApiError
from zestor_controller.objects import Kind

__all__ = ["WatchEvent", "decode_event", "split_lines"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class WatchEvent(Generic[T]):
    """What a server sends on a watch.

    Attributes:
        type: ``ADDED``, ``MODIFIED``, ``DELETED`` or ``BOOKMARK``.
        object: the object; of a BOOKMARK the bare mapping, which holds a resourceVersion only.
        resource_version: the version to resume from after this event.
    """

    type: str
    object: T
    resource_version: str


class _Frame(msgspec.Struct):
    type: str
    object: msgspec.Raw


_decode_frame = msgspec.json.Decoder(_Frame).decode


async def split_lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[list[bytes]]:
    """Whole lines of a stream, as many at a time as have arrived; empty lines are left out."""
    pieces: list[bytes] = []
    async for chunk in chunks:
        head, newline, rest = chunk.partition(b"\n")
        if not newline:
            pieces.append(chunk)  # joined once, when the line ends: a long line must not be copied at each chunk
            continue
        pieces.append(head)
        lines = [b"".join(pieces) if len(pieces) > 1 else head]
        pieces = []
        if rest:
            more = rest.split(b"\n")
            tail = more.pop()
            if tail:
                pieces.append(tail)
            lines += more
        lines = [line for line in lines if line.strip()]
        if lines:
            yield lines


def decode_event(kind: Kind[T], line: bytes) -> WatchEvent[Any]:
    """One event of one line.

    Raises:
        ApiError: the line is an ERROR event; a Gone means that the watch must start from a new list.
    """
    frame = _decode_frame(line)
    body = bytes(frame.object)
    if frame.type == "ERROR":
        raise ApiError.from_status(msgspec.json.decode(body), status=200)
    bare = msgspec.json.decode(body)
    version = str((bare.get("metadata") or {}).get("resourceVersion", ""))
    return WatchEvent(frame.type, bare if frame.type == "BOOKMARK" else kind.decode(body), version)
