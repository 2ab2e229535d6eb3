"""The scale subresource: every way to write it, of built-in and custom kinds, and who owns the replicas then."""

from __future__ import annotations

import asyncio

import pytest

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
SCALED = "/apis/scaling.example/v1/namespaces/default/widgets"
JSON_PATCH = "application/json-patch+json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"


async def deployment(talk):
    labels = {"a": "b"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    await talk.make("x", DEPLOYMENTS, spec={"replicas": 1, "selector": {"matchLabels": labels}, "template": template})
    return f"{DEPLOYMENTS}/x", lambda obj: obj["spec"]["replicas"]


async def widget(talk):
    names = {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"}
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    scale = {"specReplicasPath": ".spec.size.wanted", "statusReplicasPath": ".status.size"}
    version = {"name": "v1", "served": True, "storage": True, "schema": schema, "subresources": {"scale": scale}}
    spec = {"group": "scaling.example", "scope": "Namespaced", "names": names, "versions": [version]}
    status, made = await talk.ask("POST", DEFINITIONS, {"metadata": {"name": "widgets.scaling.example"}, "spec": spec})
    assert status == 201, made
    await asyncio.sleep(0)
    body = {"apiVersion": "scaling.example/v1", "kind": "Widget", "metadata": {"name": "x"}}
    status, made = await talk.ask("POST", SCALED, {**body, "spec": {"size": {"wanted": 1}}})
    assert status == 201, made
    return f"{SCALED}/x", lambda obj: obj["spec"]["size"]["wanted"]


KINDS = pytest.mark.parametrize("made", [deployment, widget])


def scale(replicas=3, **metadata):
    meta = {"name": "x", "namespace": "default", **metadata}
    return {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": meta, "spec": {"replicas": replicas}}


def managers(obj):
    """Manager, operation and subresource of each entry that owns the replicas."""
    return {
        (entry["manager"], entry["operation"], entry.get("subresource", ""))
        for entry in obj["metadata"]["managedFields"]
        if "f:replicas" in (fields := entry["fieldsV1"].get("f:spec", {})) or "f:wanted" in fields.get("f:size", {})
    }


@KINDS
async def test_an_apply_sets_the_replicas_and_owns_them(talk, made):
    path, replicas = await made(talk)
    assert managers((await talk.ask("GET", path))[1]) == {("test", "Update", "")}
    status, failure = await talk.ask("PATCH", f"{path}/scale?fieldManager=m", scale(), content_type=APPLY)
    assert (status, failure["details"]["causes"][0]["field"]) == (409, ".spec.replicas")

    status, shown = await talk.ask("PATCH", f"{path}/scale?fieldManager=m&force=true", scale(), content_type=APPLY)
    assert (status, shown["kind"], shown["spec"]) == (200, "Scale", {"replicas": 3})
    assert "managedFields" not in shown["metadata"]
    _, obj = await talk.ask("GET", path)
    assert (replicas(obj), managers(obj)) == (3, {("m", "Apply", "scale")})
    again = await talk.ask("PATCH", f"{path}/scale?fieldManager=m", scale(), content_type=APPLY)
    assert again[1]["metadata"]["resourceVersion"] == shown["metadata"]["resourceVersion"]

    status, _ = await talk.ask("PATCH", f"{path}/scale?fieldManager=n", scale(3), content_type=APPLY)
    assert status == 200  # the same number is no conflict, and has two owners
    assert managers((await talk.ask("GET", path))[1]) == {("m", "Apply", "scale"), ("n", "Apply", "scale")}


@KINDS
async def test_an_update_takes_the_replicas_from_an_applier(talk, made):
    path, replicas = await made(talk)
    await talk.ask("PATCH", f"{path}/scale?fieldManager=m&force=true", scale(), content_type=APPLY)
    assert (await talk.ask("PUT", f"{path}/scale?fieldManager=u", scale(5)))[0] == 200
    _, obj = await talk.ask("GET", path)
    assert (replicas(obj), managers(obj)) == (5, {("u", "Update", "scale")})


@KINDS
async def test_a_manager_of_the_object_keeps_its_other_fields(talk, made):
    path, _ = await made(talk)
    before = (await talk.ask("GET", path))[1]["metadata"]["managedFields"][0]["fieldsV1"]
    await talk.ask("PATCH", f"{path}/scale?fieldManager=m&force=true", scale(), content_type=APPLY)
    entries = (await talk.ask("GET", path))[1]["metadata"]["managedFields"]
    after = [entry["fieldsV1"] for entry in entries if entry["manager"] == "test"]
    if made is deployment:
        assert list(after[0]["f:spec"]) == [name for name in before["f:spec"] if name != "f:replicas"]
    (mine,) = [entry for entry in entries if entry["manager"] == "m"]
    assert mine["apiVersion"] == (await talk.ask("GET", path))[1]["apiVersion"]


@KINDS
@pytest.mark.parametrize(
    ("kind", "patch"),
    [
        (MERGE, {"spec": {"replicas": 4}}),
        (JSON_PATCH, [{"op": "replace", "path": "/spec/replicas", "value": 4}]),
        (JSON_PATCH, [{"op": "remove", "path": "/kind"}, {"op": "add", "path": "/spec/replicas", "value": 4}]),
        (STRATEGIC, {"spec": {"replicas": 4}}),
    ],
    ids=["merge", "json", "json without kind", "strategic"],
)
async def test_every_patch_sets_the_replicas(talk, made, kind, patch):
    path, replicas = await made(talk)
    status, shown = await talk.ask("PATCH", f"{path}/scale", patch, content_type=kind)
    if kind == STRATEGIC and made is widget:
        assert status == 415
        return
    assert (status, shown["spec"]["replicas"]) == (200, 4)
    assert replicas((await talk.ask("GET", path))[1]) == 4


@KINDS
async def test_a_dry_run_scales_nothing(talk, made):
    path, replicas = await made(talk)
    query = "?dryRun=All&fieldManager=m&force=true"
    _, shown = await talk.ask("PATCH", f"{path}/scale{query}", scale(), content_type=APPLY)
    assert shown["spec"]["replicas"] == 3
    assert replicas((await talk.ask("GET", path))[1]) == 1


BAD = [1, "3", [], True, {"replicas": "3"}, {"replicas": 1.5}, {"replicas": []}, {"replicas": 2**31}, {"replicas": -1}]


@KINDS
@pytest.mark.parametrize("spec", BAD, ids=map(str, BAD))
async def test_a_scale_of_wrong_types_is_refused(talk, made, spec):
    path, replicas = await made(talk)
    body = {**scale(), "spec": spec}
    status, _ = await talk.ask("PUT", f"{path}/scale", body)
    assert status == (422 if spec == {"replicas": -1} else 400)
    assert (await talk.ask("PATCH", f"{path}/scale", {"spec": spec}, content_type=MERGE))[0] == 422
    operations = [{"op": "replace", "path": "/spec", "value": spec}]
    assert (await talk.ask("PATCH", f"{path}/scale", operations, content_type=JSON_PATCH))[0] == 422
    applied = await talk.ask("PATCH", f"{path}/scale?fieldManager=m&force=true", body, content_type=APPLY)
    assert applied[0] in (400, 422) or "failed to create typed patch object" in applied[1]["message"]
    assert replicas((await talk.ask("GET", path))[1]) == 1


@KINDS
async def test_a_scale_names_its_object(talk, made):
    path, _ = await made(talk)
    assert (await talk.ask("PUT", f"{path}/scale", {**scale(), "metadata": {}}))[0] == 400
    assert (await talk.ask("PUT", f"{path}/scale", scale(name="y")))[0] == 400
    assert (await talk.ask("PUT", f"{path}/scale", scale(namespace="other")))[0] == 400
    assert (await talk.ask("PUT", f"{path}/scale", scale(resourceVersion="1")))[0] == 409
    assert (await talk.ask("PUT", f"{path}/scale", scale(uid="another")))[0] == 409
    assert (await talk.ask("PUT", f"{path.replace('/x', '/nope')}/scale", scale(name="nope")))[0] == 404
    other = {**scale(), "kind": "Deployment"}
    assert (await talk.ask("PUT", f"{path}/scale", other))[0] == 400
    assert (await talk.ask("PATCH", f"{path}/scale?fieldManager=m", other, content_type=APPLY))[0] == 400
    assert (await talk.ask("PATCH", f"{path}/scale", scale(), content_type=APPLY))[0] == 422  # no field manager


async def test_a_status_is_applied_with_an_owner_of_its_own(talk):
    path, _ = await deployment(talk)
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"}, "status": {"replicas": 2}}
    status, shown = await talk.ask("PATCH", f"{path}/status?fieldManager=m", body, content_type=APPLY)
    assert (status, shown["status"]["replicas"], shown["spec"]["replicas"]) == (200, 2, 1)
    (entry,) = [each for each in shown["metadata"]["managedFields"] if each["manager"] == "m"]
    assert (entry["subresource"], entry["fieldsV1"]) == ("status", {"f:status": {"f:replicas": {}}})
