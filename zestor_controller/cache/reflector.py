"""The reflector: keeps one kind of a store equal to an API server's list, by list, then watch.

Invariant: a reflector is the only writer of its part of the kind. What it does next is decided by the pure state
machine of :mod:`~zestor_controller.cache.sync`; this module does what the state asks for: it reads pages and lines,
turns them into records and hands whole batches to the store. A list is swapped in when it is complete, never before
(C4).
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Final, Generic, TypeVar

import msgspec

from zestor_controller.backoff import Backoff
from zestor_controller.cache.checkpoint import Checkpoint
from zestor_controller.cache.decode import (
    EPOCH,
    Record,
    compressed,
    decode_line,
    decode_object,
    version_of,
)
from zestor_controller.cache.status import InformerState, InformerStatus
from zestor_controller.cache.sync import Ended, Failed, Listed, OlderList, Outcome, Phase, State, step
from zestor_controller.client import Client
from zestor_controller.client.decoding import decode_page
from zestor_controller.errors import (
    ApiError,
    Forbidden,
    NotFound,
    TooManyRequests,
    TransportError,
    ZestorError,
)
from zestor_controller.metrics import Metrics
from zestor_controller.objects import Kind
from zestor_controller.store import EncodedKind, EncodedStage, Tombstone

__all__ = ["Reflector", "Timing"]

T = TypeVar("T")

_log = logging.getLogger(__name__)

SLICE_S: Final = 0.005
SLICE_LINES: Final = 128
PAGE_BYTES: Final = 1 << 20
MAX_PAGE: Final = 500
RESTORE_CONFIRM_S: Final = 30.0
SKIPPED_S: Final = 10.0
ACCEPT_S: Final = 1.0  # a server that has not refused a version within this time goes on from it
JSON: Final = "application/json"
METADATA: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_LIST: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


@dataclass(frozen=True, slots=True)
class Timing:
    """The clocks of a reflector, in seconds.

    Attributes:
        watch: what the server is asked to end a watch after; jittered downward by up to a sixth.
        margin: how much longer than that the client waits before it ends the watch itself (C5).
        idle: end a watch that brought no line for so long; None waits for the deadline alone, because bookmarks are
            promised by no server.
    """

    watch: float = 290.0
    margin: float = 10.0
    idle: float | None = None


@dataclass(slots=True)
class _Restore:
    """A list whose version lies below the last one seen: when it was first met (C2)."""

    version: int
    at: float


@dataclass(slots=True)
class Reflector(Generic[T]):
    """One list-and-watch stream into one part of a kind.

    Args:
        client: where to read.
        kind: what to read.
        target: the kind's writer side in the store.
        status: where to tell how it goes.
        metrics: where to count.
        namespace: one namespace, or None for all.
        selector: query parameters that narrow the stream (labelSelector, fieldSelector).
        timing: see :class:`Timing`.
        rng: jitter; injected so that a simulation can replay.
        alone: the kind is this reflector's whole; False where each watched namespace has a reflector of its own.
        metadata_only: read metadata and nothing else of each object.
        compact: keep objects compressed: less memory, for some 10 us more at each event and each read.
        epoch: what is added to versions; it grows when the server has been restored (C2).
        checkpoint: where to begin, and what to write at times; None begins with a list.
    """

    client: Client
    kind: Kind[T]
    target: EncodedKind[Record]
    status: InformerStatus
    metrics: Metrics
    namespace: str | None = None
    selector: dict[str, str] = field(default_factory=dict)
    timing: Timing = field(default_factory=Timing)
    rng: random.Random = field(default_factory=random.Random)
    alone: bool = True
    metadata_only: bool = False
    compact: bool = False
    _page: int = MAX_PAGE
    _restore: _Restore | None = None
    _asked_to_wait: float = 0.0
    epoch: int = 0
    checkpoint: Checkpoint | None = None
    _restored: bool = False

    async def run(self) -> None:
        """List and watch for ever; ends only by cancellation. Every failure backs off and is told in the status."""
        loop = asyncio.get_running_loop()
        backoff = Backoff(rng=self.rng, clock=loop.time)
        state = await self._resumed()
        while True:
            if state.absent and self.status.synced and self.target.count():
                await self._drop()
            if state.delay:
                await asyncio.sleep(max(backoff.next(), self._asked_to_wait))
            self._asked_to_wait = 0.0
            outcome = await (self._list(state) if state.phase is Phase.LIST else self._watch(state))
            if isinstance(outcome, Failed):
                self._tell(state, outcome.error)
            state = step(state, outcome, loop.time())
            self.status.version = state.version

    # Checkpoints

    async def _resumed(self) -> State:
        """Begin with the watch from a checkpoint, if there is one; nothing is served before it is accepted."""
        found = self.checkpoint.load() if self.checkpoint is not None and not self.status.synced else None
        if found is None:
            return State()
        version, records = found
        stage = self._stage()
        for name, record in records:
            stage.put(name, record)
        await stage.commit_async(SLICE_S)
        self.status.version = version
        return State(Phase.WATCH, version)

    def _accept(self) -> None:
        """The checkpoint that the stream began from is good: the server goes on from its version."""
        if not self.status.synced:
            if self.alone:
                self.target.mark_synced()
            self.status.listed()
            self._live()

    async def save(self) -> None:
        """Write the checkpoint, if the stream is live: only then do version and objects belong together."""
        if self.checkpoint is None or not self.status.live or self.epoch:
            return
        prefix = f"{self.namespace}/" if self.namespace and not self.alone else ""
        items = [item for item in self.target.items() if item[0].startswith(prefix)]
        await self.checkpoint.save(self.status.version, items)

    # Listing

    async def _list(self, state: State) -> Outcome:
        started = perf_counter()
        name = self.kind.store_name
        self.metrics.relists.labels(name, state.reason).inc()
        if self.status.synced:
            self.status.relists += 1
        query = dict(self.selector)
        if not state.whole:
            query["limit"] = str(self._page)
        if state.version and not state.consistent and not self._restored:
            # Never go back in time: not older than what this cache has already served.
            query |= {"resourceVersion": state.version, "resourceVersionMatch": "NotOlderThan"}
        known = self.target.count()
        stage = self._stage()
        try:
            version, count, met = await self._read_pages(query, stage)
            self._look_back(state, version)
            await stage.commit_async(SLICE_S)
        except ZestorError as error:
            return Failed(error, state.version)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return Failed(TransportError(f"{name}: the server's list is not readable: {error}"), state.version)
        if self.status.synced and self.alone:
            self.metrics.synthetic_deletes.labels(name).inc(max(0, known - met))
        self.metrics.list_items.labels(name).inc(count)
        self.metrics.list_seconds.labels(name, "whole" if state.whole else "paged").observe(perf_counter() - started)
        if self.alone:
            self.target.mark_synced()
        self.status.listed()
        self._live()
        return Listed(version)

    async def _read_pages(self, query: dict[str, str], stage: EncodedStage[Record]) -> tuple[str, int, int]:
        """Read all pages of one list into a stage; the next page is on its way while this one is decoded.

        Returns:
            The list's version, the number of its objects, and how many of their names the cache held before.
        """
        put, get, pack = stage.put, self.target.get, self.packing()
        count = met = 0
        pending = asyncio.ensure_future(self._fetch(query))
        try:
            while True:
                body = await pending
                page = decode_page(body, f"GET {self.kind.path(namespace=self.namespace)}")
                items, token = page.objects, page.token
                self._size_pages(len(body), len(items))
                if token:
                    follow = dict(self.selector) | {"limit": str(self._page), "continue": token}
                    pending = asyncio.ensure_future(self._fetch(follow))
                end = perf_counter() + SLICE_S
                for index, raw in enumerate(items):
                    # A view would keep the whole page alive; bytes() copies this item out.
                    item = bytes(raw)
                    meta = decode_object(item).metadata
                    key = f"{meta.namespace}/{meta.name}" if meta.namespace else meta.name
                    met += get(key) is not None
                    put(key, Record(meta.uid, self.version_of(meta.resourceVersion), pack(item), False))
                    if not index & 63 and perf_counter() > end:
                        await asyncio.sleep(0)
                        end = perf_counter() + SLICE_S
                count += len(items)
                if not token:
                    return page.version, count, met
        finally:
            pending.cancel()

    async def _fetch(self, query: dict[str, str]) -> bytes:
        accept = METADATA_LIST if self.metadata_only else JSON
        return await self.client.read_page(self.kind, namespace=self.namespace, query=query, accept=accept)

    def _size_pages(self, size: int, items: int) -> None:
        """Aim at pages of about a mebibyte: one page is one scan that nothing can interrupt (C8)."""
        if items:
            self._page = max(20, min(MAX_PAGE, PAGE_BYTES * items // size))

    def _look_back(self, state: State, version: str) -> None:
        """Refuse a list that would turn time back; two consistent ones, far enough apart, begin a new epoch (C2).

        Raises:
            OlderList: the list must not be used.
        """
        last = state.version
        before, after = version_of(last) if last else "", version_of(version)
        if self._restored or not isinstance(before, int) or not isinstance(after, int) or after >= before:
            self._restore, self._restored = None, False
            return
        older = f"the list (version {version}) is older than the cache ({last})"
        if not state.consistent:  # a replica that lags behind may say so too
            raise OlderList(older)
        now = asyncio.get_running_loop().time()
        if self._restore is None:
            self._restore = _Restore(after, now)
        if now - self._restore.at < RESTORE_CONFIRM_S:
            raise OlderList(older)
        _log.error(
            "%s: the server's versions went back from %s to %s and stayed there: it was restored from a backup; "
            "the cache starts a new epoch",
            self.kind.store_name,
            last,
            version,
        )
        # What has been read of this list carries the old epoch; the next one replaces everything.
        self.epoch += EPOCH
        self._restored = True
        raise OlderList(older, confirmed=True)

    def packing(self) -> Callable[[bytes], bytes]:
        """What is done to an object's bytes before they are kept."""
        return compressed if self.compact else bytes

    def version_of(self, text: str) -> int | str:
        """A record's version: the resourceVersion, above all those of before a restore."""
        version = version_of(text)
        return version + self.epoch if self.epoch and isinstance(version, int) else version

    async def _drop(self) -> None:
        """The server no longer knows the resource: nothing of it exists any more."""
        stage = self._stage()
        await stage.commit_async(SLICE_S)
        self.metrics.synthetic_deletes.labels(self.kind.store_name).inc(stage.changed)

    def _stage(self) -> EncodedStage[Record]:
        """The next content of this reflector's part of the kind."""
        if self.alone:
            return self.target.stage()
        prefix = f"{self.namespace}/"
        return self.target.stage(keep=lambda name: not name.startswith(prefix))

    # Watching

    async def _watch(self, state: State) -> Outcome:
        loop = asyncio.get_running_loop()
        started = loop.time()
        seconds = self.timing.watch * (1 - self.rng.random() / 6)
        query = dict(self.selector) | {
            "watch": "true",
            "resourceVersion": state.version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(max(1, int(seconds))),
        }
        reading = _Reading(self, state.version)
        end = "closed"
        opened = False
        accepting: asyncio.TimerHandle | None = None
        try:
            async with (
                asyncio.timeout(seconds + self.timing.margin) as deadline,
                self.client.stream_lines(
                    self.kind,
                    namespace=self.namespace,
                    query=query,
                    accept=METADATA if self.metadata_only else JSON,
                ) as batches,
            ):
                opened = True
                if not self.status.synced:
                    accepting = loop.call_later(ACCEPT_S, self._accept)
                self._live()
                while True:
                    try:
                        async with asyncio.timeout(self.timing.idle):
                            lines = await anext(batches)
                    except StopAsyncIteration:
                        break
                    self.status.last_line = loop.time()
                    await reading.take(lines)
                    self._accept()
                    if reading.skipped and end != "skipped":
                        end = "skipped"
                        deadline.reschedule(min(started + seconds, loop.time() + SKIPPED_S))
        except TimeoutError:
            if not opened:
                end = "no_answer"
                error = TransportError(f"the server did not answer within {seconds + self.timing.margin:g} s")
                return Failed(error, reading.version)
            end = "skipped" if reading.skipped else "idle"
        except ApiError as error:
            end = "gone" if error.status == 410 else "error"
            return Failed(error, reading.version, reading.lines, reading.skipped)
        except TransportError as error:
            end = "reset"
            return Failed(error, reading.version, reading.lines, reading.skipped)
        finally:
            if accepting is not None:
                accepting.cancel()
            if end == "closed" and loop.time() - started >= seconds - 1:
                end = "server_timeout"
            elif end == "closed" and not reading.lines and loop.time() - started < 1:
                end = "short"
            self.metrics.watch_streams.labels(self.kind.store_name, end).inc()
        return Ended(reading.version, reading.lines, loop.time() - started, reading.skipped)

    # Telling

    def _live(self) -> None:
        count = self.target.count()
        self.status.become(InformerState.LIVE, f"{count} object{'' if count == 1 else 's'} cached")

    def _tell(self, state: State, error: ZestorError) -> None:
        if isinstance(error, TooManyRequests) and error.retry_after:
            self._asked_to_wait = error.retry_after
        verb = state.phase.value
        where = f" in namespace {self.namespace}" if self.namespace else ""
        name = self.kind.store_name
        if isinstance(error, Forbidden):
            what = f"not allowed to {verb} {name}{where}: {error.message}; grant get, list and watch on it"
            changed = self.status.become(InformerState.FORBIDDEN, what)
        elif isinstance(error, NotFound):
            what = f"the server does not know {name}; install its CustomResourceDefinition"
            changed = self.status.become(InformerState.NO_CRD, what)
        elif isinstance(error, ApiError) and error.status == 410:
            return  # history expired: an ordinary relist
        else:
            what = f"cannot {verb} {name}{where}: {error}"
            changed = self.status.become(InformerState.STALE if self.status.synced else InformerState.FAILED, what)
        if changed:
            _log.warning("%s", what)
        else:
            _log.debug("%s", what)


