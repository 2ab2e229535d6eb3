"""Rules of the store that are written nowhere else as a test: its messages, its defaults, its counts."""

from __future__ import annotations

import asyncio
import enum
import gc
import re
import threading
from dataclasses import dataclass
from typing import Any

import pytest

from zestor_controller.errors import KindRequired, StoreClosed, StoreError, ValidationFailed
from zestor_controller.store import Change, Event, EventType, MemoryStore, Overflow


@dataclass(frozen=True)
class User:
    team: str


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def exactly(text: str) -> str:
    return f"^{re.escape(text)}$"


# Kinds


def test_a_kind_is_created_once_and_found_again(store: MemoryStore) -> None:
    users = store.kind("users", User)
    assert store.kind("users", User) is users
    assert store.kind("users") is users
    store.kind("others")
    assert store.kinds() == ["users", "others"]
    assert (users.name, users.model) == ("users", User)


def test_what_a_kind_cannot_be_is_rejected_with_the_way_out(store: MemoryStore) -> None:
    with pytest.raises(KindRequired, match=exactly("a kind needs a name, such as store.kind('users', User)")):
        store.kind("")
    with pytest.raises(TypeError, match=exactly("kind 'users': model must be a class, not 'User'")):
        store.kind("users", "User")  # type: ignore[call-overload]
    store.kind("users", User)
    message = f"kind 'users' exists with model {User.__qualname__}; give model int another kind name"
    with pytest.raises(StoreError, match=exactly(message)):
        store.kind("users", int)
    store.kind("any")
    with pytest.raises(StoreError, match=exactly("kind 'any' exists with no model; give model int another kind name")):
        store.kind("any", int)


@pytest.mark.parametrize(
    "options",
    [
        {"codec": object()},
        {"compare": lambda one, other: True},
        {"validate": lambda value: None},
        {"indexes": {}},
        {"synced": False},
    ],
    ids=lambda options: next(iter(options)),
)
def test_options_belong_to_the_call_that_creates_a_kind(store: MemoryStore, options: dict[str, Any]) -> None:
    store.kind("users", User)
    message = "kind 'users' exists; give its options with the call that creates it, here only the name"
    with pytest.raises(StoreError, match=exactly(message)):
        store.kind("users", **options)


def test_a_kind_that_does_not_exist_cannot_be_watched(store: MemoryStore) -> None:
    message = "there is no kind 'users' to watch; create it with store.kind('users', Model) first"
    with pytest.raises(KindRequired, match=exactly(message)):
        store.watch("users")


def test_a_dump_has_every_kind_with_its_values(store: MemoryStore) -> None:
    store.kind("users", User).set("a", User("red"))
    store.kind("numbers", int)
    assert store.dump() == {"users": {"a": User("red")}, "numbers": {}}


def test_s12_every_operation_of_a_closed_store_names_the_reason(store: MemoryStore) -> None:
    users = store.kind("users", User)
    encoded = users.encoded
    store.close()
    for of_the_store in (store.kinds, store.dump, lambda: store.watch("users"), lambda: store.kind("users")):
        with pytest.raises(StoreClosed, match=exactly("the store has been closed")):
            of_the_store()
    for of_the_kind in (
        *(users.names, users.items, users.count, users.list, users.stage, users.watch, encoded.stage, encoded.watch),
        *(lambda: users.get("a"), lambda: users.set("a", User("b")), lambda: users.delete("a")),
        *(lambda: users.replace({}), lambda: users.set_many({}), lambda: users.update("a", lambda old: old)),
        lambda: encoded.apply([]),
    ):
        with pytest.raises(StoreClosed, match=exactly("kind 'users': the store has been closed")):
            of_the_kind()


# Writes


