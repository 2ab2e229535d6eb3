"""Defaulting: absent fields, and nulls where no null may be, get the schema's defaults.

A default is put in only where the object that holds the field exists: nested defaults need a default of their parent.
The closures are made once for a schema and only for the parts that have defaults.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zestor_controller.schema.structural import Structural

__all__ = ["Defaulter", "copy_json", "defaulter"]

Defaulter = Callable[[Any], None]
"""Sets defaults in an object, in place."""


def copy_json(value: Any) -> Any:
    """A private copy of a JSON value."""
    if type(value) is dict:
        return {key: copy_json(inner) for key, inner in value.items()}
    if type(value) is list:
        return [copy_json(inner) for inner in value]
    return value


def defaulter(node: Structural) -> Defaulter | None:
    """What sets the defaults of a schema's values; None when the schema has none."""
    of_object, of_list = _object_defaulter(node), _list_defaulter(node)
    if of_object is None and of_list is None:
        return None

    def fill(value: Any) -> None:
        if type(value) is dict:
            if of_object is not None:
                of_object(value)
        elif type(value) is list and of_list is not None:
            of_list(value)

    return fill


def _replaces_null(node: Structural | None) -> bool:
    """Whether a null that a schema does not allow gets its default."""
    return node is not None and node.default is not None and not node.nullable


def _object_defaulter(node: Structural) -> Defaulter | None:
    given = [
        (name, inner.default, inner.nullable) for name, inner in node.properties.items() if inner.default is not None
    ]
    children = [(name, step) for name, inner in node.properties.items() if (step := defaulter(inner)) is not None]
    of_map = _map_defaulter(node)
    if not given and not children and of_map is None:
        return None

    def fill(value: dict[str, Any]) -> None:
        for name, default, nullable in given:
            if name not in value or (value[name] is None and not nullable):
                value[name] = copy_json(default)
        for name, step in children:
            if name in value:
                step(value[name])
        if of_map is not None:
            of_map(value)

    return fill


def _map_defaulter(node: Structural) -> Defaulter | None:
    """What fills the values under names that the schema does not list."""
    additional = node.additional
    if additional is None:
        return None
    step, replaces, default = defaulter(additional), _replaces_null(additional), additional.default
    known = frozenset(node.properties)
    if step is None and not replaces:
        return None

    def fill(value: dict[str, Any]) -> None:
        for name, inner in value.items():
            if name in known:
                continue
            if inner is None and replaces:
                value[name] = copy_json(default)
            if step is not None:
                step(value[name])

    return fill


def _list_defaulter(node: Structural) -> Defaulter | None:
    items = node.items
    if items is None:
        return None
    step, replaces, default = defaulter(items), _replaces_null(items), items.default
    if step is None and not replaces:
        return None

    def fill(value: list[Any]) -> None:
        for index, inner in enumerate(value):
            if inner is None and replaces:
                value[index] = copy_json(default)
            if step is not None:
                step(value[index])

    return fill
