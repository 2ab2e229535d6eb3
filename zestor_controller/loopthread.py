"""An event loop in a thread of its own: the bridge from code without a loop to asyncio.

Invariant: the loop runs for the lifetime of one async context manager, which is entered, awaited and left by one task.
No caller waits indefinitely: an error while entering is raised in the thread that starts; a later one is logged at
once, and every call that waits for the loop ends with it. It handles no signals and knows nothing of Kubernetes.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any, Never, TypeVar

__all__ = ["LoopThread", "wait_on"]

_log = logging.getLogger(__name__)

R = TypeVar("R")


class LoopThread:
    """Runs an async context manager on a loop in a daemon thread; used once.

    Args:
        name: the thread's name, which log and error messages begin with.
        loop_factory: makes the loop; asyncio's own unless given.

    Attributes:
        failure: the exception that ended the loop; None while it runs and after an ordinary stop.
    """

    def __init__(self, name: str, *, loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None) -> None:
        self.failure: BaseException | None = None
        self._name = name
        self._loop_factory = loop_factory
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None  # while it takes calls
        self._main_task: asyncio.Task[None] | None = None
        self._leave: asyncio.Event | None = None
        self._stopping = False
        self._calls: dict[Future[Any], Coroutine[Any, Any, Any]] = {}

    # Lifecycle

    def begin(self, manager: AbstractAsyncContextManager[R]) -> Future[R]:
        """Start the thread, and enter a context manager on its loop.

        Returns:
            What entering yields, or the exception that it raises. Cancelling it has no effect: call :meth:`stop`.

        Raises:
            RuntimeError: the thread has been started before.
        """
        if self._thread is not None:
            raise RuntimeError(f"{self._name}: a LoopThread is started once")
        entered: Future[R] = Future()
        entered.set_running_or_notify_cancel()
        self._thread = threading.Thread(target=self._main, args=(manager, entered), name=self._name, daemon=True)
        self._thread.start()
        return entered

    def start(self, manager: AbstractAsyncContextManager[R]) -> R:
        """Start the thread, and block until a context manager has been entered on its loop.

        Returns:
            What entering yields.

        Raises:
            BaseException: what entering raises, with its traceback; the thread has ended then.
        """
        entered = self.begin(manager)
        try:
            return entered.result()
        except BaseException:  # an error while entering, or a KeyboardInterrupt while waiting
            self.stop()
            raise

    def stop(self, timeout: float | None = None) -> bool:
        """Leave the context manager, and wait until the thread has ended; calling it again is harmless.

        Args:
            timeout: seconds to wait for the thread; no timeout unless given.

        Returns:
            Whether the thread has ended.
        """
        with self._lock:
            self._stopping = True
            loop = self._loop
        if loop is not None:
            with suppress(RuntimeError):  # the loop has been closed
                loop.call_soon_threadsafe(self._request_leave)
        if self._thread is not None:
            self._thread.join(timeout)
            return not self._thread.is_alive()
        return True

    # Calls

    def run(self, coroutine: Coroutine[object, Never, R]) -> R:
        """Run a coroutine on the loop, and block until it is done.

        Returns:
            What the coroutine returns.

        Raises:
            RuntimeError: the loop does not run, or this is its own thread.
            CancelledError: the loop ended before the coroutine did.
        """
        if self._thread is threading.current_thread():
            coroutine.close()
            raise RuntimeError(f"{self._name}: a blocking call on the event loop that has to carry it out")
        with self._lock:
            if self._loop is None:
                coroutine.close()
                why = "has failed" if self.failure is not None else "is not running"
                raise RuntimeError(f"{self._name} {why}") from self.failure
            future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
            self._calls[future] = coroutine
        try:
            return _result(future)
        finally:
            with self._lock:
                self._calls.pop(future, None)

    def call(self, function: Callable[[], R]) -> R:
        """Call a plain function on the loop, and block until it has returned; errors as of :meth:`run`."""

        async def called() -> R:
            return function()

        return self.run(called())

    # Event loop

    def _main(self, manager: AbstractAsyncContextManager[R], entered: Future[R]) -> None:
        error: BaseException | None = None
        try:
            with asyncio.Runner(loop_factory=self._loop_factory) as runner:
                runner.run(self._serve(manager, entered))
        except BaseException as raised:  # whatever it is: the threads that wait must get it
            error = raised
        if self._stopping and not entered.done() and isinstance(error, asyncio.CancelledError):
            error = None  # stop() cancelled the entering
        self._end_calls(error)
        if not entered.done():
            entered.set_exception(error or RuntimeError(f"{self._name} was stopped before it had started"))
        elif error is not None:
            _log.error("%s has failed", self._name, exc_info=error)

    async def _serve(self, manager: AbstractAsyncContextManager[R], entered: Future[R]) -> None:
        self._main_task = asyncio.current_task()
        self._leave = leave = asyncio.Event()
        with self._lock:
            if self._stopping:
                return
            self._loop = asyncio.get_running_loop()
        async with manager as value:
            self._main_task = None  # from here on a stop leaves the block and cancels nothing
            if not leave.is_set():
                entered.set_result(value)
            await leave.wait()

    def _request_leave(self) -> None:
        assert self._leave is not None  # set before the loop takes calls
        if self._leave.is_set():
            return
        self._leave.set()
        if self._main_task is not None:
            self._main_task.cancel()

    def _end_calls(self, error: BaseException | None) -> None:
        """Refuse further calls, and end those that the loop accepted in its last moments and never began."""
        with self._lock:
            self._loop = None
            self.failure = error
            calls = list(self._calls.items())
        for future, coroutine in calls:
            future.cancel()
            coroutine.close()


def wait_on(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[object, Never, R]) -> R:
    """Run a coroutine on a loop that runs in another thread, and block until it is done.

    Raises:
        RuntimeError: it is the loop of the calling thread.
    """
    try:
        here = asyncio.get_running_loop()
    except RuntimeError:
        here = None
    if here is loop:
        coroutine.close()
        raise RuntimeError("a blocking call on the event loop that has to carry it out: await the asynchronous one")
    return _result(asyncio.run_coroutine_threadsafe(coroutine, loop))


def _result(future: Future[R]) -> R:
    try:
        return future.result()
    except CancelledError:
        raise
    except BaseException:  # the coroutine's own error, or a KeyboardInterrupt while waiting, which must end it
        future.cancel()
        raise
