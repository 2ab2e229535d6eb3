"""Faults between a client and an API server, on request: a Handler in front of another one.

Invariant: it changes no request and no object. What a client sees through it is what a real network, proxy or lagging
replica could have shown it: requests fail or their response is lost, watches end, freeze, repeat or arrive late, lists
are served from an older state where the request allows it.

It needs no clock but the loop's, so it works under virtual time; see :mod:`zestor_controller.testing.clock`.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from zestor_controller.deprecation import renamed
from zestor_controller.errors import TransportError
from zestor_controller.http import Handler, HttpRequest, HttpResponse
from zestor_controller.testing.scripted import status_response

__all__ = ["FaultyNetwork", "status_response", "verb_of"]

SHORT_S: Final = 0.05
READS: Final = ("get", "list", "watch")
_VERBS: Final = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


def verb_of(request: HttpRequest) -> tuple[str, str]:
    """The verb of a request, as RBAC names it, and its plural."""
    parts = request.path.strip("/").split("/")
    rest = parts[2:] if parts[0] == "api" else parts[3:]
    if len(rest) > 2 and rest[0] == "namespaces":
        rest = rest[2:]
    plural, named = (rest[0] if rest else ""), len(rest) > 1
    if request.method == "GET":
        query = dict(request.query)
        verb = "watch" if query.get("watch") in ("true", "1") else "get" if named else "list"
    else:
        verb = _VERBS.get(request.method, request.method.lower())
    return verb, plural


@dataclass(slots=True)
class _Failure:
    """A failure of the requests to come: which ones, how many of them, and how they fail."""

    verb: str
    plural: str | None
    times: int
    response: HttpResponse | Exception
    after: bool

    def matches(self, verb: str, plural: str) -> bool:
        wanted = self.verb in ("*", verb) or (self.verb == "write" and verb not in READS)
        return wanted and self.plural in (None, plural)


@dataclass(slots=True, eq=False)
class _Watch:
    """One open watch: what has come from the server, when it may be passed on, and how it is to end."""

    plural: str
    pending: deque[tuple[float, bytes]] = field(default_factory=deque)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    last: bytes = b""
    exhausted: bool = False
    cut: bool = False
    torn: bool = False
    error: Exception | None = None
    frozen: bool = False

    async def pieces(self, short: bool) -> AsyncIterator[bytes]:
        """What the client gets: each piece when it is due, until the stream ends or is cut."""
        loop = asyncio.get_running_loop()
        end = loop.time() + SHORT_S if short else math.inf
        while True:
            due = self.pending[0][0] if self.pending else None
            if not self.frozen and not self.cut and due is not None and due <= loop.time():
                self.last = self.pending.popleft()[1]
                yield self.last
                if short:
                    return
                continue
            if self.cut and not self.frozen:
                if self.torn:
                    whole = self.pending[0][1] if self.pending else b'{"type":"MODIFIED","object":{"kind'
                    yield whole[: max(1, len(whole) // 2)]
                if self.error is not None:
                    raise self.error
                return
            if self.exhausted and due is None and not self.frozen:
                return
            if loop.time() >= end:
                return
            self.wake.clear()
            until = end if self.frozen or self.cut or due is None else min(due, end)
            try:
                async with asyncio.timeout_at(until if until < math.inf else None):
                    await self.wake.wait()
            except TimeoutError:
                continue


class FaultyNetwork:
    """The way from one client to a server.

    Args:
        server: the Handler behind it.

    Attributes:
        server: the Handler behind it; may be replaced, as when a server is restored from a backup.
        down: every request fails with :class:`TransportError`; open watches are not touched (see :meth:`cut`).
        lag: seconds by which events of watches are late; their order is kept.
        short_watches: each new watch ends after the first piece that it brings, and after 50 ms without one.
        staleness: how many versions behind the present one are lists served from, where a request allows an older
            state (``resourceVersion=0`` or ``NotOlderThan``); a lagging replica does so.
        requests: verb and plural of each request so far.
    """

    def __init__(self, server: Handler) -> None:
        self.server = server
        self.down = False
        self.lag = 0.0
        self.short_watches = False
        self.staleness = 0
        self.requests: list[tuple[str, str]] = []
        self._failures: list[_Failure] = []
        self._watches: dict[_Watch, None] = {}

    # Faults

    def fail(self, verb: str, response: HttpResponse | Exception, *, plural: str | None = None, times: int = 1) -> None:
        """Fail the next requests before they reach the server.

        Args:
            verb: ``get``, ``list``, ``watch``, ``create``, ``update``, ``patch``, ``delete``, ``write`` (any of the
                last four) or ``*``.
            response: what the client gets (see :func:`status_response`), or an exception to raise.
            plural: only requests for this resource; any unless given.
            times: how many requests.
        """
        self._failures.append(_Failure(verb, plural, times, response, after=False))

    def lose(self, verb: str, *, plural: str | None = None, times: int = 1) -> None:
        """Carry out the next requests, and lose their responses: the client cannot know what became of them.

        Args: as for :meth:`fail`.
        """
        error = TransportError("the connection was reset before the response came")
        self._failures.append(_Failure(verb, plural, times, error, after=True))

    def cut(self, *, plural: str | None = None, error: bool = False, torn: bool = False) -> None:
        """End the open watches; what was on its way to the client is lost.

        Args:
            plural: only watches of this resource; all unless given.
            error: break the connection instead of ending the stream in order.
            torn: let half a line through before.
        """
        for watch in self._of(plural):
            watch.cut, watch.torn = True, torn
            watch.error = TransportError("connection reset by peer") if error else None
            watch.wake.set()

    def freeze(self, *, plural: str | None = None) -> None:
        """The open watches go silent: nothing more comes, not even their end."""
        for watch in self._of(plural):
            watch.frozen = True

    def inject(self, piece: bytes, *, plural: str | None = None) -> None:
        """Put bytes on the open watches as they are."""
        now = asyncio.get_running_loop().time()
        for watch in self._of(plural):
            watch.pending.append((now, piece))
            watch.wake.set()

    def repeat(self, *, plural: str | None = None) -> None:
        """Send the last piece of each open watch once more."""
        for watch in self._of(plural):
            if watch.last:
                watch.pending.append((asyncio.get_running_loop().time(), watch.last))
                watch.wake.set()

    def heal(self) -> None:
        """No fault any more: new requests succeed, open watches that were frozen are ended."""
        self.down = self.short_watches = False
        self.lag, self.staleness = 0.0, 0
        self._failures.clear()
        for watch in self._of(None):
            if watch.frozen:
                watch.frozen, watch.cut = False, True
                watch.wake.set()

    @property
    def open_watches(self) -> int:
        """How many watches are open."""
        return len(self._watches)

    def _of(self, plural: str | None) -> list[_Watch]:
        return [watch for watch in self._watches if plural in (None, watch.plural)]

    # The Handler

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """Pass a request on, or fail it.

        Raises:
            TransportError: the network is down, or the failure that was asked for is a lost response.
            Exception: the one given to :meth:`fail`.
        """
        verb, plural = verb_of(request)
        self.requests.append((verb, plural))
        if self.down:
            raise TransportError("connection refused")
        failure = self._next_failure(verb, plural)
        if failure is not None and not failure.after:
            return _raised(failure.response)
        server = self.server
        if verb == "list" and self.staleness:
            response = await self._stale_list(server, request)
        else:
            response = await server.handle(request)
        if failure is not None:
            if not isinstance(response.body, bytes):
                await _close(response.body)
            return _raised(failure.response)
        if verb != "watch" or isinstance(response.body, bytes):
            return response
        return HttpResponse(response.status, response.headers, self._relay(response.body, plural))

    def _next_failure(self, verb: str, plural: str) -> _Failure | None:
        for failure in self._failures:
            if failure.matches(verb, plural):
                failure.times -= 1
                if failure.times <= 0:
                    self._failures.remove(failure)
                return failure
        return None

    async def _stale_list(self, server: Handler, request: HttpRequest) -> HttpResponse:
        query = dict(request.query)
        asked = query.get("resourceVersion")
        if asked is None or "continue" in query or not (asked == "0" or query.get("resourceVersionMatch") != "Exact"):
            return await server.handle(request)
        present = await server.handle(replace(request, query=[("limit", "1")]))
        assert isinstance(present.body, bytes)
        version = int(json.loads(present.body)["metadata"]["resourceVersion"])
        old = max(int(asked), version - self.staleness, 1)
        kept = [pair for pair in request.query if not pair[0].startswith("resourceVersion")]
        exact = [*kept, ("resourceVersion", str(old)), ("resourceVersionMatch", "Exact")]
        response = await server.handle(replace(request, query=exact))
        # A compacted state is nowhere to be had any more: no replica serves it.
        return response if response.status == 200 else await server.handle(request)

    async def _relay(self, body: AsyncIterator[bytes], plural: str) -> AsyncIterator[bytes]:
        watch = _Watch(plural)
        self._watches[watch] = None
        pumping = asyncio.create_task(self._pump(body, watch), name=f"relay of a watch of {plural}")
        try:
            async for piece in watch.pieces(self.short_watches):
                yield piece
        finally:
            del self._watches[watch]
            pumping.cancel()
            await asyncio.wait({pumping})
            await _close(body)

    async def _pump(self, body: AsyncIterator[bytes], watch: _Watch) -> None:
        loop = asyncio.get_running_loop()
        async for piece in body:
            due = loop.time() + self.lag
            if watch.pending:
                due = max(due, watch.pending[-1][0])
            watch.pending.append((due, piece))
            watch.wake.set()
        watch.exhausted = True
        watch.wake.set()


def _raised(response: HttpResponse | Exception) -> HttpResponse:
    if isinstance(response, Exception):
        raise response
    return response


async def _close(body: AsyncIterator[bytes]) -> None:
    close = getattr(body, "aclose", None)
    if close is not None:
        await close()


if not TYPE_CHECKING:
    __getattr__ = renamed(
        __name__, {"status_answer": ("zestor_controller.testing.faults.status_response", status_response)}, since="0.2"
    )
