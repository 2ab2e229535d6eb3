"""Status and scale: what each endpoint writes and what it leaves alone, generations, and the forms of a Scale."""

import copy

import pytest

LABELS = {"app": "d"}


@pytest.fixture
async def where(server, definition):
    return await server.define(definition())


@pytest.fixture
async def path(server, where, widget):
    await server.create(where, widget("w", spec={"color": "red", "replicas": 2}, metadata={"labels": {"x": "1"}}))
    return f"{where}/w"


@pytest.fixture
async def deployment(server):
    template = {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    body = {
        "metadata": {"name": "d"},
        "spec": {"selector": {"matchLabels": LABELS}, "template": template, "replicas": 2},
    }
    await server.create(server.deployments, body)
    return f"{server.deployments}/d"


async def test_a_create_drops_the_status_where_it_has_an_endpoint(server, where, widget):
    made = await server.create(where, widget("n", status={"phase": "Up"}))

    assert "status" not in made
    assert made["metadata"]["generation"] == 1


async def test_a_write_of_the_object_leaves_its_status_and_the_other_way_round(server, path):
    await server.patch("merge", f"{path}/status", {"status": {"phase": "Up"}})

    main = await server.patch("merge", path, {"spec": {"color": "blue"}, "status": {"phase": "Down"}})
    assert (main.body["spec"]["color"], main.body["status"]) == ("blue", {"phase": "Up"})
    status = await server.patch(
        "merge",
        f"{path}/status",
        {"spec": {"color": "green"}, "status": {"phase": "Down"}, "metadata": {"labels": {"x": "2"}}},
    )

    assert (status.body["spec"]["color"], status.body["status"]) == ("blue", {"phase": "Down"})
    assert status.body["metadata"]["labels"] == {"x": "1"}


@pytest.mark.parametrize(
    ("part", "patch", "generation"),
    [
        ("", {"spec": {"color": "blue"}}, 2),
        ("", {"spec": {"color": "red"}}, 1),
        ("", {"metadata": {"labels": {"y": "1"}}}, 1),
        ("", {"metadata": {"annotations": {"y": "1"}}}, 1),
        ("", {"status": {"phase": "Up"}}, 1),
        ("/status", {"status": {"phase": "Up"}}, 1),
        ("/scale", {"spec": {"replicas": 5}}, 2),
        ("/scale", {"spec": {"replicas": 2}}, 1),
    ],
)
async def test_a_generation_counts_changes_of_the_spec(server, path, part, patch, generation):
    assert (await server.patch("merge", f"{path}{part}", patch)).status == 200

    assert (await server.get(path)).body["metadata"]["generation"] == generation


async def test_without_the_endpoint_a_change_of_status_counts_and_the_path_is_not_there(server, definition, widget):
    path = await server.define(definition(subresources={}))
    made = await server.create(path, widget("w", status={"phase": "Up"}))
    assert made["status"] == {"phase": "Up"}

    changed = await server.patch("merge", f"{path}/w", {"status": {"phase": "Down"}})

    assert changed.body["metadata"]["generation"] == 2
    for part in ("status", "scale", "bogus"):
        assert (await server.get(f"{path}/w/{part}")).status == 404


async def test_a_status_is_read_and_replaced_as_the_whole_object(server, path):
    live = (await server.get(f"{path}/status")).body
    assert live == (await server.get(path)).body

    replaced = await server.put(f"{path}/status", {**live, "spec": {"color": "green"}, "status": {"phase": "Up"}})

    assert (replaced.status, replaced.body["status"], replaced.body["spec"]["color"]) == (200, {"phase": "Up"}, "red")
    stale = await server.put(f"{path}/status", {**live, "status": {"phase": "Down"}})
    assert stale.failure[:2] == (409, "Conflict")
    unversioned = copy.deepcopy(live)
    del unversioned["metadata"]["resourceVersion"]
    refused = await server.put(f"{path}/status", unversioned)
    assert refused.causes == [("metadata.resourceVersion", "Invalid value: 0: must be specified for an update")]


async def test_a_status_is_validated_by_its_schema(server, path):
    refused = await server.patch("merge", f"{path}/status", {"status": {"phase": 5}})

    assert refused.status == 422
    message = 'Invalid value: "integer": phase in body must be of type string: "integer"'
    assert refused.causes == [("status.phase", message)]


@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_a_status_is_neither_made_nor_deleted(server, path, method):
    refused = await server.request(method, f"{path}/status", {})

    assert refused.failure[:2] == (405, "MethodNotAllowed")
    assert (await server.get(path)).status == 200


# Scale of custom resources


async def test_a_scale_shows_replicas_and_selector_by_their_paths(server, path):
    await server.patch("merge", f"{path}/status", {"status": {"replicas": 1, "selector": "app=w"}})
    live = (await server.get(path)).body["metadata"]

    scale = (await server.get(f"{path}/scale")).body

    assert (scale["kind"], scale["apiVersion"]) == ("Scale", "autoscaling/v1")
    assert scale["spec"] == {"replicas": 2}
    assert scale["status"] == {"replicas": 1, "selector": "app=w"}
    same = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    assert {key: scale["metadata"][key] for key in same} == {key: live[key] for key in same}
    assert "labels" not in scale["metadata"]


async def test_a_scale_without_a_status_says_zero(server, path):
    scale = (await server.get(f"{path}/scale")).body

    assert scale["status"] == {"replicas": 0}


@pytest.mark.parametrize("how", ["merge", "json"])
async def test_a_patched_scale_changes_the_replicas_alone(server, path, how):
    patch = {"spec": {"replicas": 7}} if how == "merge" else [{"op": "replace", "path": "/spec/replicas", "value": 7}]

    scaled = await server.patch(how, f"{path}/scale", patch)

    assert (scaled.status, scaled.body["kind"], scaled.body["spec"]) == (200, "Scale", {"replicas": 7})
    assert (await server.get(path)).body["spec"] == {"color": "red", "replicas": 7, "size": 3}


async def test_a_replaced_scale_is_of_its_version(server, path):
    scale = (await server.get(f"{path}/scale")).body
    scale["spec"]["replicas"] = 4

    assert (await server.put(f"{path}/scale", scale)).body["spec"] == {"replicas": 4}
    scale["spec"]["replicas"] = 5
    assert (await server.put(f"{path}/scale", scale)).failure[:2] == (409, "Conflict")
    assert (await server.get(path)).body["spec"]["replicas"] == 4


async def test_negative_replicas_are_invalid(server, path):
    refused = await server.patch("merge", f"{path}/scale", {"spec": {"replicas": -1}})

    assert refused.status == 422
    assert refused.causes == [(".spec.replicas", "Invalid value: -1: should be a non-negative integer")]
    assert (await server.get(path)).body["spec"]["replicas"] == 2


async def test_a_scale_of_another_kind_is_a_bad_request(server, path):
    refused = await server.put(
        f"{path}/scale", {"kind": "Widget", "apiVersion": "example.com/v1", "metadata": {"name": "w"}}
    )

    assert refused.failure[:2] == (400, "BadRequest")
    assert (await server.get(path)).body["spec"]["replicas"] == 2


async def test_the_scale_of_a_missing_object_is_not_found_under_its_own_name(server, where):
    for method, body in (("GET", None), ("PUT", {"metadata": {"name": "none"}, "spec": {"replicas": 1}})):
        refused = await server.request(method, f"{where}/none/scale", body)
        assert refused.status == 404
        assert refused.body["details"]["name"] == "none"


async def test_a_dry_run_scales_nothing(server, path):
    shown = await server.patch("merge", f"{path}/scale?dryRun=All", {"spec": {"replicas": 9}})

    assert shown.body["spec"] == {"replicas": 9}
    assert (await server.get(path)).body["spec"]["replicas"] == 2


# Built-in kinds


async def test_a_deployment_has_generation_status_and_scale(server, deployment):
    made = (await server.get(deployment)).body
    assert (made["metadata"]["generation"], made["status"]) == (1, {})

    main = await server.patch("merge", deployment, {"spec": {"replicas": 3}, "status": {"replicas": 9}})
    assert (main.body["metadata"]["generation"], main.body["status"]) == (2, {})
    status = await server.patch("merge", f"{deployment}/status", {"status": {"replicas": 9}, "spec": {"replicas": 1}})
    assert (status.body["spec"]["replicas"], status.body["status"]["replicas"]) == (3, 9)
    assert status.body["metadata"]["generation"] == 2
    scale = (await server.get(f"{deployment}/scale")).body
    assert (scale["spec"], scale["status"]) == ({"replicas": 3}, {"replicas": 9, "selector": "app=d"})

    scaled = await server.patch("merge", f"{deployment}/scale", {"spec": {"replicas": 4}})
    assert scaled.body["spec"] == {"replicas": 4}
    assert (await server.get(deployment)).body["metadata"]["generation"] == 3


async def test_a_scale_to_nothing_is_shown_without_replicas(server, deployment):
    await server.patch("merge", f"{deployment}/scale", {"spec": {"replicas": 0}})

    assert (await server.get(f"{deployment}/scale")).body["spec"] == {}
    assert (await server.get(deployment)).body["spec"]["replicas"] == 0


@pytest.mark.parametrize(
    ("where", "body"),
    [
        ("/api/v1/nodes", {}),
        ("/api/v1/namespaces/default/services", {"spec": {"ports": [{"port": 80}]}}),
        ("/api/v1/namespaces/default/pods", {"spec": {"containers": [{"name": "c", "image": "i"}]}}),
        (
            "/apis/batch/v1/namespaces/default/jobs",
            {"spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}}},
        ),
        (
            "/apis/policy/v1/namespaces/default/poddisruptionbudgets",
            {"spec": {"selector": {"matchLabels": LABELS}, "maxUnavailable": 1}},
        ),
    ],
)
async def test_the_status_of_built_in_kinds_keeps_the_rest(server, where, body):
    before = await server.create(where, {"metadata": {"name": "o"}, **body})
    condition = {
        "type": "Known",
        "status": "True",
        "lastTransitionTime": "2027-01-01T00:00:00Z",
        "reason": "R",
        "message": "",
    }

    change = {"metadata": {"labels": {"l": "1"}}, "status": {"conditions": [condition]}}
    after = await server.patch("merge", f"{where}/o/status", change)

    assert after.status == 200, after.body
    assert after.body["spec"] == before["spec"]
    assert [each["type"] for each in after.body["status"]["conditions"]] == ["Known"]
    main = await server.patch("merge", f"{where}/o", {"status": {"conditions": []}})
    assert main.body["status"] == after.body["status"]


@pytest.mark.parametrize("part", ["status", "scale", "bogus"])
async def test_a_configmap_has_no_parts(server, part):
    await server.configmap("a")

    missing = await server.get(f"{server.configmaps}/a/{part}")

    assert missing.failure == (404, "NotFound", "the server could not find the requested resource")


async def test_a_namespaces_finalizers_are_its_own_part(server):
    await server.create("/api/v1/namespaces", {"metadata": {"name": "n"}})

    main = await server.patch("merge", "/api/v1/namespaces/n", {"spec": {"finalizers": []}})
    assert main.body["spec"] == {"finalizers": ["kubernetes"]}
    live = (await server.get("/api/v1/namespaces/n")).body
    finalized = await server.put("/api/v1/namespaces/n/finalize", {**live, "spec": {"finalizers": []}})

    assert finalized.status == 200
    assert "finalizers" not in finalized.body.get("spec", {})
    assert (await server.get("/api/v1/namespaces/n")).status == 200
