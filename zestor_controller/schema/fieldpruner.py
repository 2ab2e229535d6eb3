"""Pruning: fields that a schema does not know are taken out of an object.

Together with them go nulls that may not be there: where a field is neither nullable nor has a default, a null is taken
for an absent field. The closures are made once for a schema; they change the object in place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zestor_controller.schema.structural import META_FIELDS, Structural

__all__ = ["Path", "Pruner", "dotted", "pruner"]

Path = tuple["Path | None", str | int]
"""Where a value stands: the parent's path, and a field's name or an index."""

Pruner = Callable[[Any, "list[str] | None"], None]
"""Prunes an object in place; the paths of what was unknown are added to the list, if there is one."""

_Step = Callable[[Any, "Path | None", "list[str] | None"], None]

_Child = tuple[_Step, _Step, bool]
"""How to prune an object and a list in a field, and whether a null is no value there."""


def dotted(path: Path | None) -> str:
    """A path as messages show it: ``spec.ports[0].name``."""
    parts: list[str] = []
    while path is not None:
        piece = path[1]
        parts.append(f"[{piece}]" if isinstance(piece, int) else f".{piece}")
        path = path[0]
    return "".join(reversed(parts)).removeprefix(".")


def pruner(root: Structural, *, is_object: bool = True) -> Pruner:
    """What prunes values of a schema.

    Args:
        root: the schema.
        is_object: the value is a whole Kubernetes object: its metadata, kind and apiVersion are nobody's business here.
    """
    of_object, of_list = _steps(root, embedded=is_object or root.embedded)

    def prune(value: Any, unknown: list[str] | None) -> None:
        if type(value) is dict:
            of_object(value, None, unknown)
        elif type(value) is list:
            of_list(value, None, unknown)

    return prune


def _steps(node: Structural, *, embedded: bool, preserve: bool = False) -> tuple[_Step, _Step]:
    """How to prune an object and a list that a schema describes."""
    preserve = preserve or node.preserve
    return _object_step(node, embedded, preserve), _list_step(node, preserve)


def _object_step(node: Structural, embedded: bool, preserve: bool) -> _Step:
    children = {name: _child(inner) for name, inner in node.properties.items()}
    others: _Child = _child(node.additional) if node.additional is not None else (_wipe, _wipe, False)
    kept = META_FIELDS if embedded else frozenset()
    closed = not node.has_additional and not preserve
    opened = preserve and not node.has_additional
    get = children.get

    def prune(value: dict[str, Any], path: Path | None, unknown: list[str] | None) -> None:
        removed: list[str] = []
        for name, inner in value.items():
            known = get(name)
            if known is None:
                if name in kept or opened:
                    continue
                if closed:
                    if unknown is not None and (path is not None or name not in META_FIELDS):
                        unknown.append(dotted((path, name)))
                    removed.append(name)
                    continue
                known = others
            elif name in kept:
                if inner is None and known[2]:
                    removed.append(name)
                continue
            kind = type(inner)
            if kind is dict:
                known[0](inner, (path, name), unknown)
            elif kind is list:
                known[1](inner, (path, name), unknown)
            elif inner is None and known[2]:
                removed.append(name)
        for name in removed:
            del value[name]

    return prune


def _list_step(node: Structural, preserve: bool) -> _Step:
    if node.items is None:
        return _keep if preserve else _wipe_items
    # The items of a list that keeps what is unknown keep it too, whatever their own schema says.
    of_object, of_list = _steps(node.items, embedded=node.items.embedded, preserve=preserve)

    def prune(value: list[Any], path: Path | None, unknown: list[str] | None) -> None:
        for index, inner in enumerate(value):
            kind = type(inner)
            if kind is dict:
                of_object(inner, (path, index), unknown)
            elif kind is list:
                of_list(inner, (path, index), unknown)

    return prune


def _child(node: Structural) -> _Child:
    return *_steps(node, embedded=node.embedded), not node.nullable and node.default is None


def _wipe(value: Any, path: Path | None, unknown: list[str] | None) -> None:
    """Nothing is known of the value: objects lose all their fields, wherever they are."""
    if type(value) is dict:
        if unknown is not None:
            unknown.extend(dotted((path, name)) for name in value)
        value.clear()
    elif type(value) is list:
        _wipe_items(value, path, unknown)


def _wipe_items(value: list[Any], path: Path | None, unknown: list[str] | None) -> None:
    for index, inner in enumerate(value):
        _wipe(inner, (path, index), unknown)


def _keep(value: Any, path: Path | None, unknown: list[str] | None) -> None:
    """Everything in the value is kept."""
