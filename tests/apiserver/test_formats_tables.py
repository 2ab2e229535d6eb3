"""Tables, metadata-only responses, discovery documents and OpenAPI, from resources made up here."""

import json

import pytest

from zestor_controller.apiserver.discovery.groups import Discovery, version_order
from zestor_controller.apiserver.discovery.openapiv3 import OpenApi
from zestor_controller.apiserver.response.negotiation import PLAIN, Output
from zestor_controller.apiserver.response.table import EventShape, age, include_object, shape_list, shape_object, since
from zestor_controller.apiserver.rest.resource import Resource, Subresource, TableColumn
from zestor_controller.apiserver.rest.resourceregistry import ResourceRegistry
from zestor_controller.apiserver.rest.status import Failure
from zestor_controller.apiserver.rest.wireprofile import UNSTRUCTURED
from zestor_controller.apiserver.typed.typedef import TypeDef
from zestor_controller.http import HttpRequest

VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


class Unused:
    """The formats never ask a strategy anything."""


def resource(group, version, kind, plural, **more):
    return Resource(
        group,
        version,
        kind,
        plural,
        kind.lower(),
        more.pop("namespaced", True),
        Unused(),
        lambda: TypeDef("struct"),
        **more,
    )


NAME = TableColumn("Name", "string", "name", "the name", 0, lambda obj, now: obj["metadata"]["name"])
AGE = TableColumn(
    "Age", "string", "", "the age", 0, lambda obj, now: age(obj["metadata"].get("creationTimestamp"), now)
)
MAPS = resource(
    "",
    "v1",
    "ConfigMap",
    "configmaps",
    columns=(NAME, AGE),
    short_names=("cm",),
    message="k8s.io.api.core.v1.ConfigMap",
)
PODS = resource(
    "",
    "v1",
    "Pod",
    "pods",
    categories=("all",),
    message="k8s.io.api.core.v1.Pod",
    subresources={
        "status": Subresource("status", "Pod", "", "v1", ("get", "patch", "update")),
        "eviction": Subresource("eviction", "Eviction", "policy", "v1", ("create",)),
    },
)
DEPLOYMENTS = resource(
    "apps",
    "v1",
    "Deployment",
    "deployments",
    message="k8s.io.api.apps.v1.Deployment",
    subresources={"scale": Subresource("scale", "Scale", "autoscaling", "v1", ("get", "patch", "update"))},
)
SCHEMA = {
    "type": "object",
    "description": "a site",
    "properties": {
        "spec": {
            "type": "object",
            "required": ["host"],
            "properties": {
                "host": {"type": "string", "description": "where it lives"},
                "port": {"x-kubernetes-int-or-string": True},
            },
        }
    },
}
SITES = resource("example.com", "v1", "Site", "sites", wire=UNSTRUCTURED, openapi_schema=SCHEMA, columns=(NAME,))
OLD_SITES = resource("example.com", "v1alpha1", "Site", "sites", wire=UNSTRUCTURED, openapi_schema=SCHEMA)
OBJECT = {
    "kind": "ConfigMap",
    "apiVersion": "v1",
    "metadata": {"name": "a", "resourceVersion": "7", "creationTimestamp": "2026-01-01T00:00:00Z"},
    "data": {"k": "v"},
}
NOW = 1767225600.0 + 200
TABLE = Output(transform="Table", version="v1")


SPANS = {
    -5: "<invalid>", -1: "0s", 0: "0s", 119: "119s", 120: "2m", 200: "3m20s", 600: "10m", 10799: "179m",
    10800: "3h", 12000: "3h20m", 28800: "8h", 172799: "47h", 172800: "2d", 180000: "2d2h", 691200: "8d",
    63072000: "2y", 64000000: "2y10d", 252288000: "8y",
}  # fmt: skip


@pytest.mark.parametrize(("seconds", "text"), SPANS.items())
def test_spans_are_printed_as_the_server_prints_ages(seconds, text):
    assert since(seconds) == text


def test_an_age_without_a_timestamp_is_unknown():
    assert age(None, NOW) == age("", NOW) == age("soon", NOW) == "<unknown>"
    assert age("2026-01-01T00:00:00Z", NOW) == "3m20s"


def test_an_object_as_a_table_has_a_row_with_its_metadata():
    table = shape_object(MAPS, OBJECT, TABLE, "Metadata", NOW)
    assert table["kind"] == "Table"
    assert table["metadata"] == {"resourceVersion": "7"}
    assert table["columnDefinitions"][0] == {
        "name": "Name", "type": "string", "format": "name", "description": "the name", "priority": 0,
    }  # fmt: skip
    partial = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": OBJECT["metadata"]}
    assert table["rows"] == [{"cells": ["a", "3m20s"], "object": partial}]


