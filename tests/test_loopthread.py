"""A loop in a thread: what starts it, what ends it, and who gets its errors."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import threading
import traceback
from collections.abc import AsyncIterator, Callable
from concurrent.futures import CancelledError, Future
from contextlib import asynccontextmanager

import pytest
import uvloop

from zestor_controller.loopthread import LoopThread, wait_on

WAIT = 20.0


class Block:
    """A context manager that records its states; a slow one is entered only by a cancellation."""

    def __init__(self, *, slow: bool = False) -> None:
        self.entering = threading.Event()
        self.left = threading.Event()
        self.cancelled = False
        self._slow = slow

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        self.entering.set()
        try:
            if self._slow:
                await asyncio.Event().wait()
            yield "value"
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        finally:
            self.left.set()


@asynccontextmanager
async def failing(error: BaseException) -> AsyncIterator[None]:
    await asyncio.sleep(0)
    raise error
    yield


def names() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "looped"]


def test_starting_gives_what_the_context_manager_yields_and_stopping_leaves_it() -> None:
    thread, block = LoopThread("looped"), Block()

    assert thread.start(block.open()) == "value"
    assert not block.left.is_set()
    assert thread.stop()

    assert block.left.is_set()
    assert not block.cancelled
    assert thread.failure is None
    assert names() == []


@pytest.mark.parametrize(
    "factory", [None, asyncio.new_event_loop, uvloop.new_event_loop], ids=["default", "asyncio", "uvloop"]
)
def test_coroutines_and_functions_run_on_the_loop_of_the_thread(
    factory: Callable[[], asyncio.AbstractEventLoop] | None,
) -> None:
    thread = LoopThread("looped", loop_factory=factory)
    thread.start(Block().open())

    async def where() -> tuple[str, type[asyncio.AbstractEventLoop]]:
        await asyncio.sleep(0)
        return threading.current_thread().name, type(asyncio.get_running_loop())

    name, kind = thread.run(where())
    assert name == "looped"
    assert (kind is uvloop.Loop) == (factory is uvloop.new_event_loop)
    assert thread.call(lambda: threading.current_thread().name) == "looped"
    assert thread.stop()


def test_an_error_while_entering_is_raised_by_the_start_with_its_traceback() -> None:
    thread = LoopThread("looped")

    with pytest.raises(ValueError, match="no such file") as caught:
        thread.start(failing(ValueError("no such file")))

    assert "failing" in [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert thread.failure is caught.value
    assert names() == []


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)])
def test_also_an_error_that_ends_programs_is_raised_where_the_thread_was_started(error: BaseException) -> None:
    with pytest.raises(type(error)):
        LoopThread("looped").start(failing(error))

    assert names() == []


def test_an_error_of_a_coroutine_is_raised_by_the_call_and_the_loop_goes_on() -> None:
    thread = LoopThread("looped")
    thread.start(Block().open())

    async def raising() -> None:
        raise ValueError("of the coroutine")

    with pytest.raises(ValueError, match="of the coroutine") as caught:
        thread.run(raising())
    assert "raising" in [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    with pytest.raises(ZeroDivisionError):
        thread.call(lambda: 1 // 0)

    assert thread.call(lambda: 1) == 1
    assert thread.stop()


def test_an_error_after_the_start_is_logged_and_ends_the_calls(caplog: pytest.LogCaptureFixture) -> None:
    thread, fail = LoopThread("looped"), asyncio.Event()

    @asynccontextmanager
    async def breaking() -> AsyncIterator[None]:
        async def broken() -> None:
            await fail.wait()
            raise ValueError("of the server")

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(broken())
            yield

    thread.start(breaking())
    with caplog.at_level(logging.ERROR, "zestor_controller.loopthread"):
        with pytest.raises(CancelledError):
            thread.run(endless(fail))
        assert thread.stop(WAIT)

    assert [record.getMessage() for record in caplog.records] == ["looped has failed"]
    assert "of the server" in caplog.text
    assert isinstance(thread.failure, ExceptionGroup)
    with pytest.raises(RuntimeError, match="looped has failed") as caught:
        thread.run(asyncio.sleep(0))
    assert caught.value.__cause__ is thread.failure


async def endless(reached: asyncio.Event) -> None:
    reached.set()
    await asyncio.Event().wait()


def test_stopping_twice_or_without_a_start_is_harmless() -> None:
    thread = LoopThread("looped")

    assert thread.stop()
    thread = LoopThread("looped")
    thread.start(Block().open())
    assert thread.stop()
    assert thread.stop()


def test_a_thread_is_started_once() -> None:
    thread = LoopThread("looped")
    thread.start(Block().open())
    thread.stop()

    with pytest.raises(RuntimeError, match="once"):
        thread.start(Block().open())


def test_a_stop_cancels_what_is_being_entered_and_the_start_is_an_error() -> None:
    thread, block = LoopThread("looped"), Block(slow=True)
    entered = thread.begin(block.open())
    assert block.entering.wait(WAIT)

    assert thread.stop(WAIT)

    assert block.cancelled
    assert thread.failure is None
    with pytest.raises(RuntimeError, match="stopped before it had started"):
        entered.result(WAIT)


def test_a_stop_before_the_loop_exists_is_not_lost() -> None:
    """The thread waits in making its loop until the stop has been asked for."""
    stopping = threading.Event()

    def slow_loop() -> asyncio.AbstractEventLoop:
        assert stopping.wait(WAIT)
        return asyncio.new_event_loop()

    thread, block = LoopThread("looped", loop_factory=slow_loop), Block()
    entered = thread.begin(block.open())
    assert not thread.stop(0)
    stopping.set()

    assert thread.stop(WAIT)
    assert not block.entering.is_set()
    with pytest.raises(RuntimeError, match="stopped before"):
        entered.result(WAIT)


def test_a_call_that_waits_when_the_thread_is_stopped_is_cancelled() -> None:
    thread = LoopThread("looped")
    thread.start(Block().open())
    began = threading.Event()
    outcome: Future[str] = Future()

    async def endless() -> None:
        began.set()
        await asyncio.Event().wait()

    def wait() -> None:
        try:
            thread.run(endless())
        except CancelledError:
            outcome.set_result("cancelled")

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert began.wait(WAIT)
    assert thread.stop(WAIT)

    assert outcome.result(WAIT) == "cancelled"
    waiting.join(WAIT)


def test_a_call_without_a_running_loop_is_an_error_and_its_coroutine_is_closed() -> None:
    """The test run has warnings as errors: a coroutine that is never awaited would be one."""
    thread = LoopThread("looped")
    with pytest.raises(RuntimeError, match="looped is not running"):
        thread.run(asyncio.sleep(0))
    thread.start(Block().open())
    thread.stop()

    with pytest.raises(RuntimeError, match="looped is not running"):
        thread.run(asyncio.sleep(0))


def test_a_call_from_the_loop_itself_would_wait_for_itself_and_is_refused() -> None:
    thread = LoopThread("looped")
    thread.start(Block().open())

    def nested() -> None:
        thread.run(asyncio.sleep(0))

    with pytest.raises(RuntimeError, match="event loop"):
        thread.call(nested)
    assert thread.stop()


async def test_waiting_on_the_present_loop_is_refused() -> None:
    with pytest.raises(RuntimeError, match="event loop"):
        wait_on(asyncio.get_running_loop(), asyncio.sleep(0))


INTERRUPTED = """
import asyncio, signal, sys, threading
from contextlib import asynccontextmanager
from zestor_controller.loopthread import LoopThread

cancelled = threading.Event()

@asynccontextmanager
async def block():
    yield

async def endless():
    try:
        main = threading.main_thread().ident
        while sys._current_frames()[main].f_code.co_name != "wait":  # until the program waits for the result
            await asyncio.sleep(0)
        while True:  # again, should the first come between the last check for signals and the wait
            signal.pthread_kill(main, signal.SIGINT)
            await asyncio.sleep(5)
    except asyncio.CancelledError:
        cancelled.set()
        raise

thread = LoopThread("looped")
thread.start(block())
try:
    thread.run(endless())
except KeyboardInterrupt:
    print("interrupted", cancelled.wait(20), thread.call(lambda: "goes on"), thread.stop())
"""


def test_an_interrupt_of_the_waiting_program_cancels_its_coroutine_and_the_loop_goes_on() -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=50, check=False)

    assert done.stdout.split() == ["interrupted", "True", "goes", "on", "True"], done.stderr
