"""The environment names one cluster while a command works with it, and is restored afterwards."""

from __future__ import annotations

import asyncio
import base64
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from zestor_controller.client import load_config
from zestor_controller.client.environment import cluster_environment
from zestor_controller.errors import ConfigError


def kubeconfig(path: Path, *names: str, current: str = "", **user: object) -> Path:
    """A kubeconfig with a context, a cluster and a user of each name."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": n, "cluster": {"server": f"https://{n}.example:6443"}} for n in names],
        "users": [{"name": n, "user": {"token": f"token-of-{n}", **user}} for n in names],
        "contexts": [{"name": n, "context": {"cluster": n, "user": n}} for n in names],
        "current-context": current or names[0],
    }
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.fixture(autouse=True)
def surroundings() -> Iterator[None]:
    """The variables of this process as they were."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


def test_a_file_is_named_and_what_names_other_servers_is_removed_and_restored(tmp_path: Path) -> None:
    others = {
        "KUBECONFIG": "/of/the/shell",
        "KUBERNETES_SERVICE_HOST": "10.0.0.1",
        "KUBERNETES_SERVICE_PORT": "443",
        "KUBERNETES_PORT_443_TCP": "tcp://10.0.0.1:443",
        "HELM_KUBEAPISERVER": "https://other.example",
        "HELM_KUBECONTEXT": "other",
    }
    os.environ.update(others)
    path = kubeconfig(tmp_path / "config", "a")

    with cluster_environment(path) as used:
        assert used is not None
        assert (used.context, used.server) == ("a", "https://a.example:6443")
        assert {name: os.environ.get(name) for name in others} == dict.fromkeys(others) | {"KUBECONFIG": str(path)}

    assert {name: os.environ.get(name) for name in others} == others


def test_the_environment_is_restored_when_the_block_fails(tmp_path: Path) -> None:
    os.environ.pop("KUBECONFIG", None)
    with pytest.raises(LookupError), cluster_environment(kubeconfig(tmp_path / "config", "a")):
        raise LookupError
    assert "KUBECONFIG" not in os.environ


def test_another_context_is_current_in_a_private_copy_that_is_removed(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "config", "a", "b", current="a")

    with cluster_environment(path, "b"):
        copy = Path(os.environ["KUBECONFIG"])
        assert copy != path
        assert copy.stat().st_mode & 0o777 == 0o600
        assert asyncio.run(load_config()).server == "https://b.example:6443"
        assert asyncio.run(load_config(context="a")).server == "https://a.example:6443"

    assert not copy.exists()
    assert yaml.safe_load(path.read_text())["current-context"] == "a"


def test_several_files_become_one_in_which_the_first_wins(tmp_path: Path) -> None:
    first = kubeconfig(tmp_path / "first", "a", "b", current="b")
    second = kubeconfig(tmp_path / "second", "b", "c", current="c")
    document = yaml.safe_load(second.read_text())
    document["clusters"][0]["cluster"]["server"] = "https://loser.example"
    second.write_text(yaml.safe_dump(document))
    os.environ["KUBECONFIG"] = os.pathsep.join([str(first), str(second)])

    with cluster_environment() as used:
        assert used is not None
        assert used.paths == (first, second)
        assert os.pathsep not in os.environ["KUBECONFIG"]
        assert asyncio.run(load_config()).server == "https://b.example:6443"
        assert asyncio.run(load_config(context="c")).server == "https://c.example:6443"


def test_relative_paths_still_lead_to_the_same_files(tmp_path: Path) -> None:
    folder = tmp_path / "deep"
    folder.mkdir()
    (folder / "token").write_text("from-the-file")
    (folder / "login").write_text('#!/bin/sh\necho \'{"kind":"ExecCredential"}\'\n')
    path = kubeconfig(folder / "config", "a", "b", tokenFile="token", exec={"command": "./login"})

    with cluster_environment(path, "b"):
        user = yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text())["users"][1]["user"]
        assert Path(user["tokenFile"]).read_text() == "from-the-file"
        assert Path(user["exec"]["command"]).resolve() == folder / "login"
        assert asyncio.run(asyncio.run(load_config()).headers()) == [("Authorization", "Bearer from-the-file")]


