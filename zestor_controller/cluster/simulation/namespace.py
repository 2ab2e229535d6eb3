"""Namespaces: a terminating one is emptied, then released.

Source: pkg/controller/namespace.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec

from zestor_controller.client import served_resources
from zestor_controller.controller import Context, Controller, Request, Result
from zestor_controller.errors import ApiError, Conflict, MethodNotAllowed, NotFound
from zestor_controller.http import HttpRequest

__all__ = ["namespaces"]


def namespaces() -> Controller[Any]:
    """The controller that empties and releases terminating namespaces."""
    controller = Controller("v1/Namespace", name="namespace-controller")

    @controller.requests  # a reconciler is not called for what is being deleted
    async def reconcile(request: Request, ctx: Context) -> Result | None:
        namespace = ctx.get("v1/Namespace", request.name)
        if namespace is None or namespace.metadata.deletion_timestamp is None:
            return None
        finalizers = (namespace.get("spec") or {}).get("finalizers") or []
        if "kubernetes" not in finalizers:
            return None
        if await _empty(ctx, namespace.metadata.name):
            body = namespace.copy()
            body["spec"]["finalizers"] = [name for name in finalizers if name != "kubernetes"]
            path = f"/api/v1/namespaces/{namespace.metadata.name}/finalize"
            headers = {"Content-Type": "application/json", "Accept": "application/json"}
            try:
                await ctx.client.call(HttpRequest("PUT", path, [], headers, msgspec.json.encode(body.to_dict())))
            except (NotFound, Conflict):
                return None
            return None
        return Result(requeue_after=timedelta(milliseconds=200))

    return controller


async def _empty(ctx: Context, namespace: str) -> bool:
    """Delete everything in a namespace; whether nothing was left."""
    left = 0
    for resource in await served_resources(ctx.client):
        if not resource.namespaced or not {"list", "deletecollection"} <= set(resource.verbs):
            continue
        kind = ctx.client.kinds.learn(f"{resource.api_version}/{resource.kind}", resource.plural)
        try:
            found = await ctx.client.list(kind, namespace=namespace)
            left += len(found)
            if any(obj.metadata.deletion_timestamp is None for obj in found):
                await ctx.client.delete_collection(kind, namespace=namespace, propagation="Background")
        except (NotFound, MethodNotAllowed):
            continue  # the kind vanished meanwhile
        except ApiError as error:
            ctx.log.warning("cannot empty %s of %s: %s", namespace, kind.store_name, error)
            left += 1
    return left == 0
