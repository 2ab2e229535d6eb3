"""A server in memory, and a way to talk to it."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qsl

import pytest

from zestor_controller.apiserver import ApiServer
from zestor_controller.apiserver.auth.authentication import ADMINISTRATOR, TokenAuthenticator
from zestor_controller.http import HttpRequest, HttpResponse

Json = dict[str, Any]


class Talk:
    """Requests of an administrator, served without a socket."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0
        tokens = TokenAuthenticator({"token": ADMINISTRATOR})
        self.api = ApiServer(tokens, rng=random.Random(7), wall=lambda: self.now)
        self.configmaps = "/api/v1/namespaces/default/configmaps"

    async def send(self, method: str, path: str, body: Any = None, **headers: str) -> HttpResponse:
        path, _, query = path.partition("?")
        raw = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"authorization": "Bearer token", "user-agent": "test/1", "accept": "application/json"}
        if raw:
            sent["content-type"] = "application/json"
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.api.handle(HttpRequest(method, path, parse_qsl(query, keep_blank_values=True), sent, raw))

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Json]:
        response = await self.send(method, path, body, **headers)
        assert isinstance(response.body, bytes)
        return response.status, json.loads(response.body)

    async def make(self, name: str, path: str = "", **fields: Any) -> Json:
        metadata = {"name": name, **fields.pop("metadata", {})}
        status, obj = await self.ask("POST", path or self.configmaps, {"metadata": metadata, **fields})
        assert status == 201, obj
        return obj

    async def merge(self, path: str, patch: Json) -> tuple[int, Json]:
        return await self.ask("PATCH", path, patch, content_type="application/merge-patch+json")

    async def watch(self, path: str) -> Stream:
        response = await self.send("GET", path)
        assert response.status == 200
        assert not isinstance(response.body, bytes)
        return Stream(response.body)


class Stream:
    """An open watch: its events, one by one."""

    def __init__(self, body: AsyncIterator[bytes]) -> None:
        self._body = body
        self._events: list[Json] = []

    async def event(self) -> Json:
        while not self._events:
            chunk = await anext(self._body)
            self._events += [json.loads(line) for line in chunk.splitlines()]
        return self._events.pop(0)

    async def reported(self, count: int) -> list[tuple[str, str]]:
        """The types and names of the next events."""
        events = [await self.event() for _ in range(count)]
        return [(event["type"], event["object"]["metadata"].get("name", "")) for event in events]

    async def close(self) -> None:
        await self._body.aclose()  # type: ignore[attr-defined]


@pytest.fixture
def talk() -> Talk:
    return Talk()