def test_a_context_that_is_missing_is_named(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "config", "a", "b")
    with pytest.raises(ConfigError, match="no context 'c'; there are: a, b"), cluster_environment(path, "c"):
        pass


def test_a_pods_own_account_has_no_contexts_and_stays(tmp_path: Path) -> None:
    os.environ.pop("KUBECONFIG", None)
    os.environ.update(HOME=str(tmp_path), KUBERNETES_SERVICE_HOST="10.0.0.1")
    with cluster_environment() as used:
        assert used is None
        assert os.environ["KUBERNETES_SERVICE_HOST"] == "10.0.0.1"
    with pytest.raises(ConfigError, match="own account has no contexts"), cluster_environment(None, "a"):
        pass


def test_the_official_client_follows_even_if_it_was_imported_before(tmp_path: Path) -> None:
    importlib.import_module("kubernetes")
    official = importlib.import_module("kubernetes.config.kube_config")
    former = official.KUBE_CONFIG_DEFAULT_LOCATION
    with cluster_environment(kubeconfig(tmp_path / "config", "a", "b"), "b"):
        assert official.list_kube_config_contexts()[1]["name"] == "b"
    assert former == official.KUBE_CONFIG_DEFAULT_LOCATION


CLIENTS = """
import asyncio, json, os, subprocess, sys
import kubernetes, kubernetes.config
from zestor_controller import Client

kubernetes.config.load_config()
seen = {"official": kubernetes.client.Configuration.get_default_copy().host}

async def ours():
    async with Client.connect() as client:
        return client.transport.host

seen["ours"] = asyncio.run(ours())
code = "import kubernetes as k; k.config.load_kube_config(); print(k.client.Configuration.get_default_copy().host)"
seen["child"] = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip()
try:
    kubernetes.config.load_incluster_config()
    seen["pod"] = kubernetes.client.Configuration.get_default_copy().host
except kubernetes.config.ConfigException:
    seen["pod"] = None
with open(os.environ["SEEN"], "w") as file:
    json.dump(seen, file)
"""


def test_every_client_of_a_command_finds_its_cluster_when_the_operator_is_imported(tmp_path: Path) -> None:
    """The shell names another cluster, and the process is in a pod of a third."""
    (tmp_path / "app.py").write_text(
        CLIENTS + "from zestor_controller import Controller\n\nmaps = Controller('v1/ConfigMap')\n\n\n"
        "@maps.reconciler\nasync def reconcile(obj, ctx): ...\n"
    )
    shell = kubeconfig(tmp_path / "shell", "shell")
    meant = kubeconfig(tmp_path / "meant", "first", "second", current="first")
    env = {
        **os.environ,
        "KUBECONFIG": str(shell),
        "KUBERNETES_SERVICE_HOST": "10.0.0.1",
        "KUBERNETES_SERVICE_PORT": "443",
        "SEEN": str(tmp_path / "seen.json"),
    }
    command = ["run", str(tmp_path / "app.py"), "--kubeconfig", str(meant), "--context", "second"]
    # A lease that is shorter than its renew deadline is refused, which ends the command after the import.
    done = subprocess.run(
        [sys.executable, "-m", "zestor_controller.cli.main", *command, "--lease-duration", "1s", "--leader-elect"],
        env=env,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (tmp_path / "seen.json").exists(), done.stderr
    server = "second.example:6443"
    assert json.loads((tmp_path / "seen.json").read_text()) == {
        "official": f"https://{server}",
        "ours": server,
        "child": f"https://{server}",
        "pod": None,
    }


def test_a_certificate_in_the_file_survives_the_private_copy(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "config", "a", "b")
    document = yaml.safe_load(path.read_text())
    document["clusters"][1]["cluster"]["certificate-authority-data"] = base64.b64encode(b"pem").decode()
    path.write_text(yaml.safe_dump(document))
    with cluster_environment(path, "b"):
        copy = yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text())
    assert base64.b64decode(copy["clusters"][1]["cluster"]["certificate-authority-data"]) == b"pem"
