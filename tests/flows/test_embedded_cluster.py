"""The embedded cluster as users meet it: fixtures, example 08, garbage collection, namespaces, stopping."""

import os
import ssl
import stat
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from datetime import timedelta
from pathlib import Path

import pytest

from zestor_controller import ClusterCache, EmbeddedCluster, Manager
from zestor_controller.cli.manifests import read_manifests
from zestor_controller.client import BlockingClient
from zestor_controller.errors import ConfigError, Invalid, NotFound

ROOT = Path(__file__).parents[2]
WAIT = timedelta(seconds=20)


def test_the_client_fixture_serves_plain_functions(zestor_client: BlockingClient) -> None:
    zestor_client.create("v1/ConfigMap", {"metadata": {"name": "a"}, "data": {"k": "v"}}, namespace="default")
    assert zestor_client.get("v1/ConfigMap", "a", namespace="default")["data"] == {"k": "v"}


def test_the_cluster_notes_what_it_was_asked(zestor_cluster: EmbeddedCluster) -> None:
    with pytest.raises(NotFound):
        zestor_cluster.client.get("v1/Secret", "none", namespace="default")
    found = [r for r in zestor_cluster.requests if r.resource == "secrets"]
    assert [(r.verb, r.name, r.code) for r in found] == [("get", "none", 404)]


def test_a5_it_listens_on_loopback_and_its_kubeconfig_is_readable_by_its_owner_alone(
    zestor_cluster: EmbeddedCluster,
) -> None:
    assert zestor_cluster.url.startswith("https://127.0.0.1:")
    assert stat.S_IMODE(zestor_cluster.kubeconfig.stat().st_mode) == 0o600


def test_a5_a_request_without_a_token_is_refused(zestor_cluster: EmbeddedCluster) -> None:
    context = ssl._create_unverified_context()
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{zestor_cluster.url}/api/v1/secrets", context=context)
    assert caught.value.code == 401
    caught.value.close()


def test_example_08_reads_from_its_cache(zestor_cluster: EmbeddedCluster) -> None:
    folder = ROOT / "examples" / "08_cache_only"
    for manifest in read_manifests([str(folder / "manifests")]):
        zestor_cluster.client.apply(manifest.body)
    zestor_cluster.client.wait_for(
        "apps/v1/Deployment",
        "web",
        lambda d: d and d["status"].get("readyReplicas") == 2,
        namespace="default",
        timeout=WAIT,
    )
    done = subprocess.run(
        [sys.executable, str(folder / "main.py")],
        env={**os.environ, "KUBECONFIG": str(zestor_cluster.kubeconfig)},
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("2 pods, ")
    assert done.stdout.count("runs nginx:1.27: Running") == 2
    assert "config map default/settings" in done.stdout


def test_children_go_after_their_owner(zestor_client: BlockingClient) -> None:
    owner = zestor_client.create("v1/ConfigMap", {"metadata": {"name": "owner"}}, namespace="default")
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner.metadata.uid}
    body = {"metadata": {"name": "child", "ownerReferences": [reference]}}
    zestor_client.create("v1/ConfigMap", body, namespace="default")
    zestor_client.delete("v1/ConfigMap", "owner", namespace="default")
    zestor_client.wait_for("v1/ConfigMap", "child", lambda obj: obj is None, namespace="default", timeout=WAIT)


def test_a_namespace_is_emptied_and_goes(zestor_client: BlockingClient) -> None:
    zestor_client.create("v1/Namespace", {"metadata": {"name": "short"}})
    zestor_client.wait_for("v1/ServiceAccount", "default", bool, namespace="short", timeout=WAIT)
    zestor_client.create("v1/ConfigMap", {"metadata": {"name": "a"}}, namespace="short")
    zestor_client.delete("v1/Namespace", "short")
    zestor_client.wait_for("v1/Namespace", "short", lambda obj: obj is None, timeout=WAIT)
    assert len(zestor_client.list("v1/ConfigMap", namespace="short")) == 0


def test_a_cache_survives_a_compaction_and_finds_what_went_meanwhile(zestor_cluster: EmbeddedCluster) -> None:
    client = zestor_cluster.client
    for name in ("stays", "goes"):
        client.create("v1/ConfigMap", {"metadata": {"name": name}}, namespace="default")
    with ClusterCache(kubeconfig=zestor_cluster.kubeconfig) as cache:
        known = cache.add("v1/ConfigMap", namespaces=["default"])
        assert known.get("goes") is not None
        zestor_cluster.compact()
        client.delete("v1/ConfigMap", "goes", namespace="default")
        with known.watch(names={"default/goes"}, initial_replay=True) as watch:
            while known.get("goes") is not None:
                assert watch.get(timeout=20) is not None
        assert known.get("stays") is not None


def test_the_servers_causes_reach_the_caller(zestor_client: BlockingClient) -> None:
    with pytest.raises(Invalid) as caught:
        zestor_client.create("v1/ConfigMap", {"metadata": {"name": "Bad_Name"}}, namespace="default")
    assert [cause.field for cause in caught.value.causes] == ["metadata.name"]


def test_leaving_the_block_leaves_no_thread_behind() -> None:
    before = set(threading.enumerate())
    with EmbeddedCluster():
        assert len(set(threading.enumerate()) - before) >= 1
    assert [t.name for t in set(threading.enumerate()) - before if t.is_alive()] == []


def test_a_word_that_names_no_controllers_is_refused() -> None:
    with pytest.raises(ConfigError, match="all, none"):
        EmbeddedCluster(controllers="some")


def test_constructing_a_manager_connects_nowhere() -> None:
    assert Manager(kubeconfig="/nowhere").kubeconfig == "/nowhere"
