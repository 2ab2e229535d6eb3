"""The scheduler and the kubelet, without the other controllers of a cluster."""

from __future__ import annotations

from typing import Any

import pytest

from zestor_controller.cluster.simulation.kubelet import kubelet
from zestor_controller.cluster.simulation.node import NODE
from zestor_controller.cluster.simulation.scheduler import scheduler
from zestor_controller.objects import MergePatch

POD = "v1/Pod"
CONTAINERS = [{"name": "c", "image": "i"}]


async def make_node(cluster: Any, **spec: Any) -> None:
    body = {"metadata": {"name": NODE, "labels": {"disk": "fast"}}, "spec": spec}
    await cluster.client.create("v1/Node", body)


def condition(pod: Any, kind: str) -> tuple[str, str, str]:
    found = next((each for each in pod["status"].get("conditions") or () if each["type"] == kind), {})
    return found.get("status", ""), found.get("reason", ""), found.get("message", "")


# Scheduler


async def test_a_pod_is_bound_to_the_node(simulation: Any) -> None:
    async with simulation(scheduler()) as cluster:
        await make_node(cluster)
        await cluster.create(POD, spec={"containers": CONTAINERS})
        (pod,) = await cluster.until(POD, lambda pods: pods[0]["spec"].get("nodeName") and pods)
        assert (pod["spec"]["nodeName"], condition(pod, "PodScheduled")[0]) == (NODE, "True")


@pytest.mark.parametrize(
    ("node", "pod", "reason"),
    [
        ({"unschedulable": True}, {}, "1 node(s) were unschedulable"),
        ({}, {"nodeSelector": {"disk": "slow"}}, "1 node(s) didn't match Pod's node affinity/selector"),
        (None, {}, "the node of the embedded cluster has been deleted"),
    ],
)
async def test_a_pod_that_fits_no_node_says_why(simulation: Any, node: Any, pod: Any, reason: str) -> None:
    async with simulation(scheduler()) as cluster:
        if node is not None:
            await make_node(cluster, **node)
        await cluster.create(POD, spec={"containers": CONTAINERS, **pod})
        (found,) = await cluster.until(POD, lambda pods: condition(pods[0], "PodScheduled")[0] and pods)
        assert condition(found, "PodScheduled") == ("False", "Unschedulable", f"0/1 nodes are available: {reason}.")
        assert "nodeName" not in found["spec"]


async def test_the_pod_of_a_daemon_set_is_bound_to_a_cordoned_node(simulation: Any) -> None:
    owner = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "d", "uid": "u", "controller": True}
    async with simulation(scheduler()) as cluster:
        await make_node(cluster, unschedulable=True)
        await cluster.create(POD, metadata={"ownerReferences": [owner]}, spec={"containers": CONTAINERS})
        await cluster.until(POD, lambda pods: pods[0]["spec"].get("nodeName"))


@pytest.mark.parametrize("spec", [{"schedulerName": "mine"}, {"schedulingGates": [{"name": "example.com/g"}]}])
async def test_pods_of_another_scheduler_and_gated_ones_are_left_alone(simulation: Any, spec: Any) -> None:
    async with simulation(scheduler()) as cluster:
        await make_node(cluster)
        await cluster.create(POD, "left", spec={"containers": CONTAINERS, **spec})
        await cluster.create(POD, "bound", spec={"containers": CONTAINERS})
        await cluster.until(POD, lambda pods: any(pod["spec"].get("nodeName") for pod in pods))
        bound = [pod.metadata.name for pod in await cluster.list(POD) if pod["spec"].get("nodeName")]
        assert bound == ["bound"]


# Kubelet


def assigned(**more: Any) -> dict[str, Any]:
    return {"containers": CONTAINERS, "nodeName": NODE, **more}


async def test_a_pod_on_the_node_runs_and_is_ready(simulation: Any) -> None:
    async with simulation(with_client=kubelet) as cluster:
        await cluster.create(POD, spec=assigned(initContainers=[{"name": "first", "image": "j"}]))
        (pod,) = await cluster.until(POD, lambda pods: pods[0]["status"]["phase"] == "Running" and pods)
        status = pod["status"]
        assert {each["type"]: each["status"] for each in status["conditions"]} == {
            "PodReadyToStartContainers": "True",
            "Initialized": "True",
            "Ready": "True",
            "ContainersReady": "True",
            "PodScheduled": "True",
        }
        (container,) = status["containerStatuses"]
        assert (container["ready"], container["started"], list(container["state"])) == (True, True, ["running"])
        assert status["initContainerStatuses"][0]["state"]["terminated"]["reason"] == "Completed"
        assert status["podIPs"] == [{"ip": status["podIP"]}]
        assert status["podIP"].startswith("10.244.")


async def test_a_pod_without_a_node_is_not_run(simulation: Any) -> None:
    async with simulation(with_client=kubelet) as cluster:
        await cluster.create(POD, "waiting", spec={"containers": CONTAINERS})
        await cluster.create(POD, "running", spec=assigned())
        await cluster.until(POD, lambda pods: any(pod["status"]["phase"] == "Running" for pod in pods))
        assert (await cluster.get(POD, "waiting"))["status"]["phase"] == "Pending"


async def test_the_pod_of_a_job_succeeds(simulation: Any) -> None:
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "u", "controller": True}
    async with simulation(with_client=kubelet) as cluster:
        await cluster.create(POD, metadata={"ownerReferences": [owner]}, spec=assigned(restartPolicy="Never"))
        (pod,) = await cluster.until(POD, lambda pods: pods[0]["status"]["phase"] == "Succeeded" and pods)
        assert condition(pod, "Ready")[:2] == ("False", "PodCompleted")
        assert pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 0


async def test_a_deleted_pod_ends_and_is_removed(simulation: Any) -> None:
    async with simulation(with_client=kubelet) as cluster:
        await cluster.create(POD, metadata={"finalizers": ["example.com/f"]}, spec=assigned())
        await cluster.until(POD, lambda pods: pods[0]["status"]["phase"] == "Running")
        await cluster.client.delete(POD, "x", namespace="default")
        (pod,) = await cluster.until(
            POD, lambda pods: pods[0]["metadata"].get("deletionGracePeriodSeconds") == 0 and pods
        )
        assert pod["status"]["phase"] == "Succeeded"
        assert pod["status"]["containerStatuses"][0]["state"]["terminated"]["reason"] == "Completed"
        await cluster.client.patch(POD, "x", MergePatch({"metadata": {"finalizers": None}}), namespace="default")
        await cluster.until(POD, lambda pods: not pods)
