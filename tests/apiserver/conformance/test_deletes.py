"""Deletions: responses, preconditions, policies and finalizers, grace of Pods, collections, and each bad option."""

import pytest


@pytest.fixture
async def path(server):
    await server.configmap("a", {"k": "v"}, labels={"x": "1"})
    return f"{server.configmaps}/a"


@pytest.fixture
def pod(server):
    """Creates a Pod on a node, which ends only after its grace period."""

    async def create(name="p", seconds=30, node="n1"):
        spec = {"containers": [{"name": "c", "image": "i"}], "terminationGracePeriodSeconds": seconds}
        if node:
            spec["nodeName"] = node
        await server.create(server.pods, {"metadata": {"name": name}, "spec": spec})
        return f"{server.pods}/{name}"

    return create


async def test_a_removed_configmap_returns_a_status_that_names_its_resource(server, path):
    uid = (await server.get(path)).body["metadata"]["uid"]

    gone = await server.delete(path)

    assert gone.status == 200
    assert gone.body == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {"name": "a", "kind": "configmaps", "uid": uid},
    }
    assert (await server.delete(path)).failure == (404, "NotFound", 'configmaps "a" not found')


async def test_a_removed_custom_resource_returns_a_status_with_its_group(server, definition, widget):
    where = await server.define(definition())
    made = await server.create(where, widget("w"))

    gone = await server.delete(f"{where}/w")

    uid = made["metadata"]["uid"]
    assert gone.body["details"] == {"name": "w", "group": "example.com", "kind": "widgets", "uid": uid}


@pytest.mark.parametrize(
    ("where", "body"),
    [
        ("/api/v1/namespaces/default/services", {"spec": {"ports": [{"port": 80}]}}),
        ("/api/v1/namespaces/default/serviceaccounts", {}),
        ("/api/v1/namespaces/default/pods", {"spec": {"containers": [{"name": "c", "image": "i"}]}}),
        (
            "/api/v1/namespaces/default/persistentvolumeclaims",
            {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}},
        ),
    ],
)
async def test_these_kinds_return_the_removed_object(server, where, body):
    made = await server.create(where, {"metadata": {"name": "o"}, **body})

    gone = await server.delete(f"{where}/o")

    assert gone.status == 200
    assert gone.body["kind"] != "Status"
    assert gone.body["metadata"]["uid"] == made["metadata"]["uid"]


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        (
            {"preconditions": {"uid": "other"}},
            409,
            "the UID in the precondition (other) does not match the UID in record (",
        ),
        (
            {"preconditions": {"resourceVersion": "1"}},
            409,
            "ResourceVersion in the precondition (1) does not match the",
        ),
        ({"preconditions": {"uid": 5}}, 400, None),
        (
            {"dryRun": "All"},
            400,
            "json: cannot unmarshal string into Go struct field DeleteOptions.dryRun of type []string",
        ),
        (
            {"gracePeriodSeconds": "5"},
            400,
            "json: cannot unmarshal string into Go struct field DeleteOptions.gracePeriodSeconds of type int64",
        ),
        ({"kind": "ConfigMap", "apiVersion": "v1"}, 400, None),
        (
            {"propagationPolicy": "Bogus"},
            422,
            'Unsupported value: "Bogus": supported values: "Foreground", "Background", "Orphan", "nil"',
        ),
        ({"dryRun": ["Some"]}, 422, 'dryRun: Unsupported value: ["Some"]: supported values: "All"'),
        (
            {"orphanDependents": True, "propagationPolicy": "Orphan"},
            422,
            "orphanDependents and deletionPropagation cannot be both set",
        ),
    ],
)
async def test_bad_options_delete_nothing(server, path, body, status, text):
    before = (await server.get(path)).body

    refused = await server.delete(path, body)

    assert refused.status == status
    assert text is None or text in refused.message
    assert (await server.get(path)).body == before


async def test_preconditions_that_hold_delete(server, path):
    metadata = (await server.get(path)).body["metadata"]
    conditions = {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}

    assert (await server.delete(path, {"preconditions": conditions})).status == 200
    assert (await server.get(path)).status == 404


