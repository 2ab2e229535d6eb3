"""What is looked at before a write is stored: namespaces, priorities, sizes, immutability, owners and deprecations."""

import pytest

NAMESPACES = "/api/v1/namespaces"
PRIORITIES = "/apis/scheduling.k8s.io/v1/priorityclasses"
CONTAINERS = [{"name": "c", "image": "i"}]


@pytest.fixture
async def ending(server):
    """A namespace that is being deleted, with one ConfigMap."""
    await server.create(NAMESPACES, {"metadata": {"name": "n"}})
    await server.create(f"{NAMESPACES}/n/configmaps", {"metadata": {"name": "a"}})
    assert (await server.delete(f"{NAMESPACES}/n")).status == 200
    return f"{NAMESPACES}/n"


async def test_a_namespace_has_a_label_a_finalizer_and_a_phase(server):
    made = await server.create(NAMESPACES, {"metadata": {"name": "n"}})

    assert made["metadata"]["labels"] == {"kubernetes.io/metadata.name": "n"}
    assert made["spec"] == {"finalizers": ["kubernetes"]}
    assert made["status"] == {"phase": "Active"}
    kept = await server.patch(
        "merge", f"{NAMESPACES}/n", {"metadata": {"labels": {"x": "1", "kubernetes.io/metadata.name": None}}}
    )
    assert kept.body["metadata"]["labels"] == {"kubernetes.io/metadata.name": "n", "x": "1"}
    phase = await server.patch("merge", f"{NAMESPACES}/n", {"status": {"phase": "Terminating"}})
    assert phase.body["status"] == {"phase": "Active"}


@pytest.mark.parametrize("name", ["Upper", "a.b", "-a", "a" * 64, "a_b", ""])
async def test_a_namespaces_name_is_a_label(server, name):
    refused = await server.post(NAMESPACES, {"metadata": {"name": name}})

    assert refused.status == 422
    assert "metadata.name" in [field for field, _ in refused.causes]


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "configmaps"), ("POST", "pods"), ("POST", "secrets"), ("PATCH", "configmaps/a?fieldManager=m")],
)
async def test_nothing_is_created_in_a_namespace_that_is_not_there(server, method, path):
    body = {"apiVersion": "v1", "metadata": {"name": "a"}}
    kind = {"configmaps": "ConfigMap", "pods": "Pod", "secrets": "Secret"}[path.partition("/")[0]]
    if kind == "Pod":
        body["spec"] = {"containers": CONTAINERS}
    headers = {"content_type": "application/apply-patch+yaml"} if method == "PATCH" else {}

    refused = await server.request(method, f"{NAMESPACES}/none/{path}", {**body, "kind": kind}, **headers)

    assert refused.failure == (404, "NotFound", 'namespaces "none" not found')
    assert refused.body["details"] == {"name": "none", "kind": "namespaces"}


async def test_reading_a_namespace_that_is_not_there_finds_nothing(server):
    assert (await server.get(f"{NAMESPACES}/none/configmaps")).names == []
    assert (await server.get(f"{NAMESPACES}/none/configmaps/a")).failure[2] == 'configmaps "a" not found'
    assert (await server.delete(f"{NAMESPACES}/none/configmaps/a")).failure[2] == 'configmaps "a" not found'
    assert (await server.delete(f"{NAMESPACES}/none/configmaps")).names == []


@pytest.mark.parametrize(("method", "path"), [("POST", "configmaps"), ("PATCH", "configmaps/b?fieldManager=m")])
async def test_an_ending_namespace_takes_nothing_new(server, ending, method, path):
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b"}}
    headers = {"content_type": "application/apply-patch+yaml"} if method == "PATCH" else {}

    refused = await server.request(method, f"{ending}/{path}", body, **headers)

    assert refused.failure == (
        403,
        "Forbidden",
        'configmaps "b" is forbidden: unable to create new content in namespace n because it is being terminated',
    )
    assert refused.body["details"]["causes"] == [
        {
            "reason": "NamespaceTerminating",
            "message": "namespace n is being terminated",
            "field": "metadata.namespace",
        }
    ]


async def test_what_is_in_an_ending_namespace_is_still_written_and_deleted(server, ending):
    assert (await server.patch("merge", f"{ending}/configmaps/a", {"data": {"k": "v"}})).status == 200
    assert (await server.delete(f"{ending}/configmaps/a")).status == 200


