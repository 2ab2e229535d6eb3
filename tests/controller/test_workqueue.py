"""The queue's promises Q1-Q6, under a clock that the tests hold."""

import asyncio
import random
from collections import deque
from typing import Any

import pytest

from zestor_controller.controller.workqueue import QueueClosed, WorkQueue
from zestor_controller.testing.clock import run_virtual


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def drain(queue: WorkQueue[str]) -> list[str]:
    keys = []
    while (item := queue.get_nowait()) is not None:
        keys.append(item.key)
        queue.done(item.key)
    return keys


def test_q1_a_key_is_never_handed_out_while_it_is_processed() -> None:
    queue: WorkQueue[str] = WorkQueue(clock=Clock())
    queue.add("a")
    assert queue.get_nowait().key == "a"
    queue.add("a")
    assert queue.get_nowait() is None


def test_q2_many_adds_while_queued_run_once_and_many_while_processing_run_once_more() -> None:
    queue: WorkQueue[str] = WorkQueue(clock=Clock())
    for _ in range(100):
        queue.add("a")
    item = queue.get_nowait()
    assert queue.get_nowait() is None
    for _ in range(100):
        queue.add("a")
    queue.done(item.key)
    assert drain(queue) == ["a"]


def test_q3_failures_double_their_delay_up_to_the_cap_and_success_forgets() -> None:
    async def scenario() -> list[float]:
        queue: WorkQueue[str] = WorkQueue(clock=Clock(), first_delay=0.005, max_delay=1000)
        delays = [queue.retry("a") for _ in range(30)]
        queue.forget("a")
        delays.append(queue.retry("a"))
        queue.shut_down()
        return delays

    delays = asyncio.run(scenario())
    assert delays[:4] == [0.005, 0.01, 0.02, 0.04]
    assert max(delays) == 1000
    assert delays[-1] == 0.005


async def test_q4_a_delayed_add_keeps_the_earliest_time() -> None:
    loop = asyncio.get_running_loop()
    queue: WorkQueue[str] = WorkQueue()
    queue.add_after("a", 3600)
    queue.add_after("a", 0.01)
    queue.add_after("a", 7200)
    start = loop.time()
    async with asyncio.timeout(5):
        item = await queue.get()
    assert item.key == "a"
    assert loop.time() - start < 1
    queue.done("a")
    assert queue.shut_down() == []


async def test_q4_an_event_during_backoff_runs_at_once_and_leaves_the_failure_count_alone() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    queue.get_nowait()
    queue.done("a")
    for _ in range(20):
        queue.retry("a")
    queue.add("a", cause="update")
    item = queue.get_nowait()
    assert (item.key, item.causes) == ("a", ("update",))
    queue.done("a")
    assert queue.failures("a") == 20
    assert queue.get_nowait() is None
    assert queue.shut_down() == []  # the delayed retry was dropped, not left behind


def test_q5_a_waiting_low_priority_key_overtakes_a_flood_after_as_many_seconds() -> None:
    clock = Clock()
    queue: WorkQueue[str] = WorkQueue(clock=clock)
    queue.add("initial", priority=-100)
    for second in range(99):
        clock.now += 1
        queue.add(f"event-{second}")
        assert drain_one(queue) == f"event-{second}"
    clock.now += 2
    queue.add("late")
    assert drain(queue) == ["initial", "late"]


def drain_one(queue: WorkQueue[str]) -> str:
    item = queue.get_nowait()
    queue.done(item.key)
    return item.key


def test_q5_a_higher_priority_of_a_later_add_counts_and_the_key_runs_once() -> None:
    clock = Clock()
    queue: WorkQueue[str] = WorkQueue(clock=clock)
    queue.add("a", priority=-100)
    queue.add("b", priority=-50)
    queue.add("a", priority=0)
    assert drain(queue) == ["a", "b"]


