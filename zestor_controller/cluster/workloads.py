"""Workloads that come alive: Deployments make ReplicaSets, those make Pods, and Pods become ready.

A simulation of kube-controller-manager's workload controllers and of a kubelet, written with this toolkit as any
operator
is: nothing runs in a container. Pods are scheduled to one node, are Running and Ready at once, and Pods of a Job
succeed.

Invariant: names of Pods are a function of their owner and their slot, so a reconcile that runs twice on a stale cache
creates nothing twice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from zestor_controller.controller import Context, Controller, Request, Result
from zestor_controller.errors import AlreadyExists, Conflict, NotFound
from zestor_controller.objects import MergePatch, Unstructured

__all__ = ["NODE", "workload_controllers"]

NODE = "embedded-node"
POD = "v1/Pod"
REPLICA_SET = "apps/v1/ReplicaSet"
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"  # k8s.io/apimachinery/pkg/util/rand: no vowels, no 0, 1, 3
HASH_LABEL = "pod-template-hash"


def workload_controllers() -> list[Controller[Any]]:
    """Fresh controllers for Deployments, ReplicaSets, StatefulSets, DaemonSets, Jobs and Pods."""
    return [_deployments(), _replica_sets(), _stateful_sets(), _daemon_sets(), _jobs(), _pods()]


def _letters(text: str, count: int) -> str:
    """A short, speakable and stable digest."""
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:12])
    letters = []
    for _ in range(count):
        number, digit = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[digit])
    return "".join(letters)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _conditions(before: Any, *wanted: tuple[str, bool, str, str]) -> list[dict[str, Any]]:
    """Conditions whose times move only when their status does; those of other types are kept."""
    old = {condition["type"]: condition for condition in before or []}
    for type_, holds, reason, message in wanted:
        status = "True" if holds else "False"
        known = old.get(type_)
        changed = known is None or known.get("status") != status
        moment = _now()
        old[type_] = {
            **(known or {}),
            "type": type_,
            "status": status,
            "reason": reason,
            "message": message,
            "lastTransitionTime": moment if changed or known is None else known.get("lastTransitionTime", moment),
            "lastUpdateTime": moment if changed or known is None else known.get("lastUpdateTime", moment),
        }
    return list(old.values())


async def _set_status(ctx: Context, kind: str, obj: Unstructured, status: dict[str, Any]) -> None:
    """Write a status that differs from the present one; a stale or vanished object is left to the next change."""
    present = obj.get("status") or {}
    merged = {**present, **status}
    merged = {key: value for key, value in merged.items() if value is not None}
    if merged == present:
        return
    patch = {"status": {**status, **{key: None for key in present if key not in merged}}}
    try:
        await ctx.client.patch(
            kind, obj.metadata.name, MergePatch(patch), namespace=obj.metadata.namespace, subresource="status"
        )
    except (NotFound, Conflict):
        return


def _owned(ctx: Context, kind: str, owner: Unstructured) -> dict[str, Unstructured]:
    """The objects of a kind that `owner` controls, by name."""
    return {
        obj.metadata.name: obj
        for obj in ctx.list(kind, namespace=owner.metadata.namespace)
        if any(ref.controller and ref.uid == owner.metadata.uid for ref in obj.metadata.owner_references or ())
    }


def _ready(pod: Unstructured) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)


def _pod_for(owner: Unstructured, name: str, template: Mapping[str, Any]) -> dict[str, Any]:
    meta = template.get("metadata") or {}
    kind, version = owner["kind"], owner["apiVersion"]
    reference = {
        "apiVersion": version,
        "kind": kind,
        "name": owner.metadata.name,
        "uid": owner.metadata.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": owner.metadata.namespace,
            "labels": dict(meta.get("labels") or {}),
            "annotations": dict(meta.get("annotations") or {}),
            "ownerReferences": [reference],
        },
        "spec": {**json.loads(json.dumps(template.get("spec") or {})), "nodeName": NODE},
    }


async def _match_pods(
    ctx: Context, owner: Unstructured, wanted: Mapping[str, Mapping[str, Any]]
) -> dict[str, Unstructured]:
    """Create the Pods that are missing and delete those that are too many; returns the present ones that are wanted."""
    present = _owned(ctx, POD, owner)
    for name, template in wanted.items():
        if name in present:
            continue
        try:
            await ctx.client.create(POD, _pod_for(owner, name, template), namespace=owner.metadata.namespace)
        except AlreadyExists:  # a Pod of this name is still terminating, or the cache has not seen it yet
            continue
    for name, pod in present.items():
        if name not in wanted and pod.metadata.deletion_timestamp is None:
            await ctx.delete(POD, name, namespace=owner.metadata.namespace)
    return {name: pod for name, pod in present.items() if name in wanted and pod.metadata.deletion_timestamp is None}


def _deployments() -> Controller[Any]:
    deployments = Controller("apps/v1/Deployment", name="deployment-controller").owns(REPLICA_SET)

    @deployments.reconciler
    async def reconcile(deployment: Unstructured, ctx: Context) -> Result | None:
        if deployment.metadata.deletion_timestamp is not None:
            return None
        spec = deployment["spec"]
        template = spec["template"]
        digest = _letters(json.dumps(template, sort_keys=True), 10)
        name = f"{deployment.metadata.name}-{digest}"
        replicas = int(spec.get("replicas", 1))
        sets = _owned(ctx, REPLICA_SET, deployment)
        current = sets.get(name)
        if current is None:
            revision = 1 + max((int(_revision(s)) for s in sets.values()), default=0)
            await ctx.client.create(
                REPLICA_SET,
                _replica_set_for(deployment, name, digest, replicas, revision),
                namespace=deployment.metadata.namespace,
            )
            await _annotate(ctx, deployment, revision)
        elif int(current["spec"].get("replicas", 1)) != replicas:
            await _scale(ctx, current, replicas)
        for other in sets.values():
            superseded = other.metadata.name != name and int(other["spec"].get("replicas", 1)) > 0
            if superseded and current is not None and _ready_replicas(current) >= replicas:
                await _scale(ctx, other, 0)
        await _set_status(
            ctx, "apps/v1/Deployment", deployment, _deployment_status(deployment, current, sets, replicas)
        )
        return None

    return deployments


def _ready_replicas(owner: Unstructured) -> int:
    return int((owner.get("status") or {}).get("readyReplicas", 0))


def _revision(replica_set: Unstructured) -> str:
    annotations = replica_set.metadata.annotations or {}
    return str(annotations.get("deployment.kubernetes.io/revision", "0"))


async def _annotate(ctx: Context, deployment: Unstructured, revision: int) -> None:
    patch = MergePatch({"metadata": {"annotations": {"deployment.kubernetes.io/revision": str(revision)}}})
    try:
        await ctx.client.patch(
            "apps/v1/Deployment", deployment.metadata.name, patch, namespace=deployment.metadata.namespace
        )
    except NotFound:
        return


async def _scale(ctx: Context, replica_set: Unstructured, replicas: int) -> None:
    patch = MergePatch({"spec": {"replicas": replicas}})
    try:
        await ctx.client.patch(REPLICA_SET, replica_set.metadata.name, patch, namespace=replica_set.metadata.namespace)
    except NotFound:
        return


def _replica_set_for(deployment: Unstructured, name: str, digest: str, replicas: int, revision: int) -> dict[str, Any]:
    template = json.loads(json.dumps(deployment["spec"]["template"]))
    template.setdefault("metadata", {}).setdefault("labels", {})[HASH_LABEL] = digest
    selector = json.loads(json.dumps(deployment["spec"]["selector"]))
    selector.setdefault("matchLabels", {})[HASH_LABEL] = digest
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": name,
            "namespace": deployment.metadata.namespace,
            "labels": dict(template["metadata"]["labels"]),
            "annotations": {"deployment.kubernetes.io/revision": str(revision)},
            "ownerReferences": [
                {
                    "apiVersion": "apps/v1",
                    "kind": "Deployment",
                    "name": deployment.metadata.name,
                    "uid": deployment.metadata.uid,
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "spec": {"replicas": replicas, "selector": selector, "template": template},
    }


def _deployment_status(
    deployment: Unstructured, current: Unstructured | None, sets: Mapping[str, Unstructured], replicas: int
) -> dict[str, Any]:
    def count(replica_set: Unstructured | None, field: str) -> int:
        return int((replica_set.get("status") or {}).get(field, 0)) if replica_set is not None else 0

    total = sum(count(s, "replicas") for s in sets.values())
    ready = sum(count(s, "readyReplicas") for s in sets.values())
    updated = count(current, "replicas")
    available = ready >= replicas
    complete = updated == replicas and ready == replicas and total == replicas
    name = current.metadata.name if current is not None else ""
    progress = (
        ("Progressing", True, "NewReplicaSetAvailable", f'ReplicaSet "{name}" has successfully progressed.')
        if complete
        else ("Progressing", True, "ReplicaSetUpdated", f'ReplicaSet "{name}" is progressing.')
    )
    availability = (
        ("Available", True, "MinimumReplicasAvailable", "Deployment has minimum availability.")
        if available
        else ("Available", False, "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    )
    before = (deployment.get("status") or {}).get("conditions")
    return {
        "observedGeneration": deployment.metadata.generation,
        "replicas": total or None,
        "updatedReplicas": updated or None,
        "readyReplicas": ready or None,
        "availableReplicas": ready or None,
        "unavailableReplicas": max(0, replicas - ready) or None,
        "conditions": _conditions(before, availability, progress),
    }


def _replica_sets() -> Controller[Any]:
    replica_sets = Controller(REPLICA_SET, name="replicaset-controller").owns(POD)

    @replica_sets.reconciler
    async def reconcile(replica_set: Unstructured, ctx: Context) -> Result | None:
        if replica_set.metadata.deletion_timestamp is not None:
            return None
        replicas = int(replica_set["spec"].get("replicas", 1))
        template = replica_set["spec"]["template"]
        uid = replica_set.metadata.uid
        wanted = {f"{replica_set.metadata.name}-{_letters(f'{uid}/{slot}', 5)}": template for slot in range(replicas)}
        pods = await _match_pods(ctx, replica_set, wanted)
        ready = sum(_ready(pod) for pod in pods.values())
        status = {
            "observedGeneration": replica_set.metadata.generation,
            "replicas": len(pods),
            "fullyLabeledReplicas": len(pods) or None,
            "readyReplicas": ready or None,
            "availableReplicas": ready or None,
        }
        await _set_status(ctx, REPLICA_SET, replica_set, status)
        return None

    return replica_sets


def _stateful_sets() -> Controller[Any]:
    stateful_sets = Controller("apps/v1/StatefulSet", name="statefulset-controller").owns(POD)

    @stateful_sets.reconciler
    async def reconcile(stateful_set: Unstructured, ctx: Context) -> Result | None:
        if stateful_set.metadata.deletion_timestamp is not None:
            return None
        replicas = int(stateful_set["spec"].get("replicas", 1))
        template = stateful_set["spec"]["template"]
        revision = f"{stateful_set.metadata.name}-{_letters(json.dumps(template, sort_keys=True), 10)}"
        marked = json.loads(json.dumps(template))
        marked.setdefault("metadata", {}).setdefault("labels", {})["controller-revision-hash"] = revision
        present = _owned(ctx, POD, stateful_set)
        for name, pod in present.items():  # a Pod of an older template is replaced under its own name
            if (pod.metadata.labels or {}).get("controller-revision-hash") != revision:
                await ctx.delete(POD, name, namespace=stateful_set.metadata.namespace)
        wanted = {f"{stateful_set.metadata.name}-{ordinal}": marked for ordinal in range(replicas)}
        pods = await _match_pods(ctx, stateful_set, wanted)
        ready = sum(_ready(pod) for pod in pods.values())
        status = {
            "observedGeneration": stateful_set.metadata.generation,
            "replicas": len(pods),
            "readyReplicas": ready or None,
            "currentReplicas": len(pods) or None,
            "updatedReplicas": len(pods) or None,
            "availableReplicas": ready,
            "currentRevision": revision,
            "updateRevision": revision,
            "collisionCount": 0,
        }
        await _set_status(ctx, "apps/v1/StatefulSet", stateful_set, status)
        return None

    return stateful_sets


def _daemon_sets() -> Controller[Any]:
    daemon_sets = Controller("apps/v1/DaemonSet", name="daemonset-controller").owns(POD)

    @daemon_sets.reconciler
    async def reconcile(daemon_set: Unstructured, ctx: Context) -> Result | None:
        if daemon_set.metadata.deletion_timestamp is not None:
            return None
        template = daemon_set["spec"]["template"]
        name = f"{daemon_set.metadata.name}-{_letters(f'{daemon_set.metadata.uid}/{NODE}', 5)}"
        pods = await _match_pods(ctx, daemon_set, {name: template})
        ready = sum(_ready(pod) for pod in pods.values())
        status = {
            "observedGeneration": daemon_set.metadata.generation,
            "currentNumberScheduled": len(pods),
            "desiredNumberScheduled": 1,
            "numberMisscheduled": 0,
            "numberReady": ready,
            "numberAvailable": ready or None,
            "updatedNumberScheduled": len(pods) or None,
        }
        await _set_status(ctx, "apps/v1/DaemonSet", daemon_set, status)
        return None

    return daemon_sets


def _jobs() -> Controller[Any]:
    jobs = Controller("batch/v1/Job", name="job-controller").owns(POD)

    @jobs.reconciler
    async def reconcile(job: Unstructured, ctx: Context) -> Result | None:
        status = job.get("status") or {}
        if job.metadata.deletion_timestamp is not None or status.get("completionTime") or job["spec"].get("suspend"):
            return None
        completions = int(job["spec"].get("completions") or 1)
        uid = job.metadata.uid
        wanted = {
            f"{job.metadata.name}-{_letters(f'{uid}/{slot}', 5)}": job["spec"]["template"]
            for slot in range(completions)
        }
        pods = await _match_pods(ctx, job, wanted)
        succeeded = sum((pod.get("status") or {}).get("phase") == "Succeeded" for pod in pods.values())
        written: dict[str, Any] = {
            "startTime": status.get("startTime") or _now(),
            "succeeded": succeeded or None,
            "active": len(pods) - succeeded or None,
            "ready": 0,
        }
        if succeeded >= completions:
            message = "Reached expected number of succeeded pods"
            written["completionTime"] = _now()
            written["conditions"] = _conditions(
                status.get("conditions"),
                ("SuccessCriteriaMet", True, "CompletionsReached", message),
                ("Complete", True, "CompletionsReached", message),
            )
            for condition in written["conditions"]:
                condition["lastProbeTime"] = condition.pop("lastUpdateTime")
        await _set_status(ctx, "batch/v1/Job", job, written)
        return None

    return jobs


def _pods() -> Controller[Any]:
    pods = Controller(POD, name="kubelet", concurrency=4)

    @pods.requests  # a reconciler is not called for what is being deleted
    async def reconcile(request: Request, ctx: Context) -> Result | None:
        pod = ctx.get(POD, request.name)
        if pod is None:
            return None
        meta = pod.metadata
        if meta.deletion_timestamp is not None:
            # The containers are gone at once: confirm the graceful deletion, as a kubelet does.
            await ctx.client.delete(
                POD, meta.name, namespace=meta.namespace, grace_period=0, uid=meta.uid, missing_ok=True
            )
            return None
        status = pod.get("status") or {}
        if status.get("phase") not in (None, "Pending"):
            return None
        await _set_status(ctx, POD, pod, _pod_status(pod, status))
        return None

    return pods


def _pod_status(pod: Unstructured, status: Mapping[str, Any]) -> dict[str, Any]:
    spec, moment = pod["spec"], _now()
    finishes = any(ref.kind == "Job" for ref in pod.metadata.owner_references or ())
    state = (
        {"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": moment, "finishedAt": moment}}
        if finishes
        else {"running": {"startedAt": moment}}
    )
    containers = [
        {
            "name": container["name"],
            "image": container["image"],
            "imageID": f"simulated://{container['image']}",
            "containerID": f"simulated://{pod.metadata.uid}/{container['name']}",
            "ready": not finishes,
            "started": not finishes,
            "restartCount": 0,
            "lastState": {},
            "state": state,
        }
        for container in spec["containers"]
    ]
    octets = hashlib.sha256(str(pod.metadata.uid).encode()).digest()
    address = f"10.244.{octets[0]}.{1 + octets[1] % 254}"
    reason = {"reason": "PodCompleted"} if finishes else {}
    conditions = [
        {"type": "PodReadyToStartContainers", "status": "False" if finishes else "True"},
        {"type": "Initialized", "status": "True", **reason},
        {"type": "Ready", "status": "False" if finishes else "True", **reason},
        {"type": "ContainersReady", "status": "False" if finishes else "True", **reason},
        {"type": "PodScheduled", "status": "True"},
    ]
    return {
        "phase": "Succeeded" if finishes else "Running",
        "conditions": [{**condition, "lastProbeTime": None, "lastTransitionTime": moment} for condition in conditions],
        "hostIP": "127.0.0.1",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "startTime": status.get("startTime") or moment,
        "containerStatuses": containers,
        "qosClass": status.get("qosClass", "BestEffort"),
    }
