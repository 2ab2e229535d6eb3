"""What a watch delivers: types, order, replay, filters (S2 to S5)."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from zestor_controller.store import Change, Overflow, Watch
from zestor_controller.testing.store_contract.fixtures import (
    CREATE,
    DELETE,
    SYNCED,
    UPDATE,
    WAIT_S,
    StoreFixtures,
    TeamMember,
    rows,
)

if TYPE_CHECKING:
    from zestor_controller.store import Store, StoreKind

__all__ = ["Events"]


class Events(StoreFixtures):
    """What a watch delivers: types, order, replay, filters (S2 to S5)."""

    # S2

    def test_s2_create_update_and_delete_carry_the_right_values(self, users: StoreKind[TeamMember]) -> None:
        """CREATE the new value, UPDATE both, DELETE the previous one."""
        with users.watch() as watch:
            users.set("ann", TeamMember("red", 1))
            users.set("ann", TeamMember("red", 2))
            users.delete("ann")
            first, second, third = watch.drain()
        assert (first.kind, first.type, first.name, first.object) == ("users", CREATE, "ann", TeamMember("red", 1))
        assert (second.type, second.object, second.old) == (UPDATE, TeamMember("red", 2), TeamMember("red", 1))
        assert (third.type, third.name, third.object) == (DELETE, "ann", TeamMember("red", 2))
        assert first.old is None
        assert [first.missed, second.missed, third.missed] == [0, 0, 0]

    def test_s2_delete_returns_the_previous_value(self, users: StoreKind[TeamMember]) -> None:
        """And None, without an event, for a name that is not there."""
        users.set("ann", TeamMember("red"))
        with users.watch() as watch:
            assert users.delete("ann") == TeamMember("red")
            assert users.delete("ann") is None
            assert [event.type for event in watch.drain()] == [DELETE]

    # S3

    def test_s3_an_equal_value_is_no_change_and_no_event(self, users: StoreKind[TeamMember]) -> None:
        """Set returns what it did."""
        with users.watch() as watch:
            assert users.set("ann", TeamMember("red")) is Change.CREATED
            assert users.set("ann", TeamMember("red")) is Change.UNCHANGED
            assert users.set("ann", TeamMember("blue")) is Change.UPDATED
            assert [event.type for event in watch.drain()] == [CREATE, UPDATE]

    def test_s3_compare_decides_what_is_equal(self, store: Store) -> None:
        """The value kept is the first of the equal ones."""
        users = store.kind("users", TeamMember, compare=lambda old, new: old.team == new.team)
        with users.watch() as watch:
            users.set("ann", TeamMember("red", 1))
            assert users.set("ann", TeamMember("red", 2)) is Change.UNCHANGED
            assert users.set_many({"ann": TeamMember("red", 3)}) == {}
            assert users.get("ann") == TeamMember("red", 1)
            assert users.set("ann", TeamMember("blue", 1)) is Change.UPDATED
            assert len(watch.drain()) == 2

    # S4

    def test_s4_events_come_in_the_order_of_the_writes(self, numbers: StoreKind[int]) -> None:
        """Across names."""
        with numbers.watch() as watch:
            for i in range(100):
                numbers.set(f"n{i % 7}", i)
            assert [event.object for event in watch.drain()] == list(range(100))

    def test_s4_replay_precedes_live_events(self, numbers: StoreKind[int]) -> None:
        """Every object present is a CREATE, then come the changes."""
        numbers.set_many({"a": 1, "b": 2})
        with numbers.watch(initial_replay=True) as watch:
            numbers.set("a", 10)
            numbers.delete("b")
            events = watch.drain()
        assert sorted(rows(events[:2]), key=lambda e: e[1]) == [(CREATE, "a", 1), (CREATE, "b", 2)]
        assert rows(events[2:]) == [(UPDATE, "a", 10), (DELETE, "b", 2)]

    def test_s4_a_replay_does_not_use_up_the_buffer(self, numbers: StoreKind[int]) -> None:
        """A thousand objects come through a buffer of two, and the live events after them."""
        numbers.set_many({f"n{i}": i for i in range(1000)})
        with numbers.watch(initial_replay=True, buffer_size=2) as watch:
            numbers.set("late", -1)
            events = watch.drain()
            assert watch.dropped == 0
        assert sorted(event.object for event in events[:-1]) == list(range(1000))
        assert rows(events[-1:]) == [(CREATE, "late", -1)]

    def test_s4_live_events_during_a_replay_are_subject_to_the_policy(self, numbers: StoreKind[int]) -> None:
        """The replay is complete, the gap is reported by the last live event before it."""
        numbers.set_many({"a": 1, "b": 2, "c": 3})
        with numbers.watch(initial_replay=True, buffer_size=2) as watch:
            for i in range(5):
                numbers.set("x", 100 + i)
            events = watch.drain()
        assert [event.object for event in events] == [1, 2, 3, 100, 101]
        assert [event.missed for event in events] == [0, 0, 0, 0, 3]

    def test_s4_a_replay_applies_the_filters(self, numbers: StoreKind[int]) -> None:
        """Names, predicate and event types."""
        numbers.set_many({"a": 1, "b": 2, "c": 3})
        with (
            numbers.watch(initial_replay=True, names=["a", "c", "z"]) as by_name,
            numbers.watch(initial_replay=True, predicate=lambda event: event.object > 1) as by_value,
            numbers.watch(initial_replay=True, event_types={UPDATE}) as by_type,
        ):
            assert [event.name for event in by_name.drain()] == ["a", "c"]
            assert [event.name for event in by_value.drain()] == ["b", "c"]
            assert by_type.drain() == []

    def test_s4_synced_follows_the_replay(self, numbers: StoreKind[int]) -> None:
        """True once the last object of the replay has been handed out."""
        numbers.set_many({"a": 1, "b": 2})
        for overflow in Overflow:
            with numbers.watch(initial_replay=True, overflow=overflow) as watch:
                assert not watch.synced
                assert watch.get(timeout=WAIT_S) is not None
                assert not watch.synced
                assert watch.get(timeout=WAIT_S) is not None
                assert watch.synced

    def test_s4_a_bookmark_is_delivered_once_between_replay_and_live(self, numbers: StoreKind[int]) -> None:
        """It passes every filter and takes no place in the buffer."""
        numbers.set_many({"a": 1, "b": 2})
        for overflow in Overflow:
            with numbers.watch(
                initial_replay=True, bookmarks=True, buffer_size=1, overflow=overflow, event_types={CREATE}
            ) as watch:
                numbers.set("c", 3)
                events = watch.drain()
                assert [event.type for event in events] == [CREATE, CREATE, SYNCED, CREATE]
                assert (events[2].name, events[2].missed) == ("", 0)
                assert watch.synced
            numbers.delete("c")
        with numbers.watch(bookmarks=True) as watch:
            assert [event.type for event in watch.drain()] == [SYNCED]

    def test_s4_a_replay_is_atomic_with_the_subscription(self, numbers: StoreKind[int]) -> None:
        """While a thread counts names up, every watch sees each value once: none lost, doubled or older."""
        stop = threading.Event()
        last = [0] * 8

        def count() -> None:
            while not stop.is_set():
                for i in range(8):
                    last[i] += 1
                    numbers.set(f"n{i}", last[i])

        writer = threading.Thread(target=count)
        writer.start()
        watches: list[Watch[int]] = []
        try:
            for _ in range(20):
                watches.append(numbers.watch(initial_replay=True, buffer_size=1_000_000))
                assert watches[-1].get(timeout=WAIT_S) is not None or numbers.count() == 0
        finally:
            stop.set()
            writer.join()
        for watch in watches:
            seen: dict[str, int] = {}
            for event in watch.drain():
                if event.name in seen:
                    assert event.object == seen[event.name] + 1
                seen[event.name] = event.object
            assert all(seen.get(f"n{i}", last[i]) == last[i] for i in range(8))
            watch.cancel()

    # S5

    def test_s5_filters_compose_with_and(self, users: StoreKind[TeamMember]) -> None:
        """Types, names and predicate."""
        with users.watch(
            event_types={CREATE, DELETE}, names={"ann", "bob"}, predicate=lambda event: event.object.team == "red"
        ) as watch:
            users.set("ann", TeamMember("red"))
            users.set("ann", TeamMember("red", 2))
            users.set("bob", TeamMember("blue"))
            users.set("carl", TeamMember("red"))
            users.delete("ann")
            assert [(event.type, event.name) for event in watch.drain()] == [(CREATE, "ann"), (DELETE, "ann")]

    def test_s5_a_filtered_event_takes_no_place_in_the_buffer(self, numbers: StoreKind[int]) -> None:
        """A hundred filtered events leave the buffer free for the one that is wanted."""
        with numbers.watch(buffer_size=1, predicate=lambda event: event.object == 50) as watch:
            for i in range(100):
                numbers.set("n", i)
            assert [event.object for event in watch.drain()] == [50]
            assert watch.dropped == 0

    @pytest.mark.parametrize("overflow", list(Overflow))
    def test_s5_a_filtered_event_wakes_no_consumer(self, numbers: StoreKind[int], overflow: Overflow) -> None:
        """A consumer on a loop stays asleep until a wanted event comes."""

        async def check() -> None:
            with numbers.watch(names=["wanted"], overflow=overflow) as watch:
                waiting = asyncio.ensure_future(watch.aget())
                await asyncio.sleep(0)
                numbers.set("other", 1)
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                assert not waiting.done()
                numbers.set("wanted", 1)
                event = await waiting
                assert event is not None
                assert event.name == "wanted"

        asyncio.run(check())
