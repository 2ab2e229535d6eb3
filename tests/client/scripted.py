"""A tiny API server for these tests: it responds from a script and records the requests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

from zestor_controller.http import HttpRequest, HttpResponse

Response = HttpResponse | Callable[[HttpRequest], HttpResponse]
JSON_HEADERS = [("Content-Type", "application/json")]


class Script:
    """A Handler: each request gets the next response; the last one is repeated."""

    def __init__(self, *responses: Response) -> None:
        self.responses = list(responses)
        self.requests: list[HttpRequest] = []

    async def handle(self, request: HttpRequest) -> HttpResponse:
        self.requests.append(request)
        response = self.responses.pop(0) if len(self.responses) > 1 else self.responses[0]
        return response if isinstance(response, HttpResponse) else response(request)

    @property
    def last(self) -> HttpRequest:
        return self.requests[-1]

    @property
    def query(self) -> dict[str, str]:
        return dict(self.last.query)

    @property
    def body(self) -> Any:
        return json.loads(self.last.body)


def ok(body: Any, *headers: tuple[str, str]) -> HttpResponse:
    return HttpResponse(200, [*JSON_HEADERS, *headers], json.dumps(body).encode())


def failure(code: int, reason: str, message: str = "no", *headers: tuple[str, str], **details: Any) -> HttpResponse:
    body = {"kind": "Status", "status": "Failure", "reason": reason, "message": message, "code": code}
    if details:
        body["details"] = details
    return HttpResponse(code, [*JSON_HEADERS, *headers], json.dumps(body).encode())


def page(items: Iterable[Any], version: str = "10", token: str = "") -> HttpResponse:
    return ok({"metadata": {"resourceVersion": version, "continue": token}, "items": list(items)})


def config_map(name: str = "a", version: str = "1", **extra: Any) -> dict[str, Any]:
    meta = {"name": name, "namespace": "default", "uid": f"u-{name}", "resourceVersion": version}
    return {"metadata": meta, **extra}


def line(type_: str, obj: Any) -> bytes:
    return json.dumps({"type": type_, "object": obj}).encode() + b"\n"


class Chunks:
    """A streamed body that records whether it was closed."""

    def __init__(self, *chunks: bytes, then: Callable[[], Any] | None = None) -> None:
        self.hung_up = asyncio.Event()
        self._chunks = chunks
        self._then = then

    def response(self) -> HttpResponse:
        return HttpResponse(200, JSON_HEADERS, self._stream())

    @property
    def closed(self) -> bool:
        return self.hung_up.is_set()

    async def _stream(self) -> AsyncIterator[bytes]:
        try:
            for chunk in self._chunks:
                yield chunk
            if self._then is not None:
                await self._then()
        finally:
            self.hung_up.set()
