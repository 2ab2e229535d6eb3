"""The pytest plugin as another project uses it: its fixtures in their tests, and nothing loaded without them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TESTS = """
import os
import threading


def test_the_client_blocks_and_has_every_right(zestor_client):
    zestor_client.create("v1/ConfigMap", {"metadata": {"name": "a"}})
    assert zestor_client.get("v1/ConfigMap", "a").metadata.name == "a"
    print("THREADS", threading.active_count())


def test_each_test_has_a_cluster_of_its_own(zestor_client, zestor_cluster):
    names = [found.metadata.name for found in zestor_client.list("v1/ConfigMap")]
    assert "a" not in names
    assert os.environ["KUBECONFIG"] == str(zestor_cluster.kubeconfig)
    assert zestor_cluster.client is not None


def test_after_a_cluster_its_environment_and_threads_are_gone():
    assert "KUBECONFIG" not in os.environ
    assert threading.active_count() == 1
"""
LIGHT = """
import sys


def test_a_test_without_the_fixtures_loads_nothing_heavy():
    loaded = set(sys.modules)
    assert "zestor_controller.testing.plugin" in loaded
    assert not loaded & {"aiohttp", "pydantic", "kubernetes"}
    assert not loaded & {"zestor_controller.cluster", "zestor_controller.apiserver"}
"""


def pytest_in(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_of_theirs.py").write_text(text)
    env = {name: value for name, value in os.environ.items() if name not in ("KUBECONFIG", "PYTEST_ADDOPTS")}
    plugins = ["-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:xdist"]
    command = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "--rootdir", str(folder), *plugins]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=55, check=False)


def test_the_fixtures_serve_the_tests_of_another_project(tmp_path: Path) -> None:
    done = pytest_in(tmp_path, TESTS)

    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout


def test_a_project_that_does_not_use_them_pays_nothing(tmp_path: Path) -> None:
    done = pytest_in(tmp_path, LIGHT)

    assert done.returncode == 0, done.stdout
