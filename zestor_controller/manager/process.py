"""The event loop of a process that a manager owns.

Invariant: a task that ignores its cancellation does not keep the process from ending (L3).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Final

__all__ = ["run_to_end"]

_log = logging.getLogger(__name__)

LEAVE_S: Final = 1.0


def run_to_end(main: Coroutine[Any, Any, int]) -> int:
    """``asyncio.run``, but tasks that ignore their cancellation are left behind."""
    loop = _new_loop()
    try:
        asyncio.set_event_loop(loop)
        try:
            return loop.run_until_complete(main)
        finally:
            loop.run_until_complete(_leave())
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def _new_loop() -> asyncio.AbstractEventLoop:
    """A loop: that of uvloop where it is installed (the extra ``fast``)."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


async def _leave() -> None:
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    if rest:
        _, abandoned = await asyncio.wait(rest, timeout=LEAVE_S)
        for task in abandoned:
            _log.warning("%s ignores its cancellation and is left behind", task.get_name())
    await asyncio.get_running_loop().shutdown_asyncgens()
