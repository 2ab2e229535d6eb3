"""Transports around a transport: each adds one behaviour to every request, and changes nothing else.

Invariant: a decorator passes on each request and each response unchanged. Which requests pass which decorators is the
client's decision: what a cache sends is counted and never repeated, for its reflectors have a backoff of their own. The
write gate is no decorator: it must be checked when the connection is there and nothing has been sent (L1), which only
the transport itself knows.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Final

from zestor_controller.client.request import response_error
from zestor_controller.client.retry import requested_wait
from zestor_controller.client.transport import REQUEST_TIMEOUT_S, Stream, Transport
from zestor_controller.errors import TransportError
from zestor_controller.http import HttpRequest, HttpResponse

__all__ = ["CountingTransport", "RetryTransport", "TransportDecorator"]

_log = logging.getLogger(__name__)

ATTEMPTS: Final = 5
MAX_WARNINGS: Final = 1000
NO_RESPONSE: Final = "<error>"  # the label value of client-go


class TransportDecorator:
    """A transport that passes everything on; a subclass adds to one method.

    Args:
        inner: the transport that sends.
    """

    def __init__(self, inner: Transport) -> None:
        self.inner = inner

    @property
    def host(self) -> str:
        """See :attr:`Transport.host`."""
        return self.inner.host

    @property
    def server(self) -> str:
        """See :attr:`Transport.server`."""
        return self.inner.server

    async def request(self, request: HttpRequest, *, timeout: float = REQUEST_TIMEOUT_S) -> HttpResponse:
        """See :meth:`Transport.request`."""
        return await self.inner.request(request, timeout=timeout)

    def stream(self, request: HttpRequest) -> AbstractAsyncContextManager[Stream]:
        """See :meth:`Transport.stream`."""
        return self.inner.stream(request)

    async def close(self) -> None:
        """See :meth:`Transport.close`."""
        await self.inner.close()


class CountingTransport(TransportDecorator):
    """Counts requests by method and status code, and logs the server's warnings.

    Attributes:
        requests: how many were sent (``<error>`` where no response came), for ``rest_client_requests_total``; a watch
            counts when it is opened.
    """

    def __init__(self, inner: Transport) -> None:
        super().__init__(inner)
        self.requests: Counter[tuple[str, str]] = Counter()
        self._warned: set[str] = set()

    async def request(self, request: HttpRequest, *, timeout: float = REQUEST_TIMEOUT_S) -> HttpResponse:
        """See :meth:`Transport.request`."""
        try:
            response = await self.inner.request(request, timeout=timeout)
        except TransportError:
            self.requests[request.method, NO_RESPONSE] += 1
            raise
        self.requests[request.method, str(response.status)] += 1
        if response.status < 300:
            self._log_warnings(response.headers)
        return response

    @asynccontextmanager
    async def stream(self, request: HttpRequest) -> AsyncIterator[Stream]:
        """See :meth:`Transport.stream`."""
        async with AsyncExitStack() as stack:
            try:
                stream = await stack.enter_async_context(self.inner.stream(request))
            except TransportError:
                self.requests[request.method, NO_RESPONSE] += 1
                raise
            self.requests[request.method, str(stream.status)] += 1
            if stream.status < 300:
                self._log_warnings(stream.raw_headers)
            yield stream

    def _log_warnings(self, headers: Iterable[tuple[str, str]]) -> None:
        """Log each warning once; a server repeats it with every response."""
        for name, value in headers:
            if name.lower() == "warning" and value not in self._warned and len(self._warned) < MAX_WARNINGS:
                self._warned.add(value)
                # 299 - "text": the text is what a person wants to read.
                _log.warning("the API server warns: %s", value.partition('"')[2].rpartition('"')[0] or value)


class RetryTransport(TransportDecorator):
    """Repeats a request when the server requests that: a 429, or a 503 that names a time."""

    async def request(self, request: HttpRequest, *, timeout: float = REQUEST_TIMEOUT_S) -> HttpResponse:
        """See :meth:`Transport.request`; `timeout` bounds each attempt."""
        for _ in range(ATTEMPTS - 1):
            response = await self.inner.request(request, timeout=timeout)
            if response.status not in (429, 503):
                return response
            wait = requested_wait(response_error(request, response))
            if wait is None:
                return response
            await asyncio.sleep(wait)
        return await self.inner.request(request, timeout=timeout)
