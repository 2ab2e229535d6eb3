"""HTTP/1.1 on a socket for any Handler: keep-alive, chunked streams, one write a chunk.

Invariants: a request reaches the Handler whole or not at all; answers go out in the order of the requests; when a
client goes away, the iterator of the answer it was reading is closed at once, so that a watch frees what it holds; a
slow reader stops the iterator, it never makes the server buffer without bound. A connection that a client leaves
waiting in the middle of a request or a response, or idle between two, is closed after a time; a watch is never cut,
however long it lasts and however seldom its client reads.

It is a protocol of our own because a watch's hot path is one ``write`` here; frameworks spend several times that on
each chunk.
"""

from __future__ import annotations

import asyncio
import logging
import math
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, TypeAlias, cast

from zestor_controller.http.http1 import MAX_BODY, MAX_HEAD, Incoming, MalformedRequest, RequestParser
from zestor_controller.http.listener import Connection, Listener, connection_limit
from zestor_controller.http.message import Handler, HttpResponse

__all__ = ["HttpConnection", "HttpServer", "Shared"]

_log = logging.getLogger(__name__)

HEADER_S: Final = 32.0  # ReadHeaderTimeout of kube-apiserver, for a head from its first byte on
BODY_S: Final = 60.0  # its --request-timeout: for a body from the end of its head on
IDLE_S: Final = 90.0  # its IdleTimeout: between two requests
WRITE_S: Final = 90.0  # for a client to take a piece of a response, but for a watch's
CLOSE_S: Final = 32.0  # for a client to take what was written last
RECEIVING: Final = 256 * 1024 * 1024  # bytes of incomplete requests that all connections hold together
PIECE: Final = 256 * 1024  # of a response's body
STOP_S: Final = 1.0
DRAIN_S: Final = 1.0
DRAIN_BYTES: Final = 64 * 1024 * 1024
_NO_LINE_ENDS: Final = {10: " ", 13: " "}
_PHRASES: Final = {status.value: status.phrase for status in HTTPStatus}


Reject: TypeAlias = Callable[[MalformedRequest], HttpResponse]


def rejection(error: MalformedRequest) -> HttpResponse:
    """The response to bytes that are no request: the message as plain text."""
    return HttpResponse(error.status, [("Content-Type", "text/plain; charset=utf-8")], f"{error}\n".encode())


class HttpServer:
    """Listens on one address.

    Args:
        handler: answers the requests.
        tls: a server's TLS context; None serves plain HTTP.
        limit: how many connections there are at once; None takes what the process's descriptors allow.
        reject: makes the response to bytes that are no request.

    Attributes:
        port: where it listens, once it does.
    """

    def __init__(
        self,
        handler: Handler,
        tls: ssl.SSLContext | None = None,
        *,
        limit: int | None = None,
        reject: Reject = rejection,
    ) -> None:
        self._handler = handler
        self._reject = reject
        self._tls = tls
        self._limit = connection_limit() if limit is None else limit
        self._listener: Listener | None = None
        self._shared = Shared()
        self.port = 0

    async def start(self, host: str, port: int) -> None:
        """Listen.

        Args:
            host: an address of this machine.
            port: 0 takes a free one; :attr:`port` tells which.

        Raises:
            OSError: the address cannot be had, for one because the port is in use.
        """
        listener = Listener(lambda: HttpConnection(self._handler, self._shared, self._reject), self._tls, self._limit)
        self.port = await listener.start(host, port)
        self._listener = listener

    async def stop(self) -> None:
        """Accept nothing more and end every connection; harmless when not started.

        Streams come to their regular end; what a client has not read after a second is thrown away.
        """
        if self._listener is None:
            return
        listener, self._listener = self._listener, None
        await listener.close()
        connections = self._shared.connections
        for connection in list(connections):
            connection.finish()
        ending = [asyncio.ensure_future(connection.gone.wait()) for connection in connections]
        if ending:
            await asyncio.wait(ending, timeout=STOP_S)
        for waiting in ending:
            waiting.cancel()
        for connection in list(connections):
            connection.abort()


@dataclass(slots=True, eq=False)
class Shared:
    """What the connections of a server share.

    Attributes:
        connections: all that are open.
        held: bytes of incomplete requests that they hold together.
    """

    connections: set[HttpConnection] = field(default_factory=set)
    held: int = 0


