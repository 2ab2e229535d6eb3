"""Watches and the hub: what the conformance suite cannot see from outside."""

import asyncio
import gc
import threading
import weakref

import pytest

from zestor_controller.store import Event, EventType, MemoryStore, Overflow

CREATE, UPDATE, DELETE = EventType.CREATE, EventType.UPDATE, EventType.DELETE


@pytest.fixture
def store():
    with MemoryStore() as store:
        yield store


@pytest.fixture
def numbers(store):
    return store.kind("numbers", int)


@pytest.mark.parametrize("overflow", list(Overflow))
def test_s5_a_parked_consumer_is_not_even_woken_by_a_filtered_event(numbers, overflow):
    async def check():
        with numbers.watch(predicate=lambda event: event.object > 10, overflow=overflow) as watch:
            waiting = asyncio.ensure_future(watch.aget())
            await asyncio.sleep(0)
            waiter = watch._subscription.waiter
            numbers.set("a", 1)
            assert watch._subscription.waiter is waiter
            assert not waiter.future.done()
            numbers.set("a", 11)
            assert waiter.future.done()
            assert (await waiting).object == 11

    asyncio.run(check())


@pytest.mark.parametrize("overflow", [Overflow.DROP, Overflow.COALESCE])
def test_s4_a_large_kind_replays_through_a_small_buffer_and_lets_the_loop_run(numbers, overflow):
    count = 100_000
    numbers.replace({f"n{i}": i for i in range(count)})

    async def check():
        turns = 0
        done = asyncio.Event()

        async def write_meanwhile():
            nonlocal turns
            while not done.is_set():
                turns += 1
                numbers.set("n0", -turns)
                await asyncio.sleep(0)

        writer = asyncio.ensure_future(write_meanwhile())
        seen = {}
        async with numbers.watch(initial_replay=True, bookmarks=True, overflow=overflow) as watch:
            async for event in watch:
                if event.type is EventType.SYNCED:
                    break
                assert event.type is CREATE
                seen[event.name] = event.stored
            done.set()
            await writer
        assert len(seen) == count
        assert turns > 2

    asyncio.run(check())


def test_s4_a_selective_replay_lets_the_loop_run(numbers):
    numbers.replace({f"n{i}": i for i in range(20_000)})

    async def check(overflow):
        turns = 0

        async def count():
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        counter = asyncio.ensure_future(count())
        with numbers.watch(
            initial_replay=True, predicate=lambda event: event.stored == 19_999, overflow=overflow
        ) as watch:
            assert (await watch.aget()).stored == 19_999
            while not watch.synced:  # noqa: ASYNC110 (each look goes through a part of what is refused)
                await asyncio.sleep(0)
        counter.cancel()
        await asyncio.wait([counter])
        assert turns > 20

    for overflow in Overflow:
        asyncio.run(check(overflow))


def test_s4_synced_is_found_when_the_filter_refuses_the_rest(numbers):
    numbers.replace({f"n{i:03}": i for i in range(100)})
    for overflow in Overflow:
        with numbers.watch(initial_replay=True, predicate=lambda event: event.object == 0, overflow=overflow) as watch:
            assert watch.get(timeout=0).object == 0
            assert watch.synced
            assert watch.get(timeout=0) is None


def test_s6_coalesce_an_object_that_comes_into_view_is_created(numbers):
    with numbers.watch(overflow=Overflow.COALESCE, predicate=lambda event: event.object >= 10) as watch:
        numbers.set("a", 1)
        assert watch.drain() == []
        numbers.set("a", 10)
        numbers.set("b", 1)
        assert [(event.type, event.name, event.old) for event in watch.drain()] == [(CREATE, "a", None)]
        numbers.set("a", 2)
        assert watch.drain() == []
        numbers.set("a", 12)
        numbers.delete("b")
        assert [(event.type, event.object, event.old) for event in watch.drain()] == [(UPDATE, 12, 10)]


def test_s6_coalesce_a_folded_delete_delivers_what_the_consumer_saw_last(numbers):
    numbers.set("a", 1)
    with numbers.watch(overflow=Overflow.COALESCE) as watch:
        numbers.set("a", 2)
        numbers.delete("a")
        (event,) = watch.drain()
        assert (event.type, event.object, event.old) == (DELETE, 2, 1)


