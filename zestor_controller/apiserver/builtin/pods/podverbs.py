"""What the subresources ``binding`` and ``eviction`` of pods do to the pod and to the budgets that guard it.

Pure: a function takes objects as they are stored and returns those to be written; the verbs read and write them.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from zestor_controller.apiserver.rest.status import Failure, conflict, forbidden, invalid, status_body
from zestor_controller.apiserver.validation.fieldchecks import selector_matches
from zestor_controller.schema.fielderror import not_supported, required

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["bind", "evict"]

_UNGUARDED = ("Succeeded", "Failed", "Pending")
_MOST_DISRUPTED = 2000
_GUARDED = "Cannot evict pod as it would violate the pod's disruption budget."


def bind(pod: Json, binding: Json, now: str) -> Json:
    """The pod, assigned to the node that a Binding names.

    Args:
        pod: as stored; it is not changed.
        binding: the request's object.
        now: the time of the write, RFC 3339.

    Raises:
        Failure: 422 for a Binding without a node, 409 when the pod is assigned or is going away.
    """
    name, target = pod["metadata"]["name"], binding.get("target") or {}
    errors = []
    if target.get("kind") not in (None, "", "Node"):
        errors.append(not_supported("target.kind", target["kind"], ["Node", "<empty>"]))
    if not target.get("name"):
        errors.append(required("target.name"))
    if errors:
        raise invalid("", "Binding", name, errors)
    if "deletionTimestamp" in pod["metadata"]:
        raise conflict("", "pods/binding", name, f"pod {name} is being deleted, cannot be assigned to a host")
    assigned = (pod.get("spec") or {}).get("nodeName")
    if assigned:
        raise conflict("", "pods/binding", name, f'pod {name} is already assigned to node "{assigned}"')
    if (pod.get("spec") or {}).get("schedulingGates"):
        raise conflict("", "pods/binding", name, f"pod {name} has non-empty .spec.schedulingGates")
    bound = copy.deepcopy(pod)
    bound["spec"]["nodeName"] = target["name"]
    for part in ("annotations", "labels"):
        given = (binding.get("metadata") or {}).get(part)
        if given:
            bound["metadata"][part] = {**(bound["metadata"].get(part) or {}), **given}
    conditions = bound.setdefault("status", {}).setdefault("conditions", [])
    conditions[:] = [each for each in conditions if each.get("type") != "PodScheduled"]
    scheduled = {"type": "PodScheduled", "status": "True", "lastProbeTime": None, "lastTransitionTime": now}
    conditions.append(scheduled)
    return bound


def evict(pod: Json, budgets: Iterable[Json], now: str) -> tuple[list[str], Json | None]:
    """What the disruption budgets say about an eviction.

    Args:
        pod: as stored.
        budgets: all PodDisruptionBudgets of the pod's namespace, as stored; they are not changed.
        now: the time of the write, RFC 3339.

    Returns:
        The names of the budgets that guard the pod, and the one that the eviction uses up, as it is to be written: None
        when there is no single one, or when it allows the eviction without being used up. With several, nothing can be
        evicted.

    Raises:
        Failure: 429 when the budget has nothing left, 403 when its status makes no sense.
    """
    if (pod.get("status") or {}).get("phase") in _UNGUARDED or "deletionTimestamp" in pod["metadata"]:
        return [], None
    labels = pod["metadata"].get("labels")
    guards = [each for each in budgets if _selects(each, labels)]
    names = [each["metadata"]["name"] for each in guards]
    if len(guards) != 1:
        return names, None
    budget = copy.deepcopy(guards[0])
    status = budget.setdefault("status", {})
    wanted, healthy = status.get("desiredHealthy", 0), status.get("currentHealthy", 0)
    if not _is_ready(pod):
        # An unhealthy pod is no part of what the budget protects.
        always = (budget.get("spec") or {}).get("unhealthyPodEvictionPolicy") == "AlwaysAllow"
        if always or (healthy >= wanted and wanted > 0):
            return names, None
    return names, _used(budget, status, pod["metadata"]["name"], now)


def _used(budget: Json, status: Json, pod: str, now: str) -> Json:
    """The budget after one more disruption."""
    name, allowed = budget["metadata"]["name"], status.get("disruptionsAllowed", 0)
    if status.get("observedGeneration", 0) < budget["metadata"].get("generation", 0):
        raise _too_many(f"The disruption budget {name} is still being processed by the server.", 10)
    if allowed < 0:
        raise forbidden("policy", "poddisruptionbudget", name, "pdb disruptions allowed is negative")
    if len(status.get("disruptedPods") or ()) > _MOST_DISRUPTED:
        why = "DisruptedPods map too big - too many evictions not confirmed by PDB controller"
        raise forbidden("policy", "poddisruptionbudget", name, why)
    if allowed == 0:
        wanted, healthy = status.get("desiredHealthy", 0), status.get("currentHealthy", 0)
        raise _too_many(f"The disruption budget {name} needs {wanted} healthy pods and has {healthy} currently", 0)
    status["disruptionsAllowed"] = allowed - 1
    status.setdefault("disruptedPods", {})[pod] = now
    if allowed == 1:
        for condition in status.get("conditions") or ():
            if condition.get("type") == "DisruptionAllowed" and condition.get("status") != "False":
                condition |= {"status": "False", "reason": "InsufficientPods", "lastTransitionTime": now}
    return budget


def _selects(budget: Json, labels: Json | None) -> bool:
    selector = (budget.get("spec") or {}).get("selector") or {}
    return bool(selector.get("matchLabels") or selector.get("matchExpressions")) and selector_matches(selector, labels)


def _is_ready(pod: Json) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions)


def _too_many(cause: str, retry_after: int) -> Failure:
    details: Json = {"causes": [{"reason": "DisruptionBudget", "message": cause}]}
    headers = []
    if retry_after:
        details["retryAfterSeconds"] = retry_after
        headers.append(("Retry-After", str(retry_after)))
    return Failure(status_body(429, _GUARDED, "TooManyRequests", details), headers)
