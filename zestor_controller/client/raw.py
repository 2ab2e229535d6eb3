"""The lower half of the client: requests and bytes, for the cache's reflectors and for discovery.

Invariant: thin: one call of the transport, one look at the status, no decoding and no repetition.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

from zestor_controller.client.discovery import ServedResource, discover, served_resources
from zestor_controller.client.request import JSON, error_of
from zestor_controller.client.transport import REQUEST_TIMEOUT_S, Transport
from zestor_controller.client.watch import split_lines
from zestor_controller.errors import ApiError, TransportError
from zestor_controller.http import HttpRequest
from zestor_controller.objects import Kind, KindRegistry, Unstructured

__all__ = ["RawClient"]

_log = logging.getLogger(__name__)

MAX_WARNINGS: Final = 1000
NO_ANSWER: Final = "<error>"  # the label value of client-go


class RawClient:
    """Requests in, bytes out.

    Args:
        transport: the way to the server; the client closes it.

    Attributes:
        requests: how many were sent, by method and status code (``<error>`` where no answer came), for
            ``rest_client_requests_total``; a watch counts when it is opened.
        kinds: the kinds of this server: those that the process declares, and those that were discovered here.
    """

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.requests: Counter[tuple[str, str]] = Counter()
        self.kinds = KindRegistry()
        self._warned: set[str] = set()

    async def call(self, request: HttpRequest, *, timeout: float = REQUEST_TIMEOUT_S) -> bytes:
        """Send any request; the body of a good answer.

        Args:
            request: what to send.
            timeout: seconds for all of it.

        Raises:
            ApiError: the server answers with a failure.
            TransportError: no usable answer came.
        """
        try:
            answer = await self.transport.request(request, timeout=timeout)
        except TransportError:
            self.requests[request.method, NO_ANSWER] += 1
            raise
        self.requests[request.method, str(answer.status)] += 1
        body = answer.body
        assert isinstance(body, bytes)  # request() reads the whole body
        if answer.status >= 300:
            raise error_of(request, answer.status, answer.header("retry-after"), body)
        self._note_warnings(answer.headers)
        return body

    async def read_page(
        self, kind: Kind[Any], *, namespace: str | None, query: Mapping[str, str], accept: str = JSON
    ) -> bytes:
        """One page of a list, as it came.

        Args:
            kind: what to list.
            namespace: where; None for all.
            query: the parameters.
            accept: the media type, such as that of metadata alone.
        """
        return await self.call(
            HttpRequest("GET", kind.path(namespace=namespace), list(query.items()), {"Accept": accept})
        )

    @asynccontextmanager
    async def stream_lines(
        self, kind: Kind[Any], *, namespace: str | None, query: Mapping[str, str], accept: str = JSON
    ) -> AsyncIterator[AsyncIterator[list[bytes]]]:
        """The lines of a watch, in batches as they arrive; the caller sets deadlines.

        Args:
            kind: what to watch.
            namespace: where; None for all.
            query: the parameters.
            accept: the media type, such as that of metadata alone.

        Raises:
            ApiError: the server refuses the watch.
            TransportError: the connection broke.
        """
        # Compressed streams are buffered by whoever compresses them: an event could be held back.
        headers = {"Accept": accept, "Accept-Encoding": "identity"}
        request = HttpRequest("GET", kind.path(namespace=namespace), list(query.items()), headers)
        async with AsyncExitStack() as stack:
            try:
                stream = await stack.enter_async_context(self.transport.stream(request))
            except TransportError:
                self.requests[request.method, NO_ANSWER] += 1
                raise
            self.requests[request.method, str(stream.status)] += 1
            if stream.status >= 300:
                try:
                    async with asyncio.timeout(REQUEST_TIMEOUT_S):
                        body = b"".join([chunk async for chunk in stream.chunks])
                except (TimeoutError, TransportError):
                    body = b""  # the status alone tells enough
                raise error_of(request, stream.status, stream.headers.get("retry-after"), body)
            self._note_warnings(stream.raw_headers)
            yield split_lines(stream.chunks)

    async def discover(self, text: str) -> Kind[Unstructured]:
        """Ask the server for a kind's plural and scope; the text names the kind to this client from then on.

        Args:
            text: ``group/version/Kind``.

        Raises:
            ConfigError: the server does not know it.
        """
        return await discover(self, text)

    async def served_resources(self) -> list[ServedResource]:
        """Every resource that the server serves, each in its group's preferred version; subresources left out."""
        return await served_resources(self)

    def _note_warnings(self, headers: Iterable[tuple[str, str]]) -> None:
        for name, value in headers:
            if name.lower() == "warning" and value not in self._warned and len(self._warned) < MAX_WARNINGS:
                self._warned.add(value)
                # 299 - "text": the text is what a person wants to read.
                _log.warning("the API server warns: %s", value.partition('"')[2].rpartition('"')[0] or value)


def is_passing(error: Exception) -> bool:
    """Whether a failure may pass by itself: the connection, the server's own trouble, an expired version."""
    return isinstance(error, TransportError) or (
        isinstance(error, ApiError) and (error.status in (410, 429) or error.status >= 500)
    )
