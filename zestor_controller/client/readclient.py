"""The reading verbs (get, list, watch, wait_for), and requests without a verb.

Invariant: what is read is decoded by its kind and belongs to the caller. A text that names no built-in or declared kind
is looked up at the server once. Requests of verbs are repeated where the server requests that; those of :meth:`call`,
:meth:`read_page` and :meth:`stream_lines` are not, their callers have a backoff of their own.
"""

from __future__ import annotations

import asyncio
import builtins
import copy
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from time import perf_counter
from typing import Any, Final, Self, TypeVar, Unpack, overload

from zestor_controller.client.conditionwait import Until, wait_until
from zestor_controller.client.decoder import ObjectList, decode_object, decode_page, log_invalid, require_object
from zestor_controller.client.discovery import ServedResource, discover, served_resources
from zestor_controller.client.middleware import CountingTransport, RetryTransport
from zestor_controller.client.options import ListOptions
from zestor_controller.client.request import (
    JSON,
    prepare_request,
    response_body,
    response_error,
    selector_query,
)
from zestor_controller.client.transport import REQUEST_TIMEOUT_S, Transport
from zestor_controller.client.watch import ServerWatch, split_lines
from zestor_controller.errors import ConfigError, Gone, InvalidObject, TransportError
from zestor_controller.http import HttpRequest, HttpResponse
from zestor_controller.objects import Kind, KindRef, KindRegistry, KindT, Unstructured

__all__ = ["ReadClient"]

T = TypeVar("T")

WATCH: Final = timedelta(seconds=290)
PAGE: Final = 500
SLICE_S: Final = 0.01


