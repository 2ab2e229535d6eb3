"""Ratcheting: what was wrong before a schema was tightened may stay, as long as it is not touched.

An old and a new value belong together when they stand under the same key, or are items with the same keys in a list of
type ``map``; items of other lists cannot be told apart and belong to nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from zestor_controller.schema.structural import Structural

__all__ = ["UNCORRELATED", "equal", "item_finder", "unchanged"]

UNCORRELATED: Final = object()
"""Stands for the old value where there is none that the new one belongs to."""

_NUMBERS = (int, float)


def equal(left: Any, right: Any) -> bool:
    """Whether two JSON values are the same; true is not 1."""
    kind = type(left)
    if kind is dict:
        if type(right) is not dict or len(left) != len(right):
            return False
        return all(name in right and equal(inner, right[name]) for name, inner in left.items())
    if kind is list:
        return type(right) is list and len(left) == len(right) and all(map(equal, left, right))
    if kind is bool or type(right) is bool:
        return left is right
    return bool(left == right)


def item_finder(old: Any, keys: tuple[str, ...]) -> Callable[[Any], Any]:
    """What finds the old item of a new one in a list of type ``map``.

    Args:
        old: the old list; anything else has no items.
        keys: the names of the key fields.
    """
    known: dict[Any, Any] = {}
    for item in old if type(old) is list else ():
        key = _key(item, keys)
        if key is not None:
            known.setdefault(key, item)

    def find(item: Any) -> Any:
        key = _key(item, keys)
        return UNCORRELATED if key is None else known.get(key, UNCORRELATED)

    return find


def _key(item: Any, keys: tuple[str, ...]) -> tuple[Any, ...] | None:
    if type(item) is not dict:
        return None
    values = [item.get(name) for name in keys]
    if any(isinstance(value, dict | list) for value in values):
        return None
    return tuple((type(value), value) for value in values)


def unchanged(new: Any, old: Any, node: Structural) -> bool:
    """Whether a value is what it was, as far as its schema lets old and new be compared."""
    if new is None or old is None:
        return new is old
    if type(new) is list and type(old) is list:
        return _same_list(new, old, node)
    if type(new) is dict and type(old) is dict:
        if len(new) != len(old):
            return False
        for name, inner in new.items():
            child = node.child(name)
            if child is None or name not in old or not unchanged(inner, old[name], child):
                return False
        return True
    return equal(new, old)


def _same_list(new: list[Any], old: list[Any], node: Structural) -> bool:
    if len(new) != len(old):
        return False
    if node.list_type != "map" or node.items is None:
        return equal(new, old)
    find = item_finder(old, node.map_keys)
    for item in new:
        found = find(item)
        if found is UNCORRELATED or not unchanged(item, found, node.items):
            return False
    return True
