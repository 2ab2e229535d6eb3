from __future__ import annotations

import pytest


async def test_an_object_without_finalizers_is_gone_at_once(talk):
    made = await talk.make("a")
    status, response = await talk.ask("DELETE", f"{talk.configmaps}/a")
    details = {"name": "a", "kind": "configmaps", "uid": made["metadata"]["uid"]}
    assert (status, response["status"], response["details"]) == (200, "Success", details)
    assert (await talk.ask("GET", f"{talk.configmaps}/a"))[0] == 404


async def test_finalizers_hold_an_object_and_the_last_one_lets_it_go(talk):
    made = await talk.make("a", metadata={"finalizers": ["example.com/one"]})
    stream = await talk.watch(f"{talk.configmaps}?watch=1&resourceVersion={made['metadata']['resourceVersion']}")
    _, held = await talk.ask("DELETE", f"{talk.configmaps}/a")
    assert held["metadata"]["deletionGracePeriodSeconds"] == 0
    _, again = await talk.ask("DELETE", f"{talk.configmaps}/a")
    assert again == held
    status, failure = await talk.merge(f"{talk.configmaps}/a", {"metadata": {"finalizers": ["example.com/two"]}})
    assert status == 422
    assert "no new finalizers can be added" in failure["message"]
    assert (await talk.merge(f"{talk.configmaps}/a", {"metadata": {"finalizers": None}}))[0] == 200
    assert (await talk.ask("GET", f"{talk.configmaps}/a"))[0] == 404
    assert await stream.reported(1) == [("MODIFIED", "a")]
    gone = await stream.event()
    assert gone["type"] == "DELETED"
    assert int(gone["object"]["metadata"]["resourceVersion"]) > int(held["metadata"]["resourceVersion"])
    await stream.close()


@pytest.mark.parametrize(("policy", "finalizer"), [("Orphan", "orphan"), ("Foreground", "foregroundDeletion")])
async def test_a_policy_leaves_its_finalizer(talk, policy, finalizer):
    await talk.make("a")
    _, held = await talk.ask("DELETE", f"{talk.configmaps}/a", {"propagationPolicy": policy})
    assert held["metadata"]["finalizers"] == [finalizer]


async def test_a_precondition_that_does_not_hold_is_a_conflict(talk):
    await talk.make("a")
    status, failure = await talk.ask("DELETE", f"{talk.configmaps}/a", {"preconditions": {"uid": "other"}})
    assert (status, failure["details"]["kind"]) == (409, "ConfigMap")
    assert (await talk.ask("GET", f"{talk.configmaps}/a"))[0] == 200


async def test_a_collection_goes_by_its_selector(talk):
    await talk.make("a", metadata={"labels": {"x": "1"}})
    await talk.make("b")
    _, gone = await talk.ask("DELETE", f"{talk.configmaps}?labelSelector=x")
    assert [item["metadata"]["name"] for item in gone["items"]] == ["a"]
    _, left = await talk.ask("GET", talk.configmaps)
    assert [item["metadata"]["name"] for item in left["items"]] == ["b"]


async def test_pods_on_a_node_have_time_to_end(talk):
    path = "/api/v1/namespaces/default/pods"
    spec = {"containers": [{"name": "c", "image": "i"}]}
    await talk.make("idle", path, spec=spec)
    await talk.make("busy", path, spec={**spec, "nodeName": "n1"})
    _, idle = await talk.ask("DELETE", f"{path}/idle")
    assert idle["metadata"]["deletionGracePeriodSeconds"] == 0
    _, busy = await talk.ask("DELETE", f"{path}/busy")
    assert busy["metadata"]["deletionGracePeriodSeconds"] == 30
    assert (await talk.ask("GET", f"{path}/busy"))[0] == 200
    await talk.ask("DELETE", f"{path}/busy", {"gracePeriodSeconds": 0})
    assert (await talk.ask("GET", f"{path}/busy"))[0] == 404


