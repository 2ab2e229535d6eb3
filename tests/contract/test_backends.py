"""The conformance suite is exported (S14): it covers every promise of a store and runs on any backend."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from zestor_controller.testing.store_contract import StoreContract

SUITES = """
from zestor_controller.store import MemoryStore
from zestor_controller.testing.store_contract import StoreContract


class Backend:
    "A backend of another package: it has the methods of the protocol and no base class."

    def __init__(self):
        self.inner = MemoryStore()

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


class Talkative(Backend):
    "Takes every value for another one."

    def kind(self, *arguments, **options):
        return self.inner.kind(*arguments, **{**options, "compare": lambda one, other: False})


class TestBackend(StoreContract):
    def make_store(self):
        return Backend()


class TestTalkative(StoreContract):
    def make_store(self):
        return Talkative()
"""


def run_suite(folder: Path, name: str) -> tuple[int, set[str], int]:
    """The exit code, the promises whose tests failed, and the number of tests that passed."""
    (folder / "test_suites.py").write_text(SUITES)
    command = [sys.executable, "-m", "pytest", "-q", "-rf", "--tb=no", "-p", "no:cacheprovider", "-W", "ignore"]
    done = subprocess.run(
        [*command, "-c", os.devnull, "--rootdir", str(folder), "-k", name],
        cwd=folder,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    passed = re.search(r"(\d+) passed", done.stdout)
    failed = set(re.findall(r"^FAILED .*::test_(s\d+)_", done.stdout, re.M))
    return done.returncode, failed, int(passed[1]) if passed else 0


def test_s14_the_suite_has_a_test_of_every_promise_of_a_store() -> None:
    named = {match[1] for name in dir(StoreContract) if (match := re.match(r"test_s(\d+)_", name))}

    assert named == {str(number) for number in range(1, 14)}


def test_s14_a_backend_of_another_package_passes_the_suite_without_a_plugin(tmp_path: Path) -> None:
    code, failed, passed = run_suite(tmp_path, "TestBackend")

    assert (code, failed) == (0, set())
    assert passed > 50


def test_s14_a_backend_that_breaks_a_promise_fails_the_tests_of_that_promise(tmp_path: Path) -> None:
    code, failed, _ = run_suite(tmp_path, "TestTalkative")

    assert code == 1
    assert "s3" in failed
    assert "s12" not in failed
