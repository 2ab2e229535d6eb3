"""Definitions and custom resources through the whole server."""

import asyncio
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from zestor_controller.apiserver.auth.authentication import ADMINISTRATOR, TokenAuthenticator
from zestor_controller.apiserver.crds.crdcontroller import DefinitionController
from zestor_controller.apiserver.rest.resourceregistry import ResourceRegistry
from zestor_controller.apiserver.server.api import ApiServer
from zestor_controller.http import HttpRequest

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
BOXES = "/apis/example.com/v1/namespaces/default/boxes"
MERGE = {"content-type": "application/merge-patch+json"}


@dataclass
class Answer:
    status: int
    body: Any
    warnings: list[str]


class Server:
    """A server that is called without a socket."""

    def __init__(self) -> None:
        self.api = ApiServer(
            TokenAuthenticator({"t": ADMINISTRATOR}), rng=random.Random(1), wall=lambda: 1_800_000_000.0
        )

    async def call(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None, **query: str
    ) -> Answer:
        data = b"" if body is None else json.dumps(body).encode()
        sent = {"authorization": "Bearer t", "user-agent": "test/1", "accept": "application/json", **(headers or {})}
        if data:
            sent.setdefault("content-type", "application/json")
        response = await self.api.handle(HttpRequest(method, path, list(query.items()), sent, data))
        await asyncio.sleep(0)  # what the server does after an answer
        assert isinstance(response.body, bytes)
        found = json.loads(response.body) if response.body.startswith(b"{") else response.body
        return Answer(response.status, found, [value for name, value in response.headers if name == "Warning"])


@pytest.fixture
async def server() -> Server:
    return Server()


def definition(plural: str = "boxes", kind: str = "Box", **version: Any) -> dict[str, Any]:
    spec = {
        "type": "object",
        "properties": {
            "color": {"type": "string", "maxLength": 5},
            "replicas": {"type": "integer"},
            "size": {"type": "integer", "default": 1},
        },
    }
    schema = {
        "type": "object",
        "properties": {"spec": spec, "status": {"type": "object", "properties": {"ok": {"type": "boolean"}}}},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind},
            "versions": [
                {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}, **version}
            ],
        },
    }


def box(name: str = "a", **more: Any) -> dict[str, Any]:
    return {"apiVersion": "example.com/v1", "kind": "Box", "metadata": {"name": name}, **more}


def condition(crd: dict[str, Any], kind: str) -> tuple[str, str]:
    found = next(one for one in crd["status"]["conditions"] if one["type"] == kind)
    return found["status"], found["reason"]


async def test_a_definition_is_answered_as_stored_and_then_established(server: Server) -> None:
    made = await server.call("POST", DEFINITIONS, definition())

    assert made.status == 201
    assert made.body["status"] == {
        "conditions": None,
        "acceptedNames": {"plural": "", "kind": ""},
        "storedVersions": ["v1"],
    }
    crd = (await server.call("GET", f"{DEFINITIONS}/boxes.example.com")).body
    assert condition(crd, "Established") == ("True", "InitialNamesAccepted")
    assert crd["status"]["acceptedNames"] == {
        "plural": "boxes",
        "singular": "box",
        "kind": "Box",
        "listKind": "BoxList",
    }
    assert (await server.call("GET", BOXES)).body["kind"] == "BoxList"


async def test_names_that_are_taken_are_not_accepted_until_they_are_free(server: Server) -> None:
    await server.call("POST", DEFINITIONS, definition())
    await server.call("POST", DEFINITIONS, definition(plural="crates"))

    crd = (await server.call("GET", f"{DEFINITIONS}/crates.example.com")).body
    assert condition(crd, "NamesAccepted") == ("False", "ListKindConflict")
    assert (await server.call("GET", "/apis/example.com/v1/namespaces/default/crates")).status == 404

    await server.call("DELETE", f"{DEFINITIONS}/boxes.example.com")

    crd = (await server.call("GET", f"{DEFINITIONS}/crates.example.com")).body
    assert condition(crd, "Established")[0] == "True"
    assert (await server.call("GET", "/apis/example.com/v1/namespaces/default/crates")).status == 200


async def test_an_approval_is_told_in_a_condition(server: Server) -> None:
    crd = definition()
    crd["metadata"] = {
        "name": "boxes.example.k8s.io",
        "annotations": {"api-approved.kubernetes.io": "https://example.com/1"},
    }
    crd["spec"]["group"] = "example.k8s.io"

    await server.call("POST", DEFINITIONS, crd)
    await server.call(
        "PATCH",
        f"{DEFINITIONS}/boxes.example.k8s.io",
        {"metadata": {"annotations": {"api-approved.kubernetes.io": "unapproved, a test"}}},
        MERGE,
    )

    found = (await server.call("GET", f"{DEFINITIONS}/boxes.example.k8s.io")).body
    assert condition(found, "KubernetesAPIApprovalPolicyConformant") == ("False", "UnapprovedAnnotation")
    assert [one["type"] for one in found["status"]["conditions"]][:2] == ["NamesAccepted", "Established"]


