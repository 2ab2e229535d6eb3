"""A controller's own finalizer on an object: add it, and remove it when the cleanup has succeeded.

Guarantees (R4): the finalizer is on the object before the reconcile function sees it; it is removed only after the
cleanup returned; the list is written with the resourceVersion it was read at, so another controller's finalizer is
never touched. A removal that conflicts with another write is repeated from a new read, without the cleanup.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar

from zestor_controller.client import Client
from zestor_controller.errors import Conflict, NotFound
from zestor_controller.objects import Kind, MergePatch, Unstructured, unstructured_kind

__all__ = ["add_finalizer", "remove_finalizer"]

T = TypeVar("T")

TRIES: Final = 10


async def add_finalizer(client: Client, kind: Kind[T], obj: Any, name: str) -> Any:
    """Put the finalizer on an object that lacks it; returns the object as the server has it then.

    Raises:
        Conflict: the object changed since it was read; run again with the newer one.
    """
    return await client.patch(
        kind,
        obj.metadata.name,
        _patch(obj.metadata, [*(obj.metadata.finalizers or ()), name]),
        namespace=obj.metadata.namespace or None,
    )


async def remove_finalizer(client: Client, kind: Kind[T], obj: Any, name: str) -> None:
    """Remove the finalizer; an object that has been deleted meanwhile is fine, and so is a newer one of its name.

    The object is handled without its model: the cleanup may have left it in a state that the model rejects.

    Raises:
        Conflict: other writers were quicker at each of ten tries.
    """
    raw, meta = unstructured_kind(kind), obj.metadata
    uid, where = meta.uid, meta.namespace or None
    for attempt in range(1, TRIES + 1):
        kept = [finalizer for finalizer in meta.finalizers or () if finalizer != name]
        try:
            await client.patch(raw, meta.name, _patch(meta, kept), namespace=where)
            return
        except NotFound:
            return
        except Conflict:
            if attempt == TRIES:
                raise
        try:
            now: Unstructured = await client.get(raw, meta.name, namespace=where)
        except NotFound:
            return
        meta = now.metadata
        if meta.uid != uid or name not in (meta.finalizers or ()):
            return
    raise AssertionError("unreachable: the last try returns or raises")


def _patch(meta: Any, finalizers: list[str]) -> MergePatch:
    return MergePatch(
        {"metadata": {"resourceVersion": meta.resource_version, "uid": meta.uid, "finalizers": finalizers or None}}
    )
