"""Waking a consumer that waits in a thread or on an event loop, from whatever thread writes.

Invariant: a waiter is woken at most once; waking never blocks and never raises, even when the loop is closed.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["LoopWaiter", "ThreadWaiter", "Waiter", "running_loop", "wake_all"]


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the loop that runs on this thread, or None."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


class ThreadWaiter:
    """One wait of a thread: a lock that the waker opens, whatever its thread."""

    __slots__ = ("_gate",)

    def __init__(self) -> None:
        self._gate = threading.Lock()
        self._gate.acquire()

    def wait(self, timeout: float | None) -> bool:
        """Block until woken; returns False when `timeout` seconds have passed first."""
        return self._gate.acquire(timeout=-1 if timeout is None else max(0.0, timeout))

    def open(self) -> None:
        """Let the thread go on."""
        self._gate.release()


class LoopWaiter:
    """One wait on an event loop: a future of that loop.

    Attributes:
        thread: the loop's own, the only one that may open it.
    """

    __slots__ = ("future", "loop", "thread")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.future: asyncio.Future[None] = loop.create_future()
        self.thread = threading.get_ident()

    def open(self) -> None:
        """Let the consumer go on; only on the loop's own thread."""
        if not self.future.done() and not self.loop.is_closed():  # cancelled by a timeout, or its loop is closed
            self.future.set_result(None)


Waiter = ThreadWaiter | LoopWaiter


def _open_all(waiters: Sequence[LoopWaiter]) -> None:
    for waiter in waiters:
        waiter.open()


def wake_all(waiters: Sequence[Waiter]) -> None:
    """Wake every waiter; another thread's loop is woken once for all of its waiters, for such a wake costs 20 us."""
    here = threading.get_ident()
    foreign: dict[asyncio.AbstractEventLoop, list[LoopWaiter]] = {}
    for waiter in waiters:
        if isinstance(waiter, ThreadWaiter) or waiter.thread == here:
            waiter.open()
        else:
            foreign.setdefault(waiter.loop, []).append(waiter)
    for loop, group in foreign.items():
        try:
            loop.call_soon_threadsafe(_open_all, group)
        except RuntimeError:  # the loop is closed: no consumer waits any more
            continue
