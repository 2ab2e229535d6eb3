"""The command in this process: what it prints, its exit code, and nothing of it left behind."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from zestor_controller.cli.main import main

QUIET = ("asyncio", "aiohttp", "kubernetes", "urllib3", "zestor_controller.manager")


@dataclass(frozen=True)
class Done:
    """What a command has done."""

    code: object
    out: str
    err: str


Command = Callable[..., Done]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Iterator[Command]:
    """Runs ``zestor`` with the given arguments."""
    root = logging.getLogger()
    handlers, level, hook, path = list(root.handlers), root.level, threading.excepthook, list(sys.path)
    levels = {name: logging.getLogger(name).level for name in QUIET}
    modules = set(sys.modules)

    def run(*arguments: str) -> Done:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        out, err = capsys.readouterr()
        return Done(ended.value.code, out, err)

    yield run
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    threading.excepthook = hook
    sys.path[:] = path
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)
    for name in set(sys.modules) - modules:
        if not name.startswith("zestor_controller"):
            del sys.modules[name]
