"""Says who may write to a kind right now.

Invariant: read and changed under the store's lock only, so what it forbids it forbids to the thread that holds the
lock: a user's function (an update, a predicate, an index) that would write to the kind whose write called it.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from zestor_controller.errors import StoreClosed

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Guard"]


class Guard:
    """The state of one kind that forbids writes.

    Args:
        kind: the kind's name.
    """

    __slots__ = ("_busy", "_kind", "closed", "refusing")

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._busy = ""
        self.closed = False
        self.refusing = False  # one look for the hot path

    @contextmanager
    def calling(self, what: str) -> Iterator[None]:
        """Forbid writes while a user's function runs."""
        before = self.begin(what)
        try:
            yield
        finally:
            self.begin(before)

    def begin(self, what: str) -> str:
        """Forbid writes from within `what`, an empty text allows them again; returns what was forbidden before."""
        before, self._busy = self._busy, what
        self.refusing = self.closed or bool(what)
        return before

    def close(self) -> None:
        """Forbid every operation from now on."""
        self.closed = self.refusing = True

    def check_open(self) -> None:
        """Raise StoreClosed when the store has been closed."""
        if self.closed:
            raise StoreClosed(f"kind {self._kind!r}: the store has been closed")

    def check_write(self) -> None:
        """Raise what forbids a write now.

        Raises:
            StoreClosed: the store has been closed.
            RuntimeError: a function called by a write of this kind would write to it.
        """
        self.check_open()
        if self._busy:
            raise RuntimeError(
                f"kind {self._kind!r}: {self._busy} must not write to its own kind; write after it returns"
            )
