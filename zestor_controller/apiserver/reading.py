"""GET, LIST and WATCH.

Invariant: a list and the watch that starts at its version together miss nothing and tell nothing twice. What is stored in the
version that is asked for is sent as the bytes it is stored as.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from zestor_controller.apiserver.context import Call, Reply
from zestor_controller.apiserver.contract import Json, Resource
from zestor_controller.apiserver.negotiation import Output, negotiate, to_json
from zestor_controller.apiserver.options import Continue, ListOptions, list_options
from zestor_controller.apiserver.selectors import Selection, parse_selection
from zestor_controller.apiserver.status import expired, not_found, too_large_version
from zestor_controller.apiserver.storage import ADDED, DELETED, MODIFIED, Change, Storage, Table, Version
from zestor_controller.apiserver.tables import EventShape, include_object, shape_list, shape_object

__all__ = ["Reader"]

FUTURE_WAIT_S: Final = 3.0
BOOKMARK_S: Final = 60.0
END_ANNOTATION: Final = "k8s.io/initial-events-end"


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

    def _served(self, resource: Resource, version: Version) -> bytes:
        """An object's JSON in a version of its resource; made once, then kept beside it."""
        for known, raw in version.served or ():
            if known is resource:
                return raw
        obj = version.copy()
        before = obj.get("apiVersion")
        shown = resource.strategy.on_read(obj)
        raw = (
            version.raw if shown is obj and before == resource.api_version and shown == version.obj else to_json(shown)
        )
        version.served = [*(version.served or ()), (resource, raw)]
        return raw

    def object(self, resource: Resource, version: Version) -> Json:
        """A private copy of an object in a version of its resource."""
        return resource.strategy.on_read(version.copy())

    async def get(self, call: Call) -> Reply:
        """One object.

        Raises:
            Failure: 404, or 504 for a version that is not there after three seconds.
        """
        output = negotiate(call.request, custom=call.resource.custom)
        text = call.query.get("resourceVersion", "")
        if text.isdecimal():
            await self._reach(int(text))
        resource = call.resource
        version = self._storage.table(resource.storage).get(call.info.namespace, call.info.name)
        if version is None:
            raise not_found(resource.group, resource.plural, call.info.name)
        if output.plain:
            return Reply(raw=self._served(resource, version))
        return self.shaped(call, output, self.object(resource, version), 200)

    def shaped(self, call: Call, output: Output, obj: Json, status: int, warnings: list[str] | None = None) -> Reply:
        """An object as an answer, as the client wants to see it."""
        if output.transform:
            obj = shape_object(call.resource, obj, output, include_object(call.request), self._wall())
        return Reply(status, obj, warnings=warnings or [])

    async def collection(self, call: Call) -> Reply:
        """A list, or a page of one."""
        resource = call.resource
        output = negotiate(call.request, custom=resource.custom, listing=True)
        options = list_options(call.query, watching=False)
        selection = parse_selection(call.query, resource)
        table = self._storage.table(resource.storage)
        versions, revision = await self._versions(table, call.info.namespace, options)
        chosen, metadata = self._page(versions, revision, options, selection)
        if not output.transform:
            parts = b",".join([self._served(resource, version) for version in chosen])
            head = {"kind": resource.list_name, "apiVersion": resource.api_version, "metadata": metadata}
            raw = to_json(head)[:-1] + b',"items":[' + parts + b"]}"
            if output.plain:
                return Reply(raw=raw)
            items = [self.object(resource, version) for version in chosen]
            return Reply(value={**head, "items": items})
        items = [self.object(resource, version) for version in chosen]
        return Reply(value=shape_list(resource, metadata, items, output, include_object(call.request), self._wall()))

    async def _versions(self, table: Table, namespace: str, options: ListOptions) -> tuple[list[Version], int]:
        """The objects to choose from, and the version that they show."""
        storage = self._storage
        if options.page is not None:
            wanted = options.page.revision
            if wanted and wanted < storage.compacted:
                token = Continue(0, options.page.start).token()
                raise expired(
                    "The provided continue parameter is too old to display a consistent list result. You can start a new "
                    "list without the continue parameter, or use the continue token in this response to retrieve the "
                    "remainder of the results. Continuing with the provided token results in an inconsistent list - "
                    "objects that were created, modified, or deleted between the time the first chunk was returned and "
                    "now may show up in the list.",
                    token,
                )
            revision = wanted or storage.revision
            found = table.snapshot(revision, namespace) if wanted else table.versions(namespace)
            start = options.page.start
            return [version for version in found if version.key > start], revision
        if options.version:
            await self._reach(options.version)
            exact = options.match == "Exact" or (not options.match and options.limit > 0)
            if exact and options.version < storage.revision:
                if options.version < storage.compacted:
                    raise expired("The resourceVersion for the provided list is too old.")
                return table.snapshot(options.version, namespace), options.version
        return table.versions(namespace), storage.revision

    def _page(
        self, versions: list[Version], revision: int, options: ListOptions, selection: Selection
    ) -> tuple[list[Version], Json]:
        metadata: Json = {"resourceVersion": str(revision)}
        if options.version == 0 and not options.match and options.page is None:
            limit = 0  # "any version" is answered from memory, whole
        else:
            limit = options.limit
        if not limit:
            return [v for v in versions if selection.empty or selection.matches(v.obj)], metadata
        chosen: list[Version] = []
        for index, version in enumerate(versions):
            if not selection.empty and not selection.matches(version.obj):
                continue
            if len(chosen) == limit:
                metadata["continue"] = Continue(revision, chosen[-1].key).token()
                if selection.empty:
                    metadata["remainingItemCount"] = len(versions) - index
                break
            chosen.append(version)
        return chosen, metadata

    async def _reach(self, revision: int) -> None:
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

    def watch(self, call: Call) -> Reply:
        """A stream of changes.

        Raises:
            Failure: 400 or 422 for options that make no sense; an expired version is told on the stream.
        """
        resource = call.resource
        output = negotiate(call.request, custom=resource.custom, watching=True)
        options = list_options(call.query, watching=True)
        selection = parse_selection(call.query, resource)
        if call.info.legacy_watch and call.info.single:
            name, inner = call.info.name, selection.matches
            selection = Selection(lambda obj: obj["metadata"]["name"] == name and inner(obj), False, name)
        stream = _Stream(self, call, output, options, selection)
        return Reply(stream=stream.lines(self._storage, self._rng, self._wall))


