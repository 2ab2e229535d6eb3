"""The health endpoints over a plain socket: methods, paths, and callers that fail."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from zestor_controller.manager.health import Check, HealthServer
from zestor_controller.metrics import Metrics


@dataclass
class Process:
    """What a manager says of itself."""

    checks: list[Check] = field(default_factory=list)
    trouble: str | None = None
    scrapes: int = 0
    broken: bool = False

    def refresh(self) -> None:
        self.scrapes += 1

    def readiness(self) -> Sequence[Check]:
        if self.broken:
            raise RuntimeError("no checks to be had")
        return self.checks

    @asynccontextmanager
    async def served(self) -> AsyncIterator[int]:
        server = HealthServer(
            host="127.0.0.1",
            health_port=0,
            metrics_port=None,
            metrics=Metrics(),
            refresh=self.refresh,
            checks=self.readiness,
            alive=lambda: self.trouble,
            status=lambda: {"leader": True},
        )
        await server.start()
        try:
            yield server.ports["health"]
        finally:
            await server.stop()


async def fetch(port: int, path: str, method: str = "GET") -> tuple[int, dict[str, str], str]:
    async with asyncio.timeout(5):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"{method} {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode())
        head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
        writer.close()
    first, *lines = head.split("\r\n")
    return int(first.split()[1]), dict(line.lower().split(": ", 1) for line in lines), body


async def test_a_process_that_is_not_alive_says_why_with_a_500() -> None:
    async with Process(trouble="the loop is stuck").served() as port:
        status, headers, body = await fetch(port, "/healthz")
    assert (status, body) == (500, "the loop is stuck")
    assert headers["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    ("ok", "query", "expected"),
    [
        (True, "", (200, "ok\n")),
        (True, "?verbose", (200, "[+]informer: live\nreadyz check passed\n")),
        (True, "?verbose=1&x=2", (200, "[+]informer: live\nreadyz check passed\n")),
        (True, "?quiet", (200, "ok\n")),
        (False, "", (503, "[-]informer: live\nreadyz check failed\n")),
    ],
)
async def test_readiness_lists_its_checks_when_requested_or_when_one_fails(
    ok: bool, query: str, expected: tuple[int, str]
) -> None:
    async with Process(checks=[Check("informer", ok, "live")]).served() as port:
        status, _, body = await fetch(port, f"/readyz{query}")
    assert (status, body) == expected


async def test_a_head_request_gets_the_headers_of_a_get_without_a_body() -> None:
    async with Process().served() as port:
        status, headers, body = await fetch(port, "/statusz", "HEAD")
        _, of_get, document = await fetch(port, "/statusz")
    assert (status, body) == (200, "")
    assert headers == of_get
    assert json.loads(document) == {"leader": True}


async def test_other_methods_and_paths_are_rejected() -> None:
    async with Process().served() as port:
        status, headers, _ = await fetch(port, "/healthz", "POST")
        assert (status, headers["allow"]) == (405, "get,head")
        assert (await fetch(port, "/healthz/ping"))[0] == 404
        assert (await fetch(port, "/metrics"))[0] == 404  # not on this port


async def test_a_check_that_fails_is_a_500_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with Process(broken=True).served() as port:
        assert (await fetch(port, "/readyz"))[0] == 500
        assert (await fetch(port, "/healthz"))[:1] == (200,)
    assert "/readyz failed" in caplog.text