async def test_q6_shut_down_drains_what_runs_and_reports_what_is_left() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("running")
    queue.get_nowait()
    queue.add("running")
    queue.add("waiting")
    queue.add_after("delayed", 60)
    left = queue.shut_down()
    assert sorted(left) == ["delayed", "running", "waiting"]
    with pytest.raises(QueueClosed):
        queue.get_nowait()
    drained = asyncio.ensure_future(queue.drained())
    await asyncio.sleep(0)
    assert not drained.done()
    queue.done("running")
    await drained


async def test_q6_a_waiting_worker_ends_when_the_queue_is_shut_down() -> None:
    queue: WorkQueue[str] = WorkQueue()
    worker = asyncio.ensure_future(queue.get())
    await asyncio.sleep(0)
    queue.shut_down()
    with pytest.raises(QueueClosed):
        await worker


async def test_a_worker_that_is_cancelled_hands_its_wake_up_on() -> None:
    queue: WorkQueue[str] = WorkQueue()
    first = asyncio.ensure_future(queue.get())
    second = asyncio.ensure_future(queue.get())
    await asyncio.sleep(0)
    queue.add("a")
    first.cancel()
    item = await asyncio.wait_for(second, 5)
    assert item.key == "a"
    with pytest.raises(asyncio.CancelledError):
        await first


def test_causes_are_kept_in_order_without_repeats_and_bounded() -> None:
    queue: WorkQueue[str] = WorkQueue(clock=Clock())
    for n in range(15):
        queue.add("a", cause=f"cause {n}")
        queue.add("a", cause=f"cause {n}")
    item = queue.get_nowait()
    assert item.causes == tuple(f"cause {n}" for n in range(10))
    assert item.more == 10


async def test_random_use_by_many_workers_never_runs_a_key_twice_at_once_and_loses_none() -> None:
    rng = random.Random(7)
    queue: WorkQueue[int] = WorkQueue()
    running: set[int] = set()
    last_run: dict[int, int] = {}
    last_add: dict[int, int] = {}
    step = 0

    async def worker() -> None:
        nonlocal step
        while True:
            try:
                item = await queue.get()
            except QueueClosed:
                return
            assert item.key not in running
            running.add(item.key)
            step += 1
            last_run[item.key] = step
            for _ in range(rng.randrange(4)):
                await asyncio.sleep(0)
            running.remove(item.key)
            queue.done(item.key)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(8):
            tasks.create_task(worker())
        for _ in range(3000):
            key = rng.randrange(20)
            step += 1
            last_add[key] = step
            queue.add(key, priority=rng.choice([-100, 0, 5]))
            if rng.random() < 0.3:
                await asyncio.sleep(0)
        while len(queue) or queue.processing():  # noqa: ASYNC110 - the queue is what is asked
            await asyncio.sleep(0)
        queue.shut_down()
    assert all(last_run[key] > added for key, added in last_add.items())


def held(queue: WorkQueue[str]) -> int:
    """How many entries a queue holds, in all of its containers and in those inside them."""
    containers = [value for value in vars(queue).values() if isinstance(value, dict | list | deque)]
    inner = [value for each in containers if isinstance(each, dict) for value in each.values()]
    return sum(map(len, containers)) + sum(len(value) for value in inner if isinstance(value, dict | list | deque))


@pytest.mark.parametrize("step", [0, -1, 1])
def test_a_key_that_is_requeued_again_and_again_holds_what_one_round_holds(step: int) -> None:
    async def rounds(count: int) -> int:
        queue: WorkQueue[str] = WorkQueue()
        for n in range(count):
            queue.add("a", priority=n)
            queue.add("a", priority=n + 1)  # raised while it waits
            assert queue.get_nowait().key == "a"
            queue.add("a")
            queue.retry("a")
            queue.done("a")
            assert queue.get_nowait().key == "a"
            queue.forget("a")
            queue.done("a")
            queue.add_after("a", 36000.0 + step * n)
        count_held = held(queue)
        assert queue.shut_down() == ["a"]
        assert held(queue) == 0
        return count_held

    assert run_virtual(rounds(5000)) < run_virtual(rounds(1)) + 100


class PlainHandles(asyncio.SelectorEventLoop):
    """As uvloop: what is due at once is a plain Handle, which does not have its time."""

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> Any:
        if when - self.time() < 0.0005:
            return self.call_soon(callback, *args, context=context)
        return super().call_at(when, callback, *args, context=context)