async def test_an_ending_namespace_is_gone_when_its_last_finalizer_is(server, ending):
    live = (await server.get(ending)).body
    assert live["status"]["phase"] == "Terminating"
    again = await server.delete(ending)
    assert again.body["metadata"]["deletionTimestamp"] == live["metadata"]["deletionTimestamp"]

    live["spec"] = {"finalizers": []}
    finalized = await server.put(f"{ending}/finalize", live)

    assert finalized.status == 200
    assert (await server.get(ending)).status == 404


@pytest.mark.parametrize("name", ["default", "kube-system", "kube-public"])
async def test_namespaces_that_every_cluster_has_are_not_deleted(server, name):
    refused = await server.delete(f"{NAMESPACES}/{name}")

    assert refused.failure == (
        403,
        "Forbidden",
        f'namespaces "{name}" is forbidden: this namespace may not be deleted',
    )
    assert (await server.get(f"{NAMESPACES}/{name}")).body["status"]["phase"] == "Active"


async def test_namespaces_are_not_deleted_together(server):
    assert (await server.delete(NAMESPACES)).failure[:2] == (405, "MethodNotAllowed")


# Priorities of Pods


async def pod(server, **spec):
    return await server.post(server.pods, {"metadata": {"name": "p"}, "spec": {"containers": CONTAINERS, **spec}})


async def test_a_pod_has_the_priority_of_its_class(server):
    await server.create(PRIORITIES, {"metadata": {"name": "high"}, "value": 1000})

    made = await pod(server, priorityClassName="high")

    assert (made.status, made.body["spec"]["priority"]) == (201, 1000)
    assert made.body["spec"]["preemptionPolicy"] == "PreemptLowerPriority"


async def test_a_pod_without_a_class_has_priority_zero(server):
    made = await pod(server)

    assert (made.body["spec"]["priority"], "priorityClassName" in made.body["spec"]) == (0, False)


@pytest.mark.parametrize(
    ("name", "value"), [("system-cluster-critical", 2_000_000_000), ("system-node-critical", 2_000_001_000)]
)
async def test_the_systems_classes_are_there(server, name, value):
    assert (await pod(server, priorityClassName=name)).body["spec"]["priority"] == value


async def test_a_class_that_is_not_there_is_refused(server):
    refused = await pod(server, priorityClassName="none")

    assert refused.failure == (
        403,
        "Forbidden",
        'pods "p" is forbidden: no PriorityClass with name none was found',
    )


async def test_a_priority_of_ones_own_that_is_not_the_classs_is_refused(server):
    await server.create(PRIORITIES, {"metadata": {"name": "high"}, "value": 1000})

    refused = await pod(server, priorityClassName="high", priority=5)

    assert refused.failure[:2] == (403, "Forbidden")
    assert "the integer value of priority (5) must not be provided in pod spec" in refused.message


# Limits and immutability


async def test_annotations_are_limited_in_sum(server):
    half = "x" * 131_000
    assert (await server.configmap("a", annotations={"a": half, "b": half}))["metadata"]["name"] == "a"

    refused = await server.post(
        server.configmaps, {"metadata": {"name": "b", "annotations": {"a": half, "b": half + "x" * 500}}}
    )

    assert refused.causes == [("metadata.annotations", "Too long: may not be more than 262144 bytes")]


@pytest.mark.parametrize(
    ("metadata", "field", "message"),
    [
        ({"labels": {"k": "v" * 64}}, "metadata.labels", f'"{"v" * 64}": must be no more than 63 bytes'),
        ({"labels": {"k" * 64: "v"}}, "metadata.labels", f'"{"k" * 64}": name part must be no more than 63 bytes'),
        ({"annotations": {"k" * 64: "v"}}, "metadata.annotations", "name part must be no more than 63 bytes"),
        ({"labels": {"p" * 254 + "/k": "v"}}, "metadata.labels", "prefix part must be no more than 253 bytes"),
        ({"name": "n" * 254}, "metadata.name", "must be no more than 253 characters"),
    ],
)
async def test_names_and_values_have_their_lengths(server, definition, widget, metadata, field, message):
    path = await server.define(definition())

    refused = await server.post(path, widget(metadata=metadata))

    assert (refused.status, {each for each, _ in refused.causes}) == (422, {field})
    assert refused.causes[0][1].endswith(message)


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("configmaps", {"data": {"k": "x" * 1_048_577}}, "[]"),
        ("secrets", {"stringData": {"k": "x" * 1_048_577}}, "data"),
    ],
)
async def test_data_is_limited_to_a_megabyte(server, path, body, field):
    refused = await server.post(f"{NAMESPACES}/default/{path}", {"metadata": {"name": "big"}, **body})

    assert refused.status == 422
    assert [cause for cause, _ in refused.causes] == [field]
    assert "Too long: may not be more than 1048576 bytes" in refused.causes[0][1]


