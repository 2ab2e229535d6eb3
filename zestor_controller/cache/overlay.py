"""Read your own writes: what this process has written, kept in the cache before the watch brings it (C9).

How it works: the response to a write is applied to the kind's content at once, as the watch would apply it, and its
event is published at once. So readers, indexes and watchers always see one content, and whatever the stream or a list
says later is compared with what was really shown: an object that has gone meanwhile, or never came, is an ordinary
DELETE for its owner. The watch's own event of the write then changes nothing.

What has to be remembered until the stream has passed a write is little: the version of a written object, for a list
that is older than the write must not take it away; and the uid of a deleted object, for earlier events of it must not
bring it back. Invariant: each write, and each event of the stream, costs the same however many writes are pending.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import msgspec

from zestor_controller.cache.record import Record
from zestor_controller.store import EncodedKind, EncodedStage, Tombstone

__all__ = ["Overlay", "Written", "decode_written"]


class _WrittenMeta(msgspec.Struct, gc=False):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    resourceVersion: str = ""
    deletionTimestamp: str | None = None
    deletionGracePeriodSeconds: int | None = None
    finalizers: list[str] | None = None


class _WrittenSpec(msgspec.Struct, gc=False):
    finalizers: list[str] | None = None


class _Details(msgspec.Struct, gc=False):
    uid: str = ""


class Written(msgspec.Struct, gc=False):
    """The response to a write, as far as the cache needs to understand it: an object, a Status or a list."""

    apiVersion: str = ""
    kind: str = ""
    metadata: _WrittenMeta = msgspec.field(default_factory=_WrittenMeta)
    spec: msgspec.Raw = msgspec.Raw(b"{}")
    details: _Details | None = None
    items: list[msgspec.Raw] | None = None

    def gone(self, method: str) -> bool:
        """Whether the object no longer exists, now that this response to `method` has been given.

        A deletion that waits for finalizers or for a grace period has set deletionTimestamp. An object that has one,
        and nothing left to wait for, is removed by the write that took away the last finalizer, or ended the grace
        period. Namespaces hold their finalizers in the spec.
        """
        meta = self.metadata
        if meta.deletionTimestamp is None:
            return method == "DELETE"
        return not (meta.finalizers or meta.deletionGracePeriodSeconds or self._held_by_spec())

    def _held_by_spec(self) -> bool:
        try:
            return bool(_decode_spec(self.spec).finalizers)
        except msgspec.DecodeError:  # a spec of some other form, or none
            return False


decode_written = msgspec.json.Decoder(Written).decode
_decode_spec = msgspec.json.Decoder(_WrittenSpec).decode


@dataclass(frozen=True, slots=True)
class _Removed:
    """A deletion of this process that the stream has not brought yet.

    Attributes:
        uid: of which object.
        version: the newest version at which the object is known to have existed: what bore the name at an older one
            came before it, what bears it at a newer one came after it.
    """

    uid: str
    version: int


class Overlay:
    """This process's writes to what one stream keeps, until the stream has passed them.

    Args:
        target: the kind's writer side in the store.
    """

    def __init__(self, target: EncodedKind[Record]) -> None:
        self._target = target
        self._written: dict[str, int] = {}
        self._order: deque[tuple[int, str]] = deque()  # what was written, oldest first, to be forgotten in turn
        self._removed: dict[str, _Removed] = {}
        self._swapping = False
        self._late: set[str] = set()

    def __len__(self) -> int:
        """How many writes are pending."""
        return len(self._written) + len(self._removed)

    def wrote(self, name: str, record: Record, seen: int | str) -> None:
        """Take in an object as the server returned it.

        Args:
            name: its name in the cache.
            record: the object.
            seen: the last version that the stream has brought; what it has passed is known already.
        """
        # Versions that are no numbers cannot tell whether the stream has passed them: better late than wrong.
        if not isinstance(record.version, int) or not _ahead(record.version, seen):
            return
        removed = self._removed.get(name)
        if removed is not None:
            if record.uid == removed.uid or record.version < removed.version:
                return  # responses may come in another order than the writes
            del self._removed[name]
        held = self._target.get(name)
        if held is not None and (not isinstance(held.version, int) or held.version >= record.version):
            return
        self._written[name] = record.version
        self._order.append((record.version, name))
        self._note_late(name)
        self._target.apply([(name, record)])

    def removed(self, name: str, uid: str, last: Record | None, seen: int | str) -> None:
        """Take in that the object of a uid no longer exists.

        Args:
            name: its name in the cache.
            uid: the object's.
            last: its last state, where the response told it.
            seen: the last version that the stream has brought.
        """
        held = self._target.get(name)
        known = last.version if last is not None and isinstance(last.version, int) else 0
        if held is not None and held.uid == uid:
            version = max(known, held.version if isinstance(held.version, int) else 0)
        elif known and _ahead(known, seen):  # the stream has yet to bring both the object and its end
            version = known
            if held is not None and isinstance(held.version, int) and held.version > version:
                return
        else:  # the stream has told its end already, or will tell it without having shown the object
            return
        self._written.pop(name, None)
        self._removed[name] = _Removed(uid, version)
        self._note_late(name)
        if held is not None:
            self._target.apply([(name, Tombstone(last if last is not None and held.uid == uid else held))])

    def hides(self, name: str, record: Record, deleted: bool) -> bool:
        """Whether an event of the stream tells of a time before this process deleted the object."""
        removed = self._removed.get(name)
        if removed is None:
            return False
        if not (deleted and record.uid == removed.uid) and _predates(record, removed):
            return True
        del self._removed[name]
        return False

    def passed(self, seen: int | str) -> None:
        """Forget the writes up to a version that the stream has reached."""
        order = self._order
        while order and isinstance(seen, int) and order[0][0] <= seen:
            version, name = order.popleft()
            if self._written.get(name) == version:
                del self._written[name]

    def carry(self, stage: EncodedStage[Record], version: int | str) -> None:
        """Keep, in a list that is about to be swapped in, what was written after it was made.

        Args:
            stage: the list's content.
            version: the list's version.
        """
        self.passed(version)
        for name, at in list(self._written.items()):
            held = self._target.get(name)
            if held is not None and _ahead(at, version):
                stage.put(name, held)
        for name, removed in list(self._removed.items()):
            listed = stage.get(name)
            if listed is None:
                if not _ahead(removed.version, version):  # it existed before, and no longer does
                    del self._removed[name]
            elif _predates(listed, removed):
                stage.remove(name)
            else:
                del self._removed[name]

    def is_late(self, name: str) -> bool:
        """Whether a name was written while a list is being swapped in; the list is older and has to leave it alone."""
        return name in self._late

    @contextmanager
    def swapping(self) -> Iterator[None]:
        """While a list is being swapped in."""
        self._swapping = True
        try:
            yield
        finally:
            self._swapping = False
            self._late.clear()

    def _note_late(self, name: str) -> None:
        if self._swapping:
            self._late.add(name)

    def clear(self) -> None:
        """Forget everything: the kind is gone, or its server was restored to another history."""
        self._written.clear()
        self._order.clear()
        self._removed.clear()


def _predates(record: Record, removed: _Removed) -> bool:
    """Whether a state is from before a deletion: of the object itself, or of an earlier one of its name."""
    later = not isinstance(record.version, int) or record.version > removed.version
    if record.uid != removed.uid:
        return not later
    # An object that was held to be gone and is only terminating lives on: something came between.
    return not (later and decode_written(record.body()).metadata.deletionTimestamp is not None)


def _ahead(version: int, of: int | str) -> bool:
    """Whether a version is newer than what a stream or a list has reached; nothing yet is older than everything."""
    return version > of if isinstance(of, int) else of == ""
