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
    decode_object,
    version_of,
)
from zestor_controller.cache.freshness import EVIDENCE_S, SOON_S, Freshness, has_reached, is_older
from zestor_controller.cache.overlay import Overlay
from zestor_controller.cache.reading import SLICE_S, Reading
from zestor_controller.cache.status import InformerState, InformerStatus
from zestor_controller.cache.sync import (
    SHORT_WATCH_S,
    Ended,
    Failed,
    Listed,
    OlderList,
    Outcome,
    Phase,
    State,
    step,
)
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
from zestor_controller.store import EncodedKind, EncodedStage

__all__ = ["Reflector", "Timing"]

T = TypeVar("T")

_log = logging.getLogger(__name__)

PAGE_BYTES: Final = 1 << 20
MAX_PAGE: Final = 500
RESTORE_CONFIRM_S: Final = 30.0
SKIPPED_S: Final = 10.0
CHECK_S: Final = 290.0  # the server's present version is asked for at least so often (C2)
ANSWER_S: Final = 10.0
JSON: Final = "application/json"
METADATA: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_LIST: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


@dataclass(frozen=True, slots=True)
class Timing:
    """The clocks of a reflector, in seconds.

    Attributes:
        watch: what the server is asked to end a watch after, at most 290; jittered downward by up to a sixth.
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

    Attributes:
        unsure: an event could not be used, and no list has been made since.
        overlay: what this process wrote and the stream has not brought yet.
        fresh: see :class:`Freshness`.
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
    unsure: bool = False
    overlay: Overlay = field(init=False)
    fresh: Freshness = field(init=False)
    _restored: bool = False
    _floor: int | str | None = None
    _asked_at: float = -1.0
    _wanted: str = ""
    _refused: bool = False
    _shorts: int = 0

    def __post_init__(self) -> None:
        self.overlay = Overlay(self.target)
        self.fresh = Freshness(self._present, lambda: "" if self.unsure else self.status.version, self.rng)

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
            if self.fresh.list_wanted and state.phase is Phase.WATCH:
                state = State(Phase.LIST, state.version, consistent=True, reason="unconfirmed")
            outcome = await (self._list(state) if state.phase is Phase.LIST else self._watch(state))
            self._judge(state, outcome)
            if isinstance(outcome, Failed):
                self._tell(state, outcome)
            state = step(state, outcome, loop.time())
            self.status.version = state.version

    async def wait_current(self) -> None:
        """Return once the cache holds everything that the server had acknowledged at this moment (C11)."""
        await self.status.wait_synced()
        await self.fresh.wait()

    @property
    def seen(self) -> int | str:
        """The version up to which everything is known: the stream's, or that of the list that is being swapped in."""
        return self._floor if self._floor is not None else self.version_of(self.status.version)

    @property
    def taking(self) -> bool:
        """Own writes are taken in: what is kept is in sync, or the first list is on its way."""
        return self.status.synced or self.status.state is InformerState.SYNCING

    def reached(self, version: str) -> None:
        """The stream has brought everything up to this version."""
        self.status.version = version
        if self.overlay:
            self.overlay.passed(self.version_of(version))
        self.fresh.moved()

    # Checkpoints

    async def _resumed(self) -> State:
        """Begin with the watch from a checkpoint, if there is one; nothing is served before it is in sync."""
        if self.status.synced:  # started again after a defect: a list must not go back in time even so
            return State(version=self.status.version, reason="error")
        found = self.checkpoint.load() if self.checkpoint is not None else None
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
        """What began with a checkpoint is in sync once it has reached the version that the server had at the start."""
        if not self.status.synced and not self.unsure and has_reached(self.status.version, self._wanted):
            if self.alone:
                self.target.mark_synced()
            self.status.listed()
            self._live()

    async def save(self) -> None:
        """Write the checkpoint, if the stream is live: only then do version and objects belong together."""
        if self.checkpoint is None or not self.status.live or self.epoch or self.unsure or self._floor is not None:
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
        number = self.fresh.begin_list()
        try:
            version, count, met = await self._read_pages(query, stage)
            self._look_back(state, version)
            await self._swap(stage, version)
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
        if self.namespace and not count:
            await self._look_for_namespace()
        self._asked_at = asyncio.get_running_loop().time()
        self.status.listed()
        if not self._refused:
            self._live()
        self.fresh.listed(number, "resourceVersion" not in query)
        return Listed(version)

    async def _swap(self, stage: EncodedStage[Record], version: str) -> None:
        """Make this reflector's part of the kind what a list says, but for own writes that the list is too old for."""
        reached = self.version_of(version)
        self.overlay.carry(stage, reached)
        self._floor = reached
        try:
            with self.overlay.swapping():
                await stage.commit_async(SLICE_S)
            self.unsure = False
            self.reached(version)
        finally:
            self._floor = None

    async def _look_for_namespace(self) -> None:
        """A namespace with nothing in it may not exist: a slip of the pen that would look like an empty cluster."""
        missing = False
        try:
            async with asyncio.timeout(ANSWER_S):
                await self.client.get("v1/Namespace", str(self.namespace))
        except NotFound:
            missing = True
        except (ZestorError, TimeoutError) as error:  # it may be forbidden to ask
            _log.debug("whether the namespace %s exists is not known: %s", self.namespace, error)
        if missing and not self.status.no_namespace:
            _log.warning(
                "%s: the server has no namespace %r, so nothing of it is cached; create it, or watch another one",
                self.kind.store_name,
                self.namespace,
            )
        self.status.no_namespace = missing

    async def _present(self) -> str:
        """The server's present version, by a consistent list of one object.

        Raises:
            ZestorError: it does not tell.
        """
        try:
            async with asyncio.timeout(ANSWER_S):
                body = await self._fetch(dict(self.selector) | {"limit": "1"})
            self._asked_at = asyncio.get_running_loop().time()
            return decode_page(body, f"GET {self.kind.path(namespace=self.namespace)}").version
        except TimeoutError:
            raise TransportError(f"the server did not respond to a list of one object within {ANSWER_S:g} s") from None

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
        if self._restored or not isinstance(before, int) or not isinstance(after, int):
            self._restore, self._restored = None, False
            return
        if after >= before:
            if self._restore is None:
                return
            # Perhaps it was restored and has passed the last version again: then equal versions mean other objects.
            _log.warning(
                "%s: the server's version was %s, below the last one seen, and now is %s; everything is replaced",
                self.kind.store_name,
                self._restore.version,
                version,
            )
            self._begin_epoch()
            raise OlderList("the server's versions went back for a moment; the list is made again", confirmed=True)
        older = f"the server's list (version {version}) is older than the cache ({last})"
        if not state.consistent:  # a replica that lags behind may say so too
            raise OlderList(older)
        now = asyncio.get_running_loop().time()
        if self._restore is None:
            self._restore = _Restore(after, now)
        if now - self._restore.at < RESTORE_CONFIRM_S:
            raise OlderList(older)
        self._alarm(last, version)
        self._begin_epoch()
        raise OlderList(older, confirmed=True)

    def _alarm(self, last: str, version: str) -> None:
        _log.error(
            "%s: the server's versions went back from %s to %s: it was restored from a backup; everything is replaced",
            self.kind.store_name,
            last,
            version,
        )
        self.metrics.server_restores.labels(self.kind.store_name).inc()
        self.status.restores += 1

    def _begin_epoch(self) -> None:
        """What has been read so far carries the old epoch; the next list replaces everything."""
        self.epoch += EPOCH
        self._restored = True
        self.overlay.clear()

    def packing(self) -> Callable[[bytes], bytes]:
        """What is done to an object's bytes before they are kept."""
        return compressed if self.compact else bytes

    def version_of(self, text: str) -> int | str:
        """A record's version: the resourceVersion, above all those of before a restore."""
        version = version_of(text)
        return version + self.epoch if self.epoch and isinstance(version, int) else version

    async def _drop(self) -> None:
        """The server no longer knows the resource: nothing of it exists any more."""
        self.overlay.clear()
        stage = self._stage()
        await stage.commit_async(SLICE_S)
        self.metrics.synthetic_deletes.labels(self.kind.store_name).inc(stage.changed)

    def _stage(self) -> EncodedStage[Record]:
        """The next content of this reflector's part of the kind."""
        late = self.overlay.is_late
        if self.alone:
            return self.target.stage(keep=late)
        prefix = f"{self.namespace}/"
        return self.target.stage(keep=lambda name: not name.startswith(prefix) or late(name))

    # Watching

    async def _check(self, version: str) -> None:
        """See whether the server's present version lies below the one that a watch goes on from (C2).

        A server that was restored from a backup keeps such a watch open and says nothing.
        """
        try:
            present = await self._present()
        except ZestorError as error:  # the watch meets the same trouble and says so, or it goes on without this
            _log.debug("%s: the present version is not known: %s", self.kind.store_name, error)
            return
        if is_older(present, version):
            if self._restore is None:
                self._restore = _Restore(int(present), asyncio.get_running_loop().time())
            self.fresh.want_list()
        if self.status.no_namespace:
            await self._look_for_namespace()

    async def _resume(self, state: State) -> Failed | None:
        """Learn what a checkpoint has to catch up with before it counts as in sync (C11)."""
        if not self._wanted:
            try:
                present = await self._present()
            except ZestorError as error:
                return Failed(error, state.version)
            if is_older(present, state.version):  # restored meanwhile; nothing has been served
                self._alarm(state.version, present)
                await self._drop()
                older = f"the server's version {present} lies below the checkpoint's ({state.version})"
                return Failed(OlderList(older), state.version)
            self._wanted = present
        self._accept()
        return None

    async def _watch(self, state: State) -> Outcome:
        if not self.status.synced:
            failed = await self._resume(state)
            if failed is not None:
                return failed
        resuming = not self.status.synced
        loop = asyncio.get_running_loop()
        started = loop.time()
        seconds = min(self.timing.watch, CHECK_S) * (1 - self.rng.random() / 6)
        if resuming or self.fresh.sooner:
            seconds = min(seconds, SOON_S)
        query = dict(self.selector) | {
            "watch": "true",
            "resourceVersion": state.version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(max(1, int(seconds))),
        }
        reading = Reading(self, state.version)
        end = "closed"
        opened = False
        proving: asyncio.TimerHandle | None = None
        checking: asyncio.Task[None] | None = None
        if not resuming and started - self._asked_at >= SHORT_WATCH_S:
            checking = loop.create_task(self._check(state.version), name=f"check {self.kind.store_name}")
        try:
            async with (
                asyncio.timeout(EVIDENCE_S if resuming else seconds + self.timing.margin) as deadline,
                self.fresh.watching(deadline),
                self.client.stream_lines(
                    self.kind,
                    namespace=self.namespace,
                    query=query,
                    accept=METADATA if self.metadata_only else JSON,
                ) as batches,
            ):
                opened = True
                if self._refused or resuming:
                    proving = loop.call_later(SHORT_WATCH_S, self._proved)
                else:
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
            if not opened and not resuming and not self.fresh.interrupted:
                end = "no_answer"
                error = TransportError(f"the server did not answer within {seconds + self.timing.margin:g} s")
                return Failed(error, reading.version)
            end = "skipped" if reading.skipped else "renewed" if self.fresh.interrupted else "idle"
        except ApiError as error:
            end = "gone" if error.status == 410 else "error"
            return Failed(error, reading.version, reading.lines, reading.skipped, loop.time() - started)
        except TransportError as error:
            end = "reset"
            return Failed(error, reading.version, reading.lines, reading.skipped, loop.time() - started)
        finally:
            if proving is not None:
                proving.cancel()
            if checking is not None:
                checking.cancel()
                await asyncio.wait({checking})
            if end == "closed" and loop.time() - started >= seconds - 1:
                end = "server_timeout"
            elif end == "closed" and not reading.lines and loop.time() - started < 1:
                end = "short"
            self.metrics.watch_streams.labels(self.kind.store_name, end).inc()
        return Ended(
            reading.version,
            reading.lines,
            loop.time() - started,
            reading.skipped,
            own=end == "renewed",
            unconfirmed=not self.status.synced and not reading.lines,
        )

    # Telling

    def _live(self) -> None:
        self.status.become(InformerState.LIVE)

    def _proved(self) -> None:
        """A watch has lived for long enough to count."""
        self._refused, self._shorts = False, 0
        if self.status.synced:
            self._live()

    def _judge(self, state: State, outcome: Outcome) -> None:
        """Tell a kind that has a stream from one that lives from lists alone, because each watch ends at once."""
        if state.phase is not Phase.WATCH or isinstance(outcome, Listed):
            return
        if outcome.seconds >= SHORT_WATCH_S or (isinstance(outcome, Ended) and (outcome.own or outcome.unconfirmed)):
            self._shorts = 0
            return
        self._shorts += 1
        self._refused = isinstance(outcome, Failed) or self._shorts > 1
        if self._refused and isinstance(outcome, Ended) and self.status.synced:
            what = f"the server ends each watch of {self.kind.store_name} within a second; a proxy may do so"
            if self.status.become(InformerState.STALE, what):
                _log.warning("%s", what)

    def _tell(self, state: State, failed: Failed) -> None:
        error = failed.error
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
        elif isinstance(error, ApiError) and error.status == 410 and not (self._refused and state.fresh):
            return  # history expired: an ordinary relist
        else:
            what = f"cannot {verb} {name}{where}: {error}"
            changed = self.status.become(InformerState.STALE if self.status.synced else InformerState.FAILED, what)
        if changed:
            _log.warning("%s", what)
        else:
            _log.debug("%s", what)
