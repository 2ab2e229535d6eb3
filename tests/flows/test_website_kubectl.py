"""Example 01 on an embedded cluster, driven by stock kubectl as a user drives it."""

import asyncio
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from zestor_controller.cli.target import load_target
from zestor_controller.cluster import EmbeddedCluster
from zestor_controller.crd import crd_for
from zestor_controller.testing.binaries import kubectl

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "01_website"

pytestmark = [pytest.mark.timeout(180), pytest.mark.xdist_group("kubectl")]


class Kubectl:
    def __init__(self, binary: Path, kubeconfig: Path, home: Path) -> None:
        self.binary = binary
        self.env = {**os.environ, "KUBECONFIG": str(kubeconfig), "HOME": str(home)}

    def __call__(self, *arguments: str, text: str | None = None, code: int = 0) -> str:
        command = [str(self.binary), *arguments]
        done = subprocess.run(
            command, env=self.env, input=text, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr


@pytest.fixture(params=["1.32", "1.37"])
def user(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kubectl]:
    """kubectl against a cluster on which the example runs."""
    target = load_target(str(EXAMPLE))
    started, loop_holder = threading.Event(), {}

    async def operate(cluster: EmbeddedCluster) -> None:
        stop = loop_holder["stop"] = asyncio.Event()
        loop_holder["loop"] = asyncio.get_running_loop()
        started.set()
        target.manager.kubeconfig = cluster.kubeconfig
        await target.manager.serve(stop)

    with EmbeddedCluster() as cluster:
        for model in target.models:
            cluster.client.apply(crd_for(model))
        thread = threading.Thread(target=lambda: asyncio.run(operate(cluster)))
        thread.start()
        started.wait(10)
        yield Kubectl(kubectl(request.param), cluster.kubeconfig, tmp_path)
        loop_holder["loop"].call_soon_threadsafe(loop_holder["stop"].set)
        thread.join(20)
        assert not thread.is_alive()


def test_a_user_drives_the_example_with_stock_kubectl(user: Kubectl) -> None:
    manifests = str(EXAMPLE / "manifests")
    user("wait", "--for=condition=Established", "crd/websites.demo.zestor.dev", "--timeout=20s")
    assert "website.demo.zestor.dev/blog created" in user("apply", "-f", manifests)
    user("wait", "--for=condition=Ready", "website/blog", "--timeout=30s")

    header, row = user("get", "websites").splitlines()
    assert header.split() == ["NAME", "REPLICAS", "READY", "AGE"]
    assert row.split()[:3] == ["blog", "2", "True"]
    assert len(user("get", "pods", "-o", "name").splitlines()) == 2

    user("scale", "website", "blog", "--replicas=3")
    user("wait", "--for=jsonpath={.status.readyReplicas}=3", "website/blog", "--timeout=30s")
    assert "replicas" in user("explain", "website.spec")
    assert "Kind:         Website" in user("describe", "website", "blog")
    assert "websites" in user("api-resources", "--api-group=demo.zestor.dev")
    assert "serverside-applied" in user("apply", "--server-side", "--force-conflicts", "-f", manifests)
    user("wait", "--for=jsonpath={.status.readyReplicas}=2", "website/blog", "--timeout=30s")
    assert user("diff", "-f", manifests) == ""

    before = user("get", "deployment", "blog", "-o", "jsonpath={.metadata.uid}")
    user("delete", "deployment", "blog")
    user("wait", "--for=create", "deployment/blog", "--timeout=30s")
    assert user("get", "deployment", "blog", "-o", "jsonpath={.metadata.uid}") != before

    bad = "apiVersion: demo.zestor.dev/v1\nkind: Website\nmetadata: {name: bad}\nspec: {replicas: 51}\n"
    refused = user("apply", "-f", "-", text=bad, code=1)
    assert "spec.replicas" in refused
    assert "should be less than or equal to 50" in refused

    user("create", "configmap", "settings", "--from-literal=a=b")
    assert user("get", "configmap", "settings", "-o", "jsonpath={.data.a}") == "b"
    user("delete", "website", "blog")
    user("wait", "--for=delete", "deployment/blog", "service/blog", "configmap/blog", "--timeout=30s")
