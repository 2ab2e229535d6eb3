"""Backups of an embedded API server: what etcd's snapshots are to a real one, and what a restore does to clients.

A restored server has the objects of the backup, forgets every later write, ends its watches, and either counts its
versions on from the backup's (as a plain restore does) or from much higher ones while the objects keep theirs (as
``etcdutl snapshot restore --bump-revision --mark-compacted`` does).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from zestor_controller.apiserver import ApiServer
from zestor_controller.apiserver.storage.revisionlog import Version

if TYPE_CHECKING:
    from zestor_controller.apiserver.auth.authentication import TokenAuthenticator
    from zestor_controller.apiserver.storage.journal import FileJournal
    from zestor_controller.apiserver.storage.revisionlog import LogEntry, Storage

__all__ = ["Backup"]


@dataclass(frozen=True, slots=True)
class Backup:
    """The state of a server at one version.

    Attributes:
        revision: the version.
        objects: the table, key, namespace, version and JSON of each object.
    """

    revision: int
    objects: tuple[tuple[Any, str, str, int, bytes], ...]

    @classmethod
    def of(cls, server: ApiServer) -> Backup:
        """The present state of a server."""
        objects = [
            (table.storage, one.key, one.namespace, one.revision, one.raw)
            for table in server.storage.tables()
            for one in table.versions()
        ]
        return cls(server.storage.revision, tuple(objects))

    def restore(
        self, authenticator: TokenAuthenticator, *, bump: int = 0, rng: random.Random, wall: Callable[[], float]
    ) -> ApiServer:
        """A server that starts from this state, its history compacted.

        Args:
            authenticator: knows the users.
            bump: added to the version from which it counts on; the objects keep their own.
            rng: uids and generated names.
            wall: seconds since the epoch.
        """
        journal = cast("FileJournal", _Snapshot(self, bump))
        return ApiServer(authenticator, rng=rng, wall=wall, journal=journal)


class _Snapshot:
    """A journal that gives a backup back and keeps nothing."""

    def __init__(self, backup: Backup, bump: int) -> None:
        self._backup = backup
        self._bump = bump

    def restore(self, storage: Storage) -> None:
        for table, key, namespace, revision, raw in self._backup.objects:
            storage.restore(table, Version(key, namespace, revision, raw))
        storage.begin_at(self._backup.revision + self._bump)

    def append(self, storage: tuple[str, str], change: LogEntry) -> None:
        """Keep nothing: the next backup is taken from the server."""
