"""What goes into a reconcile and what comes out: Request, Result, Cause.

A Request names an object and carries none: the level is read from the cache when the work starts, so any number of
changes can share one run.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from zestor_controller.objects import NamespacedName

__all__ = ["Request", "Result"]


@dataclass(frozen=True, slots=True)
class Request:
    """One object to reconcile.

    Attributes:
        name: the object's name.
        namespace: its namespace; empty for cluster-scoped kinds.
    """

    name: str
    namespace: str = ""

    @property
    def key(self) -> NamespacedName:
        """The pair of both, whose text is the name in the store."""
        return NamespacedName(self.namespace, self.name)

    @classmethod
    def parse(cls, text: str) -> Request:
        """From a store's name: ``namespace/name`` or ``name``."""
        namespace, _, name = text.rpartition("/")
        return cls(name, namespace)

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


@dataclass(frozen=True, slots=True)
class Result:
    """What a successful reconcile asks for.

    Attributes:
        requeue_after: run again after this time unless a change comes sooner; None waits for the next change.
    """

    requeue_after: timedelta | None = None

    def __post_init__(self) -> None:
        """Refuse nonsense at the place where it was written.

        Raises:
            TypeError: `requeue_after` is no timedelta.
            ValueError: it is negative.
        """
        if self.requeue_after is None:
            return
        if not isinstance(self.requeue_after, timedelta):
            raise TypeError(
                f"requeue_after takes a timedelta, not {type(self.requeue_after).__name__}: "
                f"write timedelta(seconds={self.requeue_after!r})"
            )
        if self.requeue_after < timedelta(0):
            raise ValueError(f"requeue_after must not be negative: {self.requeue_after}")
