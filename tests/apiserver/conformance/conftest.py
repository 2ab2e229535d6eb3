"""A server without a socket, and the requests of an administrator and of impersonated users to it."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl

import pytest

from zestor_controller.apiserver import ADMINISTRATOR, ApiServer, TokenAuthenticator
from zestor_controller.http import HttpRequest, HttpResponse

Json = dict[str, Any]

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
PATCHES = {
    "apply": "application/apply-patch+yaml",
    "json": "application/json-patch+json",
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
}
POLLS = 2000


@dataclass
class Answer:
    """A complete response, with what tests look at most."""

    status: int
    body: Any
    raw: bytes
    headers: list[tuple[str, str]]

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    @property
    def failure(self) -> tuple[int, str | None, str]:
        """Code, reason and message of a Status that reports a failure."""
        assert self.body["kind"] == "Status", self.body
        assert self.body["code"] == self.status
        return self.status, self.body.get("reason"), self.body["message"]

    @property
    def message(self) -> str:
        return self.failure[2]

    @property
    def causes(self) -> list[tuple[str, str]]:
        """Field and message of each cause, sorted: the server does not fix their order."""
        causes = self.body["details"].get("causes", ())
        return sorted((cause.get("field", ""), cause["message"]) for cause in causes)

    @property
    def names(self) -> list[str]:
        """The names of a list's items."""
        return [item["metadata"]["name"] for item in self.body["items"]]

    @property
    def warnings(self) -> list[str]:
        """The texts of the Warning headers, unquoted."""
        found = [value for key, value in self.headers if key.lower() == "warning"]
        assert all(value.startswith('299 - "') and value.endswith('"') for value in found), found
        return [value[7:-1].replace('\\"', '"').replace("\\\\", "\\") for value in found]


@dataclass
class Stream:
    """An open watch."""

    body: AsyncIterator[bytes]
    pending: list[Json] = field(default_factory=list)

    async def event(self) -> Json:
        while not self.pending:
            chunk = await anext(self.body)
            self.pending += [json.loads(line) for line in chunk.splitlines()]
        return self.pending.pop(0)

    async def events(self, count: int) -> list[tuple[str, str]]:
        """Types and names of the next events."""
        found = [await self.event() for _ in range(count)]
        return [(event["type"], event["object"]["metadata"].get("name", "")) for event in found]

    async def rest(self) -> list[Json]:
        """The events until the server ends the stream."""
        found = []
        try:
            while True:
                found.append(await self.event())
        except StopAsyncIteration:
            return found

    async def close(self) -> None:
        await self.body.aclose()  # type: ignore[attr-defined]


