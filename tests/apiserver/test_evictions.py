"""The subresources ``eviction``, ``binding`` and ``log`` of Pods, as clients use them."""

from __future__ import annotations

from typing import Any

import pytest

PODS = "/api/v1/namespaces/default/pods"
BUDGETS = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
SPEC = {"containers": [{"name": "c", "image": "i"}]}
DONE = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
READY = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}


def eviction(name: str = "p", **options: Any) -> dict[str, Any]:
    return {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}, "deleteOptions": options}


async def running(talk: Any, name: str = "p") -> dict[str, Any]:
    await talk.make(name, PODS, metadata={"labels": {"a": "b"}}, spec={**SPEC, "nodeName": "n"})
    status, pod = await talk.merge(f"{PODS}/{name}/status", {"status": READY})
    assert status == 200
    return pod


async def budget(talk: Any, allowed: int, name: str = "b") -> None:
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"a": "b"}}}
    await talk.make(name, BUDGETS, spec=spec)
    status = {"observedGeneration": 1, "disruptionsAllowed": allowed, "currentHealthy": 1 + allowed,
              "desiredHealthy": 1, "expectedPods": 1 + allowed}  # fmt: skip
    assert (await talk.merge(f"{BUDGETS}/{name}/status", {"status": status}))[0] == 200


async def test_an_unscheduled_pod_is_evicted_at_once(talk: Any) -> None:
    await talk.make("p", PODS, spec=SPEC)
    assert await talk.ask("POST", f"{PODS}/p/eviction", eviction()) == (201, DONE)
    assert (await talk.ask("GET", f"{PODS}/p"))[0] == 404
    assert (await talk.ask("POST", f"{PODS}/p/eviction", eviction()))[0] == 404


async def test_a_running_pod_gets_its_grace_period_and_the_reason(talk: Any) -> None:
    await running(talk)
    assert await talk.ask("POST", f"{PODS}/p/eviction", eviction()) == (201, DONE)
    _, pod = await talk.ask("GET", f"{PODS}/p")
    assert pod["metadata"]["deletionGracePeriodSeconds"] == 30
    reasons = {each["type"]: each.get("reason") for each in pod["status"]["conditions"]}
    assert reasons["DisruptionTarget"] == "EvictionByEvictionAPI"
    assert await talk.ask("POST", f"{PODS}/p/eviction", eviction(gracePeriodSeconds=0)) == (201, DONE)
    assert (await talk.ask("GET", f"{PODS}/p"))[0] == 404


async def test_a_budget_is_used_up_and_then_refuses(talk: Any) -> None:
    await running(talk, "p")
    await running(talk, "q")
    await budget(talk, 1)
    assert (await talk.ask("POST", f"{PODS}/p/eviction", eviction(gracePeriodSeconds=0)))[0] == 201
    _, used = await talk.ask("GET", f"{BUDGETS}/b")
    assert used["status"]["disruptionsAllowed"] == 0
    assert list(used["status"]["disruptedPods"]) == ["p"]
    before = talk.api.storage.revision
    status, refused = await talk.ask("POST", f"{PODS}/q/eviction", eviction("q"))
    assert (status, refused["reason"]) == (429, "TooManyRequests")
    assert refused["message"] == "Cannot evict pod as it would violate the pod's disruption budget."
    message = "The disruption budget b needs 1 healthy pods and has 2 currently"
    assert refused["details"]["causes"] == [{"reason": "DisruptionBudget", "message": message}]
    assert talk.api.storage.revision == before


async def test_a_budget_that_no_controller_has_seen_refuses_and_says_when_to_try_again(talk: Any) -> None:
    await running(talk)
    await talk.make("b", BUDGETS, spec={"minAvailable": 0, "selector": {"matchLabels": {"a": "b"}}})
    response = await talk.send("POST", f"{PODS}/p/eviction", eviction())
    assert response.status == 429
    assert ("Retry-After", "10") in list(response.headers)


@pytest.mark.parametrize("where", ["query", "body"])
async def test_a_dry_run_evicts_nothing_and_uses_nothing(talk: Any, where: str) -> None:
    await running(talk)
    await budget(talk, 1)
    before = talk.api.storage.revision
    path, options = (
        (f"{PODS}/p/eviction?dryRun=All", {}) if where == "query" else (f"{PODS}/p/eviction", {"dryRun": ["All"]})
    )
    assert await talk.ask("POST", path, eviction(**options)) == (201, DONE)
    assert talk.api.storage.revision == before