class ReadClient:
    """Reads objects, typed by their kind.

    Args:
        transport: the way to the server; the client closes it.
        namespace: where objects without a namespace are looked for.

    Attributes:
        requests: how many were sent, by method and status code; see :class:`CountingTransport`.
        kinds: the kinds of this server: those that the process declares, and those that were discovered here.
    """

    def __init__(self, transport: Transport, *, namespace: str = "default") -> None:
        self.transport = transport
        self.namespace = namespace
        self.kinds = KindRegistry()
        counted = CountingTransport(transport)
        self.requests = counted.requests
        self._counted: Transport = counted
        self._verbs: Transport = RetryTransport(counted)

    # Lifecycle

    def through(self, decorate: Callable[[Transport], Transport]) -> Self:
        """The same client, but with the requests of its verbs passing one more transport.

        It shares the connection, the counters, the kinds and the names with this one; close this one only.

        Args:
            decorate: makes the transport round the present one.
        """
        client = copy.copy(self)
        client._verbs = decorate(self._verbs)
        return client

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.transport.close()

    # Verbs

    async def get(self, kind: KindRef[KindT], name: str, *, namespace: str | None = None) -> KindT:
        """Read one object.

        Raises:
            NotFound: there is none of this name.
            InvalidObject: its model rejects it; ``raw`` holds its JSON.
        """
        known = await self.resolve(kind)
        return decode_object(known, await self._send("GET", known, namespace=namespace or self.namespace, name=name))

    async def list(self, kind: KindRef[KindT], **options: Unpack[ListOptions]) -> ObjectList[KindT]:
        """Read all objects of a kind, page by page; yields to the event loop while it decodes.

        An object that the model rejects is left out, logged, and to be found in :attr:`ObjectList.invalid`.

        Args:
            kind: a class or ``group/version/Kind``.
            options: see :class:`ListOptions`.

        Raises:
            Gone: the list changed so much, twice, that its next page had expired; request larger pages.
        """
        return await self._list(await self.resolve(kind), **options)

    async def _list(
        self,
        kind: Kind[T],
        *,
        namespace: str | None = None,
        labels: str | Mapping[str, str] | None = None,
        fields: str | Mapping[str, str] | None = None,
        limit: int = PAGE,
    ) -> ObjectList[T]:
        request = f"GET {kind.path(namespace=namespace)}"
        first = {**selector_query(labels, fields), "limit": str(limit)}
        items: builtins.list[T] = []
        invalid: dict[str, InvalidObject] = {}
        query, again = first, True
        until = perf_counter() + SLICE_S
        while True:
            try:
                page = decode_page(await self._send("GET", kind, namespace=namespace, query=query), request)
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
                    items.append(decode_object(kind, bytes(raw)))
                except InvalidObject as error:
                    invalid[error.name] = error
                if perf_counter() > until:
                    await asyncio.sleep(0)
                    until = perf_counter() + SLICE_S
            if not page.token:
                if invalid:
                    log_invalid(kind, invalid, len(items) + len(invalid))
                return ObjectList(items, page.version, invalid)
            query = {**first, "continue": page.token}

    def watch(
        self,
        kind: KindRef[KindT],
        *,
        namespace: str | None = None,
        labels: str | Mapping[str, str] | None = None,
        fields: str | Mapping[str, str] | None = None,
        resource_version: str = "",
        timeout: timedelta = WATCH,
    ) -> ServerWatch[KindT]:
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

    # Two signatures: the parameter of a lambda is typed before a text's default type is known.
    @overload
    async def wait_for(
        self,
        kind: str,
        name: str,
        until: Until[Unstructured],
        *,
        namespace: str | None = None,
        timeout: timedelta | float = 30.0,
    ) -> Unstructured: ...
    @overload
    async def wait_for(
        self,
        kind: KindRef[T],
        name: str,
        until: Until[T],
        *,
        namespace: str | None = None,
        timeout: timedelta | float = 30.0,
    ) -> T: ...
    async def wait_for(
        self,
        kind: KindRef[Any],
        name: str,
        until: Until[Any],
        *,
        namespace: str | None = None,
        timeout: timedelta | float = 30.0,
    ) -> object:
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
        return await wait_until(self, kind, name, until, namespace=namespace, seconds=seconds)

    # Requests without a verb

    async def call(self, request: HttpRequest, *, timeout: float = REQUEST_TIMEOUT_S) -> bytes:
        """Send any request; returns the body of a successful response.

        Args:
            request: what to send.
            timeout: seconds for all of it.

        Raises:
            ApiError: the server returns a failure.
            TransportError: no usable response came.
        """
        return response_body(request, await self._counted.request(request, timeout=timeout))

    async def read_page(
        self, kind: Kind[object], *, namespace: str | None, query: Mapping[str, str], accept: str = JSON
    ) -> bytes:
        """One page of a list, as it came.

        Args:
            kind: what to list.
            namespace: where; None for all.
            query: the parameters.
            accept: the media type, such as that of metadata only.
        """
        return await self.call(HttpRequest("GET", kind.path(namespace=namespace), [*query.items()], {"Accept": accept}))

    @asynccontextmanager
    async def stream_lines(
        self, kind: Kind[object], *, namespace: str | None, query: Mapping[str, str], accept: str = JSON
    ) -> AsyncIterator[AsyncIterator[builtins.list[bytes]]]:
        """The lines of a watch, in batches as they arrive; the caller sets deadlines.

        Args:
            kind: what to watch.
            namespace: where; None for all.
            query: the parameters.
            accept: the media type, such as that of metadata only.

        Raises:
            ApiError: the server rejects the watch.
            TransportError: the connection broke.
        """
        # A compressing proxy buffers the stream, which would delay events.
        headers = {"Accept": accept, "Accept-Encoding": "identity"}
        request = HttpRequest("GET", kind.path(namespace=namespace), [*query.items()], headers)
        async with self._counted.stream(request) as stream:
            if stream.status >= 300:
                try:
                    async with asyncio.timeout(REQUEST_TIMEOUT_S):
                        body = b"".join([chunk async for chunk in stream.chunks])
                except (TimeoutError, TransportError):
                    body = b""  # the status says enough
                raise response_error(request, HttpResponse(stream.status, [*stream.raw_headers], body))
            yield split_lines(stream.chunks)

    async def resolve(self, kind: KindRef[KindT]) -> Kind[KindT]:
        """The kind that a class or a text names; a text that is not known is looked up at the server.

        Raises:
            ConfigError: the server does not know it, or it is no kind.
        """
        try:
            return self.kinds.of(kind)
        except ConfigError:
            if not isinstance(kind, str):
                raise
            found: Kind[Any] = await self.discover(kind)
            return found

    async def discover(self, text: str) -> Kind[Unstructured]:
        """Look up a kind's plural and scope at the server; the text names the kind to this client from then on.

        Args:
            text: ``group/version/Kind``.

        Raises:
            ConfigError: the server does not know it.
        """
        return await discover(self, text)

    async def served_resources(self) -> builtins.list[ServedResource]:
        """Every resource that the server serves, each in its group's preferred version; subresources left out."""
        return await served_resources(self)

    # Internals

    async def _send(
        self,
        method: str,
        kind: Kind[object],
        *,
        namespace: str | None,
        name: str | None = None,
        subresource: str | None = None,
        query: Mapping[str, str] | None = None,
        body: object = None,
        media_type: str = JSON,
    ) -> bytes:
        """Send the request of a verb; repeated, some times, when the server requests that."""
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
        content = response_body(request, await self._verbs.request(request))
        # Nothing is read of the response to a deletion, and some servers send none.
        return content if method == "DELETE" else require_object(content, f"{method} {request.path}")
