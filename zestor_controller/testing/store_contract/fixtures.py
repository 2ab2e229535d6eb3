"""What the suite is built on: how a store is made, its two kinds, and small helpers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from zestor_controller.store import Event, EventType, Overflow, Watch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zestor_controller.store import Store, StoreKind

__all__ = [
    "CLOSE",
    "COALESCE",
    "CREATE",
    "DELETE",
    "SYNCED",
    "UPDATE",
    "WAIT_S",
    "StoreFixtures",
    "TeamMember",
    "age_of",
    "collect",
    "collect_into",
    "older",
    "rows",
]

CREATE, UPDATE, DELETE, SYNCED = EventType.CREATE, EventType.UPDATE, EventType.DELETE, EventType.SYNCED
COALESCE, CLOSE = Overflow.COALESCE, Overflow.CLOSE
WAIT_S = 10.0  # a bound that only a broken store reaches


@dataclass
class TeamMember:
    """The model of the suite: mutable, compared by value."""

    team: str
    age: int = 0
    tags: list[str] = field(default_factory=list)


def rows(events: list[Event[Any]]) -> list[tuple[EventType, str, Any]]:
    """Return type, name and object of each event."""
    return [(event.type, event.name, event.object) for event in events]


def age_of(user: TeamMember | None) -> int:
    """Return a user's age; a user who is missing fails the test."""
    assert user is not None
    return user.age


def older(user: TeamMember | None) -> TeamMember:
    """Return the user, a year older."""
    assert user is not None
    return replace(user, age=user.age + 1)


async def collect(watch: Watch[int]) -> list[Event[int]]:
    """Iterate a watch to its end, on the running loop."""
    return [event async for event in watch]


def collect_into(seen: list[int], watch: Watch[int]) -> None:
    """Iterate a watch to its end, on this thread; `seen` holds what came even when it ends with an error."""
    for event in watch:
        seen.append(event.object)


class StoreFixtures(ABC):
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
    def users(self, store: Store) -> StoreKind[TeamMember]:
        """A typed kind with one index."""
        return store.kind("users", TeamMember, indexes={"team": lambda user: [user.team]})

    @pytest.fixture
    def numbers(self, store: Store) -> StoreKind[int]:
        """A kind of immutable values."""
        return store.kind("numbers", int)
