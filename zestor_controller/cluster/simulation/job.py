"""Jobs: Pods that succeed, so many at a time, until there are enough of them; then the Job's own time to live.

Source: pkg/controller/job, pkg/controller/ttlafterfinished.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from zestor_controller.cluster.simulation.ownedpod import (
    POD,
    copied,
    create_pod,
    is_terminating,
    letters,
    owned,
    pod_for,
)
from zestor_controller.cluster.simulation.statuswriter import conditions, now, seconds_since, set_status
from zestor_controller.controller import Context, Controller, Result
from zestor_controller.objects import Unstructured

__all__ = ["jobs"]

JOB = "batch/v1/Job"
INDEX = "batch.kubernetes.io/job-completion-index"
DONE_MESSAGE = "Reached expected number of succeeded pods"


def jobs() -> Controller[Any]:
    """The controller of Jobs, and of how long they stay."""
    controller = Controller(JOB, name="job-controller").owns(POD)

    @controller.reconciler
    async def reconcile(job: Unstructured, ctx: Context) -> Result | None:
        status = job.get("status") or {}
        if is_terminating(job):
            return None
        if status.get("completionTime"):
            return await _expire(ctx, job, status)
        pods = {name: pod for name, pod in owned(ctx, POD, job).items() if not is_terminating(pod)}
        if job["spec"].get("suspend"):
            await _suspend(ctx, job, status, pods)
            return None
        await _start(ctx, job, pods)
        await set_status(ctx.client, JOB, job, _status(job, status, pods))
        return None

    return controller


async def _expire(ctx: Context, job: Unstructured, status: Mapping[str, Any]) -> Result | None:
    """Delete a finished Job when its time is over."""
    seconds = job["spec"].get("ttlSecondsAfterFinished")
    if seconds is None:
        return None
    left = float(seconds) - seconds_since(status["completionTime"])
    if left > 0:
        return Result(requeue_after=timedelta(seconds=left + 0.1))
    meta = job.metadata
    await ctx.client.delete(
        JOB, meta.name, namespace=meta.namespace, uid=meta.uid, propagation="Foreground", missing_ok=True
    )
    return None


async def _suspend(
    ctx: Context, job: Unstructured, status: Mapping[str, Any], pods: Mapping[str, Unstructured]
) -> None:
    for name, pod in pods.items():
        if not _has_succeeded(pod):
            await ctx.delete(POD, name, namespace=job.metadata.namespace)
    suspended = _conditions(status, ("Suspended", "True", "JobSuspended", "Job suspended"))
    written = {"startTime": None, "active": None, "ready": 0, "conditions": suspended}
    await set_status(ctx.client, JOB, job, written)


def _target(job: Unstructured) -> int:
    """How many Pods have to succeed; without ``completions`` one of a work queue's Pods ends the Job."""
    spec = job["spec"]
    return int(spec["completions"]) if spec.get("completions") is not None else int(spec.get("parallelism", 1))


def _has_succeeded(pod: Unstructured) -> bool:
    return bool((pod.get("status") or {}).get("phase") == "Succeeded")


async def _start(ctx: Context, job: Unstructured, pods: Mapping[str, Unstructured]) -> None:
    """Create the Pods of the next slots, as many as may be active at a time."""
    spec, uid = job["spec"], job.metadata.uid
    free = int(spec.get("parallelism", 1)) - sum(not _has_succeeded(pod) for pod in pods.values())
    indexed = spec.get("completionMode") == "Indexed"
    for slot in range(_target(job)):
        middle = f"{slot}-" if indexed else ""
        name = f"{job.metadata.name}-{middle}{letters(f'{uid}/{slot}', 5)}"
        if name in pods:
            continue
        if free <= 0:
            return
        free -= 1
        await create_pod(ctx, _pod(job, name, slot if indexed else None))


def _pod(job: Unstructured, name: str, index: int | None) -> dict[str, Any]:
    pod = pod_for(job, name, copied(job["spec"]["template"]))
    if index is not None:
        pod["metadata"]["labels"][INDEX] = pod["metadata"]["annotations"][INDEX] = str(index)
        pod["spec"].setdefault("hostname", f"{job.metadata.name}-{index}")
    return pod


def _status(job: Unstructured, status: Mapping[str, Any], pods: Mapping[str, Unstructured]) -> dict[str, Any]:
    done = [pod for pod in pods.values() if _has_succeeded(pod)]
    written: dict[str, Any] = {
        "startTime": status.get("startTime") or now(),
        "succeeded": len(done) or None,
        "active": len(pods) - len(done) or None,
        "ready": 0,
        "terminating": 0,
        "uncountedTerminatedPods": {},
    }
    if job["spec"].get("completionMode") == "Indexed" and done:
        written["completedIndexes"] = _ranges(int((pod.metadata.labels or {}).get(INDEX, 0)) for pod in done)
    if any(each.get("type") == "Suspended" for each in status.get("conditions") or ()):
        written["conditions"] = _conditions(status, ("Suspended", "False", "JobResumed", "Job resumed"))
    if len(done) >= _target(job):
        written["completionTime"] = now()
        written["conditions"] = _conditions(
            {"conditions": written.get("conditions", status.get("conditions"))},
            ("SuccessCriteriaMet", "True", "CompletionsReached", DONE_MESSAGE),
            ("Complete", "True", "CompletionsReached", DONE_MESSAGE),
        )
    return written


def _conditions(status: Mapping[str, Any], *wanted: tuple[str, str, str, str]) -> list[dict[str, Any]]:
    """Conditions of a Job, which have a time of probing and none of updating."""
    found = conditions(status.get("conditions"), *wanted)
    for condition in found:
        updated = condition.pop("lastUpdateTime", None)
        condition["lastProbeTime"] = updated or condition.get("lastProbeTime") or condition["lastTransitionTime"]
    return found


def _ranges(indexes: Iterable[int]) -> str:
    """Numbers as ``0-2,4``."""
    parts: list[list[int]] = []
    for index in sorted(indexes):
        if parts and parts[-1][1] == index - 1:
            parts[-1][1] = index
        else:
            parts.append([index, index])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in parts)
