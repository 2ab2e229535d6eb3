from __future__ import annotations

from dataclasses import replace

import pytest

OWNER = {"apiVersion": "v1", "kind": "Pod", "name": "p"}


async def test_what_is_created_can_be_read(talk):
    made = await talk.make("a", data={"k": "v"})
    assert made["metadata"]["creationTimestamp"] == "2027-01-15T08:00:00Z"
    assert await talk.ask("GET", f"{talk.configmaps}/a") == (200, made)


async def test_a_write_that_changes_nothing_is_none(talk):
    made = await talk.make("a", data={"k": "v"})
    stream = await talk.watch(f"{talk.configmaps}?watch=1&resourceVersion={made['metadata']['resourceVersion']}")
    before = talk.api.storage.revision
    status, put = await talk.ask("PUT", f"{talk.configmaps}/a", made)
    assert (status, put) == (200, made)
    assert talk.api.storage.revision == before
    await talk.make("b")
    assert await stream.told(1) == [("ADDED", "b")]
    await stream.close()


async def test_a_stale_version_conflicts(talk):
    made = await talk.make("a")
    await talk.merge(f"{talk.configmaps}/a", {"data": {"k": "1"}})
    status, failure = await talk.ask("PUT", f"{talk.configmaps}/a", made)
    assert (status, failure["reason"]) == (409, "Conflict")
    assert "the object has been modified" in failure["message"]


async def test_leases_are_not_updated_without_a_version(talk):
    path = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
    await talk.make("a", path)
    status, failure = await talk.ask("PUT", f"{path}/a", {"metadata": {"name": "a"}})
    assert status == 422
    assert "must be specified for an update" in failure["message"]


async def test_a_dry_run_says_the_same_and_does_nothing(talk):
    before = talk.api.storage.revision
    status, obj = await talk.ask("POST", f"{talk.configmaps}?dryRun=All", {"metadata": {"name": "a"}})
    assert (status, obj["metadata"]["name"]) == (201, "a")
    assert (await talk.ask("GET", f"{talk.configmaps}/a"))[0] == 404
    assert talk.api.storage.revision == before


async def test_names_are_generated(talk):
    body = {"metadata": {"generateName": "job-" + "x" * 80}}
    _, one = await talk.ask("POST", talk.configmaps, body)
    _, two = await talk.ask("POST", talk.configmaps, body)
    assert one["metadata"]["name"] != two["metadata"]["name"]
    assert len(one["metadata"]["name"]) == 63


@pytest.mark.parametrize(
    ("metadata", "field"),
    [
        ({"name": "Upper"}, "metadata.name"),
        ({"name": "a", "labels": {"bad key": "v"}}, "metadata.labels"),
        ({"name": "a", "annotations": {"a": "x" * 300_000}}, "metadata.annotations"),
        ({"name": "a", "finalizers": ["bare"]}, "metadata.finalizers[0]"),
        ({"name": "a", "finalizers": ["orphan", "foregroundDeletion"]}, "metadata.finalizers"),
        (
            {"name": "a", "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "p"}]},
            "metadata.ownerReferences.uid",
        ),
    ],
)
async def test_metadata_that_breaks_a_rule_is_refused(talk, metadata, field):
    status, failure = await talk.ask("POST", talk.configmaps, {"metadata": metadata})
    assert status == 422
    assert [cause["field"] for cause in failure["details"]["causes"]] == [field]


async def test_the_servers_own_metadata_cannot_be_written(talk):
    made = await talk.make("a", metadata={"uid": "mine", "creationTimestamp": "2020-01-01T00:00:00Z"})
    assert made["metadata"]["uid"] != "mine"
    status, failure = await talk.merge(f"{talk.configmaps}/a", {"metadata": {"uid": "mine"}})
    assert (status, failure["details"]["causes"][0]["field"]) == (422, "metadata.uid")


async def test_a_body_of_another_kind_is_refused(talk):
    status, failure = await talk.ask("POST", talk.configmaps, {"apiVersion": "v1", "kind": "Secret"})
    assert status == 400
    assert "converting (v1.Secret) to (core.ConfigMap): unknown conversion" in failure["message"]


async def test_a3_a_defect_is_a_status_without_a_word_of_the_code(talk, caplog):
    def broken(ctx):
        raise ZeroDivisionError("secret thought")

    registry = talk.api.registry
    registry.add(replace(registry.find("", "v1", "configmaps"), handlers={"list": broken}))
    status, failure = await talk.ask("GET", talk.configmaps)
    assert (status, failure["kind"]) == (500, "Status")
    assert "secret thought" not in str(failure)
    assert "secret thought" in caplog.text


async def test_a2_what_is_not_there_fails_loudly(talk):
    assert (await talk.send("GET", "/nowhere")).status == 404
    assert (await talk.ask("GET", "/apis/apps/v1/nosuch"))[0] == 404
    assert (await talk.ask("PATCH", f"{talk.configmaps}/a", {}, content_type="text/plain"))[0] == 415
    assert (await talk.ask("PUT", talk.configmaps, {}))[0] == 405
    assert (await talk.ask("POST", "/api/v1/configmaps", {}))[0] == 405


async def test_only_administrators_compact(talk):
    assert (await talk.ask("POST", "/zestor/v1/compact"))[0] == 200
    assert talk.api.storage.compacted == talk.api.storage.revision
    assert (await talk.ask("GET", "/zestor/v1/compact"))[0] == 405
