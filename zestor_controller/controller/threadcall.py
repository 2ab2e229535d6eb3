"""Plain functions in threads of their own, so that one which never returns costs nobody else a thread.

Invariant: an abandoned thread delays neither the other reconciles nor the end of the process: threads are not pooled,
and they are daemons.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Callable
from typing import TypeVar

__all__ = ["in_thread"]

R = TypeVar("R")


async def in_thread(function: Callable[[], R], *, name: str, on_cancel: Callable[[], None]) -> R:
    """Run a plain function in a new thread and wait for it.

    A thread cannot be stopped from outside. A cancellation is therefore passed on by `on_cancel` and takes effect when
    the function ends: whoever awaits this holds the key locked for as long as the function really runs.

    Args:
        function: what to run; it sees the caller's context variables.
        name: the thread's name.
        on_cancel: called at each cancellation; asks the function to end.

    Raises:
        CancelledError: it was cancelled meanwhile; what the function returned or raised is dropped.
    """
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[R] = loop.create_future()
    context = contextvars.copy_context()

    def work() -> None:
        try:
            answer = context.run(function)
        except StopIteration as error:  # a future refuses this one
            stop = RuntimeError(f"the function raised StopIteration: {error}")
            stop.__cause__ = error
            tell(lambda: ended.set_exception(stop))
        except BaseException as error:  # also SystemExit: it ends this function, not the manager's thread
            failure = error
            tell(lambda: ended.set_exception(failure))
        else:
            tell(lambda: ended.set_result(answer))

    def tell(settle: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has been closed: nobody waits any more
            loop.call_soon_threadsafe(settle)

    threading.Thread(target=work, name=name, daemon=True).start()
    cancelled = False
    while not ended.done():
        try:
            await asyncio.wait({ended})
        except asyncio.CancelledError:
            cancelled = True
            on_cancel()
    if cancelled:
        ended.exception()  # seen, so that nothing complains of it
        raise asyncio.CancelledError
    return ended.result()
