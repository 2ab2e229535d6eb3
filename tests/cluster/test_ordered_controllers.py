"""StatefulSets and Jobs, without the other controllers of a cluster.

Source: pkg/controller/statefulset, pkg/controller/job, pkg/controller/ttlafterfinished.
"""

from __future__ import annotations

from typing import Any

import pytest

from zestor_controller.cluster.simulation.job import jobs
from zestor_controller.cluster.simulation.statefulset import stateful_sets

POD, SET, JOB, CLAIM = "v1/Pod", "apps/v1/StatefulSet", "batch/v1/Job", "v1/PersistentVolumeClaim"
LABELS = {"a": "b"}


def spec(image: str = "i", **more: Any) -> dict[str, Any]:
    template = {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "c", "image": image}]}}
    return {"selector": {"matchLabels": LABELS}, "template": template, **more}


def names(pods: list[Any]) -> list[str]:
    return sorted(pod.metadata.name for pod in pods)


async def pods_named(cluster: Any, *expected: str) -> list[Any]:
    """Wait until exactly these Pods exist."""
    found: list[Any] = await cluster.until(POD, lambda pods: names(pods) == sorted(expected) and pods)
    return found


# StatefulSets


async def test_the_next_pod_waits_for_the_one_before_it(simulation: Any) -> None:
    async with simulation(stateful_sets()) as cluster:
        await cluster.create(SET, spec=spec(replicas=2))
        await pods_named(cluster, "x-0")
        await cluster.until(SET, lambda sets: sets[0]["status"].get("replicas") == 1)
        assert names(await cluster.list(POD)) == ["x-0"]
        await cluster.ready("x-0")
        await pods_named(cluster, "x-0", "x-1")


async def test_parallel_pods_do_not_wait(simulation: Any) -> None:
    async with simulation(stateful_sets()) as cluster:
        await cluster.create(SET, spec=spec(replicas=3, podManagementPolicy="Parallel"))
        await pods_named(cluster, "x-0", "x-1", "x-2")


async def test_ordinals_start_where_the_spec_says(simulation: Any) -> None:
    async with simulation(stateful_sets()) as cluster:
        await cluster.create(SET, spec=spec(replicas=2, ordinals={"start": 5}, podManagementPolicy="Parallel"))
        await pods_named(cluster, "x-5", "x-6")


async def test_a_pod_has_its_ordinal_and_its_names(simulation: Any) -> None:
    async with simulation(stateful_sets()) as cluster:
        await cluster.create(SET, spec=spec(serviceName="svc"))
        (pod,) = await pods_named(cluster, "x-0")
        assert pod.metadata.labels["statefulset.kubernetes.io/pod-name"] == "x-0"
        assert pod.metadata.labels["apps.kubernetes.io/pod-index"] == "0"
        assert (pod["spec"]["hostname"], pod["spec"]["subdomain"]) == ("x-0", "svc")


async def test_the_last_pod_is_deleted_first(simulation: Any) -> None:
    async with simulation(stateful_sets()) as cluster:
        await cluster.create(SET, spec=spec(replicas=3, podManagementPolicy="Parallel"))
        await pods_named(cluster, "x-0", "x-1", "x-2")
        await cluster.ready("x-0", "x-1", "x-2")
        await cluster.patch(SET, "x", {"spec": {"replicas": 1}})
        await pods_named(cluster, "x-0")


@pytest.mark.parametrize(("policy", "left"), [("Retain", ["data-x-0", "data-x-1"]), ("Delete", ["data-x-0"])])
async def test_claims_of_pods_that_are_scaled_away(simulation: Any, policy: str, left: list[str]) -> None:
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    given = spec(
        replicas=2,
        podManagementPolicy="Parallel",
        volumeClaimTemplates=[{"metadata": {"name": "data"}, "spec": claim}],
        persistentVolumeClaimRetentionPolicy={"whenScaled": policy},
    )
    async with simulation(stateful_sets()) as cluster:
        await cluster.create(SET, spec=given)
        await pods_named(cluster, "x-0", "x-1")
        await cluster.ready("x-0", "x-1")
        await cluster.patch(SET, "x", {"spec": {"replicas": 1}})
        await pods_named(cluster, "x-0")
        await cluster.until(SET, lambda sets: sets[0]["status"]["observedGeneration"] == 2)
        # The protection of claims in use is not simulated: a deleted claim keeps its finalizer.
        claims = await cluster.until(
            CLAIM, lambda claims: len([c for c in claims if not terminating(c)]) == len(left) and claims
        )
        assert names([each for each in claims if not terminating(each)]) == left


def terminating(obj: Any) -> bool:
    return obj.metadata.deletion_timestamp is not None


@pytest.mark.parametrize(("policy", "owned"), [("Retain", False), ("Delete", True)])
async def test_a_claim_belongs_to_its_set_only_where_it_shall_be_deleted_with_it(
    simulation: Any, policy: str, owned: bool
) -> None:
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    given = spec(
        volumeClaimTemplates=[{"metadata": {"name": "data"}, "spec": claim}],
        persistentVolumeClaimRetentionPolicy={"whenDeleted": policy},
    )
    async with simulation(stateful_sets()) as cluster:
        await cluster.create(SET, spec=given)
        (made,) = await cluster.until(CLAIM, lambda claims: claims)
        assert (made.metadata.name, made.metadata.labels) == ("data-x-0", LABELS)
        assert bool(made.metadata.owner_references) is owned