def test_each_write_says_what_it_did(store: MemoryStore) -> None:
    numbers = store.kind("numbers", int)
    assert [numbers.set("a", value) for value in (1, 1, 2)] == [Change.CREATED, Change.UNCHANGED, Change.UPDATED]
    assert numbers.set_many({"a": 2, "b": 1, "c": 3}) == {"b": Change.CREATED, "c": Change.CREATED}
    assert numbers.replace({"a": 9, "b": 1}) == {"a": Change.UPDATED, "c": Change.DELETED}
    assert numbers.update("a", lambda value: (value or 0) + 1) is Change.UPDATED
    assert numbers.update("a", lambda value: value) is Change.UNCHANGED
    assert numbers.update("z", lambda value: 7 if value is None else 0) is Change.CREATED
    assert numbers.update("y", lambda value: None) is Change.UNCHANGED
    assert (numbers.delete("a"), numbers.delete("a")) == (10, None)
    assert sorted(numbers.items()) == [("b", 1), ("z", 7)]


def test_the_names_of_changes_types_and_policies_are_their_texts() -> None:
    assert [str(change) for change in Change] == ["CREATED", "UPDATED", "UNCHANGED", "DELETED"]
    assert [str(kind) for kind in EventType] == ["CREATE", "UPDATE", "DELETE", "SYNCED"]
    assert [str(policy) for policy in Overflow] == ["DROP", "COALESCE", "CLOSE"]


def test_s10_what_a_function_of_update_may_not_return(store: MemoryStore) -> None:
    numbers = store.kind("numbers", int)
    numbers.set("a", 1)

    async def later(value: int | None) -> int:
        return 1

    where = "kind 'numbers', name 'a': "
    none = where + "the function given to update() returned None; return the new value, or use delete()"
    for function, message in (
        (later, where + "update takes a plain function, not a coroutine function"),
        (lambda value: None, none),
        (lambda value: later(value), where + "the function given to update() returned an awaitable"),
    ):
        with pytest.raises(TypeError, match=exactly(message)):
            numbers.update("a", function)  # type: ignore[arg-type]
    assert numbers.get("a") == 1


def writing(what: str, kind: str = "numbers") -> str:
    return exactly(f"kind {kind!r}: {what} must not write to its own kind; write after it returns")


def test_s10_a_function_that_a_write_calls_cannot_write_to_its_kind(store: MemoryStore) -> None:
    numbers = store.kind("numbers", int)
    numbers.set("a", 1)

    def meddle(value: int | None) -> int:
        numbers.set("b", 2)
        return 3

    with pytest.raises(RuntimeError, match=writing("a function given to update()")):
        numbers.update("a", meddle)
    assert dict(numbers.items()) == {"a": 1}
    numbers.set("b", 2)  # it may again

    watch = numbers.watch(predicate=lambda event: numbers.set("c", 3))
    numbers.set("a", 5)
    with pytest.raises(RuntimeError, match=writing("a watch's predicate")):
        watch.drain()
    assert dict(numbers.items()) == {"a": 5, "b": 2}


def test_s11_the_reason_of_a_rejection_is_in_the_error_with_the_kind_and_the_name(store: MemoryStore) -> None:
    def by_text(value: int) -> str | None:
        return "too large" if value > 9 else None

    def by_error(value: int) -> None:
        if value > 9:
            raise LookupError("no such size")

    def by_name(name: str, value: int) -> bool:
        return name != "bad"

    where = "kind 'k{}', name 'bad': "
    for number, (check, reason) in enumerate(
        ((by_text, "too large"), (by_error, "no such size"), (by_name, "the value is not valid"))
    ):
        kind = store.kind(f"k{number}", int, validate=check)
        with pytest.raises(ValidationFailed, match=exactly(where.format(number) + reason)) as caught:
            kind.set("bad", 10)
        assert (caught.value.kind, caught.value.name) == (f"k{number}", "bad")
        assert kind.set("good", 1) is Change.CREATED
        assert kind.names() == ["good"]


def test_s11_a_default_argument_of_validate_is_not_taken_for_the_name(store: MemoryStore) -> None:
    seen: list[tuple[Any, ...]] = []

    def check(value: int, limit: int = 5) -> None:
        seen.append((value, limit))

    store.kind("numbers", int, validate=check).set("a", 1)
    store.kind("others", int, validate=bool).set("a", 1)  # in C, without a signature that can be read
    assert seen == [(1, 5)]


