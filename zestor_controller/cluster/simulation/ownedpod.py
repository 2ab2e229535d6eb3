"""The Pods of one owner: their names, what is made from a template, and which of them count.

Invariant: names of Pods are a function of their owner and their slot, so a reconcile that runs twice on a stale cache
creates nothing twice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from zestor_controller.cluster.simulation.statuswriter import seconds_since
from zestor_controller.controller import Context, Result
from zestor_controller.errors import AlreadyExists
from zestor_controller.objects import Unstructured

__all__ = [
    "POD",
    "REVISION_LABEL",
    "available_pods",
    "controller_reference",
    "copied",
    "digest",
    "is_of_revision",
    "is_ready",
    "is_terminating",
    "letters",
    "match_pods",
    "owned",
    "pod_for",
]

POD = "v1/Pod"
REVISION_LABEL = "controller-revision-hash"
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"  # k8s.io/apimachinery/pkg/util/rand: no vowels, no 0, 1, 3


def letters(text: str, count: int) -> str:
    """A short, speakable and stable digest."""
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:12])
    found = []
    for _ in range(count):
        number, at = divmod(number, len(_LETTERS))
        found.append(_LETTERS[at])
    return "".join(found)


def digest(template: Any) -> str:
    """The digest of a template."""
    return letters(json.dumps(template, sort_keys=True), 10)


def copied(value: Any) -> Any:
    """A JSON value of one's own."""
    return json.loads(json.dumps(value))


def owned(ctx: Context, kind: str, owner: Unstructured) -> dict[str, Unstructured]:
    """The objects of a kind that `owner` controls, by name."""
    return {
        obj.metadata.name: obj
        for obj in ctx.list(kind, namespace=owner.metadata.namespace)
        if any(ref.controller and ref.uid == owner.metadata.uid for ref in obj.metadata.owner_references or ())
    }


def is_terminating(obj: Unstructured) -> bool:
    """Whether an object is being deleted."""
    return obj.metadata.deletion_timestamp is not None


def is_ready(pod: Unstructured) -> bool:
    """Whether a Pod is Ready."""
    return _ready_since(pod) is not None


def is_of_revision(pod: Unstructured, revision: str) -> bool:
    """Whether a Pod was made from a revision of its owner's template."""
    return (pod.metadata.labels or {}).get(REVISION_LABEL) == revision


def _ready_since(pod: Unstructured) -> Any:
    for condition in (pod.get("status") or {}).get("conditions") or []:
        if condition.get("type") == "Ready" and condition.get("status") == "True":
            return condition.get("lastTransitionTime") or ""
    return None


def available_pods(pods: Iterable[Unstructured], min_ready: int) -> tuple[int, Result | None]:
    """How many Pods have been Ready for long enough, and when to look again if some have not.

    Args:
        pods: the Pods.
        min_ready: the owner's ``minReadySeconds``.
    """
    available, wait = 0, 0.0
    for pod in pods:
        since = _ready_since(pod)
        if since is None:
            continue
        missing = min_ready - seconds_since(since) if min_ready else 0.0
        if missing <= 0:
            available += 1
        else:
            wait = max(wait, missing) if not wait else min(wait, missing)
    return available, Result(requeue_after=timedelta(seconds=wait + 0.1)) if wait else None


def controller_reference(owner: Unstructured) -> dict[str, Any]:
    """The reference by which an owner controls an object."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner.metadata.name,
        "uid": owner.metadata.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def pod_for(owner: Unstructured, name: str, template: Mapping[str, Any]) -> dict[str, Any]:
    """A Pod of a template; it has no node yet."""
    meta = template.get("metadata") or {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": owner.metadata.namespace,
            "labels": dict(meta.get("labels") or {}),
            "annotations": dict(meta.get("annotations") or {}),
            "finalizers": list(meta.get("finalizers") or []),
            "ownerReferences": [controller_reference(owner)],
        },
        "spec": copied(template.get("spec") or {}),
    }


async def match_pods(
    ctx: Context, owner: Unstructured, wanted: Mapping[str, Mapping[str, Any]]
) -> dict[str, Unstructured]:
    """Create the Pods that are missing and delete those that are too many; returns the present ones that are wanted."""
    present = owned(ctx, POD, owner)
    for name, template in wanted.items():
        if name not in present:
            await create_pod(ctx, pod_for(owner, name, template))
    for name, pod in present.items():
        if name not in wanted and not is_terminating(pod):
            await ctx.delete(POD, name, namespace=owner.metadata.namespace)
    return {name: pod for name, pod in present.items() if name in wanted and not is_terminating(pod)}


async def create_pod(ctx: Context, pod: Mapping[str, Any]) -> None:
    """Create a Pod, unless one of its name is still there: it is terminating, or the cache has not seen it yet."""
    try:
        await ctx.client.create(POD, pod, namespace=pod["metadata"]["namespace"])
    except AlreadyExists:
        return
