"""The simulation finds faults: each of these was in the cache or the controller once, and is put back into a copy.

A change names the fault, the module, the text as it is, and the text that puts the fault back.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import zestor_controller

PACKAGE = Path(zestor_controller.__file__).parent
SEEDS = 60

CHANGES = {
    "a DELETE that responds with the object leaves it visible": [
        ("cache/overlay.py", 'return method == "DELETE"', "return False"),
    ],
    "a deletion delivered while an own write is pending is lost": [
        (
            "cache/watchhandler.py",
            "        held = self._get(key)\n        if deleted:\n",
            "        held = self._get(key)\n        if deleted and key in self._overlay._written:\n"
            "            return\n        if deleted:\n",
        ),
    ],
    "an own child that another client deleted in a compacted gap is shown without end": [
        ("cache/overlay.py", "        self.passed(version)\n        for name", "        for name"),
        ("cache/overlay.py", "if held is not None and _ahead(at, version):", "if held is not None:"),
    ],
    "a kind resumed from a checkpoint is in sync before it has caught up": [
        ("cache/reflector.py", "and has_reached(self.status.version, self._wanted)", "and True"),
    ],
    "a create whose response was lost is repeated at once": [
        ("controller/runner.py", "await self._services.cache.wait_current(kind)", "await asyncio.sleep(0)"),
    ],
    "a relist after an unusable line asks for less than was applied": [
        (
            "cache/watchhandler.py",
            "            self.version = version\n            self.lines",
            "            self.version = version = self.version if self.skipped else version\n            self.lines",
        ),
    ],
    "a list does not replace an object by one with a lower version": [
        (
            "cache/record.py",
            "return old.version == new.version and old.uid == new.uid",
            "return old.uid == new.uid and int(new.version) <= int(old.version)",
        ),
        ("cache/history.py", "self.epoch += EPOCH", "self.epoch += 0"),
    ],
    "a watch that ends at once is opened again at once": [
        ("cache/sync.py", "short = outcome.seconds < SHORT_WATCH_S", "short = False"),
    ],
    "a server that was restored and keeps its watches silent is never noticed": [
        ("cache/reflector.py", "if is_older(present, version):", "if False:"),
    ],
    "`deleted` is called again at the next event of the name": [
        (
            "controller/dispatch.py",
            "if later is None or later.requeue_after is None:\n                self._memory.reported(item.key, uid)",
            "if later is None or later.requeue_after is None:\n                pass",
        ),
    ],
    "a cleanup is repeated when another client writes meanwhile": [
        ("controller/dispatch.py", "self._memory.cleaned[item.key] = obj.metadata.uid", "pass"),
        ("controller/finalizer.py", "TRIES: Final = 10", "TRIES: Final = 1"),
    ],
}
QUICK = (
    "a DELETE that responds with the object leaves it visible",
    "a create whose response was lost is repeated at once",
    "`deleted` is called again at the next event of the name",
)


def simulated(folder):
    """Run seeds of a package in a folder until one finds a violation."""
    return subprocess.run(
        [sys.executable, "-m", "zestor_controller.testing", "simulate", "--count", str(SEEDS)],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
    )


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "fault", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in CHANGES]
)
def test_a_fault_that_is_put_back_is_found(fault, tmp_path):
    shutil.copytree(PACKAGE, tmp_path / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    for module, now, once in CHANGES[fault]:
        path = tmp_path / PACKAGE.name / module
        text = path.read_text()
        assert text.count(now) == 1, f"{module} has changed: say anew how the fault is put back"
        path.write_text(text.replace(now, once))
    done = simulated(tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout.startswith("seed ")