def test_the_rows_objects_are_what_was_asked_for():
    request = HttpRequest("GET", "/", [("includeObject", "Object")])
    item = {name: OBJECT[name] for name in ("metadata", "data")}
    whole = shape_list(MAPS, {"resourceVersion": "9"}, [item], TABLE, include_object(request), NOW)
    assert whole["rows"][0]["object"] == OBJECT
    assert whole["metadata"] == {"resourceVersion": "9"}
    assert shape_object(MAPS, OBJECT, TABLE, "None", NOW)["rows"][0]["object"] is None
    assert include_object(HttpRequest("GET", "/")) == "Metadata"
    with pytest.raises(Failure, match="must be 'Metadata', 'Object', 'None', or empty"):
        include_object(HttpRequest("GET", "/", [("includeObject", "Bogus")]))


def test_metadata_only_responses_exist_for_objects_and_for_lists_but_not_crosswise():
    one = Output(transform="PartialObjectMetadata", version="v1beta1")
    many = Output(transform="PartialObjectMetadataList", version="v1")
    assert shape_object(MAPS, OBJECT, one, "Metadata", NOW) == {
        "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1beta1", "metadata": OBJECT["metadata"],
    }  # fmt: skip
    assert shape_list(MAPS, {}, [OBJECT], many, "Metadata", NOW)["items"][0]["kind"] == "PartialObjectMetadata"
    with pytest.raises(Failure, match=r"the requested object is not a list \(\*core.ConfigMap\)"):
        shape_object(MAPS, OBJECT, many, "Metadata", NOW)
    with pytest.raises(Failure, match=r"the requested object is a list \(\*unstructured.UnstructuredList\)"):
        shape_list(SITES, {}, [], one, "Metadata", NOW)


def test_a_status_is_never_reshaped():
    gone = {"kind": "Status", "status": "Success"}
    assert shape_object(MAPS, gone, TABLE, "Metadata", NOW) is gone


def test_a_watch_sends_its_columns_once():
    shape = EventShape(MAPS, TABLE, "None")
    assert len(shape(OBJECT, NOW)["columnDefinitions"]) == 2
    assert shape(OBJECT, NOW)["columnDefinitions"] is None
    assert EventShape(MAPS, PLAIN, "None")(OBJECT, NOW) is OBJECT


class Server:
    """Discovery and OpenAPI over a registry that can change."""

    def __init__(self):
        self.registry = ResourceRegistry([MAPS, PODS, DEPLOYMENTS])
        self.registry.add(OLD_SITES)
        self.registry.add(SITES)
        self.well = True
        self.discovery = Discovery(self.registry, {"store": lambda: self.well})
        self.openapi = OpenApi(self.registry)

    def get(self, path, method="GET", query=(), **headers):
        request = HttpRequest(method, path, list(query), {k.replace("_", "-"): v for k, v in headers.items()})
        return self.discovery.respond(request) or self.openapi.respond(request)

    def json(self, path, **headers):
        return json.loads(self.get(path, **headers).body)


@pytest.fixture
def server():
    return Server()


def test_versions_are_ordered_as_kubernetes_prefers_them():
    versions = ["v1beta1", "foo", "v2", "v1alpha2", "v1", "v10", "v1beta2"]
    assert sorted(versions, key=version_order) == ["v10", "v2", "v1", "v1beta2", "v1beta1", "v1alpha2", "foo"]


def test_plain_discovery_reports_groups_versions_and_resources(server):
    assert server.json("/api")["versions"] == ["v1"]
    groups = server.json("/apis")["groups"]
    assert [group["name"] for group in groups] == ["apps", "example.com"]
    assert groups[1]["preferredVersion"] == {"groupVersion": "example.com/v1", "version": "v1"}
    assert server.json("/apis/example.com/") == {"kind": "APIGroup", "apiVersion": "v1", **groups[1]}
    core = server.json("/api/v1")
    assert "apiVersion" not in core
    named = {entry["name"]: entry for entry in core["resources"]}
    assert named["configmaps"] == {
        "name": "configmaps", "singularName": "configmap", "namespaced": True, "kind": "ConfigMap",
        "verbs": list(VERBS), "shortNames": ["cm"], "storageVersionHash": "qFsyl6wFWjQ=",
    }  # fmt: skip
    assert named["pods/eviction"] == {
        "name": "pods/eviction", "singularName": "", "namespaced": True, "group": "policy", "version": "v1",
        "kind": "Eviction", "verbs": ["create"],
    }  # fmt: skip
    assert "group" not in named["pods/status"]


def test_aggregated_discovery_is_chosen_by_parameters_in_any_order(server):
    accept = "application/json;v=v2;g=apidiscovery.k8s.io;as=APIGroupDiscoveryList"
    reply = server.get("/apis", accept=accept)
    assert reply.header("content-type") == "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    body = json.loads(reply.body)
    assert [item["metadata"] for item in body["items"]] == [{"name": "apps"}, {"name": "example.com"}]
    assert [version["version"] for version in body["items"][1]["versions"]] == ["v1", "v1alpha1"]
    assert body["items"][0]["versions"][0]["resources"][0]["subresources"] == [
        {
            "subresource": "scale",
            "responseKind": {"group": "autoscaling", "version": "v1", "kind": "Scale"},
            "verbs": ["get", "patch", "update"],
        }
    ]
    older = server.json("/api", accept=accept.replace("v=v2", "v=v2beta1") + ",application/json")
    assert older["apiVersion"] == "apidiscovery.k8s.io/v2beta1"
    assert server.json("/api", accept=accept.replace("v=v2", "v=v3") + ",application/json")["kind"] == "APIVersions"


