"""Where a reconcile stands: the frames of a task that waits, through all its awaits, or of its thread.

``Task.print_stack`` shows a suspended task's outermost frame only, which is always one of ours.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import traceback
from types import FrameType
from typing import Any, Final

__all__ = ["describe", "stack_of"]

LIMIT: Final = 24
_MACHINERY: Final = (os.path.dirname(asyncio.__file__) + os.sep, threading.__file__)


def stack_of(task: asyncio.Task[Any]) -> traceback.StackSummary:
    """The frames in which a task waits, outermost first, at most 24; a thread of the task's name goes on below them."""
    frames: list[tuple[FrameType, int]] = []
    awaited: Any = task.get_coro()
    while awaited is not None and len(frames) < LIMIT:
        frame = getattr(awaited, "cr_frame", None) or getattr(awaited, "gi_frame", None)
        if frame is not None:
            frames.append((frame, frame.f_lineno))
        awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "gi_yieldfrom", None)
    running = sys._current_frames()
    for thread in threading.enumerate():
        inner = running.get(thread.ident or 0) if thread.name == task.get_name() else None
        if inner is not None:
            frames += reversed(list(traceback.walk_stack(inner)))
    return traceback.StackSummary.extract(iter(frames[-LIMIT:]))


def describe(stack: traceback.StackSummary) -> str:
    """The innermost frame that is not asyncio's or threading's own, such as ``reconcile (main.py:31)``."""
    for frame in reversed(stack):
        if not frame.filename.startswith(_MACHINERY):
            return f"{frame.name} ({os.path.basename(frame.filename)}:{frame.lineno})"
    return "an unknown place"