class _Reading(Generic[T]):
    """The lines of one watch on their way into the store."""

    def __init__(self, reflector: Reflector[T], version: str) -> None:
        self.version = version
        self.lines = 0
        self.skipped = False
        self._breath = perf_counter()
        number = version_of(version)
        self._last = number if isinstance(number, int) else 0
        self._get = reflector.target.get
        self._reflector = reflector
        self._name = reflector.kind.store_name
        self._kind = "PartialObjectMetadata" if reflector.metadata_only else reflector.kind.kind
        self._pack = reflector.packing()
        self._apply = reflector.target.apply
        self._counts = {
            kind: reflector.metrics.watch_events.labels(self._name, kind)
            for kind in ("ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR")
        }

    async def take(self, lines: list[bytes]) -> None:
        """Apply a batch of lines; lets the loop breathe between slices.

        Raises:
            ApiError: the batch holds an ERROR event; what stood before it has been applied.
        """
        for start in range(0, len(lines), SLICE_LINES):
            self._take(lines[start : start + SLICE_LINES])
            # By the clock, not by the batch: a transport whose next piece is there already never lets go of the loop.
            if perf_counter() - self._breath > SLICE_S:
                await asyncio.sleep(0)
                self._breath = perf_counter()

    def _take(self, lines: list[bytes]) -> None:
        changes: list[tuple[str, Record | Tombstone[Record] | None]] = []
        counts = dict.fromkeys(self._counts, 0)
        version, epoch, pack = self.version, self._reflector.epoch, self._pack
        last = self._last
        try:
            for line in lines:
                try:
                    decoded = decode_line(line)
                    kind, obj = decoded.type, decoded.object
                    counts[kind] += 1
                except (msgspec.DecodeError, UnicodeDecodeError, KeyError):
                    self._skip(line, "malformed", version)
                    continue
                meta = obj.metadata
                if kind == "ERROR":
                    raise ApiError.from_status(msgspec.json.decode(line)["object"], status=200)
                if obj.kind != self._kind and obj.kind:
                    self._skip(line, "wrong_kind", version)
                    continue
                if not meta.resourceVersion or not (meta.name or kind == "BOOKMARK"):
                    self._skip(line, "malformed", version)
                    continue
                number = version_of(meta.resourceVersion)
                if isinstance(number, int):
                    if number < last:
                        # A server that was restored goes on from an older version, and some of it is lost: list.
                        self._skip(line, "out_of_order", version)
                    else:
                        last, version = number, meta.resourceVersion
                    number += epoch
                else:
                    version = meta.resourceVersion
                if kind == "BOOKMARK":
                    continue
                key = f"{meta.namespace}/{meta.name}" if meta.namespace else meta.name
                record = Record(meta.uid, number, pack(line), True)
                if kind != "DELETED":
                    changes.append((key, record))
                elif not self._outlived(key, record):
                    changes.append((key, Tombstone(record)))
        finally:
            # Also when an ERROR ends the batch: what came before it is true and must not be lost.
            if changes:
                self._apply(changes)
            self._last = last
            if not self.skipped:
                self.version = self._reflector.status.version = version
            self.lines += sum(counts.values()) - counts["ERROR"]
            for kind, count in counts.items():
                if count:
                    self._counts[kind].inc(count)

    def _outlived(self, key: str, deleted: Record) -> bool:
        """Whether the name belongs to a later object than the deleted one: a deletion told twice."""
        old = self._get(key)
        if old is None or old.uid == deleted.uid:
            return False
        before, after = old.version, deleted.version
        return isinstance(before, int) and isinstance(after, int) and after < before

    def _skip(self, line: bytes, reason: str, version: str) -> None:
        """Count an event that cannot be used; the stream goes on, but its version does not advance past it."""
        if not self.skipped:
            self.skipped, self.version = True, version
        self._reflector.metrics.skipped_events.labels(self._name, reason).inc()
        _log.warning("%s: skipped a watch event (%s): %.200r", self._name, reason, line)
