"""Virtual time: an event loop whose clock jumps to the next timer, so that a test of hours takes milliseconds.

Invariant: time passes only while nothing else can run; what is ready at one instant runs before the clock moves.
Sockets work, but the clock does not wait for them: use it with in-memory transports.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

__all__ = ["VirtualClockLoop", "run_virtual"]

T = TypeVar("T")

PATIENCE_S: Final = 10.0


class _JumpingSelector(selectors.DefaultSelector):
    """Never waits for a timer; returns how far the clock is to jump instead."""

    def __init__(self, patience: float) -> None:
        super().__init__()
        self.jumped = 0.0
        self._patience = patience

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is not None:
            self.jumped += timeout
            return ready
        # Nothing is ready and no timer is set: only another thread can go on from here.
        ready = super().select(self._patience)
        if not ready:
            raise RuntimeError(
                "every task waits for something that cannot happen: no timer is set and nothing is ready"
            )
        return ready


class VirtualClockLoop(asyncio.SelectorEventLoop):
    """An event loop with a clock of its own, which starts at 0.

    Args:
        patience: real seconds to wait for another thread when no timer is set and nothing is ready.
    """

    def __init__(self, patience: float = PATIENCE_S) -> None:
        self._jumping = _JumpingSelector(patience)
        super().__init__(self._jumping)

    def time(self) -> float:
        """Seconds since the loop was made, in virtual time."""
        return self._jumping.jumped

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Join the executor's threads, however long that takes: virtual time would be past any limit at once."""
        await super().shutdown_default_executor()


def run_virtual(main: Coroutine[Any, Any, T], *, patience: float = PATIENCE_S) -> T:
    """Run a coroutine as :func:`asyncio.run` does, in virtual time.

    Args:
        main: the coroutine; ``asyncio.sleep(3600)`` in it returns at once, an hour later by the loop's clock.
        patience: real seconds to wait for another thread when no timer is set and nothing is ready.

    Raises:
        RuntimeError: every task waits and nothing can wake one.
    """
    with asyncio.Runner(loop_factory=lambda: VirtualClockLoop(patience)) as runner:
        return runner.run(main)
