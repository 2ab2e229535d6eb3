"""Options of DELETE: read and validated in one way indefinitelyy kind, object and collection."""

from __future__ import annotations

import asyncio

import pytest

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
NAME = "things.options.example"


def definition():
    names = {"plural": "things", "singular": "thing", "kind": "Thing", "listKind": "ThingList"}
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    versions = [{"name": "v1", "served": True, "storage": True, "schema": schema}]
    spec = {"group": "options.example", "scope": "Namespaced", "names": names, "versions": versions}
    return {"metadata": {"name": NAME}, "spec": spec}


async def everything(talk):
    """The paths of an object of each sort, all of them there."""
    assert (await talk.ask("POST", DEFINITIONS, definition()))[0] == 201
    await asyncio.sleep(0)
    things = "/apis/options.example/v1/namespaces/default/things"
    thing = {"apiVersion": "options.example/v1", "kind": "Thing", "metadata": {"name": "a"}}
    assert (await talk.ask("POST", things, thing))[0] == 201
    await talk.make("a")
    await talk.make("team", "/api/v1/namespaces")
    return [f"{talk.configmaps}/a", "/api/v1/namespaces/team", f"{DEFINITIONS}/{NAME}", f"{things}/a"]


REJECTED = [
    ("", {"propagationPolicy": "Bogus"}, 422),
    ("", {"propagationPolicy": ""}, 422),
    ("?propagationPolicy=", None, 422),
    ("", {"orphanDependents": True, "propagationPolicy": "Orphan"}, 422),
    ("", {"dryRun": ["Some"]}, 422),
    ("?dryRun=", None, 422),
    ("", {"dryRun": 1}, 400),
    ("", {"dryRun": "All"}, 400),
    ("", {"dryRun": [1]}, 400),
    ("", {"preconditions": 1}, 400),
    ("", {"preconditions": {"uid": 1}}, 400),
    ("", {"gracePeriodSeconds": "5"}, 400),
    ("", {"gracePeriodSeconds": 1.5}, 400),
    ("", {"gracePeriodSeconds": 10**30}, 400),
    ("?gracePeriodSeconds=" + "9" * 5000, None, 400),
    ("?gracePeriodSeconds=", None, 400),
    ("", {"orphanDependents": "x"}, 400),
    ("", {"kind": 5}, 400),
    ("", {"kind": "Pod", "apiVersion": "v1"}, 400),
    ("", [], 400),
    ("", {"preconditions": {"uid": "another"}}, 409),
    ("", {"preconditions": {"resourceVersion": "1"}}, 409),
]


@pytest.mark.parametrize(("query", "body", "wanted"), REJECTED)
async def test_bad_options_delete_nothing_of_any_kind(talk, query, body, wanted):
    for path in await everything(talk):
        status, failure = await talk.ask("DELETE", path + query, body)
        assert status == wanted, (path, failure)
        status, after = await talk.ask("GET", path)
        assert (status, "deletionTimestamp" in after["metadata"]) == (200, False), path


@pytest.mark.parametrize("how", ["?dryRun=All", {"dryRun": ["All"]}])
async def test_a_dry_run_deletes_nothing_of_any_kind(talk, how):
    for path in await everything(talk):
        before = await talk.ask("GET", path)
        query, body = (how, None) if isinstance(how, str) else ("", how)
        assert (await talk.ask("DELETE", path + query, body))[0] == 200
        await asyncio.sleep(0)
        assert await talk.ask("GET", path) == before


async def test_a_dry_run_of_a_definitions_deletion_shows_it_terminating(talk):
    await everything(talk)
    _, shown = await talk.ask("DELETE", f"{DEFINITIONS}/{NAME}?dryRun=All")
    assert shown["metadata"]["finalizers"] == ["customresourcecleanup.apiextensions.k8s.io"]
    assert [each["type"] for each in shown["status"]["conditions"]][-1] == "Terminating"


async def test_a_body_replaces_the_query(talk):
    await talk.make("a")
    assert (await talk.ask("DELETE", f"{talk.configmaps}/a?dryRun=All&propagationPolicy=Bogus", {}))[0] == 200
    assert (await talk.ask("GET", f"{talk.configmaps}/a"))[0] == 404


async def test_a_deletion_that_is_not_at_once_is_202_for_those_who_do_not_orphan(talk):
    await talk.make("a", metadata={"finalizers": ["example.com/one"]})
    assert (await talk.ask("DELETE", f"{talk.configmaps}/a?orphanDependents=false&dryRun=All"))[0] == 202
    assert (await talk.ask("DELETE", f"{talk.configmaps}/a?propagationPolicy=Background&dryRun=All"))[0] == 200
    assert (await talk.ask("DELETE", f"{talk.configmaps}/a", {"orphanDependents": False}))[0] == 202


