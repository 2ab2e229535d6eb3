"""The graph of owners and dependents that the garbage collector works on; it reads and writes no cluster.

Invariant: an edge is known as soon as its dependent is, whichever of the two objects is seen first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from zestor_controller.objects import Kind

__all__ = ["FOREGROUND", "ORPHAN", "Node", "ObjectMetadata", "OwnerGraph", "OwnerLink", "decode_metadata"]

FOREGROUND: Final = "foregroundDeletion"
ORPHAN: Final = "orphan"


class OwnerLink(msgspec.Struct):
    """A reference to an owner."""

    uid: str
    apiVersion: str
    kind: str
    name: str
    blockOwnerDeletion: bool = False


class ObjectMetadata(msgspec.Struct):
    """The metadata that garbage collection depends on."""

    name: str
    uid: str
    namespace: str = ""
    deletionTimestamp: str | None = None
    ownerReferences: list[OwnerLink] | None = None
    finalizers: list[str] | None = None


class _Object(msgspec.Struct):
    metadata: ObjectMetadata


_decoder = msgspec.json.Decoder(_Object)


def decode_metadata(body: bytes) -> ObjectMetadata:
    """The metadata of an object that is encoded as JSON."""
    return _decoder.decode(body).metadata


@dataclass(slots=True)
class Node:
    """An object that exists, as the graph knows it."""

    kind: Kind[Any]
    meta: ObjectMetadata
    dependents: set[str] = field(default_factory=set)

    @property
    def owners(self) -> list[OwnerLink]:
        """Its owner references."""
        return self.meta.ownerReferences or []

    @property
    def finalizers(self) -> list[str]:
        """Its finalizers."""
        return self.meta.finalizers or []


class OwnerGraph:
    """Objects by uid, with the uids of their dependents.

    A change returns the uids whose garbage collection it may affect, in a stable order.
    """

    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}
        # The dependents of owners that are not known (yet, or any more).
        self._waiting: dict[str, set[str]] = {}

    def get(self, uid: str) -> Node | None:
        """An object that exists; None for any other."""
        return self._nodes.get(uid)

    def put(self, kind: Kind[Any], meta: ObjectMetadata) -> list[str]:
        """Add an object, or replace what is known of it."""
        known = self._nodes.get(meta.uid)
        node = self._nodes[meta.uid] = Node(kind, meta)
        before = {owner.uid for owner in known.owners} if known is not None else set()
        node.dependents = known.dependents if known is not None else self._waiting.pop(meta.uid, set())
        now = {owner.uid for owner in node.owners}
        for uid in before - now:
            self._dependents(uid).discard(meta.uid)
        for uid in now:
            self._dependents(uid).add(meta.uid)
        affected = []
        if now or (meta.deletionTimestamp and {FOREGROUND, ORPHAN} & set(node.finalizers)):
            affected.append(meta.uid)
        return affected + [uid for uid in sorted(before | now) if self._is_terminating(uid)]

    def remove(self, uid: str) -> list[str]:
        """Remove an object that no longer exists; its dependents wait for its return or their own deletion."""
        node = self._nodes.pop(uid, None)
        if node is None:
            return []
        if node.dependents:
            self._waiting[uid] = node.dependents
        for owner in node.owners:
            self._dependents(owner.uid).discard(uid)
        return sorted(node.dependents) + [owner.uid for owner in node.owners if self._is_terminating(owner.uid)]

    def _is_terminating(self, uid: str) -> bool:
        node = self._nodes.get(uid)
        return node is not None and bool(node.meta.deletionTimestamp)

    def _dependents(self, uid: str) -> set[str]:
        node = self._nodes.get(uid)
        return node.dependents if node is not None else self._waiting.setdefault(uid, set())
