"""The one interface to a server: bytes out, bytes in; and the transport into a Handler of this process.

Invariant: a transport knows nothing of Kubernetes but credentials, and raises
:class:`~zestor_controller.errors.TransportError` and no exception of a library below.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from zestor_controller.client.gate import WriteGate
from zestor_controller.errors import TransportError
from zestor_controller.http import Handler, HttpRequest, HttpResponse

__all__ = ["MemoryTransport", "Stream", "Transport"]

REQUEST_TIMEOUT_S: Final = 65.0  # a server ends a request that is no watch after 60 s


@dataclass(frozen=True, slots=True)
class Stream:
    """An open answer.

    Attributes:
        status: the HTTP status code.
        headers: names in lower case, the last value of each.
        chunks: the body's pieces as they arrive; not split into lines.
        raw_headers: every header as it came; a name may stand more than once.
    """

    status: int
    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes]
    raw_headers: tuple[tuple[str, str], ...] = ()


class Transport(Protocol):
    """What a client needs of the way to its server."""

    @property
    def host(self) -> str:
        """``host:port``, for metrics and messages."""
        ...

    @property
    def server(self) -> str:
        """Which server it is: another one at the same address has another text."""
        ...

    async def request(self, request: HttpRequest, *, timeout: float = REQUEST_TIMEOUT_S) -> HttpResponse:
        """Send a request and read the whole answer.

        Args:
            request: what to send.
            timeout: seconds for all of it.

        Raises:
            TransportError: no usable answer came.
        """
        ...

    def stream(self, request: HttpRequest) -> AbstractAsyncContextManager[Stream]:
        """Send a request and read its answer chunk by chunk; leaving the block ends it.

        Raises:
            TransportError: no usable answer came, or the connection broke.
        """
        ...

    async def close(self) -> None:
        """Close every connection; calling it again is harmless."""
        ...


class MemoryTransport:
    """Calls a Handler in this process; works under virtual time, and a watch streams chunk by chunk.

    Args:
        handler: who answers; the embedded API server is one.
        headers: sent with each request, such as ``Authorization``.
        gate: asked before each request; none lets every write pass.
    """

    def __init__(
        self, handler: Handler, headers: Mapping[str, str] | None = None, *, gate: WriteGate | None = None
    ) -> None:
        self._handler = handler
        self._gate = gate
        self._headers = {name.lower(): value for name, value in (headers or {}).items()}

    @property
    def host(self) -> str:
        """A name for messages."""
        return "in-memory"

    @property
    def server(self) -> str:
        """See :meth:`Transport.server`."""
        return f"in-memory {id(self._handler)}"

    async def request(self, request: HttpRequest, *, timeout: float = REQUEST_TIMEOUT_S) -> HttpResponse:
        """See :meth:`Transport.request`."""
        try:
            async with asyncio.timeout(timeout), self.stream(request) as stream:
                body = b"".join([chunk async for chunk in stream.chunks])
                return HttpResponse(stream.status, list(stream.raw_headers), body)
        except TimeoutError as error:
            raise TransportError(f"{request.method} {request.path}: no answer within {timeout:g} s") from error

    @asynccontextmanager
    async def stream(self, request: HttpRequest) -> AsyncIterator[Stream]:
        """See :meth:`Transport.stream`."""
        if self._gate is not None:
            self._gate.check(request.method, request.path)
        answer = await self._handler.handle(self._with_headers(request))
        headers = {name.lower(): value for name, value in answer.headers}
        body = _once(answer.body) if isinstance(answer.body, bytes) else answer.body
        try:
            yield Stream(answer.status, headers, body, tuple(answer.headers))
        finally:
            close = getattr(body, "aclose", None)
            if close is not None:
                await close()

    async def close(self) -> None:
        """See :meth:`Transport.close`."""
        await asyncio.sleep(0)

    def _with_headers(self, request: HttpRequest) -> HttpRequest:
        headers = {**{name.lower(): value for name, value in request.headers.items()}, **self._headers}
        return HttpRequest(request.method, request.path, request.query, headers, request.body, request.peer)


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body
