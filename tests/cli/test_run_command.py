"""`zestor run`: which cluster and namespaces an operator gets, its ports, its lease, and how it ends."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from zestor_controller import EmbeddedCluster

OPERATOR = """
import os
from zestor_controller import Controller, Manager

print("imported with", os.environ.get("KUBECONFIG"), flush=True)
maps = Controller("v1/ConfigMap", name="maps")


@maps.reconciler
async def reconcile(obj, ctx):
    if obj.metadata.name != "kube-root-ca.crt":
        print(f"seen {obj.metadata.namespace}/{obj.metadata.name}", flush=True)
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[EmbeddedCluster]:
    with EmbeddedCluster(controllers="none") as cluster:
        for namespace in ("one", "two"):
            cluster.client.create("v1/Namespace", {"metadata": {"name": namespace}})
            cluster.client.create("v1/ConfigMap", {"metadata": {"name": "a"}}, namespace=namespace)
        yield cluster


@contextmanager
def operator(folder: Path, *options: str, env: dict[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """The operator while it runs."""
    (folder / "main.py").write_text(OPERATOR)
    command = [sys.executable, "-P", "-m", "zestor_controller.cli.main", "run", ".", *options]
    with (folder / "errors").open("w") as errors:
        process = subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=errors, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def lines(process: subprocess.Popen[str], count: int) -> list[str]:
    assert process.stdout is not None
    return [process.stdout.readline().rstrip("\n") for _ in range(count)]


def fetch(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


async def until_it_is(port: int, path: str, status: int) -> str:
    async with asyncio.timeout(40):
        while True:
            try:
                found, text = await asyncio.to_thread(fetch, port, path)
            except OSError:
                found, text = 0, ""
            if found == status:
                return text
            await asyncio.sleep(0.05)


def test_its_pages_are_served_and_sigterm_ends_it_with_0(cluster: EmbeddedCluster, tmp_path: Path) -> None:
    options = ["--kubeconfig", str(cluster.kubeconfig), "--health-port", "0", "--metrics-port", "0"]

    with operator(tmp_path, *options, "--workers", "3") as process:
        assert lines(process, 1) == [f"imported with {cluster.kubeconfig}"]
        assert sorted(lines(process, 2)) == ["seen one/a", "seen two/a"]
        log = (tmp_path / "errors").read_text()  # says which ports it took
        health, metrics = (
            int(re.findall(rf"http://127\.0\.0\.1:(\d+){path}", log)[0]) for path in ("/readyz", "/metrics")
        )
        assert health != metrics
        assert asyncio.run(until_it_is(health, "/healthz", 200))
        text = asyncio.run(until_it_is(health, "/readyz?verbose", 200))
        assert "maps" in text
        assert json.loads(asyncio.run(until_it_is(health, "/statusz", 200)))
        text = asyncio.run(until_it_is(metrics, "/metrics", 200))
        assert 'controller_runtime_max_concurrent_reconciles{controller="maps"} 3.0' in text
        process.send_signal(signal.SIGTERM)
        assert process.wait(40) == 0


@pytest.mark.parametrize(
    ("options", "seen"),
    [(["--namespace", "two"], ["seen two/a"]), (["--namespaces", "one,two"], ["seen one/a", "seen two/a"])],
)
def test_it_watches_the_given_namespaces_only(
    cluster: EmbeddedCluster, tmp_path: Path, options: list[str], seen: list[str]
) -> None:
    cluster.client.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "zzz"}}, namespace="default")

    with operator(tmp_path, "--kubeconfig", str(cluster.kubeconfig), *options) as process:
        lines(process, 1)
        assert sorted(lines(process, len(seen))) == seen
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=40)[0]
    assert rest == ""
    watched = {r.namespace for r in cluster.requests if r.resource == "configmaps" and r.verb == "watch"}
    assert "two" in watched


def test_the_lease_has_the_given_name_and_is_released_at_the_end(cluster: EmbeddedCluster, tmp_path: Path) -> None:
    options = ["--leader-elect", "--lease-name", "mine", "--lease-namespace", "one", "--lease-duration", "20s"]

    def lease() -> Any:
        return cluster.client.get("coordination.k8s.io/v1/Lease", "mine", namespace="one")["spec"]

    with operator(tmp_path, "--kubeconfig", str(cluster.kubeconfig), *options) as process:
        lines(process, 2)  # it works, so it leads
        held = lease()
        process.send_signal(signal.SIGTERM)
        assert process.wait(40) == 0
    assert held["holderIdentity"]
    assert held["leaseDurationSeconds"] == 20
    assert not lease().get("holderIdentity")


def config_of(cluster: EmbeddedCluster, folder: Path) -> Path:
    """A kubeconfig whose present context leads nowhere and whose context `good` leads to the cluster."""
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    good = config["contexts"][0]["context"]
    config["clusters"].append({"name": "away", "cluster": {"server": "https://127.0.0.1:1"}})
    config["contexts"] = [
        {"name": "good", "context": {**good, "namespace": "one"}},
        {"name": "bad", "context": {**good, "cluster": "away"}},
    ]
    config["current-context"] = "bad"
    path = folder / "two-contexts"
    path.write_text(yaml.safe_dump(config))
    return path


def test_a_context_is_chosen_of_the_file_that_kubeconfig_names(cluster: EmbeddedCluster, tmp_path: Path) -> None:
    env = {**os.environ, "KUBECONFIG": str(config_of(cluster, tmp_path))}

    with operator(tmp_path, "--context", "good", env=env) as process:
        lines(process, 1)
        assert lines(process, 1)[0].startswith("seen ")
        process.send_signal(signal.SIGTERM)
        assert process.wait(40) == 0


def test_a_checkpoint_is_kept_in_the_given_folder(cluster: EmbeddedCluster, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"

    with operator(tmp_path, "--kubeconfig", str(cluster.kubeconfig), "--checkpoint", str(folder)) as process:
        lines(process, 2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(40) == 0
    before = len([r for r in cluster.requests if r.verb == "list" and r.resource == "configmaps"])
    assert any(path.is_file() for path in folder.rglob("*"))
    with operator(tmp_path, "--kubeconfig", str(cluster.kubeconfig), "--checkpoint", str(folder)) as process:
        lines(process, 2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(40) == 0
    assert len([r for r in cluster.requests if r.verb == "list" and r.resource == "configmaps"]) <= before + 1


def test_a_port_that_is_taken_is_an_error_with_the_port(cluster: EmbeddedCluster, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with operator(tmp_path, "--kubeconfig", str(cluster.kubeconfig), "--health-port", str(port)) as process:
            assert process.wait(40) in (2, 3)
    text = (tmp_path / "errors").read_text()
    assert f"127.0.0.1:{port}" in text
    assert "Traceback" not in text