class _Stream:
    """One watch: its lines, in the shape that its client wants."""

    def __init__(self, reader: Reader, call: Call, output: Output, options: ListOptions, selection: Selection) -> None:
        self._reader = reader
        self._resource = call.resource
        self._namespace = call.info.namespace
        self._options = options
        self._selection = selection
        self._plain = not output.transform
        self._shape = EventShape(call.resource, output, include_object(call.request)) if output.transform else None

    async def lines(self, storage: Storage, rng: random.Random, wall: Callable[[], float]) -> AsyncIterator[bytes]:
        """The stream; closing it frees the channel."""
        loop = asyncio.get_running_loop()
        options = self._options
        seconds = options.timeout or rng.uniform(1800, 3600)
        deadline = loop.time() + seconds
        signal = asyncio.Event()
        table = storage.table(self._resource.storage)
        channel = table.watch(self._namespace, signal)
        try:
            first, known = self._beginning(storage, table, wall)
            if first:
                yield b"".join(first)
            if known is None:
                return
            bookmark = loop.time() + BOOKMARK_S
            while True:
                if channel.pending:
                    out: list[bytes] = []
                    while channel.pending and len(out) < 512:
                        change = channel.pending.popleft()
                        if change.revision > known:
                            known = change.revision
                            line = self._line(change, wall)
                            if line is not None:
                                out.append(line)
                    if out:
                        yield b"".join(out)
                    continue
                if channel.closed or loop.time() >= deadline:
                    return
                signal.clear()
                until = min(deadline, bookmark) if options.bookmarks else deadline
                try:
                    async with asyncio.timeout_at(until):
                        await signal.wait()
                except TimeoutError:
                    if options.bookmarks and loop.time() >= bookmark:
                        bookmark = loop.time() + BOOKMARK_S
                        yield self._bookmark(storage.revision, {}, wall)
        finally:
            channel.close()

    def _beginning(self, storage: Storage, table: Table, wall: Callable[[], float]) -> tuple[list[bytes], int | None]:
        """The lines before the live ones, and the version that they reach; None when the stream ends there."""
        options, since = self._options, self._options.version
        initial = options.initial if options.initial is not None else not since
        if initial:
            found = [v for v in table.versions(self._namespace) if self._matches(v)]
            lines = [self._event(ADDED, self._reader.object(self._resource, v), v, wall) for v in found]
            if options.initial and options.bookmarks:
                lines.append(self._bookmark(storage.revision, {END_ANNOTATION: "true"}, wall))
            return lines, storage.revision
        start = since if since else storage.revision
        if start < max(storage.compacted, table.since - 1):
            told = f"too old resource version: {start} ({max(storage.compacted, table.since)})"
            status = expired(told).body
            return [to_json({"type": "ERROR", "object": status}) + b"\n"], None
        lines = [line for c in table.changes(start, self._namespace) if (line := self._line(c, wall)) is not None]
        return lines, max(start, storage.revision)

    def _matches(self, version: Version) -> bool:
        return self._selection.empty or self._selection.matches(version.obj)

    def _line(self, change: Change, wall: Callable[[], float]) -> bytes | None:
        """What this watch tells of a change; None when it is none of its business."""
        kind = change.type
        if not self._selection.empty:
            is_in = kind != DELETED and self._selection.matches(change.version.obj)
            was_in = change.previous is not None and self._selection.matches(change.previous.obj)
            if not is_in and not was_in:
                return None
            kind = DELETED if not is_in else MODIFIED if was_in else ADDED
        if not self._plain:
            return self._event(kind, self._shown(change, kind), change.version, wall)
        key = (kind, self._resource.api_version)
        line = change.lines.get(key)
        if line is None:
            line = change.lines[key] = self._event(kind, self._shown(change, kind), change.version, wall)
        return line

    def _shown(self, change: Change, kind: str) -> Json:
        """The object of an event: one that leaves the selection is told as it was, under the version of the change."""
        if kind == DELETED and change.type != DELETED and change.previous is not None:
            obj = self._reader.object(self._resource, change.previous)
            obj["metadata"]["resourceVersion"] = str(change.revision)
            return obj
        return self._reader.object(self._resource, change.version)

    def _event(self, kind: str, obj: Json, version: Version, wall: Callable[[], float]) -> bytes:
        shown = self._shape(obj, wall()) if self._shape is not None else obj
        return to_json({"type": kind, "object": shown}) + b"\n"

    def _bookmark(self, revision: int, annotations: dict[str, Any], wall: Callable[[], float]) -> bytes:
        metadata: Json = {"resourceVersion": str(revision), "creationTimestamp": None}
        if self._resource.custom:
            del metadata["creationTimestamp"]
        if annotations:
            metadata["annotations"] = annotations
        obj = {"kind": self._resource.kind, "apiVersion": self._resource.api_version, "metadata": metadata}
        if self._shape is not None:
            obj = self._shape(obj, wall())
        return to_json({"type": "BOOKMARK", "object": obj}) + b"\n"
