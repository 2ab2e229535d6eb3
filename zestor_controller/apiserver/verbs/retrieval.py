"""GET, LIST and WATCH.

Invariant: a list and the watch that starts at its version together miss nothing and tell nothing twice. What is
stored in the version that is asked for is sent as the bytes it is stored as.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import msgspec

from zestor_controller.apiserver.request.options import Continue, ListOptions, list_options, object_version
from zestor_controller.apiserver.request.selectors import Selection, parse_selection
from zestor_controller.apiserver.response.negotiation import Output, negotiate, to_json
from zestor_controller.apiserver.response.table import EventShape, include_object, shape_list, shape_object
from zestor_controller.apiserver.rest.resource import Reply, RequestContext, Resource
from zestor_controller.apiserver.rest.status import Failure, expired, not_found, too_large_version
from zestor_controller.apiserver.storage.revisionlog import (
    ADDED,
    DELETED,
    MODIFIED,
    Change,
    Storage,
    Table,
    Version,
    encode_object,
    object_key,
)
from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["Reader"]

from_json = msgspec.json.Decoder().decode

FUTURE_WAIT_S: Final = 3.0
BOOKMARK_S: Final = 60.0
BOOKMARK_BEFORE_END_S: Final = 2.0
END_ANNOTATION: Final = "k8s.io/initial-events-end"
# A crowd of watches takes what comes in strides: a hundred of them woken for each event would leave no time for writes.
CROWD: Final = 16  # watches of one resource
PACE_S: Final = 0.01  # after an event that found its watch waiting, which is sent at once


class Reader:
    """The reading verbs of one server.

    Args:
        storage: what is read.
        rng: how long a watch without a timeout lasts.
        wall: seconds since the epoch, for ages in Tables.
    """

    def __init__(self, storage: Storage, rng: random.Random, wall: Callable[[], float]) -> None:
        self._storage = storage
        self._rng = rng
        self._wall = wall

    def served(self, resource: Resource, version: Version) -> bytes:
        """An object's JSON in a version of its resource; made once, then kept beside it."""
        for known, raw in version.served or ():
            if known is resource:
                return raw
        obj = version.copy()
        before = obj.get("apiVersion")
        shown = resource.strategy.on_read(obj)
        same = shown is obj and before == resource.api_version and shown == version.obj
        raw = version.raw if same else encode_object(shown)
        version.served = [*(version.served or ()), (resource, raw)]
        return raw

    def _items(self, resource: Resource, versions: list[Version]) -> list[bytes]:
        """Objects as they stand in a plain list: those of built-in kinds without their type."""
        return [_item(resource, self.served(resource, version)) for version in versions]

    def item(self, resource: Resource, version: Version) -> Json:
        """A private copy of an object as it stands in a list."""
        obj = self.object(resource, version)
        if resource.wire.typed:
            obj = {name: value for name, value in obj.items() if name not in ("kind", "apiVersion")}
        return obj

    def selects(self, resource: Resource, selection: Selection, version: Version) -> bool:
        """Whether an object, as it is served, is asked for."""
        if selection.empty:
            return True
        if resource.is_served_as_stored:
            return selection.matches(version.obj)
        raw = self.served(resource, version)
        return selection.matches(version.obj if raw is version.raw else self.object(resource, version))

    def object(self, resource: Resource, version: Version) -> Json:
        """A private copy of an object in a version of its resource."""
        return resource.strategy.on_read(version.copy())

    async def get(self, ctx: RequestContext) -> Reply:
        """One object.

        Raises:
            Failure: 404, or 504 for a version that is not there after three seconds.
        """
        output = negotiate(ctx.request, ctx.resource.wire)
        text = ctx.info.query.get("resourceVersion", "")
        if text:
            await self.reach(object_version(text))
        resource = ctx.resource
        version = self._storage.table(resource.storage).get(ctx.info.namespace, ctx.info.name)
        if version is None:
            raise not_found(resource.group, resource.plural, ctx.info.name)
        if output.plain:
            return Reply(raw=self.served(resource, version))
        return self.shaped(ctx, output, self.object(resource, version), 200)

    def shaped(self, ctx: RequestContext, output: Output, obj: Json, status: int) -> Reply:
        """An object as an answer, as the client wants to see it."""
        if output.transform:
            obj = shape_object(ctx.resource, obj, output, include_object(ctx.request), self._wall())
        return Reply(status, obj)

    async def collection(self, ctx: RequestContext) -> Reply:
        """A list, or a page of one."""
        resource = ctx.resource
        output = negotiate(ctx.request, resource.wire, listing=True)
        chosen, metadata = await self.chosen(ctx)
        if not resource.wire.typed and not output.transform:
            metadata.setdefault("continue", "")  # lists without a Go type have it always
        if output.plain:
            head = {"kind": resource.list_name, "apiVersion": resource.api_version, "metadata": metadata}
            raw = to_json(head)[:-1] + b',"items":[' + b",".join(self._items(resource, chosen)) + b"]}"
            return Reply(raw=raw)
        items = [self.item(resource, version) for version in chosen]
        return Reply(value=shape_list(resource, metadata, items, output, include_object(ctx.request), self._wall()))

    async def chosen(self, ctx: RequestContext) -> tuple[list[Version], Json]:
        """The objects that the query of a request chooses, or one page of them, and the metadata of their list."""
        resource = ctx.resource
        options = list_options(ctx.info.query, watching=False)
        selection = parse_selection(ctx.info.query, resource)
        table = self._storage.table(resource.storage)
        versions, revision = await self._versions(table, ctx.info.namespace, options)
        return self._page(resource, versions, revision, options, selection, ctx.info.namespace)

    async def _versions(self, table: Table, namespace: str, options: ListOptions) -> tuple[list[Version], int]:
        """The objects to choose from, and the version that they show."""
        storage = self._storage
        if options.page is not None:
            wanted = options.page.revision
            if wanted and wanted < storage.compacted:
                token = Continue(0, options.page.start).token()  # goes on with what there is now
                raise expired(
                    "The provided continue parameter is too old to display a consistent list result. You can start a "
                    "new list without the continue parameter, or use the continue token in this response to retrieve "
                    "the remainder of the results. Continuing with the provided token results in an inconsistent "
                    "list - objects that were created, modified, or deleted between the time the first chunk was "
                    "returned and now may show up in the list.",
                    token,
                )
            revision = wanted or storage.revision
            found = table.snapshot(revision, namespace) if wanted else table.versions(namespace)
            start = object_key(namespace, options.page.start)
            return [version for version in found if version.key > start], revision
        if options.version:
            await self.reach(options.version)
            exact = options.match == "Exact" or (not options.match and options.limit > 0)
            if exact and options.version < storage.revision:
                if options.version < storage.compacted:
                    raise expired("The resourceVersion for the provided list is too old.")
                return table.snapshot(options.version, namespace), options.version
        return table.versions(namespace), storage.revision

    def _page(
        self,
        resource: Resource,
        versions: list[Version],
        revision: int,
        options: ListOptions,
        selection: Selection,
        namespace: str,
    ) -> tuple[list[Version], Json]:
        metadata: Json = {"resourceVersion": str(revision)}
        limit = 0 if options.version == 0 else options.limit  # "any version" is answered from memory, whole
        if not limit:
            return [v for v in versions if self.selects(resource, selection, v)], metadata
        chosen: list[Version] = []
        for index, version in enumerate(versions):
            if not self.selects(resource, selection, version):
                continue
            if len(chosen) == limit:
                metadata["continue"] = Continue(
                    revision, chosen[-1].key[len(namespace) + 1 if namespace else 0 :]
                ).token()
                if selection.empty:
                    metadata["remainingItemCount"] = len(versions) - index
                break
            chosen.append(version)
        return chosen, metadata

    async def reach(self, revision: int) -> None:
        """Wait a moment for a version that has not come yet.

        Raises:
            Failure: 504 when it does not come.
        """
        if revision <= self._storage.revision:
            return
        loop = asyncio.get_running_loop()
        deadline = loop.time() + FUTURE_WAIT_S
        while revision > self._storage.revision:
            if loop.time() >= deadline:
                raise too_large_version(revision, self._storage.revision)
            await asyncio.sleep(0.05)

    # Watching

    def watch(self, ctx: RequestContext) -> Reply:
        """A stream of changes.

        Raises:
            Failure: 400 or 422 for options that make no sense; an expired version is told on the stream.
        """
        resource = ctx.resource
        output = negotiate(ctx.request, resource.wire, listing=True, watching=True)
        options = list_options(ctx.info.query, watching=True)
        selection = parse_selection(ctx.info.query, resource)
        if ctx.info.legacy_watch and ctx.info.single:
            name, inner = ctx.info.name, selection.matches
            selection = Selection(lambda obj: obj["metadata"]["name"] == name and inner(obj), False, name)
        stream = _Stream(self, ctx, output, options, selection, self._wall)
        return Reply(stream=stream.lines(self._storage, self._rng))


