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
    step = _step(root, embedded=is_object or root.embedded)

    def prune(value: Any, unknown: list[str] | None) -> None:
        step(value, None, unknown)

    return prune


def _step(node: Structural, *, embedded: bool, preserve: bool = False) -> _Step:
    preserve = preserve or node.preserve
    children = {name: _child(inner) for name, inner in node.properties.items()}
    others = _child(node.additional) if node.additional is not None else (_wipe, False)
    # The items of a list that keeps what is unknown keep it too, whatever their own schema says.
    items = _step(node.items, embedded=node.items.embedded, preserve=preserve) if node.items is not None else _wipe
    if preserve and node.items is None:
        items = _keep
    kept = META_FIELDS if embedded else frozenset()
    closed = not node.has_additional and not preserve
    opened = preserve and not node.has_additional
    get = children.get

    def prune(value: Any, path: Path | None, unknown: list[str] | None) -> None:
        if type(value) is dict:
            gone: list[str] | None = None
            for name, inner in value.items():
                known = get(name)
                if known is None:
                    if name in kept or opened:
                        continue
                    if closed:
                        if unknown is not None and (path is not None or name not in META_FIELDS):
                            unknown.append(dotted((path, name)))
                        gone = gone or []
                        gone.append(name)
                        continue
                    known = others
                elif name in kept:
                    if inner is None and known[1]:
                        gone = gone or []
                        gone.append(name)
                    continue
                kind = type(inner)
                if kind is dict or kind is list:
                    known[0](inner, (path, name), unknown)
                elif inner is None and known[1]:
                    gone = gone or []
                    gone.append(name)
            if gone is not None:
                for name in gone:
                    del value[name]
        elif type(value) is list:
            for index, inner in enumerate(value):
                kind = type(inner)
                if kind is dict or kind is list:
                    items(inner, (path, index), unknown)

    return prune


def _child(node: Structural) -> tuple[_Step, bool]:
    """How to prune a field's value, and whether a null is no value there."""
    return _step(node, embedded=node.embedded), not node.nullable and node.default is None


def _wipe(value: Any, path: Path | None, unknown: list[str] | None) -> None:
    """Nothing is known of the value: objects lose all their fields, wherever they are."""
    if type(value) is dict:
        if unknown is not None:
            unknown.extend(dotted((path, name)) for name in value)
        value.clear()
    elif type(value) is list:
        for index, inner in enumerate(value):
            _wipe(inner, (path, index), unknown)


def _keep(value: Any, path: Path | None, unknown: list[str] | None) -> None:
    """Everything in the value is kept."""