# Stages


def test_s10_a_stage_counts_what_its_commit_changed(store: MemoryStore) -> None:
    numbers = store.kind("numbers", int)
    numbers.set_many({"same": 1, "other": 1, "gone": 1})
    stage = numbers.stage()
    for name, value in (("same", 1), ("other", 2), ("new", 1)):
        stage.put(name, value)
    assert stage.changed == 0
    assert stage.commit() == stage.changed == 3
    assert dict(numbers.items()) == {"same": 1, "other": 2, "new": 1}


def test_s10_a_stage_that_is_over_takes_nothing_more(store: MemoryStore) -> None:
    numbers = store.kind("numbers", int)
    message = exactly("kind 'numbers': this stage is over; open another one with stage()")
    committed, discarded = numbers.stage(), numbers.stage()
    committed.commit()
    discarded.put("a", 1)
    discarded.discard()
    for stage in (committed, discarded):
        with pytest.raises(StoreError, match=message):
            stage.put("a", 1)
        with pytest.raises(StoreError, match=message):
            stage.commit()
    assert numbers.names() == []


def test_a_stage_of_the_writers_side_can_be_looked_into_and_corrected(store: MemoryStore) -> None:
    encoded = store.kind("numbers", int).encoded
    stage = encoded.stage()
    stage.put("a", 1)
    stage.put("b", 2)
    stage.put("a", 3)
    assert (len(stage), stage.get("a"), stage.get("z")) == (2, 3, None)
    stage.remove("b")
    stage.remove("z")
    assert stage.commit() == 1
    assert encoded.items() == [("a", 3)]


def test_a_stage_that_keeps_names_does_not_take_them(store: MemoryStore) -> None:
    encoded = store.kind("numbers", int).encoded
    encoded.apply([("kept", 1), ("ours", 1)])
    stage = encoded.stage(keep=lambda name: name == "kept")
    message = "kind 'numbers', name 'kept': this stage keeps the name; it cannot put it"
    with pytest.raises(ValueError, match=exactly(message)):
        stage.put("kept", 2)
    assert stage.commit() == 1
    assert dict(encoded.items()) == {"kept": 1}


def test_c8_a_stage_gives_the_loop_a_turn_every_few_milliseconds(store: MemoryStore) -> None:
    numbers = store.kind("numbers", int)

    async def turns() -> int:
        count = 0

        async def beat() -> None:
            nonlocal count
            while True:
                count += 1
                await asyncio.sleep(0)

        stage = numbers.stage()
        for n in range(60_000):
            stage.put(f"n{n:06}", n)
        gc.collect()
        beating = asyncio.create_task(beat())
        await asyncio.sleep(0)
        count = 0
        await stage.commit_async()
        beating.cancel()
        return count

    assert asyncio.run(turns()) >= 5  # 5 ms each; in one piece it takes a hundred or more


def test_the_writers_side_counts_the_changes_that_changed_something(store: MemoryStore) -> None:
    encoded = store.kind("numbers", int).encoded
    assert encoded.apply([("a", 1), ("b", 1), ("a", 1), ("z", None)]) == 2
    assert encoded.apply([("a", None), ("a", None), ("b", 2), ("c", 3)]) == 3
    assert encoded.apply([]) == 0


# Watches


def test_s6_the_buffer_of_a_watch_holds_128_events_however_it_is_opened(store: MemoryStore) -> None:
    numbers = store.kind("numbers", int)
    watches = [numbers.watch(), store.watch("numbers"), numbers.encoded.watch()]
    for n in range(200):
        numbers.set("a", n)
    for watch in watches:
        assert len(watch.drain()) == 128
        assert watch.dropped == 72
        watch.cancel()