def test_s6_coalesce_folds_while_a_part_has_been_taken(numbers):
    with numbers.watch(overflow=Overflow.COALESCE, bookmarks=True) as watch:
        for name in "abcd":
            numbers.set(name, 1)
        assert watch.get(timeout=0).type is EventType.SYNCED
        assert watch.get(timeout=0).name == "a"
        numbers.delete("b")  # vanishes from the part that is being handed out
        numbers.set("c", 2)  # folds there
        numbers.set("b", 3)  # a new change, after d
        numbers.set("e", 4)
        numbers.set("e", 5)
        assert [(event.type, event.name, event.object) for event in watch.drain()] == [
            (CREATE, "c", 2),
            (CREATE, "d", 1),
            (CREATE, "b", 3),
            (CREATE, "e", 5),
        ]
        assert watch.coalesced == 3


def test_s6_a_coalescing_buffer_is_bounded_by_the_names_that_exist(numbers):
    with numbers.watch(overflow=Overflow.COALESCE, predicate=lambda event: event.type is not DELETE) as watch:
        for i in range(5000):
            numbers.set(f"n{i}", i)
            watch.drain()
            numbers.delete(f"n{i}")
            watch.drain()
        buffer = watch._subscription.buffer
        assert (len(buffer._pending), len(buffer._front), len(buffer._hidden)) == (0, 0, 0)


def test_s6_the_policy_does_not_depend_on_when_a_watch_catches_up(numbers):
    with numbers.watch(buffer_size=3) as lazy, numbers.watch(buffer_size=3) as eager:
        for i in range(1000):
            numbers.set("n", i)
            assert eager.dropped == max(0, i - 2)
        assert lazy.dropped == 997
        assert [(event.object, event.missed) for event in lazy.drain()] == [
            (event.object, event.missed) for event in eager.drain()
        ]


def test_s7_what_a_cancelled_wait_was_woken_for_is_not_lost(numbers):
    async def check():
        with numbers.watch() as watch:
            waiting = asyncio.ensure_future(watch.aget())
            await asyncio.sleep(0)
            numbers.set("a", 1)
            waiting.cancel()
            await asyncio.wait([waiting])
            assert waiting.cancelled()
            assert [event.object for event in watch.drain()] == [1]

    asyncio.run(check())


def test_s7_a_forgotten_watch_leaves_nothing_behind(numbers):
    watch = numbers.watch()
    ref = weakref.ref(watch)
    with pytest.warns(ResourceWarning, match="dropped without cancel"):  # noqa: PT031
        del watch
        gc.collect()
    assert ref() is None
    numbers.watch().cancel()
    assert numbers.encoded.hub.refs == {}


def test_what_every_watch_has_taken_in_is_let_go(store):
    class Value:
        pass

    values = store.kind("values", codec=_AsIs())
    with values.watch() as one, values.watch() as two:
        value = Value()
        ref = weakref.ref(value)
        values.set("a", value)
        values.delete("a")
        one.drain()
        two.drain()
        del value
        assert ref() is None


class _AsIs:
    def encode(self, value):
        return value

    def decode(self, stored):
        return stored

    def same(self, old, new):
        return old is new


def test_s9_a_foreign_loop_is_woken_once_for_all_its_watches(numbers):
    calls = []
    ready = threading.Event()
    finished = []

    class Loop(asyncio.SelectorEventLoop):
        def call_soon_threadsafe(self, callback, *args, context=None):
            calls.append(callback)
            return super().call_soon_threadsafe(callback, *args, context=context)

    async def consume():
        watches = [numbers.watch() for _ in range(10)]
        waits = [asyncio.ensure_future(watch.aget()) for watch in watches]
        await asyncio.sleep(0)
        ready.set()
        events = await asyncio.gather(*waits)
        finished.extend(event.object for event in events)
        for watch in watches:
            watch.cancel()

    def run():
        with asyncio.Runner(loop_factory=Loop) as runner:
            runner.run(consume())
            calls.append("end")

    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(10)
    numbers.set("a", 1)
    thread.join(10)
    assert finished == [1] * 10
    assert calls.index("end") == 1


