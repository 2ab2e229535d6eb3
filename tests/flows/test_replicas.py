"""Two replicas of an operator as processes of their own: `zestor run --leader-elect` on a cluster."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from zestor_controller import EmbeddedCluster, Unstructured

LEASE = "coordination.k8s.io/v1/Lease"
OPERATOR = """
from zestor_controller import Controller
from zestor_controller.objects import MergePatch

settings = Controller("v1/ConfigMap", name="settings")

@settings.reconciler
async def reconcile(obj, ctx):
    if obj.metadata.name.startswith("do-"):
        patch = MergePatch({"metadata": {"annotations": {"done": "yes"}}})
        await ctx.client.patch("v1/ConfigMap", obj.metadata.name, patch, namespace=obj.metadata.namespace)
"""


@contextmanager
def replica(folder: Path, cluster: EmbeddedCluster) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "zestor_controller.cli.main", "run", str(folder / "main.py")]
    command += ["--kubeconfig", str(cluster.kubeconfig), "--leader-elect", "--lease-name", "settings"]
    command += ["--lease-duration", "3s", "--renew-deadline", "2s", "--retry-period", "500ms"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for_log(process: subprocess.Popen[str], text: str) -> None:
    """Read what a replica logs until the text is in it."""
    assert process.stderr is not None
    assert any(text in line for line in process.stderr), "the replica ended without saying so"


def next_holder(cluster: EmbeddedCluster, before: str = "") -> str:
    """The holder of the lease, once it is not `before`."""

    def another(lease: Unstructured | None) -> bool:
        return lease is not None and lease["spec"].get("holderIdentity", before) != before

    lease = cluster.client.wait_for(LEASE, "settings", another, namespace="default", timeout=timedelta(seconds=20))
    return str(lease["spec"]["holderIdentity"])


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL], ids=lambda end: end.name)
def test_l2_another_replica_goes_on(tmp_path: Path, end: signal.Signals) -> None:
    (tmp_path / "main.py").write_text(OPERATOR)
    with EmbeddedCluster() as cluster, replica(tmp_path, cluster) as first:
        wait_for_log(first, "this replica leads")
        leader = next_holder(cluster)
        with replica(tmp_path, cluster) as second:
            wait_for_log(second, "standby")
            began = time.monotonic()
            first.send_signal(end)
            assert next_holder(cluster, leader) != leader
            if end is signal.SIGTERM:
                assert time.monotonic() - began < 2.5  # of which the stop takes its part
                assert first.wait(10) == 0
            cluster.client.create("v1/ConfigMap", {"metadata": {"name": "do-it"}}, namespace="default")
            cluster.client.wait_for(
                "v1/ConfigMap", "do-it", lambda found: bool(found and found.metadata.annotations), namespace="default"
            )
            second.send_signal(signal.SIGTERM)
            assert second.wait(10) == 0
        assert "holderIdentity" not in cluster.client.get(LEASE, "settings", namespace="default")["spec"]


def test_an_operator_with_a_checkpoint_comes_back_without_a_list(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(OPERATOR)
    with EmbeddedCluster() as cluster:
        asked = []
        for name in ("do-one", "do-two"):
            cluster.client.create("v1/ConfigMap", {"metadata": {"name": name}}, namespace="default")
            before = len(cluster.requests)
            command = [sys.executable, "-m", "zestor_controller.cli.main", "run", str(tmp_path / "main.py")]
            command += ["--kubeconfig", str(cluster.kubeconfig), "--checkpoint", str(tmp_path / "kept")]
            with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
                cluster.client.wait_for(
                    "v1/ConfigMap", name, lambda found: bool(found and found.metadata.annotations), namespace="default"
                )
                lists = [r for r in cluster.requests[before:] if r.verb == "list" and r.resource == "configmaps"]
                asked.append(len([record for record in lists if not record.name and not record.namespace]))
                process.send_signal(signal.SIGTERM)
                assert process.wait(20) == 0
            assert list((tmp_path / "kept").glob("*.checkpoint"))
        # The second life asks for the present version, by a list of one object; had it listed, there would be two.
        assert asked == [1, 1]
