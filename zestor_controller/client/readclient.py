"""The reading verbs: get, list, watch, wait_for.

Invariant: what is read is decoded by its kind and belongs to the caller. Kinds are given as a class or as text; a text
that is no built-in or declared kind is looked up at the server once.
"""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import Callable, Mapping
from datetime import timedelta
from time import perf_counter
from typing import Any, Final, TypeVar, overload

from zestor_controller.backoff import Backoff
from zestor_controller.client.decoder import ObjectList, decode_object, decode_page, log_invalid, require_object
from zestor_controller.client.raw import RawClient, is_passing
from zestor_controller.client.request import JSON, prepare_request, selector_query
from zestor_controller.client.retry import asked_to_wait
from zestor_controller.client.transport import Transport
from zestor_controller.client.watch import ServerWatch, condition_holds
from zestor_controller.errors import ApiError, ConfigError, Gone, InvalidObject, NotFound, ZestorError
from zestor_controller.http import HttpRequest
from zestor_controller.objects import Kind, Unstructured, kind_of

__all__ = ["Reader"]

T = TypeVar("T")

WATCH: Final = timedelta(seconds=290)
ATTEMPTS: Final = 5
SLICE_S: Final = 0.01


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
            InvalidObject: its model rejects it; ``raw`` holds its JSON.
        """
        known = await self._known(kind)
        return decode_object(known, await self._send("GET", known, namespace=namespace or self.namespace, name=name))

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
        """Read all objects of a kind, page by page; yields to the event loop while it decodes.

        An object that the model rejects is left out, logged, and to be found in :attr:`ObjectList.invalid`.

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
        request = f"GET {known.path(namespace=namespace)}"
        first = {**selector_query(labels, fields), "limit": str(limit)}
        items: builtins.list[Any] = []
        invalid: dict[str, InvalidObject] = {}
        query, again = first, True
        until = perf_counter() + SLICE_S
        while True:
            try:
                page = decode_page(await self._send("GET", known, namespace=namespace, query=query), request)
            except Gone:
                if query is first or not again:
                    raise
                # A list whose pages have expired begins anew, once.
                query, again = first, False
                items.clear()
                invalid.clear()
                continue
            for raw in page.objects:
                try:
                    items.append(decode_object(known, bytes(raw)))
                except InvalidObject as error:
                    invalid[error.name] = error
                if perf_counter() > until:
                    await asyncio.sleep(0)
                    until = perf_counter() + SLICE_S
            if not page.token:
                if invalid:
                    log_invalid(known, invalid, len(items) + len(invalid))
                return ObjectList(items, page.version, invalid)
            query = {**first, "continue": page.token}

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
        """The server's events of one stream; a cache that follows a kind is ``ClusterCache``.

        The event of an object that the model rejects is left out, logged, and to be found in
        :attr:`ServerWatch.invalid`.

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
        known = self.kinds.of(kind)
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
            known,
            lambda: self.stream_lines(known, namespace=namespace, query=query),
            resource_version,
            seconds,
            f"GET {known.path(namespace=namespace)}?watch=true",
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
            InvalidObject: the model rejects the object.
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
        for error in listed.invalid.values():
            raise error
        obj = listed[0] if listed else None
        if holds(obj):
            return obj
        version = listed.resource_version
        async with self.watch(kind, namespace=where, fields=named, resource_version=version) as events:
            events.strict = True
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
        answer = await self._call_again(request)
        # Nothing is read of the response to a deletion, and some servers send none.
        return answer if method == "DELETE" else require_object(answer, f"{method} {request.path}")

    async def _call_again(self, request: HttpRequest) -> bytes:
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
            return self.kinds.of(kind)
        except ConfigError:
            if not isinstance(kind, str):
                raise
            return await self.discover(kind)


class _Ended(Exception):
    """A watch ended in good order before what was waited for came about."""


def _text(kind: Any) -> str:
    """How a kind is named in a message."""
    return kind if isinstance(kind, str) else str(kind_of(kind))