@pytest.mark.parametrize("loop", ["plain handles", "uvloop"])
def test_delays_need_nothing_of_a_loop_but_its_promises(loop: str) -> None:
    async def scenario() -> list[str]:
        queue: WorkQueue[str] = WorkQueue()
        for key, delay in (("a", 0.0001), ("b", 0.03), ("c", 0.01), ("d", 0.02)):
            queue.add_after(key, delay)
        keys = []
        async with asyncio.timeout(30):
            for _ in range(4):
                item = await queue.get()
                keys.append(item.key)
                queue.done(item.key)
        queue.shut_down()
        return keys

    factory = PlainHandles if loop == "plain handles" else pytest.importorskip("uvloop").new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        assert runner.run(scenario()) == ["a", "c", "d", "b"]


def test_q1_a_key_that_is_held_runs_when_it_is_let_go_and_not_before() -> None:
    queue: WorkQueue[str] = WorkQueue(clock=Clock())
    queue.add("a", cause="before")
    queue.add("b")
    queue.hold("a")
    assert drain(queue) == ["b"]
    queue.add("a", cause="meanwhile")
    assert queue.get_nowait() is None
    queue.done("a")
    assert queue.get_nowait().causes == ("before", "meanwhile")


def test_q5_the_highest_priority_of_several_adds_counts_while_a_key_is_processed_too() -> None:
    queue: WorkQueue[str] = WorkQueue(clock=Clock())
    queue.add("a")
    queue.get_nowait()
    for priority in (-100, 5, -50):
        queue.add("a", priority=priority)
    queue.add("b")
    queue.done("a")
    assert drain(queue) == ["a", "b"]


def test_q5_keys_of_one_priority_run_in_the_order_of_their_first_add() -> None:
    clock = Clock()
    queue: WorkQueue[str] = WorkQueue(clock=clock)
    for key in "abc":
        clock.now += 1
        queue.add(key)
    queue.add("c", priority=1)
    queue.add("a")  # waits already: its place stays
    assert [(key, since) for key, _, since in queue.waiting()] == [("a", 1001.0), ("b", 1002.0), ("c", 1003.0)]
    assert drain(queue) == ["a", "b", "c"]


def test_an_item_knows_how_long_it_waited_and_the_queue_when_it_was_started() -> None:
    clock = Clock()
    queue: WorkQueue[str] = WorkQueue(clock=clock)
    queue.add("a")
    clock.now += 3
    queue.add("a")
    assert queue.get_nowait().waited == 3
    queue.add("a")
    clock.now += 4
    assert queue.processing() == {"a": 1003.0}
    assert len(queue) == 0
    queue.done("a")
    assert queue.processing() == {}
    clock.now += 5
    assert queue.get_nowait().waited == 9  # since it was added, not since it could be queued


def test_q4_a_delay_for_a_key_that_waits_or_is_to_run_again_adds_no_run() -> None:
    async def scenario() -> list[str]:
        queue: WorkQueue[str] = WorkQueue()
        queue.add("waiting")
        queue.add_after("waiting", 60)
        queue.add("running")
        queue.get_nowait()
        queue.add("waiting")
        queue.add_after("waiting", 60)
        queue.done("waiting")
        assert drain(queue) == ["running", "waiting"]
        await asyncio.sleep(3600)
        left = drain(queue)
        queue.shut_down()
        return left

    assert run_virtual(scenario()) == []


def test_q4_each_delayed_key_runs_at_its_time_for_the_cause_of_its_earliest_delay() -> None:
    async def scenario() -> list[tuple[float, str, tuple[str, ...]]]:
        loop = asyncio.get_running_loop()
        start = loop.time()
        queue: WorkQueue[str] = WorkQueue()
        queue.add_after("a", 60, cause="late")
        queue.add_after("a", 20, cause="early")
        queue.add_after("a", 40, cause="between")
        queue.add_after("b", 10, cause="first")
        queue.add_after("c", 0, cause="now")
        seen = []
        for _ in range(3):
            item = await queue.get()
            seen.append((loop.time() - start, item.key, item.causes))
            queue.done(item.key)
        assert queue.shut_down() == []
        return seen

    expected = [(0, "c", ("now",)), (10, "b", ("first",)), (20, "a", ("early",))]
    assert run_virtual(scenario()) == [(pytest.approx(at), key, causes) for at, key, causes in expected]


