"""Waiting for one object to satisfy a condition: list, watch, and again after failures that may pass.

Invariant: each list is followed by a watch from its version, so no state of the object is missed in between.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias, TypeVar

from zestor_controller.backoff import Backoff
from zestor_controller.client.decoder import ObjectList
from zestor_controller.client.retry import is_passing
from zestor_controller.client.watch import ServerWatch, condition_holds
from zestor_controller.errors import NotFound, ZestorError
from zestor_controller.objects import Kind, KindRef, kind_of

__all__ = ["Until", "wait_until"]

T = TypeVar("T")

Until: TypeAlias = Callable[[T | None], object] | str
"""The type of a condition, or a predicate of the object; it gets None while there is no object."""


class _Client(Protocol):
    """The part of a client that waiting needs."""

    namespace: str

    async def resolve(self, kind: KindRef[T]) -> Kind[T]: ...

    async def list(self, kind: Kind[T], *, namespace: str | None, fields: Mapping[str, str]) -> ObjectList[T]: ...

    def watch(
        self, kind: Kind[T], *, namespace: str | None, fields: Mapping[str, str], resource_version: str
    ) -> ServerWatch[T]: ...


async def wait_until(
    client: _Client, kind: KindRef[T], name: str, until: Until[T], *, namespace: str | None, seconds: float
) -> T | None:
    """See :meth:`ReadClient.wait_for`."""
    what = f"condition {until}" if isinstance(until, str) else "what was waited for"
    backoff = Backoff(first=0.1, cap=2.0, jitter=0.0, clock=asyncio.get_running_loop().time)
    trouble = ""
    try:
        async with asyncio.timeout(seconds):
            while True:
                try:
                    return await _follow(client, await client.resolve(kind), name, until, namespace)
                except _Ended:
                    continue
                except NotFound as error:  # the kind itself: its CustomResourceDefinition may be on its way
                    trouble = f": {error}"
                except ZestorError as error:
                    if not is_passing(error):
                        raise
                    trouble = f": {error}"
                await asyncio.sleep(backoff.next())
    except TimeoutError:
        shown = kind if isinstance(kind, str) else kind_of(kind)
        raise TimeoutError(f"{shown} {name}: {what} did not come within {seconds:g} s{trouble}") from None


async def _follow(client: _Client, kind: Kind[T], name: str, until: Until[T], namespace: str | None) -> T | None:
    def holds(obj: T | None) -> object:
        if isinstance(until, str):
            return obj is not None and condition_holds(kind.encode(obj), until)
        return until(obj)

    where = (namespace or client.namespace) if kind.namespaced else None
    named = {"metadata.name": name}
    listed = await client.list(kind, namespace=where, fields=named)
    for error in listed.invalid.values():
        raise error
    obj = listed[0] if listed else None
    if holds(obj):
        return obj
    version = listed.resource_version
    async with client.watch(kind, namespace=where, fields=named, resource_version=version) as events:
        events.strict = True
        async for event in events:
            obj = None if event.type == "DELETED" else event.object
            if holds(obj):
                return obj
    raise _Ended


class _Ended(Exception):
    """A watch ended in good order before what was waited for came about."""
