"""The pages of a running manager: /healthz, /readyz?verbose, /metrics, /statusz.

Readiness is per kind and per controller, with a reason each: a kind that may not be read says so, and names itself.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

from zestor_controller.errors import ConfigError
from zestor_controller.http import HttpRequest, HttpResponse
from zestor_controller.http.server import HttpServer
from zestor_controller.metrics import CONTENT_TYPE, Metrics

__all__ = ["Check", "HealthServer", "default_host"]

_log = logging.getLogger(__name__)

Endpoint: TypeAlias = Callable[[HttpRequest], HttpResponse]


def default_host() -> str:
    """The address to serve on: every address inside a cluster, where probes come from outside; loopback elsewhere."""
    return "0.0.0.0" if "KUBERNETES_SERVICE_HOST" in os.environ else "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Check:
    """One line of /readyz: a name, whether it is well, and why."""

    name: str
    ok: bool
    reason: str


class HealthServer:
    """Serves the pages on one or two ports.

    Args:
        host: the address to listen on.
        health_port: for /healthz, /readyz and /statusz; None serves none of them, 0 takes a free port.
        metrics_port: for /metrics; the same number shares one server.
        metrics: what /metrics shows; `refresh` is called before each scrape.
        checks: the present readiness.
        alive: None when the process is alive, else why it is not.
        status: the document of /statusz.
    """

    def __init__(
        self,
        *,
        host: str,
        health_port: int | None,
        metrics_port: int | None,
        metrics: Metrics,
        refresh: Callable[[], None],
        checks: Callable[[], Sequence[Check]],
        alive: Callable[[], str | None],
        status: Callable[[], dict[str, Any]],
    ) -> None:
        self._host = host
        self._wanted = {"health": health_port, "metrics": metrics_port}
        self._metrics = metrics
        self._refresh = refresh
        self._checks = checks
        self._alive = alive
        self._status = status
        self._servers: list[HttpServer] = []
        self.ports: dict[str, int] = {}

    async def start(self) -> None:
        """Listen.

        Raises:
            ConfigError: a port is in use.
        """
        health, metrics = self._wanted["health"], self._wanted["metrics"]
        if health is not None:
            self.ports["health"] = await self._listen(health, health=True, metrics=health == metrics and health != 0)
        if metrics is not None:
            if metrics == health and metrics != 0:
                self.ports["metrics"] = self.ports["health"]
            else:
                self.ports["metrics"] = await self._listen(metrics, health=False, metrics=True)

    async def stop(self) -> None:
        """Close all ports; harmless when none is open."""
        for server in self._servers:
            await server.stop()
        self._servers.clear()

    async def _listen(self, port: int, *, health: bool, metrics: bool) -> int:
        endpoints: dict[str, Endpoint] = {}
        if health:
            endpoints |= {"/healthz": self._healthz, "/readyz": self._readyz, "/statusz": self._statusz}
        if metrics:
            endpoints["/metrics"] = self._render
        server = HttpServer(_Endpoints(endpoints))
        try:
            await server.start(self._host, port)
        except OSError as error:
            raise ConfigError(
                f"cannot listen on {self._host}:{port}: {error.strerror or error}; choose another port"
            ) from error
        self._servers.append(server)
        return server.port

    def _healthz(self, request: HttpRequest) -> HttpResponse:
        trouble = self._alive()
        return _text(500 if trouble else 200, trouble or "ok")

    def _readyz(self, request: HttpRequest) -> HttpResponse:
        checks = self._checks()
        ready = all(check.ok for check in checks)
        text = "ok" if ready else "not ready"
        if not ready or any(name == "verbose" for name, _ in request.query):
            lines = [f"[{'+' if check.ok else '-'}]{check.name}: {check.reason}" for check in checks]
            text = "\n".join([*lines, f"readyz check {'passed' if ready else 'failed'}"])
        return _text(200 if ready else 503, text + "\n")

    def _statusz(self, request: HttpRequest) -> HttpResponse:
        headers = [("Content-Type", "application/json; charset=utf-8")]
        return HttpResponse(200, headers, json.dumps(self._status()).encode())

    def _render(self, request: HttpRequest) -> HttpResponse:
        self._refresh()
        return HttpResponse(200, [("Content-Type", CONTENT_TYPE)], self._metrics.render())


class _Endpoints:
    """Functions by path, for GET and HEAD."""

    def __init__(self, endpoints: Mapping[str, Endpoint]) -> None:
        self._endpoints = endpoints

    async def handle(self, request: HttpRequest) -> HttpResponse:
        endpoint = self._endpoints.get(request.path)
        if endpoint is None:
            return _text(404, "404: Not Found")
        if request.method not in ("GET", "HEAD"):
            response = _text(405, "405: Method Not Allowed")
            response.headers.append(("Allow", "GET,HEAD"))
            return response
        try:
            return endpoint(request)
        except Exception:  # what a probe or a scrape calls is the operator's code too
            _log.exception("%s failed", request.path)
            return _text(500, "500: Internal Server Error")


def _text(status: int, text: str) -> HttpResponse:
    return HttpResponse(status, [("Content-Type", "text/plain; charset=utf-8")], text.encode())


def check_to_dict(check: Check) -> dict[str, Any]:
    """A check as /statusz shows it."""
    return asdict(check)
