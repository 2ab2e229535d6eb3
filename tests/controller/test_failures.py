"""Failures of reconciles: what ends a process elsewhere, what is logged, and what needs a namespace."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import Any

import pytest
from operating import Region, Shop, operating, virtual
from plainserver import PlainServer

from zestor_controller import Context, Controller
from zestor_controller.controller import BlockingContext
from zestor_controller.errors import ConfigError, TerminalError
from zestor_controller.http import HttpRequest, HttpResponse

CHILD: dict[str, Any] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), GeneratorExit(), BaseException("odd")], ids=repr)
@pytest.mark.parametrize("plain", [False, True])
@virtual
async def test_what_would_end_the_process_is_a_failure_of_its_reconcile(error: BaseException, plain: bool) -> None:
    shops = Controller(Shop)
    runs: list[str] = []

    def work(name: str) -> None:
        runs.append(name)
        if runs.count("a") == 1 and name == "a":
            raise error

    if plain:

        @shops.reconciler
        def blocking(shop: Shop, ctx: BlockingContext) -> None:
            work(shop.metadata.name)

    else:

        @shops.reconciler
        async def reconcile(shop: Shop, ctx: Context) -> None:
            await asyncio.sleep(0)
            work(shop.metadata.name)

    async with operating(shops) as op:
        op.server.put("shops", "a")
        await op.until(lambda: runs.count("a") == 2)  # it is retried
        op.server.put("shops", "b")
        await op.until(lambda: "b" in runs)
        assert b'controller_runtime_reconcile_panics_total{controller="shops.demo.example.org"} 1.0' in (
            op.manager.metrics.render()
        )


@virtual
async def test_a_map_function_that_exits_concerns_its_own_event_only(caplog: pytest.LogCaptureFixture) -> None:
    def to_shops(obj: Any) -> list[str]:
        if obj.metadata.name == "bad":
            raise SystemExit("no shop for this one")
        return ["default/a"]

    shops = Controller(Shop).watches("v1/ConfigMap", map=to_shops)
    causes: list[str] = []

    @shops.reconciler
    async def reconcile(shop: Shop, ctx: Context) -> None:
        causes.extend(ctx.causes)

    async with operating(shops) as op:
        op.server.put("shops", "a")
        op.server.put("configmaps", "bad")
        op.server.put("configmaps", "good")
        await op.until(lambda: "create configmaps default/good" in causes)
    record = next(record for record in caplog.records if "the map function" in record.getMessage())
    assert "failed for default/bad, for the controller of shops.demo.example.org: SystemExit: no shop" in (
        record.getMessage()
    )
    assert record.exc_info is not None


@pytest.mark.parametrize("terminal", [False, True])
@virtual
async def test_a_failed_attempt_is_logged_once_with_its_traceback(
    terminal: bool, caplog: pytest.LogCaptureFixture
) -> None:
    shops = Controller(Shop)
    runs: list[int] = []

    @shops.reconciler
    async def reconcile(shop: Shop, ctx: Context) -> None:
        runs.append(1)
        if len(runs) < 3:
            raise TerminalError("boom") if terminal else KeyError("boom")

    async with operating(shops) as op:
        op.server.put("shops", "a")
        await op.until(lambda: op.outcome(shops, "default/a"))
        await op.until(lambda: terminal or len(runs) == 3)
    failures = [record for record in caplog.records if "boom" in record.getMessage()]
    assert len(failures) == (1 if terminal else 2)
    for record in failures:
        assert record.levelno == logging.ERROR
        assert "shops.demo.example.org: the reconcile of default/a failed" in record.getMessage()
        assert record.exc_info is not None


@virtual
async def test_a_run_that_fails_while_its_term_ends_is_logged_and_nothing_complains_of_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    shops = Controller(Shop)
    runs: list[int] = []

    @shops.reconciler
    async def reconcile(shop: Shop, ctx: Context) -> None:
        runs.append(1)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise ValueError("interrupted") from None

    with caplog.at_level(logging.INFO):
        async with operating(shops, grace=timedelta(seconds=1)) as op:
            op.server.put("shops", "a")
            await op.until(lambda: runs)
    delivered = [record.getMessage() for record in caplog.records if "interrupted" in record.getMessage()]
    assert delivered == [
        "shops.demo.example.org: the cancelled reconcile of default/a ended with ValueError: interrupted"
    ]


@virtual
async def test_a_cluster_scoped_owner_has_to_name_the_namespace_of_what_lives_in_one() -> None:
    regions = Controller(Region).owns("v1/ConfigMap")
    refusals: list[str] = []

    @regions.reconciler
    async def reconcile(region: Region, ctx: Context) -> None:
        for attempt in (
            lambda: ctx.apply(CHILD),
            lambda: ctx.delete("v1/ConfigMap", "c"),
            lambda: asyncio.to_thread(ctx.get, "v1/ConfigMap", "c"),
        ):
            with pytest.raises(ConfigError) as refused:
                await attempt()
            refusals.append(str(refused.value))
        await ctx.apply({**CHILD, "metadata": {"name": "c", "namespace": "shops"}})
        assert ctx.list("v1/ConfigMap") == ctx.list("v1/ConfigMap", namespace="shops")
        assert ctx.get("v1/ConfigMap", "shops/c") == ctx.get("v1/ConfigMap", "c", namespace="shops") is not None
        await ctx.delete("v1/ConfigMap", "c", namespace="shops")
        assert ctx.get(Region, "north") is not None
        refusals.append("done")

    async with operating(regions) as op:
        op.server.put("regions", "north", namespace="")
        await op.until(lambda: "done" in refusals)
        assert (
            refusals[:3]
            == [
                "ConfigMap c lives in a namespace, and Region north, which is reconciled, is cluster-scoped: "
                "give the namespace"
            ]
            * 3
        )
        assert not any(key[:2] == ("configmaps", "default") for key in op.server.objects)


@pytest.mark.parametrize("kind", [Shop, Region])
@virtual
async def test_the_reconciled_object_does_not_become_its_own_owner(kind: type[Any]) -> None:
    controller = Controller(kind)
    done: list[Any] = []

    @controller.reconciler
    async def reconcile(obj: Any, ctx: Context) -> None:
        if not done:
            obj.metadata.labels = {"seen": "yes"}
            done.append(await ctx.apply(obj))

    plural, namespace = ("shops", "default") if kind is Shop else ("regions", "")
    async with operating(controller) as op:
        op.server.put(plural, "a", namespace=namespace)
        await op.until(lambda: done)
        meta = op.server.objects[plural, namespace, "a"]["metadata"]
        assert meta["labels"] == {"seen": "yes"}
        assert "ownerReferences" not in meta


class Rejecting(PlainServer):
    """A server that does not accept the credentials for writes of ConfigMaps, and for questions about rights."""

    rejects = True

    async def handle(self, request: HttpRequest) -> HttpResponse:
        if self.rejects and request.method != "GET" and request.path.endswith(("/c", "selfsubjectaccessreviews")):
            body = b'{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Unauthorized","code":401}'
            return HttpResponse(401, [("Content-Type", "application/json")], body)
        return await super().handle(request)


@virtual
async def test_rejected_credentials_are_not_reported_as_a_missing_right(caplog: pytest.LogCaptureFixture) -> None:
    shops = Controller(Shop).owns("v1/ConfigMap")

    @shops.reconciler
    async def reconcile(shop: Shop, ctx: Context) -> None:
        await ctx.apply(CHILD)

    server = Rejecting()
    async with operating(shops, server=server, health_port=0) as op:
        op.server.put("shops", "a")
        name = "controller/shops.demo.example.org"
        await op.until(lambda: any("rejected" in check.reason for check in op.manager.checks() if check.name == name))
        assert not op.check(name).ok
        assert op.check(name).reason.startswith("credentials rejected: ")
        await op.until(lambda: any(check.name == "credentials" for check in op.manager.checks()))
        assert not op.check("credentials").ok
        assert "check that the token or client certificate" in op.check("credentials").reason
        assert "missing right" not in caplog.text
        server.rejects = False
        await op.until(lambda: op.check(name).ok, within=120)
        await op.until(lambda: all(check.ok for check in op.manager.checks()), within=400)