class HttpConnection(Connection):
    """One client: reads requests one after the other, and answers each before it looks at the next."""

    def __init__(self, handler: Handler, shared: Shared, reject: Reject = rejection) -> None:
        super().__init__()
        self._handler = handler
        self._reject = reject
        self._shared = shared
        self._held = 0
        self._deadline = math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf
        self._phase = ""
        self._transport: asyncio.Transport = None  # type: ignore[assignment]  # set before anything else is called
        self._parser: RequestParser = None  # type: ignore[assignment]  # likewise
        self._task: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._closing = False
        self._finishing = False
        self._drain_left = 0

    # The transport's calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin: the client has 32 s for its first request's head."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's TLS transport is one, but not its subclass
        self._shared.connections.add(self)
        self._wait("head", HEADER_S)
        peer: dict[str, Any] = {"address": transport.get_extra_info("peername")}
        tls = transport.get_extra_info("ssl_object")
        if tls is not None and (certificate := tls.getpeercert()):
            peer["certificate"] = certificate
        self._parser = RequestParser(peer)

    def data_received(self, data: bytes) -> None:
        """Take bytes; the first complete request is carried out."""
        if self._closing:
            self._drain_left -= len(data)
            if self._drain_left <= 0:
                self._close()
            return
        self._parser.feed(data)
        if self._task is None:
            self._next()
        elif self._parser.waiting > MAX_BODY + MAX_HEAD:
            self._transport.pause_reading()  # it pipelines more than any client needs
        self._count()

    def _count(self) -> None:
        """Take note of what is held; a connection that brings more than all together may is closed."""
        held = self._parser.held
        self._shared.held += held - self._held
        self._held = held
        if held and self._shared.held > RECEIVING:
            _log.warning("a connection is closed: requests that are being received hold %d bytes", self._shared.held)
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """End whatever still runs for the client."""
        self._shared.connections.discard(self)
        self._shared.held -= self._held
        self._held = 0
        if self._timer is not None:
            self._timer.cancel()
        self._closing = True
        self._writable.set()
        self.gone.set()
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        """The client reads more slowly than it is written to."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._writable.set()

    # The server's calls

    def finish(self) -> None:
        """End the connection in good order: a stream ends here; a request that still waits is abandoned."""
        self._finishing = True
        if self._task is not None:
            self._task.cancel()
        elif not self._closing:
            self._close()

    def abort(self) -> None:
        """End the connection at once."""
        self._transport.abort()

    # Waiting

    def _wait(self, phase: str, seconds: float) -> None:
        """Wait for the client: the connection is aborted when it stays in this phase for longer."""
        if self._phase == phase or self.gone.is_set():
            return
        self._phase = phase
        loop = asyncio.get_running_loop()
        self._deadline = loop.time() + seconds
        if self._deadline < self._timer_at:
            # A timer that rings too early is set again; one that would ring too late is replaced.
            if self._timer is not None:
                self._timer.cancel()
            self._timer_at = self._deadline
            self._timer = loop.call_at(self._timer_at, self._ring)

    def _responding(self) -> None:
        """Wait for the handler, which may take as long as it needs."""
        self._phase, self._deadline = "response", math.inf

    def _ring(self) -> None:
        """Abort the connection if its time is over; else look again when it will be."""
        loop = asyncio.get_running_loop()
        self._timer, self._timer_at = None, math.inf
        if self._deadline > loop.time():
            if self._deadline < math.inf:
                self._timer_at = self._deadline
                self._timer = loop.call_at(self._timer_at, self._ring)
            return
        _log.debug("a connection is closed: its client took too long (%s)", self._phase)
        self.abort()

    def _close(self) -> None:
        """Close once the client has taken what was written."""
        self._closing = True
        self._transport.close()
        self._wait("close", CLOSE_S)

    # Reading

    def _next(self) -> None:
        """Start to answer the next request, if all of it has arrived."""
        try:
            incoming = self._parser.next()
        except MalformedRequest as error:
            self._refuse(error)
            return
        if incoming is not None:
            self._responding()
            self._task = asyncio.get_running_loop().create_task(self._answer(incoming))
            return
        if self._parser.in_body:
            self._wait("body", BODY_S)
        elif self._parser.waiting:
            self._wait("head", HEADER_S)
        if self._parser.wants_continue:
            self._parser.wants_continue = False
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _refuse(self, error: MalformedRequest) -> None:
        response = self._reject(error)
        response.headers.append(("Connection", "close"))
        self._write_whole(response, "GET")
        self._closing = True
        if error.status != 413:
            self._close()
            return
        # Closing on a client that still sends would reset the connection, and the answer would be lost with it: what
        # remains of the body is thrown away first.
        self._drain_left = DRAIN_BYTES if error.left is None else min(error.left, DRAIN_BYTES)
        if self._drain_left <= 0:
            self._close()
            return
        asyncio.get_running_loop().call_later(DRAIN_S, self._close)

    # Answering

    async def _answer(self, incoming: Incoming) -> None:
        request, keep = incoming.request, incoming.keep
        try:
            response = await self._handler.handle(request)
            if isinstance(response.body, bytes):
                await self._write_body(response, request.method)
            else:
                keep = await self._write_stream(response, response.body) and keep
        except asyncio.CancelledError:
            self._close()
            raise
        except Exception:  # the Handler promises not to raise; a defect must not leave the client waiting
            _log.exception("%s %s failed", request.method, request.path)
            self._close()
            return
        finally:
            self._task = None
        if self._closing or self._finishing or not keep:
            self._close()
            return
        self._wait("idle", IDLE_S)
        self._transport.resume_reading()
        if self._parser.waiting:
            self._next()
            self._count()

    async def _write_body(self, response: HttpResponse, method: str) -> None:
        """Write a response that is in memory; a long one in pieces, no faster than its client reads."""
        body = response.body
        if not isinstance(body, bytes) or len(body) <= PIECE or method == "HEAD":
            self._write_whole(response, method)
            return
        self._transport.write(self._head_of(response, f"Content-Length: {len(body)}"))
        for at in range(0, len(body), PIECE):
            self._transport.write(body[at : at + PIECE])
            if not self._writable.is_set():
                self._wait("write", WRITE_S)
                await self._writable.wait()
                self._responding()
            if self._closing:
                return

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
