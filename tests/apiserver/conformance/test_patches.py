"""Patches through the whole server: JSON, merge and strategic merge patches, what they may change, and each failure."""

import pytest

CANNOT = "the server rejected our request due to an error in our request"


@pytest.fixture
async def path(server):
    await server.configmap("a", {"k": "v", "l": "w"}, labels={"x": "1", "y": "2"})
    return f"{server.configmaps}/a"


def operation(op, path, *value, **more):
    return {"op": op, "path": path, **({"value": value[0]} if value else {}), **more}


@pytest.mark.parametrize(
    ("operations", "data"),
    [
        ([operation("add", "/data/n", "1")], {"k": "v", "l": "w", "n": "1"}),
        ([operation("add", "/data/k", "1")], {"k": "1", "l": "w"}),
        ([operation("replace", "/data/k", "1")], {"k": "1", "l": "w"}),
        ([operation("replace", "/data", {"z": "1"})], {"z": "1"}),
        ([operation("remove", "/data/k")], {"l": "w"}),
        ([operation("move", "/data/m", **{"from": "/data/k"})], {"m": "v", "l": "w"}),
        ([operation("copy", "/data/m", **{"from": "/data/k"})], {"m": "v", "k": "v", "l": "w"}),
        ([operation("test", "/data/k", "v"), operation("remove", "/data/l")], {"k": "v"}),
        ([operation("add", "/data/a~1b", "1"), operation("remove", "/data/k")], {"a/b": "1", "l": "w"}),
        ([operation("add", "/data/m~0n", "1"), operation("remove", "/data/k")], {"m~n": "1", "l": "w"}),
        ([], {"k": "v", "l": "w"}),
    ],
)
async def test_a_json_patch_does_its_operations_in_order(server, path, operations, data):
    operations = [{**each, "path": each["path"].replace("a~1b", "a.b").replace("m~0n", "m.n")} for each in operations]
    data = {key.replace("a/b", "a.b").replace("m~n", "m.n"): value for key, value in data.items()}

    patched = await server.patch("json", path, operations)

    assert (patched.status, patched.body["data"]) == (200, data)


async def test_a_slash_and_a_tilde_in_a_key_are_escaped(server, path):
    added = await server.patch(
        "json",
        path,
        [operation("add", "/metadata/annotations", {}), operation("add", "/metadata/annotations/a~1b", "1")],
    )

    assert added.body["metadata"]["annotations"] == {"a/b": "1"}
    removed = await server.patch("json", path, [operation("remove", "/metadata/annotations/a~1b")])
    assert "annotations" not in removed.body["metadata"]


@pytest.mark.parametrize(
    "operations",
    [
        [operation("test", "/data/k", "other")],
        [operation("test", "/data/none", "v")],
        [operation("remove", "/data/none")],
        [operation("add", "/none/k", "v")],
        [operation("move", "/data/k", **{"from": "/data/none"})],
        [operation("bogus", "/data/k", "v")],
        [operation("add", "/data/n", "1"), operation("test", "/data/k", "other")],
        [{"op": "add", "value": "v"}],
    ],
)
async def test_a_json_patch_of_which_one_operation_fails_changes_nothing(server, path, operations):
    before = (await server.get(path)).body

    refused = await server.patch("json", path, operations)

    assert refused.failure == (422, "Invalid", CANNOT)
    assert (await server.get(path)).body == before


@pytest.mark.parametrize(
    ("how", "patch", "message"),
    [
        (
            "json",
            b"{}",
            "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp",
        ),
        ("json", b"[", "error decoding patch: unexpected end of JSON input"),
        (
            "json",
            b'"x"',
            "error decoding patch: json: cannot unmarshal string into Go value of type []handlers.jsonPatchOp",
        ),
        (
            "merge",
            b"[]",
            "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}",
        ),
        ("merge", b"{", "error decoding patch: unexpected end of JSON input"),
        ("merge", b"x", "error decoding patch: invalid character 'x' looking for beginning of value"),
        ("strategic", b"{", "unexpected end of JSON input"),
        (
            "apply",
            b"[]",
            "error decoding YAML: error unmarshaling JSON: while decoding JSON: "
            "json: cannot unmarshal array into Go value of type map[string]interface {}",
        ),
        (
            "apply",
            b"a: [",
            "error decoding YAML: error converting YAML to JSON: yaml: line 1: did not find expected node content",
        ),
        ("apply", b"apiVersion: v1\nkind: Secret\n", "invalid object type: /v1, Kind=Secret"),
    ],
)
async def test_a_patch_that_cannot_be_decoded_is_a_bad_request(server, path, how, patch, message):
    refused = await server.patch(how, f"{path}?fieldManager=m" if how == "apply" else path, patch)

    assert refused.failure[:2] == (400, "BadRequest")
    assert refused.message == message


