"""Binding and eviction of pods."""

from __future__ import annotations

import copy

import pytest

from zestor_controller.apiserver.builtin import bind, evict
from zestor_controller.apiserver.rest.status import Failure
from zestor_controller.apiserver.typed.typedef import Json

NOW = "2020-01-01T00:00:00Z"
POD: Json = {
    "metadata": {"name": "p", "labels": {"a": "b"}},
    "spec": {"containers": []},
    "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
}
BINDING: Json = {"target": {"kind": "Node", "name": "n1"}}


def budget(name: str = "b", allowed: int = 1, observed: int = 1) -> Json:
    return {
        "metadata": {"name": name, "generation": 1},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"a": "b"}}},
        "status": {
            "disruptionsAllowed": allowed,
            "desiredHealthy": 1,
            "currentHealthy": 1,
            "observedGeneration": observed,
        },
    }


def test_binding_assigns_the_pod_and_says_so() -> None:
    before = copy.deepcopy(POD)
    bound = bind(POD, BINDING, NOW)
    assert bound["spec"]["nodeName"] == "n1"
    conditions = {each["type"]: each["status"] for each in bound["status"]["conditions"]}
    assert conditions == {"Ready": "True", "PodScheduled": "True"}
    assert before == POD


def test_a_pod_is_bound_once() -> None:
    with pytest.raises(Failure, match='pod p is already assigned to node "n1"') as caught:
        bind(bind(POD, BINDING, NOW), BINDING, NOW)
    assert caught.value.code == 409


@pytest.mark.parametrize("target", [{}, {"kind": "Node"}, {"kind": "Pod", "name": "x"}])
def test_a_binding_names_a_node(target: Json) -> None:
    with pytest.raises(Failure) as caught:
        bind(POD, {"target": target}, NOW)
    assert caught.value.code == 422


def test_an_eviction_uses_up_the_budget_that_guards_the_pod() -> None:
    names, used = evict(POD, [budget(allowed=2)], NOW)
    assert names == ["b"]
    assert used is not None
    assert (used["status"]["disruptionsAllowed"], used["status"]["disruptedPods"]) == (1, {"p": NOW})


def test_pods_that_no_budget_guards_are_evicted_freely() -> None:
    other = {**budget(allowed=0), "spec": {"selector": {"matchLabels": {"a": "c"}}}}
    everything = {**budget(allowed=0), "spec": {"selector": {}}}
    assert evict(POD, [other, everything], NOW) == ([], None)
    for phase in ("Failed", "Succeeded", "Pending"):
        assert evict({**POD, "status": {"phase": phase}}, [budget(allowed=0)], NOW) == ([], None)


def test_an_unhealthy_pod_is_evicted_while_enough_are_healthy_or_when_the_budget_says_so() -> None:
    sick = {**POD, "status": {"phase": "Running"}}
    assert evict(sick, [budget(allowed=0)], NOW) == (["b"], None)
    short = budget(allowed=0)
    short["status"]["currentHealthy"] = 0
    with pytest.raises(Failure, match="violate the pod's disruption budget"):
        evict(sick, [short], NOW)
    short["spec"]["unhealthyPodEvictionPolicy"] = "AlwaysAllow"
    assert evict(sick, [short], NOW) == (["b"], None)


def test_several_budgets_of_one_pod_are_named() -> None:
    assert evict(POD, [budget("b"), budget("c")], NOW) == (["b", "c"], None)


@pytest.mark.parametrize(
    ("spent", "code", "cause"),
    [
        (budget(allowed=0), 429, "The disruption budget b needs 1 healthy pods and has 1 currently"),
        (budget(observed=0), 429, "The disruption budget b is still being processed by the server."),
        (budget(allowed=-1), 403, ""),
    ],
)
def test_a_spent_budget_refuses_the_eviction(spent: Json, code: int, cause: str) -> None:
    with pytest.raises(Failure) as caught:
        evict(POD, [spent], NOW)
    assert caught.value.code == code
    if cause:
        assert caught.value.body["details"]["causes"] == [{"reason": "DisruptionBudget", "message": cause}]


def test_a_pod_that_waits_for_a_gate_is_not_bound() -> None:
    gated = {**POD, "spec": {"containers": [], "schedulingGates": [{"name": "g"}]}}
    with pytest.raises(Failure, match=r"non-empty \.spec\.schedulingGates"):
        bind(gated, BINDING, NOW)
