"""The options of a kind, spelt once for every store.

:class:`KindOptions` is what callers see, as keyword arguments; :class:`KindSettings` holds the same with every default
filled in. Invariant: both have the same names.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypedDict, TypeVar

__all__ = ["KindOptions", "KindSettings"]

T = TypeVar("T")


class KindOptions(TypedDict, Generic[T], total=False):
    """What a kind checks and indexes; given with the call that creates it.

    Attributes:
        compare: ``(old, new)`` to true when the two count as equal; by default values are compared.
        validate: ``(value)`` or ``(name, value)``; rejects a write by raising, or by returning False or a text.
        indexes: named functions from a value to a list of keys.
        synced: False for a kind whose writer calls ``encoded.mark_synced()`` when its first list is complete.
    """

    compare: Callable[[T, T], bool] | None
    validate: Callable[..., object] | None
    indexes: Mapping[str, Callable[[T], Iterable[Hashable]]] | None
    synced: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class KindSettings:
    """The options of one kind, complete."""

    compare: Callable[[Any, Any], bool] | None = None
    validate: Callable[..., object] | None = None
    indexes: Mapping[str, Callable[[Any], Iterable[Hashable]]] | None = None
    synced: bool = True
