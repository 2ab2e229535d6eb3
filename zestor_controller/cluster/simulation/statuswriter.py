"""How the simulated controllers write statuses: only what differs; the times of a condition move with its status."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from zestor_controller.client import Client
from zestor_controller.errors import Conflict, NotFound
from zestor_controller.objects import MergePatch, Unstructured

__all__ = ["conditions", "now", "pod_condition", "seconds_since", "set_status"]


def now() -> str:
    """The time, as the API writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds_since(moment: Any) -> float:
    """Seconds that have passed since a time as the API writes it; none for what is no time."""
    try:
        return (datetime.now(UTC) - datetime.fromisoformat(str(moment))).total_seconds()
    except (TypeError, ValueError):
        return 0.0


def conditions(before: Any, *wanted: tuple[str, str, str, str]) -> list[dict[str, Any]]:
    """Conditions whose times move only when their status does; those of other types are kept.

    Args:
        before: the present conditions.
        wanted: type, status, reason and message of each.
    """
    old = {condition["type"]: condition for condition in before or []}
    moment = now()
    for type_, status, reason, message in wanted:
        known = old.get(type_) or {}
        same = known.get("status") == status
        unchanged = same and known.get("reason") == reason and known.get("message") == message
        old[type_] = {
            **known,
            "type": type_,
            "status": status,
            "reason": reason,
            "message": message,
            "lastTransitionTime": known.get("lastTransitionTime", moment) if same else moment,
            "lastUpdateTime": known.get("lastUpdateTime", moment) if unchanged else moment,
        }
    return list(old.values())


def pod_condition(condition: Mapping[str, Any]) -> dict[str, Any]:
    """A condition of a Pod, which has a time of probing and none of updating."""
    found = {name: value for name, value in condition.items() if name != "lastUpdateTime"}
    return {"lastProbeTime": None, **found}


async def set_status(
    client: Client,
    kind: str,
    obj: Unstructured,
    status: Mapping[str, Any],
    annotations: Mapping[str, str] | None = None,
) -> None:
    """Write a status that differs from the present one; a stale or vanished object is left to the next change.

    Annotations ride along, as with a cluster's controllers: a write of the status moves no generation.

    Args:
        client: writes it.
        kind: of the object.
        obj: the object as it was read.
        status: the fields to set; None removes one.
        annotations: to set on the object.
    """
    present = obj.get("status") or {}
    merged = {name: value for name, value in {**present, **status}.items() if value is not None}
    known = obj.metadata.annotations or {}
    added = {name: value for name, value in (annotations or {}).items() if known.get(name) != value}
    if merged == present and not added:
        return
    patch: dict[str, Any] = {"status": {**status, **{name: None for name in present if name not in merged}}}
    if added:
        patch["metadata"] = {"annotations": added}
    try:
        await client.patch(
            kind, obj.metadata.name, MergePatch(patch), namespace=obj.metadata.namespace, subresource="status"
        )
    except (NotFound, Conflict):
        return