def test_s9_a_consumer_whose_loop_is_gone_does_not_disturb_the_writer(numbers):
    watch = numbers.watch()
    loop = asyncio.new_event_loop()
    task = loop.create_task(watch.aget())
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()

    numbers.set("a", 1)

    task._log_destroy_pending = False  # this test leaves it pending on purpose
    del task
    watch.cancel()
    gc.collect()
    assert numbers.get("a") == 1


def test_s9_iteration_may_stop_and_go_on_elsewhere(numbers):
    numbers.set_many({"a": 1, "b": 2, "c": 3})

    async def take(watch):
        async for event in watch:
            return event.name
        raise AssertionError("the watch has ended")

    async def check():
        with numbers.watch(initial_replay=True) as watch:
            assert await asyncio.create_task(take(watch)) == "a"
            assert await asyncio.create_task(take(watch)) == "b"
            assert (await asyncio.wait_for(watch.aget(), 1)).name == "c"

    asyncio.run(check())


@pytest.mark.parametrize("writer", ["predicate", "update", "index"])
def test_a_function_under_the_lock_cannot_write_to_its_own_kind(numbers, writer):
    def write(*_):
        numbers.set("b", 2)
        return [1]

    if writer == "update":
        with pytest.raises(RuntimeError, match="must not write"):
            numbers.update("a", write)
    elif writer == "index":
        numbers.add_index("writes", write)
        numbers.set("a", 1)
        assert numbers.encoded.index("writes").failures == {"a": "RuntimeError"}
    else:
        with numbers.watch(predicate=write) as watch:
            numbers.set("a", 1)
            with pytest.raises(RuntimeError, match="must not write"):
                watch.drain()
    assert numbers.get("b") is None
    numbers.set("c", 3)
    assert numbers.get("c") == 3


def test_s10_update_may_read_other_kinds_and_write_them(store, numbers):
    totals = store.kind("totals", int)
    numbers.set_many({"a": 1, "b": 2})

    def add(_):
        totals.set("seen", len(numbers.list()))
        return sum(numbers.list())

    numbers.update("sum", add)

    assert numbers.get("sum") == 3
    assert totals.get("seen") == 2


def test_options_that_cannot_be_meant_are_refused(numbers):
    with pytest.raises(TypeError, match="collection of names"):
        numbers.watch(names="ann")
    with pytest.raises(ValueError, match="buffer_size"):
        numbers.watch(buffer_size=0)
    with pytest.raises(ValueError, match="nonsense"):
        numbers.watch(overflow="nonsense")
    with pytest.raises(TypeError, match="a name is a str"):
        numbers.set(("default", "a"), 1)


def test_an_event_can_be_made_by_hand_for_testing_predicates():
    event = Event("numbers", "a", UPDATE, 2, 1)

    assert (event.kind, event.name, event.type, event.object, event.old, event.missed) == (
        "numbers", "a", UPDATE, 2, 1, 0,
    )  # fmt: skip
    assert repr(event) == "Event(UPDATE, kind='numbers', name='a')"
    with pytest.raises(AttributeError):
        event.name = "b"


def test_what_watches_have_lost_is_counted_after_they_ended(numbers):
    encoded = numbers.encoded
    with numbers.watch(buffer_size=1) as one, numbers.watch(buffer_size=1, overflow=Overflow.CLOSE):
        with numbers.watch(overflow=Overflow.COALESCE):
            assert encoded.watches() == 3
            for i in range(4):
                numbers.set("a", i)
            assert encoded.lost() == {Overflow.DROP: 3, Overflow.COALESCE: 3, Overflow.CLOSE: 1}
        assert one.dropped == 3
    forgotten = numbers.watch(buffer_size=1)
    numbers.set_many({"b": 1, "c": 2})
    assert encoded.lost()[Overflow.DROP] == 4
    with pytest.warns(ResourceWarning):  # noqa: PT031
        del forgotten
        gc.collect()
    assert encoded.lost() == {Overflow.DROP: 4, Overflow.COALESCE: 3, Overflow.CLOSE: 1}
    assert encoded.watches() == 0
