"""Columns of Tables: the cells that many kinds share; what is particular to a kind is in its own module.

The descriptions of the columns are data, in ``columns.json``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Final

from zestor_controller.apiserver.response.table import age
from zestor_controller.apiserver.rest.resource import TableColumn
from zestor_controller.apiserver.typed.typedef import Json

__all__ = [
    "AGE",
    "CREATED_AT",
    "NAME",
    "NONE",
    "UNSET",
    "Cell",
    "CellColumn",
    "age_at",
    "columns",
    "condition_status",
    "count_at",
    "first_few",
    "selector_at",
    "value_at",
]

# From the object and the present time, in seconds since the epoch, to what the cell shows.
Cell = Callable[[Json, float], Any]
# Name, cell and priority; columns of a priority above 0 are shown by ``kubectl get -o wide`` only.
CellColumn = tuple[str, Cell, int]
NONE: Final = "<none>"
UNSET: Final = "<unset>"


@cache
def _descriptions() -> Mapping[str, Mapping[str, str]]:
    loaded: Mapping[str, Mapping[str, str]] = json.loads((files(__package__) / "columns.json").read_text("utf-8"))
    return loaded


def columns(described_as: str, *cells: CellColumn) -> Sequence[TableColumn]:
    """The columns of a kind's Tables.

    Args:
        described_as: the plural under which ``columns.json`` has the descriptions.
        cells: the columns in their order.
    """
    own, common = _descriptions().get(described_as, {}), _descriptions()["*"]
    return [
        TableColumn(name, "string", "name" if name == "Name" else "", own.get(name) or common[name], priority, cell)
        for name, cell, priority in cells
    ]


def value_at(*path: str, absent: Any = "") -> Cell:
    """The value at a path; `absent` where there is none."""

    def cell(obj: Json, now: float) -> Any:
        value: Any = obj
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        return absent if value is None or value == "" else value

    return cell


def age_at(*path: str) -> Cell:
    """How long ago the time at a path was."""
    read = value_at(*path, absent=None)
    return lambda obj, now: age(read(obj, now), now)


def count_at(*path: str) -> Cell:
    """The number of entries at a path."""
    read = value_at(*path, absent=())
    return lambda obj, now: len(read(obj, now))


def _pairs(labels: Mapping[str, str] | None) -> str:
    return ",".join(f"{name}={value}" for name, value in sorted((labels or {}).items()))


def _selector_text(selector: Any) -> str:
    """A selector in the form of query parameters."""
    if not isinstance(selector, dict):
        return NONE
    if "matchLabels" not in selector and "matchExpressions" not in selector:
        return _pairs(selector) or NONE
    terms = [_pairs(selector["matchLabels"])] if selector.get("matchLabels") else []
    for term in selector.get("matchExpressions", ()):
        key, operator = term.get("key", ""), term.get("operator")
        if operator in ("In", "NotIn"):
            word = "in" if operator == "In" else "notin"
            terms.append(f"{key} {word} ({','.join(sorted(term.get('values', ())))})")
        else:
            terms.append(key if operator == "Exists" else f"!{key}")
    return ",".join(terms) or NONE


def selector_at(*path: str) -> Cell:
    """The label selector at a path, as text."""
    read = value_at(*path, absent=None)
    return lambda obj, now: _selector_text(read(obj, now))


def first_few(values: Iterable[str], absent: str = NONE, most: int = 3) -> str:
    """The first few values, and how many more there are."""
    listed = list(values)
    if not listed:
        return absent
    more = f" + {len(listed) - most} more..." if len(listed) > most else ""
    return ",".join(listed[:most]) + more


def condition_status(obj: Json, kind: str) -> str:
    """The status of a condition; empty when it is absent."""
    conditions = (obj.get("status") or {}).get("conditions", ())
    return next((str(each.get("status", "")) for each in conditions if each.get("type") == kind), "")


NAME: Final[CellColumn] = ("Name", value_at("metadata", "name"), 0)
AGE: Final[CellColumn] = ("Age", age_at("metadata", "creationTimestamp"), 0)
CREATED_AT: Final[CellColumn] = ("Created At", value_at("metadata", "creationTimestamp"), 0)
