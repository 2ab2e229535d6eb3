"""Rules of the verbs that no recorded response shows: what a write cannot decide, what a deletion leaves."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
import yaml

from .conftest import Talk

PODS = "/api/v1/namespaces/default/pods"
NAMESPACES = "/api/v1/namespaces"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
THINGS = "/apis/rules.example/v1/namespaces/default/things"
TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"
PARTIAL = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
POD = {"spec": {"containers": [{"name": "c", "image": "i"}]}}
BOUND = {"spec": {"containers": [{"name": "c", "image": "i"}], "nodeName": "n"}}


async def with_things(talk: Talk) -> Talk:
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    versions = [{"name": "v1", "served": True, "storage": True, "schema": schema}]
    names = {"plural": "things", "kind": "Thing"}
    spec = {"group": "rules.example", "scope": "Namespaced", "names": names, "versions": versions}
    await talk.make("things.rules.example", CRDS, spec=spec)
    await asyncio.sleep(0)  # the definition is served after its create
    return talk


SYSTEM_FIELDS = {
    "uid": "mine",
    "creationTimestamp": "2001-01-01T00:00:00Z",
    "deletionTimestamp": "2001-01-01T00:00:00Z",
    "deletionGracePeriodSeconds": 7,
    "selfLink": "/mine",
    "generation": 99,
}


@pytest.mark.parametrize("field", sorted(SYSTEM_FIELDS))
async def test_a_client_cannot_decide_the_fields_of_the_server(talk: Talk, field: str) -> None:
    mine = SYSTEM_FIELDS[field]
    await with_things(talk)
    places: list[tuple[str, dict[str, Any]]] = [(THINGS, {"apiVersion": "rules.example/v1", "kind": "Thing"})]
    if field != "generation":  # kinds whose spec has no generation keep what they were given, as in kube-apiserver
        places.append((talk.configmaps, {}))
    for path, body in places:
        made = await talk.make("a", path, metadata={field: mine}, **body)
        assert made["metadata"].get(field) != mine
        body = {**made, "metadata": {**made["metadata"], field: mine}}
        status, replaced = await talk.ask("PUT", f"{path}/a", body)
        if field == "uid":  # a precondition there
            assert (status, replaced["reason"]) == (409, "Conflict")
        else:
            assert status in (200, 422)
        _, stored = await talk.ask("GET", f"{path}/a")
        assert stored["metadata"].get(field) != mine
    assert "selfLink" not in stored["metadata"]


async def test_a_pod_without_a_node_is_gone_at_once_and_its_last_event_is_of_the_deleted_object(talk: Talk) -> None:
    made = await talk.make("p", PODS, **POD)
    watch = await talk.watch(f"{PODS}?watch=1&resourceVersion={made['metadata']['resourceVersion']}")

    status, deleted = await talk.ask("DELETE", f"{PODS}/p")

    assert status == 200
    meta = deleted["metadata"]
    assert meta["deletionTimestamp"]
    assert meta["deletionGracePeriodSeconds"] == 0
    assert meta.get("generation") == (made["metadata"]["generation"] + 1 if "generation" in made["metadata"] else None)
    first, last = await watch.event(), await watch.event()
    await watch.close()
    assert [first["type"], last["type"]] == ["MODIFIED", "DELETED"]
    assert first["object"]["metadata"]["deletionTimestamp"] == meta["deletionTimestamp"]
    versions = [int(one["object"]["metadata"]["resourceVersion"]) for one in (first, last)]
    assert int(made["metadata"]["resourceVersion"]) < versions[0] < versions[1]
    assert (await talk.ask("GET", f"{PODS}/p"))[0] == 404


async def test_a_dry_run_of_that_deletion_says_the_same_and_deletes_nothing(talk: Talk) -> None:
    made = await talk.make("p", PODS, **POD)

    status, deleted = await talk.ask("DELETE", f"{PODS}/p?dryRun=All")

    assert (status, deleted["metadata"]["deletionGracePeriodSeconds"]) == (200, 0)
    assert (await talk.ask("GET", f"{PODS}/p"))[1] == made


@pytest.mark.parametrize(("query", "grace"), [("", 30), ("?gracePeriodSeconds=5", 5), ("?gracePeriodSeconds=90", 90)])
async def test_a_pod_on_a_node_stays_for_its_grace_period(talk: Talk, query: str, grace: int) -> None:
    made = await talk.make("p", PODS, **BOUND)

    status, marked = await talk.ask("DELETE", f"{PODS}/p{query}")

    meta = marked["metadata"]
    assert (status, meta["deletionGracePeriodSeconds"]) == (200, grace)
    assert meta.get("generation", 0) == made["metadata"].get("generation", -1) + 1
    assert (await talk.ask("GET", f"{PODS}/p"))[1] == marked


async def test_a_second_deletion_only_shortens_the_time_and_counts_from_the_first(talk: Talk) -> None:
    await talk.make("p", PODS, **BOUND)
    _, first = await talk.ask("DELETE", f"{PODS}/p?gracePeriodSeconds=20")
    talk.now += 4

    _, longer = await talk.ask("DELETE", f"{PODS}/p?gracePeriodSeconds=60")
    assert longer["metadata"] == first["metadata"]
    _, shorter = await talk.ask("DELETE", f"{PODS}/p?gracePeriodSeconds=12")

    assert shorter["metadata"]["deletionGracePeriodSeconds"] == 12
    assert shorter["metadata"].get("generation") == first["metadata"].get("generation")
    ends = [yaml.safe_load(one["metadata"]["deletionTimestamp"]) for one in (first, shorter)]
    assert (ends[0] - ends[1]).total_seconds() == 8
    assert (await talk.ask("DELETE", f"{PODS}/p?gracePeriodSeconds=0"))[0] == 200
    assert (await talk.ask("GET", f"{PODS}/p"))[0] == 404


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
async def test_a_pod_that_has_ended_has_nothing_to_wait_for(talk: Talk, phase: str) -> None:
    await talk.make("p", PODS, **BOUND)
    assert (await talk.merge(f"{PODS}/p/status", {"status": {"phase": phase}}))[0] == 200

    assert (await talk.ask("DELETE", f"{PODS}/p"))[0] == 200
    assert (await talk.ask("GET", f"{PODS}/p"))[0] == 404


async def test_a_namespace_is_terminating_until_it_is_finalized(talk: Talk) -> None:
    made = await talk.make("n", NAMESPACES)
    assert made["spec"]["finalizers"] == ["kubernetes"]
    with_own = await talk.make("m", NAMESPACES, spec={"finalizers": ["mine.example/x"]})
    assert with_own["spec"]["finalizers"] == ["mine.example/x", "kubernetes"]

    status, marked = await talk.ask("DELETE", f"{NAMESPACES}/n")

    assert (status, marked["status"]["phase"]) == (200, "Terminating")
    assert marked["metadata"]["deletionTimestamp"]
    assert "deletionGracePeriodSeconds" not in marked["metadata"]
    status, failure = await talk.ask("POST", "/api/v1/namespaces/n/configmaps", {"metadata": {"name": "late"}})
    assert (status, failure["reason"]) == (403, "Forbidden")
    assert failure["details"] == {
        "name": "late",
        "kind": "configmaps",
        "causes": failure["details"]["causes"],
    }
    assert failure["details"]["causes"][0]["reason"] == "NamespaceTerminating"
    assert '"late"' in failure["message"]
    status, _ = await talk.ask("PUT", f"{NAMESPACES}/n/finalize", {**marked, "spec": {"finalizers": []}})
    assert status == 200
    assert (await talk.ask("GET", f"{NAMESPACES}/n"))[0] == 404


async def test_an_object_in_a_namespace_that_does_not_exist_is_named_as_the_namespace_is(talk: Talk) -> None:
    status, failure = await talk.ask("POST", "/api/v1/namespaces/none/configmaps", {"metadata": {"name": "a"}})

    assert (status, failure["reason"], failure["details"]["name"]) == (404, "NotFound", "none")
    assert failure["details"]["kind"] == "namespaces"


@pytest.mark.parametrize(
    ("accept", "custom", "has_continue"),
    [
        ("application/json", True, True),
        ("application/yaml", True, True),
        (TABLE, True, False),
        (PARTIAL, True, False),
        ("application/json", False, False),
        ("application/yaml", False, False),
        (TABLE, False, False),
        (PARTIAL, False, False),
    ],
)
async def test_lists_of_custom_resources_have_an_empty_continue_in_their_own_form_only(
    talk: Talk, accept: str, custom: bool, has_continue: bool
) -> None:
    await with_things(talk)

    response = await talk.send("GET", THINGS if custom else talk.configmaps, accept=accept)

    assert isinstance(response.body, bytes)
    document: dict[str, Any] = (yaml.safe_load if "yaml" in accept else json.loads)(response.body)
    assert response.status == 200
    assert document["metadata"]["resourceVersion"]
    assert document["metadata"].get("continue") == ("" if has_continue else None)


@pytest.mark.parametrize("custom", [False, True])
async def test_a_page_has_a_continue_in_every_form(talk: Talk, custom: bool) -> None:
    await with_things(talk)
    path = THINGS if custom else talk.configmaps
    body: dict[str, Any] = {"apiVersion": "rules.example/v1", "kind": "Thing"} if custom else {}
    for name in "abc":
        await talk.make(name, path, **body)
    for accept, key in (("application/json", "items"), (PARTIAL, "items"), (TABLE, "rows")):
        names, token = [], ""
        for _ in range(5):
            _, page = await talk.ask("GET", f"{path}?limit=2&continue={token}", accept=accept)
            names += [(one["object"] if key == "rows" else one)["metadata"]["name"] for one in page[key]]
            token = page["metadata"].get("continue", "")
            if not token:
                break
        assert [name for name in names if name in "abc"] == ["a", "b", "c"]


@pytest.mark.parametrize(
    "body", [{"kind": "Secret"}, {"apiVersion": "v2"}, {"apiVersion": "apps/v1", "kind": "Deployment"}]
)
@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_a_body_of_another_type_is_a_bad_request_by_every_verb(
    talk: Talk, method: str, body: dict[str, str]
) -> None:
    made = await talk.make("a")
    path = talk.configmaps if method == "POST" else f"{talk.configmaps}/a"
    status, failure = await talk.ask(
        method, path, {"apiVersion": "v1", "kind": "ConfigMap", **body, "metadata": {"name": "a"}}
    )
    assert (status, failure["reason"]) == (400, "BadRequest")
    assert (await talk.ask("GET", f"{talk.configmaps}/a"))[1] == made


async def test_a_patch_never_changes_the_type_of_its_object(talk: Talk) -> None:
    made = await talk.make("a")
    for patch in ({"kind": "Secret"}, {"apiVersion": "v2"}):
        status, _ = await talk.merge(f"{talk.configmaps}/a", patch)
        assert status in (400, 422)
    assert (await talk.ask("GET", f"{talk.configmaps}/a"))[1] == made
