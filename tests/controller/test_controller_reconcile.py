"""R1, R2, R5, R6: what makes a reconcile run, and what its end leads to."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from operating import Shop, operating, virtual
from plainserver import PlainServer

from zestor_controller import Context, Controller, Request, Result, TerminalError
from zestor_controller.errors import ConfigError


@virtual
async def test_r1_each_change_leads_to_a_later_reconcile_that_sees_it() -> None:
    shops = Controller(Shop)
    seen: list[int] = []

    @shops.reconciler
    async def reconcile(shop: Shop, ctx: Context) -> None:
        seen.append(shop.spec.size)

    async with operating(shops) as op:
        op.server.put("shops", "a", spec={"size": 1})
        await op.until(lambda: seen == [1])
        for size in range(2, 50):
            op.server.put("shops", "a", spec={"size": size})
        await op.until(lambda: seen[-1] == 49)
        assert seen == sorted(seen)


@virtual
async def test_r1_a_change_during_a_reconcile_leads_to_another_one() -> None:
    shops = Controller(Shop)
    seen: list[int] = []

    @shops.reconciler
    async def reconcile(shop: Shop, ctx: Context) -> None:
        seen.append(shop.spec.size)
        if shop.spec.size == 1:
            op.server.put("shops", "a", spec={"size": 2})
            await op.until(lambda: ctx.get(Shop, "a").spec.size == 2)

    async with operating(shops) as op:
        op.server.put("shops", "a", spec={"size": 1})
        await op.until(lambda: seen == [1, 2])


@virtual
async def test_r1_objects_that_are_there_at_the_start_are_reconciled_once_each() -> None:
    shops = Controller(Shop, concurrency=3)
    seen: list[str] = []

    @shops.reconciler
    async def reconcile(shop: Shop, ctx: Context) -> None:
        seen.append(ctx.request.name)

    server = PlainServer()
    for n in range(20):
        server.put("shops", f"s{n}")
    async with operating(shops, server=server) as op:
        await op.until(lambda: len(seen) >= 20)
        await op.ready()
    assert sorted(seen) == sorted(f"s{n}" for n in range(20))


@virtual
async def test_r2_a_result_runs_again_after_its_time() -> None:
    shops = Controller(Shop)
    times: list[float] = []

    @shops.reconciler
    async def reconcile(shop: Shop, ctx: Context) -> Result | None:
        times.append(asyncio.get_running_loop().time())
        return Result(requeue_after=timedelta(hours=1)) if len(times) == 1 else None

    async with operating(shops) as op:
        op.server.put("shops", "a")
        await op.until(lambda: len(times) == 1)
        await op.until(lambda: op.outcome(shops, "default/a"))
        assert op.outcome(shops, "default/a").result == "requeue_after"
        assert op.outcome(shops, "default/a").retry_after == 3600.0
        await op.until(lambda: len(times) == 2, within=3700)
    assert times[1] - times[0] == pytest.approx(3600, abs=0.1)


@virtual
async def test_r2_a_result_of_no_time_runs_again_at_once() -> None:
    shops = Controller(Shop)
    runs: list[tuple[str, ...]] = []

    @shops.reconciler
    async def reconcile(shop: Shop, ctx: Context) -> Result | None:
        runs.append(ctx.causes)
        return Result(requeue_after=timedelta(0)) if len(runs) == 1 else None

    async with operating(shops) as op:
        op.server.put("shops", "a")
        await op.until(lambda: len(runs) == 2)
    assert runs[1] == ("requeue_after",)


@virtual
async def test_r2_an_exception_is_retried_with_growing_delays_and_success_forgets() -> None:
    shops = Controller(Shop)
    attempts: list[int] = []
    delays: list[float | None] = []

    @shops.reconciler
    async def reconcile(shop: Shop, ctx: Context) -> None:
        before = op.outcome(shops, "default/a")
        delays.append(before.retry_after if before else None)
        attempts.append(ctx.attempt)
        if len(attempts) % 5:
            raise ValueError("the till is stuck")

    async with operating(shops) as op:
        op.server.put("shops", "a")
        await op.until(lambda: len(attempts) == 5)
        assert attempts == [1, 2, 3, 4, 5]
        assert delays[1:] == [pytest.approx(0.005 * 2**n) for n in range(4)]
        op.server.put("shops", "a", spec={"size": 2})
        await op.until(lambda: len(attempts) == 7)
        assert attempts[5:] == [1, 2]


@virtual
async def test_r2_a_failure_names_its_error_in_the_outcome_and_the_metrics() -> None:
    shops = Controller(Shop)

    @shops.reconciler
    async def reconcile(shop: Shop, ctx: Context) -> None:
        raise ValueError("the till\nis stuck")

    async with operating(shops) as op:
        op.server.put("shops", "a")
        await op.until(lambda: op.outcome(shops, "default/a"))
        assert op.outcome(shops, "default/a").error == "ValueError: the till is stuck"
        text = op.manager.metrics.render().decode()
        assert 'controller_runtime_reconcile_errors_total{controller="shops.demo.example.org"}' in text


@virtual
async def test_r2_a_terminal_error_waits_for_the_next_change() -> None:
    shops = Controller(Shop)
    seen: list[int] = []

    @shops.reconciler
    async def reconcile(shop: Shop, ctx: Context) -> None:
        seen.append(shop.spec.size)
        if shop.spec.size < 2:
            raise TerminalError("too small")

    async with operating(shops) as op:
        op.server.put("shops", "a", spec={"size": 1})
        await op.until(lambda: op.outcome(shops, "default/a"))
        assert op.outcome(shops, "default/a").result == "terminal"
        before = len(seen)
        with pytest.raises(TimeoutError):
            await op.until(lambda: len(seen) > before, within=3000)
        op.server.put("shops", "a", spec={"size": 2})
        await op.until(lambda: seen[-1] == 2)


@virtual
async def test_r2_an_object_that_its_model_refuses_is_not_reconciled_until_it_changes() -> None:
    shops = Controller(Shop)
    seen: list[int] = []

    @shops.reconciler
    async def reconcile(shop: Shop, ctx: Context) -> None:
        seen.append(shop.spec.size)

    async with operating(shops) as op:
        op.server.put("shops", "a", spec={"size": "huge"})
        await op.until(lambda: op.outcome(shops, "default/a"))
        outcome = op.outcome(shops, "default/a")
        assert (outcome.result, outcome.runs, seen) == ("terminal", 1, [])
        assert "size" in outcome.error
        op.server.put("shops", "a", spec={"size": 2})
        await op.until(lambda: seen == [2])


async def _five(shop: Any, ctx: Any) -> Any:
    return 5


async def _forgotten(shop: Any, ctx: Any) -> Any:
    return _five(shop, ctx)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (_five, "_five of shops.demo.example.org returned 5; return None or Result(requeue_after=...)"),
        (_forgotten, "returned a coroutine that was never awaited: await it"),
    ],
)
def test_r2_a_nonsense_result_is_rejected_with_a_message(function: Any, message: str) -> None:
    @virtual
    async def run() -> None:
        shops = Controller(Shop)
        shops.reconciler(function)
        async with operating(shops) as op:
            op.server.put("shops", "a")
            await op.until(lambda: op.outcome(shops, "default/a"))
            assert message in op.outcome(shops, "default/a").error

    run()


def test_r2_a_result_refuses_nonsense_where_it_is_written() -> None:
    with pytest.raises(TypeError, match=r"timedelta\(seconds=5\)"):
        Result(requeue_after=5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="negative"):
        Result(requeue_after=timedelta(seconds=-1))


@virtual
async def test_r5_an_apply_and_a_status_that_change_nothing_cause_no_reconcile() -> None:
    shops = Controller(Shop).owns("v1/ConfigMap")
    runs: list[tuple[str, ...]] = []

    @shops.reconciler
    async def reconcile(shop: Shop, ctx: Context) -> None:
        runs.append(ctx.causes)
        await ctx.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "till"}, "data": {"a": "1"}})
        shop.status.open = True
        await ctx.apply_status(shop)

    async with operating(shops) as op:
        op.server.put("shops", "a")
        await op.until(lambda: op.server.names("configmaps") == ["till"])
        with pytest.raises(TimeoutError):
            await op.until(lambda: len(runs) > 4, within=600)
        owner = op.server.objects["configmaps", "default", "till"]["metadata"]["ownerReferences"]
        assert [(o["kind"], o["name"], o["controller"]) for o in owner] == [("Shop", "a", True)]
        assert op.server.objects["shops", "default", "a"]["status"] == {"open": True}


@virtual
async def test_r6_a_reconcile_knows_its_causes_and_they_are_bounded() -> None:
    shops = Controller(Shop).watches("v1/ConfigMap", map=lambda obj: ["default/a"])
    runs: list[tuple[tuple[str, ...], int]] = []

    @shops.reconciler
    async def reconcile(shop: Shop, ctx: Context) -> None:
        runs.append((ctx.causes, ctx.more_causes))
        if len(runs) == 1:
            for n in range(14):
                op.server.put("configmaps", f"c{n:02}")
            await op.until(lambda: len(ctx.list("v1/ConfigMap")) == 14)

    async with operating(shops) as op:
        op.server.put("shops", "a")
        await op.until(lambda: len(runs) == 2)
        assert runs[0] == (("create shops.demo.example.org default/a",), 0)
        assert runs[1] == (tuple(f"create configmaps default/c{n:02}" for n in range(10)), 4)


@virtual
async def test_deleted_sees_the_last_state_again_when_it_failed() -> None:
    shops = Controller(Shop)
    delivered: list[tuple[str, int]] = []

    @shops.reconciler
    async def reconcile(shop: Shop, ctx: Context) -> None:
        pass

    @shops.deleted
    async def deleted(request: Request, last: Shop | None, ctx: Context) -> None:
        assert last is not None
        delivered.append((str(request), last.spec.size))
        if len(delivered) == 1:
            raise ValueError("once more")

    async with operating(shops) as op:
        op.server.put("shops", "a", spec={"size": 7})
        await op.until(lambda: op.outcome(shops, "default/a"))
        op.server.take("shops", "a")
        await op.until(lambda: len(delivered) == 2)
        await op.until(lambda: op.outcome(shops, "default/a") is None)
    assert delivered == [("default/a", 7)] * 2


@virtual
async def test_requests_come_for_objects_that_exist_and_for_those_that_were_deleted() -> None:
    shops = Controller(Shop)
    delivered: list[tuple[str, bool]] = []

    @shops.requests
    async def requests(request: Request, ctx: Context) -> None:
        delivered.append((str(request), ctx.get(Shop, request.name) is not None))

    async with operating(shops) as op:
        op.server.put("shops", "a")
        await op.until(lambda: delivered == [("default/a", True)])
        op.server.take("shops", "a")
        await op.until(lambda: delivered == [("default/a", True), ("default/a", False)])


def test_declarations_that_would_never_be_called_are_refused() -> None:
    async def function(*args: Any) -> None: ...

    empty = Controller(Shop)
    with pytest.raises(ConfigError, match="no reconcile function; register one with"):
        empty.check()
    both = Controller(Shop)
    both.reconciler(function)
    with pytest.raises(ConfigError, match="either @reconciler or @requests"):
        both.requests(function)
    with pytest.raises(ConfigError, match="@reconciler is used twice"):
        both.reconciler(function)
    for decorate in (lambda c: c.deleted(function), lambda c: c.finalizer("a.b/c")(function)):
        never = Controller(Shop)
        never.requests(function)
        decorate(never)
        with pytest.raises(ConfigError, match="would never be"):
            never.check()


@pytest.mark.parametrize("name", ["cleanup", "/cleanup", "demo/", "a/b/c"])
def test_a_finalizer_without_a_domain_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="domain/name"):
        Controller(Shop).finalizer(name)


@pytest.mark.parametrize("options", [{"concurrency": 0}, {"timeout": timedelta(0)}, {"timeout": 5}])
def test_nonsense_options_are_refused(options: Any) -> None:
    with pytest.raises(ConfigError):
        Controller(Shop, **options)
