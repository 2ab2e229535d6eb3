"""Requests out of bytes: an HTTP/1.1 parser that takes what has arrived and gives whole requests.

Invariants: nothing is guessed: bytes that two readers might frame differently are refused, and no state grows beyond
:data:`MAX_HEAD` plus :data:`MAX_BODY`. It does no input or output, and its cost is linear in the bytes fed, however
small the pieces.

Source: RFC 9112 (framing), RFC 9110 section 5.3 (repeated fields).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

from zestor_controller.http.message import HttpRequest

__all__ = ["MAX_BODY", "MAX_HEAD", "Incoming", "MalformedRequest", "RequestParser"]

MAX_BODY: Final = 3 * 1024 * 1024
MAX_HEAD: Final = 64 * 1024
_MAX_CHUNK_LINE: Final = 1024

_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_CHUNK_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?")
# Group names may hold commas, so values of these fields must not be joined by one.
_LISTED: Final = "impersonate-"


class MalformedRequest(Exception):
    """The bytes are no request that is served; the connection cannot be used any more.

    Attributes:
        status: the HTTP status of the answer.
        left: how many bytes of a refused body may still come; None when that is unknown.
    """

    def __init__(self, status: int, message: str, left: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.left = left


@dataclass(slots=True)
class Incoming:
    """A whole request.

    Attributes:
        request: the request.
        keep: the connection lives on after the answer.
    """

    request: HttpRequest
    keep: bool


class RequestParser:
    """Takes bytes, gives requests.

    Args:
        peer: facts of the connection, handed on with each request.
    """

    def __init__(self, peer: Mapping[str, Any]) -> None:
        self._peer = peer
        self._buffer = bytearray()
        self._seen = 0
        self._incoming: Incoming | None = None
        self._length = 0
        self._chunked = False
        self._body = bytearray()
        self._chunk_left = 0
        self._in_trailers = False
        self.wants_continue = False

    @property
    def waiting(self) -> int:
        """How many bytes have been fed and not been used yet."""
        return len(self._buffer)

    @property
    def held(self) -> int:
        """How many bytes are kept of requests that are not complete."""
        return len(self._buffer) + len(self._body)

    @property
    def in_body(self) -> bool:
        """Whether a request's head is complete and its body is not."""
        return self._incoming is not None

    def feed(self, data: bytes) -> None:
        """Take bytes that have arrived."""
        self._buffer += data

    def next(self) -> Incoming | None:
        """The next whole request; None when more must arrive. :attr:`wants_continue` tells that the client waits.

        Raises:
            MalformedRequest: what has arrived is no request that is served.
        """
        if self._incoming is None:
            head = self._take_head()
            if head is None:
                return None
            self._incoming = self._read_head(head)
        if self._chunked:
            if not self._take_chunks():
                return None
            body, self._body = bytes(self._body), bytearray()
        else:
            if len(self._buffer) < self._length:
                return None
            body = bytes(self._buffer[: self._length])
            del self._buffer[: self._length]
        incoming, self._incoming = self._incoming, None
        self.wants_continue = False
        incoming.request.body = body
        return incoming

    def _take_head(self) -> bytes | None:
        buffer = self._buffer
        while buffer.startswith(b"\r\n"):
            del buffer[:2]  # RFC 9112, 2.2: empty lines before a request are passed over
            self._seen = 0
        end = buffer.find(b"\r\n\r\n", max(0, self._seen - 3))
        if end > MAX_HEAD or (end < 0 and len(buffer) > MAX_HEAD):
            raise MalformedRequest(431, "the request's headers are too large")
        if end < 0:
            self._seen = len(buffer)
            return None
        head = bytes(buffer[:end])
        del buffer[: end + 4]
        self._seen = 0
        return head

    def _read_head(self, head: bytes) -> Incoming:
        first, *lines = head.decode("latin-1").split("\r\n")
        parts = first.split(" ")
        if len(parts) != 3 or not _TOKEN.fullmatch(parts[0]) or _CONTROL.search(first):
            raise MalformedRequest(400, "malformed HTTP request line")
        method, target, version = parts
        if version not in ("HTTP/1.1", "HTTP/1.0"):
            raise MalformedRequest(400, f"unsupported protocol version {version[:20]!r}")
        headers = _fields(lines)
        if version == "HTTP/1.1" and "host" not in headers:
            raise MalformedRequest(400, "missing required Host header")
        self._frame(headers)
        path, _, query = target.partition("?")
        if path.startswith(("http://", "https://")):
            path = "/" + path.split("/", 3)[3] if path.count("/") > 2 else "/"
        if not path.startswith("/"):
            raise MalformedRequest(400, "malformed request target")
        connection = headers.get("connection", "").lower()
        keep = "close" not in connection and (version == "HTTP/1.1" or "keep-alive" in connection)
        self.wants_continue = headers.get("expect", "").lower() == "100-continue"
        pairs = parse_qsl(query, keep_blank_values=True)
        return Incoming(HttpRequest(method, unquote(path), pairs, headers, b"", self._peer), keep)

    def _frame(self, headers: Mapping[str, str]) -> None:
        """How the body is delimited."""
        self._length, self._chunked = 0, False
        coding, length = headers.get("transfer-encoding"), headers.get("content-length")
        if coding is not None:
            if length is not None:
                raise MalformedRequest(400, "both Transfer-Encoding and Content-Length are given")
            if coding.lower() != "chunked":
                raise MalformedRequest(501, f"unsupported transfer encoding {coding[:40]!r}")
            self._chunked = True
        elif length is not None:
            if not (length.isascii() and length.isdecimal() and len(length) < 19):
                raise MalformedRequest(400, "malformed Content-Length")
            self._length = int(length)
            if self._length > MAX_BODY:
                raise _too_large(self._length - len(self._buffer))

    def _take_chunks(self) -> bool:
        """Move what has arrived of a chunked body into it; whether it is complete."""
        buffer, at = self._buffer, 0
        try:
            while True:
                if self._chunk_left:
                    piece = buffer[at : at + self._chunk_left]
                    at += len(piece)
                    self._chunk_left -= len(piece)
                    # The last two bytes of a chunk are its line end: they are taken with it, and looked at.
                    self._body += piece
                    if self._chunk_left:
                        return False
                    if not self._body.endswith(b"\r\n"):
                        raise MalformedRequest(400, "malformed chunk")
                    del self._body[-2:]
                end = buffer.find(b"\r\n", at)
                if end < 0 or end - at > _MAX_CHUNK_LINE:
                    if len(buffer) - at > _MAX_CHUNK_LINE:
                        raise MalformedRequest(400, "malformed chunk size")
                    return False
                line = bytes(buffer[at:end])
                at = end + 2
                if self._in_trailers:
                    if not line:
                        self._in_trailers = False
                        return True
                    continue
                size = _CHUNK_SIZE.fullmatch(line)
                if size is None:
                    raise MalformedRequest(400, "malformed chunk size")
                count = int(size[1], 16)
                if len(self._body) + count > MAX_BODY:
                    raise _too_large(None)
                if count:
                    self._chunk_left = count + 2
                else:
                    self._in_trailers = True
        finally:
            del buffer[:at]


def _fields(lines: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not _TOKEN.fullmatch(name) or _CONTROL.search(value):
            raise MalformedRequest(400, "malformed HTTP header")
        name, value = name.lower(), value.strip(" \t")
        if name in headers:
            joint = "\n" if name.startswith(_LISTED) else ", "
            headers[name] = f"{headers[name]}{joint}{value}"
        else:
            headers[name] = value
    return headers


def _too_large(left: int | None) -> MalformedRequest:
    return MalformedRequest(413, f"Request entity too large: limit is {MAX_BODY}", left)
