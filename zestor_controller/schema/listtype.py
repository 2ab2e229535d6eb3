"""Lists of type ``set`` and ``map`` hold no value, and no key, twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zestor_controller.schema.fielderror import FieldError, duplicate, invalid
from zestor_controller.schema.gotext import encode
from zestor_controller.schema.structural import Structural

__all__ = ["ListCheck", "list_check"]

ListCheck = Callable[[Any, str, list[FieldError]], None]
"""Checks the value at a path, and adds what it finds to the list."""

_NO_KEY = object()


def list_check(node: Structural) -> ListCheck | None:
    """What checks the lists in a schema's values; None when it has none that are sets or maps."""
    fields = {name: step for name, inner in node.properties.items() if (step := list_check(inner)) is not None}
    others = list_check(node.additional) if node.additional is not None else None
    items = list_check(node.items) if node.items is not None else None
    unique = {"set": _check_set, "map": _map_check(node.map_keys)}.get(node.list_type)
    if not fields and others is None and items is None and unique is None:
        return None

    def check(value: Any, path: str, found: list[FieldError]) -> None:
        if type(value) is dict:
            if others is not None:
                for name, inner in value.items():
                    others(inner, f"{path}[{name}]", found)
            for name, step in fields.items():
                if name in value:
                    step(value[name], f"{path}.{name}" if path else name, found)
        elif type(value) is list:
            if unique is not None:
                unique(value, path, found)
            if items is not None:
                for index, inner in enumerate(value):
                    items(inner, f"{path}[{index}]", found)

    return check


def _repeated(values: list[Any]) -> list[int]:
    """The indices of repeated values; each value is reported once."""
    seen: dict[Any, int] = {}
    found: list[int] = []
    for index, value in enumerate(values):
        key = (encode(value),) if isinstance(value, dict | list) else (type(value), value)
        seen[key] = seen.get(key, 0) + 1
        if seen[key] == 2:
            found.append(index)
    return found


def _check_set(value: list[Any], path: str, found: list[FieldError]) -> None:
    if len(value) > 1:
        found += [duplicate(f"{path}[{index}]", value[index]) for index in _repeated(value)]


def _map_check(keys: tuple[str, ...]) -> ListCheck:
    def check(value: list[Any], path: str, found: list[FieldError]) -> None:
        for index, item in enumerate(value):
            if item is not None and type(item) is not dict:
                why = "must be an object for an array of list-type map"
                found.append(invalid(f"{path}[{index}]", item, why))
                return
        if len(value) < 2:
            return
        if len(keys) == 1:
            only = keys[0]
            simple = [_NO_KEY if item is None else item.get(only, _NO_KEY) for item in value]
            for index in _repeated(simple):
                shown = {} if simple[index] is _NO_KEY else {only: simple[index]}
                found.append(duplicate(f"{path}[{index}]", shown))
            return
        several = [{} if item is None else {key: item[key] for key in keys if key in item} for item in value]
        found += [duplicate(f"{path}[{index}]", several[index]) for index in _repeated(several)]

    return check
