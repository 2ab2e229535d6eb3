"""What the subresources ``binding`` and ``eviction`` of pods do to the pod and to the budgets that guard it.

Pure: a function takes objects as they are stored and answers those to be written; the verbs read and write them.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from zestor_controller.apiserver.builtin.checks import selector_matches
from zestor_controller.apiserver.status import Failure, conflict, internal, invalid, status_body
from zestor_controller.schema.fielderror import not_supported, required

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zestor_controller.apiserver.contract import Json

__all__ = ["bind", "evict"]

_DONE = ("Succeeded", "Failed")
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
    bound = copy.deepcopy(pod)
    bound["spec"]["nodeName"] = target["name"]
    annotations = (binding.get("metadata") or {}).get("annotations")
    if annotations:
        bound["metadata"]["annotations"] = {**(bound["metadata"].get("annotations") or {}), **annotations}
    conditions = bound.setdefault("status", {}).setdefault("conditions", [])
    conditions[:] = [each for each in conditions if each.get("type") != "PodScheduled"]
    scheduled = {"type": "PodScheduled", "status": "True", "lastProbeTime": None, "lastTransitionTime": now}
    conditions.append(scheduled)
    return bound


def evict(pod: Json, budgets: Iterable[Json], now: str) -> Json | None:
    """The budget that an eviction uses up, as it is to be written; None when none guards the pod.

    Args:
        pod: as stored.
        budgets: all PodDisruptionBudgets of the pod's namespace, as stored; they are not changed.
        now: the time of the write, RFC 3339.

    Raises:
        Failure: 429 when the budget has nothing left, 500 when several budgets guard one pod.
    """
    if (pod.get("status") or {}).get("phase") in _DONE or "deletionTimestamp" in pod["metadata"]:
        return None
    labels = pod["metadata"].get("labels")
    guards = [each for each in budgets if selector_matches((each.get("spec") or {}).get("selector"), labels)]
    if not guards:
        return None
    if len(guards) > 1:
        raise internal(
            "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
        )
    budget = copy.deepcopy(guards[0])
    status = budget.setdefault("status", {})
    name = budget["metadata"]["name"]
    if status.get("observedGeneration", 0) < budget["metadata"].get("generation", 0):
        raise _too_many(f"The disruption budget {name} is still being processed by the server.", 10)
    if status.get("disruptionsAllowed", 0) <= 0:
        wanted, healthy = status.get("desiredHealthy", 0), status.get("currentHealthy", 0)
        raise _too_many(f"The disruption budget {name} needs {wanted} healthy pods and has {healthy} currently", 0)
    status["disruptionsAllowed"] -= 1
    status.setdefault("disruptedPods", {})[pod["metadata"]["name"]] = now
    return budget


def _too_many(cause: str, retry_after: int) -> Failure:
    details: Json = {"causes": [{"reason": "DisruptionBudget", "message": cause}]}
    headers = []
    if retry_after:
        details["retryAfterSeconds"] = retry_after
        headers.append(("Retry-After", str(retry_after)))
    return Failure(status_body(429, _GUARDED, "TooManyRequests", details), headers)
