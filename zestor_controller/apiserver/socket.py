"""HTTP/1.1 on a socket for any Handler: keep-alive, chunked streams, one write a chunk.

Invariants: a request reaches the Handler whole or not at all; answers go out in the order of the requests; when a
client goes away, the iterator of the answer it was reading is closed at once, so that a watch frees what it holds; a
slow reader stops the iterator, it never makes the server buffer without bound.

It is a protocol of our own because a watch's hot path is one ``write`` here; frameworks spend several times that on
each chunk.
"""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any, Final, cast

from zestor_controller.apiserver.framing import MAX_BODY, MAX_HEAD, Incoming, MalformedRequest, RequestParser
from zestor_controller.apiserver.status import status_body
from zestor_controller.http import Handler, HttpResponse

__all__ = ["SocketServer"]

_log = logging.getLogger(__name__)

STOP_S: Final = 1.0
DRAIN_S: Final = 1.0
DRAIN_BYTES: Final = 64 * 1024 * 1024
_REASONS: Final = {400: "BadRequest", 413: "RequestEntityTooLarge"}
_NO_LINE_ENDS: Final = {10: " ", 13: " "}
_PHRASES: Final = {status.value: status.phrase for status in HTTPStatus}


class SocketServer:
    """Listens on one address.

    Args:
        handler: answers the requests.
        tls: a server's TLS context; None serves plain HTTP.

    Attributes:
        port: where it listens, once it does.
    """

    def __init__(self, handler: Handler, tls: ssl.SSLContext | None = None) -> None:
        self._handler = handler
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()
        self.port = 0

    async def start(self, host: str, port: int) -> None:
        """Listen.

        Args:
            host: an address of this machine.
            port: 0 takes a free one; :attr:`port` tells which.

        Raises:
            OSError: the address cannot be had, for one because the port is in use.
        """
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Connection(self._handler, self._connections), host, port, ssl=self._tls, backlog=512
        )
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Accept nothing more and end every connection; harmless when not started.

        Streams come to their regular end; what a client has not read after a second is thrown away.
        """
        if self._server is None:
            return
        server, self._server = self._server, None
        server.close()
        for connection in list(self._connections):
            connection.finish()
        ending = [asyncio.ensure_future(connection.gone.wait()) for connection in self._connections]
        if ending:
            await asyncio.wait(ending, timeout=STOP_S)
        for waiting in ending:
            waiting.cancel()
        for connection in list(self._connections):
            connection.abort()
        await server.wait_closed()


class _Connection(asyncio.Protocol):
    """One client: reads requests one after the other, and answers each before it looks at the next."""

    def __init__(self, handler: Handler, connections: set[_Connection]) -> None:
        self._handler = handler
        self._connections = connections
        self._transport: asyncio.Transport = None  # type: ignore[assignment]  # set before anything else is called
        self._parser: RequestParser = None  # type: ignore[assignment]  # likewise
        self._task: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._closing = False
        self._finishing = False
        self._drain_left = 0
        self.gone = asyncio.Event()

    # The transport's calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's TLS transport is no subclass of it
        self._connections.add(self)
        peer: dict[str, Any] = {"address": transport.get_extra_info("peername")}
        tls = transport.get_extra_info("ssl_object")
        if tls is not None and (certificate := tls.getpeercert()):
            peer["certificate"] = certificate
        self._parser = RequestParser(peer)

    def data_received(self, data: bytes) -> None:
        if self._closing:
            self._drain_left -= len(data)
            if self._drain_left <= 0:
                self._transport.close()
            return
        self._parser.feed(data)
        if self._task is None:
            self._next()
        elif self._parser.waiting > MAX_BODY + MAX_HEAD:
            self._transport.pause_reading()  # it pipelines more than anybody needs

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        self._closing = True
        self._writable.set()
        self.gone.set()
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    # The server's calls

    def finish(self) -> None:
        """End the connection in good order: a stream ends here; a request that still waits is abandoned."""
        self._finishing = True
        if self._task is not None:
            self._task.cancel()
        elif not self._closing:
            self._closing = True
            self._transport.close()

    def abort(self) -> None:
        """End the connection at once."""
        self._transport.abort()

    # Reading

    def _next(self) -> None:
        """Start to answer the next request, if all of it has arrived."""
        try:
            incoming = self._parser.next()
        except MalformedRequest as error:
            self._refuse(error)
            return
        if incoming is not None:
            self._task = asyncio.get_running_loop().create_task(self._answer(incoming))
        elif self._parser.wants_continue:
            self._parser.wants_continue = False
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _refuse(self, error: MalformedRequest) -> None:
        body = json.dumps(status_body(error.status, str(error), _REASONS.get(error.status, ""))).encode()
        headers = [("Content-Type", "application/json"), ("Connection", "close")]
        self._write_whole(HttpResponse(error.status, headers, body), "GET")
        self._closing = True
        if error.status != 413:
            self._transport.close()
            return
        # Closing on a client that still sends would reset the connection, and the answer would be lost with it: what
        # remains of the body is thrown away first.
        self._drain_left = DRAIN_BYTES if error.left is None else min(error.left, DRAIN_BYTES)
        if self._drain_left <= 0:
            self._transport.close()
            return
        asyncio.get_running_loop().call_later(DRAIN_S, self._transport.close)

    # Answering

    async def _answer(self, incoming: Incoming) -> None:
        request, keep = incoming.request, incoming.keep
        try:
            response = await self._handler.handle(request)
            if isinstance(response.body, bytes):
                self._write_whole(response, request.method)
            else:
                keep = await self._write_stream(response, response.body) and keep
        except asyncio.CancelledError:
            self._transport.close()
            raise
        except Exception:  # the Handler promises not to raise; a defect must not leave the client waiting
            _log.exception("%s %s failed", request.method, request.path)
            self._closing = True
            self._transport.close()
            return
        finally:
            self._task = None
        if self._closing or self._finishing or not keep:
            self._closing = True
            self._transport.close()
            return
        self._transport.resume_reading()
        if self._parser.waiting:
            self._next()

    def _write_whole(self, response: HttpResponse, method: str) -> None:
        body = response.body
        assert isinstance(body, bytes)  # the caller looked
        head = self._head_of(response, f"Content-Length: {len(body)}")
        self._transport.write(head if method == "HEAD" else head + body)

    async def _write_stream(self, response: HttpResponse, chunks: AsyncIterator[bytes]) -> bool:
        """Write chunk by chunk; whether the stream came to its end."""
        write = self._transport.write
        write(self._head_of(response, "Transfer-Encoding: chunked"))
        try:
            async for chunk in chunks:
                if not chunk:
                    continue
                write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
                if not self._writable.is_set():
                    await self._writable.wait()
                if self._closing:
                    return False
        except asyncio.CancelledError:
            if not self._finishing or self._closing:
                raise
        finally:
            close = getattr(chunks, "aclose", None)
            if close is not None:
                await close()
        write(b"0\r\n\r\n")
        return True

    def _head_of(self, response: HttpResponse, framing: str) -> bytes:
        lines = [f"HTTP/1.1 {response.status} {_PHRASES.get(response.status, 'Status')}"]
        lines += [f"{name}: {value}" for name, value in response.headers]
        # Texts of users get into Warning headers: a line end in one must not become a header of its own.
        lines = [line.translate(_NO_LINE_ENDS) for line in lines]
        lines += [framing, "", ""]
        return "\r\n".join(lines).encode()