async def running_pod(talk, seconds=30):
    spec = {"nodeName": "n", "terminationGracePeriodSeconds": seconds, "containers": [{"name": "c", "image": "i"}]}
    await talk.make("p", "/api/v1/namespaces/default/pods", spec=spec)
    return "/api/v1/namespaces/default/pods/p"


@pytest.mark.parametrize(("given", "wanted"), [(None, 30), (5, 5), (60, 60), (-1, 1), (-(2**63), 1), (2**40, 2**40)])
async def test_the_grace_period_of_a_running_pod(talk, given, wanted):
    pod = await running_pod(talk)
    _, marked = await talk.ask("DELETE", pod, None if given is None else {"gracePeriodSeconds": given})
    assert marked["metadata"]["deletionGracePeriodSeconds"] == wanted
    assert (await talk.ask("GET", pod))[0] == 200


async def test_a_grace_period_of_zero_ends_a_pod_at_once(talk):
    pod = await running_pod(talk)
    assert (await talk.ask("DELETE", f"{pod}?gracePeriodSeconds=0"))[0] == 200
    assert (await talk.ask("GET", pod))[0] == 404


async def test_a_pod_that_ends_by_itself_has_no_grace_period(talk):
    pod = await running_pod(talk, seconds=0)
    await talk.ask("DELETE", pod)
    assert (await talk.ask("GET", pod))[0] == 404


async def test_a_later_delete_may_only_shorten_the_grace_period(talk):
    pod = await running_pod(talk)
    _, first = await talk.ask("DELETE", pod)
    talk.now += 10
    for longer in ({"gracePeriodSeconds": 60}, {"gracePeriodSeconds": 30}, None):
        assert (await talk.ask("DELETE", pod, longer))[1] == first

    _, second = await talk.ask("DELETE", pod, {"gracePeriodSeconds": 12})
    first, second = first["metadata"], second["metadata"]
    assert second["deletionGracePeriodSeconds"] == 12
    # The time counts from the first DELETE, which was the only change of the object.
    assert first["deletionTimestamp"] == "2027-01-15T08:00:30Z"
    assert second["deletionTimestamp"] == "2027-01-15T08:00:12Z"
    assert second["generation"] == first["generation"]


async def test_a_collection_is_deleted_page_by_page(talk):
    for name in "abcde":
        await talk.make(name)
    _, page = await talk.ask("DELETE", f"{talk.configmaps}?limit=2")
    assert [item["metadata"]["name"] for item in page["items"]] == ["a", "b"]
    assert page["metadata"]["remainingItemCount"] == 3
    _, after = await talk.ask("GET", talk.configmaps)
    assert [item["metadata"]["name"] for item in after["items"]] == ["c", "d", "e"]

    _, page = await talk.ask("DELETE", f"{talk.configmaps}?limit=2&continue={page['metadata']['continue']}")
    assert [item["metadata"]["name"] for item in page["items"]] == ["c", "d"]
    _, page = await talk.ask("DELETE", talk.configmaps)
    assert ([item["metadata"]["name"] for item in page["items"]], "continue" in page["metadata"]) == (["e"], False)


async def test_a_page_of_a_collection_may_name_what_is_gone(talk):
    for name in "abc":
        await talk.make(name)
    _, page = await talk.ask("GET", f"{talk.configmaps}?limit=1")
    await talk.ask("DELETE", f"{talk.configmaps}/b")
    status, _ = await talk.ask("DELETE", f"{talk.configmaps}?continue={page['metadata']['continue']}")
    assert status == 200
    _, after = await talk.ask("GET", talk.configmaps)
    assert [item["metadata"]["name"] for item in after["items"]] == ["a"]


async def test_a_collection_of_nothing_valid_is_not_deleted(talk):
    await talk.make("a")
    assert (await talk.ask("DELETE", talk.configmaps, {"propagationPolicy": "Bogus"}))[0] == 422
    assert (await talk.ask("DELETE", f"{talk.configmaps}?limit=x"))[0] == 400
    assert (await talk.ask("GET", f"{talk.configmaps}/a"))[0] == 200


async def test_a_definition_that_is_being_deleted_can_be_labelled(talk):
    await everything(talk)
    things = "/apis/options.example/v1/namespaces/default/things/a"
    await talk.merge(things, {"metadata": {"finalizers": ["example.com/hold"]}})
    await talk.ask("DELETE", f"{DEFINITIONS}/{NAME}")
    await asyncio.sleep(0)
    status, shown = await talk.merge(f"{DEFINITIONS}/{NAME}", {"metadata": {"labels": {"a": "b"}}})
    assert (status, shown["metadata"]["labels"], bool(shown["metadata"]["deletionTimestamp"])) == (
        200,
        {"a": "b"},
        True,
    )
