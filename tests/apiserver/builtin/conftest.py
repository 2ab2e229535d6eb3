"""A server in memory, and requests that are about one built-in kind at a time."""

from __future__ import annotations

import copy
import json
import random
from typing import Any
from urllib.parse import parse_qsl

import pytest

from zestor_controller.apiserver import ApiServer
from zestor_controller.apiserver.authentication import ADMINISTRATOR, TokenAuthenticator
from zestor_controller.http import HttpRequest

Json = dict[str, Any]

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
MERGE = "application/merge-patch+json"


class Server:
    """An API server, and requests of an administrator.

    A path such as ``apps/v1/deployments`` is that of a kind in the namespace ``default``; objects are named ``x``.
    """

    def __init__(self) -> None:
        self.now = 1_800_000_000.0
        tokens = TokenAuthenticator({"token": ADMINISTRATOR})
        self.api = ApiServer(tokens, rng=random.Random(7), wall=lambda: self.now)
        self.warnings: list[str] = []

    async def send(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Json]:
        path, _, query = path.partition("?")
        raw = b"" if body is None else json.dumps(body).encode()
        sent = {"authorization": "Bearer token", "user-agent": "test/1", "accept": "application/json"}
        sent |= {"content-type": "application/json"} if raw else {}
        sent |= headers
        response = await self.api.handle(HttpRequest(method, path, parse_qsl(query, keep_blank_values=True), sent, raw))
        assert isinstance(response.body, bytes)
        self.warnings = [value for name, value in response.headers if name.lower() == "warning"]
        return response.status, json.loads(response.body)

    async def create(self, kind: str, body: Json) -> Json:
        """Create an object that is valid, and return it as it was stored."""
        status, obj = await self.send("POST", collection(kind), named(body))
        assert status == 201, obj
        return obj

    async def rejected(self, kind: str, body: Json) -> list[str]:
        """The causes of a 422 for a new object, as ``field: message``."""
        return causes(*await self.send("POST", collection(kind), named(body)))

    async def update(self, kind: str, change: Json, subresource: str = "") -> tuple[int, Json]:
        """Merge a change into the object ``x``."""
        return await self.send("PATCH", path_of(kind, subresource), change, **{"content-type": MERGE})

    async def updated(self, kind: str, change: Json, subresource: str = "") -> Json:
        """Merge a valid change into the object ``x``, and return the object."""
        status, obj = await self.update(kind, change, subresource)
        assert status == 200, obj
        return obj

    async def immutable(self, kind: str, change: Json, subresource: str = "") -> list[str]:
        """The causes of a 422 for a change of the object ``x``, as ``field: message``."""
        return causes(*await self.update(kind, change, subresource))

    async def cells(self, kind: str) -> Json:
        """The cells of the one object of a kind, by the names of their columns."""
        status, table = await self.send("GET", collection(kind), accept=TABLE)
        assert status == 200, table
        (row,) = table["rows"]
        return {column["name"]: cell for column, cell in zip(table["columnDefinitions"], row["cells"], strict=True)}


CLUSTER_SCOPED = frozenset(
    {
        "namespaces",
        "nodes",
        "persistentvolumes",
        "clusterroles",
        "clusterrolebindings",
        "ingressclasses",
        "priorityclasses",
        "storageclasses",
    }
)


def collection(kind: str) -> str:
    *api, plural = kind.split("/")
    root = "/apis/" + "/".join(api) if len(api) == 2 else f"/api/{api[0]}"
    return f"{root}/{plural}" if plural in CLUSTER_SCOPED else f"{root}/namespaces/default/{plural}"


def path_of(kind: str, subresource: str = "") -> str:
    return f"{collection(kind)}/x" + (f"/{subresource}" if subresource else "")


def named(body: Json) -> Json:
    return {**copy.deepcopy(body), "metadata": {"name": "x", **body.get("metadata", {})}}


def causes(status: int, body: Json) -> list[str]:
    assert status == 422, body
    return [f"{cause['field']}: {cause['message']}" for cause in body["details"]["causes"]]


@pytest.fixture
def server() -> Server:
    return Server()