def test_q3_a_retry_runs_after_the_delay_that_it_returns_and_each_key_has_its_own_count() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        queue: WorkQueue[str] = WorkQueue(first_delay=2, max_delay=7)
        for failures, delay in enumerate([2, 4, 7, 7], start=1):
            start = loop.time()
            assert queue.retry("a", cause="failed") == delay
            item = await queue.get()
            assert (item.key, item.causes) == ("a", ("failed",))
            assert loop.time() - start == pytest.approx(delay)
            assert (queue.failures("a"), queue.failures("b")) == (failures, 0)
            queue.done("a")
        assert queue.retry("b") == 2
        queue.shut_down()

    run_virtual(scenario())


async def test_q6_what_is_added_after_shut_down_is_neither_run_nor_held() -> None:
    counted: list[str] = []
    queue: WorkQueue[str] = WorkQueue(on_add=lambda: counted.append("add"), on_retry=lambda: counted.append("retry"))
    queue.add("running")
    queue.get_nowait()
    assert queue.shut_down() == []
    queue.add("running")
    queue.add("late")
    queue.add_after("late", 60)
    queue.retry("late")
    queue.done("running")
    await asyncio.wait_for(queue.drained(), 5)
    assert counted == ["add"]
    assert held(queue) == 0
    assert queue.shut_down() == []


async def test_every_key_that_starts_to_wait_and_every_delay_is_counted_once() -> None:
    counted: list[str] = []
    queue: WorkQueue[str] = WorkQueue(on_add=lambda: counted.append("add"), on_retry=lambda: counted.append("retry"))
    queue.add("a")
    queue.add("a")
    queue.get_nowait()
    queue.add("a")
    assert counted == ["add"]  # it does not wait yet
    queue.done("a")
    assert counted == ["add", "add"]
    queue.add_after("b", 60)
    queue.add_after("c", 0)
    assert counted == ["add", "add", "retry", "add"]
    queue.shut_down()


async def test_q6_everybody_who_waits_for_the_last_key_goes_on_and_not_before() -> None:
    queue: WorkQueue[str] = WorkQueue()
    for key in ("a", "b"):
        queue.add(key)
        queue.get_nowait()
    waiting = [asyncio.ensure_future(queue.drained()) for _ in range(2)]
    await asyncio.sleep(0)
    queue.done("a")
    await asyncio.sleep(0)
    assert not any(each.done() for each in waiting)
    queue.done("b")
    await asyncio.wait_for(asyncio.gather(*waiting), 5)


def test_q1_a_held_key_that_did_not_wait_is_free_when_it_is_let_go() -> None:
    queue: WorkQueue[str] = WorkQueue(clock=Clock())
    queue.hold("a")
    assert queue.processing() == {"a": 1000.0}
    queue.done("a")
    assert (len(queue), queue.processing()) == (0, {})
    queue.add("a")
    assert drain(queue) == ["a"]


def test_q4_a_delay_that_an_add_has_dropped_does_not_run_with_another_that_is_due_at_the_same_time() -> None:
    async def scenario() -> list[tuple[float, str]]:
        loop = asyncio.get_running_loop()
        start = loop.time()
        queue: WorkQueue[str] = WorkQueue()
        for key in ("due", "dropped", "later"):
            queue.add_after(key, 5)
        for key in ("dropped", "later"):
            queue.add(key)
        assert drain(queue) == ["dropped", "later"]
        queue.add_after("later", 100)
        seen = []
        for _ in range(2):
            item = await queue.get()
            seen.append((round(loop.time() - start), item.key))
            queue.done(item.key)
        assert queue.shut_down() == []
        return seen

    assert run_virtual(scenario()) == [(5, "due"), (100, "later")]
