"""A controller's own finalizer on an object: add it, and take it off when the cleanup has succeeded.

Guarantees (R4): the finalizer is on the object before the reconcile function sees it; it comes off only after the
cleanup returned; the list is written with the resourceVersion it was read at, so another controller's finalizer is
never touched.
"""

from __future__ import annotations

from typing import Any, TypeVar

from zestor_controller.client import Client
from zestor_controller.errors import Conflict, NotFound
from zestor_controller.objects import Kind, MergePatch

__all__ = ["add_finalizer", "remove_finalizer"]

T = TypeVar("T")


async def add_finalizer(client: Client, kind: Kind[T], obj: Any, name: str) -> Any:
    """Put the finalizer on an object that lacks it; returns the object as the server has it then.

    Raises:
        Conflict: the object changed since it was read; run again with the newer one.
    """
    listed = list(obj.metadata.finalizers or ())
    return await _write(client, kind, obj, [*listed, name])


async def remove_finalizer(client: Client, kind: Kind[T], obj: Any, name: str) -> None:
    """Take the finalizer off; an object that has gone meanwhile is fine.

    Raises:
        Conflict: the object changed since it was read; run again with the newer one.
    """
    listed = [finalizer for finalizer in obj.metadata.finalizers or () if finalizer != name]
    try:
        await _write(client, kind, obj, listed)
    except NotFound:
        return
    except Conflict:
        # The precondition also fails when the object has gone and a new one of the name has come.
        try:
            now: Any = await client.get(kind, obj.metadata.name, namespace=obj.metadata.namespace)
        except NotFound:
            return
        if now.metadata.uid == obj.metadata.uid:
            raise


async def _write(client: Client, kind: Kind[T], obj: Any, finalizers: list[str]) -> Any:
    meta = obj.metadata
    patch = MergePatch(
        {"metadata": {"resourceVersion": meta.resource_version, "uid": meta.uid, "finalizers": finalizers or None}}
    )
    return await client.patch(kind, meta.name, patch, namespace=meta.namespace or None)
