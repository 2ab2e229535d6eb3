"""The reading verbs: get, list, watch, wait_for.

Invariant: what is read is decoded by its kind and belongs to the caller. Kinds are given as a class or as text; a text
that is no built-in or declared kind is looked up at the server once.
"""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from time import perf_counter
from typing import Any, Final, TypeVar, overload

from zestor_controller.backoff import Backoff
from zestor_controller.client.raw import RawClient, is_passing
from zestor_controller.client.request import JSON, decode_page, prepare_request, selector_query
from zestor_controller.client.retry import asked_to_wait
from zestor_controller.client.transport import Transport
from zestor_controller.client.watch import ServerWatch, condition_holds
from zestor_controller.errors import ApiError, ConfigError, Gone, NotFound, ZestorError
from zestor_controller.objects import Kind, Unstructured, kind_of

__all__ = ["ObjectList", "Reader"]

T = TypeVar("T")

WATCH: Final = timedelta(seconds=290)
ATTEMPTS: Final = 5
SLICE_S: Final = 0.01


class ObjectList(Sequence[T]):
    """Objects of a list, and the version of the server that they show.

    Attributes:
        items: the objects, in the server's order.
        resource_version: start a watch from here to miss nothing.
    """

    def __init__(self, items: list[T], resource_version: str) -> None:
        self.items = items
        self.resource_version = resource_version

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        return self.items[index]

    def __repr__(self) -> str:
        return f"ObjectList({self.items!r}, resource_version={self.resource_version!r})"


