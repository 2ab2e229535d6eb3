"""The filter of a watch (S5): which of a kind's events it selects.

Invariant: it runs under the store's lock, and its predicate cannot write to the kind meanwhile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from zestor_controller.errors import InvalidObject
from zestor_controller.store.event import Event, EventType

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from zestor_controller.store._guard import Guard

__all__ = ["EventFilter"]

T = TypeVar("T")


class EventFilter(Generic[T]):
    """What a watch wants to hear of; the three conditions compose with AND.

    Args:
        event_types: the types to tell, or None for all.
        names: the names to tell, or None for all.
        predicate: a plain, quick function of the event, or None.
        guard: keeps the predicate from writing to the kind whose events it judges.
    """

    __slots__ = ("_guard", "names", "predicate", "types")

    def __init__(
        self,
        event_types: Collection[EventType] | None,
        names: Collection[str] | None,
        predicate: Callable[[Event[T]], object] | None,
        guard: Guard,
    ) -> None:
        self._guard = guard
        self.types = None if event_types is None else frozenset(event_types)
        self.names = None if names is None else frozenset(names)
        self.predicate = predicate

    def is_open(self) -> bool:
        """Tell whether everything passes."""
        return self.types is None and self.names is None and self.predicate is None

    def wants_replay(self) -> bool:
        """Tell whether a replay, which is made of CREATE events, could pass."""
        return self.types is None or EventType.CREATE in self.types

    def passes_predicate(self, event: Event[T]) -> bool:
        """Ask the predicate; an object that its model refuses passes, for its consumer is to find it (C10)."""
        if self.predicate is None:
            return True
        before = self._guard.begin("a watch's predicate")
        try:
            return bool(self.predicate(event))
        except InvalidObject:
            return True
        finally:
            self._guard.begin(before)

    def accepts(self, event: Event[T]) -> bool:
        """Tell whether the event is wanted."""
        if self.types is not None and event._type not in self.types:
            return False
        if self.names is not None and event._name not in self.names:
            return False
        return self.predicate is None or self.passes_predicate(event)
