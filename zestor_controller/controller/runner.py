"""A controller that runs: pumps drain watch channels into the work queue, workers drain the queue.

Invariant: between a watch and the queue nothing waits and nothing is lost: the watches coalesce, the queue
deduplicates, and both are level-triggered. A worker holds one key at a time; a reconcile that outlives its
cancellation keeps its key locked while the worker goes on with others (R3).
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from zestor_controller.cache import ClusterCache, Informer
from zestor_controller.cache.writing import LostWrites, noting_lost_writes
from zestor_controller.client import Client
from zestor_controller.controller.context import BlockingContext, Context, Owner, owner_of
from zestor_controller.controller.controller import Controller, Source
from zestor_controller.controller.finalizers import add_finalizer, remove_finalizer
from zestor_controller.controller.handlers import requests_of
from zestor_controller.controller.reconcile import Request, Result
from zestor_controller.controller.recorder import EventRecorder
from zestor_controller.controller.stacks import describe, stack_of
from zestor_controller.controller.threads import in_thread
from zestor_controller.controller.tracing import Tracing
from zestor_controller.controller.workqueue import Item, QueueClosed, WorkQueue
from zestor_controller.errors import Conflict, Forbidden, InvalidObject, NotFound, TerminalError
from zestor_controller.metrics import RESULTS, Metrics
from zestor_controller.store import Event, EventType, Overflow, StoreKind

__all__ = ["Outcome", "Runner", "Services"]

T = TypeVar("T")

_log = logging.getLogger(__name__)

INITIAL_PRIORITY: Final = -100
CANCEL_GRACE_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one reconcile ended, for whoever watches the manager.

    Attributes:
        controller: the controller's name.
        request: whose turn it was.
        result: ``success``, ``requeue_after``, ``error``, ``terminal`` or ``timeout``.
        seconds: how long it took.
        causes: why it ran.
        error: one line, empty unless it failed.
        retry_after: seconds until the next run that is already arranged; None waits for a change.
        runs: how many reconciles of this object have ended so far.
    """

    controller: str
    request: str
    result: str
    seconds: float
    causes: tuple[str, ...]
    error: str = ""
    retry_after: float | None = None
    runs: int = 1


@dataclass(frozen=True, slots=True)
class Services:
    """What a manager lends to its runners."""

    client: Client
    cache: ClusterCache
    metrics: Metrics
    recorder: EventRecorder
    outcomes: StoreKind[Outcome]


