"""What a watch does when its consumer is slow or has stopped: overflow, cancel, independence (S6 to S8)."""

from __future__ import annotations

import asyncio
import gc
import threading
import warnings
from typing import TYPE_CHECKING

import pytest

from zestor_controller.errors import WatchOverflow
from zestor_controller.store import Change, Event, Overflow, Watch
from zestor_controller.testing.store_contract.fixtures import (
    CLOSE,
    COALESCE,
    CREATE,
    DELETE,
    UPDATE,
    WAIT_S,
    StoreFixtures,
    collect,
    collect_into,
    rows,
)

if TYPE_CHECKING:
    from zestor_controller.store import StoreKind

__all__ = ["Buffers"]


class Buffers(StoreFixtures):
    """What a watch does when its consumer is slow or has stopped: overflow, cancel, independence (S6 to S8)."""

    # S6

    def test_s6_the_default_buffer_holds_128(self, numbers: StoreKind[int]) -> None:
        """And drops the newest."""
        with numbers.watch() as watch:
            for i in range(130):
                numbers.set("n", i)
            assert [event.object for event in watch.drain()] == list(range(128))
            assert watch.dropped == 2

    def test_s6_drop_reports_every_gap(self, numbers: StoreKind[int]) -> None:
        """Missed is the number dropped right after the event; the sum is `dropped`."""
        with numbers.watch(buffer_size=2) as watch:
            for i in range(5):
                numbers.set("n", i)
            first = watch.get(timeout=WAIT_S)
            numbers.set("n", 5)  # the buffer has a free place again
            numbers.set("n", 6)
            events = watch.drain()
            assert first is not None
            assert (first.object, first.missed) == (0, 0)
            assert [(event.object, event.missed) for event in events] == [(1, 3), (5, 1)]
            assert watch.dropped == 4

    def test_s6_missed_is_fixed_when_the_event_is_handed_out(self, numbers: StoreKind[int]) -> None:
        """The last event before a gap reports it even when writes stop; a later gap does not change it."""
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
        assert rows(events) == [
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
            assert rows(watch.drain()) == [(CREATE, "b", 1), (CREATE, "c", 2), (UPDATE, "a", 2)]

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
            assert rows(odd.drain()) == [(CREATE, "a", 3)]
            numbers.set("a", 4)
            assert odd.drain() == []
            numbers.set("a", 5)
            assert [(event.type, event.object, event.old) for event in odd.drain()] == [(UPDATE, 5, 3)]

    def test_s6_coalesce_folds_into_an_undelivered_replay(self, numbers: StoreKind[int]) -> None:
        """The replay delivers the newest state, and nothing of what was deleted."""
        numbers.set_many({"a": 1, "b": 2, "c": 3})
        with numbers.watch(overflow=COALESCE, initial_replay=True) as watch:
            numbers.set("b", 20)
            numbers.delete("a")
            numbers.set("d", 4)
            assert rows(watch.drain()) == [(CREATE, "b", 20), (CREATE, "c", 3), (CREATE, "d", 4)]

    def test_s6_close_delivers_then_raises_once_then_ends(self, numbers: StoreKind[int]) -> None:
        """WatchOverflow is not filtered, and comes after what was buffered."""
        with numbers.watch(overflow=CLOSE, buffer_size=2, event_types={CREATE}) as watch:
            for i in range(5):
                numbers.set(f"n{i}", i)
            seen: list[int] = []
            with pytest.raises(WatchOverflow, match="numbers"):
                collect_into(seen, watch)
            assert seen == [0, 1]
            assert list(watch) == []
            assert watch.get(timeout=0) is None
            assert watch.closed

    def test_s6_a_write_never_waits_for_a_watcher(self, numbers: StoreKind[int]) -> None:
        """A watch of each policy that no consumer reads delays nothing."""
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
            task = asyncio.ensure_future(collect(inner))
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
                collect_into(seen, failing)
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
