"""The one seam to a server: bytes out, bytes in. Two transports: aiohttp over sockets, and memory into a Handler.

Invariant: this is the only module that imports aiohttp's client; its exceptions stop here and become
:class:`~zestor_controller.errors.TransportError`, chained. A transport knows nothing of Kubernetes but credentials.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import quote, urlencode

import aiohttp
from yarl import URL

from zestor_controller.client.credentials import ClusterConfig
from zestor_controller.errors import TransportError
from zestor_controller.http import Handler, HttpRequest, HttpResponse

__all__ = ["AiohttpTransport", "MemoryTransport", "Stream", "Transport"]

REQUEST_TIMEOUT_S: Final = 65.0  # a server ends a request that is no watch after 60 s
CONNECT_TIMEOUT_S: Final = 10.0
READ_BUFFER: Final = 1 << 18


@dataclass(frozen=True, slots=True)
class Stream:
    """An open answer: status, headers, and its chunks as they arrive; not split into lines."""

    status: int
    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes]


class Transport(Protocol):
    """What a client needs of the way to its server."""

    @property
    def host(self) -> str:
        """``host:port``, for metrics and messages."""
        ...

    async def request(self, request: HttpRequest) -> HttpResponse:
        """Send a request and read the whole answer.

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


class AiohttpTransport:
    """HTTP/1.1 over sockets, one connector and one TLS context for a cluster.

    Args:
        config: the server's address and the credentials, which are asked for at each request.
    """

    def __init__(self, config: ClusterConfig) -> None:
        self._config = config
        self._base = config.server.rstrip("/")
        self._session: aiohttp.ClientSession | None = None

    @property
    def host(self) -> str:
        """``host:port`` of the server."""
        url = URL(self._base)
        return f"{url.host}:{url.port}"

    async def request(self, request: HttpRequest) -> HttpResponse:
        """See :meth:`Transport.request`; a 401 refreshes the credentials once and tries again."""
        for attempt in (1, 2):
            async with self._send(request, aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S)) as answer:
                if answer.status == 401 and attempt == 1 and await self._config.refresh():
                    continue
                try:
                    body = await answer.read()
                except (aiohttp.ClientError, TimeoutError, OSError) as error:
                    raise self._broken(request, error) from error
                return HttpResponse(answer.status, list(answer.headers.items()), body)
        raise AssertionError("unreachable: the second attempt returns or raises")

    @asynccontextmanager
    async def stream(self, request: HttpRequest) -> AsyncIterator[Stream]:
        """See :meth:`Transport.stream`; the caller bounds it in time, there is no deadline here."""
        # The total timeout must be off: a watch is meant to last. Only connecting and the first byte are bounded.
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S)
        async with self._send(request, timeout) as first:
            if first.status != 401 or not await self._config.refresh():
                yield Stream(first.status, _lower(first.headers), self._chunks(request, first))
                return
        async with self._send(request, timeout) as second:
            yield Stream(second.status, _lower(second.headers), self._chunks(request, second))

    async def close(self) -> None:
        """See :meth:`Transport.close`."""
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    @asynccontextmanager
    async def _send(
        self, request: HttpRequest, timeout: aiohttp.ClientTimeout
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        session = self._opened()
        # The path is appended by hand: aiohttp's base_url would drop a prefix such as /k8s/clusters/c-x.
        text = self._base + quote(request.path)
        if request.query:
            text += "?" + urlencode(request.query)
        headers = {**request.headers, **await self._config.headers()}
        try:
            answer = await session.request(
                request.method,
                URL(text, encoded=True),
                headers=headers,
                data=request.body or None,
                timeout=timeout,
                ssl=self._config.ssl_context(),
                proxy=self._config.proxy,
                allow_redirects=False,
            )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._broken(request, error) from error
        try:
            yield answer
        finally:
            answer.close() if not answer.content.at_eof() else answer.release()

    async def _chunks(self, request: HttpRequest, answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        content = answer.content
        try:
            while chunk := await content.readany():
                yield chunk
        except (aiohttp.ClientError, OSError) as error:
            raise self._broken(request, error) from error

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, socket_factory=_keepalive_socket),
                auto_decompress=True,
                read_bufsize=READ_BUFFER,
                trust_env=self._config.proxy is None,
                headers={"User-Agent": "zestor-controller"},
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    def _broken(self, request: HttpRequest, error: BaseException) -> TransportError:
        why = str(error) or type(error).__name__
        return TransportError(f"{request.method} {self._base}{request.path}: {why}")


def _keepalive_socket(address: Any) -> socket.socket:
    """A socket that notices a peer that vanished without a word."""
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
        with suppress(AttributeError, OSError):  # not every platform has them
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return made


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


class MemoryTransport:
    """Calls a Handler in this process; works under virtual time, and a watch streams chunk by chunk.

    Args:
        handler: who answers; the embedded API server is one.
        headers: sent with each request, such as ``Authorization``.
    """

    def __init__(self, handler: Handler, headers: Mapping[str, str] | None = None) -> None:
        self._handler = handler
        self._headers = {name.lower(): value for name, value in (headers or {}).items()}

    @property
    def host(self) -> str:
        """A name for messages."""
        return "in-memory"

    async def request(self, request: HttpRequest) -> HttpResponse:
        """See :meth:`Transport.request`."""
        answer = await self._handler.handle(self._with_headers(request))
        if not isinstance(answer.body, bytes):
            answer.body = b"".join([chunk async for chunk in answer.body])
        return answer

    @asynccontextmanager
    async def stream(self, request: HttpRequest) -> AsyncIterator[Stream]:
        """See :meth:`Transport.stream`."""
        answer = await self._handler.handle(self._with_headers(request))
        headers = {name.lower(): value for name, value in answer.headers}
        if isinstance(answer.body, bytes):
            yield Stream(answer.status, headers, _once(answer.body))
            return
        body = answer.body
        try:
            yield Stream(answer.status, headers, body)
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