class Reader(RawClient):
    """Reads objects, typed by their kind.

    Args:
        transport: the way to the server.
        namespace: where objects without a namespace are looked for.
    """

    def __init__(self, transport: Transport, *, namespace: str = "default") -> None:
        super().__init__(transport)
        self.namespace = namespace

    @overload
    async def get(self, kind: type[T] | Kind[T], name: str, *, namespace: str | None = None) -> T: ...
    @overload
    async def get(self, kind: str, name: str, *, namespace: str | None = None) -> Unstructured: ...
    async def get(self, kind: Any, name: str, *, namespace: str | None = None) -> Any:
        """Read one object.

        Raises:
            NotFound: there is none of this name.
        """
        known = await self._known(kind)
        return known.decode(await self._send("GET", known, namespace=namespace or self.namespace, name=name))

    @overload
    async def list(
        self,
        kind: type[T] | Kind[T],
        *,
        namespace: str | None = None,
        labels: str | Mapping[str, str] | None = None,
        fields: str | Mapping[str, str] | None = None,
        limit: int = 500,
    ) -> ObjectList[T]: ...
    @overload
    async def list(
        self,
        kind: str,
        *,
        namespace: str | None = None,
        labels: str | Mapping[str, str] | None = None,
        fields: str | Mapping[str, str] | None = None,
        limit: int = 500,
    ) -> ObjectList[Unstructured]: ...
    async def list(
        self,
        kind: Any,
        *,
        namespace: str | None = None,
        labels: str | Mapping[str, str] | None = None,
        fields: str | Mapping[str, str] | None = None,
        limit: int = 500,
    ) -> ObjectList[Any]:
        """Read all objects of a kind, page by page; lets the loop breathe while it decodes.

        Args:
            kind: a class or ``group/version/Kind``.
            namespace: only this one; every namespace unless given.
            labels: a label selector, as text or as a mapping of equalities.
            fields: a field selector, likewise.
            limit: how many objects a page holds.

        Raises:
            Gone: the list changed so much, twice, that its next page had expired; ask for larger pages.
        """
        known = await self._known(kind)
        first = {**selector_query(labels, fields), "limit": str(limit)}
        items: builtins.list[Any] = []
        query, again = first, True
        until = perf_counter() + SLICE_S
        while True:
            try:
                page = decode_page(await self._send("GET", known, namespace=namespace, query=query))
            except Gone:
                if query is first or not again:
                    raise
                # A list whose pages have expired begins anew, once.
                query, items, again = first, [], False
                continue
            for raw in page.items or []:
                items.append(known.decode(bytes(raw)))
                if perf_counter() > until:
                    await asyncio.sleep(0)
                    until = perf_counter() + SLICE_S
            if not page.metadata.continue_:
                return ObjectList(items, page.metadata.resourceVersion)
            query = {**first, "continue": page.metadata.continue_}

    @overload
    def watch(
        self,
        kind: type[T] | Kind[T],
        *,
        namespace: str | None = None,
        labels: str | Mapping[str, str] | None = None,
        fields: str | Mapping[str, str] | None = None,
        resource_version: str = "",
        timeout: timedelta = WATCH,
    ) -> ServerWatch[T]: ...
    @overload
    def watch(
        self,
        kind: str,
        *,
        namespace: str | None = None,
        labels: str | Mapping[str, str] | None = None,
        fields: str | Mapping[str, str] | None = None,
        resource_version: str = "",
        timeout: timedelta = WATCH,
    ) -> ServerWatch[Unstructured]: ...
    def watch(
        self,
        kind: Any,
        *,
        namespace: str | None = None,
        labels: str | Mapping[str, str] | None = None,
        fields: str | Mapping[str, str] | None = None,
        resource_version: str = "",
        timeout: timedelta = WATCH,
    ) -> ServerWatch[Any]:
        """The server's events of one stream; a cache that follows for ever is ``ClusterCache``.

        Args:
            kind: a class or ``group/version/Kind``; a text must be known, see :meth:`discover`.
            namespace: only this one; every namespace unless given.
            labels: a label selector, as text or as a mapping of equalities.
            fields: a field selector, likewise.
            resource_version: start after this version; empty starts with an ADDED for each present object.
            timeout: the stream ends after this time; the client sees to it when the server does not.

        Raises:
            Gone: on iterating: the version has expired: list again.
            TransportError: on iterating: the connection broke.
        """
        known: Kind[Any] = kind_of(kind)
        seconds = timeout.total_seconds()
        query = {
            **selector_query(labels, fields),
            "watch": "true",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(max(1, int(seconds))),
        }
        if resource_version:
            query["resourceVersion"] = resource_version
        return ServerWatch(
            known, lambda: self.stream_lines(known, namespace=namespace, query=query), resource_version, seconds
        )

    @overload
    async def wait_for(
        self,
        kind: type[T] | Kind[T],
        name: str,
        until: Callable[[T | None], object] | str,
        *,
        namespace: str | None = None,
        timeout: timedelta | float = 30.0,
    ) -> T: ...
    @overload
    async def wait_for(
        self,
        kind: str,
        name: str,
        until: Callable[[Unstructured | None], object] | str,
        *,
        namespace: str | None = None,
        timeout: timedelta | float = 30.0,
    ) -> Unstructured: ...
    async def wait_for(
        self,
        kind: Any,
        name: str,
        until: Callable[[Any], object] | str,
        *,
        namespace: str | None = None,
        timeout: timedelta | float = 30.0,
    ) -> Any:
        """Watch one object until it satisfies a predicate; failures that may pass are outlived.

        Args:
            kind: a class or ``group/version/Kind``.
            name: its name.
            until: the type of a condition that is to become True, or a function that is called with the object, and
                with None while there is none.
            namespace: its namespace; the client's own unless given.
            timeout: how long to wait, in seconds unless a timedelta.

        Returns:
            The object that satisfied it; None where `until` accepts its absence.

        Raises:
            TimeoutError: it did not come about in time.
        """
        seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
        what = f"condition {until}" if isinstance(until, str) else "what was waited for"
        backoff = Backoff(first=0.1, cap=2.0, jitter=0.0, clock=asyncio.get_running_loop().time)
        trouble = ""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    try:
                        return await self._followed(await self._known(kind), name, until, namespace)
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
            raise TimeoutError(f"{_text(kind)} {name}: {what} did not come within {seconds:g} s{trouble}") from None

    async def _followed(
        self, kind: Kind[Any], name: str, until: Callable[[Any], object] | str, namespace: str | None
    ) -> Any:
        def holds(obj: Any) -> object:
            if isinstance(until, str):
                return obj is not None and condition_holds(kind.encode(obj), until)
            return until(obj)

        where = (namespace or self.namespace) if kind.namespaced else None
        named = {"metadata.name": name}
        listed = await self.list(kind, namespace=where, fields=named)
        obj = listed[0] if listed else None
        if holds(obj):
            return obj
        version = listed.resource_version
        async with self.watch(kind, namespace=where, fields=named, resource_version=version) as events:
            async for event in events:
                obj = None if event.type == "DELETED" else event.object
                if holds(obj):
                    return obj
        raise _Ended

    # Inside

    async def _send(
        self,
        method: str,
        kind: Kind[Any],
        *,
        namespace: str | None,
        name: str | None = None,
        subresource: str | None = None,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        media_type: str = JSON,
    ) -> bytes:
        """Send a verb; again, some times, when the server asks for that."""
        request = prepare_request(
            method,
            kind,
            namespace=namespace,
            name=name,
            subresource=subresource,
            query=query,
            body=body,
            media_type=media_type,
        )
        for _ in range(ATTEMPTS - 1):
            try:
                return await self.call(request)
            except ApiError as error:
                wait = asked_to_wait(error)
                if wait is None:
                    raise
                await asyncio.sleep(wait)
        return await self.call(request)

    async def _known(self, kind: Any) -> Kind[Any]:
        try:
            return kind_of(kind)
        except ConfigError:
            if not isinstance(kind, str):
                raise
            return await self.discover(kind)


class _Ended(Exception):
    """A watch ended in good order before what was waited for came about."""


def _text(kind: Any) -> str:
    """How a kind is named in a message."""
    return kind if isinstance(kind, str) else str(kind_of(kind))
