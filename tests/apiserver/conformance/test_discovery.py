"""Discovery, OpenAPI, health and version: the documents, their forms, how they change, and what is not there."""

import pytest

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]


def named(items, name):
    return next((item for item in items if item["name"] == name), None)


async def test_the_roots_name_versions_and_groups(server):
    core = (await server.get("/api")).body
    assert (core["kind"], core["versions"]) == ("APIVersions", ["v1"])
    groups = (await server.get("/apis")).body
    assert (groups["kind"], groups["apiVersion"]) == ("APIGroupList", "v1")

    apps = named(groups["groups"], "apps")

    version = {"groupVersion": "apps/v1", "version": "v1"}
    assert apps == {"name": "apps", "versions": [version], "preferredVersion": version}
    assert (await server.get("/apis/apps")).body == {"kind": "APIGroup", "apiVersion": "v1", **apps}


@pytest.mark.parametrize(
    ("path", "name", "expected"),
    [
        (
            "/api/v1",
            "configmaps",
            {
                "singularName": "configmap",
                "namespaced": True,
                "kind": "ConfigMap",
                "verbs": VERBS,
                "shortNames": ["cm"],
            },
        ),
        ("/api/v1", "namespaces", {"namespaced": False, "kind": "Namespace", "shortNames": ["ns"]}),
        ("/api/v1", "namespaces/finalize", {"singularName": "", "kind": "Namespace", "verbs": ["update"]}),
        ("/api/v1", "pods", {"shortNames": ["po"], "categories": ["all"], "verbs": VERBS}),
        ("/api/v1", "pods/eviction", {"group": "policy", "version": "v1", "kind": "Eviction", "verbs": ["create"]}),
        ("/api/v1", "pods/status", {"kind": "Pod", "verbs": ["get", "patch", "update"]}),
        (
            "/apis/apps/v1",
            "deployments/scale",
            {"group": "autoscaling", "version": "v1", "kind": "Scale", "verbs": ["get", "patch", "update"]},
        ),
        ("/apis/apps/v1", "deployments", {"shortNames": ["deploy"], "categories": ["all"]}),
        ("/apis/coordination.k8s.io/v1", "leases", {"kind": "Lease", "namespaced": True, "verbs": VERBS}),
        (
            "/apis/apiextensions.k8s.io/v1",
            "customresourcedefinitions",
            {"namespaced": False, "shortNames": ["crd", "crds"], "categories": ["api-extensions"]},
        ),
        ("/apis/authorization.k8s.io/v1", "selfsubjectaccessreviews", {"verbs": ["create"], "namespaced": False}),
        ("/apis/authorization.k8s.io/v1", "localsubjectaccessreviews", {"verbs": ["create"], "namespaced": True}),
    ],
)
async def test_a_resource_is_described(server, path, name, expected):
    found = await server.get(path)

    assert (found.body["kind"], found.body["groupVersion"]) == (
        "APIResourceList",
        path.removeprefix("/apis/").removeprefix("/api/"),
    )
    resource = named(found.body["resources"], name)
    assert {key: resource[key] for key in expected} == expected


@pytest.mark.parametrize("path", ["/api/", "/apis/", "/api/v1/", "/apis/apps/v1/", "/version/"])
async def test_a_slash_at_the_end_changes_nothing(server, path):
    assert (await server.get(path)).body == (await server.get(path.rstrip("/"))).body


@pytest.mark.parametrize(
    "path", ["/nosuch", "/apis/nosuch.example.com", "/apis/nosuch.example.com/v1", "/apis/nosuch.example.com/v1/x"]
)
async def test_a_path_of_no_group_is_plain_text(server, path):
    found = await server.get(path)

    assert (found.status, found.raw) == (404, b"404 page not found\n")
    assert found.header("content-type") == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    "path",
    ["/apis/apps/v9", "/api/v2", "/apis/apps/v1/nosuch", "/api/v1/namespaces/default/nosuch/x", "/api/v1/nosuch"],
)
async def test_a_path_in_a_built_in_group_is_a_status(server, path):
    found = await server.get(path)

    assert found.failure == (404, "NotFound", "the server could not find the requested resource")
    assert found.body["details"] == {}


# Aggregated discovery


