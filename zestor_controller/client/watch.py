"""Watch streams: chunks to lines, lines to events.

Invariant: a line may be of any length and may arrive in any pieces; only whole lines are handed on, and what a broken
connection left half is dropped, so a reader resumes from the last whole event. A stream has an end that the client
finds by itself, whatever the server does (C5).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from typing import Any, Final, Generic, Self, TypeVar

import msgspec

from zestor_controller.client.decoder import decode_json, decode_object, named
from zestor_controller.errors import ApiError, InvalidObject, TransportError
from zestor_controller.objects import Kind

__all__ = ["ServerWatch", "WatchEvent", "split_lines"]

_log = logging.getLogger(__name__)

T = TypeVar("T")

MARGIN_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class WatchEvent(Generic[T]):
    """What a server sends on a watch.

    Attributes:
        type: ``ADDED``, ``MODIFIED`` or ``DELETED``.
        object: the object.
        resource_version: the version to resume from after this event.
        raw: the line as it came.
    """

    type: str
    object: T
    resource_version: str
    raw: bytes = b""


class _Meta(msgspec.Struct):
    resourceVersion: str | None = None


class _Object(msgspec.Struct):
    metadata: _Meta | None = None


class _Frame(msgspec.Struct):
    type: str
    object: msgspec.Raw


_decode_frame = msgspec.json.Decoder(_Frame).decode
_decode_object = msgspec.json.Decoder(_Object).decode


async def split_lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[list[bytes]]:
    """Whole lines of a stream, as many at a time as have arrived; empty lines are left out."""
    pieces: list[bytes] = []
    async for chunk in chunks:
        lines = chunk.split(b"\n")
        if len(lines) == 1:
            pieces.append(chunk)  # joined once, when the line ends: a long line must not be copied at each chunk
            continue
        if pieces:
            pieces.append(lines[0])
            lines[0] = b"".join(pieces)
            pieces = []
        tail = lines.pop()
        if tail:
            pieces.append(tail)
        whole = [line for line in lines if line and not line.isspace()]
        if whole:
            yield whole


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of a watch: an event's type, the JSON of its object, and the object's version."""

    type: str
    body: bytes
    version: str


def _read_line(line: bytes, request: str) -> _Line:
    """Read one line.

    Raises:
        ApiError: the line is an ERROR event; a Gone means that the watch must start from a new list.
        TransportError: the line is no event, such as the page of a proxy that wants a log-in.
    """
    try:
        frame = _decode_frame(line)
        body = bytes(frame.object)
        if frame.type == "ERROR":
            raise ApiError.from_status(decode_json(body, request), status=200)
        meta = _decode_object(body).metadata
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise TransportError(f"{request}: the stream holds a line that is no watch event: {error}") from error
    return _Line(frame.type, body, (meta.resourceVersion if meta is not None else None) or "")


class ServerWatch(Generic[T]):
    """One watch of one kind: ``async for event in watch``, best inside ``async with`` so that it is closed at once.

    Iteration ends when the server, or the client's own deadline, ends the stream; go on from :attr:`resource_version`.

    Args:
        kind: what the events' objects are.
        open_: opens the stream of lines.
        resource_version: where it starts.
        timeout: seconds after which the server was asked to end it.
        request: method and path, for messages.

    Attributes:
        resource_version: the version to resume from.
        invalid: the objects of which the last event was left out, because their model rejects them, by
            ``namespace/name``; each error holds the raw JSON.
        strict: raise the InvalidObject of such an event instead.
    """

    def __init__(
        self,
        kind: Kind[T],
        open_: Callable[[], AbstractAsyncContextManager[AsyncIterator[list[bytes]]]],
        resource_version: str,
        timeout: float,
        request: str,
    ) -> None:
        self.resource_version = resource_version
        self.invalid: dict[str, InvalidObject] = {}
        self.strict = False
        self._request = request
        self._kind = kind
        self._open = open_
        self._timeout = timeout
        self._events = self._read()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> WatchEvent[T]:
        return await anext(self._events)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End the stream; calling it again is harmless."""
        await self._events.aclose()  # type: ignore[attr-defined]  # an async generator, typed as what it yields

    async def _read(self) -> AsyncIterator[WatchEvent[T]]:
        deadline = asyncio.get_running_loop().time() + self._timeout + MARGIN_S
        async with AsyncExitStack() as stack:
            try:
                # The deadline guards the reading only: a timeout around a yield would strike the consumer's own work.
                async with asyncio.timeout_at(deadline):
                    batches = await stack.enter_async_context(self._open())
                while True:
                    async with asyncio.timeout_at(deadline):
                        lines = await anext(batches)
                    for raw in lines:
                        line = _read_line(raw, self._request)
                        self.resource_version = line.version or self.resource_version
                        if line.type != "BOOKMARK" and (event := self._decoded(line, raw)) is not None:
                            yield event
            except (StopAsyncIteration, TimeoutError):
                return

    def _decoded(self, line: _Line, raw: bytes) -> WatchEvent[T] | None:
        """The event of a line; None, after a warning, for an object that the model rejects."""
        try:
            event = WatchEvent(line.type, decode_object(self._kind, line.body), line.version, raw)
        except InvalidObject as error:
            if self.strict:
                raise
            self.invalid[error.name] = error
            _log.warning("watch of %s: a %s event is left out: %s", self._kind.store_name, line.type, error)
            return None
        if self.invalid:
            self.invalid.pop(named(line.body), None)
        return event


def condition_holds(body: dict[str, Any], type_: str) -> bool:
    """Whether a wire object has a condition of this type that is True."""
    conditions = (body.get("status") or {}).get("conditions") or []
    return any(condition.get("type") == type_ and condition.get("status") == "True" for condition in conditions)