def _next_bookmark(now: float, deadline: float) -> float:
    """When a watch is told of the present version next: each minute, and shortly before it ends."""
    last = deadline - BOOKMARK_BEFORE_END_S
    return min(now + BOOKMARK_S, last) if last > now else now + BOOKMARK_S


def _item(resource: Resource, raw: bytes) -> bytes:
    """An object as an item of a list: a built-in kind's items do not say what they are."""
    if not resource.wire.typed:
        return raw
    head = b'{"kind":"%b","apiVersion":"%b",' % (resource.kind.encode(), resource.api_version.encode())
    if raw.startswith(head):
        return b"{" + raw[len(head) :]
    obj = from_json(raw)
    return to_json({key: value for key, value in obj.items() if key not in ("kind", "apiVersion")})


def _error(failure: Failure) -> bytes:
    """A failure as the last event of a watch."""
    return to_json({"type": "ERROR", "object": failure.body}) + b"\n"


class _Stream:
    """One watch: its lines, in the shape that its client wants."""

    def __init__(
        self,
        reader: Reader,
        ctx: RequestContext,
        output: Output,
        options: ListOptions,
        selection: Selection,
        wall: Callable[[], float],
    ) -> None:
        self._reader = reader
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

        def ring() -> None:
            nonlocal timer
            timer = None
            signal.set()

        try:
            if options.initial and options.version:
                try:
                    await self._reader.reach(options.version)
                except Failure as failure:
                    yield _error(failure)
                    return
            first, known = self._beginning(storage, table)
            if first:
                yield b"".join(first)
            if known is None:
                return
            bookmark = _next_bookmark(loop.time(), deadline)
            while True:
                if channel.pending:
                    out: list[bytes] = []
                    while channel.pending and len(out) < 512:
                        change = channel.take()
                        if change.revision > known:
                            known = change.revision
                            line = self._line(change)
                            if line is not None:
                                out.append(line)
                    if out:
                        yield b"".join(out)
                        if table.watchers > CROWD:
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
                    timer = loop.call_at(min(deadline, bookmark) if options.bookmarks else deadline, ring)
                signal.clear()
                await signal.wait()
        finally:
            if timer is not None:
                timer.cancel()
            channel.close()

    def _beginning(self, storage: Storage, table: Table) -> tuple[list[bytes], int | None]:
        """The lines before the live ones, and the version that they reach; None when the stream ends there."""
        options, since = self._options, self._options.version
        initial = options.initial if options.initial is not None else not since
        if initial:
            found = [v for v in table.versions(self._namespace) if self._matches(v)]
            lines = [self._told(ADDED, v) for v in found]
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
        return self._reader.selects(self._resource, self._selection, version)

    def _line(self, change: Change) -> bytes | None:
        """What this watch tells of a change; None when it is none of its business."""
        kind = change.type
        if not self._selection.empty:
            is_in = kind != DELETED and self._matches(change.version)
            was_in = change.previous is not None and self._matches(change.previous)
            if not is_in and not was_in:
                return None
            kind = DELETED if not is_in else MODIFIED if was_in else ADDED
        leaving = kind == DELETED and change.type != DELETED
        if not self._plain:
            return self._event(kind, self._left(change)) if leaving else self._told(kind, change.version)
        # A resource is served in a new shape by a new Resource: what the old one's watches were told is not reused.
        key = (kind, id(self._resource))
        line = change.lines.get(key)
        if line is None:
            line = self._event(kind, self._left(change)) if leaving else self._told(kind, change.version)
            change.lines[key] = line
        return line

    def _left(self, change: Change) -> Json:
        """An object that leaves the selection: as it was, under the version of the change."""
        assert change.previous is not None  # it was selected before
        obj = self._reader.object(self._resource, change.previous)
        obj["metadata"]["resourceVersion"] = str(change.revision)
        return obj

    def _told(self, kind: str, version: Version) -> bytes:
        """An object's event: in plain form, the bytes that are kept anyhow."""
        if self._plain:
            return b'{"type":"%b","object":%b}\n' % (kind.encode(), self._reader.served(self._resource, version))
        return self._event(kind, self._reader.object(self._resource, version))

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
