"""ReplicaSets, ReplicationControllers and DaemonSets, without the other controllers of a cluster.

Source: pkg/controller/replicaset, pkg/controller/daemon.
"""

from __future__ import annotations

from typing import Any

from zestor_controller.cluster.simulation.daemonset import daemon_sets
from zestor_controller.cluster.simulation.ownedpod import REVISION_LABEL
from zestor_controller.cluster.simulation.replicaset import replica_sets

POD, SET, DAEMON_SET = "v1/Pod", "apps/v1/ReplicaSet", "apps/v1/DaemonSet"
LABELS = {"a": "b"}


def spec(image: str = "i", **more: Any) -> dict[str, Any]:
    template = {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "c", "image": image}]}}
    return {"selector": {"matchLabels": LABELS}, "template": template, **more}


def names(pods: list[Any]) -> list[str]:
    return sorted(pod.metadata.name for pod in pods)


async def test_a_replica_set_creates_its_pods_and_controls_them(simulation: Any) -> None:
    async with simulation(replica_sets()) as cluster:
        owner = await cluster.create(SET, spec=spec(replicas=3))
        pods = await cluster.until(POD, lambda pods: len(pods) == 3 and pods)
        for pod in pods:
            (reference,) = pod["metadata"]["ownerReferences"]
            assert (reference["uid"], reference["controller"], pod.metadata.labels) == (
                owner.metadata.uid,
                True,
                LABELS,
            )


async def test_a_replica_set_replaces_a_deleted_pod_under_its_name(simulation: Any) -> None:
    async with simulation(replica_sets()) as cluster:
        await cluster.create(SET, spec=spec(replicas=2))
        before = await cluster.until(POD, lambda pods: len(pods) == 2 and pods)
        await cluster.client.delete(POD, before[0].metadata.name, namespace="default")
        uids = {pod.metadata.uid for pod in before}
        after = await cluster.until(
            POD, lambda pods: len(pods) == 2 and {pod.metadata.uid for pod in pods} != uids and pods
        )
        assert names(after) == names(before)


async def test_a_replica_set_scales_down(simulation: Any) -> None:
    async with simulation(replica_sets()) as cluster:
        await cluster.create(SET, spec=spec(replicas=3))
        before = names(await cluster.until(POD, lambda pods: len(pods) == 3 and pods))
        await cluster.patch(SET, "x", {"spec": {"replicas": 1}})
        after = names(await cluster.until(POD, lambda pods: len(pods) == 1 and pods))
        assert set(after) < set(before)


async def test_a_status_counts_ready_and_available_pods(simulation: Any) -> None:
    async with simulation(replica_sets()) as cluster:
        await cluster.create(SET, spec=spec(replicas=2))
        pods = names(await cluster.until(POD, lambda pods: len(pods) == 2 and pods))
        await cluster.ready(pods[0])
        (found,) = await cluster.until(
            SET, lambda sets: sets[0]["status"].get("readyReplicas") and sets[0]["status"]["replicas"] == 2 and sets
        )
        assert found["status"] == {
            "observedGeneration": 1,
            "replicas": 2,
            "fullyLabeledReplicas": 2,
            "readyReplicas": 1,
            "availableReplicas": 1,
        }


async def test_a_set_that_is_being_deleted_creates_nothing_more(simulation: Any) -> None:
    async with simulation(replica_sets()) as cluster:
        await cluster.create(SET, spec=spec(replicas=1), metadata={"finalizers": ["example.com/f"]})
        (pod,) = await cluster.until(POD, lambda pods: len(pods) == 1 and pods)
        await cluster.client.delete(SET, "x", namespace="default")
        await cluster.client.delete(POD, pod.metadata.name, namespace="default")
        await cluster.create(SET, "other", spec=spec(replicas=1))
        # By the time that another set has its Pod, this one's deletion has been processed too.
        (only,) = await cluster.until(POD, lambda pods: len(pods) == 1 and pods)
        assert only.metadata.name.startswith("other-")


async def test_a_replication_controller_works_as_a_replica_set(simulation: Any) -> None:
    kind = "v1/ReplicationController"
    async with simulation(replica_sets(kind, "replication-controller")) as cluster:
        await cluster.create(kind, spec={**spec(replicas=2), "selector": LABELS})
        assert len(await cluster.until(POD, lambda pods: len(pods) == 2 and pods)) == 2


async def test_a_daemon_set_has_one_pod_which_carries_the_revision(simulation: Any) -> None:
    async with simulation(daemon_sets()) as cluster:
        await cluster.create(DAEMON_SET, spec=spec())
        (pod,) = await cluster.until(POD, lambda pods: pods)
        assert REVISION_LABEL in pod.metadata.labels
        await cluster.ready(pod.metadata.name)
        (found,) = await cluster.until(DAEMON_SET, lambda sets: sets[0]["status"].get("numberReady") and sets)
        assert found["status"] == {
            "observedGeneration": 1,
            "currentNumberScheduled": 1,
            "desiredNumberScheduled": 1,
            "numberMisscheduled": 0,
            "numberReady": 1,
            "numberAvailable": 1,
            "updatedNumberScheduled": 1,
        }


async def test_a_daemon_set_replaces_its_pod_unless_its_strategy_is_on_delete(simulation: Any) -> None:
    async with simulation(daemon_sets()) as cluster:
        await cluster.create(DAEMON_SET, spec=spec(updateStrategy={"type": "OnDelete"}))
        (pod,) = await cluster.until(POD, lambda pods: pods)
        await cluster.patch(DAEMON_SET, "x", {"spec": {"template": spec("j")["template"]}})
        await cluster.until(
            DAEMON_SET,
            lambda sets: (
                sets[0]["status"]["observedGeneration"] == 2 and not sets[0]["status"].get("updatedNumberScheduled")
            ),
        )
        assert [each.metadata.uid for each in await cluster.list(POD)] == [pod.metadata.uid]
        await cluster.patch(DAEMON_SET, "x", {"spec": {"updateStrategy": {"type": "RollingUpdate"}}})
        (new,) = await cluster.until(POD, lambda pods: pods and pods[0].metadata.uid != pod.metadata.uid and pods)
        assert new["spec"]["containers"][0]["image"] == "j"