async def test_what_a_deletion_refuses_costs_no_budget(talk: Any) -> None:
    pod = await running(talk)
    await budget(talk, 1)
    before = talk.api.storage.revision
    refusals = [
        ({"preconditions": {"uid": "other"}}, 409),
        ({"preconditions": {"resourceVersion": "1"}}, 409),
        ({"propagationPolicy": "Bogus"}, 422),
        ({"ignoreStoreReadErrorWithClusterBreakingPotential": True}, 422),
    ]
    for options, code in refusals:
        assert (await talk.ask("POST", f"{PODS}/p/eviction", eviction(**options)))[0] == code, options
    assert talk.api.storage.revision == before
    exact = {"uid": pod["metadata"]["uid"], "resourceVersion": pod["metadata"]["resourceVersion"]}
    assert (await talk.ask("POST", f"{PODS}/p/eviction", eviction(preconditions=exact)))[0] == 201


@pytest.mark.parametrize(
    "body",
    [
        {**eviction(), "kind": "Pod"}, {**eviction(), "apiVersion": "policy/v2"}, eviction("other"), {"metadata": 1},
        {**eviction(), "deleteOptions": 1}, {**eviction(), "deleteOptions": {"dryRun": 1}}, [],
    ],
)  # fmt: skip
async def test_what_is_no_eviction_of_this_pod_is_refused(talk: Any, body: Any) -> None:
    await running(talk)
    assert (await talk.ask("POST", f"{PODS}/p/eviction", body))[0] == 400
    assert (await talk.ask("GET", f"{PODS}/p"))[1]["metadata"].get("deletionTimestamp") is None


async def test_two_budgets_of_one_pod_fail_with_the_status_of_a_success(talk: Any) -> None:
    await running(talk)
    await budget(talk, 1, "b")
    await budget(talk, 1, "c")
    status, failure = await talk.ask("POST", f"{PODS}/p/eviction", eviction())
    assert (status, failure["status"], failure["code"]) == (201, "Failure", 500)


async def test_a_binding_schedules_once_and_not_in_a_dry_run(talk: Any) -> None:
    await talk.make("p", PODS, spec=SPEC)
    body = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n"}}
    assert await talk.ask("POST", f"{PODS}/p/binding?dryRun=All", body) == (201, DONE)
    assert "nodeName" not in (await talk.ask("GET", f"{PODS}/p"))[1]["spec"]
    assert await talk.ask("POST", f"{PODS}/p/binding", body) == (201, DONE)
    assert (await talk.ask("GET", f"{PODS}/p"))[1]["spec"]["nodeName"] == "n"
    assert (await talk.ask("POST", f"{PODS}/p/binding", body))[0] == 409


@pytest.mark.parametrize("wrong", [{"target": 1}, {"target": []}, {"metadata": {"name": "q"}}, {"kind": "Pod"}])
async def test_what_is_no_binding_of_this_pod_is_refused(talk: Any, wrong: dict[str, Any]) -> None:
    await talk.make("p", PODS, spec=SPEC)
    body = {"metadata": {"name": "p"}, "target": {"name": "n"}} | wrong
    assert (await talk.ask("POST", f"{PODS}/p/binding", body))[0] == 400


async def test_the_log_of_a_container_that_never_ran_is_empty(talk: Any) -> None:
    await talk.make("p", PODS, spec=SPEC)
    two = [{"name": "c", "image": "i"}, {"name": "d", "image": "i"}]
    await talk.make("q", PODS, spec={"containers": two, "initContainers": [{"name": "e", "image": "i"}]})
    for path in ("p/log", "p/log?container=c&follow=true&tailLines=3", "q/log?container=e"):
        response = await talk.send("GET", f"{PODS}/{path}", accept="application/json, */*")
        assert (response.status, response.body) == (200, b"")
        assert dict(response.headers)["Content-Type"] == "text/plain"
    status, reported = await talk.ask("GET", f"{PODS}/q/log")
    text = "a container name must be specified for pod q, choose one of: [c d] or one of the init containers: [e]"
    assert (status, reported["message"]) == (400, text)
    status, reported = await talk.ask("GET", f"{PODS}/p/log?container=x")
    assert (status, reported["message"]) == (400, "container x is not valid for pod p")
    assert (await talk.ask("GET", f"{PODS}/none/log"))[0] == 404