async def test_a_definition_goes_after_its_objects(server: Server) -> None:
    await server.call("POST", DEFINITIONS, definition())
    held = box(metadata={"name": "a", "finalizers": ["example.com/hold"]})
    await server.call("POST", BOXES, held)
    await server.call("POST", BOXES, box("b"))

    deleted = (await server.call("DELETE", f"{DEFINITIONS}/boxes.example.com")).body

    assert deleted["metadata"]["finalizers"] == ["customresourcecleanup.apiextensions.k8s.io"]
    assert condition(deleted, "Terminating") == ("True", "InstanceDeletionPending")
    assert (await server.call("GET", f"{BOXES}/b")).status == 404
    assert (await server.call("GET", f"{BOXES}/a")).body["metadata"]["deletionTimestamp"]
    refused = await server.call("POST", BOXES, box("c"))
    assert (refused.status, refused.body["message"]) == (
        403,
        'boxes.example.com "c" is forbidden: create not allowed while custom resource definition is terminating',
    )

    await server.call("PATCH", f"{BOXES}/a", {"metadata": {"finalizers": None}}, MERGE)

    assert (await server.call("GET", f"{DEFINITIONS}/boxes.example.com")).status == 404
    assert (await server.call("GET", BOXES)).status == 404
    assert (await server.call("POST", DEFINITIONS, definition())).status == 201


async def test_a_deletion_with_a_stale_precondition_is_refused(server: Server) -> None:
    await server.call("POST", DEFINITIONS, definition())

    answer = await server.call("DELETE", f"{DEFINITIONS}/boxes.example.com", {"preconditions": {"uid": "other"}})

    assert answer.status == 409
    assert (await server.call("GET", BOXES)).status == 200


async def test_a_dry_deletion_leaves_everything(server: Server) -> None:
    await server.call("POST", DEFINITIONS, definition())

    assert (await server.call("DELETE", f"{DEFINITIONS}/boxes.example.com", dryRun="All")).status == 200

    crd = (await server.call("GET", f"{DEFINITIONS}/boxes.example.com")).body
    assert "deletionTimestamp" not in crd["metadata"]


async def test_an_object_is_pruned_defaulted_and_validated(server: Server) -> None:
    await server.call("POST", DEFINITIONS, definition())

    made = await server.call("POST", BOXES, box(spec={"color": "red", "odd": 1}))
    wrong = await server.call("POST", BOXES, box("b", spec={"color": "yellow"}))
    strict = await server.call("POST", BOXES, box("c", spec={"odd": 1}), fieldValidation="Strict")

    assert made.body["spec"] == {"color": "red", "size": 1}
    assert made.warnings == ['299 - "unknown field \\"spec.odd\\""']
    assert wrong.body["message"] == 'Box.example.com "b" is invalid: spec.color: Too long: may not be more than 5 bytes'
    assert strict.body["message"] == (
        'Box in version "v1" cannot be handled as a Box: strict decoding error: unknown field "spec.odd"'
    )


async def test_a_patch_that_names_another_version_is_pruned_by_that_versions_schema(server: Server) -> None:
    await server.call("POST", DEFINITIONS, definition())
    await server.call("POST", BOXES, box(spec={"color": "red"}))
    for version, warnings in (("v1", []), ("v2", ['299 - "unknown field \\"spec\\""'])):
        answer = await server.call("PATCH", f"{BOXES}/a", {"apiVersion": f"example.com/{version}"}, MERGE)
        assert answer.status == (200 if version == "v1" else 422)
        assert answer.warnings == warnings


async def test_the_status_has_a_door_of_its_own(server: Server) -> None:
    await server.call("POST", DEFINITIONS, definition(subresources={"status": {}}))
    made = await server.call("POST", BOXES, box(spec={}, status={"ok": False}))
    assert "status" not in made.body

    await server.call("PATCH", f"{BOXES}/a", {"status": {"ok": True}, "spec": {"color": "x"}}, MERGE)
    main = (await server.call("GET", f"{BOXES}/a")).body
    await server.call("PATCH", f"{BOXES}/a/status", {"status": {"ok": True}, "spec": {"color": "y"}}, MERGE)
    after = (await server.call("GET", f"{BOXES}/a")).body

    assert (main["spec"]["color"], "status" in main, main["metadata"]["generation"]) == ("x", False, 2)
    assert (after["spec"]["color"], after["status"], after["metadata"]["generation"]) == ("x", {"ok": True}, 2)


async def test_without_that_door_a_change_of_status_counts_as_a_generation(server: Server) -> None:
    await server.call("POST", DEFINITIONS, definition())
    await server.call("POST", BOXES, box(status={"ok": False}))

    changed = await server.call("PATCH", f"{BOXES}/a", {"status": {"ok": True}}, MERGE)
    labelled = await server.call("PATCH", f"{BOXES}/a", {"metadata": {"labels": {"a": "b"}}}, MERGE)

    assert changed.body["metadata"]["generation"] == 2
    assert labelled.body["metadata"]["generation"] == 2