@pytest.mark.parametrize("path", ["configmaps", "secrets"])
async def test_what_is_immutable_stays_so(server, path):
    where = f"{NAMESPACES}/default/{path}"
    value = "dg==" if path == "secrets" else "v"
    await server.create(where, {"metadata": {"name": "a"}, "data": {"k": value}, "immutable": True})

    changed = await server.patch("merge", f"{where}/a", {"data": {"k": "dw=="}})
    assert (changed.status, [field for field, _ in changed.causes]) == (422, ["data"])
    reopened = await server.patch("merge", f"{where}/a", {"immutable": False})
    assert (reopened.status, [field for field, _ in reopened.causes]) == (422, ["immutable"])
    assert (await server.patch("merge", f"{where}/a", {"metadata": {"labels": {"x": "1"}}})).status == 200
    assert (await server.delete(f"{where}/a")).status == 200


async def test_a_secrets_texts_become_data_and_its_type_stays(server):
    made = await server.create(server.secrets, {"metadata": {"name": "s"}, "stringData": {"k": "v"}})
    assert (made["data"], made["type"], "stringData" in made) == ({"k": "dg=="}, "Opaque", False)

    refused = await server.patch("merge", f"{server.secrets}/s", {"type": "other"})

    assert [field for field, _ in refused.causes] == ["type"]


# Owners


@pytest.mark.parametrize(
    ("reference", "field"),
    [
        ({"kind": "Pod", "name": "p", "uid": "u"}, "metadata.ownerReferences.apiVersion"),
        ({"apiVersion": "v1", "name": "p", "uid": "u"}, "metadata.ownerReferences.kind"),
        ({"apiVersion": "v1", "kind": "Pod", "uid": "u"}, "metadata.ownerReferences.name"),
        ({"apiVersion": "v1", "kind": "Pod", "name": "p"}, "metadata.ownerReferences.uid"),
        ({"apiVersion": "v1", "kind": "Event", "name": "p", "uid": "u"}, "metadata.ownerReferences"),
    ],
)
async def test_an_owner_is_named_whole(server, reference, field):
    refused = await server.post(server.configmaps, {"metadata": {"name": "a", "ownerReferences": [reference]}})

    assert refused.status == 422
    assert field in [each for each, _ in refused.causes]


async def test_an_object_has_one_controller(server):
    owners = [{"apiVersion": "v1", "kind": "Pod", "name": name, "uid": name, "controller": True} for name in "pq"]

    refused = await server.post(server.configmaps, {"metadata": {"name": "a", "ownerReferences": owners}})

    assert [field for field, _ in refused.causes] == ["metadata.ownerReferences"]
    assert (
        'Only one reference can have Controller set to true. Found "true" in references for Pod/p and Pod/q'
        in refused.message
    )


async def test_an_owner_that_is_named_twice_is_warned_of(server):
    owner = {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u"}

    made = await server.post(server.configmaps, {"metadata": {"name": "a", "ownerReferences": [owner, owner]}})

    assert made.status == 201
    assert len(made.warnings) == 1
    assert made.warnings[0].startswith(".metadata.ownerReferences contains duplicate entries")


async def test_a_deprecated_kind_is_warned_of_on_every_verb(server):
    warning = "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"
    path = f"{NAMESPACES}/default/endpoints"

    assert (await server.post(path, {"metadata": {"name": "e"}})).warnings == [warning]
    assert (await server.get(path)).warnings == [warning]
    assert (await server.get(f"{path}/e")).warnings == [warning]
    assert (await server.delete(f"{path}/e")).warnings == [warning]
