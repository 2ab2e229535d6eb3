"""The store's promises as tests that any backend can run (S1 to S14).

Derive a class whose name starts with ``Test`` and say how a store is made; pytest does the rest::

    from zestor_controller.testing.store_contract import StoreContract

    class TestMyStore(StoreContract):
        def make_store(self) -> Store:
            return MyStore()

Each test is named after the promise that it checks. They need pytest and no plugin: what needs an event loop runs one.
A backend that keeps values in another form than Python's objects passes when what it hands out compares equal.
"""

from __future__ import annotations

import asyncio
import gc
import threading
import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from zestor_controller.errors import KindRequired, StoreClosed, StoreError, ValidationFailed, WatchOverflow
from zestor_controller.store import Change, Event, EventType, Overflow, Watch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zestor_controller.store import Store, StoreKind

__all__ = ["StoreContract", "User"]

CREATE, UPDATE, DELETE, SYNCED = EventType.CREATE, EventType.UPDATE, EventType.DELETE, EventType.SYNCED
COALESCE, CLOSE = Overflow.COALESCE, Overflow.CLOSE
WAIT_S = 10.0  # a bound that only a broken store reaches


@dataclass
class User:
    """The model of the suite: mutable, compared by value."""

    team: str
    age: int = 0
    tags: list[str] = field(default_factory=list)


def told(events: list[Event[Any]]) -> list[tuple[EventType, str, Any]]:
    """Return type, name and object of each event."""
    return [(event.type, event.name, event.object) for event in events]


def age_of(user: User | None) -> int:
    """Return a user's age; a user who is missing fails the test."""
    assert user is not None
    return user.age


def older(user: User | None) -> User:
    """Return the user, a year older."""
    assert user is not None
    return replace(user, age=user.age + 1)


