"""PodDisruptionBudgets: how many Pods may be evicted now.

Source: pkg/controller/disruption.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from zestor_controller.cluster.simulation.ownedpod import POD, is_ready, is_terminating
from zestor_controller.cluster.simulation.replicaset import REPLICA_SET
from zestor_controller.cluster.simulation.statuswriter import conditions, seconds_since, set_status
from zestor_controller.controller import Context, Controller, Result
from zestor_controller.objects import LabelSelector, Unstructured

__all__ = ["disruption_budgets"]

BUDGET = "policy/v1/PodDisruptionBudget"
_SCALED = {"ReplicaSet": REPLICA_SET, "StatefulSet": "apps/v1/StatefulSet"}
_CONFIRMED_WITHIN = 120.0  # an eviction that has not happened by then will not


def disruption_budgets() -> Controller[Any]:
    """The controller of PodDisruptionBudgets; its keys are namespaces, since a change of a Pod may concern any."""
    controller = (
        Controller("v1/Namespace", name="disruption-controller")
        .watches(BUDGET, map=lambda budget: [budget.metadata.namespace])
        .watches(POD, map=lambda pod: [pod.metadata.namespace])
    )
    for kind in _SCALED.values():  # read for their replicas; the events of their Pods are what matters
        controller.watches(kind, map=lambda scaled: None)

    @controller.reconciler
    async def reconcile(namespace: Unstructured, ctx: Context) -> Result | None:
        name = namespace.metadata.name
        budgets = ctx.list(BUDGET, namespace=name)
        pods = ctx.list(POD, namespace=name) if budgets else []
        waits = [await _update(ctx, budget, pods) for budget in budgets if not is_terminating(budget)]
        again = min((wait for wait in waits if wait), default=0.0)
        return Result(requeue_after=timedelta(seconds=again)) if again else None

    return controller


async def _update(ctx: Context, budget: Unstructured, pods: Iterable[Unstructured]) -> float:
    """Write a budget's status; returns the seconds until evictions that did not happen are forgotten, or zero."""
    found = {pod.metadata.name: pod for pod in pods if _selects(budget["spec"].get("selector"), pod)}
    known = (budget.get("status") or {}).get("disruptedPods") or {}
    disrupted = {
        name: moment
        for name, moment in known.items()
        if name in found and not is_terminating(found[name]) and seconds_since(moment) < _CONFIRMED_WITHIN
    }
    healthy = sum(is_ready(pod) and not is_terminating(pod) and name not in disrupted for name, pod in found.items())
    expected, desired = _expected(ctx, budget["spec"], list(found.values()))
    allowed = max(0, healthy - desired) if expected > 0 else 0
    enough = "SufficientPods" if allowed else "InsufficientPods"
    condition = conditions(
        (budget.get("status") or {}).get("conditions"),
        ("DisruptionAllowed", "True" if allowed else "False", enough, ""),
    )
    for each in condition:
        each.pop("lastUpdateTime", None)
        each["observedGeneration"] = budget.metadata.generation
    status = {
        "observedGeneration": budget.metadata.generation,
        "disruptedPods": disrupted or None,
        "disruptionsAllowed": allowed,
        "currentHealthy": healthy,
        "desiredHealthy": desired,
        "expectedPods": expected,
        "conditions": condition,
    }
    await set_status(ctx.client, BUDGET, budget, status)
    return min((_CONFIRMED_WITHIN - seconds_since(moment) for moment in disrupted.values()), default=0.0)


def _expected(ctx: Context, spec: Any, pods: list[Unstructured]) -> tuple[int, int]:
    """How many Pods there should be, and how many of them healthy."""
    if spec.get("maxUnavailable") is not None:
        expected = _scale(ctx, pods)
        return expected, max(0, expected - _part(spec["maxUnavailable"], expected))
    least = spec.get("minAvailable", 1)
    if isinstance(least, int):
        return len(pods), least
    expected = _scale(ctx, pods)
    return expected, _part(least, expected)


def _part(value: Any, whole: int) -> int:
    return value if isinstance(value, int) else -(-int(str(value).removesuffix("%")) * whole // 100)


def _scale(ctx: Context, pods: list[Unstructured]) -> int:
    """The replicas of everything that controls the Pods; a Pod without such a controller counts for itself."""
    total, seen = 0, set()
    for pod in pods:
        owner = next((ref for ref in pod.metadata.owner_references or () if ref.controller), None)
        if owner is None or owner.kind not in _SCALED:
            total += 1
        elif owner.uid not in seen:
            seen.add(owner.uid)
            found = ctx.get(_SCALED[owner.kind], owner.name, namespace=pod.metadata.namespace)
            total += int(found["spec"].get("replicas", 1)) if found is not None else 0
    return total


def _selects(selector: Any, pod: Unstructured) -> bool:
    if not selector:
        return False
    return LabelSelector.of_spec(selector).matches(pod.metadata.labels or {})