@pytest.mark.parametrize("root", ["/api", "/apis"])
async def test_all_of_it_comes_in_one_document(server, root):
    # The order of the parameters does not matter.
    accept = "application/json;as=APIGroupDiscoveryList;v=v2;g=apidiscovery.k8s.io,application/json"

    found = await server.get(root, accept=accept)

    assert found.header("content-type") == AGGREGATED
    assert (found.body["kind"], found.body["apiVersion"]) == ("APIGroupDiscoveryList", "apidiscovery.k8s.io/v2")
    groups = [item["metadata"].get("name", "") for item in found.body["items"]]
    assert (groups == [""]) is (root == "/api")
    assert ("apps" in groups) is (root == "/apis")


async def test_a_resource_of_the_document_has_its_subresources(server):
    found = await server.get("/apis", accept=AGGREGATED)

    apps = next(item for item in found.body["items"] if item["metadata"]["name"] == "apps")
    (version,) = apps["versions"]
    assert (version["version"], version["freshness"]) == ("v1", "Current")
    deployments = next(each for each in version["resources"] if each["resource"] == "deployments")
    assert deployments["responseKind"]["kind"] == "Deployment"
    assert (deployments["scope"], deployments["singularResource"]) == ("Namespaced", "deployment")
    scale = next(each for each in deployments["subresources"] if each["subresource"] == "scale")
    assert scale["responseKind"] == {"group": "autoscaling", "version": "v1", "kind": "Scale"}


async def test_the_document_is_sent_again_only_when_it_has_changed(server, definition):
    first = await server.get("/apis", accept=AGGREGATED)
    tag = first.header("etag")
    assert tag

    same = await server.get("/apis", accept=AGGREGATED, if_none_match=tag)
    assert (same.status, same.raw) == (304, b"")
    assert (await server.get("/apis", accept=AGGREGATED, if_none_match='"other"')).status == 200
    await server.define(definition())
    changed = await server.until("/apis", lambda answer: b"example.com" in answer.raw, accept=AGGREGATED)

    assert changed.header("etag") != tag
    assert (await server.get("/apis", accept=AGGREGATED, if_none_match=tag)).status == 200


async def test_a_form_of_discovery_that_is_not_known_falls_back(server):
    for accept in (
        "application/json",
        "*/*",
        "application/json;as=APIGroupDiscoveryList;v=v9;g=apidiscovery.k8s.io,application/json",
    ):
        assert (await server.get("/apis", accept=accept)).body["kind"] == "APIGroupList"


# Custom resources


async def test_a_definition_is_discovered_while_it_is_served(server, definition):
    made = definition()
    made["spec"]["names"] |= {"shortNames": ["wd"], "categories": ["all", "toys"]}
    await server.define(made)

    group = await server.until("/apis/example.com", lambda answer: answer.status == 200)
    assert group.body["preferredVersion"] == {"groupVersion": "example.com/v1", "version": "v1"}
    resources = (await server.until("/apis/example.com/v1", lambda answer: answer.status == 200)).body["resources"]
    widgets = named(resources, "widgets")
    assert (widgets["kind"], widgets["shortNames"], widgets["categories"]) == ("Widget", ["wd"], ["all", "toys"])
    assert sorted(widgets["verbs"]) == VERBS
    status = named(resources, "widgets/status")
    assert (status["kind"], status["verbs"]) == ("Widget", ["get", "patch", "update"])
    scale = named(resources, "widgets/scale")
    assert (scale["group"], scale["version"], scale["kind"]) == ("autoscaling", "v1", "Scale")
    for missing in ("/apis/example.com/v2", "/apis/example.com/v1/others"):
        assert (await server.get(missing)).raw == b"404 page not found\n"

    await server.delete(f"{server.definitions}/widgets.example.com")

    gone = await server.until("/apis/example.com", lambda answer: answer.status == 404)
    assert gone.raw == b"404 page not found\n"


