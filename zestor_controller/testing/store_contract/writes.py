"""Types, atomic writes, validation (S1, S10, S11)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from zestor_controller.errors import StoreError, ValidationFailed
from zestor_controller.store import Change
from zestor_controller.testing.store_contract.fixtures import (
    COALESCE,
    CREATE,
    DELETE,
    UPDATE,
    StoreFixtures,
    TeamMember,
    older,
    rows,
)

if TYPE_CHECKING:
    from zestor_controller.store import Store, StoreKind

__all__ = ["Writes"]


class Writes(StoreFixtures):
    """Types, atomic writes, validation (S1, S10, S11)."""

    # S1

    def test_s1_a_value_of_another_type_is_refused_by_name(self, users: StoreKind[TeamMember]) -> None:
        """The error names the kind, the name and the type."""
        with pytest.raises(TypeError, match=r"users.*ann.*TeamMember.*str"):
            users.set("ann", "not a user")  # type: ignore[arg-type]
        assert users.get("ann") is None

    def test_s1_every_write_checks_the_type(self, users: StoreKind[TeamMember]) -> None:
        """And a mixed batch changes nothing."""
        users.set("ann", TeamMember("red"))
        wrong: Any = {"ann": TeamMember("blue"), "bob": 7}
        with pytest.raises(TypeError, match="bob"):
            users.set_many(wrong)
        with pytest.raises(TypeError, match="bob"):
            users.replace(wrong)
        with pytest.raises(TypeError, match="ann"):
            users.update("ann", lambda user: 7)  # type: ignore[arg-type, return-value]
        with pytest.raises(TypeError, match="bob"), users.stage() as stage:
            stage.put("bob", 7)  # type: ignore[arg-type]
        assert users.items() == [("ann", TeamMember("red"))]

    def test_s1_a_kind_without_a_model_takes_every_value_but_none(self, store: Store) -> None:
        """None could not be distinguished from absence."""
        anything = store.kind("anything")
        anything.set("a", 1)
        anything.set("b", {"x": [1]})
        with pytest.raises(TypeError, match="anything"):
            anything.set("c", None)
        assert anything.items() == [("a", 1), ("b", {"x": [1]})]

    def test_s1_a_kind_keeps_its_model(self, store: Store, users: StoreKind[TeamMember]) -> None:
        """Asking again returns the same kind; another model is refused."""
        store.kind("users", TeamMember).set("ann", TeamMember("red"))
        assert users.count() == 1
        assert store.kind("users").count() == 1
        with pytest.raises(StoreError, match="users"):
            store.kind("users", int)

    # S10

    def test_s10_update_applies_a_function_under_the_lock(self, users: StoreKind[TeamMember]) -> None:
        """It reports what changed; an absent name is None, and stays absent when None comes back."""
        users.set("ann", TeamMember("red", 1))
        assert users.update("ann", older) is Change.UPDATED
        assert users.update("ann", lambda user: user) is Change.UNCHANGED
        assert users.update("bob", lambda user: user or TeamMember("blue")) is Change.CREATED
        assert users.update("carl", lambda user: None) is Change.UNCHANGED
        assert users.items() == [("ann", TeamMember("red", 2)), ("bob", TeamMember("blue"))]

    def test_s10_update_refuses_coroutine_functions(self, users: StoreKind[TeamMember]) -> None:
        """And a plain function that returns an awaitable, or nothing for a present value."""
        users.set("ann", TeamMember("red"))

        async def change(user: TeamMember | None) -> TeamMember | None:
            return user

        with pytest.raises(TypeError, match="coroutine"):
            users.update("ann", change)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="awaitable"):
            users.update("ann", lambda user: change(user))  # type: ignore[arg-type, return-value]
        with pytest.raises(TypeError, match="None"):
            users.update("ann", lambda user: None)
        assert users.get("ann") == TeamMember("red")

    def test_s10_an_error_in_update_changes_nothing(self, users: StoreKind[TeamMember]) -> None:
        """It is passed on; what the function did to its copy is lost."""
        users.set("ann", TeamMember("red", 1))

        def break_off(user: TeamMember | None) -> TeamMember | None:
            assert user is not None
            user.age = 99
            raise LookupError("no")

        with users.watch() as watch:
            with pytest.raises(LookupError, match="no"):
                users.update("ann", break_off)
            assert users.get("ann") == TeamMember("red", 1)
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
            assert rows(watch.drain()) == [(CREATE, "a", 1), (CREATE, "c", 3), (UPDATE, "x", 10)]
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

    def test_s10_replace_delivers_exactly_the_difference(self, numbers: StoreKind[int]) -> None:
        """Deletes included."""
        numbers.set_many({"a": 1, "b": 2, "c": 3})
        with numbers.watch() as watch:
            assert numbers.replace({"b": 2, "c": 30, "d": 4}) == {
                "a": Change.DELETED,
                "c": Change.UPDATED,
                "d": Change.CREATED,
            }
            assert rows(watch.drain()) == [(DELETE, "a", 1), (UPDATE, "c", 30), (CREATE, "d", 4)]
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
            assert sorted(rows(watch.drain()), key=lambda e: e[1]) == [
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
        """Writes made while it is delivered come after its events."""
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

        def validate(user: TeamMember) -> None:
            if user.age < 0:
                raise ValueError("age must not be negative")

        users = store.kind("users", TeamMember, validate=validate)
        users.set("ann", TeamMember("red", 1))
        with users.watch() as watch:
            with pytest.raises(ValidationFailed, match=r"users.*bob.*negative") as refusal:
                users.set("bob", TeamMember("red", -1))
            assert (refusal.value.kind, refusal.value.name) == ("users", "bob")
            with pytest.raises(ValidationFailed):
                users.set_many({"ann": TeamMember("red", 5), "bob": TeamMember("red", -1)})
            with pytest.raises(ValidationFailed):
                users.replace({"ann": TeamMember("red", 5), "bob": TeamMember("red", -1)})
            with pytest.raises(ValidationFailed):
                users.update("ann", lambda user: TeamMember("red", -1))
            with pytest.raises(ValidationFailed), users.stage() as stage:
                stage.put("bob", TeamMember("red", -1))
            assert users.items() == [("ann", TeamMember("red", 1))]
            assert watch.drain() == []

    def test_s11_validate_may_return_and_may_take_the_name(self, store: Store) -> None:
        """False or a text refuses; a function of two arguments gets the name too."""
        short = store.kind("short", str, validate=lambda value: len(value) < 3)
        short.set("a", "ok")
        with pytest.raises(ValidationFailed):
            short.set("a", "too long")
        named = store.kind("named", str, validate=lambda name, value: None if name == value else "must be its name")
        named.set("a", "a")
        with pytest.raises(ValidationFailed, match="must be its name"):
            named.set("a", "b")
