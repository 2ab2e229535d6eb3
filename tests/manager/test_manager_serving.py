"""The manager: what constructing refuses and does not do, its order of stopping, its pages."""

from __future__ import annotations

import asyncio
import logging
import socket
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from operating import Region, Shop, operating, virtual
from plainserver import PlainServer

from zestor_controller import Client, Context, Controller, Manager, Result, TerminalError
from zestor_controller.client import MemoryTransport
from zestor_controller.errors import ConfigError


def quiet(kind: Any = Shop, **options: Any) -> Controller[Any]:
    controller = Controller(kind, **options)

    @controller.reconciler
    async def reconcile(obj: Any, ctx: Context) -> None: ...

    return controller


async def page(port: int, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as response:
        return response.status, await response.text()


def test_two_controllers_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"two controllers are named .*; give one of them name="):
        Manager(quiet(), quiet())
    Manager(quiet(), quiet(name="other"))


def test_constructing_reads_no_configuration() -> None:
    manager = Manager(quiet(), kubeconfig="/there/is/no/such/file", context="none")
    assert manager.checks()[0].reason == "not started"


async def test_a_controller_without_a_function_is_refused_before_anything_is_sent() -> None:
    server = PlainServer()
    server.refuse = lambda request: pytest.fail("nothing may be sent")
    with pytest.raises(ConfigError, match="no reconcile function"):
        await Manager(Controller(Shop)).serve(asyncio.Event(), client=Client(MemoryTransport(server)))


def test_run_with_a_missing_kubeconfig_returns_two(caplog: pytest.LogCaptureFixture) -> None:
    assert Manager(quiet(), kubeconfig="/there/is/no/such/file").run() == 2
    assert "/there/is/no/such/file" in caplog.text


async def test_run_is_refused_outside_the_main_thread(caplog: pytest.LogCaptureFixture) -> None:
    assert await asyncio.to_thread(Manager(quiet()).run) == 2
    assert "main thread" in caplog.text