async def test_a_schema_may_be_tightened_over_what_is_stored(server: Server) -> None:
    loose = definition()
    await server.call("POST", DEFINITIONS, loose)
    await server.call("POST", BOXES, box(spec={"color": "grey"}))
    path = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties"
    change = [
        {"op": "add", "path": f"{path}/color/maxLength", "value": 3},
        {"op": "add", "path": f"{path}/added", "value": {"type": "string", "default": "new"}},
    ]
    json_patch = {"content-type": "application/json-patch+json"}
    await server.call("PATCH", f"{DEFINITIONS}/boxes.example.com", change, json_patch)

    read = await server.call("GET", f"{BOXES}/a")
    kept = await server.call("PATCH", f"{BOXES}/a", {"spec": {"size": 2}}, MERGE)
    refused = await server.call("PATCH", f"{BOXES}/a", {"spec": {"color": "green"}}, MERGE)

    assert read.body["spec"] == {"color": "grey", "size": 1, "added": "new"}
    assert kept.status == 200
    assert refused.status == 422


async def test_versions_share_their_objects(server: Server) -> None:
    crd = definition()
    old = json.loads(json.dumps(crd["spec"]["versions"][0]))
    old |= {"name": "v1beta1", "storage": False, "deprecated": True}
    del old["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["replicas"]
    crd["spec"]["versions"].append(old)
    await server.call("POST", DEFINITIONS, crd)
    await server.call("POST", BOXES, box(spec={"color": "red", "replicas": 3}))

    other = await server.call("GET", f"{BOXES.replace('/v1/', '/v1beta1/')}/a")
    resource = server.api.registry.find("example.com", "v1beta1", "boxes")

    assert other.body["apiVersion"] == "example.com/v1beta1"
    assert other.body["spec"] == {"color": "red", "size": 1}
    assert resource is not None
    assert resource.deprecation == "example.com/v1beta1 Box is deprecated; use example.com/v1 Box"


async def test_a_version_that_is_not_served_any_more_is_gone(server: Server) -> None:
    crd = definition()
    crd["spec"]["versions"].append({**crd["spec"]["versions"][0], "name": "v2", "storage": False})
    await server.call("POST", DEFINITIONS, crd)
    v2 = BOXES.replace("/v1/", "/v2/")
    assert (await server.call("GET", v2)).status == 200

    change = [{"op": "replace", "path": "/spec/versions/1/served", "value": False}]
    await server.call(
        "PATCH", f"{DEFINITIONS}/boxes.example.com", change, {"content-type": "application/json-patch+json"}
    )

    assert (await server.call("GET", v2)).status == 404
    assert (await server.call("GET", BOXES)).status == 200


async def test_a_conversion_webhook_that_would_be_needed_is_refused(server: Server) -> None:
    crd = definition()
    webhook = {"clientConfig": {"url": "https://example.com/convert"}, "conversionReviewVersions": ["v1"]}
    crd["spec"]["conversion"] = {"strategy": "Webhook", "webhook": webhook}
    assert (await server.call("POST", DEFINITIONS, crd, dryRun="All")).status == 201
    crd["spec"]["versions"].append({**crd["spec"]["versions"][0], "name": "v2", "storage": False})

    refused = await server.call("POST", DEFINITIONS, crd)

    assert refused.status == 422
    assert refused.body["details"]["causes"][0]["field"] == "spec.conversion.strategy"


async def test_columns_and_selectors_find_their_fields(server: Server) -> None:
    columns = [
        {"name": "Color", "type": "string", "jsonPath": ".spec.color"},
        {"name": "Size", "type": "integer", "jsonPath": ".spec.size", "priority": 1},
    ]
    await server.call(
        "POST",
        DEFINITIONS,
        definition(additionalPrinterColumns=columns, selectableFields=[{"jsonPath": ".spec.color"}]),
    )
    await server.call("POST", BOXES, box("a", spec={"color": "red"}))
    await server.call("POST", BOXES, box("b", spec={"size": 3}))

    table = await server.call("GET", BOXES, headers={"accept": "application/json;as=Table;v=v1;g=meta.k8s.io"})
    chosen = await server.call("GET", BOXES, fieldSelector="spec.color=red")
    unknown = await server.call("GET", BOXES, fieldSelector="spec.size=3")

    assert [row["cells"] for row in table.body["rows"]] == [["a", "red", 1], ["b", None, 3]]
    assert [item["metadata"]["name"] for item in chosen.body["items"]] == ["a"]
    assert unknown.status == 400


async def test_definitions_that_were_there_before_are_served_from_the_start(server: Server) -> None:
    await server.call("POST", DEFINITIONS, definition())
    registry = ResourceRegistry()

    DefinitionController(server.api.storage, registry, lambda: "2026-01-01T00:00:00Z")

    assert registry.find("example.com", "v1", "boxes") is not None