async def test_an_update_replaces_the_last_pod_first_and_waits_for_it(simulation: Any) -> None:
    async with simulation(stateful_sets()) as cluster:
        await cluster.create(SET, spec=spec(replicas=2, podManagementPolicy="Parallel"))
        await pods_named(cluster, "x-0", "x-1")
        await cluster.ready("x-0", "x-1")
        await cluster.patch(SET, "x", {"spec": {"template": spec("j")["template"]}})

        def images(pods: list[Any]) -> dict[str, str]:
            return {pod.metadata.name: pod["spec"]["containers"][0]["image"] for pod in pods}

        await cluster.until(POD, lambda pods: images(pods) == {"x-0": "i", "x-1": "j"})
        await cluster.until(SET, lambda sets: sets[0]["status"].get("updatedReplicas") == 1)
        assert images(await cluster.list(POD)) == {"x-0": "i", "x-1": "j"}
        await cluster.ready("x-1")
        await cluster.until(POD, lambda pods: images(pods) == {"x-0": "j", "x-1": "j"})


async def test_a_current_revision_becomes_the_update_once_all_pods_have_it(simulation: Any) -> None:
    async with simulation(stateful_sets()) as cluster:
        await cluster.create(SET, spec=spec())
        await pods_named(cluster, "x-0")
        await cluster.ready("x-0")
        (before,) = await cluster.until(SET, lambda sets: sets[0]["status"].get("readyReplicas") and sets)
        await cluster.patch(SET, "x", {"spec": {"template": spec("j")["template"]}})
        (during,) = await cluster.until(
            SET, lambda sets: sets[0]["status"]["updateRevision"] != before["status"]["updateRevision"] and sets
        )
        assert during["status"]["currentRevision"] == before["status"]["currentRevision"]
        await cluster.until(POD, lambda pods: pods and pods[0]["spec"]["containers"][0]["image"] == "j")
        await cluster.ready("x-0")
        await cluster.until(
            SET, lambda sets: sets[0]["status"]["currentRevision"] == sets[0]["status"]["updateRevision"]
        )


# Jobs


def job(**more: Any) -> dict[str, Any]:
    return {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}, **more}


async def succeed(cluster: Any, *pods: Any) -> None:
    for pod in pods:
        await cluster.patch(POD, pod.metadata.name, {"status": {"phase": "Succeeded"}}, "status")


def active(pods: list[Any]) -> list[Any]:
    return [pod for pod in pods if pod["status"]["phase"] != "Succeeded"]


async def test_a_job_runs_no_more_pods_at_a_time_than_its_parallelism(simulation: Any) -> None:
    async with simulation(jobs()) as cluster:
        await cluster.create(JOB, spec=job(completions=3, parallelism=2))
        first = await cluster.until(POD, lambda pods: len(pods) == 2 and pods)
        await cluster.until(JOB, lambda found: found[0]["status"].get("active") == 2)
        await succeed(cluster, first[0])
        pods = await cluster.until(POD, lambda pods: len(pods) == 3 and pods)
        assert len(active(pods)) == 2


async def test_a_job_is_complete_when_enough_pods_have_succeeded(simulation: Any) -> None:
    async with simulation(jobs()) as cluster:
        await cluster.create(JOB, spec=job(completions=2, parallelism=2))
        pods = await cluster.until(POD, lambda pods: len(pods) == 2 and pods)
        await succeed(cluster, *pods)
        (done,) = await cluster.until(JOB, lambda found: found[0]["status"].get("completionTime") and found)
        assert done["status"]["succeeded"] == 2
        assert {each["type"]: each["reason"] for each in done["status"]["conditions"]} == {
            "SuccessCriteriaMet": "CompletionsReached",
            "Complete": "CompletionsReached",
        }


async def test_an_indexed_job_gives_each_pod_its_index(simulation: Any) -> None:
    index = "batch.kubernetes.io/job-completion-index"
    async with simulation(jobs()) as cluster:
        await cluster.create(JOB, spec=job(completions=2, parallelism=2, completionMode="Indexed"))
        pods = await cluster.until(POD, lambda pods: len(pods) == 2 and pods)
        assert sorted(pod.metadata.annotations[index] for pod in pods) == ["0", "1"]
        await succeed(cluster, next(pod for pod in pods if pod.metadata.annotations[index] == "1"))
        await cluster.until(JOB, lambda found: found[0]["status"].get("completedIndexes") == "1")


async def test_a_suspended_job_deletes_its_pods_and_creates_them_again_when_resumed(simulation: Any) -> None:
    async with simulation(jobs()) as cluster:
        await cluster.create(JOB, spec=job())
        await cluster.until(POD, lambda pods: len(pods) == 1)
        await cluster.patch(JOB, "x", {"spec": {"suspend": True}})
        (suspended,) = await cluster.until(JOB, lambda found: found[0]["status"].get("conditions") and found)
        assert suspended["status"]["conditions"][0]["reason"] == "JobSuspended"
        assert await cluster.list(POD) == []
        await cluster.patch(JOB, "x", {"spec": {"suspend": False}})
        await cluster.until(POD, lambda pods: len(pods) == 1)


async def test_a_finished_job_is_deleted_after_its_time_to_live(simulation: Any) -> None:
    async with simulation(jobs()) as cluster:
        await cluster.create(JOB, spec=job(ttlSecondsAfterFinished=0))
        pods = await cluster.until(POD, lambda pods: pods)
        await succeed(cluster, *pods)
        # Foreground: the garbage collector, which does not run here, would remove its Pods first.
        (found,) = await cluster.until(JOB, lambda found: terminating(found[0]) and found)
        assert found.metadata.finalizers == ["foregroundDeletion"]
