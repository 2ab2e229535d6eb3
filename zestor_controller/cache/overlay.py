"""Read your own writes: what this process has written, until the watch has caught up with it (C9).

Invariant: an entry is served only while the stream has not passed the written version, so that a foreign change is
never hidden by it; the cache's own content is never touched.
"""

from __future__ import annotations

from dataclasses import dataclass

from zestor_controller.cache.decode import Record

__all__ = ["Overlay"]


@dataclass(frozen=True, slots=True)
class _Entry:
    """What was written under a name.

    Attributes:
        uid: of which object.
        record: the object; None where it was deleted.
        version: the last written version that the stream may have to pass yet; of a deletion, whose own version no
            server tells, that of the write before it.
    """

    uid: str
    record: Record | None
    version: int


class Overlay:
    """Writes of this process to one cached kind, by name."""

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def wrote(self, name: str, record: Record, seen: int | str) -> None:
        """Note an object as the server answered it.

        Args:
            name: its name in the cache.
            record: the object.
            seen: the last version that the stream has brought; what it has passed need not be noted.
        """
        # Versions that are no numbers cannot tell whether the stream has passed them: better late than wrong.
        if isinstance(record.version, int) and isinstance(seen, int) and record.version > seen:
            known = self._entries.get(name)
            if known is None or known.version < record.version:  # answers may come in another order than the writes
                self._entries[name] = _Entry(record.uid, record, record.version)

    def deleted(self, name: str, uid: str, cached: Record | None) -> None:
        """Note that the object of a uid is gone.

        Args:
            name: its name in the cache.
            uid: the object's.
            cached: what the cache has under the name.
        """
        known = self._entries.get(name)
        if known is not None and known.uid == uid:
            self._entries[name] = _Entry(uid, None, known.version)
        elif cached is not None and cached.uid == uid:
            self._entries[name] = _Entry(uid, None, 0)

    def look(self, name: str, cached: Record | None, seen: int | str) -> Record | None:
        """What a reader is to see under a name.

        Args:
            name: the name.
            cached: what the cache has.
            seen: the last version that the stream has brought.
        """
        entry = self._entries.get(name)
        if entry is None:
            return cached
        pending = isinstance(seen, int) and seen < entry.version
        if entry.record is None:
            if cached is not None and cached.uid == entry.uid:
                return None
            if pending:  # its creation has not been brought yet, nor has its deletion
                return cached
        elif pending and (cached is None or not isinstance(cached.version, int) or cached.version < entry.version):
            return entry.record
        self._entries.pop(name, None)  # another thread may have been faster
        return cached

    def names(self) -> list[str]:
        """The names that something was written under."""
        return list(self._entries)