async def test_a_namespace_that_ends_takes_nothing_new_and_goes_when_finalized(talk):
    await talk.make("n", "/api/v1/namespaces")
    status, ending = await talk.ask("DELETE", "/api/v1/namespaces/n")
    assert (status, ending["status"]["phase"]) == (200, "Terminating")
    status, failure = await talk.ask("POST", "/api/v1/namespaces/n/configmaps", {"metadata": {"name": "a"}})
    assert (status, failure["details"]["causes"][0]["reason"]) == (403, "NamespaceTerminating")
    ending["spec"]["finalizers"] = []
    assert (await talk.ask("PUT", "/api/v1/namespaces/n/finalize", ending))[0] == 200
    assert (await talk.ask("GET", "/api/v1/namespaces/n"))[0] == 404
    status, failure = await talk.ask("POST", "/api/v1/namespaces/n/configmaps", {"metadata": {"name": "a"}})
    assert (status, failure["message"]) == (404, 'namespaces "n" not found')


async def test_the_default_namespace_stays(talk):
    assert (await talk.ask("DELETE", "/api/v1/namespaces/default"))[0] == 403


async def test_only_the_first_deletion_is_a_new_generation(talk):
    path = "/apis/apps/v1/namespaces/default/deployments"
    labels = {"a": "b"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    made = await talk.make("d", path, metadata={"finalizers": ["example.com/one"]},
                           spec={"selector": {"matchLabels": labels}, "template": template})  # fmt: skip
    before = made["metadata"]["generation"]
    _, held = await talk.ask("DELETE", f"{path}/d")
    _, again = await talk.ask("DELETE", f"{path}/d", {"propagationPolicy": "Foreground"})
    assert (held["metadata"]["generation"], again["metadata"]["generation"]) == (before + 1, before + 1)
    assert held["metadata"]["deletionTimestamp"] == again["metadata"]["deletionTimestamp"]
    assert again["metadata"]["finalizers"] == ["example.com/one", "foregroundDeletion"]
    _, last = await talk.ask("DELETE", f"{path}/d", {"propagationPolicy": "Orphan"})
    assert last["metadata"]["finalizers"] == ["example.com/one", "orphan"]
    _, last = await talk.ask("DELETE", f"{path}/d", {"propagationPolicy": "Background"})
    assert last["metadata"]["finalizers"] == ["example.com/one"]


async def test_a_precondition_on_the_version_holds_for_the_present_one_alone(talk):
    made = await talk.make("a")
    _, changed = await talk.merge(f"{talk.configmaps}/a", {"data": {"a": "b"}})
    old, present = (each["metadata"]["resourceVersion"] for each in (made, changed))
    status, _ = await talk.ask("DELETE", f"{talk.configmaps}/a", {"preconditions": {"resourceVersion": old}})
    assert status == 409
    status, _ = await talk.ask("DELETE", f"{talk.configmaps}/a", {"preconditions": {"resourceVersion": present}})
    assert status == 200
    assert (await talk.ask("GET", f"{talk.configmaps}/a"))[0] == 404


@pytest.mark.parametrize("phase", ["Failed", "Succeeded"])
async def test_a_pod_whose_containers_have_ended_is_removed_at_once(talk, phase):
    path = "/api/v1/namespaces/default/pods"
    await talk.make("p", path, spec={"containers": [{"name": "c", "image": "i"}], "nodeName": "n1"})
    assert (await talk.merge(f"{path}/p/status", {"status": {"phase": phase}}))[0] == 200
    await talk.ask("DELETE", f"{path}/p")
    assert (await talk.ask("GET", f"{path}/p"))[0] == 404


async def test_a_deletion_repeated_without_options_keeps_the_shortened_grace_period(talk):
    path = "/api/v1/namespaces/default/pods"
    await talk.make("p", path, spec={"containers": [{"name": "c", "image": "i"}], "nodeName": "n1",
                                     "terminationGracePeriodSeconds": 10})  # fmt: skip
    _, first = await talk.ask("DELETE", f"{path}/p", {"gracePeriodSeconds": 40})
    assert first["metadata"]["deletionGracePeriodSeconds"] == 40
    assert (await talk.ask("DELETE", f"{path}/p"))[1] == first


async def test_orphaned_dependents_are_a_policy_too(talk):
    await talk.make("a")
    _, held = await talk.ask("DELETE", f"{talk.configmaps}/a", {"orphanDependents": True})
    assert held["metadata"]["finalizers"] == ["orphan"]


async def test_a_dry_run_of_a_removal_is_a_success_without_the_object(talk):
    made = await talk.make("a")
    status, shown = await talk.ask("DELETE", f"{talk.configmaps}/a", {"dryRun": ["All"]})
    assert (status, shown["kind"], shown["details"]["uid"]) == (200, "Status", made["metadata"]["uid"])
