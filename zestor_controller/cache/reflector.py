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
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Final, Generic, TypeVar

from zestor_controller.backoff import Backoff
from zestor_controller.cache.checkpoint import Checkpoint
from zestor_controller.cache.freshness import EVIDENCE_S, SOON_S, Freshness, has_reached, is_older
from zestor_controller.cache.history import History
from zestor_controller.cache.overlay import Overlay
from zestor_controller.cache.pager import ANSWER_S, JSON, Pages
from zestor_controller.cache.record import Record, compressed
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
from zestor_controller.cache.watchhandler import SLICE_S, Reading
from zestor_controller.client import Client
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

SKIPPED_S: Final = 10.0
CHECK_S: Final = 290.0  # the server's present version is asked for at least so often (C2)
METADATA: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"


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
        checkpoint: where to begin, and what to write at times; None begins with a list.

    Attributes:
        unsure: an event could not be used, and no list has been made since.
        overlay: what this process wrote and the stream has not brought yet.
        history: see :class:`History`.
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
    checkpoint: Checkpoint | None = None
    unsure: bool = field(default=False, init=False)
    overlay: Overlay = field(init=False)
    history: History = field(init=False)
    fresh: Freshness = field(init=False)
    _pages: Pages = field(init=False)
    _asked_to_wait: float = field(default=0.0, init=False)
    _floor: int | str | None = field(default=None, init=False)
    _wanted: str = field(default="", init=False)
    _refused: bool = field(default=False, init=False)
    _shorts: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.overlay = Overlay(self.target)
        self.history = History(self.kind.store_name, self.status, self.metrics, self.overlay, self.checkpoint)
        self._pages = Pages(self.client, self.kind, self.namespace, self.selector, self.metadata_only)
        self.fresh = Freshness(self._pages.present, lambda: "" if self.unsure else self.status.version, self.rng)

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
        return self._floor if self._floor is not None else self.history.version_of(self.status.version)

    @property
    def taking(self) -> bool:
        """Own writes are taken in: what is kept is in sync, or the first list is on its way."""
        return self.status.synced or self.status.state is InformerState.SYNCING

    def reached(self, version: str) -> None:
        """The stream has brought everything up to this version."""
        self.status.version = version
        if self.overlay:
            self.overlay.passed(self.history.version_of(version))
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
        if (
            self.checkpoint is None
            or not self.status.live
            or self.history.epoch
            or self.unsure
            or self._floor is not None
        ):
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
        # Never go back in time: not older than what this cache has already served.
        anything = state.consistent or self.history.anew
        query = self._pages.query("" if anything else state.version, whole=state.whole)
        known = self.target.count()
        stage = self._stage()
        number = self.fresh.begin_list()
        try:
            version, count, met = await self._pages.read(query, stage, self.record, self.target.get)
            self.history.look_back(state.version, version, consistent=state.consistent)
            await self._swap(stage, version)
        except ZestorError as error:
            return Failed(error, state.version)
        if self.status.synced and self.alone:
            self.metrics.synthetic_deletes.labels(name).inc(max(0, known - met))
        self.metrics.list_items.labels(name).inc(count)
        self.metrics.list_seconds.labels(name, "whole" if state.whole else "paged").observe(perf_counter() - started)
        if self.alone:
            self.target.mark_synced()
        if self.namespace and not count:
            await self._look_for_namespace()
        self._pages.asked()
        self.status.listed()
        if not self._refused:
            self._live()
        self.fresh.listed(number, "resourceVersion" not in query)
        return Listed(version)

    async def _swap(self, stage: EncodedStage[Record], version: str) -> None:
        """Make this reflector's part of the kind what a list says, but for own writes that the list is too old for."""
        reached = self.history.version_of(version)
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

    def record(self, uid: str, version: str, body: bytes, *, wrapped: bool = False) -> Record:
        """A record of what the server sent."""
        return Record(uid, self.history.version_of(version), compressed(body) if self.compact else body, wrapped)

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
            present = await self._pages.present()
        except ZestorError as error:  # the watch meets the same trouble and says so, or it goes on without this
            _log.debug("%s: the present version is not known: %s", self.kind.store_name, error)
            return
        if is_older(present, version):
            self.history.suspect(present)
            self.fresh.want_list()
        if self.status.no_namespace:
            await self._look_for_namespace()

    async def _resume(self, state: State) -> Failed | None:
        """Learn what a checkpoint has to catch up with before it counts as in sync (C11)."""
        if not self._wanted:
            try:
                present = await self._pages.present()
            except ZestorError as error:
                return Failed(error, state.version)
            if is_older(present, state.version):  # restored meanwhile; nothing has been served
                self.history.alarm(state.version, present)
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
        try:
            async with (
                self._checking(state.version),
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
                await self._follow(batches, reading, deadline, started + seconds)
                end = "skipped" if reading.skipped else "closed"
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

    async def _follow(
        self, batches: AsyncIterator[list[bytes]], reading: Reading, deadline: asyncio.Timeout, until: float
    ) -> None:
        """Take in what an open watch brings, to its end."""
        loop = asyncio.get_running_loop()
        proving: asyncio.TimerHandle | None = None
        if self._refused or not self.status.synced:
            proving = loop.call_later(SHORT_WATCH_S, self._proved)
        else:
            self._live()
        hurried = False
        try:
            while True:
                try:
                    async with asyncio.timeout(self.timing.idle):
                        lines = await anext(batches)
                except StopAsyncIteration:
                    return
                self.status.last_line = loop.time()
                await reading.take(lines)
                self._accept()
                if reading.skipped and not hurried:
                    hurried = True
                    deadline.reschedule(min(until, loop.time() + SKIPPED_S))
        finally:
            if proving is not None:
                proving.cancel()

    @asynccontextmanager
    async def _checking(self, version: str) -> AsyncIterator[None]:
        """Beside a watch, see whether the server has been restored; not when it has told its version just now."""
        loop = asyncio.get_running_loop()
        if not self.status.synced or loop.time() - self._pages.asked_at < SHORT_WATCH_S:
            yield
            return
        checking = loop.create_task(self._check(version), name=f"check {self.kind.store_name}")
        try:
            yield
        finally:
            checking.cancel()
            await asyncio.wait({checking})

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
