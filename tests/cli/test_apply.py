"""Applying manifests: in which order, by which request, and which document a refusal is of."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from zestor_controller import Client
from zestor_controller.apiserver import ApiServer
from zestor_controller.apiserver.authentication import ADMINISTRATOR, TokenAuthenticator
from zestor_controller.cli.apply import apply_manifests, condition_of
from zestor_controller.cli.manifests import Manifest
from zestor_controller.client import MemoryTransport
from zestor_controller.errors import ConfigError
from zestor_controller.http import HttpRequest, HttpResponse

MAP = "v1/ConfigMap"
CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "things.apply.example"},
    "spec": {
        "group": "apply.example",
        "scope": "Namespaced",
        "names": {"plural": "things", "kind": "Thing"},
        "versions": [
            {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
        ],
    },
}
THING = {"apiVersion": "apply.example/v1", "kind": "Thing", "metadata": {"name": "t"}}


class Recording:
    """A server that notes the requests that change something."""

    def __init__(self) -> None:
        self.api = ApiServer(TokenAuthenticator({"t": ADMINISTRATOR}))
        self.requests: list[tuple[str, str]] = []
        self.managers: set[str | None] = set()

    async def handle(self, request: HttpRequest) -> HttpResponse:
        if request.method != "GET":
            self.requests.append((request.method, request.path))
            self.managers.add(dict(request.query).get("fieldManager"))
        return await self.api.handle(request)


@pytest.fixture
async def server() -> Recording:
    return Recording()


@pytest.fixture
async def client(server: Recording) -> Client:
    return Client(MemoryTransport(server, {"Authorization": "Bearer t"}))


def manifests(*bodies: dict[str, Any]) -> list[Manifest]:
    return [Manifest(f"objects.yaml:{10 * number}", body) for number, body in enumerate(bodies, 1)]


def config_map(**metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": "b"}}


async def test_definitions_come_first_and_are_served_before_the_rest(client: Client, server: Recording) -> None:
    await apply_manifests(client, manifests(THING, config_map(name="a"), CRD))

    crd, *others = server.requests
    assert crd == ("PATCH", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/things.apply.example")
    assert others == [
        ("PATCH", "/apis/apply.example/v1/namespaces/default/things/t"),
        ("PATCH", "/api/v1/namespaces/default/configmaps/a"),
    ]


async def test_applying_twice_changes_nothing(client: Client) -> None:
    await apply_manifests(client, manifests(CRD, config_map(name="a"), THING))
    before = [await client.get(MAP, "a"), await client.get("apply.example/v1/Thing", "t")]

    await apply_manifests(client, manifests(CRD, config_map(name="a"), THING))

    assert [await client.get(MAP, "a"), await client.get("apply.example/v1/Thing", "t")] == before


async def test_a_field_that_is_no_longer_in_the_manifest_is_removed(client: Client) -> None:
    await apply_manifests(client, manifests({**config_map(name="a"), "data": {"a": "b", "c": "d"}}))
    await apply_manifests(client, manifests(config_map(name="a")))

    assert (await client.get(MAP, "a"))["data"] == {"a": "b"}


async def test_an_object_with_a_generated_name_is_created_each_time(client: Client, server: Recording) -> None:
    for _ in range(2):
        await apply_manifests(client, manifests(config_map(generateName="a-")))

    assert server.requests == [("POST", "/api/v1/namespaces/default/configmaps")] * 2
    names = [found.metadata.name for found in await client.list(MAP) if found.metadata.name.startswith("a-")]
    assert len(set(names)) == 2


async def test_an_object_goes_to_its_own_namespace(client: Client) -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "other"}}

    await apply_manifests(client, manifests(namespace, config_map(name="a", namespace="other")))

    assert (await client.get(MAP, "a", namespace="other")).metadata.namespace == "other"


async def test_the_field_manager_is_kubectls_unless_another_is_given(client: Client, server: Recording) -> None:
    await apply_manifests(client, manifests(config_map(name="a")))
    assert server.managers == {"kubectl"}
    server.managers.clear()
    await apply_manifests(client, manifests(CRD, config_map(name="b")), field_manager="me")
    assert server.managers == {"me"}


@pytest.mark.parametrize(
    ("body", "parts"),
    [
        (config_map(name="Bad_Name"), ["ConfigMap Bad_Name: ", "metadata.name"]),
        (config_map(generateName="Bad_"), ["ConfigMap Bad_: "]),
        (config_map(name="a", namespace="nowhere"), ["ConfigMap a: ", "nowhere"]),
        ({**config_map(name="a"), "data": {"a": 1}}, ["ConfigMap a: "]),
        ({**THING, "apiVersion": "none.example/v1"}, ["none.example/v1"]),
        ({**THING, "kind": "Nothing"}, ["Nothing"]),
        ({**CRD, "spec": {**CRD["spec"], "group": "other.example"}}, ["CustomResourceDefinition things.apply.example"]),
    ],
)
async def test_a_refusal_begins_with_the_place_of_its_document(
    client: Client, server: Recording, body: dict[str, Any], parts: list[str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        await apply_manifests(client, manifests(config_map(name="first"), body, config_map(name="third")))

    assert str(caught.value).startswith("objects.yaml:20: ")
    for part in parts:
        assert part in str(caught.value)
    with_first = ("PATCH", "/api/v1/namespaces/default/configmaps/first") in server.requests
    assert with_first == (body["kind"] != "CustomResourceDefinition")
    assert ("PATCH", "/api/v1/namespaces/default/configmaps/third") not in server.requests


async def test_a_definition_whose_names_are_taken_is_reported_when_the_wait_ends(client: Client) -> None:
    taken = {**CRD, "metadata": {"name": "others.apply.example"}}
    taken["spec"] = {**CRD["spec"], "names": {"plural": "others", "kind": "Thing"}}
    await apply_manifests(client, manifests(CRD))

    with pytest.raises((ConfigError, TimeoutError)):
        async with asyncio.timeout(1):
            await apply_manifests(client, manifests(taken))

    found = await client.get("apiextensions.k8s.io/v1/CustomResourceDefinition", "others.apply.example")
    assert condition_of(found, "NamesAccepted")["status"] == "False"


@pytest.mark.parametrize(
    ("obj", "found"),
    [
        ({}, None),
        ({"status": None}, None),
        ({"status": {}}, None),
        ({"status": {"conditions": None}}, None),
        ({"status": {"conditions": [{"type": "A"}]}}, None),
        ({"status": {"conditions": [{"type": "A"}, {"type": "Ready", "status": "x"}]}}, "x"),
    ],
)
def test_a_condition_is_found_by_its_type(obj: dict[str, Any], found: str | None) -> None:
    condition = condition_of(obj, "Ready")
    assert (condition and condition["status"]) == found
