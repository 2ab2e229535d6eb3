"""The transport over sockets: HTTP/1.1 by aiohttp, one connector and one TLS context for a cluster.

Invariant: this is the only module that imports aiohttp's client; its exceptions stop here and become
:class:`~zestor_controller.errors.TransportError`, chained.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final
from urllib.parse import quote, urlencode

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import Connection
from multidict import CIMultiDict
from yarl import URL

from zestor_controller.client.credentials import ClusterConfig
from zestor_controller.client.gate import WriteGate
from zestor_controller.client.proxy import Proxy, environment_proxy, parse_proxy
from zestor_controller.client.reasons import connection_failure
from zestor_controller.client.transport import REQUEST_TIMEOUT_S, Stream
from zestor_controller.errors import ConfigError, TransportError
from zestor_controller.http import HttpRequest, HttpResponse

__all__ = ["AiohttpTransport"]

CONNECT_TIMEOUT_S: Final = 10.0
READ_BUFFER: Final = 1 << 18


class AiohttpTransport:
    """HTTP/1.1 over sockets, one connector and one TLS context for a cluster.

    Args:
        config: the server's address and the credentials, which are asked for at each request.
        gate: asked right before a request is sent; none lets every write pass.

    Attributes:
        last_credentials: the headers with credentials that the last request was sent with.
        official: the official client for the same server, once it has been made.
    """

    def __init__(self, config: ClusterConfig, *, gate: WriteGate | None = None) -> None:
        self.config = config
        self._gate = gate
        self._base = config.server.rstrip("/")
        self._proxy = _proxy_of(config)
        self._session: aiohttp.ClientSession | None = None
        self.last_credentials: list[tuple[str, str]] = []
        self.official: Any = None

    @property
    def proxy(self) -> Proxy | None:
        """The proxy that requests go through."""
        return self._proxy

    def check_gate(self, method: str, path: str) -> None:
        """Let a request pass that another client sends to the same server, or refuse it.

        Raises:
            TransportError: it is a write, and the gate is closed.
        """
        if self._gate is not None:
            self._gate.check(method, path)

    @property
    def host(self) -> str:
        """``host:port`` of the server."""
        url = URL(self._base)
        return f"{url.host}:{url.port}"

    @property
    def server(self) -> str:
        """See :meth:`Transport.server`: the address, and the authority that vouches for it."""
        authority = "".join(self.config.authority())
        return f"{self._base} {hashlib.sha256(authority.encode()).hexdigest()}"

    async def request(self, request: HttpRequest, *, timeout: float = REQUEST_TIMEOUT_S) -> HttpResponse:
        """See :meth:`Transport.request`; a 401 refreshes the credentials once and tries again."""
        bound = aiohttp.ClientTimeout(total=timeout, sock_connect=CONNECT_TIMEOUT_S)
        async with self._answered(request, bound) as answer:
            try:
                body = await answer.read()
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                raise self._broken(request, error) from error
            return HttpResponse(answer.status, list(answer.headers.items()), body)

    @asynccontextmanager
    async def stream(self, request: HttpRequest) -> AsyncIterator[Stream]:
        """See :meth:`Transport.stream`; the caller bounds it in time, there is no deadline here."""
        # The total timeout must be off: a watch is meant to last. Only connecting is bounded.
        bound = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S)
        async with self._answered(request, bound) as answer:
            headers = {name.lower(): value for name, value in answer.headers.items()}
            yield Stream(answer.status, headers, self._chunks(request, answer), tuple(answer.headers.items()))

    async def close(self) -> None:
        """See :meth:`Transport.close`."""
        if self.official is not None:
            self.official.rest_client.close()
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    @asynccontextmanager
    async def _answered(
        self, request: HttpRequest, timeout: aiohttp.ClientTimeout
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer to a request, or to its repetition after a 401 when other credentials could be had."""
        credentials = self.last_credentials = await self.config.headers()
        answer = await self._send(request, credentials, timeout)
        if answer.status == 401 and await self._refreshed(answer, credentials):
            answer = await self._send(request, await self.config.headers(), timeout)
        try:
            yield answer
        finally:
            answer.release() if answer.content.at_eof() else _abandon(answer)

    async def _refreshed(self, refused: aiohttp.ClientResponse, credentials: list[tuple[str, str]]) -> bool:
        try:
            refreshed = await self.config.refresh(credentials)
        except BaseException:
            _abandon(refused)
            raise
        if refreshed:
            _abandon(refused)
        return refreshed

    async def _send(
        self, request: HttpRequest, credentials: list[tuple[str, str]], timeout: aiohttp.ClientTimeout
    ) -> aiohttp.ClientResponse:
        # The path is appended by hand: aiohttp's base_url would drop a prefix such as /k8s/clusters/c-x.
        text = self._base + quote(request.path)
        if request.query:
            text += "?" + urlencode(request.query)
        headers = CIMultiDict(request.headers)
        headers.extend(credentials)
        if not self.config.compress:
            headers["Accept-Encoding"] = "identity"
        tls = self.config.ssl_context()
        session = self._opened()
        proxy = None if self._proxy is None or self._proxy.socks else self._proxy
        login = proxy.headers if proxy is not None else {}
        if tls is False:
            headers.extend(login)  # without TLS the request itself goes to the proxy, with TLS a CONNECT before it
        try:
            return await session.request(
                request.method,
                URL(text, encoded=True),
                headers=headers,
                data=request.body or None,
                timeout=timeout,
                ssl=tls,
                server_hostname=self.config.server_name,
                proxy=proxy.url if proxy is not None else None,
                proxy_headers=login if tls is not False else None,
                allow_redirects=False,
            )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._broken(request, error) from error

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
                # No limit: each watch holds a connection, and a request must never wait for one of them to end.
                connector=self._connector(),
                auto_decompress=True,
                read_bufsize=READ_BUFFER,
                headers={"User-Agent": "zestor-controller"},
                cookie_jar=aiohttp.DummyCookieJar(),
                request_class=aiohttp.ClientRequest if self._gate is None else _gated(self._gate),
            )
        return self._session

    def _connector(self) -> aiohttp.TCPConnector:
        if self._proxy is not None and self._proxy.socks:
            return _SocksConnector(self._proxy)
        return aiohttp.TCPConnector(limit=0, socket_factory=_keepalive_socket)

    def _broken(self, request: HttpRequest, error: BaseException) -> TransportError:
        by = f" (by {self._proxy})" if self._proxy is not None else ""
        return TransportError(f"{request.method} {self._base}{request.path}{by}: {connection_failure(error)}")


