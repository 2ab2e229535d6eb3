"""How the command ends: each failure has one exit code and one message, and a traceback only with --debug."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from .conftest import Command

OPERATOR = """
from zestor_controller import Controller
from zestor_controller.errors import *


class Failing(Controller):
    "Fails when its rules are looked at."

    @property
    def rules(self):
        {failure}

    @rules.setter
    def rules(self, value):
        pass


pods = Failing("v1/Pod")
"""


def failing(folder: Path, failure: str) -> str:
    """An operator whose declared rules raise."""
    path = folder / "failing.py"
    path.write_text(OPERATOR.format(failure=failure))
    return str(path)


@pytest.mark.parametrize(
    ("failure", "code", "message"),
    [
        ("raise ConfigError('one thing is missing')", 2, "zestor: one thing is missing\n"),
        ("raise SchemaError('no such type', path='spec.size')", 2, "zestor: spec.size: no such type\n"),
        ("raise TransportError('the server is away')", 3, "zestor: the server is away\n"),
        ("raise NotFound('there is none')", 3, "there is none"),
        ("raise OSError(28, 'No space left on device')", 3, "zestor: No space left on device\n"),
        ("raise OSError(28, 'No space left on device', '/tmp/x')", 3, "zestor: No space left on device: /tmp/x\n"),
        ("raise OSError('odd')", 3, "zestor: odd\n"),
        (
            "raise ZeroDivisionError('a\\n  b')",
            1,
            "zestor: ZeroDivisionError: a b; run again with --debug for the traceback\n",
        ),
        ("raise KeyboardInterrupt", 130, ""),
        ("raise SystemExit", 0, ""),
        ("raise SystemExit(7)", 7, ""),
        ("raise ExceptionGroup('g', [ValueError('first'), ConfigError('ours')])", 2, "zestor: ours\n"),
        ("raise ExceptionGroup('g', [ExceptionGroup('h', [TransportError('deep')])])", 3, "zestor: deep\n"),
        ("raise ExceptionGroup('g', [ValueError('first'), KeyError('second')])", 1, "zestor: ValueError: first;"),
        ("raise BaseExceptionGroup('g', [KeyboardInterrupt()])", 130, ""),
    ],
)
def test_each_failure_has_its_exit_code_and_its_message(
    tmp_path: Path, command: Command, failure: str, code: int, message: str
) -> None:
    done = command("rbac", "generate", failing(tmp_path, failure))

    assert done.code == code
    assert message in done.err
    assert bool(message) == bool(done.err.strip())
    assert "Traceback" not in done.err
    assert done.out == ""


def test_with_debug_a_failure_is_raised_with_its_traceback(tmp_path: Path) -> None:
    target = failing(tmp_path, "raise ConfigError('one thing is missing')")
    run = [sys.executable, "-P", "-m", "zestor_controller.cli.main", "--debug", "rbac", "generate", target]

    done = subprocess.run(run, capture_output=True, text=True, timeout=50, check=False)

    assert done.returncode == 1
    assert "Traceback (most recent call last)" in done.stderr
    assert "failing.py" in done.stderr
    assert done.stderr.endswith("ConfigError: one thing is missing\n")


def test_with_logs_in_json_the_message_is_a_record(tmp_path: Path, command: Command) -> None:
    done = command("--log-format", "json", "rbac", "generate", failing(tmp_path, "raise ConfigError('missing')"))

    record = json.loads(done.err)
    assert done.code == 2
    assert (record["level"], record["message"]) == ("error", "missing")


def test_a_cluster_that_cannot_be_reached_is_exit_3(tmp_path: Path, command: Command) -> None:
    config = {
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {"token": "very-secret"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "c",
    }
    (tmp_path / "config").write_text(yaml.safe_dump(config))
    (tmp_path / "fine.py").write_text("from zestor_controller import Controller\npods = Controller('v1/Pod')\n")

    done = command("rbac", "verify", str(tmp_path / "fine.py"), "--kubeconfig", str(tmp_path / "config"))

    assert done.code == 3
    assert "127.0.0.1:1" in done.err
    assert "very-secret" not in done.err


def test_ctrl_c_before_the_server_is_up_is_exit_130_or_0(tmp_path: Path) -> None:
    """Interrupted while it starts, the command has no traceback either."""
    command = [sys.executable, "-P", "-m", "zestor_controller.cli.main", "apiserver", "--apply", "-"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdin is not None
        process.stdin.write("# it waits for the rest of this\n" * 4000)  # taken once the command reads it
        process.stdin.flush()
        os.kill(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=40)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130
    assert (out, "Traceback" in err) == ("", False)


@pytest.mark.parametrize(
    "arguments",
    [
        ["apiserver", "--port", "65536"],
        ["apiserver", "--port", "x"],
        ["apiserver", "--controllers", "some"],
        ["run", "x.py", "--workers", "0"],
        ["run", "x.py", "--metrics-port", "-1"],
        ["run", "x.py", "--lease-duration", "soon"],
        ["run"],
        ["dev", "x.py", "--output", "xml"],
        ["dev", "a.py", "b.py"],
        ["crd"],
        ["crd", "fly"],
        ["rbac", "verify"],
        ["chart", "init"],
        ["--log-level", "loud", "run", "x.py"],
        ["--log-format", "xml", "run", "x.py"],
    ],
)
def test_a_command_line_that_makes_no_sense_is_exit_2_with_the_usage(command: Command, arguments: list[str]) -> None:
    done = command(*arguments)

    assert done.code == 2
    assert "Usage: zestor" in done.err
    assert done.out == ""


def test_two_options_of_a_lease_that_need_each_other(command: Command, tmp_path: Path) -> None:
    done = command("run", str(tmp_path), "--lease-name", "mine")

    assert done.code == 2
    assert "--lease-name" in done.err
    assert "--leader-elect" in done.err
