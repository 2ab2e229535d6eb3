"""Example 07 and the how-to, as users run them: `kopf run` in a process; and what editors say of the mirrored kinds."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from zestor_controller import EmbeddedCluster, Unstructured

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "07_kopf"
PAGE = (ROOT / "docs" / "how-to" / "cache-for-kopf.md").read_text()
SITE = "demo.zestor.dev/v1/Site"
CRD = "apiextensions.k8s.io/v1/CustomResourceDefinition"


@contextmanager
def kopf_run(program: Path, cluster: EmbeddedCluster) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-P", "-m", "kopf", "run", "--standalone", "--all-namespaces", str(program)]
    env = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig)}
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True, cwd=program.parent) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)


def processed(cluster: EmbeddedCluster, name: str) -> dict[str, Any]:
    def reported(site: Unstructured | None) -> bool:
        return site is not None and bool(site.get("status", {}).get("message"))

    site = cluster.client.wait_for(SITE, name, reported, namespace="default")
    return {key: site["status"].get(key) for key in ("message", "page")}


def outcome(program: Path) -> tuple[dict[str, dict[str, Any]], Counter[str]]:
    """What becomes of the example's sites, and the requests that were sent for sites and ConfigMaps."""
    with EmbeddedCluster() as cluster:
        client = cluster.client
        client.create(yaml.safe_load((ROOT / "crds" / "sites.demo.zestor.dev.yaml").read_text()))
        client.wait_for(CRD, "sites.demo.zestor.dev", "Established")
        objects = list(yaml.safe_load_all((EXAMPLE / "manifests" / "sites.yaml").read_text()))
        for obj in objects:
            client.create(obj, namespace="default")
        before = len(cluster.requests)
        with kopf_run(program, cluster):
            sites = {name: processed(cluster, name) for name in ("blog", "copy", "shop")}
            sent = Counter(
                f"{record.verb} {record.resource}"
                for record in cluster.requests[before:]
                if record.resource in ("sites.demo.zestor.dev", "configmaps")
            )
        return sites, sent


def test_the_example_gives_the_same_results_before_and_after_and_asks_for_nothing() -> None:
    before, asked = outcome(EXAMPLE / "before.py")
    after, sent = outcome(EXAMPLE / "main.py")
    assert after == before
    assert after == {
        "blog": {"message": "published", "page": "<h1>blog</h1>"},
        "copy": {"message": "the host belongs to blog", "page": None},
        "shop": {"message": "there is no theme missing", "page": None},
    }
    assert asked["get configmaps"] == 3
    assert sent["get configmaps"] == 0
    lists = "list sites.demo.zestor.dev"
    assert asked[lists] > sent[lists]  # one of each handler; the mirror lists once


@pytest.mark.parametrize("name", ["main.py", "before.py"])
def test_the_example_says_what_the_page_of_it_says(name: str) -> None:
    assert f"[{name}]({name})" in (EXAMPLE / "README.md").read_text()


def test_the_operator_of_the_page_reads_what_the_cluster_holds(tmp_path: Path) -> None:
    (program,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)
    (tmp_path / "main.py").write_text(program)
    with EmbeddedCluster() as cluster:
        for name, labels in (("settings", {}), ("one", {"team": "red"}), ("two", {"team": "red"})):
            body = {"metadata": {"name": name, "labels": labels}, "data": {"a": "1"}}
            cluster.client.create("v1/ConfigMap", body, namespace="default")
        message = "default/default: settings {'a': '1'}, team red has 2 config maps"
        with kopf_run(tmp_path / "main.py", cluster) as process:
            assert process.stderr is not None
            assert any(message in line for line in process.stderr)


TYPED = """
from typing import TYPE_CHECKING, assert_type, cast

import kopf

from zestor_controller import CustomResource, Spec, Status

if TYPE_CHECKING:
    from zestor_controller.store import Event, StoreKind


class WebsiteSpec(Spec):
    replicas: int = 1


class Website(CustomResource[WebsiteSpec, Status], group="g.example.org", version="v1", plural="websites"):
    pass


@kopf.on.create("websites")
def handler(memo: kopf.Memo, **_: object) -> None:
    websites = cast("StoreKind[Website]", memo.websites)
    assert_type(websites.get("a/b"), Website | None)
    assert_type(websites.by_index("team", "red"), list[Website])
    with websites.watch() as watch:
        for event in watch:
            assert_type(event, "Event[Website]")
"""


@pytest.mark.parametrize("checker", ["mypy", "basedpyright"])
def test_one_cast_shows_an_editor_what_a_mirrored_kind_holds(tmp_path: Path, checker: str) -> None:
    (tmp_path / "typed.py").write_text(TYPED)
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "typed.py"]
    if checker == "basedpyright":
        (tmp_path / "pyrightconfig.json").write_text(json.dumps({"typeCheckingMode": "standard"}))
        command = [sys.executable, "-m", "basedpyright", "--pythonpath", sys.executable, "typed.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