async def test_versions_are_preferred_by_their_maturity(server, definition):
    made = definition()
    (only,) = made["spec"]["versions"]
    order = ["v1alpha1", "v2beta1", "v1", "v10", "v2", "v11alpha2", "v2beta2"]
    made["spec"]["versions"] = [{**only, "name": name, "storage": name == "v1"} for name in order]
    await server.create(server.definitions, made)

    group = await server.until("/apis/example.com", lambda answer: answer.status == 200)

    found = [version["version"] for version in group.body["versions"]]
    assert found == ["v10", "v2", "v1", "v2beta2", "v2beta1", "v11alpha2", "v1alpha1"]
    assert group.body["preferredVersion"]["version"] == "v10"


# OpenAPI


async def test_the_index_names_a_document_of_each_version_by_its_hash(server):
    index = (await server.get("/openapi/v3")).body["paths"]

    assert {"api/v1", "apis/apps/v1", "apis/coordination.k8s.io/v1"} <= set(index)
    url = index["apis/coordination.k8s.io/v1"]["serverRelativeURL"]
    path, _, digest = url.partition("?hash=")
    assert (path, len(digest) > 10) == ("/openapi/v3/apis/coordination.k8s.io/v1", True)
    document = await server.get(url)
    assert document.body["openapi"].startswith("3.")
    assert document.body["components"]["schemas"]["io.k8s.api.coordination.v1.Lease"][
        "x-kubernetes-group-version-kind"
    ] == [{"group": "coordination.k8s.io", "kind": "Lease", "version": "v1"}]
    assert "immutable" in document.header("cache-control")
    assert document.header("etag")


async def test_an_unchanged_document_is_not_sent_again_and_an_old_hash_leads_to_the_new_one(server):
    path = "/openapi/v3/apis/coordination.k8s.io/v1"
    first = await server.get(path)

    same = await server.get(path, if_none_match=first.header("etag"))
    assert (same.status, same.raw) == (304, b"")
    moved = await server.get(f"{path}?hash=OLD")
    index = (await server.get("/openapi/v3")).body["paths"]
    assert moved.status == 301
    assert moved.header("location") == index["apis/coordination.k8s.io/v1"]["serverRelativeURL"]


async def test_a_version_that_is_not_there_has_no_document(server):
    assert (await server.get("/openapi/v3/apis/nosuch.example.com/v1")).status == 404


async def test_a_definitions_schema_is_its_document(server, definition):
    await server.define(definition())
    path = "/openapi/v3/apis/example.com/v1"

    document = (await server.until(path, lambda answer: answer.status == 200)).body

    schema = document["components"]["schemas"]["com.example.v1.Widget"]
    assert schema["properties"]["spec"]["properties"]["size"] == {"type": "integer", "minimum": 1, "default": 3}
    assert schema["x-kubernetes-group-version-kind"] == [{"group": "example.com", "kind": "Widget", "version": "v1"}]
    patch = document["paths"]["/apis/example.com/v1/namespaces/{namespace}/widgets/{name}"]["patch"]
    assert {"dryRun", "fieldManager", "fieldValidation", "force"} <= {each["name"] for each in patch["parameters"]}
    assert set(patch["requestBody"]["content"]) == {
        "application/json-patch+json",
        "application/merge-patch+json",
        "application/apply-patch+yaml",
    }
    assert patch["x-kubernetes-action"] == "patch"
    assert "com.example.v1.WidgetList" in document["components"]["schemas"]

    await server.delete(f"{server.definitions}/widgets.example.com")
    assert (await server.until(path, lambda answer: answer.status == 404)).status == 404
    assert "apis/example.com/v1" not in (await server.get("/openapi/v3")).body["paths"]


# Health and version


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz"])
async def test_health_is_one_word_or_a_line_for_each_check(server, path):
    short = await server.get(path)
    assert (short.status, short.raw, short.header("content-type")) == (200, b"ok", "text/plain; charset=utf-8")

    long = await server.get(f"{path}?verbose")

    assert long.raw.startswith(b"[+]ping ok\n")
    assert long.raw.endswith(f"{path[1:]} check passed\n".encode())


async def test_the_version_is_of_kubernetes_1_36(server):
    version = (await server.get("/version")).body

    assert (version["major"], version["minor"]) == ("1", "36")
    assert version["gitVersion"].startswith("v1.36.")


async def test_a_method_that_a_document_has_not_is_refused(server):
    refused = await server.post("/version", {})

    assert refused.failure == (
        405,
        "MethodNotAllowed",
        "the server does not allow this method on the requested resource",
    )
