"""R4: a finalizer is on before the first reconcile, and comes off when the cleanup has succeeded."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from operating import Operating, Shop, operating, virtual

from zestor_controller import Context, Controller, Request, Result
from zestor_controller.http import HttpRequest

OURS = "demo.example.org/cleanup"
THEIRS = "other.example.org/hold"


def finalizers(op: Operating) -> list[str] | None:
    obj = op.server.objects.get(("shops", "default", "a"))
    return obj["metadata"].get("finalizers", []) if obj else None


@virtual
async def test_r4_the_finalizer_is_there_before_the_first_reconcile() -> None:
    shops = Controller(Shop)
    seen: list[object] = []

    @shops.reconciler
    async def reconcile(shop: Shop, ctx: Context) -> None:
        seen.append((finalizers(op), shop.metadata.finalizers))

    @shops.finalizer(OURS)
    async def cleanup(shop: Shop, ctx: Context) -> None: ...

    async with operating(shops) as op:
        op.server.put("shops", "a", metadata={"finalizers": [THEIRS]})
        await op.until(lambda: seen)
        assert seen[0] == ([THEIRS, OURS], [THEIRS, OURS])


@virtual
async def test_r4_cleanup_is_retried_and_runs_before_the_object_goes() -> None:
    shops = Controller(Shop)
    delivered: list[object] = []

    @shops.reconciler
    async def reconcile(shop: Shop, ctx: Context) -> None:
        delivered.append("reconcile")

    @shops.finalizer(OURS)
    async def cleanup(shop: Shop, ctx: Context) -> None:
        delivered.append(finalizers(op))
        if len(delivered) < 4:
            raise ValueError("the till is not empty")

    @shops.deleted
    async def deleted(request: Request, last: Shop | None, ctx: Context) -> None:
        delivered.append(f"deleted {request}")

    async with operating(shops) as op:
        op.server.put("shops", "a")
        await op.until(lambda: finalizers(op) == [OURS] and "reconcile" in delivered)
        await op.until(lambda: op.outcome(shops, "default/a").result == "success")
        delivered[:] = ["reconcile"]
        op.server.take("shops", "a")
        await op.until(lambda: delivered[-1] == "deleted default/a")
        assert delivered == ["reconcile", [OURS], [OURS], [OURS], "deleted default/a"]
        assert finalizers(op) is None


@virtual
async def test_r4_a_cleanup_that_is_not_done_yet_holds_the_object() -> None:
    shops = Controller(Shop)
    runs: list[int] = []

    @shops.reconciler
    async def reconcile(shop: Shop, ctx: Context) -> None: ...

    @shops.finalizer(OURS)
    async def cleanup(shop: Shop, ctx: Context) -> Result | None:
        runs.append(1)
        return Result(requeue_after=timedelta(minutes=1)) if len(runs) < 3 else None

    async with operating(shops) as op:
        op.server.put("shops", "a", metadata={"finalizers": [OURS]})
        op.server.take("shops", "a")
        await op.until(lambda: runs)
        assert finalizers(op) == [OURS]
        await op.until(lambda: finalizers(op) is None, within=200)
        assert len(runs) == 3


@virtual
async def test_r4_other_controllers_finalizers_are_never_touched() -> None:
    shops = Controller(Shop)
    cleanups: list[int] = []

    @shops.reconciler
    async def reconcile(shop: Shop, ctx: Context) -> None: ...

    @shops.finalizer(OURS)
    async def cleanup(shop: Shop, ctx: Context) -> None:
        cleanups.append(1)
        if len(cleanups) == 1:  # another controller adds its own meanwhile: ours may not be taken off a stale list
            op.server.put("shops", "a", metadata={"finalizers": [OURS, THEIRS]})

    async with operating(shops) as op:
        op.server.put("shops", "a")
        await op.until(lambda: finalizers(op) == [OURS])
        op.server.take("shops", "a")
        await op.until(lambda: finalizers(op) == [THEIRS])
        assert len(cleanups) == 1  # the removal conflicted and was repeated alone
        op.server.put("shops", "a", metadata={"finalizers": []})
        await op.until(lambda: finalizers(op) is None)


@virtual
async def test_r4_cleanup_runs_when_the_deletion_happened_before_the_watch() -> None:
    shops = Controller(Shop)
    cleanups: list[str] = []

    @shops.reconciler
    async def reconcile(shop: Shop, ctx: Context) -> None:
        raise AssertionError("an object that is going is not reconciled")

    @shops.finalizer(OURS)
    async def cleanup(shop: Shop, ctx: Context) -> None:
        cleanups.append(ctx.request.name)

    from plainserver import PlainServer

    server = PlainServer()
    server.put("shops", "a", metadata={"finalizers": [OURS]})
    server.take("shops", "a")
    async with operating(shops, server=server) as op:
        await op.until(lambda: finalizers(op) is None)
    assert cleanups == ["a"]


@virtual
async def test_r4_a_cleanup_that_succeeded_runs_once_however_often_its_removal_meets_another_write() -> None:
    shops = Controller(Shop)
    cleanups: list[str | None] = []

    @shops.reconciler
    async def reconcile(shop: Shop, ctx: Context) -> None: ...

    @shops.finalizer(OURS)
    async def cleanup(shop: Shop, ctx: Context) -> None:
        cleanups.append(shop.metadata.resource_version)
        shop.status.open = False
        await ctx.apply_status(shop)
        await asyncio.sleep(5)

    def another_write(request: HttpRequest) -> bool:
        """Before each of the first dozen tries, another client writes; one try meets a failing server."""
        if request.method != "PATCH" or b'"finalizers"' not in (request.body or b""):
            return False
        tries.append(request.path)
        if len(tries) <= 12:
            op.server.put("shops", "a", metadata={"annotations": {"beat": str(len(tries))}})
        return len(tries) == 5

    tries: list[str] = []
    async with operating(shops) as op:
        op.server.put("shops", "a")
        await op.until(lambda: finalizers(op) == [OURS])
        op.server.refuse = another_write
        op.server.take("shops", "a")
        await op.until(lambda: finalizers(op) is None, within=120)
        first = len(tries)
        # A new object of the name has a cleanup of its own.
        op.server.put("shops", "a")
        await op.until(lambda: finalizers(op) == [OURS])
        op.server.take("shops", "a")
        await op.until(lambda: finalizers(op) is None, within=120)
    assert first == 13
    assert len(cleanups) == 2


@virtual
async def test_r4_the_removal_does_not_depend_on_what_the_cleanup_left_in_the_object() -> None:
    shops = Controller(Shop)
    cleanups: list[int] = []

    @shops.reconciler
    async def reconcile(shop: Shop, ctx: Context) -> None: ...

    @shops.finalizer(OURS)
    async def cleanup(shop: Shop, ctx: Context) -> None:
        cleanups.append(1)
        op.server.put("shops", "a", spec={"size": "none any more"})  # the model rejects it from now on

    async with operating(shops) as op:
        op.server.put("shops", "a")
        await op.until(lambda: finalizers(op) == [OURS])
        op.server.take("shops", "a")
        await op.until(lambda: finalizers(op) is None)
    assert len(cleanups) == 1


@virtual
async def test_r4_an_object_that_the_model_rejects_says_so_in_an_event_and_is_cleaned_up_once_corrected() -> None:
    shops = Controller(Shop)
    cleanups: list[int] = []

    @shops.reconciler
    async def reconcile(shop: Shop, ctx: Context) -> None: ...

    @shops.finalizer(OURS)
    async def cleanup(shop: Shop, ctx: Context) -> None:
        cleanups.append(shop.spec.size)

    def notes() -> list[str]:
        return [event["note"] for key, event in op.server.objects.items() if key[0] == "events"]

    async with operating(shops) as op:
        uid = op.server.put("shops", "a", spec={"size": "many"}, metadata={"finalizers": [OURS]})["metadata"]["uid"]
        await op.until(lambda: len(notes()) == 1)
        assert "the model Shop of shops.demo.example.org rejects this object, and it is not reconciled" in notes()[0]
        op.server.take("shops", "a")
        await op.until(lambda: len(notes()) == 2)
        assert f"its cleanup cannot run, so the finalizer {OURS} keeps it from being deleted" in notes()[1]
        assert "spec.size" in notes()[1]
        events = [event for key, event in op.server.objects.items() if key[0] == "events"]
        assert {(event["type"], event["reason"]) for event in events} == {("Warning", "InvalidObject")}
        assert {event["regarding"]["uid"] for event in events} == {uid}
        assert op.outcome(shops, "default/a").result == "terminal"
        op.server.put("shops", "a", spec={"size": 3})
        await op.until(lambda: finalizers(op) is None)
    assert cleanups == [3]


@virtual
async def test_r4_a_new_object_of_the_name_has_a_cleanup_of_its_own() -> None:
    shops = Controller(Shop)
    cleaned: list[str | None] = []

    @shops.reconciler
    async def reconcile(shop: Shop, ctx: Context) -> None: ...

    @shops.finalizer(OURS)
    async def cleanup(shop: Shop, ctx: Context) -> None:
        cleaned.append(shop.metadata.uid)
        if len(cleaned) == 1:  # meanwhile the object goes, and one of the same name comes and is to go, too
            op.server.put("shops", "a", metadata={"finalizers": None})
            op.server.put("shops", "a", metadata={"finalizers": [OURS]})
            op.server.take("shops", "a")

    async with operating(shops) as op:
        first = op.server.put("shops", "a")["metadata"]["uid"]
        await op.until(lambda: finalizers(op) == [OURS])
        op.server.take("shops", "a")
        await op.until(lambda: finalizers(op) is None)
    assert cleaned[0] == first
    assert len(set(cleaned)) == len(cleaned) == 2
