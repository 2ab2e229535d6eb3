"""The pages of a running manager: /healthz, /readyz?verbose, /metrics, /statusz.

Readiness is per kind and per controller, with a reason each: a kind that may not be read says so, and names itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from aiohttp import web

from zestor_controller.errors import ConfigError
from zestor_controller.metrics import CONTENT_TYPE, Metrics

__all__ = ["Check", "HealthServer", "default_host"]


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
        self._runners: list[web.AppRunner] = []
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
        for runner in self._runners:
            await runner.cleanup()
        self._runners.clear()

    async def _listen(self, port: int, *, health: bool, metrics: bool) -> int:
        app = web.Application()
        if health:
            app.router.add_get("/healthz", self._healthz)
            app.router.add_get("/readyz", self._readyz)
            app.router.add_get("/statusz", self._statusz)
        if metrics:
            app.router.add_get("/metrics", self._render)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        self._runners.append(runner)
        site = web.TCPSite(runner, self._host, port)
        try:
            await site.start()
        except OSError as error:
            raise ConfigError(
                f"cannot listen on {self._host}:{port}: {error.strerror or error}; choose another port"
            ) from error
        return int(runner.addresses[0][1])

    async def _healthz(self, request: web.Request) -> web.Response:
        trouble = self._alive()
        return web.Response(text=trouble or "ok", status=500 if trouble else 200)

    async def _readyz(self, request: web.Request) -> web.Response:
        checks = self._checks()
        ready = all(check.ok for check in checks)
        text = "ok" if ready else "not ready"
        if "verbose" in request.query or not ready:
            lines = [f"[{'+' if check.ok else '-'}]{check.name}: {check.reason}" for check in checks]
            text = "\n".join([*lines, f"readyz check {'passed' if ready else 'failed'}"])
        return web.Response(text=text + "\n", status=200 if ready else 503)

    async def _statusz(self, request: web.Request) -> web.Response:
        return web.json_response(self._status())

    async def _render(self, request: web.Request) -> web.Response:
        self._refresh()
        return web.Response(body=self._metrics.render(), headers={"Content-Type": CONTENT_TYPE})


def check_to_dict(check: Check) -> dict[str, Any]:
    """A check as /statusz shows it."""
    return asdict(check)