@virtual
async def test_l3_a_stop_lets_what_runs_finish_and_reports_what_waits(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    shops = Controller(Shop)
    reported: list[str] = []

    @shops.reconciler
    async def reconcile(shop: Shop, ctx: Context) -> None:
        reported.append(f"begin {ctx.request.name}")
        await asyncio.sleep(20)
        ctx.event("Opened", "open")
        reported.append(f"end {ctx.request.name}")

    async with operating(shops) as op:
        for name in "abc":
            op.server.put("shops", name)
        await op.until(
            lambda: reported and len(op.manager.checks()) == 2 and "2 waiting" in op.manager.checks()[1].reason
        )
        op.stop.set()
    assert reported == ["begin a", "end a"]
    assert len(op.server.names("events")) == 1
    assert "2 keys were left for the next start: default/b, default/c" in caplog.text


@virtual
async def test_l3_the_end_of_the_grace_period_cancels_what_still_runs(caplog: pytest.LogCaptureFixture) -> None:
    shops = Controller(Shop)
    reported: list[str] = []

    @shops.reconciler
    async def reconcile(shop: Shop, ctx: Context) -> None:
        reported.append("begin")
        try:
            await asyncio.Event().wait()
        finally:
            ctx.event("Interrupted", "the manager stops")
            reported.append("cancelled")

    async with operating(shops, grace=timedelta(seconds=5)) as op:
        op.server.put("shops", "a")
        await op.until(lambda: reported)
        started = asyncio.get_running_loop().time()
        op.stop.set()
    assert reported == ["begin", "cancelled"]
    assert asyncio.get_running_loop().time() - started == pytest.approx(5, abs=1)
    assert "default/a still runs at the end of the grace period" in caplog.text
    assert len(op.server.names("events")) == 1


async def test_the_pages_report_each_kind_and_controller_with_its_reason() -> None:
    shops, regions = quiet(), quiet(Region)
    server = PlainServer(forbidden=("regions",))
    server.put("shops", "a")
    async with operating(shops, regions, server=server, health_port=0, metrics_port=0) as op:
        await op.until(lambda: op.outcome(shops, "default/a"))
        await op.until(lambda: "forbidden" in op.check("informer/regions.demo.example.org").reason)
        health, metrics = op.manager.ports["health"], op.manager.ports["metrics"]
        assert await page(health, "/healthz") == (200, "ok")
        status, text = await page(health, "/readyz?verbose")
        assert status == 503
        assert "[+]informer/shops.demo.example.org: live" in text
        assert "[-]informer/regions.demo.example.org: forbidden" in text
        assert "[+]controller/shops.demo.example.org" in text
        assert "[-]controller/regions.demo.example.org: waits for regions.demo.example.org" in text
        status, text = await page(health, "/statusz")
        assert status == 200
        assert '"object": "default/a"' in text
        assert (await page(health, "/metrics"))[0] == 404
        status, text = await page(metrics, "/metrics")
        assert status == 200
        assert (await page(metrics, "/healthz"))[0] == 404
    for line in (
        'controller_runtime_reconcile_total{controller="shops.demo.example.org",result="success"} 1.0',
        'controller_runtime_reconcile_total{controller="shops.demo.example.org",result="error"} 0.0',
        'controller_runtime_reconcile_timeouts_total{controller="shops.demo.example.org"} 0.0',
        'controller_runtime_max_concurrent_reconciles{controller="shops.demo.example.org"} 1.0',
        'controller_runtime_active_workers{controller="shops.demo.example.org"} 0.0',
        'workqueue_adds_total{controller="shops.demo.example.org",name="shops.demo.example.org"} 1.0',
        'zestor_informer_synced{kind="shops.demo.example.org"} 1.0',
        'zestor_informer_synced{kind="regions.demo.example.org"} 0.0',
        'zestor_informer_state{kind="regions.demo.example.org",state="forbidden"} 1.0',
        'zestor_cache_objects{kind="shops.demo.example.org"} 1.0',
    ):
        assert line in text.splitlines()


async def test_one_port_may_serve_both_and_a_ready_manager_says_ok() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    async with operating(quiet(), health_port=port, metrics_port=port) as op:
        await op.ready()
        assert await page(port, "/readyz") == (200, "ok\n")
        assert (await page(port, "/metrics"))[0] == 200


async def test_a_port_in_use_is_a_configuration_error_and_leaves_nothing_open() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        manager = Manager(quiet(), health_port=0, metrics_port=port)
        with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1:{port}: .*choose another port"):
            await manager.serve(asyncio.Event(), client=Client(MemoryTransport(PlainServer())))


@virtual
async def test_the_depth_of_a_line_that_has_emptied_is_zero_again() -> None:
    shops = Controller(Shop)
    let_go = asyncio.Event()

    @shops.reconciler
    async def reconcile(shop: Shop, ctx: Context) -> None:
        await let_go.wait()

    server = PlainServer()
    for name in "abc":
        server.put("shops", name)

    def depth() -> str:
        op.manager._refresh()
        wanted = 'workqueue_depth{controller="shops.demo.example.org",name="shops.demo.example.org",priority="-100"}'
        text = op.manager.metrics.render().decode()
        return next((line.split()[-1] for line in text.splitlines() if line.startswith(wanted)), "absent")

    async with operating(shops, server=server) as op:
        await op.until(lambda: depth() == "2.0")
        let_go.set()
        await op.until(lambda: depth() == "0.0")


@virtual
async def test_outcomes_count_the_runs_of_each_object_and_forget_those_that_have_gone() -> None:
    shops = Controller(Shop)

    @shops.reconciler
    async def reconcile(shop: Shop, ctx: Context) -> Result | None:
        if shop.spec.size > 2:
            raise TerminalError("too big")
        return None

    async with operating(shops) as op:
        for size in (1, 2, 3):
            op.server.put("shops", "a", spec={"size": size})
            await op.until(lambda size=size: (seen := op.outcome(shops, "default/a")) and seen.runs == size)
        assert op.outcome(shops, "default/a").result == "terminal"
        op.server.take("shops", "a")
        await op.until(lambda: op.outcome(shops, "default/a") is None)


def test_run_uses_the_faster_loop_where_it_is_installed() -> None:
    loops: list[str] = []

    class Reporting(Manager):
        async def serve(self, stop: asyncio.Event, *, client: Client | None = None) -> None:
            loops.append(type(asyncio.get_running_loop()).__module__)

    assert Reporting(quiet()).run() == 0
    assert loops == ["uvloop"]
