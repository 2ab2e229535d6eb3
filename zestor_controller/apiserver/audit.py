"""The audit log: one JSON line a request: time, user, verb, resource, namespace, name, subresource, code.

Invariant: no body and no header is written, so no secret can be.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

from zestor_controller.errors import ConfigError

__all__ = ["AuditLog", "AuditRecord"]


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One request and how it was answered.

    Attributes:
        time: when it came, RFC 3339 with microseconds.
        user: who asked.
        verb: ``get list watch create update patch delete deletecollection``, or the method of a path that is no
            resource.
        resource: the plural with its group (``deployments.apps``); empty for other paths.
        namespace: empty for objects of the cluster.
        name: empty for collections.
        subresource: empty for the resource itself.
        code: the HTTP status code.
        path: as requested, without the query.
    """

    time: str
    user: str
    verb: str
    resource: str
    namespace: str
    name: str
    subresource: str
    code: int
    path: str


class AuditLog:
    """Writes records to a file, and keeps the latest for whoever asks.

    Args:
        path: appended to; None keeps records in memory only.
        keep: how many records are kept in memory.

    Raises:
        ConfigError: the file cannot be opened.
    """

    def __init__(self, path: Path | None = None, *, keep: int = 10_000) -> None:
        self.records: list[AuditRecord] = []
        self._keep = keep
        self._file: TextIO | None = None
        if path is not None:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._file = path.open("a", encoding="utf-8")
            except OSError as error:
                raise ConfigError(f"cannot write the audit log {path}: {error.strerror or error}") from error

    def write(self, record: AuditRecord) -> None:
        """Add a record; it is flushed at once, so that a test that reads the file sees it."""
        self.records.append(record)
        if len(self.records) > 2 * self._keep:
            del self.records[: -self._keep]
        if self._file is not None:
            self._file.write(json.dumps(asdict(record)) + "\n")
            self._file.flush()

    def matching(self, wanted: Callable[[AuditRecord], bool]) -> list[AuditRecord]:
        """The kept records for which a predicate holds, oldest first."""
        return [record for record in self.records if wanted(record)]

    def close(self) -> None:
        """Close the file; harmless when there is none."""
        if self._file is not None:
            self._file.close()
            self._file = None
