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
    given = [
        (name, inner.default, inner.nullable) for name, inner in node.properties.items() if inner.default is not None
    ]
    made = {name: defaulter(inner) for name, inner in node.properties.items()}
    known = frozenset(node.properties)
    children = [(name, step) for name, step in made.items() if step is not None]
    others, additional = None, node.additional
    if additional is not None:
        others = defaulter(additional)
    replaces_others = additional is not None and additional.default is not None and not additional.nullable
    item_step, items = None, node.items
    if items is not None:
        item_step = defaulter(items)
    replaces_items = items is not None and items.default is not None and not items.nullable
    if not (given or children or others or item_step or replaces_others or replaces_items):
        return None

    def fill_object(value: dict[str, Any]) -> None:
        for name, default, nullable in given:
            if name not in value or (value[name] is None and not nullable):
                value[name] = copy_json(default)
        for name, step in children:
            if name in value:
                step(value[name])
        if additional is not None and (others is not None or replaces_others):
            for name, inner in value.items():
                if name in known:
                    continue
                if inner is None and replaces_others:
                    value[name] = copy_json(additional.default)
                if others is not None:
                    others(value[name])

    def fill_list(value: list[Any]) -> None:
        if replaces_items and items is not None:
            for index, inner in enumerate(value):
                if inner is None:
                    value[index] = copy_json(items.default)
        if item_step is not None:
            for inner in value:
                item_step(inner)

    def fill(value: Any) -> None:
        if type(value) is dict:
            fill_object(value)
        elif type(value) is list:
            fill_list(value)

    return fill
