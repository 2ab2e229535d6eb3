"""HTTP/1.1 on a socket for any Handler: keep-alive, chunked streams, one write a chunk.

Invariants: a request reaches the Handler whole or not at all; answers go out in the order of the requests; when a
client goes away, the iterator of the answer it was reading is closed at once, so that a watch frees what it holds; a
slow reader stops the iterator, it never makes the server buffer without bound.

The parser is our own because a watch's hot path is one ``write`` here; frameworks spend several times that on each
chunk.

Source: RFC 9112.
"""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
from collections.abc import AsyncIterator
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

from zestor_controller.apiserver.status import status_body
from zestor_controller.http import Handler, HttpRequest, HttpResponse

__all__ = ["MAX_BODY", "SocketServer"]

_log = logging.getLogger(__name__)

MAX_BODY: Final = 3 * 1024 * 1024
MAX_HEAD: Final = 64 * 1024
_PHRASES: Final = {
    200: "OK",
    201: "Created",
    202: "Accepted",
    204: "No Content",
    304: "Not Modified",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    409: "Conflict",
    410: "Gone",
    413: "Request Entity Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Entity",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


class SocketServer:
    """Listens on one address.

    Args:
        handler: answers the requests.
        tls: a server's TLS context; None serves plain HTTP.
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
        """Accept nothing more and end every connection, open watches included; harmless when not started."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.close()
        tasks = [task for connection in list(self._connections) if (task := connection.abort()) is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=2)
        await server.wait_closed()


class _BadRequest(Exception):
    """The client does not speak HTTP; the connection ends after the answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class _Connection(asyncio.Protocol):
    """One client: reads requests one after the other, and answers each before it looks at the next."""

    def __init__(self, handler: Handler, connections: set[_Connection]) -> None:
        self._handler = handler
        self._connections = connections
        self._transport: asyncio.Transport = None  # type: ignore[assignment]  # set before anything else is called
        self._buffer = bytearray()
        self._task: asyncio.Task[None] | None = None
        self._peer: dict[str, Any] = {}
        self._writable = asyncio.Event()
        self._writable.set()
        self._parsed: tuple[HttpRequest, int, bool, bool] | None = None
        self._closing = False

    # The transport's calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._connections.add(self)
        self._peer = {"address": transport.get_extra_info("peername")}
        tls = transport.get_extra_info("ssl_object")
        if tls is not None and (certificate := tls.getpeercert()):
            self._peer["certificate"] = certificate

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._task is None:
            self._next()
        elif len(self._buffer) > MAX_BODY + MAX_HEAD:
            self._transport.pause_reading()  # it pipelines more than anybody needs

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        self._closing = True
        self._writable.set()
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def abort(self) -> asyncio.Task[None] | None:
        """End the connection; answers the task that is still ending, if there is one."""
        self._closing = True
        task = self._task
        if task is not None:
            task.cancel()
        self._transport.close()
        return task

    # Reading

    def _next(self) -> None:
        """Start to answer the next request, if all of it has arrived."""
        try:
            request = self._take()
        except _BadRequest as error:
            body = json.dumps(status_body(error.status, str(error), _reason(error.status))).encode()
            headers = [("Content-Type", "application/json"), ("Connection", "close")]
            self._write_whole(HttpResponse(error.status, headers, body), "GET")
            self._transport.close()
            return
        if request is not None:
            self._task = asyncio.get_running_loop().create_task(self._answer(*request))

    def _take(self) -> tuple[HttpRequest, bool] | None:
        """The next whole request and whether the connection lives on after it; None when more must arrive."""
        buffer = self._buffer
        if self._parsed is None:
            end = buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(buffer) > MAX_HEAD:
                    raise _BadRequest(431, "the request's headers are too large")
                return None
            head = bytes(buffer[:end])
            del buffer[: end + 4]
            self._parsed = self._head(head)
        request, length, chunked, keep = self._parsed
        if chunked:
            body = self._chunks()
            if body is None:
                return None
        else:
            if len(buffer) < length:
                return None
            body = bytes(buffer[:length])
            del buffer[:length]
        request.body = body
        self._parsed = None
        return request, keep

    def _head(self, head: bytes) -> tuple[HttpRequest, int, bool, bool]:
        try:
            first, *lines = head.decode("latin-1").split("\r\n")
            method, target, version = first.split(" ")
        except ValueError:
            raise _BadRequest(400, "malformed HTTP request line") from None
        if version not in ("HTTP/1.1", "HTTP/1.0"):
            raise _BadRequest(400, f"unsupported protocol version {version[:20]!r}")
        headers: dict[str, str] = {}
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon or not name or name != name.strip():
                raise _BadRequest(400, "malformed HTTP header")
            name = name.lower()
            # Several lines of one name mean the same as one with commas (RFC 9110, 5.3).
            headers[name] = f"{headers[name]}, {value.strip()}" if name in headers else value.strip()
        path, _, query = target.partition("?")
        if path.startswith("http://") or path.startswith("https://"):
            path = "/" + path.split("/", 3)[3] if path.count("/") > 2 else "/"
        if not path.startswith("/"):
            raise _BadRequest(400, "malformed request target")
        length, chunked = 0, headers.get("transfer-encoding", "").lower() == "chunked"
        if not chunked and "content-length" in headers:
            text = headers["content-length"]
            if not text.isdecimal():
                raise _BadRequest(400, "malformed Content-Length")
            length = int(text)
        if length > MAX_BODY:
            raise _BadRequest(413, f"Request entity too large: limit is {MAX_BODY}")
        if headers.get("expect", "").lower() == "100-continue":
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        connection = headers.get("connection", "").lower()
        keep = "close" not in connection and (version == "HTTP/1.1" or "keep-alive" in connection)
        pairs = parse_qsl(query, keep_blank_values=True)
        request = HttpRequest(method, unquote(path), pairs, headers, b"", self._peer)
        return request, length, chunked, keep

    def _chunks(self) -> bytes | None:
        """The body of a chunked request, once all of it is there."""
        buffer, at, size = self._buffer, 0, 0
        parts: list[bytes] = []
        while True:
            end = buffer.find(b"\r\n", at)
            if end < 0:
                return None
            try:
                count = int(bytes(buffer[at:end]).split(b";")[0], 16)
            except ValueError:
                raise _BadRequest(400, "malformed chunk size") from None
            at = end + 2
            size += count
            if size > MAX_BODY:
                raise _BadRequest(413, f"Request entity too large: limit is {MAX_BODY}")
            if count == 0:
                while True:  # trailers end with an empty line
                    end = buffer.find(b"\r\n", at)
                    if end < 0:
                        return None
                    empty, at = end == at, end + 2
                    if empty:
                        break
                del buffer[:at]
                return b"".join(parts)
            if len(buffer) < at + count + 2:
                return None
            parts.append(bytes(buffer[at : at + count]))
            at += count + 2

    # Answering

    async def _answer(self, request: HttpRequest, keep: bool) -> None:
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
            self._transport.close()
            return
        finally:
            self._task = None
        if self._closing or not keep:
            self._transport.close()
            return
        self._transport.resume_reading()
        if self._buffer:
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
            write(b"0\r\n\r\n")
            return True
        finally:
            close = getattr(chunks, "aclose", None)
            if close is not None:
                await close()

    def _head_of(self, response: HttpResponse, framing: str) -> bytes:
        phrase = _PHRASES.get(response.status, "Status")
        lines = [f"HTTP/1.1 {response.status} {phrase}"]
        lines += [f"{name}: {value}" for name, value in response.headers]
        lines += [framing, "", ""]
        return "\r\n".join(lines).encode("latin-1", "replace")


def _reason(status: int) -> str:
    return {400: "BadRequest", 413: "RequestEntityTooLarge"}.get(status, "")
