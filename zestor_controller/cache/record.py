"""From a raw line of a watch, or a raw page of a list, to the few fields a cache needs; the bytes are kept.

Invariant: nothing here builds an object. A :class:`Record` holds the identity and the JSON as it came; the object is
decoded by :class:`RecordCodec` when somebody asks for it, anew each time, so no reader can corrupt the cache.
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Mapping
from typing import Any, Final, Generic, TypeVar

import msgspec

try:
    import zstandard
except ImportError:  # the extra `compact` is not installed: zlib does it, slower
    zstandard = None  # type: ignore[assignment, unused-ignore]

from zestor_controller.errors import InvalidObject
from zestor_controller.objects import Kind

__all__ = [
    "Line",
    "Record",
    "RecordCodec",
    "compressed",
    "decode_line",
    "decode_object",
    "is_news",
    "labels_of",
    "name_of",
    "version_of",
    "version_text",
]

T = TypeVar("T")

EPOCH: Final = 1 << 128
"""Added to versions once a server was restored, so that every one of them is newer than those before (C2)."""


class _Meta(msgspec.Struct, gc=False):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    resourceVersion: str = ""

    def key(self) -> str:
        """The name in the cache."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


class _Object(msgspec.Struct, gc=False):
    metadata: _Meta = msgspec.field(default_factory=_Meta)
    kind: str | None = ""


class Line(msgspec.Struct, gc=False):
    """One line of a watch: the event's type and its object's identity."""

    type: str
    object: _Object


class _Wrapped(msgspec.Struct, gc=False):
    object: msgspec.Raw


class _Labelled(msgspec.Struct, gc=False):
    labels: dict[str, str] | None = None


class _LabelledObject(msgspec.Struct, gc=False):
    metadata: _Labelled


class Record(msgspec.Struct, gc=False, frozen=True):
    """A cached object: what tells it from others, and its JSON.

    ``gc=False``: a record refers to no container, so the collector need not walk a cache of a million of them.

    Attributes:
        uid: the object's uid.
        version: its resourceVersion as a number, plus :data:`EPOCH` for each time the server was restored; the text
            itself where a server's versions are no numbers.
        raw: the JSON of the object, or of the whole watch line that brought it; plain, or compressed by
            :func:`compressed`.
        wrapped: `raw` is a watch line: the object is its ``object``.
    """

    uid: str
    version: int | str
    raw: bytes
    wrapped: bool

    def body(self) -> bytes:
        """The object's JSON."""
        raw = self.raw if self.raw[:1] == b"{" else _decompressed(self.raw)
        return bytes(_decode_wrapped(raw).object) if self.wrapped else raw


decode_line = msgspec.json.Decoder(Line).decode
decode_object = msgspec.json.Decoder(_Object).decode
_decode_wrapped = msgspec.json.Decoder(_Wrapped).decode
_decode_labels = msgspec.json.Decoder(_LabelledObject).decode


_ZLIB: Final = b"\x78"


def compressed(raw: bytes) -> bytes:
    """JSON for a :class:`Record`, compressed: by zstd where the extra ``compact`` is installed, else by zlib.

    The first byte tells the two from each other and from plain JSON.
    """
    small = zlib.compress(raw, 1) if zstandard is None else _zstd.compressor.compress(raw)
    # What it answers was shrunk in place and leaves a hole behind it in the heap; a copy leaves none.
    return bytes(bytearray(small))


def _decompressed(raw: bytes) -> bytes:
    if raw[:1] == _ZLIB:
        return zlib.decompress(raw)
    return _zstd.decompressor.decompress(raw)


class _Zstd(threading.local):
    """One of each for every thread: neither may serve two at once, and caches are read from many."""

    def __init__(self) -> None:
        if zstandard is not None:
            self.compressor = zstandard.ZstdCompressor(level=1)
            self.decompressor = zstandard.ZstdDecompressor()


_zstd: Final = _Zstd()


def labels_of(record: Record) -> Mapping[str, str]:
    """The object's labels, decoded now."""
    return _decode_labels(record.body()).metadata.labels or {}


def name_of(body: bytes) -> str:
    """The name in the cache of an object: ``namespace/name``, or ``name``."""
    return decode_object(body).metadata.key()


def is_news(held: Record | None, record: Record) -> bool:
    """Whether an event of a stream says something newer than what is held under its name (C2)."""
    if held is None:
        return True
    before, after = held.version, record.version
    if isinstance(before, int) and isinstance(after, int) and before != after:
        return after > before
    return before != after or held.uid != record.uid


def version_text(version: int | str) -> str:
    """The resourceVersion that a record's version stands for."""
    return str(version % EPOCH) if isinstance(version, int) else version


def version_of(text: str) -> int | str:
    """A resourceVersion as a number where it is well formed, else the text (comparable for equality only).

    Source: KEP-5504: a decimal string without leading zeros.
    """
    return int(text) if text.isdecimal() and text.isascii() and (text[0] != "0" or text == "0") else text


class RecordCodec(Generic[T]):
    """How a store's kind keeps an informer's objects: as records, decoded at each access.

    Attributes:
        refused: the records that the model refused when somebody read them, by name; they may be out of date.
    """

    def __init__(self, kind: Kind[T]) -> None:
        self._kind = kind
        self.refused: dict[str, Record] = {}

    def encode(self, value: T) -> Record:
        """A record of an object that did not come from a stream; the overlay keeps written objects so."""
        body: dict[str, Any] = self._kind.encode(value)
        meta = body.get("metadata") or {}
        return Record(
            str(meta.get("uid", "")),
            version_of(str(meta.get("resourceVersion", ""))),
            msgspec.json.encode(body),
            False,
        )

    def decode(self, stored: Record) -> T:
        """A private copy of the object.

        Raises:
            InvalidObject: the model refuses the object; ``raw`` holds its JSON.
        """
        body = stored.body()
        try:
            return self._kind.decode(body)
        except Exception as error:  # a user's validator may raise anything; the cache must live on (C10)
            self.refused[name_of(body)] = stored
            raise InvalidObject(
                f"{self._kind.store_name}: object {stored.uid or '(no uid)'} is not a valid {self._kind.kind}: {error}",
                kind=self._kind.store_name,
                raw=body,
            ) from error

    def same(self, old: Record, new: Record) -> bool:
        """The same version of the same object. That nothing goes backwards is decided by who writes (C2)."""
        return old.version == new.version and old.uid == new.uid

    def replaced(self, old: Record, new: Record) -> bool:
        """The name now belongs to another object."""
        return old.uid != new.uid
