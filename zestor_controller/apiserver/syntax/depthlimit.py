"""How deeply a document may be nested: the one limit that every reader and writer of this server survives.

Invariant: what is stored is never nested deeper than :data:`MAX_DEPTH`, so code behind the bodies and patches may walk
an object recursively. Go's own limit is 10,000 levels; Python's stack ends at about a thousand frames, and a walk takes
up to three of them a level.
"""

from __future__ import annotations

from typing import Any, Final

__all__ = ["MAX_DEPTH", "TOO_DEEP", "too_deep"]

MAX_DEPTH: Final = 200
"""The levels of objects and lists that a document may have."""

TOO_DEEP: Final = f"exceeded max depth: this server takes documents of up to {MAX_DEPTH} levels"


def too_deep(value: Any) -> bool:
    """Whether a value has more than :data:`MAX_DEPTH` levels; without recursion, level by level."""
    level = [value]
    for _ in range(MAX_DEPTH):
        inner: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                inner += item.values()
            elif isinstance(item, list):
                inner += item
        if not inner:
            return False
        level = inner
    return any(isinstance(item, dict | list) for item in level)
