"""The entries of ``metadata.managedFields``: who owns which field after a create, replace or patch.

Invariant: after a write the entries say what is true of the object written: a field that a manager's write added or
changed is that manager's, a removed field has no owner, and no manager is left without a field. Server-side apply is
:mod:`zestor_controller.apiserver.patch.serversideapply`.

Source: KEP-555; apimachinery pkg/util/managedfields/internal; structured-merge-diff merge/update.go.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from zestor_controller.apiserver.typed.fieldset import (
    FieldSet,
    decode,
    difference,
    encode,
    intersection,
    union,
)
from zestor_controller.apiserver.typed.typedef import Json, TypeDef
from zestor_controller.apiserver.typed.value import compare

__all__ = [
    "UNMANAGED",
    "FieldOwner",
    "ManagerEntry",
    "ManagerId",
    "Managers",
    "read_managers",
    "record_update",
    "strip_null_times",
    "transfer",
    "update",
    "with_managers",
    "without_managers",
]

UNMANAGED: Final[FieldSet] = {
    "f:apiVersion": {".": True},
    "f:kind": {".": True},
    "f:metadata": {
        ".": True,
        **{
            f"f:{name}": {".": True}
            for name in (
                "name",
                "namespace",
                "creationTimestamp",
                "selfLink",
                "uid",
                "clusterName",
                "generation",
                "managedFields",
                "resourceVersion",
            )
        },
    },
}
"""Fields without an owner: they are the object's identity, or the server's own."""

MAX_UPDATERS: Final = 10
ANCIENT: Final = "ancient-changes"


@dataclass(frozen=True, slots=True)
class FieldOwner:
    """Who writes an object.

    Attributes:
        manager: the field manager.
        api_version: the version that is written.
        subresource: what is written: ``""``, ``status``, ``scale``.
        now: RFC 3339; empty where the entry carries no time.
    """

    manager: str
    api_version: str
    subresource: str
    now: str

    def id(self, operation: str) -> ManagerId:
        """The owner of an ``Update`` or an ``Apply``."""
        return ManagerId(self.manager, operation, "" if operation == "Apply" else self.api_version, self.subresource)


@dataclass(frozen=True, slots=True)
class ManagerId:
    """What makes two entries one manager's: an applier is the same under every version."""

    manager: str
    operation: str
    api_version: str
    subresource: str

    def identifier(self) -> str:
        """The text that the machinery sorts managers by."""
        parts = {"manager": self.manager, "operation": self.operation, "apiVersion": self.api_version}
        return json.dumps({**{name: part for name, part in parts.items() if part}, "subresource": self.subresource})

    def shown(self) -> str:
        """The manager in a conflict's message."""
        text = f'"{self.manager}"'
        if self.subresource:
            text += f' with subresource "{self.subresource}"'
        if self.operation == "Update":
            text += f" using {self.api_version}"
        return text


@dataclass(slots=True)
class ManagerEntry:
    """What a manager owns, in which version, since when."""

    fields: FieldSet
    api_version: str
    time: str


Managers = dict[ManagerId, ManagerEntry]


def update(
    live: Json | None,
    new: Json,
    typedef: TypeDef,
    owner: FieldOwner,
    *,
    resets: FieldSet | None = None,
    empty: Mapping[str, Any] | None = None,
) -> Json:
    """The object of a create, replace or patch, with its managedFields.

    Args:
        live: the object before; None for a create.
        new: the object to be written; its own managedFields count: an empty list resets them.
        typedef: its type.
        owner: who writes.
        resets: fields that this endpoint sets back whatever is written; they have no owner.
        empty: what a create is compared with: the zero value of a built-in kind; an empty object unless given.

    Returns:
        `new` with other metadata; `new` itself is not changed.
    """
    managers = _managers_for_update(live, new, owner.subresource)
    if live is not None and not managers:
        return with_managers(new, managers)  # owners are tracked from the first apply on
    old = without_managers(live) if live is not None else dict(empty or {})
    record_update(managers, old, without_managers(new), typedef, owner, resets or {})
    return with_managers(new, managers)


def strip_null_times(obj: Json) -> None:
    """Drop ``creationTimestamp: null``, which typed clients send and which means nothing."""
    meta = obj.get("metadata")
    if isinstance(meta, dict) and meta.get("creationTimestamp", ...) is None:
        del meta["creationTimestamp"]


def record_update(
    managers: Managers, old: Json, new: Json, typedef: TypeDef, owner: FieldOwner, resets: FieldSet
) -> None:
    """Bring the managers up to date with an update, in place."""
    changed = compare(old, new, typedef)
    taken = difference(union(changed.added, changed.modified), resets)
    transfer(managers, None, taken, changed.removed)
    taken = difference(taken, UNMANAGED)
    if not taken:
        return
    who = owner.id("Update")
    before = managers.get(who)
    managers[who] = ManagerEntry(
        union(before.fields, taken) if before is not None else taken, who.api_version, owner.now
    )
    _cap(managers)