def test_an_unchanged_aggregated_document_is_not_sent_again(server):
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    etag = server.get("/apis", accept=accept).header("etag")
    assert server.get("/apis", accept=accept, if_none_match=etag).status == 304
    server.registry.remove(SITES.group, SITES.version, SITES.plural)
    changed = server.get("/apis", accept=accept, if_none_match=etag)
    assert changed.status == 200
    assert changed.header("etag") != etag


def test_what_is_not_served_is_left_to_others(server):
    for path in ("/apis/nosuch.example.com", "/apis/apps/v9", "/api/v2", "/nosuch", "/apis/apps/v1/deployments"):
        assert server.get(path) is None


def test_the_version_is_the_one_that_is_imitated(server):
    version = server.json("/version/")
    assert (version["major"], version["minor"]) == ("1", "36")
    assert version["gitVersion"].startswith("v1.36.")
    with pytest.raises(Failure) as raised:
        server.get("/version", "POST")
    assert raised.value.code == 405
    assert server.get("/apis", "PUT").status == 200


def test_health_checks_speak_in_short_and_at_length(server):
    assert server.get("/readyz").body == b"ok"
    assert server.get("/healthz/ping").header("content-type") == "text/plain; charset=utf-8"
    assert server.get("/livez", query=[("verbose", "")]).body == b"[+]ping ok\n[+]store ok\nlivez check passed\n"
    server.well = False
    failing = server.get("/readyz")
    assert failing.status == 500
    assert failing.body == b"[+]ping ok\n[-]store failed: reason withheld\nreadyz check failed\n"
    assert server.get("/readyz", query=[("exclude", "store")]).status == 200


def test_the_openapi_index_leads_to_documents_that_are_kept_by_hash(server):
    index = server.get("/openapi/v3")
    assert index.header("content-type") == "text/plain; charset=utf-8"
    address = json.loads(index.body)["paths"]["apis/apps/v1"]["serverRelativeURL"]
    path, _, found = address.partition("?hash=")
    reply = server.get(path, query=[("hash", found)])
    assert reply.status == 200
    assert "immutable" in reply.header("cache-control")
    assert server.get(path, query=[("hash", found)], if_none_match=reply.header("etag")).status == 304
    assert server.get(path, query=[("hash", "00")]).header("location") == address
    assert server.get("/openapi/v3/apis/nosuch/v1").status == 404
    assert server.get(path, accept="application/yaml").status == 406
    assert server.get("/openapi/v1").status == 404


def references(value):
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


@pytest.mark.parametrize("name", ["api/v1", "apis/apps/v1", "apis/example.com/v1"])
def test_every_reference_of_a_document_leads_somewhere(server, name):
    document = server.json(f"/openapi/v3/{name}")
    known = {f"#/components/schemas/{schema}" for schema in document["components"]["schemas"]}
    assert set(references(document)) <= known


def test_a_document_reports_clients_how_to_validate_and_merge(server):
    document = server.json("/openapi/v3/apis/apps/v1")
    path = "/apis/apps/v1/namespaces/{namespace}/deployments/{name}"
    patch = document["paths"][path]["patch"]
    assert "fieldValidation" in [parameter["name"] for parameter in patch["parameters"]]
    assert patch["x-kubernetes-group-version-kind"] == {"group": "apps", "version": "v1", "kind": "Deployment"}
    schemas = document["components"]["schemas"]
    containers = schemas["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"]
    assert containers["x-kubernetes-patch-merge-key"] == "name"
    assert containers["x-kubernetes-patch-strategy"] == "merge"
    assert containers["x-kubernetes-list-map-keys"] == ["name"]
    assert schemas["io.k8s.api.apps.v1.Deployment"]["x-kubernetes-group-version-kind"] == [
        {"group": "apps", "kind": "Deployment", "version": "v1"}
    ]


def test_a_custom_resource_is_documented_by_its_crds_schema(server):
    site = server.json("/openapi/v3/apis/example.com/v1")["components"]["schemas"]["com.example.v1.Site"]
    assert site["description"] == "a site"
    spec = site["properties"]["spec"]
    assert spec["properties"]["host"] == {"type": "string", "description": "where it lives"}
    assert spec["properties"]["port"]["anyOf"] == [{"type": "integer"}, {"type": "string"}]
    assert spec["required"] == ["host"]
    assert site["properties"]["metadata"]["allOf"]
    assert "anyOf" not in SCHEMA["properties"]["spec"]["properties"]["port"]