@pytest.mark.parametrize(
    ("patch", "data"),
    [
        ({"data": {"n": "1"}}, {"k": "v", "l": "w", "n": "1"}),
        ({"data": {"k": None}}, {"l": "w"}),
        ({"data": {"none": None}}, {"k": "v", "l": "w"}),
        ({"data": None}, None),
        ({"data": {}}, {"k": "v", "l": "w"}),
        ({}, {"k": "v", "l": "w"}),
    ],
)
@pytest.mark.parametrize("how", ["merge", "strategic"])
async def test_a_merge_sets_what_it_has_and_removes_what_is_null(server, path, how, patch, data):
    patched = await server.patch(how, path, patch)

    assert (patched.status, patched.body.get("data")) == (200, data)


async def test_a_merge_replaces_a_list_and_a_strategic_merge_keeps_it_by_its_key(server):
    containers = [{"name": "a", "image": "one"}, {"name": "b", "image": "two"}]
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": containers}}
    body = {"metadata": {"name": "d"}, "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template}}
    await server.create(server.deployments, body)
    path = f"{server.deployments}/d"
    change = {"spec": {"template": {"spec": {"containers": [{"name": "b", "image": "three"}]}}}}

    def images(response):
        return [(each["name"], each["image"]) for each in response.body["spec"]["template"]["spec"]["containers"]]

    kept = await server.patch("strategic", path, change)
    assert sorted(images(kept)) == [("a", "one"), ("b", "three")]
    removed = await server.patch(
        "strategic", path, {"spec": {"template": {"spec": {"containers": [{"name": "a", "$patch": "delete"}]}}}}
    )
    assert images(removed) == [("b", "three")]
    change["spec"]["template"]["spec"]["containers"][0]["name"] = "c"
    assert images(await server.patch("merge", path, change)) == [("c", "three")]


async def test_directives_of_a_strategic_merge_replace_and_delete(server, path):
    replaced = await server.patch("strategic", path, {"data": {"$patch": "replace", "n": "1"}})
    assert replaced.body["data"] == {"n": "1"}

    refused = await server.patch("strategic", path, {"data": {"$patch": "bogus"}})
    assert refused.failure == (500, None, "unknown patch type: bogus in map: map[$patch:bogus]")

    deleted = await server.patch("strategic", path, {"data": {"$patch": "delete"}})
    assert "data" not in deleted.body


async def test_finalizers_are_merged_as_a_set_by_a_strategic_merge(server, path):
    await server.patch("strategic", path, {"metadata": {"finalizers": ["a.example/one"]}})
    both = await server.patch("strategic", path, {"metadata": {"finalizers": ["a.example/two"]}})
    assert sorted(both.body["metadata"]["finalizers"]) == ["a.example/one", "a.example/two"]

    one = await server.patch(
        "strategic", path, {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a.example/one"]}}
    )
    assert one.body["metadata"]["finalizers"] == ["a.example/two"]
    none = await server.patch("merge", path, {"metadata": {"finalizers": []}})
    assert "finalizers" not in none.body["metadata"]


@pytest.mark.parametrize("kind", [None, "application/json", "text/plain", "application/unknown+json"])
async def test_a_patch_of_an_unknown_type_is_unsupported(server, path, kind):
    refused = await server.request("PATCH", path, {}, content_type=kind)

    assert refused.failure == (415, "UnsupportedMediaType", "415: Unsupported Media Type")


async def test_custom_resources_take_no_strategic_merge(server, definition, widget):
    path = await server.define(definition())
    await server.create(path, widget("w"))

    refused = await server.patch("strategic", f"{path}/w", {"spec": {"size": 2}})

    assert refused.failure == (
        415,
        "UnsupportedMediaType",
        "the body of the request was in an unknown format - accepted media types include: "
        "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
    )


async def test_parameters_of_the_media_type_do_not_matter(server, path):
    patched = await server.request(
        "PATCH", path, {"data": {"k": "1"}}, content_type="application/merge-patch+json; charset=utf-8"
    )

    assert (patched.status, patched.body["data"]["k"]) == (200, "1")


@pytest.mark.parametrize("how", ["merge", "strategic"])
async def test_a_patch_with_a_version_is_for_that_version_alone(server, path, how):
    version = (await server.get(path)).body["metadata"]["resourceVersion"]
    good = await server.patch(how, path, {"metadata": {"resourceVersion": version}, "data": {"k": "1"}})
    stale = await server.patch(how, path, {"metadata": {"resourceVersion": version}, "data": {"k": "2"}})

    assert good.status == 200
    assert stale.failure == (
        409,
        "Conflict",
        'Operation cannot be fulfilled on configmaps "a": the object has been modified; '
        "please apply your changes to the latest version and try again",
    )
    assert (await server.get(path)).body["data"]["k"] == "1"


@pytest.mark.parametrize(
    ("patch", "field"),
    [
        ({"metadata": {"uid": "mine"}}, "metadata.uid"),
        ({"metadata": {"labels": {"bad key": "v"}}}, "metadata.labels"),
        ({"metadata": {"labels": {"k": "-"}}}, "metadata.labels"),
        (
            {"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": ""}]}},
            "metadata.ownerReferences.uid",
        ),
    ],
)
async def test_a_patch_is_validated_by_what_the_object_would_be(server, path, patch, field):
    before = (await server.get(path)).body

    refused = await server.patch("merge", path, patch)

    assert (refused.status, refused.body["reason"]) == (422, "Invalid")
    assert {cause for cause, _ in refused.causes} == {field}
    assert (await server.get(path)).body == before


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        ({"metadata": {"name": "b"}}, "the name of the object (b) does not match the name on the URL (a)"),
        (
            {"metadata": {"namespace": "other"}},
            "the namespace of the provided object does not match the namespace sent on the request",
        ),
    ],
)
async def test_a_patch_does_not_rename(server, path, patch, message):
    refused = await server.patch("merge", path, patch)

    assert refused.failure == (400, "BadRequest", message)