@pytest.mark.parametrize(
    ("how", "finalizer"),
    [
        ({"propagationPolicy": "Orphan"}, "orphan"),
        ({"propagationPolicy": "Foreground"}, "foregroundDeletion"),
        ({"orphanDependents": True}, "orphan"),
        ("?propagationPolicy=Foreground", "foregroundDeletion"),
        ("?orphanDependents=true", "orphan"),
    ],
)
async def test_a_policy_leaves_a_finalizer_and_returns_the_object(server, path, how, finalizer):
    query, body = (how, None) if isinstance(how, str) else ("", how)

    held = await server.delete(f"{path}{query}", body)

    assert (held.status, held.body["kind"]) == (200, "ConfigMap")
    metadata = held.body["metadata"]
    assert metadata["finalizers"] == [finalizer]
    assert metadata["deletionGracePeriodSeconds"] == 0
    assert metadata["deletionTimestamp"]


async def test_background_deletion_removes_at_once(server, path):
    gone = await server.delete(path, {"propagationPolicy": "Background"})

    assert (gone.status, gone.body["kind"]) == (200, "Status")
    assert (await server.get(path)).status == 404


async def test_finalizers_keep_an_object_whose_only_change_is_to_lose_them(server):
    made = await server.configmap("a", {"k": "v"}, finalizers=["a.example/one", "a.example/two"])
    path = f"{server.configmaps}/a"

    held = await server.delete(path)
    assert held.body["metadata"]["finalizers"] == ["a.example/one", "a.example/two"]
    assert int(held.body["metadata"]["resourceVersion"]) > int(made["metadata"]["resourceVersion"])
    again = await server.delete(path)
    assert again.body == held.body

    more = await server.patch("merge", path, {"metadata": {"finalizers": ["a.example/one", "a.example/three"]}})
    assert (more.status, {field for field, _ in more.causes}) == (422, {"metadata.finalizers"})
    assert "no new finalizers can be added if the object is being deleted" in more.message
    data = await server.patch("merge", path, {"data": {"k": "w"}, "metadata": {"finalizers": ["a.example/two"]}})
    assert (data.status, data.body["data"]) == (200, {"k": "w"})
    undeleted = await server.patch("merge", path, {"metadata": {"deletionTimestamp": None}})
    assert undeleted.body["metadata"]["deletionTimestamp"] == held.body["metadata"]["deletionTimestamp"]

    last = await server.patch("merge", path, {"metadata": {"finalizers": None}})
    assert last.status == 200
    assert (await server.get(path)).status == 404


async def test_a_name_that_is_being_deleted_is_not_free(server):
    await server.configmap("a", finalizers=["a.example/one"])
    await server.delete(f"{server.configmaps}/a")

    refused = await server.post(server.configmaps, {"metadata": {"name": "a"}})

    assert refused.failure == (409, "AlreadyExists", 'object is being deleted: configmaps "a" already exists')


async def test_a_later_policy_replaces_the_finalizer_of_an_earlier_one(server):
    await server.configmap("a", finalizers=["a.example/one"])
    path = f"{server.configmaps}/a"

    for policy, expected in (
        ("Foreground", ["a.example/one", "foregroundDeletion"]),
        ("Orphan", ["a.example/one", "orphan"]),
        ("Background", ["a.example/one"]),
    ):
        held = await server.delete(path, {"propagationPolicy": policy})
        assert held.body["metadata"]["finalizers"] == expected


async def test_a_generation_counts_the_first_deletion_only(server, definition, widget):
    where = await server.define(definition())
    await server.create(where, widget("w", metadata={"finalizers": ["a.example/one"]}))

    held = await server.delete(f"{where}/w")
    again = await server.delete(f"{where}/w")

    assert (held.body["metadata"]["generation"], again.body["metadata"]["generation"]) == (2, 2)


