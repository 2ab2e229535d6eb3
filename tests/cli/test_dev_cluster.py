"""``zestor dev`` hands its cluster to everything in its process, and starts what has changed anew."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import kubernetes
import pytest

from zestor_controller import EmbeddedCluster
from zestor_controller.testing.processes import zestor

OPERATOR = """
import asyncio, json, os, subprocess, sys
import kubernetes
from zestor_controller import Client, Controller

kubernetes.config.load_config()
seen = {"at import": len(kubernetes.client.CoreV1Api().list_namespace().items) > 0}
seen["host"] = kubernetes.client.Configuration.get_default_copy().host
maps = Controller("v1/Namespace", name="maps")


def child():
    code = "import kubernetes as k; k.config.load_kube_config(); print(k.client.Configuration.get_default_copy().host)"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip()


@maps.reconciler
async def reconcile(obj, ctx):
    if obj.metadata.name != "default":
        return
    async with Client.connect() as client:
        seen["ours"] = f"https://{client.transport.host}"
    seen["child"] = await asyncio.to_thread(child)
    seen["from the context"] = ctx.kubernetes_client().configuration.host
    seen["names of others"] = sorted(n for n in os.environ if n.startswith(("KUBERNETES_", "HELM_KUBE")))
    with open("seen.json", "w") as file:
        json.dump(seen, file)
    raise SystemExit
"""
SHELL = """
apiVersion: v1
kind: Config
clusters: [{name: shell, cluster: {server: "https://shell.invalid:6443"}}]
users: [{name: shell, user: {token: secret}}]
contexts: [{name: shell, context: {cluster: shell, user: shell}}]
current-context: shell
"""
MAP = "apiVersion: v1\nkind: Namespace\nmetadata: {name: extra}\n"


def test_every_client_in_the_process_and_below_it_finds_the_embedded_cluster(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(OPERATOR)
    (tmp_path / "shell").write_text(SHELL)
    (tmp_path / "map.yaml").write_text(MAP)
    env = {
        "KUBECONFIG": str(tmp_path / "shell"),
        "KUBERNETES_SERVICE_HOST": "10.0.0.1",
        "KUBERNETES_SERVICE_PORT": "443",
        "HELM_KUBEAPISERVER": "https://shell.invalid:6443",
    }
    command = ["dev", ".", "--apply", "map.yaml", "--exit-when", "Never", "--timeout", "8s", "--output", "json"]
    done = zestor(*command, cwd=tmp_path, env=env)
    url = next(line["url"] for line in map(json.loads, done.stdout.splitlines()) if "url" in line)
    assert json.loads((tmp_path / "seen.json").read_text()) == {
        "at import": True,
        "host": url,
        "ours": url,
        "child": url,
        "from the context": url,
        "names of others": [],
    }


def test_the_fixture_names_its_cluster_during_the_test(zestor_cluster: EmbeddedCluster) -> None:
    kubernetes.config.load_config()
    assert kubernetes.client.Configuration.get_default_copy().host == zestor_cluster.url
    assert os.environ["KUBECONFIG"] == str(zestor_cluster.kubeconfig)


RELOADED = """
from zestor_controller import Controller
from sibling import WORD

maps = Controller("v1/Namespace", name="maps")


@maps.reconciler
async def reconcile(obj, ctx):
    if obj.metadata.name == "default":
        print(f"says {WORD}", flush=True)
"""


@pytest.mark.parametrize("hidden", [".venv/lib/site-packages"])
def test_reload_starts_anew_with_what_changed_beside_the_operators_file(tmp_path: Path, hidden: str) -> None:
    (tmp_path / "main.py").write_text(RELOADED)
    (tmp_path / "sibling.py").write_text("WORD = 'one'\n")
    (tmp_path / hidden).mkdir(parents=True)
    (tmp_path / hidden / "installed.py").write_text("")
    command = [sys.executable, "-P", "-m", "zestor_controller.cli.main", "dev", ".", "--reload"]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        # A compiled file of the same second and size would be taken for the changed source.
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "says one\n"
        (tmp_path / "sibling.py").write_text("WORD = 'another'\n")
        assert process.stdout.readline() == "says another\n"
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


def test_what_every_cluster_has_is_not_shown_as_the_operators_doing(tmp_path: Path) -> None:
    example = Path(__file__).parents[2] / "examples" / "01_website"
    done = zestor("dev", str(example), "--exit-when", "Ready", cwd=tmp_path)
    shown = done.stdout + done.stderr
    assert done.returncode == 0, shown
    assert "default/blog" in shown
    assert "kube-root-ca.crt" not in shown
    assert "default/kubernetes" not in shown
