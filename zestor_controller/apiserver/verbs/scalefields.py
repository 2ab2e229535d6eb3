"""Who manages the replicas of an object, as its Scale shows it, and back again.

A Scale has no managedFields of its own: those of its object are translated for an apply to the scale subresource, and
what the apply makes of them is translated back.

Source: apimachinery pkg/util/managedfields/scalehandler.go.
"""

from __future__ import annotations

from typing import Final

from zestor_controller.apiserver.typed.fieldset import FieldSet, decode, difference, encode, intersection, union
from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["of_object", "of_scale"]

SCALE: Final = "autoscaling/v1"
_REPLICAS: Final[FieldSet] = {"f:spec": {"f:replicas": {".": True}}}


def _path(replicas: str) -> FieldSet:
    """The set of one path: ``.spec.replicas`` and the like."""
    found: FieldSet = {".": True}
    for name in reversed(replicas.removeprefix(".").split(".")):
        found = {f"f:{name}": found}
    return found


def _who(entry: Json) -> tuple[str, ...]:
    version = "" if entry["operation"] == "Apply" else str(entry["apiVersion"])
    return str(entry.get("manager") or ""), str(entry["operation"]), version, str(entry.get("subresource") or "")


def _entry(entry: Json, version: str, fields: FieldSet, time: str | None) -> Json:
    made = {**entry, "apiVersion": version, "fieldsV1": encode(fields)}
    made.pop("time", None)
    return {**made, "time": time} if time else made


def of_scale(entries: list[Json], paths: dict[str, str]) -> list[Json]:
    """The entries of an object's managedFields as its Scale has them.

    Args:
        entries: those of the object.
        paths: where each of its versions has its replicas, by apiVersion.
    """
    return [
        _entry(entry, SCALE, _REPLICAS, entry.get("time"))
        for entry in entries
        if (path := paths.get(entry["apiVersion"])) and intersection(decode(entry["fieldsV1"]), _path(path))
    ]


def of_object(entries: list[Json], scaled: list[Json], paths: dict[str, str], version: str) -> list[Json]:
    """The entries of an object's managedFields after a write of its Scale.

    Args:
        entries: those of the object before.
        scaled: those of the Scale after.
        paths: as for :func:`of_scale`.
        version: the apiVersion that the Scale was reached by.
    """
    owners = {(*_who(entry)[:2], _who(entry)[3]): entry for entry in scaled}
    made: list[Json] = []
    for entry in entries:
        manager, operation, _, subresource = _who(entry)
        path = paths.get(entry["apiVersion"])
        fields = decode(entry["fieldsV1"])
        owned = bool(path) and bool(intersection(fields, _path(path or "")))
        if path and owned and owners.pop((manager, operation, subresource), None) is None:
            fields = difference(fields, _path(path))
        if fields:
            made.append(_entry(entry, entry["apiVersion"], fields, entry.get("time")))
    # New owners of the replicas carry no time, as the real server has it.
    for (manager, operation, subresource), entry in owners.items():
        if not intersection(decode(entry["fieldsV1"]), _REPLICAS):
            continue
        mine = (manager, operation, "" if operation == "Apply" else version, subresource)
        at = next((index for index, known in enumerate(made) if _who(known) == mine), None)
        if at is None:
            made.append(_entry(entry, version, _path(paths[version]), None))
        else:
            fields = union(decode(made[at]["fieldsV1"]), _path(paths[version]))
            made[at] = _entry(made[at], version, fields, made[at].get("time"))
    return made