def transfer(
    managers: Managers, writer: ManagerId | None, taken: FieldSet, removed: FieldSet
) -> dict[ManagerId, FieldSet]:
    """Take written and removed fields from all other managers, in place; returns what each of them lost."""
    conflicts: dict[ManagerId, FieldSet] = {}
    for who, entry in list(managers.items()):
        if who != writer:
            lost = intersection(entry.fields, taken)
            if lost:
                conflicts[who] = lost
                entry.fields = difference(entry.fields, lost)
            if removed:
                entry.fields = difference(entry.fields, removed)
        if not entry.fields:
            del managers[who]
    return conflicts


def without_managers(obj: Json) -> Json:
    """The object without managedFields."""
    meta = obj.get("metadata")
    if not isinstance(meta, dict) or "managedFields" not in meta:
        return obj
    return {**obj, "metadata": {key: value for key, value in meta.items() if key != "managedFields"}}


def _managers_for_update(live: Json | None, new: Json, subresource: str) -> Managers:
    """The entries to start from: those of the written object, where it brings valid ones; an empty list resets them."""
    given = (new.get("metadata") or {}).get("managedFields")
    if given is not None and not subresource:
        if given == [] or given == [{}]:
            return {}
        try:
            managers = _parse(given)
        except ValueError:
            managers = {}
        if managers:
            return managers
    try:
        return read_managers(live)
    except ValueError:
        return {}


def read_managers(obj: Json | None) -> Managers:
    """The entries of a live object.

    Raises:
        ValueError: one of them is not valid.
    """
    if obj is None:
        return {}
    return _parse((obj.get("metadata") or {}).get("managedFields") or [])


def _parse(entries: Any) -> Managers:
    managers: Managers = {}
    if not isinstance(entries, list):
        raise ValueError("managedFields must be a list")
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise ValueError(f"managed fields entry {index} is no object")
        operation, version = entry.get("operation"), str(entry.get("apiVersion") or "")
        if operation not in ("Apply", "Update"):
            raise ValueError("operation must be `Apply` or `Update`")
        if not version:
            raise ValueError("apiVersion must not be empty")
        if entry.get("fieldsType") != "FieldsV1":
            found = entry.get("fieldsType")
            what = f'invalid fieldsType "{found}"' if found else "missing fieldsType"
            raise ValueError(f"{what} in managed fields entry {index}")
        who = ManagerId(
            str(entry.get("manager") or ""),
            str(operation),
            "" if operation == "Apply" else version,
            str(entry.get("subresource") or ""),
        )
        managers[who] = ManagerEntry(decode(entry.get("fieldsV1") or {}), version, str(entry.get("time") or ""))
    return managers


def _cap(managers: Managers) -> None:
    """At most ten updaters: the oldest become one for each version, so that entries do not grow without end."""
    updaters = [who for who in managers if who.operation == "Update"]
    if len(updaters) <= MAX_UPDATERS:
        return
    updaters.sort(key=lambda who: (managers[who].time, who.identifier()))
    first: dict[str, ManagerId] = {}
    left = len(updaters)
    for who in updaters:
        if left <= MAX_UPDATERS:
            return
        entry = managers[who]
        if entry.api_version not in first:
            first[entry.api_version] = who
            continue
        bucket = ManagerId(ANCIENT, "Update", entry.api_version, "")
        if bucket not in managers:
            managers[bucket] = managers.pop(first[entry.api_version])
        fields = union(managers[bucket].fields, entry.fields)
        if who != bucket:
            del managers[who]
        managers[bucket] = ManagerEntry(fields, entry.api_version, entry.time)
        left -= 1


def with_managers(obj: Json, managers: Managers) -> Json:
    """The object with the entries of `managers`: appliers first, then by time, manager and version."""
    entries = []
    for who, entry in managers.items():
        made: Json = {"manager": who.manager, "operation": who.operation, "apiVersion": entry.api_version}
        if entry.time:
            made["time"] = entry.time
        made["fieldsType"] = "FieldsV1"
        made["fieldsV1"] = encode(entry.fields)
        if who.subresource:
            made["subresource"] = who.subresource
        entries.append(made)
    entries.sort(
        key=lambda e: (e["operation"], e.get("time", ""), e["manager"], e["apiVersion"], e.get("subresource", ""))
    )
    meta = {key: value for key, value in (obj.get("metadata") or {}).items() if key != "managedFields"}
    if entries:
        meta["managedFields"] = entries
    return {**obj, "metadata": meta}