async def test_the_servers_own_fields_are_kept_by_a_patch(server, path):
    before = (await server.get(path)).body["metadata"]

    patched = await server.patch(
        "merge", path, {"metadata": {"creationTimestamp": None, "generation": 9, "selfLink": "/x"}, "data": {"k": "1"}}
    )

    after = patched.body["metadata"]
    assert after["creationTimestamp"] == before["creationTimestamp"]
    assert after["uid"] == before["uid"]
    assert not {"selfLink", "generation"} & set(after)


async def test_a_patch_that_changes_nothing_is_no_write(server, path):
    before = (await server.get(path)).body

    for how, patch in (
        ("merge", {"data": {"k": "v"}}),
        ("json", [operation("test", "/data/k", "v")]),
        ("strategic", {}),
    ):
        same = await server.patch(how, path, patch)
        assert same.body["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"], how


async def test_a_value_of_a_wrong_type_is_reported_with_its_field(server, path):
    refused = await server.patch("merge", path, {"data": {"k": 5}})

    assert (refused.status, refused.body["reason"]) == (422, "Invalid")
    assert refused.message.endswith("json: cannot unmarshal number into Go struct field ConfigMap.data of type string")


async def test_a_missing_object_is_not_found_by_any_patch_but_an_apply(server):
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "new"}}
    for how, patch in (("merge", {}), ("json", []), ("strategic", {})):
        refused = await server.patch(how, f"{server.configmaps}/new", patch)
        assert refused.failure == (404, "NotFound", 'configmaps "new" not found')

    assert (await server.patch("apply", f"{server.configmaps}/new?fieldManager=m", body)).status == 201


@pytest.mark.parametrize("how", ["merge", "strategic", "json"])
async def test_force_is_for_applies_alone(server, path, how):
    refused = await server.patch(how, f"{path}?force=true", [] if how == "json" else {})

    assert refused.status == 422
    assert refused.causes == [("force", "Forbidden: may not be specified for non-apply patch")]


async def test_more_than_ten_thousand_operations_are_too_many(server, path):
    refused = await server.patch("json", path, [operation("test", "/data/k", "v")] * 10_001)

    assert refused.failure == (
        413,
        "RequestEntityTooLarge",
        "Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001",
    )
    assert (await server.patch("json", path, [operation("test", "/data/k", "v")] * 10_000)).status == 200


async def test_a_custom_resource_is_validated_after_a_patch(server, definition, widget):
    path = await server.define(definition())
    await server.create(path, widget("w", spec={"color": "red", "ports": [{"name": "a", "port": 1}]}))

    refused = await server.patch("merge", f"{path}/w", {"spec": {"color": "pink", "size": 0}})
    assert (refused.status, [field for field, _ in refused.causes]) == (422, ["spec.color", "spec.size"])
    twice = await server.patch("json", f"{path}/w", [operation("add", "/spec/ports/-", {"name": "a"})])
    assert twice.causes == [("spec.ports[1]", 'Duplicate value: {"name":"a"}')]
    gone = await server.patch("json", f"{path}/w", [operation("remove", "/spec/ports/0/name")])
    assert ("spec.ports[0].name", "Required value") in gone.causes
    for field, value, valid in (("kind", "Other", "Widget"), ("apiVersion", "example.com/v2", "example.com/v1")):
        renamed = await server.patch("merge", f"{path}/w", {field: value})
        assert renamed.causes == [(field, f'Invalid value: "{value}": must be {valid}')]
    assert (await server.get(f"{path}/w")).body["spec"]["color"] == "red"