async def test_a_dry_run_shows_the_deletion_and_leaves_the_object(server, definition, widget):
    where = await server.define(definition())
    made = await server.create(where, widget("w", metadata={"finalizers": ["a.example/one"]}))

    shown = await server.delete(f"{where}/w?dryRun=All")

    assert shown.body["metadata"]["deletionTimestamp"]
    assert shown.body["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
    assert (await server.get(f"{where}/w")).body == made


async def test_a_body_of_options_replaces_those_of_the_query(server, path):
    gone = await server.delete(f"{path}?propagationPolicy=Orphan", {"kind": "DeleteOptions", "apiVersion": "v1"})

    assert gone.body["kind"] == "Status"
    assert (await server.get(path)).status == 404


# Pods


async def test_a_pod_on_a_node_is_marked_and_ends_when_its_time_is_over(server, pod):
    path = await pod(seconds=20)

    marked = await server.delete(path)

    assert (marked.status, marked.body["kind"]) == (200, "Pod")
    assert marked.body["metadata"]["deletionGracePeriodSeconds"] == 20
    assert marked.body["metadata"]["deletionTimestamp"] == "2027-01-15T08:00:20Z"
    assert (await server.get(path)).status == 200
    gone = await server.delete(path, {"gracePeriodSeconds": 0})
    assert gone.body["kind"] == "Pod"
    assert (await server.get(path)).status == 404


@pytest.mark.parametrize(("given", "expected"), [(5, 5), (100, 100), (-1, 1)])
async def test_a_grace_period_may_be_chosen(server, pod, given, expected):
    path = await pod()

    marked = await server.delete(path, {"gracePeriodSeconds": given})

    assert marked.body["metadata"]["deletionGracePeriodSeconds"] == expected


async def test_a_pod_without_a_node_is_removed_at_once(server, pod):
    path = await pod(node="")

    assert (await server.delete(path)).status == 200
    assert (await server.get(path)).status == 404


async def test_a_shorter_grace_period_counts_from_the_first_delete_and_a_longer_one_not_at_all(server, pod):
    path = await pod(seconds=30)
    first = await server.delete(path)
    server.now += 5

    longer = await server.delete(path, {"gracePeriodSeconds": 60})
    assert longer.body["metadata"]["deletionTimestamp"] == first.body["metadata"]["deletionTimestamp"]
    shorter = await server.delete(path, {"gracePeriodSeconds": 10})

    assert shorter.body["metadata"]["deletionGracePeriodSeconds"] == 10
    assert shorter.body["metadata"]["deletionTimestamp"] == "2027-01-15T08:00:10Z"


async def test_a_dry_run_of_a_pods_deletion_marks_nothing(server, pod):
    path = await pod()

    shown = await server.delete(path, {"dryRun": ["All"]})

    assert shown.body["metadata"]["deletionGracePeriodSeconds"] == 30
    assert "deletionTimestamp" not in (await server.get(path)).body["metadata"]


# Collections


async def test_a_collection_returns_the_list_of_what_was_there(server):
    for name in ("a", "b"):
        await server.configmap(name)
    await server.configmap("held", finalizers=["a.example/one"])

    gone = await server.delete(server.configmaps)

    assert (gone.body["kind"], gone.names) == ("ConfigMapList", ["a", "b", "held"])
    assert (await server.get(server.configmaps)).names == ["held"]
    assert (await server.get(f"{server.configmaps}/held")).body["metadata"]["deletionTimestamp"]


async def test_each_object_of_a_collection_has_its_event(server):
    for name in ("a", "b"):
        await server.configmap(name)
    version = (await server.get(server.configmaps)).body["metadata"]["resourceVersion"]
    stream = await server.watch(f"{server.configmaps}?watch=1&resourceVersion={version}")

    await server.delete(server.configmaps)

    assert sorted(await stream.events(2)) == [("DELETED", "a"), ("DELETED", "b")]
    await stream.close()


@pytest.mark.parametrize(
    ("query", "body", "left"),
    [
        ("?labelSelector=x", None, ["b", "c"]),
        ("?fieldSelector=metadata.name%3Dc", None, ["a", "b"]),
        ("?labelSelector=none", None, ["a", "b", "c"]),
        ("?limit=2", None, ["c"]),
        ("?dryRun=All", None, ["a", "b", "c"]),
        ("", {"dryRun": ["All"]}, ["a", "b", "c"]),
        ("", {"propagationPolicy": "Orphan"}, ["a", "b", "c"]),
    ],
)
async def test_a_collection_is_deleted_by_selectors_limits_and_options(server, query, body, left):
    await server.configmap("a", labels={"x": "1"})
    await server.configmap("b")
    await server.configmap("c")

    assert (await server.delete(f"{server.configmaps}{query}", body)).status == 200

    assert (await server.get(server.configmaps)).names == left


async def test_all_namespaces_have_no_collection_to_delete(server, path):
    refused = await server.delete("/api/v1/configmaps")

    assert refused.status == 405
    assert (await server.get(path)).status == 200


async def test_a_collection_of_custom_resources_names_its_items_types(server, definition, widget):
    where = await server.define(definition())
    await server.create(where, widget("w"))

    gone = await server.delete(where)

    assert (gone.body["kind"], gone.body["items"][0]["kind"]) == ("WidgetList", "Widget")
    assert (await server.get(where)).names == []
