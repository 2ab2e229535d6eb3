"""StatefulSets: numbered Pods, each with claims of its own, started and stopped in order.

Not simulated: ControllerRevisions, so a Pod below ``rollingUpdate.partition`` that has to be made anew gets the present
template.

Source: pkg/controller/statefulset.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zestor_controller.cluster.simulation.ownedpod import (
    POD,
    REVISION_LABEL,
    available_pods,
    controller_reference,
    copied,
    create_pod,
    digest,
    is_of_revision,
    is_ready,
    is_terminating,
    owned,
    pod_for,
)
from zestor_controller.cluster.simulation.statuswriter import set_status
from zestor_controller.controller import Context, Controller, Result
from zestor_controller.errors import AlreadyExists
from zestor_controller.objects import Unstructured

__all__ = ["stateful_sets"]

STATEFUL_SET = "apps/v1/StatefulSet"
CLAIM = "v1/PersistentVolumeClaim"


def stateful_sets() -> Controller[Any]:
    """The controller of StatefulSets."""
    controller = Controller(STATEFUL_SET, name="statefulset-controller").owns(POD)

    @controller.reconciler
    async def reconcile(stateful_set: Unstructured, ctx: Context) -> Result | None:
        if is_terminating(stateful_set):
            return None
        present = owned(ctx, POD, stateful_set)
        again = await _match(ctx, stateful_set, present)
        await set_status(ctx.client, STATEFUL_SET, stateful_set, _status(stateful_set, present))
        return again

    return controller


def _revision(stateful_set: Unstructured) -> str:
    return f"{stateful_set.metadata.name}-{digest(stateful_set['spec']['template'])}"


def _ordinals(stateful_set: Unstructured) -> range:
    spec = stateful_set["spec"]
    start = int((spec.get("ordinals") or {}).get("start", 0))
    return range(start, start + int(spec.get("replicas", 1)))


async def _match(ctx: Context, stateful_set: Unstructured, present: Mapping[str, Unstructured]) -> Result | None:
    """Take the next steps: start what is missing, stop what is too much, then replace what is outdated."""
    spec, namespace = stateful_set["spec"], stateful_set.metadata.namespace
    ordered = spec.get("podManagementPolicy") != "Parallel"
    names = {f"{stateful_set.metadata.name}-{ordinal}": ordinal for ordinal in _ordinals(stateful_set)}
    for name, ordinal in names.items():
        pod = present.get(name)
        if pod is None:
            await _start(ctx, stateful_set, name, ordinal)
        available, again = (0, None) if pod is None else available_pods([pod], spec.get("minReadySeconds", 0))
        waits = pod is None or is_terminating(pod) or not available
        if waits and ordered:
            return again
    condemned = [name for name in present if name not in names]
    for name in sorted(condemned, key=_ordinal, reverse=True):
        if not is_terminating(present[name]):
            await ctx.delete(POD, name, namespace=namespace)
        if ordered:
            return None
    if not condemned:
        await _drop_claims(ctx, stateful_set, names)
        await _replace_outdated(ctx, stateful_set, present, names)
    return None


def _ordinal(name: str) -> int:
    text = name.rpartition("-")[2]
    return int(text) if text.isascii() and text.isdecimal() else -1


async def _start(ctx: Context, stateful_set: Unstructured, name: str, ordinal: int) -> None:
    spec, namespace = stateful_set["spec"], stateful_set.metadata.namespace
    pod = pod_for(stateful_set, name, spec["template"])
    pod["metadata"]["labels"] |= {
        REVISION_LABEL: _revision(stateful_set),
        "statefulset.kubernetes.io/pod-name": name,
        "apps.kubernetes.io/pod-index": str(ordinal),
    }
    pod["spec"]["hostname"] = name
    if spec.get("serviceName"):
        pod["spec"]["subdomain"] = spec["serviceName"]
    claims = {_claim_name(claim, name): claim for claim in spec.get("volumeClaimTemplates") or ()}
    for claim_name, claim in claims.items():
        await _claim(ctx, stateful_set, claim_name, claim)
    volumes = {claim["metadata"]["name"]: claim_name for claim_name, claim in claims.items()}
    given = [volume for volume in pod["spec"].get("volumes") or () if volume["name"] not in volumes]
    claimed = [{"name": volume, "persistentVolumeClaim": {"claimName": claim}} for volume, claim in volumes.items()]
    if claimed or given:
        pod["spec"]["volumes"] = given + claimed
    await create_pod(ctx, pod | {"metadata": {**pod["metadata"], "namespace": namespace}})


def _claim_name(claim: Mapping[str, Any], pod: str) -> str:
    return f"{claim['metadata']['name']}-{pod}"


async def _claim(ctx: Context, stateful_set: Unstructured, name: str, template: Mapping[str, Any]) -> None:
    """Create a claim; it stays when the Pod goes, and with the set only when the retention policy says so."""
    meta = copied(template["metadata"]) | {"name": name, "namespace": stateful_set.metadata.namespace}
    labels = (stateful_set["spec"].get("selector") or {}).get("matchLabels") or {}
    meta["labels"] = {**(meta.get("labels") or {}), **labels}
    if _retention(stateful_set, "whenDeleted") == "Delete":
        meta["ownerReferences"] = [controller_reference(stateful_set)]
    body = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": copied(template["spec"])}
    try:
        await ctx.client.create(CLAIM, body, namespace=stateful_set.metadata.namespace)
    except AlreadyExists:
        return  # of a former Pod of this number, whose data it keeps


def _retention(stateful_set: Unstructured, when: str) -> str:
    policy = stateful_set["spec"].get("persistentVolumeClaimRetentionPolicy") or {}
    return str(policy.get(when, "Retain"))


async def _drop_claims(ctx: Context, stateful_set: Unstructured, names: Mapping[str, int]) -> None:
    """Delete the claims of Pods that were scaled away, when the retention policy says so."""
    templates = stateful_set["spec"].get("volumeClaimTemplates") or ()
    if not templates or _retention(stateful_set, "whenScaled") != "Delete":
        return
    kept = {_claim_name(claim, name) for claim in templates for name in names}
    prefixes = tuple(f"{claim['metadata']['name']}-{stateful_set.metadata.name}-" for claim in templates)
    for claim in await ctx.client.list(CLAIM, namespace=stateful_set.metadata.namespace):
        name = claim.metadata.name
        if name.startswith(prefixes) and _ordinal(name) >= 0 and name not in kept and not is_terminating(claim):
            await ctx.client.delete(CLAIM, name, namespace=claim.metadata.namespace, missing_ok=True)


async def _replace_outdated(
    ctx: Context, stateful_set: Unstructured, present: Mapping[str, Unstructured], names: Mapping[str, int]
) -> None:
    """Delete the last Pod of a former template, if all the others are ready; it is made anew under its name."""
    update = stateful_set["spec"].get("updateStrategy") or {}
    if update.get("type") == "OnDelete":
        return
    first = int((update.get("rollingUpdate") or {}).get("partition", 0))
    revision = _revision(stateful_set)
    for name, ordinal in sorted(names.items(), key=lambda item: -item[1]):
        pod = present.get(name)
        if pod is None or is_terminating(pod):
            return
        if ordinal >= first and not is_of_revision(pod, revision):
            await ctx.delete(POD, name, namespace=stateful_set.metadata.namespace)
            return
        if not is_ready(pod):
            return


def _status(stateful_set: Unstructured, present: Mapping[str, Unstructured]) -> dict[str, Any]:
    pods = [pod for pod in present.values() if not is_terminating(pod)]
    wanted, update = len(_ordinals(stateful_set)), _revision(stateful_set)
    updated = sum(is_of_revision(pod, update) for pod in pods)
    ready = sum(is_ready(pod) for pod in pods)
    available, _ = available_pods(pods, stateful_set["spec"].get("minReadySeconds", 0))
    current = str((stateful_set.get("status") or {}).get("currentRevision") or update)
    if updated == ready == wanted == len(pods):
        current = update
    return {
        "observedGeneration": stateful_set.metadata.generation,
        "replicas": len(pods),
        "readyReplicas": ready or None,
        "currentReplicas": sum(is_of_revision(pod, current) for pod in pods) or None,
        "updatedReplicas": updated or None,
        "availableReplicas": available,
        "currentRevision": current,
        "updateRevision": update,
        "collisionCount": 0,
    }
