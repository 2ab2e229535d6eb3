"""The audit log: one JSON line a request: time, user, verb, resource, namespace, name, subresource, code.

Invariants: no body and no header is written, so no secret can be; the file is readable by its owner alone, also one
that exists already.
"""

from __future__ import annotations

import json
import logging
import os
import stat
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from zestor_controller.errors import ConfigError

__all__ = ["AuditLog", "AuditRecord"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One request and its response.

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
    """Writes records to a file, and keeps the latest for readers.

    Args:
        path: appended to; None keeps records in memory only.
        keep: how many records are kept in memory.

    Raises:
        ConfigError: the file cannot be opened, or its mode cannot be changed.
    """

    def __init__(self, path: Path | None = None, *, keep: int = 10_000) -> None:
        self.records: list[AuditRecord] = []
        self._keep = keep
        self._path = path
        self._file = -1
        self._lost = 0
        if path is not None:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
                if stat.S_ISREG(os.fstat(self._file).st_mode):  # a terminal or a pipe keeps its mode
                    os.fchmod(self._file, 0o600)
            except OSError as error:
                self.close()
                raise ConfigError(f"cannot write the audit log {path}: {error.strerror or error}") from error

    def write(self, record: AuditRecord) -> None:
        """Add a record, unbuffered; one that the file does not take is counted, the first of a series is logged."""
        self.records.append(record)
        if len(self.records) > 2 * self._keep:
            del self.records[: -self._keep]
        if self._file < 0:
            return
        line = memoryview(f"{json.dumps(asdict(record))}\n".encode())
        try:
            while line:
                line = line[os.write(self._file, line) :]
        except OSError as error:
            if not self._lost:
                _log.error("the audit log %s takes no more records: %s", self._path, error)
            self._lost += 1
            return
        if self._lost:
            _log.warning("the audit log %s takes records again; %d are missing", self._path, self._lost)
            self._lost = 0

    def matching(self, wanted: Callable[[AuditRecord], bool]) -> list[AuditRecord]:
        """The kept records for which a predicate holds, oldest first."""
        return [record for record in self.records if wanted(record)]

    def close(self) -> None:
        """Close the file; harmless when there is none."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
