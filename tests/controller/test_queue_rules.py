"""The work queue beside a model of it that is too simple to be wrong, and the rules that the model does not show."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field

import pytest

from zestor_controller.controller.workqueue import QueueClosed, WorkQueue
from zestor_controller.testing.clock import run_virtual


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Waiting:
    since: float
    priority: int
    causes: list[str] = field(default_factory=list)


class Model:
    """Plain dictionaries, searched from end to end; keys of one priority are in the order of `pending`."""

    def __init__(self) -> None:
        self.pending: dict[str, Waiting] = {}
        self.dirty: dict[str, Waiting] = {}
        self.processing: set[str] = set()

    def add(self, key: str, now: float, priority: int, cause: str) -> None:
        where = self.dirty if key in self.processing else self.pending
        waiting = where.setdefault(key, Waiting(now, priority))
        if priority > waiting.priority:
            waiting.priority = priority
            where[key] = where.pop(key)  # to the end of its new line
        if cause and cause not in waiting.causes:
            waiting.causes.append(cause)

    def get(self) -> tuple[str, Waiting] | None:
        if not self.pending:
            return None
        heads = {waiting.priority: key for key, waiting in reversed(self.pending.items())}
        key = min(heads.values(), key=lambda one: self.pending[one].since - self.pending[one].priority)
        self.processing.add(key)
        return key, self.pending.pop(key)

    def done(self, key: str) -> None:
        self.processing.discard(key)
        if key in self.dirty:
            self.pending[key] = self.dirty.pop(key)

    def hold(self, key: str) -> None:
        self.processing.add(key)
        if key in self.pending:
            self.dirty[key] = self.pending.pop(key)


@pytest.mark.parametrize("seed", range(30))
def test_q5_keys_are_taken_as_by_a_model_that_compares_the_first_of_each_priority(seed: int) -> None:
    rng = random.Random(seed)
    clock, model = Clock(), Model()
    starts: list[str] = []
    queue: WorkQueue[str] = WorkQueue(clock=clock, on_add=lambda: starts.append("added"))
    for _ in range(400):
        clock.now += rng.random() * 3  # no two times are the same, so no two keys are equal in order
        key = rng.choice("abcdefghij")
        match rng.choice(["add", "add", "add", "get", "done", "hold"]):
            case "add":
                priority, cause = rng.choice([-10, -1, 0, 0, 0, 2, 7]), rng.choice(["", "x", "y", "z"])
                queue.add(key, cause=cause, priority=priority)
                model.add(key, clock.now, priority, cause)
            case "get":
                item, expected = queue.get_nowait(), model.get()
                if expected is None:
                    assert item is None
                else:
                    assert item is not None
                    found = item.key, item.causes, item.waited
                    assert found == (
                        expected[0],
                        tuple(expected[1].causes),
                        pytest.approx(clock.now - expected[1].since),
                    )
            case "done" if model.processing:
                key = rng.choice(sorted(model.processing))
                queue.done(key)
                model.done(key)
            case "hold" if key not in model.processing:
                queue.hold(key)
                model.hold(key)
        assert {(k, p, since) for k, p, since in queue.waiting()} == {
            (k, w.priority, w.since) for k, w in model.pending.items()
        }
        assert set(queue.processing()) == model.processing
        assert len(queue) == len(model.pending)
    left = queue.shut_down()
    assert Counter(left) == Counter({*model.pending, *model.dirty})


def test_q5_three_lines_are_compared_with_each_other() -> None:
    for order in (("low", "high", "mid"), ("high", "low", "mid"), ("mid", "high", "low"), ("low", "mid", "high")):
        queue: WorkQueue[str] = WorkQueue(clock=Clock())
        for key in order:
            queue.add(key, priority={"low": -5, "mid": 3, "high": 9}[key])
        taken = []
        while (item := queue.get_nowait()) is not None:
            taken.append(item.key)
        assert taken == ["high", "mid", "low"]


def test_q3_the_delays_are_5_ms_doubled_up_to_1000_s_unless_others_are_chosen() -> None:
    async def delays(count: int, **options: float) -> list[float]:
        queue: WorkQueue[str] = WorkQueue(**options)  # type: ignore[arg-type]
        found = [queue.retry("a") for _ in range(count)]
        assert queue.failures("a") == count
        assert queue.failures("b") == 0
        queue.shut_down()
        return found

    assert run_virtual(delays(3)) == [0.005, 0.01, 0.02]
    assert run_virtual(delays(100))[17:20] == [655.36, 1000.0, 1000.0]
    assert run_virtual(delays(2000))[-1] == 1000.0
    assert run_virtual(delays(4, first_delay=1.0, max_delay=3.0)) == [1.0, 2.0, 3.0, 3.0]


def test_q3_a_key_that_failed_runs_at_its_time_without_a_cause_of_its_own() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        queue: WorkQueue[str] = WorkQueue()
        queue.retry("a")
        queue.retry("b", cause="failed")
        first, second = await queue.get(), await queue.get()
        assert loop.time() == pytest.approx(0.005)
        assert [(item.key, item.causes, item.more) for item in (first, second)] == [("a", (), 0), ("b", ("failed",), 0)]
        queue.shut_down()

    run_virtual(scenario())


def test_q4_a_delay_that_is_over_or_negative_is_an_add() -> None:
    retries: list[str] = []
    queue: WorkQueue[str] = WorkQueue(clock=Clock(), on_retry=lambda: retries.append("delayed"))
    for key, delay in (("a", 0.0), ("b", -1.0)):
        queue.add_after(key, delay, cause="at once")
    assert [(key, priority) for key, priority, _ in queue.waiting()] == [("a", 0), ("b", 0)]
    item = queue.get_nowait()
    assert item is not None
    assert item.causes == ("at once",)
    assert retries == []  # nothing was delayed


def test_every_delayed_run_is_counted_and_every_key_that_starts_to_wait() -> None:
    async def scenario() -> tuple[int, int]:
        added: list[int] = []
        delayed: list[int] = []
        queue: WorkQueue[str] = WorkQueue(on_add=lambda: added.append(1), on_retry=lambda: delayed.append(1))
        queue.add("a")
        queue.add("a")
        queue.add_after("b", 1)
        queue.retry("c")
        await asyncio.sleep(2)
        item = queue.get_nowait()
        assert item is not None
        queue.add(item.key)
        assert len(added) == 3
        queue.done(item.key)
        queue.shut_down()
        return len(added), len(delayed)

    assert run_virtual(scenario()) == (4, 2)


def test_q4_an_earlier_delay_takes_the_place_of_a_later_one_with_its_cause() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        queue: WorkQueue[str] = WorkQueue()
        for delay, cause in ((9.0, "late"), (4.0, "early"), (4.0, "as early"), (7.0, "between")):
            queue.add_after("a", delay, cause=cause)
        item = await queue.get()
        assert (loop.time(), item.causes) == (pytest.approx(4.0), ("early",))
        queue.done("a")
        await asyncio.sleep(20)
        assert queue.get_nowait() is None
        queue.shut_down()

    run_virtual(scenario())


@pytest.mark.parametrize("first_leaves", ["before", "after"])
def test_a_wake_up_reaches_a_worker_that_stays_whenever_another_leaves(first_leaves: str) -> None:
    async def scenario() -> None:
        queue: WorkQueue[str] = WorkQueue()
        workers = [asyncio.ensure_future(queue.get()) for _ in range(3)]
        await asyncio.sleep(0)
        if first_leaves == "before":
            workers[0].cancel()
            await asyncio.sleep(0)
            queue.add("a")
        else:
            queue.add("a")
            workers[0].cancel()
        done, _ = await asyncio.wait(workers[1:], timeout=5, return_when=asyncio.FIRST_COMPLETED)
        assert [task.result().key for task in done] == ["a"]
        queue.add("b")
        await asyncio.wait(workers[1:], timeout=5)
        assert sorted(task.result().key for task in workers[1:]) == ["a", "b"]
        queue.shut_down()

    run_virtual(scenario())


def test_q6_after_shut_down_nothing_is_counted_or_delayed() -> None:
    async def scenario() -> None:
        added: list[int] = []
        queue: WorkQueue[str] = WorkQueue(on_add=lambda: added.append(1), on_retry=lambda: added.append(2))
        queue.add("running")
        assert queue.get_nowait() is not None
        queue.add("running")
        added.clear()
        assert queue.shut_down() == ["running"]
        queue.add("a")
        queue.add_after("b", 1.0)
        assert queue.retry("c") == 0.005
        assert queue.failures("c") == 0
        queue.done("running")
        await asyncio.sleep(5)
        assert (added, len(queue), list(queue.waiting())) == ([], 0, [])
        with pytest.raises(QueueClosed):
            await queue.get()
        await queue.drained()

    run_virtual(scenario())


def test_q6_the_keys_that_are_left_are_named_once_each() -> None:
    async def scenario() -> list[str]:
        queue: WorkQueue[str] = WorkQueue()
        queue.add("running")
        assert queue.get_nowait() is not None
        queue.add("running")
        queue.add("waiting")
        queue.add_after("delayed", 9.0)
        queue.add_after("later", 99.0)
        return queue.shut_down()

    assert sorted(run_virtual(scenario())) == ["delayed", "later", "running", "waiting"]