def _abandon(answer: aiohttp.ClientResponse) -> None:
    """End an answer that was not read to its end: its connection cannot serve the next request."""
    # close() alone would say goodbye in TLS and wait for the server's, on a connection the connector has forgotten:
    # a hung server would keep the socket, and a loop that ends meanwhile would leak it.
    if answer.connection is not None and answer.connection.transport is not None:
        answer.connection.transport.abort()
    answer.close()


def _gated(gate: WriteGate) -> type[aiohttp.ClientRequest]:
    """Requests that ask the gate when the connection stands and nothing has been sent.

    Any earlier would be too early: connecting may take longer than a lease lasts.
    """

    class GatedRequest(aiohttp.ClientRequest):
        async def send(self, conn: Connection) -> aiohttp.ClientResponse:
            gate.check(self.method, self.url.path)
            return await super().send(conn)

    return GatedRequest


def _proxy_of(config: ClusterConfig) -> Proxy | None:
    # aiohttp's ``trust_env`` reads other rules than Go's, and takes passwords from ~/.netrc.
    if config.proxy:
        return parse_proxy(config.proxy, "proxy-url")
    return environment_proxy(config.server, os.environ) if config.trust_env else None


class _HostNames(AbstractResolver):
    """Resolves nothing: a SOCKS proxy is given the name."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [ResolveResult(hostname=host, host=host, port=port, family=family, proto=0, flags=0)]

    async def close(self) -> None:
        pass


class _SocksConnector(aiohttp.TCPConnector):
    """Connects through a SOCKS 5 proxy; TLS is then negotiated with the server, as without one."""

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(limit=0, resolver=_HostNames())
        try:
            library, sockets = (importlib.import_module(f"python_socks{part}") for part in ("", ".async_.asyncio"))
        except ImportError:
            raise ConfigError(f"{proxy} needs a library: pip install 'zestor-controller[socks]'") from None
        (host, port), (user, password) = proxy.address, proxy.login
        self._proxy = sockets.Proxy(library.ProxyType.SOCKS5, host, port, user, password, rdns=True)
        self._refusal: type[Exception] = library.ProxyError

    async def _wrap_create_connection(
        self, *args: Any, addr_infos: list[Any], timeout: aiohttp.ClientTimeout, **kwargs: Any
    ) -> tuple[asyncio.Transport, Any]:
        # aiohttp has no public place for it: this is its method that opens the socket and starts TLS on it.
        tls = {name: value for name, value in kwargs.items() if name in ("ssl", "server_hostname")}
        host, port = addr_infos[0][4][:2]
        async with asyncio.timeout(timeout.sock_connect):
            try:
                connected: socket.socket = await self._proxy.connect(host, port)
            except self._refusal as error:
                raise OSError(str(error)) from error
            try:
                _keep_alive(connected)
                return await self._loop.create_connection(*args, **tls, sock=connected)
            except BaseException:
                connected.close()
                raise


def _keepalive_socket(address: Any) -> socket.socket:
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    _keep_alive(made)
    return made


def _keep_alive(connection: socket.socket) -> None:
    """Notice a peer that vanished without closing the connection."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
        with suppress(AttributeError, OSError):  # not every platform has them
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
