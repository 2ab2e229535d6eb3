"""R3: reconciles that hang, that ignore their cancellation, that block the loop, and plain functions in threads."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from operating import Shop, operating, virtual
from plainserver import PlainServer

from zestor_controller import Context, Controller, Result
from zestor_controller.controller import BlockingContext


@virtual
async def test_r3_a_hanging_reconcile_is_cancelled_named_with_its_stack_and_retried(
    caplog: pytest.LogCaptureFixture,
) -> None:
    shops = Controller(Shop, timeout=timedelta(seconds=10))
    runs: list[int] = []

    @shops.reconciler
    async def waits_for_a_parcel(shop: Shop, ctx: Context) -> None:
        runs.append(ctx.attempt)
        if len(runs) == 1:
            await asyncio.Event().wait()

    async with operating(shops) as op:
        op.server.put("shops", "a")
        await op.until(lambda: op.outcome(shops, "default/a"))
        outcome = op.outcome(shops, "default/a")
        assert outcome.result == "timeout"
        assert outcome.error.startswith("timed out after 10 s at waits_for_a_parcel (test_controller_timeouts.py:")
        assert outcome.seconds == pytest.approx(10, abs=0.1)
        await op.until(lambda: runs == [1, 2])
    delivered = next(record.getMessage() for record in caplog.records if "its timeout" in record.getMessage())
    assert "default/a" in delivered
    assert "waits_for_a_parcel" in delivered


@virtual
async def test_r3_one_that_swallows_its_cancellation_is_abandoned_while_others_go_on() -> None:
    shops = Controller(Shop, timeout=timedelta(seconds=10))
    let_go = asyncio.Event()
    runs: list[str] = []

    @shops.reconciler
    async def reconcile(shop: Shop, ctx: Context) -> None:
        runs.append(ctx.request.name)
        while ctx.request.name == "stubborn" and not let_go.is_set():
            try:
                await let_go.wait()
            except asyncio.CancelledError:
                continue

    async with operating(shops) as op:
        op.server.put("shops", "stubborn")
        await op.until(lambda: op.outcome(shops, "default/stubborn"))
        assert "ignores its cancellation" in op.outcome(shops, "default/stubborn").error
        assert b'zestor_reconcile_stuck{controller="shops.demo.example.org"} 1.0' in op.manager.metrics.render()
        op.server.put("shops", "other")
        await op.until(lambda: runs == ["stubborn", "other"])
        op.server.put("shops", "stubborn", spec={"size": 2})
        with pytest.raises(TimeoutError):  # its key is locked
            await op.until(lambda: len(runs) > 2, within=100)
        let_go.set()
        await op.until(lambda: runs == ["stubborn", "other", "stubborn"])
        assert b'zestor_reconcile_stuck{controller="shops.demo.example.org"} 0.0' in op.manager.metrics.render()


async def test_r3_one_that_blocks_the_loop_is_named_with_its_stack_within_two_seconds(
    caplog: pytest.LogCaptureFixture,
) -> None:
    shops = Controller(Shop)
    delivered = threading.Event()
    seconds: list[float] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "the event loop has been held" in record.getMessage():
                delivered.set()

    @shops.reconciler
    async def counts_every_coin(shop: Shop, ctx: Context) -> None:
        started = time.monotonic()
        assert delivered.wait(10)
        seconds.append(time.monotonic() - started)

    listener = Listener()
    logging.getLogger("zestor_controller.manager").addHandler(listener)
    try:
        async with operating(shops) as op:
            op.server.put("shops", "a")
            await op.until(lambda: seconds)
            await op.until(lambda: b"zestor_event_loop_blocked_seconds_count 1.0" in op.manager.metrics.render())
    finally:
        logging.getLogger("zestor_controller.manager").removeHandler(listener)
    assert seconds[0] < 2
    message = next(r.getMessage() for r in caplog.records if "the event loop has been held" in r.getMessage())
    assert "by shops.demo.example.org: default/a" in message
    assert "counts_every_coin" in message


async def test_r3_a_plain_function_runs_in_a_thread_and_its_verbs_block() -> None:
    shops = Controller(Shop)
    threads: list[threading.Thread] = []

    @shops.reconciler
    def reconcile(shop: Shop, ctx: BlockingContext) -> Result | None:
        threads.append(threading.current_thread())
        ctx.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "till"}, "data": {"a": "1"}})
        shop.status.open = True
        ctx.apply_status(shop)
        ctx.event("Opened", "the shop is open")
        ctx.delete("v1/ConfigMap", "nothing")
        return None

    async with operating(shops) as op:
        op.server.put("shops", "a")
        await op.until(lambda: op.server.names("events"))
        await op.until(lambda: op.outcome(shops, "default/a"))
        assert op.outcome(shops, "default/a").error == ""
        assert op.server.objects["shops", "default", "a"]["status"] == {"open": True}
        assert op.server.names("configmaps") == ["till"]
    assert threads[0] is not threading.current_thread()
    assert threads[0].daemon


async def test_r3_a_thread_past_its_timeout_keeps_its_key_and_may_write_no_more(
    caplog: pytest.LogCaptureFixture,
) -> None:
    shops = Controller(Shop, timeout=timedelta(milliseconds=20))
    let_go = threading.Event()
    running = 0
    most = 0
    refusals: list[BaseException] = []

    @shops.reconciler
    def reconcile(shop: Shop, ctx: BlockingContext) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        if not refusals:
            let_go.wait(10)
            try:
                ctx.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "late"}})
            except BaseException as error:
                refusals.append(error)
        running -= 1

    async with operating(shops) as op:
        op.server.put("shops", "a")
        await op.until(lambda: op.outcome(shops, "default/a"))
        assert "ignores its cancellation" in op.outcome(shops, "default/a").error
        op.server.put("shops", "a", spec={"size": 2})
        let_go.set()
        await op.until(lambda: (seen := op.outcome(shops, "default/a")) and seen.result == "success")
        assert op.server.names("configmaps") == []
    assert most == 1
    assert "in reconcile\n    let_go.wait(10)" in caplog.text
    assert "has been cancelled; return from it" in str(refusals[0])


async def test_r2_a_plain_function_that_returns_a_coroutine_is_rejected_with_a_message() -> None:
    shops = Controller(Shop)

    async def inner() -> None: ...

    def reconcile(shop: Any, ctx: Any) -> Any:
        return inner()

    shops.reconciler(reconcile)
    async with operating(shops) as op:
        op.server.put("shops", "a")
        await op.until(lambda: op.outcome(shops, "default/a"))
        assert "make it async def" in op.outcome(shops, "default/a").error


async def test_r2_what_a_thread_raises_is_an_ordinary_failure() -> None:
    shops = Controller(Shop, concurrency=2)

    @shops.reconciler
    def reconcile(shop: Shop, ctx: BlockingContext) -> None:
        raise (StopIteration("no more") if shop.metadata.name == "a" else SystemExit(3))

    server = PlainServer()
    async with operating(shops, server=server) as op:
        server.put("shops", "a")
        server.put("shops", "b")
        for name in ("a", "b"):
            await op.until(lambda name=name: op.outcome(shops, f"default/{name}"))
            assert op.outcome(shops, f"default/{name}").result == "error"
        assert "cannot end the manager" in op.outcome(shops, "default/b").error
