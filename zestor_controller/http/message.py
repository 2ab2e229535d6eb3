"""The HTTP values that both sides share: what a client sends and what a server answers.

Pure values and two Protocols, no input or output. The client's transports speak them, the embedded API server
implements :class:`Handler` with them, and the in-memory transport is nothing but a call from one to the other.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

__all__ = ["Handler", "HttpRequest", "HttpResponse"]


@dataclass(slots=True)
class HttpRequest:
    """One request.

    Attributes:
        method: upper case.
        path: the decoded path without the query, always with a leading slash.
        query: the decoded query parameters in order, repeated names kept.
        headers: names in lower case.
        body: the whole body.
        peer: facts of the connection that the receiving side adds (such as a client certificate's subject).
    """

    method: str
    path: str
    query: list[tuple[str, str]] = field(default_factory=list)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    peer: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class HttpResponse:
    """One answer.

    Attributes:
        status: the HTTP status code.
        headers: name and value in order; a name may stand more than once (``Warning`` does).
        body: the whole body, or an asynchronous iterator of chunks to be flushed one by one. Whoever receives an
            iterator must exhaust it or call its ``aclose()``, so that the sender can free what it holds.
    """

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes | AsyncIterator[bytes] = b""

    def header(self, name: str) -> str | None:
        """The first value of a header, matched without regard to case; None when it is absent."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)


class Handler(Protocol):
    """Something that answers HTTP requests inside the process."""

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """Answer one request; never raises for a bad one (that is an answer of its own)."""
        ...
