"""WATCH: the stream of changes of a resource.

Invariant: a list and the watch that starts at its version together miss nothing and deliver nothing twice. An event in
plain form is encoded once for all watches of a resource.

Source: apiserver pkg/endpoints/handlers/watch.go, pkg/storage/cacher.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from zestor_controller.apiserver.request.options import ListParameters, list_options
from zestor_controller.apiserver.request.selectors import Selection, parse_selection
from zestor_controller.apiserver.response.negotiation import Output, negotiate, to_json
from zestor_controller.apiserver.response.table import EventShape, include_object
from zestor_controller.apiserver.rest.resource import Reply, RequestContext
from zestor_controller.apiserver.rest.status import Failure, expired
from zestor_controller.apiserver.storage.revisionlog import (
    ADDED,
    DELETED,
    MODIFIED,
    LogEntry,
    Storage,
    Table,
    Version,
    Watcher,
)
from zestor_controller.apiserver.typed.typedef import Json
from zestor_controller.apiserver.verbs.objectview import is_selected, object_bytes, object_view
from zestor_controller.apiserver.verbs.retrieval import wait_for_revision

__all__ = ["WatchVerb"]

BOOKMARK_S: Final = 60.0
BOOKMARK_BEFORE_END_S: Final = 2.0
END_ANNOTATION: Final = "k8s.io/initial-events-end"
# With many watches on one resource, events are sent in batches: waking a hundred watches per event would starve writes.
MANY_WATCHES: Final = 16  # of one resource
PACE_S: Final = 0.01  # after an event that found its watch waiting, which is sent at once
BATCH: Final = 512  # events of one chunk


class WatchVerb:
    """The watching verb of one server.

    Args:
        storage: what is watched.
        rng: how long a watch without a timeout lasts.
        wall: seconds since the epoch, for ages in Tables.
    """

    def __init__(self, storage: Storage, rng: random.Random, wall: Callable[[], float]) -> None:
        self._storage = storage
        self._rng = rng
        self._wall = wall

    def watch(self, ctx: RequestContext) -> Reply:
        """A stream of changes.

        Raises:
            Failure: 400 or 422 for options that make no sense; an expired version is an ERROR event of the stream.
        """
        resource = ctx.resource
        output = negotiate(ctx.request, resource.wire, listing=True, watching=True)
        options = list_options(ctx.info.query, watching=True)
        selection = parse_selection(ctx.info.query, resource)
        if ctx.info.legacy_watch and ctx.info.single:
            name, inner = ctx.info.name, selection.matches
            selection = Selection(lambda obj: obj["metadata"]["name"] == name and inner(obj), False, name)
        stream = _Stream(ctx, output, options, selection, self._wall)
        return Reply(stream=stream.lines(self._storage, self._rng))


def _next_bookmark(now: float, deadline: float) -> float:
    """When a watch gets its next bookmark: each minute, and shortly before it ends."""
    last = deadline - BOOKMARK_BEFORE_END_S
    return min(now + BOOKMARK_S, last) if last > now else now + BOOKMARK_S


def _error(failure: Failure) -> bytes:
    """A failure as the last event of a watch."""
    return to_json({"type": "ERROR", "object": failure.body}) + b"\n"


class _Stream:
    """One watch: its lines, in the shape that its client wants."""

    def __init__(
        self,
        ctx: RequestContext,
        output: Output,
        options: ListParameters,
        selection: Selection,
        wall: Callable[[], float],
    ) -> None:
        self._wall = wall
        self._resource = ctx.resource
        self._namespace = ctx.info.namespace
        self._options = options
        self._selection = selection
        self._plain = not output.transform
        self._shape = EventShape(ctx.resource, output, include_object(ctx.request)) if output.transform else None

    async def lines(self, storage: Storage, rng: random.Random) -> AsyncIterator[bytes]:
        """The stream; closing it frees the channel."""
        loop = asyncio.get_running_loop()
        options = self._options
        seconds = options.timeout or rng.uniform(1800, 3600)
        deadline = loop.time() + seconds
        signal = asyncio.Event()
        table = storage.table(self._resource.storage)
        channel = table.watch(self._namespace, signal)
        timer: asyncio.TimerHandle | None = None

        def wake() -> None:
            nonlocal timer
            timer = None
            signal.set()

        try:
            first, known = await self._first_lines(storage, table)
            if first:
                yield b"".join(first)
            if known is None:
                return
            bookmark = _next_bookmark(loop.time(), deadline)
            while True:
                if channel.pending:
                    known, out = self._batch(channel, known)
                    if out:
                        yield b"".join(out)
                        if table.watchers > MANY_WATCHES:
                            await asyncio.sleep(PACE_S)
                    continue
                if channel.closed or loop.time() >= deadline:
                    return
                if options.bookmarks and loop.time() >= bookmark:
                    bookmark = _next_bookmark(loop.time(), deadline)
                    if storage.revision >= known:  # a watch from a version that has not come yet is not sent back
                        yield self._bookmark(storage.revision, {})
                    continue
                if timer is None:
                    # One timer from bookmark to bookmark: a wait with a timeout of its own costs more than the event.
                    timer = loop.call_at(min(deadline, bookmark) if options.bookmarks else deadline, wake)
                signal.clear()
                await signal.wait()
        finally:
            if timer is not None:
                timer.cancel()
            channel.close()

    async def _first_lines(self, storage: Storage, table: Table) -> tuple[list[bytes], int | None]:
        """The initial lines, once the storage has the requested version; an error line if it does not come."""
        if self._options.initial and self._options.version:
            try:
                await wait_for_revision(storage, self._options.version)
            except Failure as failure:
                return [_error(failure)], None
        return self._initial_lines(storage, table)

    def _batch(self, channel: Watcher, known: int) -> tuple[int, list[bytes]]:
        """The version up to which the client is informed, and the lines of the changes that bring it there."""
        out: list[bytes] = []
        while channel.pending and len(out) < BATCH:
            change = channel.take()
            if change.revision > known:
                known = change.revision
                line = self._line(change)
                if line is not None:
                    out.append(line)
        return known, out

    def _initial_lines(self, storage: Storage, table: Table) -> tuple[list[bytes], int | None]:
        """The lines before the live ones, and the version that they reach; None when the stream ends there."""
        options, since = self._options, self._options.version
        initial = options.initial if options.initial is not None else not since
        if initial:
            found = [v for v in table.versions(self._namespace) if self._matches(v)]
            lines = [self._object_event(ADDED, v) for v in found]
            if options.initial and options.bookmarks:
                lines.append(self._bookmark(storage.revision, {END_ANNOTATION: "true"}))
            return lines, storage.revision
        start = since if since else storage.revision
        if start < max(storage.compacted, table.since):
            why = f"too old resource version: {start} ({table.since})"
            if start < storage.compacted:
                why = "The resourceVersion for the provided watch is too old."
            return [_error(expired(why))], None
        lines = [line for c in table.changes(start, self._namespace) if (line := self._line(c)) is not None]
        return lines, max(start, storage.revision)

    def _matches(self, version: Version) -> bool:
        return is_selected(self._resource, self._selection, version)

    def _line(self, change: LogEntry) -> bytes | None:
        """What this watch sends of a change; None when it selects neither state."""
        kind = change.type
        if not self._selection.empty:
            is_in = kind != DELETED and self._matches(change.version)
            was_in = change.previous is not None and self._matches(change.previous)
            if not is_in and not was_in:
                return None
            kind = DELETED if not is_in else MODIFIED if was_in else ADDED
        leaving = kind == DELETED and change.type != DELETED
        if not self._plain:
            return self._event(kind, self._left(change)) if leaving else self._object_event(kind, change.version)
        # A resource is served in a new shape by a new Resource: what the old one's watches were sent is not reused.
        key = (kind, id(self._resource))
        line = change.lines.get(key)
        if line is None:
            line = self._event(kind, self._left(change)) if leaving else self._object_event(kind, change.version)
            change.lines[key] = line
        return line

    def _left(self, change: LogEntry) -> Json:
        """An object that leaves the selection: as it was, under the version of the change."""
        assert change.previous is not None  # it was selected before
        obj = object_view(self._resource, change.previous)
        obj["metadata"]["resourceVersion"] = str(change.revision)
        return obj

    def _object_event(self, kind: str, version: Version) -> bytes:
        """An object's event: in plain form, the bytes that are kept anyhow."""
        if self._plain:
            return b'{"type":"%b","object":%b}\n' % (kind.encode(), object_bytes(self._resource, version))
        return self._event(kind, object_view(self._resource, version))

    def _event(self, kind: str, obj: Json) -> bytes:
        shown = self._shape(obj, self._wall()) if self._shape is not None else obj
        return to_json({"type": kind, "object": shown}) + b"\n"

    def _bookmark(self, revision: int, annotations: dict[str, Any]) -> bytes:
        metadata: Json = {"resourceVersion": str(revision)}
        if annotations:
            metadata["annotations"] = annotations
        obj = {"kind": self._resource.kind, "apiVersion": self._resource.api_version, "metadata": metadata}
        if self._shape is not None:
            obj = self._shape(obj, self._wall())
        return to_json({"type": "BOOKMARK", "object": obj}) + b"\n"
