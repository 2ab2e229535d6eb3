"""A scripted server that takes writes, and whose watches can be held back."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from zestor_controller.http import HttpRequest, HttpResponse
from zestor_controller.testing.scripted import ScriptedServer, status_answer


class Writable:
    """Gives a scripted server the verbs that write; its watches bring nothing while they are held.

    Args:
        server: the server.
        returns_object: a DELETE returns the object, as that of a Service is, and not with a Status.
    """

    def __init__(self, server: ScriptedServer, *, returns_object: bool = False) -> None:
        self.server = server
        self.returns_object = returns_object
        self.lost: list[Exception] = []  # what is raised after the next writes, whose responses are lost
        self.flowing = asyncio.Event()
        self.flowing.set()
        self._usual = server.handle
        server.handle = self.handle  # type: ignore[method-assign]

    def hold(self) -> None:
        """Hold the watches back from now on."""
        self.flowing.clear()

    def release(self) -> None:
        """Let through what was held back, and all that follows."""
        self.flowing.set()

    async def handle(self, request: HttpRequest) -> HttpResponse:
        if request.method != "GET":
            response = self.write(request)
            if self.lost:
                raise self.lost.pop(0)
            return response
        response = await self._usual(request)
        if dict(request.query).get("watch") != "true":
            return response
        return HttpResponse(response.status, response.headers, self._held(response.body))

    async def _held(self, body: Any) -> Any:
        try:
            async for piece in body:
                await self.flowing.wait()
                yield piece
        finally:
            await body.aclose()

    def write(self, request: HttpRequest) -> HttpResponse:
        name = request.path.rsplit("/", 1)[1]
        held = self.server.objects("websites").get(f"default/{name}")
        if request.method != "DELETE":
            body = json.loads(request.body)
            meta = {key: body["metadata"][key] for key in ("finalizers",) if key in body["metadata"]}
            name = body["metadata"].get("name") or name
            return _json(self.server.put("websites", name, kind="Website", spec=body["spec"], metadata=meta))
        if name == "websites":
            return self._delete_all()
        if held is None:
            return status_answer(404, "NotFound", "there is none")
        if held["metadata"].get("finalizers"):
            meta = {"finalizers": held["metadata"]["finalizers"], "deletionTimestamp": "2026-11-28T00:00:00Z"}
            return _json(self.server.put("websites", name, kind="Website", spec=held["spec"], metadata=meta))
        self.server.remove("websites", name)
        if self.returns_object:
            return _json(held)
        details = {"name": name, "uid": held["metadata"]["uid"]}
        return _json({"kind": "Status", "status": "Success", "details": details})

    def _delete_all(self) -> HttpResponse:
        items = list(self.server.objects("websites").values())
        for obj in items:
            meta = obj["metadata"]
            if meta.get("finalizers"):
                kept = {"finalizers": meta["finalizers"], "deletionTimestamp": "2026-11-28T00:00:00Z"}
                self.server.put("websites", meta["name"], kind="Website", spec=obj["spec"], metadata=kept)
            else:
                self.server.remove("websites", meta["name"])
        return _json({"kind": "WebsiteList", "metadata": {}, "items": items})


def _json(body: dict[str, Any]) -> HttpResponse:
    return HttpResponse(200, [], json.dumps(body).encode())


def site(name: str, n: int, **meta: Any) -> dict[str, Any]:
    """A Website."""
    return {"apiVersion": "cache.test/v1", "kind": "Website", "metadata": {"name": name, **meta}, "spec": {"n": n}}
