"""The operator as the chart runs it: from a built wheel, with the chart's arguments, as the chart's account."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from helming import CHART, EXAMPLE, ROOT, Run

from zestor_controller import EmbeddedCluster
from zestor_controller.testing.binaries import kubectl

ACCOUNT = "web-website-operator"

pytestmark = [pytest.mark.xdist_group("charts"), pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`zestor`, installed from a wheel into an environment of its own that sees nothing of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run([*pip, *build], check=True, timeout=120, cwd=folder)
    (wheel,) = folder.glob("*.whl")
    env = folder / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(env)], check=True, timeout=60)
    python = env / "bin" / "python"
    install = ["--python", str(python), "install", "--no-deps", "--no-index", str(wheel)]
    subprocess.run([*pip, *install], check=True, timeout=120, cwd=folder)
    code = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    site = Path(subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.strip())
    # What it depends on comes from here (a path file's entries are not searched for further ones: not this checkout).
    (site / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    code = "import zestor_controller; print(zestor_controller.__file__)"
    found = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True, cwd=folder).stdout
    assert found.startswith(str(site)), found
    return env / "bin" / "zestor"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[EmbeddedCluster]:
    with EmbeddedCluster(rbac=True, audit_log=tmp_path / "audit.jsonl") as cluster:
        yield cluster


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def as_account(cluster: EmbeddedCluster, folder: Path) -> Path:
    """A kubeconfig with a token of the chart's account."""
    admin = ["--kubeconfig", str(cluster.kubeconfig), "--cache-dir", str(folder / "cache")]
    token = subprocess.run(
        [kubectl("1.37"), *admin, "create", "token", ACCOUNT], check=True, capture_output=True, text=True, timeout=60
    ).stdout.strip()
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": token}
    path = folder / "account.yaml"
    path.write_text(yaml.safe_dump(config))
    path.chmod(0o600)
    return path


def test_the_installed_operator_reconciles_under_the_charts_account_and_is_refused_nothing(
    major: Any, command: Path, cluster: EmbeddedCluster, run_helm: Run, tmp_path: Path
) -> None:
    client = cluster.client
    # The chart's own ports are the pod's; here other processes may have them. The last of an option counts.
    ports = f"extraArgs={{--health-port={free_port()},--metrics-port={free_port()}}}"
    run_helm(major, "install", "web", str(CHART), "--set", ports, "--wait", kubeconfig=cluster.kubeconfig)
    pod = client.get("apps/v1/Deployment", ACCOUNT, namespace="default")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    app = tmp_path / "app"
    app.mkdir()
    (app / "main.py").write_text((EXAMPLE / "main.py").read_text())
    assert container["command"] == ["zestor"]
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "KUBECONFIG": str(as_account(cluster, tmp_path))}
    env |= {variable["name"]: variable.get("value", "default") for variable in container["env"]}

    with subprocess.Popen(
        [command, *container["args"]], cwd=app, env=env, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            client.wait_for(
                "apiextensions.k8s.io/v1/CustomResourceDefinition", "websites.demo.zestor.dev", "Established"
            )
            site = yaml.safe_load((EXAMPLE / "manifests" / "website.yaml").read_text())
            name = site["metadata"]["name"]
            client.create(site, namespace="default")
            kind = "demo.zestor.dev/v1/Website"
            client.wait_for(kind, name, "Ready", namespace="default", timeout=timedelta(seconds=60))
            client.delete(kind, name, namespace="default")
            process.send_signal(signal.SIGTERM)
            _, logged = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 0, logged
    messages = [json.loads(line) for line in logged.splitlines()]
    assert any("this replica leads" in entry["message"] for entry in messages)
    assert [entry for entry in messages if entry["level"] not in ("info", "debug")] == []

    audit = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    own = [entry for entry in audit if entry["user"] == f"system:serviceaccount:default:{ACCOUNT}"]
    assert {entry["verb"] for entry in own} >= {"list", "watch", "patch", "create"}
    assert [entry for entry in own if entry["code"] in (401, 403)] == []
