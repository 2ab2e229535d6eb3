"""Whose changes wake a controller: owned kinds, mapped kinds; and what the context refuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from operating import Region, Shop, operating, virtual
from plainserver import PlainServer

from zestor_controller import Context, Controller, NamespacedName, Request
from zestor_controller.errors import ConfigError


def owned_by(name: str, *, controller: bool = True, kind: str = "Shop") -> dict[str, Any]:
    reference = {"apiVersion": "demo.example.org/v9", "kind": kind, "name": name, "uid": "u", "controller": controller}
    return {"ownerReferences": [reference]}


def collecting(shops: Controller[Shop]) -> list[tuple[str, tuple[str, ...]]]:
    woken: list[tuple[str, tuple[str, ...]]] = []

    @shops.requests
    async def requests(request: Request, ctx: Context) -> None:
        woken.append((str(request), ctx.causes))

    return woken


@virtual
async def test_owns_wakes_the_new_owner_and_the_old_one() -> None:
    shops = Controller(Shop).owns("v1/ConfigMap")
    woken = collecting(shops)
    async with operating(shops) as op:
        await op.ready()
        op.server.put("configmaps", "c", metadata=owned_by("a"))
        await op.until(lambda: [name for name, _ in woken] == ["default/a"])
        op.server.put("configmaps", "c", metadata=owned_by("b"))
        await op.until(lambda: sorted(name for name, _ in woken[1:]) == ["default/a", "default/b"])
        op.server.take("configmaps", "c")
        await op.until(lambda: woken[3:] == [("default/b", ("delete configmaps default/c",))])


@virtual
async def test_owns_ignores_owners_that_are_of_another_kind_or_do_not_control() -> None:
    shops = Controller(Shop).owns("v1/ConfigMap")
    woken = collecting(shops)
    async with operating(shops) as op:
        await op.ready()
        op.server.put("configmaps", "c", metadata=owned_by("a", controller=False))
        op.server.put("configmaps", "d", metadata=owned_by("a", kind="Stall"))
        op.server.put("configmaps", "e", metadata=owned_by("e"))
        await op.until(lambda: woken)
        assert [name for name, _ in woken] == ["default/e"]


@virtual
async def test_owns_of_a_cluster_scoped_owner_wakes_it_without_a_namespace() -> None:
    regions = Controller(Region).owns("v1/ConfigMap")
    woken = collecting(regions)
    async with operating(regions) as op:
        await op.ready()
        op.server.put("configmaps", "c", metadata=owned_by("north", kind="Region"))
        await op.until(lambda: [name for name, _ in woken] == ["north"])


@pytest.mark.parametrize(
    "response",
    [
        ["default/a"],
        [NamespacedName("default", "a")],
        (Request("a", "default"),),
        "default/a",
        NamespacedName("default", "a"),
        Request("a", "default"),
    ],
)
def test_watches_takes_every_form_of_a_name(response: Any) -> None:
    @virtual
    async def run() -> None:
        shops = Controller(Shop).watches("v1/ConfigMap", map=lambda obj: response)
        woken = collecting(shops)
        async with operating(shops) as op:
            await op.ready()
            op.server.put("configmaps", "c")
            await op.until(lambda: woken)
            assert woken == [("default/a", ("create configmaps default/c",))]

    run()


@virtual
async def test_watches_maps_the_old_object_too_so_that_a_dropped_reference_wakes() -> None:
    def shop_of(obj: Any) -> Iterator[str]:
        yield f"default/{obj['data']['shop']}"

    shops = Controller(Shop).watches("v1/ConfigMap", map=shop_of)
    woken = collecting(shops)
    async with operating(shops) as op:
        await op.ready()
        op.server.put("configmaps", "c", data={"shop": "a"})
        await op.until(lambda: woken)
        op.server.put("configmaps", "c", data={"shop": "b"})
        await op.until(lambda: sorted(name for name, _ in woken[1:]) == ["default/a", "default/b"])


@virtual
async def test_a_mapper_that_raises_concerns_its_own_event_only(caplog: pytest.LogCaptureFixture) -> None:
    shops = Controller(Shop).watches("v1/ConfigMap", map=lambda obj: [obj["data"]["shop"]])
    woken = collecting(shops)
    async with operating(shops) as op:
        await op.ready()
        op.server.put("configmaps", "bad")
        op.server.put("configmaps", "good", data={"shop": "default/a"})
        await op.until(lambda: woken)
        assert [name for name, _ in woken] == ["default/a"]
    assert "the map function of configmaps failed for default/bad" in caplog.text


def test_an_async_mapper_is_refused() -> None:
    async def mapper(obj: Any) -> list[str]:
        return []

    with pytest.raises(ConfigError, match="a plain function, not an async one"):
        Controller(Shop).watches("v1/ConfigMap", map=mapper)  # type: ignore[arg-type]


@virtual
async def test_a_kind_that_may_not_be_read_blocks_its_own_controller_only() -> None:
    shops = Controller(Shop)
    regions = Controller(Region)
    woken, blocked = collecting(shops), collecting(regions)
    async with operating(shops, regions, server=PlainServer(forbidden=("regions",))) as op:
        op.server.put("shops", "a")
        await op.until(lambda: woken)
        await op.until(lambda: "forbidden" in op.check("informer/regions.demo.example.org").reason)
        assert op.check("controller/shops.demo.example.org").ok
        waits = op.check("controller/regions.demo.example.org")
        assert (waits.ok, waits.reason) == (False, "waits for regions.demo.example.org")
    assert blocked == []


@virtual
async def test_the_context_rejects_what_could_not_work_with_a_message() -> None:
    shops = Controller(Shop)
    errors: list[str] = []

    @shops.reconciler
    async def reconcile(shop: Shop, ctx: Context) -> None:
        elsewhere = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "other"}}
        cluster = {"apiVersion": "demo.example.org/v1", "kind": "Region", "metadata": {"name": "north"}}
        for child in (elsewhere, cluster):
            with pytest.raises(ConfigError) as caught:
                await ctx.apply(child)
            errors.append(str(caught.value))
        with pytest.raises(ConfigError) as caught:
            ctx.get("v1/ConfigMap", "c")
        errors.append(str(caught.value))

    async with operating(shops) as op:
        op.server.put("shops", "a")
        await op.until(lambda: op.outcome(shops, "default/a"))
        assert op.outcome(shops, "default/a").error == ""
    assert "ConfigMap c in namespace other cannot be owned by Shop default/a" in errors[0]
    assert "Region north is cluster-scoped and cannot be owned by Shop default/a" in errors[1]
    assert "configmaps is not cached" in errors[2]


@virtual
async def test_an_event_about_an_object_that_has_gone_is_refused() -> None:
    shops = Controller(Shop)

    @shops.requests
    async def requests(request: Request, ctx: Context) -> None:
        if ctx.get(Shop, request.name) is None:
            ctx.event("Gone", "it has gone")

    async with operating(shops) as op:
        op.server.put("shops", "a")
        await op.until(lambda: op.outcome(shops, "default/a"))
        op.server.take("shops", "a")
        await op.until(lambda: (seen := op.outcome(shops, "default/a")) and seen.result == "error")
        assert "default/a: the object has gone" in op.outcome(shops, "default/a").error
