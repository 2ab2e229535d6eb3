"""What a manager says of its cluster and of being in sync: at the start, and again while it lasts."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from operating import virtual

from zestor_controller.cache.status import InformerState, InformerStatus
from zestor_controller.manager.report import report_informers
from zestor_controller.testing.processes import ApiServerProcess

ROOT = Path(__file__).parents[2]


def messages(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == level]


@virtual
async def test_being_in_sync_is_said_once_and_a_lasting_failure_again_at_growing_intervals(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    clock = asyncio.get_running_loop().time
    shops, maps = (
        InformerStatus("shops", clock, lambda: "1 shop"),
        InformerStatus("configmaps", clock, lambda: "no maps"),
    )
    reporting = asyncio.create_task(report_informers(lambda: [shops, maps]))
    await asyncio.sleep(3)
    for status in (shops, maps):
        status.listed()
        status.become(InformerState.LIVE, "1 object cached")
    await asyncio.sleep(600)
    assert [re.sub(r"[\d.]+ s", "N s", text) for text in messages(caplog, logging.INFO)] == [
        "in sync after N s: shops, configmaps"
    ]

    shops.become(InformerState.STALE, "cannot watch shops: refused")
    maps.become(InformerState.STALE, "cannot watch configmaps: refused")
    await asyncio.sleep(1200)
    shown = messages(caplog, logging.WARNING)
    assert 5 <= len(shown) <= 9  # after 10, 30, 70, 150, 310, 610, ... seconds: neither once nor at each retry
    assert all("2 of 2 kinds: cannot watch shops: refused (and likewise configmaps)" in text for text in shown)

    for status in (shops, maps):
        status.become(InformerState.LIVE, "1 object cached")
    await asyncio.sleep(1)
    assert messages(caplog, logging.INFO)[-1].startswith("in sync again after 12")
    reporting.cancel()


@virtual
async def test_kinds_with_different_troubles_are_named_with_their_own_reasons(caplog: pytest.LogCaptureFixture) -> None:
    clock = asyncio.get_running_loop().time
    shops, maps = (
        InformerStatus("shops", clock, lambda: "1 shop"),
        InformerStatus("configmaps", clock, lambda: "no maps"),
    )
    shops.become(InformerState.NO_CRD, "the server does not know shops")
    maps.become(InformerState.FORBIDDEN, "not allowed to list configmaps")
    reporting = asyncio.create_task(report_informers(lambda: [shops, maps]))
    await asyncio.sleep(11)
    reporting.cancel()
    (text,) = messages(caplog, logging.WARNING)
    assert "the server does not know shops; not allowed to list configmaps" in text


def test_run_says_what_it_works_with_and_reports_a_dead_server_again(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(
        "from zestor_controller import Controller\nmaps = Controller('v1/ConfigMap').owns('v1/Secret')\n"
        "@maps.reconciler\nasync def reconcile(obj, ctx): ...\n"
    )
    command = [sys.executable, "-P", "-m", "zestor_controller.cli.main", "run", "main.py", "--health-port", "0"]
    command += ["--kubeconfig", "kubeconfig", "--namespaces", "default,nowhere"]
    with ApiServerProcess(folder=tmp_path) as server:
        process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, env={**os.environ})
        try:
            assert process.stderr is not None
            shown = []
            for line in process.stderr:
                shown.append(line)
                if "in sync after" in "".join(shown) and "nowhere' does not exist" in "".join(shown):
                    break
            start = "".join(shown)
            server._end()
            for line in process.stderr:
                shown.append(line)
                if "not in sync for" in line:
                    break
            process.send_signal(signal.SIGTERM)
            process.stderr.read()
        finally:
            process.terminate()
            process.wait(20)
            process.stderr.close()
    assert f"cluster {server.url}, context zestor of {tmp_path / 'kubeconfig'}" in start
    assert "namespaces: default, nowhere" in start
    assert re.search(r"health on http://127\.0\.0\.1:\d+/readyz\?verbose", start)
    assert "configmaps, secrets" in start
    assert "Connection refused" in shown[-1]
    assert " object at 0x" not in "".join(shown)
    assert process.returncode == 0
