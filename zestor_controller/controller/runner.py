"""A controller that runs: pumps drain watch channels into the work queue, workers drain the queue.

Invariant: between a watch and the queue nothing waits and nothing is lost: the watches coalesce, the queue
deduplicates, and both are level-triggered. A worker holds one key at a time; a reconcile that outlives its
cancellation keeps its key locked until it has ended, in later terms of this process too (Q1), while the worker goes on
with others (R3).
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import Any, Final, Generic, TypeVar

from zestor_controller.cache import Informer
from zestor_controller.cache.writing import noting_lost_writes
from zestor_controller.controller.controller import Controller, Source
from zestor_controller.controller.denial import denial_of, describe_denial
from zestor_controller.controller.dispatch import Dispatcher
from zestor_controller.controller.eventhandler import requests_of
from zestor_controller.controller.memory import Memory
from zestor_controller.controller.reconcile import Request, Result
from zestor_controller.controller.services import Outcome, Services
from zestor_controller.controller.stack import describe, stack_of
from zestor_controller.controller.tracer import Tracing
from zestor_controller.controller.workqueue import Item, QueueClosed, WorkQueue
from zestor_controller.errors import Conflict, InvalidObject, NotFound, TerminalError
from zestor_controller.metrics import RESULTS
from zestor_controller.store import EventType, Overflow

__all__ = ["Runner"]

T = TypeVar("T")

_log = logging.getLogger(__name__)

INITIAL_PRIORITY: Final = -100
CANCEL_GRACE_S: Final = 2.0
LOCKED: Final = "it is abandoned, its key stays locked until it ends"


class Runner(Generic[T]):
    """One controller at work, for one term.

    Args:
        controller: what to run.
        services: the manager's client, cache, metrics, recorder and outcomes.
        memory: what the controller remembers of earlier terms; empty unless given.

    Attributes:
        ready: everything that a reconcile may read is there, and the workers run.
        refused: the objects whose last reconcile failed because the server denied a request, and what that is about:
            a missing right, or the credentials.
        memory: what the controller remembers, for the next term.
    """

    def __init__(self, controller: Controller[T], services: Services, memory: Memory[T] | None = None) -> None:
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
        self.memory: Memory[T] = memory if memory is not None else Memory()
        self._dispatcher = Dispatcher(controller, services, self._primary.lister, self.queue, self.memory)
        self._tracing = Tracing(name)
        self._resume()
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

    def _resume(self) -> None:
        """Lock the keys whose runs of an earlier term have not ended, and go on with what that term left to do."""
        for task, request in self.memory.abandoned.items():
            self.queue.hold(request)
            task.add_done_callback(partial(self._unlock, request))
        for request in dict.fromkeys([*self.memory.deletions, *self.memory.cleaned]):
            self.queue.add(request, cause="left by an earlier term")

    def _unlock(self, request: Request, ended: asyncio.Task[Any]) -> None:
        self.queue.done(request)

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
            handed_on: another replica may have worked until now: nothing is reconciled before the caches hold what it
                wrote (C11).
        """
        try:
            await self._run(handed_on)
        finally:
            self.stop()  # an abandoned run that ends later starts nothing

    async def _run(self, handed_on: bool) -> None:
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
        return list(self.memory.abandoned.values())

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
                        if self.controller.functions.deleted is not None:
                            self.memory.observe(request, event)
                        self.queue.add(request, cause=cause, priority=priority)
                    else:
                        for request in requests_of(source, event, self.controller.kind):
                            self.queue.add(request, cause=cause, priority=priority)
                await asyncio.sleep(0)  # the next batch may be there already, and the workers want their turn

    # Working

    async def _traced(self, item: Item[Request]) -> Result | None:
        with self._tracing.span(item.key.name, item.key.namespace, item.causes), noting_lost_writes() as lost:
            # The last run may have written more than it knows: decide again only when that can be seen (C11).
            lost |= self.memory.lost.pop(item.key, {})
            try:
                for place, kind in list(lost.items()):
                    await self._services.cache.wait_current(kind)
                    del lost[place]
                return await self._dispatcher.dispatch(item)
            finally:
                if lost:
                    self.memory.lost[item.key] = lost

    async def _work(self) -> None:
        while True:
            try:
                item = await self.queue.get()
            except QueueClosed:
                return
            self._metrics.queue_seconds.labels(self.name, self.name).observe(item.waited)
            await self._process(item)

    async def _process(self, item: Item[Request]) -> None:
        """Run one key to its end, or to its timeout; its key is unlocked once, and not before the run has ended."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        active = self._metrics.active_workers.labels(self.name)
        active.inc()
        try:
            task = loop.create_task(self._traced(item), name=f"{self.name}: {item.key}")
            timeout = self.controller.timeout.total_seconds()
            try:
                done, _ = await asyncio.wait({task}, timeout=timeout)
            except asyncio.CancelledError:  # the end of the term
                self._abandon(item, task)  # first, so that the key stays locked whatever interrupts this
                task.cancel()
                await asyncio.wait({task}, timeout=CANCEL_GRACE_S)
                if not task.done():
                    _log.error("%s: the reconcile of %s ignores its cancellation; %s", self.name, item.key, LOCKED)
                raise
            if done:
                self._finish(item, task, loop.time() - started)
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
                    task.exception()  # retrieved: the timeout is what is reported
                self._failed(item, error, loop.time() - started, result="timeout")
                self.queue.done(item.key)
                return
            _log.error("%s: the reconcile of %s ignores its cancellation; %s", self.name, item.key, LOCKED)
            self._report(item, "timeout", loop.time() - started, error=error + "; it ignores its cancellation")
            self._abandon(item, task)
        finally:
            active.dec()

    def _abandon(self, item: Item[Request], task: asyncio.Task[Any]) -> None:
        """Leave a run to itself; its key is unlocked when it ends."""
        self.memory.abandoned[task] = item.key
        self._metrics.reconcile_stuck.labels(self.name).set(len(self.memory.abandoned))
        task.add_done_callback(lambda ended: self._unstuck(item, ended))

    def _unstuck(self, item: Item[Request], task: asyncio.Task[Any]) -> None:
        self.memory.abandoned.pop(task, None)
        self._metrics.reconcile_stuck.labels(self.name).set(len(self.memory.abandoned))
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _log.info("%s: the cancelled reconcile of %s ended with %s", self.name, item.key, _line(error))
        self.queue.done(item.key)
        self.queue.retry(item.key, cause="retry after a timeout")

    def _finish(self, item: Item[Request], task: asyncio.Task[Result | None], seconds: float) -> None:
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
            self._report(item, word, seconds, retry_after=after)
            return
        if isinstance(error, TerminalError):
            _log.error(
                "%s: the reconcile of %s failed with a terminal error, it is not retried until the object changes: %s",
                *(self.name, key, error),
                # Nothing of the user's code is in the traceback of an object that the model rejects.
                exc_info=None if isinstance(error.__cause__, InvalidObject) else error,
            )
            self._metrics.terminal_errors.labels(self.name).inc()
            self._metrics.reconcile_total.labels(self.name, "error").inc()
            self._metrics.reconcile_errors.labels(self.name).inc()
            self._report(item, "terminal", seconds, error=_line(error))
        else:
            if isinstance(error, Conflict):  # another client wrote first: ordinary, and over with the next read
                _log.info("%s: the reconcile of %s met a conflict and runs again: %s", self.name, key, error)
            elif isinstance(error, NotFound) and f'{self.controller.kind.store_name} "{key.name}"' in str(error):
                _log.info("%s: %s was deleted during its reconcile: %s", self.name, key, error)
            else:
                _log.error("%s: the reconcile of %s failed: %s", self.name, key, _line(error), exc_info=error)
            if not isinstance(error, Exception):
                self._metrics.reconcile_panics.labels(self.name).inc()
            self._failed(item, _line(error), seconds)
            denial = denial_of(error)
            if denial is not None:
                self.refused[key] = describe_denial(denial)
        self.queue.done(key)

    def _failed(self, item: Item[Request], error: str, seconds: float, *, result: str = "error") -> None:
        self._metrics.reconcile_total.labels(self.name, "error").inc()
        self._metrics.reconcile_errors.labels(self.name).inc()
        delay = self.queue.retry(item.key, cause="retry after an error")
        self._report(item, result, seconds, error=error, retry_after=delay)

    def _report(
        self, item: Item[Request], result: str, seconds: float, *, error: str = "", retry_after: float | None = None
    ) -> None:
        self.refused.pop(item.key, None)
        name = f"{self.name}/{item.key}"
        before = self._services.outcomes.get(name)
        runs = before.runs + 1 if before is not None else 1
        outcome = Outcome(self.name, str(item.key), result, seconds, item.causes, error, retry_after, runs)
        self._services.outcomes.set(name, outcome)
        if result in ("success", "requeue_after", "terminal") and item.key not in self._primary.lister:
            self._services.outcomes.delete(name)  # the object has been deleted, and nothing is left to do about it


def _line(error: BaseException) -> str:
    """An error as one line, with its type where that is not said already."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
