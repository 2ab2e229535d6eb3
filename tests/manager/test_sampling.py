"""Each documented metric is changed somewhere; those that are computed at a scrape show what their parts counted."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from plainserver import PlainServer
from prometheus_client.metrics import MetricWrapperBase

from zestor_controller import Client, ClusterCache
from zestor_controller.client import AiohttpTransport, ClusterConfig, MemoryTransport
from zestor_controller.client.credentials import TokenFile
from zestor_controller.errors import NotFound
from zestor_controller.manager.sampler import Sampler
from zestor_controller.metrics import Metrics

PACKAGE = Path(__file__).parents[2] / "zestor_controller"


def changed() -> set[str]:
    """The names of metrics whose series some code obtains, for `labels`, `inc`, `set`, `observe` or the sampler."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        if path.name == "metrics.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute):
                if node.attr in ("labels", "inc", "set", "observe"):
                    found.add(node.value.attr)
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "count":
                found |= {arg.attr for arg in node.args if isinstance(arg, ast.Attribute)}
    return found


def test_every_registered_metric_is_changed_by_some_code() -> None:
    registered = {name for name, value in vars(Metrics()).items() if isinstance(value, MetricWrapperBase)}
    assert len(registered) > 30
    assert registered - changed() == set()


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


async def test_requests_are_counted_once_however_often_they_are_sampled() -> None:
    metrics = Metrics()
    sampler = Sampler(metrics)
    server = PlainServer()
    server.put("configmaps", "a")
    async with Client(MemoryTransport(server)) as client:
        await client.get("v1/ConfigMap", "a", namespace="default")
        with pytest.raises(NotFound):
            await client.get("v1/ConfigMap", "b", namespace="default")
        sampler.sample_client(client)
        sampler.sample_client(client)
        host = client.transport.host
        assert value(metrics, "rest_client_requests_total", code="200", method="GET", host=host) == 1
        assert value(metrics, "rest_client_requests_total", code="404", method="GET", host=host) == 1
        await client.get("v1/ConfigMap", "a", namespace="default")
        sampler.sample_client(client)
        assert value(metrics, "rest_client_requests_total", code="200", method="GET", host=host) == 2


async def test_renewed_credentials_are_counted(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("one")
    metrics = Metrics()
    source = TokenFile(token)
    async with Client(AiohttpTransport(ClusterConfig("https://127.0.0.1:1", source=source))) as client:
        await source.headers()
        token.write_text("two")
        await source.refresh()
        token.unlink()
        await source.refresh()
        Sampler(metrics).sample_client(client)
    assert value(metrics, "zestor_credential_refresh_total", result="success") == 2
    assert value(metrics, "zestor_credential_refresh_total", result="failure") == 1


async def test_events_that_a_full_watch_dropped_are_counted() -> None:
    metrics = Metrics()
    server = PlainServer()
    async with Client(MemoryTransport(server)) as client, ClusterCache(client, metrics=metrics) as cache:
        lister = await cache.add("v1/ConfigMap")
        with lister.watch(buffer_size=1):
            for name in "abcd":
                server.put("configmaps", name)
            await lister.wait_for("d", bool, namespace="default")
            Sampler(metrics).sample_cache(cache)
    assert value(metrics, "zestor_watch_dropped_total", kind="configmaps", policy="DROP") == 3


def test_a_total_that_begins_anew_in_another_source_is_added() -> None:
    metrics = Metrics()
    sampler = Sampler(metrics)
    for source, total in (("a", 5), ("a", 5), ("b", 2), ("a", 6)):
        sampler.count(metrics.requests, ("200", "GET", "h"), total, source)
    assert value(metrics, "rest_client_requests_total", code="200", method="GET", host="h") == 8
