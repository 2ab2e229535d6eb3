"""Columns of the kinds that have a pod template."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from zestor_controller.apiserver.builtin.printcolumns import AGE, NAME, Cell, CellColumn, selector_at, value_at

if TYPE_CHECKING:
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["IMAGES", "POD_SELECTOR", "READY", "REPLICAS"]


def _ready(obj: Json, now: float) -> str:
    return f"{(obj.get('status') or {}).get('readyReplicas', 0)}/{(obj.get('spec') or {}).get('replicas', 0)}"


def _template(obj: Json) -> list[Json]:
    spec = obj.get("spec") or {}
    if "jobTemplate" in spec:
        spec = spec["jobTemplate"].get("spec") or {}
    found: list[Json] = ((spec.get("template") or {}).get("spec") or {}).get("containers") or []
    return found


def _containers(field: str) -> Cell:
    return lambda obj, now: ",".join(container.get(field, "") for container in _template(obj))


READY: Final[CellColumn] = ("Ready", _ready, 0)
IMAGES: Final[tuple[CellColumn, ...]] = (
    ("Containers", _containers("name"), 1),
    ("Images", _containers("image"), 1),
)
POD_SELECTOR: Final[CellColumn] = ("Selector", selector_at("spec", "selector"), 1)
REPLICAS: Final[tuple[CellColumn, ...]] = (
    NAME,
    ("Desired", value_at("spec", "replicas", absent=0), 0),
    ("Current", value_at("status", "replicas", absent=0), 0),
    ("Ready", value_at("status", "readyReplicas", absent=0), 0),
    AGE,
    *IMAGES,
    POD_SELECTOR,
)
