"""Virtual time: hours pass in no time, in order, and a deadlock is an error."""

import asyncio
import threading
import time

import pytest

from zestor_controller.testing.clock import run_virtual


def test_hours_pass_at_once_and_timers_fire_in_their_order():
    fired = []

    async def main():
        loop = asyncio.get_running_loop()
        for delay in (7200, 60, 3600):
            loop.call_later(delay, lambda delay=delay: fired.append((delay, loop.time())))
        await asyncio.sleep(10_000)
        return loop.time()

    begun = time.perf_counter()
    assert run_virtual(main()) == pytest.approx(10_000)
    assert time.perf_counter() - begun < 5
    assert [delay for delay, _ in fired] == [60, 3600, 7200]
    assert [at for _, at in fired] == pytest.approx([60, 3600, 7200])


def test_the_clock_stops_while_something_can_run():
    async def main():
        loop = asyncio.get_running_loop()
        before = loop.time()
        for _ in range(100):
            await asyncio.sleep(0)
        assert loop.time() == before
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(30):
                await asyncio.Event().wait()
        assert loop.time() == pytest.approx(before + 30)

    run_virtual(main())


def test_another_thread_may_wake_a_loop_that_has_no_timer():
    async def main():
        woken = asyncio.Event()
        loop = asyncio.get_running_loop()
        thread = threading.Thread(target=lambda: loop.call_soon_threadsafe(woken.set))
        thread.start()
        await woken.wait()
        thread.join()
        return loop.time()

    assert run_virtual(main()) == 0


def test_waiting_for_what_cannot_happen_is_an_error_and_no_hang():
    async def main():
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="cannot happen"):
        run_virtual(main(), patience=0.05)


def test_a_thread_that_outlives_the_main_coroutine_is_waited_for():
    """Since 3.12 asyncio gives up after 300 s, which virtual time would be past at once."""
    ended = threading.Event()

    def slow():
        threading.Event().wait(0.2)
        ended.set()

    async def main():
        asyncio.get_running_loop().run_in_executor(None, slow)

    run_virtual(main())
    assert ended.is_set()