class Server:
    """An API server in the process, its clock, and requests to it.

    Paths may have a query. A body is sent as JSON, bytes as they are. Underscores in header names become hyphens.
    """

    def __init__(self, **options: Any) -> None:
        self.now = 1_800_000_000.0
        weak = replace(ADMINISTRATOR, name="weak", groups=("devs", "system:authenticated"))
        self.tokens = TokenAuthenticator({"admin": ADMINISTRATOR, "weak": weak})
        self.api = ApiServer(self.tokens, rng=random.Random(7), wall=lambda: self.now, **options)
        self.configmaps = "/api/v1/namespaces/default/configmaps"
        self.secrets = "/api/v1/namespaces/default/secrets"
        self.pods = "/api/v1/namespaces/default/pods"
        self.deployments = "/apis/apps/v1/namespaces/default/deployments"
        self.definitions = DEFINITIONS

    async def send(self, method: str, path: str, body: Any = None, **headers: str | None) -> HttpResponse:
        path, _, query = path.partition("?")
        raw = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        sent: dict[str, str | None] = {
            "authorization": "Bearer admin",
            "user-agent": "tester/1.0",
            "accept": "application/json",
        }
        if raw:
            sent["content-type"] = "application/json"
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        given = {name: value for name, value in sent.items() if value is not None}
        return await self.api.handle(HttpRequest(method, path, parse_qsl(query, keep_blank_values=True), given, raw))

    async def ask(self, method: str, path: str, body: Any = None, **headers: str | None) -> Answer:
        response = await self.send(method, path, body, **headers)
        assert isinstance(response.body, bytes)
        try:
            value = json.loads(response.body)
        except ValueError:
            value = None
        return Answer(response.status, value, response.body, response.headers)

    async def get(self, path: str, **headers: str | None) -> Answer:
        return await self.ask("GET", path, **headers)

    async def post(self, path: str, body: Any = None, **headers: str | None) -> Answer:
        return await self.ask("POST", path, body, **headers)

    async def put(self, path: str, body: Any = None, **headers: str | None) -> Answer:
        return await self.ask("PUT", path, body, **headers)

    async def delete(self, path: str, body: Any = None, **headers: str | None) -> Answer:
        return await self.ask("DELETE", path, body, **headers)

    async def patch(self, how: str, path: str, body: Any, **headers: str | None) -> Answer:
        """A patch, of which `how` is `apply`, `json`, `merge` or `strategic`."""
        return await self.ask("PATCH", path, body, content_type=PATCHES[how], **headers)

    async def create(self, path: str, body: Json) -> Json:
        made = await self.post(path, body)
        assert made.status == 201, made.body
        return dict(made.body)

    async def configmap(self, name: str = "a", data: Json | None = None, **metadata: Any) -> Json:
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}}
        return await self.create(self.configmaps, body if data is None else {**body, "data": data})

    async def watch(self, path: str, **headers: str | None) -> Stream:
        response = await self.send("GET", path, **headers)
        assert response.status == 200, response.body
        assert not isinstance(response.body, bytes)
        return Stream(response.body)

    async def until(self, path: str, wanted: Any) -> Answer:
        """The first response to a GET of which `wanted` is true; the server works between two of them."""
        answer = await self.get(path)
        for _ in range(POLLS):
            if wanted(answer):
                return answer
            await asyncio.sleep(0)
            answer = await self.get(path)
        raise AssertionError(answer.body)

    async def define(self, definition: Json) -> str:
        """Create a CustomResourceDefinition and wait until it is served; the path of its objects in `default`."""
        await self.create(DEFINITIONS, definition)
        spec = definition["spec"]
        served = next(version["name"] for version in spec["versions"] if version["served"])
        root = f"/apis/{spec['group']}/{served}"
        plural = spec["names"]["plural"]
        path = f"{root}/namespaces/default/{plural}" if spec["scope"] == "Namespaced" else f"{root}/{plural}"
        await self.until(path, lambda answer: answer.status == 200)
        return path


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def rbac() -> Server:
    """A server that authorizes."""
    return Server(rbac=True)


def widgets(**version: Any) -> Json:
    """A definition of Widgets with status and scale; `version` replaces fields of its only version."""
    text, integer = {"type": "string"}, {"type": "integer"}
    properties = {
        "spec": {
            "type": "object",
            "properties": {
                "color": {**text, "enum": ["red", "green", "blue"]},
                "size": {**integer, "minimum": 1, "default": 3},
                "replicas": integer,
                "tags": {"type": "array", "items": text, "x-kubernetes-list-type": "set"},
                "labels": {"type": "object", "additionalProperties": text},
                "ports": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name"],
                    "items": {"type": "object", "required": ["name"], "properties": {"name": text, "port": integer}},
                },
            },
        },
        "status": {"type": "object", "properties": {"replicas": integer, "selector": text, "phase": text}},
    }
    scale = {
        "specReplicasPath": ".spec.replicas",
        "statusReplicasPath": ".status.replicas",
        "labelSelectorPath": ".status.selector",
    }
    only = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": properties}},
        "subresources": {"status": {}, "scale": scale},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
            "versions": [{**only, **version}],
        },
    }


@pytest.fixture
def definition() -> Any:
    """Makes definitions of Widgets."""
    return widgets


@pytest.fixture
def widget() -> Any:
    """Makes Widgets."""

    def make(name: str = "w", **more: Any) -> Json:
        metadata = {"name": name, **more.pop("metadata", {})}
        return {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": metadata, **more}

    return make