def test_arguments_of_a_watch_that_make_no_sense_are_rejected_and_leave_no_watch(store: MemoryStore) -> None:
    numbers = store.kind("numbers", int)
    message = "watch of kind 'numbers': names takes a collection of names; write names=['a']"
    with pytest.raises(TypeError, match=exactly(message)):
        numbers.watch(names="a")
    message = "watch of kind 'numbers': buffer_size must be at least 1, not 0"
    with pytest.raises(ValueError, match=exactly(message)):
        numbers.watch(buffer_size=0)
    assert numbers.encoded.watches() == 0
    with numbers.watch(buffer_size=1) as watch:
        numbers.set("a", 1)
        numbers.set("a", 2)
        assert [(event.object, event.missed) for event in watch.drain()] == [(1, 1)]


def test_s6_a_watch_that_fell_behind_says_how_to_go_on(store: MemoryStore) -> None:
    numbers = store.kind("numbers", int)
    watch = numbers.watch(buffer_size=1, overflow=Overflow.CLOSE)
    numbers.set("a", 1)
    numbers.set("a", 2)
    assert [event.object for event in watch.drain()] == [1]
    with pytest.raises(Exception, match=r"^watch of kind 'numbers' fell a buffer behind and was closed; ") as caught:
        watch.drain()
    for option in ("initial_replay=True", "buffer_size", "overflow=COALESCE"):
        assert option in str(caught.value)
    assert watch.drain() == []
    assert watch.closed


def test_s9_the_error_on_a_thread_that_runs_a_loop_says_what_to_write_instead(store: MemoryStore) -> None:
    numbers = store.kind("numbers", int)

    async def main() -> None:
        message = "this thread runs an event loop, which must not block: use async for"
        with numbers.watch() as watch, pytest.raises(RuntimeError, match=exactly(message)):
            iter(watch)

    asyncio.run(main())


def test_s9_the_error_of_a_second_consumer_says_to_open_another_watch(store: MemoryStore) -> None:
    numbers = store.kind("numbers", int)
    waits = "^watch of kind 'numbers' has a consumer that waits already; open a second watch instead$"
    with numbers.watch() as watch:
        thread = threading.Thread(target=watch.get)
        thread.start()
        while watch._subscription.waiter is None:
            pass
        with pytest.raises(RuntimeError, match=waits):
            watch.drain()
        numbers.set("a", 1)
        thread.join()


def test_a_watch_counts_what_its_policy_lost_for_metrics(store: MemoryStore) -> None:
    numbers = store.kind("numbers", int)
    for overflow in Overflow:
        watch = numbers.watch(buffer_size=2, overflow=overflow)
        for n in range(5):
            numbers.set("a", 100 * n + len(overflow.value))
        watch.cancel()
    assert numbers.encoded.lost() == {Overflow.DROP: 3, Overflow.COALESCE: 4, Overflow.CLOSE: 1}


def test_an_event_is_shown_with_its_type_kind_name_and_gap() -> None:
    event: Event[int] = Event("numbers", "a", EventType.UPDATE, 2, 1)
    assert repr(event) == "Event(UPDATE, kind='numbers', name='a')"
    assert (event.object, event.old, event.stored, event.stored_old, event.missed) == (2, 1, 2, 1, 0)
    gap = event.with_missed(3)
    assert repr(gap) == "Event(UPDATE, kind='numbers', name='a', missed=3)"
    assert (gap.object, gap.old, gap.missed, gap.type) == (2, 1, 3, EventType.UPDATE)


# Values


class Colour(enum.Enum):
    RED = [1]


@pytest.mark.parametrize(
    ("value", "shared"),
    [
        ((1, "a", (2.0, None)), True),
        (frozenset({1, 2}), True),
        (Colour.RED, True),
        (User("red"), True),
        (range(3), True),
        (1 + 2j, True),
        ((1, [2]), False),
        ([1], False),
        ({"a": 1}, False),
        ({1}, False),
        (bytearray(b"x"), False),
    ],
    ids=repr,
)
def test_s13_only_what_cannot_change_is_handed_out_as_it_is(store: MemoryStore, value: Any, shared: bool) -> None:
    kind = store.kind("any")
    kind.set("a", value)
    first, second = kind.get("a"), kind.get("a")
    assert first == second == value
    assert (first is second) == shared
