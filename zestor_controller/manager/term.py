"""One term of work: from the moment this process may work until it has stopped doing so.

Order of an end that was asked for (L3): controllers take nothing new, what runs may finish within the grace period, the
rest is cancelled. A term that is lost (another replica leads, or may soon) ends at once: what runs is cancelled, for
its writes would be refused. Whatever outlives the end of its term writes nothing any more: its token has ended (L1).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from typing import Any

from zestor_controller.client.gate import Term
from zestor_controller.controller.runner import Runner
from zestor_controller.manager.election import LeaderElector

__all__ = ["elected", "serve_term"]

_log = logging.getLogger(__name__)


async def elected(elector: LeaderElector | None, stop: asyncio.Event) -> bool:
    """Wait until this process may work; False when it is to stop first."""
    if elector is None:
        return not stop.is_set()
    async with _racing(elector.acquire()) as acquiring, _racing(stop.wait()) as stopping:
        await asyncio.wait({acquiring, stopping}, return_when=asyncio.FIRST_COMPLETED)
        return acquiring.done() and not stop.is_set()


async def serve_term(
    runners: Sequence[Runner[Any]], elector: LeaderElector | None, stop: asyncio.Event, grace: float
) -> None:
    """Run the controllers until `stop` is set or the leadership is lost.

    Args:
        runners: the controllers, none of which has run before.
        elector: the leader's; None where no other replica could work.
        stop: set it to end the term in order.
        grace: seconds that running reconciles have for their end.
    """
    term = Term()
    try:
        async with asyncio.TaskGroup() as tasks, _racing(stop.wait()) as stopping:
            with term.entered():
                # What another leader has written last may not have arrived here yet.
                running = [
                    tasks.create_task(runner.run(handed_on=elector is not None), name=f"controller {runner.name}")
                    for runner in runners
                ]
            for runner in runners:
                _log.info("controller %s started", runner.name)
            async with _racing(elector.hold() if elector is not None else _until_cancelled()) as holding:
                await asyncio.wait({stopping, holding}, return_when=asyncio.FIRST_COMPLETED)
                left = {runner.name: runner.stop() for runner in runners}
                if not holding.done():
                    for name, requests in left.items():
                        if requests:
                            shown = ", ".join(str(request) for request in requests[:5])
                            _log.info("%s: %d keys were left for the next start: %s", name, len(requests), shown)
                    await _drain(runners, holding, grace)
                if holding.done():
                    _log.error("leadership is lost, what runs is cancelled: %s", holding.result())
                for task in running:
                    task.cancel()
                await asyncio.wait(running)
    finally:
        term.end("it was started in a term of work that has ended")


async def _drain(runners: Sequence[Runner[Any]], holding: asyncio.Future[str], grace: float) -> None:
    async with _racing(_drained(runners)) as draining:
        await asyncio.wait({draining, holding}, timeout=grace, return_when=asyncio.FIRST_COMPLETED)
        if draining.done() or holding.done():
            return
    for runner in runners:
        for request in runner.queue.processing():
            _log.warning("%s: %s still runs at the end of the grace period", runner.name, request)


async def _drained(runners: Sequence[Runner[Any]]) -> None:
    for runner in runners:
        await runner.drained()


async def _until_cancelled() -> str:
    await asyncio.Event().wait()
    return ""


class _racing:  # reads as a function, like asyncio.timeout
    """A task that is cancelled on leaving, unless it has ended."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._coroutine = coroutine
        self._task: asyncio.Task[Any] | None = None

    async def __aenter__(self) -> asyncio.Task[Any]:
        self._task = asyncio.create_task(self._coroutine)
        return self._task

    async def __aexit__(self, *exc: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait({self._task})
