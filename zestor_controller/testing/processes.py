"""The server and the command as processes of their own, as users run them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO, Self

__all__ = ["ApiServerProcess", "zestor"]


def zestor(
    *arguments: str, cwd: Path | None = None, env: dict[str, str] | None = None, timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run ``zestor`` to its end.

    Args:
        arguments: the command line without the program's name.
        cwd: where to run it.
        env: variables beside the present ones.
        timeout: seconds after which it is killed.
    """
    command = [sys.executable, "-P", "-m", "zestor_controller.cli.main", *arguments]
    return subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


class ApiServerProcess:
    """``zestor apiserver`` while it serves; stopped by SIGTERM when the block is left.

    Args:
        arguments: further options.
        folder: where its kubeconfig and its log go.

    Attributes:
        url: where it listens.
        kubeconfig: the administrator's.
        code: the exit code, once it has ended.

    Raises:
        RuntimeError: on entering: it ended before it served; the message is what it wrote.
    """

    url: str

    def __init__(self, *arguments: str, folder: Path) -> None:
        self.kubeconfig = folder / "kubeconfig"
        self.code: int | None = None
        self._log_path = folder / "apiserver.log"
        self._arguments = arguments
        self._log: IO[str] | None = None
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        command = [sys.executable, "-P", "-m", "zestor_controller.cli.main", "apiserver", "--port", "0"]
        command += ["--kubeconfig", str(self.kubeconfig), *self._arguments]
        self._log = self._log_path.open("w")
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self._log, text=True)
        assert self._process.stdout is not None  # by PIPE
        line = self._process.stdout.readline()
        if not line.startswith("ready "):
            self._end()
            raise RuntimeError(f"the server did not start: {self._log_path.read_text()}")
        self.url = line.split()[1]
        return self

    def __exit__(self, *exc: object) -> None:
        self._end()

    def _end(self) -> None:
        assert self._process is not None  # only after it was started
        assert self._log is not None
        self._process.send_signal(signal.SIGTERM)
        try:
            self.code = self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self.code = self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._log.close()
