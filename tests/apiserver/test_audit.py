"""The audit log's file: whose it is, and what becomes of records that it does not take."""

from __future__ import annotations

import json
import os
import resource
from pathlib import Path

import pytest

from zestor_controller.apiserver.auth.audit import AuditLog, AuditRecord
from zestor_controller.errors import ConfigError

RECORD = AuditRecord("2026-01-01T00:00:00.000000Z", "bob", "get", "pods", "default", "a", "", 200, "/api/v1/pods")


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_the_file_is_readable_by_its_owner_alone_also_one_that_exists(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        AuditLog(tmp_path / "new").close()
        (tmp_path / "old").write_text("kept\n")
        (tmp_path / "old").chmod(0o666)
        log = AuditLog(tmp_path / "old")
    finally:
        os.umask(before)
    log.write(RECORD)
    log.close()

    assert (mode(tmp_path / "new"), mode(tmp_path / "old")) == (0o600, 0o600)
    kept, line = (tmp_path / "old").read_text().splitlines()
    assert kept == "kept"
    assert json.loads(line)["user"] == "bob"


def test_a_pipe_keeps_its_mode_and_gets_the_records(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o640)
    (tmp_path / "pipe").chmod(0o640)
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    log = AuditLog(tmp_path / "pipe")
    log.write(RECORD)
    log.close()

    assert json.loads(os.read(reader, 10_000))["user"] == "bob"
    assert mode(tmp_path / "pipe") == 0o640
    os.close(reader)


def test_records_that_a_full_disk_does_not_take_are_logged_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = AuditLog(tmp_path / "audit")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        for _ in range(3):
            log.write(RECORD)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    log.write(RECORD)
    log.close()

    assert caplog.text.count("takes no more records: [Errno 27]") == 1
    assert "takes records again; 3 are missing" in caplog.text
    assert len(log.records) == 4
    assert len((tmp_path / "audit").read_text().splitlines()) == 1


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"cannot write the audit log {tmp_path}: Is a directory"):
        AuditLog(tmp_path)
