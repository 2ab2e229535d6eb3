"""The columns of a custom resource's Table and the values of its field selectors, both found by JSONPath.

Source: ``k8s.io/apiextensions-apiserver/pkg/registry/customresource/tableconvertor``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from zestor_controller.apiserver.encoding.jsonpath import PathError, compile_path, print_value
from zestor_controller.apiserver.response.table import age
from zestor_controller.apiserver.rest.resource import TableColumn
from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["columns", "selectors"]

_NAME = (
    "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a "
    "client to request the generation of an appropriate name automatically. Name is primarily intended for creation "
    "idempotence and configuration definition. Cannot be updated. More info: "
    "https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names"
)
_AGE = (
    "CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed "
    "to be set in happens-before order across separate operations. Clients may not set this value. It is represented "
    "in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: "
    "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata"
)
_DEFAULT: tuple[Json, ...] = (
    {"name": "Age", "type": "date", "description": _AGE, "jsonPath": ".metadata.creationTimestamp"},
)


def columns(given: Sequence[Json] | None) -> list[TableColumn]:
    """The columns of a version: the name, then what its definition states, or the age."""
    found = [TableColumn("Name", "string", "name", _NAME, 0, lambda obj, now: obj["metadata"].get("name", ""))]
    for column in given or _DEFAULT:
        try:
            find = compile_path(column["jsonPath"])
        except PathError:
            # The server gives up here, and shows the columns before.
            break
        path = column["jsonPath"]
        description = column.get("description") or f"Custom resource definition column (in JSONPath format): {path}"
        kind = column["type"]
        priority = column.get("priority") or 0
        cell = _cell(find, kind)
        found.append(TableColumn(column["name"], kind, column.get("format") or "", description, priority, cell))
    return found


def _cell(find: Callable[[Any], list[Any]], kind: str) -> Callable[[Json, float], Any]:
    def cell(obj: Json, now: float) -> Any:
        try:
            values = find(obj)
        except PathError:
            return None
        if not values:
            return None
        # A column shows one value only.
        return print_value(values[0]) if kind == "string" else _shown(values[0], kind, now)

    return cell


def _shown(value: Any, kind: str, now: float) -> Any:
    if isinstance(value, bool):
        return value if kind == "boolean" else None
    if kind == "integer" and isinstance(value, int | float):
        return int(value)
    if kind == "number" and isinstance(value, int | float):
        return value
    if kind == "date" and isinstance(value, str):
        shown = age(value, now)
        return "<invalid>" if shown == "<unknown>" and value else shown
    return None


def selectors(given: Sequence[Json] | None) -> dict[str, Callable[[Json], str]]:
    """What finds the value of each selectable field of a version, by the field's name in selectors."""
    return {field["jsonPath"].removeprefix("."): _selector(field["jsonPath"]) for field in given or ()}


def _selector(path: str) -> Callable[[Json], str]:
    find = compile_path(path)

    def get(obj: Json) -> str:
        try:
            values = find(obj)
        except PathError:
            return ""
        return print_value(values[0]) if values and values[0] is not None else ""

    return get
