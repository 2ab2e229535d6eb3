"""What a storage is made of: versions of objects, and the changes between them.

Invariant: an object is encoded once, when it is written, and a version is never changed after that. Nothing here knows
a kind.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from zestor_controller.apiserver.rest.resource import Resource

__all__ = ["ADDED", "DELETED", "MODIFIED", "LogEntry", "Version", "encode_object", "object_key"]

Json = dict[str, Any]

ADDED = "ADDED"
MODIFIED = "MODIFIED"
DELETED = "DELETED"

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def object_key(namespace: str, name: str) -> str:
    """The key of an object in its table: it sorts as the server's lists are sorted."""
    return f"{namespace}/{name}" if namespace else name


def encode_object(obj: Json) -> bytes:
    """An object as JSON, its kind, apiVersion and metadata first."""
    ordered = {"kind": obj.get("kind"), "apiVersion": obj.get("apiVersion"), "metadata": obj.get("metadata")}
    ordered.update(obj)
    return _encode(ordered)


@dataclass(slots=True, eq=False)
class Version:
    """One version of one object; never changed once it is written.

    Attributes:
        key: of :func:`object_key`.
        namespace: empty for objects of the cluster.
        revision: of the write; for a deleted object's last state, of its deletion.
        raw: the object as JSON, kind and apiVersion first, metadata third.
        served: what other versions of the resource look like, by the Resource that made them.
    """

    key: str
    namespace: str
    revision: int
    raw: bytes
    decoded: Json | None = None
    served: list[tuple[Resource, bytes]] | None = None

    @property
    def obj(self) -> Json:
        """The object, which no reader may change (see :meth:`copy`)."""
        if self.decoded is None:
            self.decoded = _decode(self.raw)
        return self.decoded

    def copy(self) -> Json:
        """A private copy of the object."""
        return _decode(self.raw)  # type: ignore[no-any-return]

    def keep_served(self, resource: Resource, raw: bytes) -> None:
        """Keep what another version of the resource looks like."""
        self.served = [*(self.served or ()), (resource, raw)]

    def forget_forms(self) -> None:
        """Keep the bytes only: history is read as bytes, so the tree of a superseded object is not worth its memory."""
        self.served = None
        self.decoded = None


@dataclass(slots=True, eq=False)
class LogEntry:
    """One entry of the log.

    Attributes:
        type: ADDED, MODIFIED or DELETED.
        version: the object after the write; for DELETED its last state under the deletion's revision.
        previous: the object before the write.
        lines: what watchers send, by form; made once, shared by all.
    """

    type: str
    version: Version
    previous: Version | None
    revision: int
    lines: dict[Any, bytes] = field(default_factory=dict)