class StoreContract(ABC):
    """Derive it, name the class ``Test...``, and implement :meth:`make_store`."""

    @abstractmethod
    def make_store(self) -> Store:
        """Return a new, empty store; the suite closes it."""

    @pytest.fixture
    def store(self) -> Iterator[Store]:
        """A new store, closed after the test."""
        store = self.make_store()
        yield store
        store.close()

    @pytest.fixture
    def users(self, store: Store) -> StoreKind[User]:
        """A typed kind with one index."""
        return store.kind("users", User, indexes={"team": lambda user: [user.team]})

    @pytest.fixture
    def numbers(self, store: Store) -> StoreKind[int]:
        """A kind of immutable values."""
        return store.kind("numbers", int)

    # S1

    def test_s1_a_value_of_another_type_is_refused_by_name(self, users: StoreKind[User]) -> None:
        """The error names the kind, the name and the type."""
        with pytest.raises(TypeError, match=r"users.*ann.*User.*str"):
            users.set("ann", "not a user")  # type: ignore[arg-type]
        assert users.get("ann") is None

    def test_s1_every_write_checks_the_type(self, users: StoreKind[User]) -> None:
        """And a mixed batch changes nothing."""
        users.set("ann", User("red"))
        wrong: Any = {"ann": User("blue"), "bob": 7}
        with pytest.raises(TypeError, match="bob"):
            users.set_many(wrong)
        with pytest.raises(TypeError, match="bob"):
            users.replace(wrong)
        with pytest.raises(TypeError, match="ann"):
            users.update("ann", lambda user: 7)  # type: ignore[arg-type, return-value]
        with pytest.raises(TypeError, match="bob"), users.stage() as stage:
            stage.put("bob", 7)  # type: ignore[arg-type]
        assert users.items() == [("ann", User("red"))]

    def test_s1_a_kind_without_a_model_takes_every_value_but_none(self, store: Store) -> None:
        """None could not be told from absence."""
        anything = store.kind("anything")
        anything.set("a", 1)
        anything.set("b", {"x": [1]})
        with pytest.raises(TypeError, match="anything"):
            anything.set("c", None)
        assert anything.items() == [("a", 1), ("b", {"x": [1]})]

    def test_s1_a_kind_keeps_its_model(self, store: Store, users: StoreKind[User]) -> None:
        """Asking again returns the same kind; another model is refused."""
        store.kind("users", User).set("ann", User("red"))
        assert users.count() == 1
        assert store.kind("users").count() == 1
        with pytest.raises(StoreError, match="users"):
            store.kind("users", int)

    # S2

    def test_s2_create_update_and_delete_carry_the_right_values(self, users: StoreKind[User]) -> None:
        """CREATE the new value, UPDATE both, DELETE the previous one."""
        with users.watch() as watch:
            users.set("ann", User("red", 1))
            users.set("ann", User("red", 2))
            users.delete("ann")
            first, second, third = watch.drain()
        assert (first.kind, first.type, first.name, first.object) == ("users", CREATE, "ann", User("red", 1))
        assert (second.type, second.object, second.old) == (UPDATE, User("red", 2), User("red", 1))
        assert (third.type, third.name, third.object) == (DELETE, "ann", User("red", 2))
        assert first.old is None
        assert [first.missed, second.missed, third.missed] == [0, 0, 0]

    def test_s2_delete_returns_the_previous_value(self, users: StoreKind[User]) -> None:
        """And None, without an event, for a name that is not there."""
        users.set("ann", User("red"))
        with users.watch() as watch:
            assert users.delete("ann") == User("red")
            assert users.delete("ann") is None
            assert [event.type for event in watch.drain()] == [DELETE]

    # S3

    def test_s3_an_equal_value_is_no_change_and_no_event(self, users: StoreKind[User]) -> None:
        """Set tells what it did."""
        with users.watch() as watch:
            assert users.set("ann", User("red")) is Change.CREATED
            assert users.set("ann", User("red")) is Change.UNCHANGED
            assert users.set("ann", User("blue")) is Change.UPDATED
            assert [event.type for event in watch.drain()] == [CREATE, UPDATE]

    def test_s3_compare_decides_what_is_equal(self, store: Store) -> None:
        """The value kept is the first of the equal ones."""
        users = store.kind("users", User, compare=lambda old, new: old.team == new.team)
        with users.watch() as watch:
            users.set("ann", User("red", 1))
            assert users.set("ann", User("red", 2)) is Change.UNCHANGED
            assert users.set_many({"ann": User("red", 3)}) == {}
            assert users.get("ann") == User("red", 1)
            assert users.set("ann", User("blue", 1)) is Change.UPDATED
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
        assert sorted(told(events[:2]), key=lambda e: e[1]) == [(CREATE, "a", 1), (CREATE, "b", 2)]
        assert told(events[2:]) == [(UPDATE, "a", 10), (DELETE, "b", 2)]

    def test_s4_a_replay_does_not_use_up_the_buffer(self, numbers: StoreKind[int]) -> None:
        """A thousand objects come through a buffer of two, and the live events after them."""
        numbers.set_many({f"n{i}": i for i in range(1000)})
        with numbers.watch(initial_replay=True, buffer_size=2) as watch:
            numbers.set("late", -1)
            events = watch.drain()
            assert watch.dropped == 0
        assert sorted(event.object for event in events[:-1]) == list(range(1000))
        assert told(events[-1:]) == [(CREATE, "late", -1)]

    def test_s4_live_events_during_a_replay_are_subject_to_the_policy(self, numbers: StoreKind[int]) -> None:
        """The replay is whole, the gap is told by the last live event before it."""
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

    def test_s4_a_bookmark_is_told_once_between_replay_and_live(self, numbers: StoreKind[int]) -> None:
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

    def test_s5_filters_compose_with_and(self, users: StoreKind[User]) -> None:
        """Types, names and predicate."""
        with users.watch(
            event_types={CREATE, DELETE}, names={"ann", "bob"}, predicate=lambda event: event.object.team == "red"
        ) as watch:
            users.set("ann", User("red"))
            users.set("ann", User("red", 2))
            users.set("bob", User("blue"))
            users.set("carl", User("red"))
            users.delete("ann")
            assert [(event.type, event.name) for event in watch.drain()] == [(CREATE, "ann"), (DELETE, "ann")]

    def test_s5_a_filtered_event_takes_no_place_in_the_buffer(self, numbers: StoreKind[int]) -> None:
        """A hundred filtered events leave room for the one that is wanted."""
        with numbers.watch(buffer_size=1, predicate=lambda event: event.object == 50) as watch:
            for i in range(100):
                numbers.set("n", i)
            assert [event.object for event in watch.drain()] == [50]
            assert watch.dropped == 0

    @pytest.mark.parametrize("overflow", list(Overflow))
    def test_s5_a_filtered_event_wakes_nobody(self, numbers: StoreKind[int], overflow: Overflow) -> None:
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

    # S6

    def test_s6_the_default_buffer_holds_128(self, numbers: StoreKind[int]) -> None:
        """And drops the newest."""
        with numbers.watch() as watch:
            for i in range(130):
                numbers.set("n", i)
            assert [event.object for event in watch.drain()] == list(range(128))
            assert watch.dropped == 2

    def test_s6_drop_tells_every_gap(self, numbers: StoreKind[int]) -> None:
        """Missed is the number dropped right after the event; the sum is `dropped`."""
        with numbers.watch(buffer_size=2) as watch:
            for i in range(5):
                numbers.set("n", i)
            first = watch.get(timeout=WAIT_S)
            numbers.set("n", 5)  # there is room for one again
            numbers.set("n", 6)
            events = watch.drain()
            assert first is not None
            assert (first.object, first.missed) == (0, 0)
            assert [(event.object, event.missed) for event in events] == [(1, 3), (5, 1)]
            assert watch.dropped == 4

    def test_s6_missed_is_fixed_when_the_event_is_handed_out(self, numbers: StoreKind[int]) -> None:
        """The last event before a gap tells of it even when writes stop; a later gap does not change it."""
        with numbers.watch(buffer_size=1) as watch:
            numbers.set("n", 1)
            numbers.set("n", 2)
            event = watch.get(timeout=WAIT_S)
            assert event is not None
            assert event.missed == 1
            numbers.set("n", 3)
            numbers.set("n", 4)
            assert event.missed == 1
            assert [(later.object, later.missed) for later in watch.drain()] == [(3, 1)]

    def test_s6_coalesce_folds_by_name(self, numbers: StoreKind[int]) -> None:
        """CREATE+UPDATE, UPDATE+UPDATE, UPDATE+DELETE, DELETE+CREATE and CREATE+DELETE."""
        numbers.set_many({"updated": 1, "deleted": 2, "recreated": 3})
        with numbers.watch(overflow=COALESCE, buffer_size=1) as watch:
            numbers.set("created", 10)
            numbers.set("created", 11)
            numbers.set("updated", 12)
            numbers.set("updated", 13)
            numbers.set("deleted", 14)
            numbers.delete("deleted")
            numbers.delete("recreated")
            numbers.set("recreated", 15)
            numbers.set("vanished", 16)
            numbers.delete("vanished")
            events = watch.drain()
            assert watch.dropped == 0
        assert told(events) == [
            (CREATE, "created", 11),
            (UPDATE, "updated", 13),
            (DELETE, "deleted", 14),
            (UPDATE, "recreated", 15),
        ]
        assert [event.old for event in events] == [None, 1, 2, 3]

    def test_s6_coalesce_keeps_the_order_of_first_undelivered_changes(self, numbers: StoreKind[int]) -> None:
        """Also when the consumer took some in between."""
        with numbers.watch(overflow=COALESCE) as watch:
            for name in ("a", "b", "c"):
                numbers.set(name, 1)
            first = watch.get(timeout=WAIT_S)
            numbers.set("a", 2)  # after b and c
            numbers.set("c", 2)  # keeps its place
            assert first is not None
            assert first.name == "a"
            assert told(watch.drain()) == [(CREATE, "b", 1), (CREATE, "c", 2), (UPDATE, "a", 2)]

    def test_s6_coalesce_old_is_what_this_consumer_saw_last(self, numbers: StoreKind[int]) -> None:
        """Two consumers at different speeds see different values of `old`."""
        with numbers.watch(overflow=COALESCE) as fast, numbers.watch(overflow=COALESCE) as slow:
            numbers.set("a", 1)
            assert [event.object for event in (*fast.drain(), *slow.drain())] == [1, 1]
            numbers.set("a", 2)
            assert [(event.object, event.old) for event in fast.drain()] == [(2, 1)]
            numbers.set("a", 3)
            assert [(event.object, event.old) for event in fast.drain()] == [(3, 2)]
            assert [(event.object, event.old) for event in slow.drain()] == [(3, 1)]

    def test_s6_coalesce_filters_after_folding(self, numbers: StoreKind[int]) -> None:
        """CREATE+UPDATE is a CREATE, which a watch of updates does not want; a refused change was not seen."""
        with (
            numbers.watch(overflow=COALESCE, event_types={UPDATE}) as updates,
            numbers.watch(overflow=COALESCE, predicate=lambda event: event.object % 2 == 1) as odd,
        ):
            numbers.set("a", 1)
            numbers.set("a", 2)
            numbers.set("a", 3)
            assert updates.drain() == []
            assert told(odd.drain()) == [(CREATE, "a", 3)]
            numbers.set("a", 4)
            assert odd.drain() == []
            numbers.set("a", 5)
            assert [(event.type, event.object, event.old) for event in odd.drain()] == [(UPDATE, 5, 3)]

    def test_s6_coalesce_folds_into_an_undelivered_replay(self, numbers: StoreKind[int]) -> None:
        """The replay tells the newest state, and nothing of what has gone."""
        numbers.set_many({"a": 1, "b": 2, "c": 3})
        with numbers.watch(overflow=COALESCE, initial_replay=True) as watch:
            numbers.set("b", 20)
            numbers.delete("a")
            numbers.set("d", 4)
            assert told(watch.drain()) == [(CREATE, "b", 20), (CREATE, "c", 3), (CREATE, "d", 4)]

    def test_s6_close_delivers_then_raises_once_then_ends(self, numbers: StoreKind[int]) -> None:
        """WatchOverflow is not filtered, and comes after what was buffered."""
        with numbers.watch(overflow=CLOSE, buffer_size=2, event_types={CREATE}) as watch:
            for i in range(5):
                numbers.set(f"n{i}", i)
            seen: list[int] = []
            with pytest.raises(WatchOverflow, match="numbers"):
                _collect_into(seen, watch)
            assert seen == [0, 1]
            assert list(watch) == []
            assert watch.get(timeout=0) is None
            assert watch.closed

    def test_s6_a_write_never_waits_for_a_watcher(self, numbers: StoreKind[int]) -> None:
        """A watch of each policy that nobody reads holds up nothing."""
        watches = [numbers.watch(overflow=overflow, buffer_size=1) for overflow in Overflow]
        for i in range(2000):
            numbers.set(f"n{i % 10}", i)
        assert numbers.count() == 10
        assert {watch.overflow: len(watch.drain()) for watch in watches[:2]} == {Overflow.DROP: 1, COALESCE: 10}
        assert watches[2].closed
        for watch in watches:
            watch.cancel()

    # S7

    def test_s7_cancel_delivers_what_was_buffered_then_ends(self, numbers: StoreKind[int]) -> None:
        """And twice is harmless."""
        watch = numbers.watch()
        numbers.set("a", 1)
        watch.cancel()
        watch.cancel()
        numbers.set("b", 2)
        assert [event.name for event in watch] == ["a"]
        assert list(watch) == []

    def test_s7_leaving_the_block_cancels(self, numbers: StoreKind[int]) -> None:
        """``with`` and ``async with``, also by an error."""
        with pytest.raises(LookupError), numbers.watch() as watch:
            raise LookupError
        assert watch.closed

        async def check() -> Watch[int]:
            async with numbers.watch() as inner:
                return inner

        assert asyncio.run(check()).closed

    def test_s7_cancel_ends_a_waiting_consumer(self, numbers: StoreKind[int]) -> None:
        """In a thread and on a loop."""
        watch = numbers.watch()
        seen: list[Event[int]] = []
        consumer = threading.Thread(target=lambda: seen.extend(watch))
        consumer.start()
        watch.cancel()
        consumer.join(WAIT_S)
        assert not consumer.is_alive()

        async def check() -> list[Event[int]]:
            inner = numbers.watch()
            task = asyncio.ensure_future(_collect(inner))
            await asyncio.sleep(0)
            inner.cancel()
            return await task

        assert asyncio.run(check()) == seen == []

    def test_s7_a_forgotten_watch_is_cleaned_up_and_warned_about(self, numbers: StoreKind[int]) -> None:
        """The store holds watches weakly."""
        watch = numbers.watch()
        numbers.set("a", 1)
        with pytest.warns(ResourceWarning, match="numbers"):  # noqa: PT031
            del watch
            gc.collect()
        numbers.set("a", 2)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            cancelled = numbers.watch()
            cancelled.cancel()
            del cancelled
            gc.collect()

    # S8

    def test_s8_a_failing_predicate_ends_its_own_watch_only(self, numbers: StoreKind[int]) -> None:
        """The writer and the other watch go on; the failing watch says why, after what it had."""

        def fragile(event: Event[int]) -> bool:
            return 10 // (event.object - 3) != 0

        with numbers.watch(predicate=fragile) as failing, numbers.watch() as healthy:
            for i in range(6):
                assert numbers.set(f"n{i}", i) is Change.CREATED
            seen: list[int] = []
            with pytest.raises(ZeroDivisionError):
                _collect_into(seen, failing)
            assert seen == [0, 1, 2]
            assert list(failing) == []
            assert [event.object for event in healthy.drain()] == list(range(6))

    def test_s8_slow_and_cancelled_watches_do_not_affect_others(self, numbers: StoreKind[int]) -> None:
        """Each watch has its own buffer and its own end."""
        with numbers.watch(buffer_size=1) as slow, numbers.watch() as good, numbers.watch() as gone:
            numbers.set("a", 1)
            gone.cancel()
            numbers.set("a", 2)
            numbers.set("a", 3)
            assert [event.object for event in good.drain()] == [1, 2, 3]
            assert [(event.object, event.missed) for event in slow.drain()] == [(1, 2)]
            assert [event.object for event in gone.drain()] == [1]
            assert good.dropped == 0

    # S9

    def test_s9_a_thread_and_a_loop_are_woken_by_another_thread(self, numbers: StoreKind[int]) -> None:
        """Everything written by one thread reaches a ``for`` in a second and an ``async for`` in a third."""
        count = 300
        for_thread, for_loop = numbers.watch(buffer_size=count), numbers.watch(buffer_size=count)
        got: dict[str, list[int]] = {}

        def iterate() -> None:
            got["thread"] = [event.object for event in for_thread]

        def run() -> None:
            got["loop"] = [event.object for event in asyncio.run(_collect(for_loop))]

        consumers = [threading.Thread(target=iterate), threading.Thread(target=run)]
        for consumer in consumers:
            consumer.start()
        for i in range(count):
            numbers.set("n", i)
        for_thread.cancel()
        for_loop.cancel()
        for consumer in consumers:
            consumer.join(WAIT_S)
        assert got == {"thread": list(range(count)), "loop": list(range(count))}

    def test_s9_for_on_a_running_loop_is_refused(self, numbers: StoreKind[int]) -> None:
        """It would block the loop."""

        async def check() -> None:
            with numbers.watch() as watch:
                with pytest.raises(RuntimeError, match="async for"):
                    iter(watch)
                with pytest.raises(RuntimeError, match="async for"):
                    iter(watch.batches())

        asyncio.run(check())

    def test_s9_a_second_concurrent_consumer_is_refused(self, numbers: StoreKind[int]) -> None:
        """On a loop while the first waits; in threads while the first iterates."""

        async def check() -> None:
            with numbers.watch() as watch:
                first = asyncio.ensure_future(_collect(watch))
                await asyncio.sleep(0)
                with pytest.raises(RuntimeError, match="consumer"):
                    await watch.aget()
                with pytest.raises(RuntimeError, match="consumer"):
                    await _collect(watch)
                with pytest.raises(RuntimeError, match="consumer"):
                    watch.drain()
                watch.cancel()
                assert await first == []

        asyncio.run(check())
        numbers.set("a", 1)
        with numbers.watch(initial_replay=True) as watch:
            iterator = iter(watch)
            assert next(iterator).name == "a"
            errors: list[BaseException] = []

            def intrude() -> None:
                for attempt in (lambda: iter(watch), lambda: watch.get(timeout=0), watch.drain):
                    try:
                        attempt()
                    except RuntimeError as error:
                        errors.append(error)

            thread = threading.Thread(target=intrude)
            thread.start()
            thread.join(WAIT_S)
            assert len(errors) == 3
            del iterator
            thread = threading.Thread(target=intrude)
            thread.start()
            thread.join(WAIT_S)
            assert len(errors) == 3

    def test_s9_get_and_drain_serve_a_thread(self, numbers: StoreKind[int]) -> None:
        """Get waits up to its timeout; drain never waits."""
        with numbers.watch() as watch:
            assert watch.get(timeout=0.01) is None
            assert watch.drain() == []
            numbers.set("a", 1)
            numbers.set("a", 2)
            event = watch.get(timeout=WAIT_S)
            assert event is not None
            assert event.object == 1
            assert [later.object for later in watch.drain()] == [2]
            assert not watch.closed

    def test_s9_get_and_drain_serve_a_loop(self, numbers: StoreKind[int]) -> None:
        """Called on a running loop, get returns an awaitable; drain's list may be awaited too."""

        async def check() -> None:
            with numbers.watch() as watch:
                assert await watch.aget(timeout=0.01) is None
                assert await watch.drain() == []
                numbers.set("a", 1)
                numbers.set("a", 2)
                awaitable: Any = watch.get(timeout=WAIT_S)
                event = await awaitable
                assert event.object == 1
                assert [later.object for later in await watch.drain()] == [2]
                pending: Any = asyncio.ensure_future(watch.aget())
                await asyncio.sleep(0)
                pending.cancel()
                await asyncio.wait([pending])
                numbers.set("a", 3)
                assert [later.object for later in watch.drain()] == [3]

        asyncio.run(check())

    def test_s9_batches_serve_both_with_one_wake_up(self, numbers: StoreKind[int]) -> None:
        """What is written in one go arrives in one batch."""

        async def check() -> list[list[int]]:
            batches: list[list[int]] = []
            async with numbers.watch() as watch:

                async def consume() -> None:
                    async for batch in watch.batches():
                        batches.append([event.object for event in batch])

                task = asyncio.ensure_future(consume())
                await asyncio.sleep(0)
                numbers.set_many({"a": 1, "b": 2, "c": 3})
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                numbers.set("a", 4)
                watch.cancel()
                await task
            return batches

        assert asyncio.run(check()) == [[1, 2, 3], [4]]
        with numbers.watch() as watch:
            numbers.set("a", 5)
            watch.cancel()
            assert [[event.object for event in batch] for batch in watch.batches()] == [[5]]

    def test_s9_writers_in_many_threads_lose_nothing(self, numbers: StoreKind[int]) -> None:
        """Counting with `update` from several threads reaches the sum, and each step is told once, in order."""
        numbers.set("n", 0)
        with numbers.watch(buffer_size=1_000_000) as watch:

            def count() -> None:
                for _ in range(200):
                    numbers.update("n", lambda value: (value or 0) + 1)

            threads = [threading.Thread(target=count) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(WAIT_S)
            assert numbers.get("n") == 800
            assert [event.object for event in watch.drain()] == list(range(1, 801))

    # S10

    def test_s10_update_applies_a_function_under_the_lock(self, users: StoreKind[User]) -> None:
        """It reports what changed; an absent name is None, and stays absent when None comes back."""
        users.set("ann", User("red", 1))
        assert users.update("ann", older) is Change.UPDATED
        assert users.update("ann", lambda user: user) is Change.UNCHANGED
        assert users.update("bob", lambda user: user or User("blue")) is Change.CREATED
        assert users.update("carl", lambda user: None) is Change.UNCHANGED
        assert users.items() == [("ann", User("red", 2)), ("bob", User("blue"))]

    def test_s10_update_refuses_coroutine_functions(self, users: StoreKind[User]) -> None:
        """And a plain function that returns an awaitable, or nothing for a present value."""
        users.set("ann", User("red"))

        async def change(user: User | None) -> User | None:
            return user

        with pytest.raises(TypeError, match="coroutine"):
            users.update("ann", change)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="awaitable"):
            users.update("ann", lambda user: change(user))  # type: ignore[arg-type, return-value]
        with pytest.raises(TypeError, match="None"):
            users.update("ann", lambda user: None)
        assert users.get("ann") == User("red")

    def test_s10_an_error_in_update_changes_nothing(self, users: StoreKind[User]) -> None:
        """It is passed on; what the function did to its copy is lost."""
        users.set("ann", User("red", 1))

        def break_off(user: User | None) -> User | None:
            assert user is not None
            user.age = 99
            raise LookupError("no")

        with users.watch() as watch:
            with pytest.raises(LookupError, match="no"):
                users.update("ann", break_off)
            assert users.get("ann") == User("red", 1)
            assert watch.drain() == []
            assert users.update("ann", older) is Change.UPDATED

    def test_s10_set_many_merges_in_name_order(self, numbers: StoreKind[int]) -> None:
        """Others stay, equal values are skipped, and what changed is returned."""
        numbers.set_many({"b": 2, "x": 9})
        with numbers.watch() as watch:
            assert numbers.set_many({"c": 3, "b": 2, "a": 1, "x": 10}) == {
                "a": Change.CREATED,
                "c": Change.CREATED,
                "x": Change.UPDATED,
            }
            assert told(watch.drain()) == [(CREATE, "a", 1), (CREATE, "c", 3), (UPDATE, "x", 10)]
        assert dict(numbers.items()) == {"a": 1, "b": 2, "c": 3, "x": 10}

    def test_s10_a_comparison_that_raises_changes_nothing(self, store: Store) -> None:
        """The batch is compared before it is written."""

        def compare(old: int, new: int) -> bool:
            if new == 13:
                raise LookupError("13")
            return old == new

        numbers = store.kind("compared", int, compare=compare)
        numbers.set_many({"a": 1, "b": 2})
        with numbers.watch() as watch:
            for write in (numbers.set_many, numbers.replace):
                with pytest.raises(LookupError):
                    write({"a": 7, "b": 13, "c": 3})
            assert watch.drain() == []
            assert dict(numbers.items()) == {"a": 1, "b": 2}

    def test_s10_replace_tells_exactly_the_difference(self, numbers: StoreKind[int]) -> None:
        """Deletes included."""
        numbers.set_many({"a": 1, "b": 2, "c": 3})
        with numbers.watch() as watch:
            assert numbers.replace({"b": 2, "c": 30, "d": 4}) == {
                "a": Change.DELETED,
                "c": Change.UPDATED,
                "d": Change.CREATED,
            }
            assert told(watch.drain()) == [(DELETE, "a", 1), (UPDATE, "c", 30), (CREATE, "d", 4)]
        assert dict(numbers.items()) == {"b": 2, "c": 30, "d": 4}

    def test_s10_a_stage_swaps_at_once(self, numbers: StoreKind[int]) -> None:
        """Readers see the old content until the block is left; the events are the difference."""
        numbers.set_many({"a": 1, "b": 2, "c": 3})
        with numbers.watch(buffer_size=1000) as watch:
            with numbers.stage() as stage:
                stage.put("b", 2)
                stage.put("c", 30)
                stage.put("d", 4)
                assert dict(numbers.items()) == {"a": 1, "b": 2, "c": 3}
                assert watch.drain() == []
            assert dict(numbers.items()) == {"b": 2, "c": 30, "d": 4}
            assert stage.changed == 3
            assert sorted(told(watch.drain()), key=lambda e: e[1]) == [
                (DELETE, "a", 1),
                (UPDATE, "c", 30),
                (CREATE, "d", 4),
            ]

    def test_s10_a_failed_stage_changes_nothing(self, numbers: StoreKind[int]) -> None:
        """An error in the block gives the stage up."""
        numbers.set("a", 1)
        with numbers.watch() as watch:
            with pytest.raises(LookupError), numbers.stage() as stage:  # noqa: PT012
                stage.put("b", 2)
                raise LookupError
            assert numbers.items() == [("a", 1)]
            assert watch.drain() == []
            with pytest.raises(StoreError, match="over"):
                stage.put("c", 3)

    def test_s10_a_stage_may_be_committed_on_a_loop(self, numbers: StoreKind[int]) -> None:
        """Writes made while it is told come after its events."""
        numbers.set_many({f"n{i}": i for i in range(500)})

        async def check() -> None:
            async with numbers.watch(overflow=COALESCE) as watch:
                stage = numbers.stage()
                for i in range(500):
                    stage.put(f"n{i}", i + 1000)
                commit = asyncio.ensure_future(stage.commit_async(slice_s=0.0))
                while numbers.get("n0") == 0:  # noqa: ASYNC110
                    await asyncio.sleep(0)
                numbers.set("n499", 7)
                assert await commit == 500
                state = {event.name: event.object for event in watch.drain()}
                assert state == dict(numbers.items())
                assert numbers.get("n499") == 7

        asyncio.run(check())

    # S11

    def test_s11_a_refused_write_changes_nothing(self, store: Store) -> None:
        """For every way to write."""

        def validate(user: User) -> None:
            if user.age < 0:
                raise ValueError("age must not be negative")

        users = store.kind("users", User, validate=validate)
        users.set("ann", User("red", 1))
        with users.watch() as watch:
            with pytest.raises(ValidationFailed, match=r"users.*bob.*negative") as refusal:
                users.set("bob", User("red", -1))
            assert (refusal.value.kind, refusal.value.name) == ("users", "bob")
            with pytest.raises(ValidationFailed):
                users.set_many({"ann": User("red", 5), "bob": User("red", -1)})
            with pytest.raises(ValidationFailed):
                users.replace({"ann": User("red", 5), "bob": User("red", -1)})
            with pytest.raises(ValidationFailed):
                users.update("ann", lambda user: User("red", -1))
            with pytest.raises(ValidationFailed), users.stage() as stage:
                stage.put("bob", User("red", -1))
            assert users.items() == [("ann", User("red", 1))]
            assert watch.drain() == []

    def test_s11_validate_may_answer_and_may_take_the_name(self, store: Store) -> None:
        """False or a text refuses; a function of two arguments gets the name too."""
        short = store.kind("short", str, validate=lambda value: len(value) < 3)
        short.set("a", "ok")
        with pytest.raises(ValidationFailed):
            short.set("a", "too long")
        named = store.kind("named", str, validate=lambda name, value: None if name == value else "must be its name")
        named.set("a", "a")
        with pytest.raises(ValidationFailed, match="must be its name"):
            named.set("a", "b")

    # S12

    def test_s12_close_ends_every_watch_after_what_was_buffered(self, store: Store, numbers: StoreKind[int]) -> None:
        """Exactly once; twice is fine."""
        numbers.set("a", 1)
        watches = [numbers.watch(overflow=overflow, initial_replay=True) for overflow in Overflow]
        numbers.set("b", 2)
        store.close()
        store.close()
        for watch in watches:
            assert [event.name for event in watch] == ["a", "b"]
            assert list(watch) == []
            assert watch.closed

    def test_s12_close_wakes_waiting_consumers(self, store: Store, numbers: StoreKind[int]) -> None:
        """On a loop."""

        async def check() -> list[Event[int]]:
            task = asyncio.ensure_future(_collect(numbers.watch()))
            await asyncio.sleep(0)
            store.close()
            return await task

        assert asyncio.run(check()) == []

    def test_s12_a_closed_store_refuses_operations(self, store: Store, numbers: StoreKind[int]) -> None:
        """All of them."""
        numbers.set("a", 1)
        stage = numbers.stage()
        stage.put("b", 2)
        store.close()
        attempts: list[Any] = [
            lambda: numbers.set("a", 2),
            lambda: numbers.set_many({"a": 2}),
            lambda: numbers.update("a", lambda value: 2),
            lambda: numbers.replace({}),
            lambda: numbers.delete("a"),
            lambda: numbers.get("a"),
            lambda: numbers.list(),
            numbers.names,
            numbers.items,
            numbers.count,
            numbers.stage,
            stage.commit,
            numbers.watch,
            lambda: numbers.by_index("team", "red"),
            lambda: numbers.add_index("self", lambda value: [value]),
            lambda: store.kind("numbers"),
            lambda: store.watch("numbers"),
            store.kinds,
            store.dump,
        ]
        for attempt in attempts:
            with pytest.raises(StoreClosed):
                attempt()

    # S13

    def test_s13_values_are_copied_in_and_private_on_read(self, users: StoreKind[User]) -> None:
        """Neither the writer's value nor a reader's is the store's."""
        mine = User("red", 1, ["x"])
        users.set("ann", mine)
        mine.tags.append("changed after the write")
        for read in (
            users.get("ann"),
            users.list()[0],
            users.items()[0][1],
            users.by_index("team", "red")[0],
        ):
            assert read == User("red", 1, ["x"])
            assert read is not None
            read.tags.append("changed by a reader")
        assert users.get("ann") == User("red", 1, ["x"])

    def test_s13_events_hand_out_private_copies(self, users: StoreKind[User]) -> None:
        """At each access, to each watch."""
        with users.watch() as one, users.watch() as two:
            users.set("ann", User("red", 1, ["x"]))
            users.set("ann", User("red", 2, ["x"]))
            create, update = one.drain()
            create.object.tags.append("changed")
            assert update.old is not None
            update.old.tags.append("changed")
            assert (create.object, update.old) == (User("red", 1, ["x"]), User("red", 1, ["x"]))
            assert [event.object.tags for event in two.drain()] == [["x"], ["x"]]
        assert users.get("ann") == User("red", 2, ["x"])

    def test_s13_missing_names_and_empty_kinds(self, users: StoreKind[User]) -> None:
        """None, and empty lists."""
        assert users.get("nobody") is None
        assert (users.list(), users.names(), users.items(), users.count()) == ([], [], [], 0)
        assert users.by_index("team", "red") == []

    def test_s13_list_filters_compose_with_and(self, users: StoreKind[User]) -> None:
        """No filter lists everything."""
        users.set_many({"ann": User("red", 1), "bob": User("red", 2), "carl": User("blue", 2)})
        assert users.list(lambda user: user.team == "red", lambda user: user.age == 2) == [User("red", 2)]
        assert len(users.list()) == 3

    def test_s13_readers_agree(self, users: StoreKind[User]) -> None:
        """Every way to read tells the same state."""
        users.set_many({"ann": User("red", 1), "bob": User("blue", 2)})
        users.delete("ann")
        users.set("carl", User("red", 3))
        assert users.names() == [name for name, _ in users.items()]
        assert users.list() == [value for _, value in users.items()]
        assert users.count() == len(users.names()) == 2
        assert [users.get(name) for name in users.names()] == users.list()

    def test_s13_indexes_are_kept_with_the_write(self, users: StoreKind[User]) -> None:
        """Set, update, delete, replace and stage; an index may be added later."""
        users.set_many({"ann": User("red", 1), "bob": User("red", 2)})
        users.set("bob", User("blue", 2))
        assert [age_of(user) for user in users.by_index("team", "red")] == [1]
        users.replace({"carl": User("blue", 3)})
        assert users.by_index("team", "red") == []
        assert [age_of(user) for user in users.by_index("team", "blue")] == [3]
        with users.stage() as stage:
            stage.put("dora", User("red", 4))
        assert [age_of(user) for user in users.by_index("team", "red")] == [4]
        users.add_index("tags", lambda user: user.tags)
        users.set("emil", User("red", 5, ["x", "y"]))
        assert [age_of(user) for user in users.by_index("tags", "y")] == [5]
        users.delete("emil")
        assert users.by_index("tags", "y") == []
        with pytest.raises(StoreError, match="shoe"):
            users.by_index("shoe", 42)

    def test_s13_an_index_function_that_raises_concerns_one_object(self, users: StoreKind[User]) -> None:
        """The write succeeds; the object is in no set of that index."""
        users.add_index("first tag", lambda user: [user.tags[0]])
        assert users.set("ann", User("red")) is Change.CREATED
        users.set("bob", User("red", 2, ["x"]))
        assert users.by_index("first tag", "x") == [User("red", 2, ["x"])]
        assert len(users.by_index("team", "red")) == 2
        users.set("bob", User("red", 3))
        assert users.by_index("first tag", "x") == []

    def test_s13_kinds_are_isolated(self, store: Store, users: StoreKind[User], numbers: StoreKind[int]) -> None:
        """Same name, another kind: values, watches and indexes do not mix; a dump shows all."""
        with numbers.watch() as watch, store.watch("users") as other:
            users.set("ann", User("red"))
            assert numbers.get("ann") is None
            assert watch.drain() == []
            numbers.set("ann", 1)
            assert [event.kind for event in (*watch.drain(), *other.drain())] == ["numbers", "users"]
        assert sorted(store.kinds()) == ["numbers", "users"]
        assert store.dump() == {"users": {"ann": User("red")}, "numbers": {"ann": 1}}

    def test_s13_a_watch_needs_a_kind(self, store: Store) -> None:
        """An empty or unknown name is refused, never created on the quiet."""
        for name in ("", "unknown"):
            with pytest.raises(KindRequired):
                store.watch(name)
        with pytest.raises(KindRequired):
            store.kind("")
        assert store.kinds() == []


async def _collect(watch: Watch[int]) -> list[Event[int]]:
    return [event async for event in watch]


def _collect_into(seen: list[int], watch: Watch[int]) -> None:
    for event in watch:
        seen.append(event.object)
