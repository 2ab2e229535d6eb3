"""Stock Helm against the embedded cluster: what it installs runs, changes, goes back and goes."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any, Literal

import pytest

from zestor_controller.cluster import EmbeddedCluster
from zestor_controller.testing.binaries import helm


@pytest.mark.parametrize("major", ["3", "4"])
def test_a_release_is_installed_upgraded_rolled_back_and_uninstalled(
    major: Literal["3", "4"], zestor_cluster: EmbeddedCluster, tmp_path: Path
) -> None:
    env = os.environ | {"KUBECONFIG": str(zestor_cluster.kubeconfig), "HOME": str(tmp_path)}

    def run(*arguments: str) -> str:
        command = [str(helm(major)), *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def deployment() -> Any:
        return zestor_cluster.client.get("apps/v1/Deployment", "shop-demo", namespace="default")

    wait = ("--wait", "--timeout", "60s")
    run("create", "demo")

    run("install", "shop", "demo", *wait)
    assert deployment()["status"]["readyReplicas"] == 1

    run("upgrade", "shop", "demo", "--set", "replicaCount=2", *wait)
    assert deployment()["status"]["readyReplicas"] == 2

    run("rollback", "shop", "1", *wait)
    assert deployment()["spec"]["replicas"] == 1
    history = json.loads(run("history", "shop", "-o", "json"))
    assert [(row["revision"], row["status"]) for row in history] == [
        (1, "superseded"),
        (2, "superseded"),
        (3, "deployed"),
    ]

    run("uninstall", "shop", *wait)
    assert json.loads(run("list", "-o", "json")) == []
    left = zestor_cluster.client.list("apps/v1/Deployment", namespace="default")
    assert [item.metadata.name for item in left.items] == []