class Runner(Generic[T]):
    """One controller at work.

    Args:
        controller: what to run.
        services: the manager's client, cache, metrics, recorder and outcomes.

    Attributes:
        ready: everything that a reconcile may read is there, and the workers run.
        refused: the objects whose last reconcile failed for want of a right, with the server's words.
    """

    def __init__(self, controller: Controller[T], services: Services) -> None:
        controller.check()
        self.controller = controller
        self.ready = False
        self.refused: dict[Request, str] = {}
        self._services = services
        self._metrics = services.metrics
        name = controller.name
        self.queue: WorkQueue[Request] = WorkQueue(
            on_add=self._metrics.queue_adds.labels(name, name).inc,
            on_retry=self._metrics.queue_retries.labels(name, name).inc,
        )
        self._primary: Informer[T] = services.cache.informer(controller.kind)
        self._watched: list[tuple[Source, Informer[Any]]] = [
            (source, services.cache.informer(source.kind)) for source in controller.sources
        ]
        self._last: dict[Request, Event[T]] = {}
        self._lost: dict[Request, LostWrites] = {}
        self._stuck: dict[asyncio.Task[Any], Request] = {}
        self._tracing = Tracing(name)
        for result in RESULTS:
            self._metrics.reconcile_total.labels(name, result)
        for counter in (
            self._metrics.reconcile_errors,
            self._metrics.terminal_errors,
            self._metrics.reconcile_panics,
            self._metrics.reconcile_timeouts,
        ):
            counter.labels(name)  # a series that begins at its first failure hides that failure from rate()
        self._metrics.active_workers.labels(name)
        self._metrics.reconcile_stuck.labels(name)
        self._metrics.max_concurrent.labels(name).set(controller.concurrency)

    @property
    def name(self) -> str:
        """The controller's name."""
        return self.controller.name

    @property
    def informers(self) -> list[Informer[Any]]:
        """The informers that this controller needs, its own kind's first."""
        return [self._primary, *(informer for _, informer in self._watched)]

    async def run(self, *, handed_on: bool = False) -> None:
        """Pump and work until :meth:`stop` or cancellation.

        Args:
            handed_on: others may have worked until now: nothing is reconciled before the caches hold what they wrote.
        """
        async with asyncio.TaskGroup() as tasks:
            pumps = [tasks.create_task(self._pump(self._primary, None), name=f"{self.name}: pump")]
            for source, informer in self._watched:
                name = f"{self.name}: pump of {source.kind.store_name}"
                pumps.append(tasks.create_task(self._pump(informer, source), name=name))
            for informer in self.informers:  # start only when all that a reconcile may read is there
                await informer.wait_synced()
            if handed_on:
                await asyncio.gather(*(informer.wait_current() for informer in self.informers))
            self.ready = True
            async with asyncio.TaskGroup() as workers:
                for n in range(self.controller.concurrency):
                    workers.create_task(self._work(), name=f"{self.name}: worker {n}")
            for pump in pumps:
                pump.cancel()

    def stop(self) -> list[Request]:
        """Start nothing new; what runs may finish. Returns the keys that were left waiting."""
        self.ready = False
        return self.queue.shut_down()

    def abandoned(self) -> list[Request]:
        """The keys whose reconcile ignores its cancellation."""
        return list(self._stuck.values())

    async def drained(self) -> None:
        """Return when nothing runs any more."""
        await self.queue.drained()

    # Pumping

    async def _pump(self, informer: Informer[Any], source: Source | None) -> None:
        kind = informer.kind.store_name
        priority = INITIAL_PRIORITY
        # A reconcile reads the caches themselves: what it was shown there and has gone before this pump came to it must
        # be told (R1).
        watch = informer.lister.stored.encoded.watch(
            initial_replay=True, overflow=Overflow.COALESCE, bookmarks=True, brief=True
        )
        with watch:
            async for batch in watch.batches():
                for event in batch:
                    if event.type is EventType.SYNCED:
                        priority = 0
                        continue
                    cause = f"{event.type.value.lower()} {kind} {event.name}"
                    if source is None:
                        request = Request.parse(event.name)
                        if event.type is not EventType.DELETE:
                            self._last.pop(request, None)
                        elif self.controller.functions.deleted is not None:
                            self._last[request] = event
                        self.queue.add(request, cause=cause, priority=priority)
                    else:
                        for request in requests_of(source, event, self.controller.kind):
                            self.queue.add(request, cause=cause, priority=priority)
                await asyncio.sleep(0)  # the next batch may be there already, and the workers want their turn

    # Working

    async def _work(self) -> None:
        while True:
            try:
                item = await self.queue.get()
            except QueueClosed:
                return
            self._metrics.queue_seconds.labels(self.name, self.name).observe(item.waited)
            await self._process(item)

    async def _process(self, item: Item[Request]) -> None:
        """Run one key to its end, or to its timeout; every path settles the key exactly once."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        active = self._metrics.active_workers.labels(self.name)
        active.inc()
        try:
            task = loop.create_task(self._traced(item), name=f"{self.name}: {item.key}")
            timeout = self.controller.timeout.total_seconds()
            try:
                done, _ = await asyncio.wait({task}, timeout=timeout)
            except asyncio.CancelledError:
                task.cancel()
                await asyncio.wait({task}, timeout=CANCEL_GRACE_S)
                self.queue.done(item.key)
                raise
            if done:
                self._settle(item, task, loop.time() - started)
                return
            stack = stack_of(task)
            _log.error(
                "%s: the reconcile of %s has run for %.0f s, its timeout; it is cancelled. It stood at:\n%s",
                *(self.name, item.key, timeout, "".join(stack.format())),
            )
            self._metrics.reconcile_timeouts.labels(self.name).inc()
            self._metrics.reconcile_seconds.labels(self.name).observe(timeout)
            self._metrics.work_seconds.labels(self.name, self.name).observe(timeout)
            task.cancel()
            done, _ = await asyncio.wait({task}, timeout=CANCEL_GRACE_S)
            error = f"timed out after {timeout:g} s at {describe(stack)}"
            if done:
                if not task.cancelled():
                    task.exception()  # seen: the timeout is what is told
                self._failed(item, error, loop.time() - started, result="timeout")
                self.queue.done(item.key)
                return
            _log.error(
                "%s: the reconcile of %s ignores its cancellation; it is abandoned, its key stays locked until it ends",
                *(self.name, item.key),
            )
            self._stuck[task] = item.key
            self._metrics.reconcile_stuck.labels(self.name).set(len(self._stuck))
            self._tell(item, "timeout", loop.time() - started, error=error + "; it ignores its cancellation")
            task.add_done_callback(lambda ended: self._unstuck(item, ended))
        finally:
            active.dec()

    def _unstuck(self, item: Item[Request], task: asyncio.Task[Any]) -> None:
        self._stuck.pop(task, None)
        self._metrics.reconcile_stuck.labels(self.name).set(len(self._stuck))
        if not task.cancelled():
            task.exception()
        self.queue.done(item.key)
        self.queue.retry(item.key, cause="retry after a timeout")

    def _settle(self, item: Item[Request], task: asyncio.Task[Result | None], seconds: float) -> None:
        """Take the outcome of a finished reconcile: forget, requeue or retry."""
        key = item.key
        self._metrics.reconcile_seconds.labels(self.name).observe(seconds)
        self._metrics.work_seconds.labels(self.name, self.name).observe(seconds)
        error = asyncio.CancelledError("cancelled itself") if task.cancelled() else task.exception()
        if error is None:
            result = task.result()
            self.queue.forget(key)
            self.queue.done(key)
            after = None
            if result is not None and result.requeue_after is not None:
                after = result.requeue_after.total_seconds()
            if after is not None:
                self.queue.add_after(key, after, cause="requeue_after")
            word = "success" if after is None else "requeue_after"
            self._metrics.reconcile_total.labels(self.name, word).inc()
            self._tell(item, word, seconds, retry_after=after)
            return
        if isinstance(error, TerminalError):
            _log.error("%s: %s failed for good, until it changes: %s", self.name, key, error)
            self._metrics.terminal_errors.labels(self.name).inc()
            self._metrics.reconcile_total.labels(self.name, "error").inc()
            self._metrics.reconcile_errors.labels(self.name).inc()
            self._tell(item, "terminal", seconds, error=_line(error))
        else:
            if isinstance(error, Conflict):  # somebody else wrote first: ordinary, and gone with the next read
                _log.info("%s: %s met a conflict and runs again: %s", self.name, key, error)
            elif isinstance(error, NotFound) and f'{self.controller.kind.store_name} "{key.name}"' in str(error):
                _log.info("%s: %s went while it was reconciled: %s", self.name, key, error)
            else:
                _log.error("%s: the reconcile of %s failed: %s", self.name, key, _line(error), exc_info=error)
            if not isinstance(error, Exception):
                self._metrics.reconcile_panics.labels(self.name).inc()
            self._failed(item, _line(error), seconds)
            refusal = _refusal(error)
            if refusal is not None:
                self.refused[key] = str(refusal)
        self.queue.done(key)

    def _failed(self, item: Item[Request], error: str, seconds: float, *, result: str = "error") -> None:
        self._metrics.reconcile_total.labels(self.name, "error").inc()
        self._metrics.reconcile_errors.labels(self.name).inc()
        delay = self.queue.retry(item.key, cause="retry after an error")
        self._tell(item, result, seconds, error=error, retry_after=delay)

    def _tell(
        self, item: Item[Request], result: str, seconds: float, *, error: str = "", retry_after: float | None = None
    ) -> None:
        self.refused.pop(item.key, None)
        name = f"{self.name}/{item.key}"
        before = self._services.outcomes.get(name)
        runs = before.runs + 1 if before is not None else 1
        outcome = Outcome(self.name, str(item.key), result, seconds, item.causes, error, retry_after, runs)
        self._services.outcomes.set(name, outcome)
        if not error and item.key not in self._primary.lister:
            self._services.outcomes.delete(name)  # the object has gone, and all is done about it

    # Reconciling

    async def _traced(self, item: Item[Request]) -> Result | None:
        with self._tracing.span(item.key.name, item.key.namespace, item.causes), noting_lost_writes() as lost:
            # The last run may have written more than it knows: decide again only when that can be seen (C11).
            lost |= self._lost.pop(item.key, {})
            try:
                for place, kind in list(lost.items()):
                    await self._services.cache.wait_current(kind)
                    del lost[place]
                return await self._reconcile(item)
            finally:
                if lost:
                    self._lost[item.key] = lost

    async def _reconcile(self, item: Item[Request]) -> Result | None:
        """Read the level from the cache and call the function that fits it."""
        request, functions = item.key, self.controller.functions
        if functions.requests is not None:
            return await self._call(functions.requests, item, self._owner(request), request)
        try:
            obj: Any = self._primary.lister.get(request.name, namespace=request.namespace or None)
        except InvalidObject as error:
            raise TerminalError(str(error)) from error  # C10: it is as it is until somebody changes it
        if obj is None:
            return await self._gone(item)
        owner = owner_of(self.controller.kind, obj)
        if functions.finalizer is not None:
            name, cleanup = functions.finalizer
            held = name in (obj.metadata.finalizers or ())
            if obj.metadata.deletion_timestamp is not None:
                if not held:
                    return None
                later = await self._call(cleanup, item, owner, obj)
                if later is not None and later.requeue_after is not None:
                    return later  # not done yet: the object is held until it is
                await remove_finalizer(self._services.client, self.controller.kind, obj, name)
                return None
            if not held:
                obj = await add_finalizer(self._services.client, self.controller.kind, obj, name)
        assert functions.reconcile is not None  # Controller.check
        return await self._call(functions.reconcile, item, owner_of(self.controller.kind, obj), obj)

    def _owner(self, request: Request) -> Owner | None:
        """The object of a request as an owner; one that its model refuses owns nothing here."""
        try:
            obj: Any = self._primary.lister.get(request.name, namespace=request.namespace or None)
        except InvalidObject:
            return None
        return owner_of(self.controller.kind, obj) if obj is not None else None

    async def _gone(self, item: Item[Request]) -> Result | None:
        """Tell that an object has gone, with its last known state; a retry is told the same."""
        function = self.controller.functions.deleted
        if function is None:
            return None
        event = self._last.pop(item.key, None)
        try:
            last = event.object if event is not None else None
        except InvalidObject:
            last = None
        done = False
        try:
            answer = await self._call(function, item, None, item.key, last)
            done = answer is None or answer.requeue_after is None
            return answer
        finally:
            if not done and event is not None:
                self._last.setdefault(item.key, event)

    async def _call(
        self, function: Callable[..., Any], item: Item[Request], owner: Owner | None, *args: Any
    ) -> Result | None:
        context = Context(
            request=item.key,
            owner=owner,
            client=self._services.client,
            cache=self._services.cache,
            recorder=self._services.recorder,
            controller=self.name,
            causes=item.causes,
            more_causes=item.more,
            attempt=self.queue.failures(item.key) + 1,
        )
        blocking = BlockingContext(context, asyncio.get_running_loop())
        try:
            if _is_async(function):
                answer = await function(*args, context)
            else:
                answer = await in_thread(
                    lambda: function(*args, blocking), name=f"{self.name}: {item.key}", on_cancel=blocking.cancel
                )
        except SystemExit as error:  # in a task it would tear down the loop without any order
            self._metrics.reconcile_panics.labels(self.name).inc()
            raise RuntimeError(f"it called exit({error.code}); a reconcile cannot end the manager") from error
        return self._checked(function, answer)

    def _checked(self, function: Callable[..., Any], answer: Any) -> Result | None:
        if answer is None or isinstance(answer, Result):
            return answer
        name = getattr(function, "__qualname__", repr(function))
        if inspect.isawaitable(answer):
            close = getattr(answer, "close", None)
            if close is not None:
                close()  # so that Python does not warn of it a second time
            way_out = "await it" if _is_async(function) else "make it async def"
            raise TypeError(f"{name} of {self.name} returned a coroutine that nobody awaited: {way_out}")
        raise TypeError(f"{name} of {self.name} returned {answer!r}; return None or Result(requeue_after=...)")


def _is_async(function: Callable[..., Any]) -> bool:
    """Whether calling it gives something to await; decorated functions and callable objects included."""
    candidates = (function, inspect.unwrap(function), getattr(function, "__call__", None))  # noqa: B004
    return any(inspect.iscoroutinefunction(candidate) for candidate in candidates)


def _refusal(error: BaseException | None) -> Forbidden | None:
    """The server's refusal for want of a right, if that is what an error comes from."""
    while error is not None and not isinstance(error, Forbidden):
        if isinstance(error, BaseExceptionGroup):
            return next((found for inner in error.exceptions if (found := _refusal(inner)) is not None), None)
        error = error.__cause__
    return error


def _line(error: BaseException) -> str:
    """An error as one line, with its type where that is not said already."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
