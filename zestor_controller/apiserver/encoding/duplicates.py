"""The keys that occur twice in a document, by their paths: each is reported with the object that holds it.

Invariant: a path is taken once; finding those within an object costs the logarithm of all, not a search.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

__all__ = ["Duplicates"]


class Duplicates:
    """Paths that were not reported yet.

    Args:
        paths: in the order of the document.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        self._order = {path: place for place, path in enumerate(paths)}
        self._left = sorted(self._order)

    def __bool__(self) -> bool:
        return bool(self._left)

    def take(self, where: str) -> list[str]:
        """Take the paths within an object, at any depth, in the order of the document; all of them for the root."""
        if not where:
            taken, self._left = self._left, []
        else:
            taken = []
            for mark, after in ((".", "/"), ("[", "\\")):  # a mark and the character that follows it
                low, high = (bisect_left(self._left, where + end) for end in (mark, after))
                taken += self._left[low:high]
                del self._left[low:high]
        return sorted(taken, key=self._order.__getitem__)
