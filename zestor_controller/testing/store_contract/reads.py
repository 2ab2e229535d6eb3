"""Closing and reading (S12, S13)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from zestor_controller.errors import KindRequired, StoreClosed, StoreError
from zestor_controller.store import Change, Event, Overflow
from zestor_controller.testing.store_contract.fixtures import StoreFixtures, TeamMember, age_of, collect

if TYPE_CHECKING:
    from zestor_controller.store import Store, StoreKind

__all__ = ["Reads"]


class Reads(StoreFixtures):
    """Closing and reading (S12, S13)."""

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
            task = asyncio.ensure_future(collect(numbers.watch()))
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

    def test_s13_values_are_copied_in_and_private_on_read(self, users: StoreKind[TeamMember]) -> None:
        """Neither the writer's value nor a reader's is the store's."""
        mine = TeamMember("red", 1, ["x"])
        users.set("ann", mine)
        mine.tags.append("changed after the write")
        for read in (
            users.get("ann"),
            users.list()[0],
            users.items()[0][1],
            users.by_index("team", "red")[0],
        ):
            assert read == TeamMember("red", 1, ["x"])
            assert read is not None
            read.tags.append("changed by a reader")
        assert users.get("ann") == TeamMember("red", 1, ["x"])

    def test_s13_events_hand_out_private_copies(self, users: StoreKind[TeamMember]) -> None:
        """At each access, to each watch."""
        with users.watch() as one, users.watch() as two:
            users.set("ann", TeamMember("red", 1, ["x"]))
            users.set("ann", TeamMember("red", 2, ["x"]))
            create, update = one.drain()
            create.object.tags.append("changed")
            assert update.old is not None
            update.old.tags.append("changed")
            assert (create.object, update.old) == (TeamMember("red", 1, ["x"]), TeamMember("red", 1, ["x"]))
            assert [event.object.tags for event in two.drain()] == [["x"], ["x"]]
        assert users.get("ann") == TeamMember("red", 2, ["x"])

    def test_s13_missing_names_and_empty_kinds(self, users: StoreKind[TeamMember]) -> None:
        """None, and empty lists."""
        assert users.get("nobody") is None
        assert (users.list(), users.names(), users.items(), users.count()) == ([], [], [], 0)
        assert users.by_index("team", "red") == []

    def test_s13_list_filters_compose_with_and(self, users: StoreKind[TeamMember]) -> None:
        """No filter lists everything."""
        users.set_many({"ann": TeamMember("red", 1), "bob": TeamMember("red", 2), "carl": TeamMember("blue", 2)})
        assert users.list(lambda user: user.team == "red", lambda user: user.age == 2) == [TeamMember("red", 2)]
        assert len(users.list()) == 3

    def test_s13_readers_agree(self, users: StoreKind[TeamMember]) -> None:
        """Every way to read returns the same state."""
        users.set_many({"ann": TeamMember("red", 1), "bob": TeamMember("blue", 2)})
        users.delete("ann")
        users.set("carl", TeamMember("red", 3))
        assert users.names() == [name for name, _ in users.items()]
        assert users.list() == [value for _, value in users.items()]
        assert users.count() == len(users.names()) == 2
        assert [users.get(name) for name in users.names()] == users.list()

    def test_s13_indexes_are_kept_with_the_write(self, users: StoreKind[TeamMember]) -> None:
        """Set, update, delete, replace and stage; an index may be added later."""
        users.set_many({"ann": TeamMember("red", 1), "bob": TeamMember("red", 2)})
        users.set("bob", TeamMember("blue", 2))
        assert [age_of(user) for user in users.by_index("team", "red")] == [1]
        users.replace({"carl": TeamMember("blue", 3)})
        assert users.by_index("team", "red") == []
        assert [age_of(user) for user in users.by_index("team", "blue")] == [3]
        with users.stage() as stage:
            stage.put("dora", TeamMember("red", 4))
        assert [age_of(user) for user in users.by_index("team", "red")] == [4]
        users.add_index("tags", lambda user: user.tags)
        users.set("emil", TeamMember("red", 5, ["x", "y"]))
        assert [age_of(user) for user in users.by_index("tags", "y")] == [5]
        users.delete("emil")
        assert users.by_index("tags", "y") == []
        with pytest.raises(StoreError, match="shoe"):
            users.by_index("shoe", 42)

    def test_s13_an_index_function_that_raises_concerns_one_object(self, users: StoreKind[TeamMember]) -> None:
        """The write succeeds; the object is in no set of that index."""
        users.add_index("first tag", lambda user: [user.tags[0]])
        assert users.set("ann", TeamMember("red")) is Change.CREATED
        users.set("bob", TeamMember("red", 2, ["x"]))
        assert users.by_index("first tag", "x") == [TeamMember("red", 2, ["x"])]
        assert len(users.by_index("team", "red")) == 2
        users.set("bob", TeamMember("red", 3))
        assert users.by_index("first tag", "x") == []

    def test_s13_kinds_are_isolated(self, store: Store, users: StoreKind[TeamMember], numbers: StoreKind[int]) -> None:
        """Same name, another kind: values, watches and indexes do not mix; a dump shows all."""
        with numbers.watch() as watch, store.watch("users") as other:
            users.set("ann", TeamMember("red"))
            assert numbers.get("ann") is None
            assert watch.drain() == []
            numbers.set("ann", 1)
            assert [event.kind for event in (*watch.drain(), *other.drain())] == ["numbers", "users"]
        assert sorted(store.kinds()) == ["numbers", "users"]
        assert store.dump() == {"users": {"ann": TeamMember("red")}, "numbers": {"ann": 1}}

    def test_s13_a_watch_needs_a_kind(self, store: Store) -> None:
        """An empty or unknown name is refused, never created on the quiet."""
        for name in ("", "unknown"):
            with pytest.raises(KindRequired):
                store.watch(name)
        with pytest.raises(KindRequired):
            store.kind("")
        assert store.kinds() == []
