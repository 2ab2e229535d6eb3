"""What a controller's functions get, and what its context gives."""

from datetime import timedelta
from typing import assert_type

from models import Site

from zestor_controller import BlockingContext, Client, Context, Controller, Request, Result, Unstructured
from zestor_controller.cache import Lister

sites = Controller(Site, concurrency=2).owns("apps/v1/Deployment")
pods = Controller("v1/Pod")
assert_type(sites, Controller[Site])
assert_type(pods, Controller[Unstructured])
sites.watches("v1/Secret", map=lambda secret: [f"{secret.metadata.namespace}/{secret['data']['site']}"])
sites.watches(Site, map=lambda site: [site.spec.image, site.metadata.namespace])
sites.watches(Site, map=lambda site: [site.spec.picture])  # error
Controller(Site, concurency=2)  # error


@sites.reconciler
async def reconcile(site: Site, ctx: Context) -> Result | None:
    assert_type(ctx.client, Client)
    assert_type(ctx.get(Site, "a"), Site | None)
    assert_type(ctx.get("v1/Pod", "a"), Unstructured | None)
    assert_type(ctx.list(Site, labels={"app": "a"}), list[Site])
    assert_type(ctx.lister(Site), Lister[Site])
    assert_type(await ctx.apply(site), Site)
    assert_type(await ctx.apply({"apiVersion": "v1", "kind": "ConfigMap"}), Unstructured)
    assert_type(await ctx.apply_status(site), Site)
    assert_type(ctx.causes, tuple[str, ...])
    return Result(requeue_after=timedelta(minutes=1))


@sites.deleted
async def deleted(request: Request, last: Site | None, ctx: Context) -> None:
    assert_type(request.name, str)


@sites.finalizer("example.org/cleanup")
async def cleanup(site: Site, ctx: Context) -> None:
    await ctx.delete("v1/ConfigMap", "a")


@pods.reconciler
def blocking(pod: Unstructured, ctx: BlockingContext) -> None:
    assert_type(ctx.apply(pod), Unstructured)
    assert_type(ctx.get(Site, "a"), Site | None)
    assert_type(ctx.wait(ctx.client.get(Site, "a")), Site)


@sites.reconciler  # error
async def other_kind(pod: Unstructured, ctx: Context) -> None: ...


@sites.deleted  # error
async def no_request(last: Site | None, ctx: Context) -> None: ...
