"""Stages: atomic swaps of a whole kind, prepared and published in slices."""

import asyncio

import pytest

from zestor_controller.errors import StoreError
from zestor_controller.store import EventType, MemoryStore, Overflow

CREATE, UPDATE, DELETE = EventType.CREATE, EventType.UPDATE, EventType.DELETE


class PairCodec:
    """Stored values are (uid, value) tuples, handed out as they are."""

    def encode(self, value):
        return value

    def decode(self, stored):
        return stored

    def same(self, old, new):
        return old == new

    def replaced(self, old, new):
        return old[0] != new[0]


@pytest.fixture
def kind():
    with MemoryStore() as store:
        kind = store.kind("pairs", codec=PairCodec())
        kind.encoded.apply([(f"n{i}", ("u", i)) for i in range(1000)])
        yield kind


def fill(stage, add=0, count=1000):
    for i in range(count):
        stage.put(f"n{i}", ("u", i + add))


async def step_until(condition):
    for _ in range(10_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("the condition never came true")


def test_c8_an_unchanged_value_is_kept_once(kind):
    before = kind.encoded.get("n5")
    stage = kind.encoded.stage()
    stage.put("n5", ("u", int("5")))

    assert stage.commit() == 999
    assert kind.encoded.get("n5") is before
    assert kind.count() == 1


def test_c3_a_replaced_object_is_delivered_as_delete_then_create(kind):
    with kind.watch(buffer_size=10) as watch:
        stage = kind.encoded.stage()
        fill(stage)
        stage.put("n7", ("other", 7))

        assert stage.commit() == 1
        assert [(event.type, event.object) for event in watch.drain()] == [(DELETE, ("u", 7)), (CREATE, ("other", 7))]


def test_c3_an_object_replaced_after_a_stage_is_deleted_and_created_too(kind):
    stage = kind.encoded.stage()
    fill(stage, add=1)
    stage.commit()

    with kind.watch() as watch:
        kind.set("n7", ("other", 7))

        assert [(event.type, event.object) for event in watch.drain()] == [(DELETE, ("u", 8)), (CREATE, ("other", 7))]


def test_c4_readers_see_the_whole_old_or_the_whole_new_state(kind):
    async def check():
        stage = kind.encoded.stage()
        fill(stage, add=5000)
        watch = kind.watch()  # so that there is something to publish after the swap, in slices
        commit = asyncio.ensure_future(stage.commit_async(slice_s=0.0))
        states = set()
        while not commit.done():
            values = kind.list()
            assert len(values) == 1000
            states.add((values[0][1] >= 5000, values[-1][1] >= 5000))
            await asyncio.sleep(0)
        assert await commit == 1000
        watch.cancel()
        assert states == {(False, False), (True, True)}

    asyncio.run(check())


@pytest.mark.parametrize(("uid", "events"), [("u", 1000), ("other", 2000)], ids=["updated", "replaced"])
def test_a_watch_that_keeps_up_with_the_slices_drops_nothing(kind, uid, events):
    async def check():
        seen = []
        async with kind.watch() as watch:

            async def consume():
                async for event in watch:
                    seen.append(event.name)

            task = asyncio.ensure_future(consume())
            async with kind.encoded.stage() as stage:
                for i in range(1000):
                    stage.put(f"n{i}", (uid, i + 1))
            watch.cancel()
            await task
            assert watch.dropped == 0
        assert len(seen) == events

    asyncio.run(check())


def test_what_others_write_before_the_swap_is_part_of_what_is_replaced(kind):
    async def check():
        with kind.watch(overflow=Overflow.COALESCE) as watch:
            stage = kind.encoded.stage()
            fill(stage)
            commit = asyncio.ensure_future(stage.commit_async(slice_s=0.0))
            for _ in range(30):  # far enough that these names have been compared, and not so far as the swap
                await asyncio.sleep(0)
            assert not commit.done()
            kind.encoded.apply([("n3", ("u", -1)), ("extra", ("u", 0)), ("n4", None)])
            assert dict(watch_state(watch)) == {"n3": ("u", -1), "extra": ("u", 0), "n4": None}

            assert await commit == 3
            assert dict(watch_state(watch)) == {"n3": ("u", 3), "extra": None, "n4": ("u", 4)}
        assert kind.count() == 1000

    asyncio.run(check())


def watch_state(watch):
    return [(event.name, None if event.type is DELETE else event.object) for event in watch.drain()]


def test_what_is_written_after_the_swap_is_delivered_after_its_events(kind):
    async def check():
        with kind.watch(buffer_size=10_000) as watch:
            stage = kind.encoded.stage()
            fill(stage, add=1)
            commit = asyncio.ensure_future(stage.commit_async())
            await step_until(lambda: kind.get("n0") == ("u", 1))
            kind.encoded.apply([("n999", ("u", 7777))])
            kind.set("n998", ("u", 8888))
            with kind.watch(initial_replay=True, buffer_size=1) as late:
                await commit
                events = watch.drain()
                assert [event.object for event in events if event.name == "n999"] == [("u", 1000), ("u", 7777)]
                assert [event.object for event in events[-2:]] == [("u", 7777), ("u", 8888)]
                replayed = late.drain()
                assert len(replayed) == 1000
                assert {event.type for event in replayed} == {CREATE}
                assert {event.name: event.object for event in replayed} == dict(kind.items())
                assert late.dropped == 0

    asyncio.run(check())


def test_a_watch_opened_between_comparing_and_swapping_is_delivered_the_difference(kind):
    async def check():
        stage = kind.encoded.stage()
        fill(stage, add=1)
        commit = asyncio.ensure_future(stage.commit_async(slice_s=0.0))
        for _ in range(20):
            await asyncio.sleep(0)
        assert kind.get("n0") == ("u", 0)
        with kind.watch(overflow=Overflow.COALESCE) as watch:
            await commit
            assert len(watch.drain()) == 1000

    asyncio.run(check())


def test_a_commit_cancelled_before_the_swap_changes_nothing(kind):
    async def check():
        with kind.watch() as watch:
            stage = kind.encoded.stage()
            fill(stage, add=1)
            commit = asyncio.ensure_future(stage.commit_async(slice_s=0.0))
            await asyncio.sleep(0)
            commit.cancel()
            await asyncio.wait([commit])
            assert commit.cancelled()
            assert kind.get("n0") == ("u", 0)
            assert watch.drain() == []
        with kind.encoded.stage() as again:
            fill(again, add=2)
        assert kind.get("n0") == ("u", 2)

    asyncio.run(check())


def test_a_commit_cancelled_after_the_swap_delivers_the_rest_at_once(kind):
    async def check():
        with kind.watch(overflow=Overflow.COALESCE) as watch:
            stage = kind.encoded.stage()
            fill(stage, add=1)
            commit = asyncio.ensure_future(stage.commit_async())
            await step_until(lambda: kind.get("n0") == ("u", 1))
            commit.cancel()
            await asyncio.wait([commit])
            assert len(watch.drain()) == 1000

    asyncio.run(check())


def test_close_and_cancel_deliver_what_is_still_to_be_delivered():
    async def check():
        store = MemoryStore()
        kind = store.kind("numbers", int)
        cancelled, closed = kind.watch(overflow=Overflow.COALESCE), kind.watch(overflow=Overflow.COALESCE)
        stage = kind.encoded.stage()
        for i in range(1000):
            stage.put(f"n{i}", i)
        commit = asyncio.ensure_future(stage.commit_async())
        await step_until(lambda: kind.count() == 1000)
        cancelled.cancel()
        store.close()
        await asyncio.wait([commit])
        assert len(cancelled.drain()) == len(closed.drain()) == 1000

    asyncio.run(check())


def test_stages_committed_at_the_same_time_follow_one_another(kind):
    async def check():
        with kind.watch(overflow=Overflow.COALESCE) as watch:
            first, second = kind.encoded.stage(), kind.encoded.stage()
            fill(first, add=1)
            fill(second, add=2)
            second.put("only in the second", ("u", 0))
            commits = [asyncio.ensure_future(stage.commit_async(slice_s=0.0)) for stage in (first, second)]
            assert await asyncio.gather(*commits) == [1000, 1001]
            assert dict(watch_state(watch)) == dict(kind.items())
            assert kind.get("n0") == ("u", 2)
            with pytest.raises(StoreError, match="over"):
                first.commit()

    asyncio.run(check())


def test_stages_that_keep_each_others_names_may_overlap():
    async def check():
        with MemoryStore() as store:
            kind = store.kind("pairs", codec=PairCodec(), indexes={"value": lambda pair: [pair[1]]})
            kind.encoded.apply([(f"{part}/n{i}", ("u", i)) for part in "ab" for i in range(200)])
            with kind.watch(overflow=Overflow.COALESCE, initial_replay=True) as watch:
                state = dict(watch_state(watch))
                a = kind.encoded.stage(keep=lambda name: not name.startswith("a/"))
                b = kind.encoded.stage(keep=lambda name: not name.startswith("b/"))
                for i in range(100, 300):
                    a.put(f"a/n{i}", ("u", i + 1000))
                    b.put(f"b/n{i}", ("u", i + 2000))
                with pytest.raises(ValueError, match="keeps"):
                    a.put("b/n1", ("u", 1))
                commits = [asyncio.ensure_future(stage.commit_async(slice_s=0.0)) for stage in (a, b)]
                await asyncio.sleep(0)
                kind.encoded.apply([("c/live", ("u", -1))])
                assert await asyncio.gather(*commits) == [300, 300]
                state.update(watch_state(watch))
                expected = {f"a/n{i}": ("u", i + 1000) for i in range(100, 300)}
                expected |= {f"b/n{i}": ("u", i + 2000) for i in range(100, 300)}
                expected |= {"c/live": ("u", -1)}
                assert dict(kind.items()) == expected
                assert {name: value for name, value in state.items() if value is not None} == expected
                assert kind.by_index("value", 2150) == [("u", 2150)]
                assert kind.by_index("value", 5) == []

    asyncio.run(check())


def test_indexes_swap_with_the_content(kind):
    async def check():
        kind.add_index("even", lambda pair: [pair[1] % 2 == 0])
        stage = kind.encoded.stage()
        fill(stage, add=1, count=3)
        commit = asyncio.ensure_future(stage.commit_async(slice_s=0.0))
        await asyncio.sleep(0)
        kind.add_index("uid", lambda pair: [pair[0]])
        assert len(kind.by_index("even", True)) == 500
        await commit
        assert sorted(kind.by_index("even", True)) == [("u", 2)]
        assert sorted(kind.by_index("uid", "u")) == [("u", 1), ("u", 2), ("u", 3)]
        assert kind.set("n0", ("u", 10)).value == "UPDATED"
        assert sorted(kind.by_index("even", True)) == [("u", 2), ("u", 10)]

    asyncio.run(check())


def test_names_that_a_stage_keeps_stay_in_the_indexes(kind):
    kind.add_index("even", lambda pair: [pair[1] % 2 == 0])
    stage = kind.encoded.stage(keep=lambda name: name in ("n1", "n2"))
    stage.put("n4", ("u", 4))

    stage.commit()

    assert sorted(kind.by_index("even", True)) == [("u", 2), ("u", 4)]
    assert kind.by_index("even", False) == [("u", 1)]


def test_c8_a_large_commit_gives_the_loop_many_turns(kind):
    async def check():
        turns = 0

        async def count():
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        counter = asyncio.ensure_future(count())
        stage = kind.encoded.stage()
        fill(stage, add=1)
        await stage.commit_async(slice_s=0.0)
        counter.cancel()
        await asyncio.wait([counter])
        assert turns >= 1000 / 64

    asyncio.run(check())
