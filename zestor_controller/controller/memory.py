"""What a controller remembers in this process, beyond one run and beyond one term of leadership.

Invariant: bounded by what is pending. Each entry is removed when its run has ended, its object has been deleted, or its
deletion has been reported.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from zestor_controller.cache.lostwrites import LostWrites
from zestor_controller.controller.reconcile import Request
from zestor_controller.errors import InvalidObject
from zestor_controller.store import Event, EventType

__all__ = ["Memory", "UnreportedDeletion"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class UnreportedDeletion(Generic[T]):
    """A deleted object that has not been reported to the ``deleted`` function yet.

    Attributes:
        event: the change that removed it.
        replaced: another object has the name since; the deleted one is the event's old object.
    """

    event: Event[T]
    replaced: bool

    def last(self) -> T | None:
        """The object's last known state; None where its model rejects that."""
        try:
            return self.event.old if self.replaced else self.event.object
        except InvalidObject:
            return None


@dataclass(slots=True)
class Memory(Generic[T]):
    """The memory of one controller.

    Attributes:
        abandoned: runs that ignore their cancellation; their keys stay locked until they end (Q1).
        cleaned: the uids of objects whose cleanup has succeeded, until they are deleted (R4).
        deletions: deleted objects by uid, oldest first, that the ``deleted`` function has still to be called for.
        lost: the kinds of the last run's writes whose outcome is not known, until the caches have been current (C11).
    """

    abandoned: dict[asyncio.Task[Any], Request] = field(default_factory=dict)
    cleaned: dict[Request, str] = field(default_factory=dict)
    deletions: dict[Request, dict[str, UnreportedDeletion[T]]] = field(default_factory=dict)
    lost: dict[Request, LostWrites] = field(default_factory=dict)

    def observe(self, request: Request, event: Event[T]) -> None:
        """Note what an event of the controller's own kind says about deletions.

        Args:
            request: the object's name.
            event: an event of an informer: its stored values have a ``uid``.
        """
        if event.stored is None:  # a change that brought no object says nothing about one
            return
        uid = event.stored.uid
        if event.stored_old is not None and event.stored_old.uid != uid:
            # A coalescing watch folds: the object that was seen last is gone, whatever became of the name since.
            self._note(request, event.stored_old.uid, UnreportedDeletion(event, replaced=True))
        if event.type is EventType.DELETE:
            self._note(request, uid, UnreportedDeletion(event, replaced=False))
        else:
            self.reported(request, uid)  # it exists: a list that lacked it was not the last word

    def _note(self, request: Request, uid: str, deletion: UnreportedDeletion[T]) -> None:
        self.deletions.setdefault(request, {}).setdefault(uid, deletion)

    def reported(self, request: Request, uid: str) -> None:
        """Forget a deletion."""
        pending = self.deletions.get(request)
        if pending is not None:
            pending.pop(uid, None)
            if not pending:
                del self.deletions[request]
