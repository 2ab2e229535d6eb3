"""Who manages which field: updates and server-side apply, and the entries of ``metadata.managedFields``.

Invariant: after a write the entries say what is true of the object written: a field that a manager's write added or changed
is that manager's, a removed field is nobody's, and no manager is left without a field.

Source: KEP-555; apimachinery pkg/util/managedfields/internal; structured-merge-diff merge/update.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from zestor_controller.apiserver.contract import Json, TypeDef
from zestor_controller.apiserver.fieldset import (
    FieldSet,
    decode,
    difference,
    encode,
    intersection,
    paths,
    union,
)
from zestor_controller.apiserver.status import Failure, bad_request, status_body
from zestor_controller.apiserver.typedvalues import InvalidValue, compare, field_set, merge, remove, validate

__all__ = ["apply", "strip_null_times", "update"]

# Fields that belong to nobody: they are the object's identity, or the server's own.
_UNMANAGED: Final[FieldSet] = {
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
MAX_UPDATERS: Final = 10
BEFORE_FIRST_APPLY: Final = "before-first-apply"
ANCIENT: Final = "ancient-changes"


@dataclass(frozen=True, slots=True)
class _Id:
    """What makes two entries one manager's: an applier is the same under every version."""

    manager: str
    operation: str
    api_version: str
    subresource: str

    def shown(self) -> str:
        text = f'"{self.manager}"'
        if self.subresource:
            text += f' with subresource "{self.subresource}"'
        if self.operation == "Update":
            text += f" using {self.api_version}"
        return text


@dataclass(slots=True)
class _Entry:
    fields: FieldSet
    api_version: str
    time: str


_Managers = dict[_Id, _Entry]


def update(
    live: Json | None,
    new: Json,
    typedef: TypeDef,
    *,
    manager: str,
    api_version: str,
    subresource: str,
    now: str,
    empty: Mapping[str, Any] | None = None,
) -> Json:
    """The object of a create, replace or patch, with its managedFields.

    Args:
        live: the object before; None for a create.
        new: the object to be written; what it says of managedFields is heeded: an empty list resets them.
        typedef: its type.
        manager: who writes.
        api_version: the version it is written in.
        subresource: what is written: ``""``, ``status``, ``scale``.
        now: RFC 3339.
        empty: what a create is compared with: the zero value of a built-in kind; an empty object unless given.

    Returns:
        `new` with other metadata; `new` itself is not changed.
    """
    managers = _managers_for_update(live, new)
    old = _bare(live) if live is not None else dict(empty or {})
    bare = _bare(new)
    changed = compare(old, bare, typedef)
    added, modified = difference(changed.added, _UNMANAGED), difference(changed.modified, _UNMANAGED)
    removed = difference(changed.removed, _UNMANAGED)
    taken = union(added, modified)
    _settle(managers, None, taken, removed)
    if taken:
        who = _Id(manager, "Update", api_version, subresource)
        before = managers.get(who)
        managers[who] = _Entry(union(before.fields, taken) if before is not None else taken, api_version, now)
        _cap(managers)
    return _with(new, managers)


def apply(
    live: Json | None,
    applied: Json,
    typedef: TypeDef,
    *,
    manager: str,
    force: bool,
    api_version: str,
    subresource: str,
    now: str,
    resets: FieldSet | None = None,
) -> Json:
    """Lay an applied configuration over the live object.

    Args:
        live: the object before; None where there is none.
        applied: the configuration; must not carry managedFields.
        typedef: its type.
        manager: who applies.
        force: take fields from other managers instead of answering a conflict.
        api_version: the version it is applied in.
        subresource: what is applied to.
        now: RFC 3339.
        resets: fields that this endpoint sets back whatever is written; they are nobody's.

    Returns:
        The merged object with managedFields; the live one, unchanged, when the apply changes nothing.

    Raises:
        Failure: 400 for managedFields in the configuration, 409 for conflicts, 500 for a configuration that does not fit
            its type (as kube-apiserver has it).
    """
    meta = applied.get("metadata") or {}
    if isinstance(meta, dict) and "managedFields" in meta and meta["managedFields"] is not None:
        raise bad_request("metadata.managedFields must be nil")
    _fits(applied, typedef)
    managers = _read(live)
    bare_live = _bare(live) if live is not None else {}
    if live is not None and not managers:
        fields = difference(difference(field_set(bare_live, typedef), _UNMANAGED), resets or {})
        if fields:
            first = _Id(BEFORE_FIRST_APPLY, "Update", api_version, "")
            managers[first] = _Entry(fields, api_version, now)
    who = _Id(manager, "Apply", "", subresource)
    last = managers.get(who)
    fields = difference(difference(field_set(applied, typedef), _UNMANAGED), resets or {})
    before = {key: entry.fields for key, entry in managers.items()}
    managers[who] = _Entry(fields, api_version, last.time if last is not None else now)
    merged = merge(bare_live, applied, typedef) if live is not None else dict(applied)
    if last is not None:
        everything: FieldSet = {}
        for entry in managers.values():
            everything = union(everything, entry.fields)
        merged = remove(merged, typedef, last.fields, everything)
    merged = _identity(merged, live)
    changed = compare(bare_live, merged, typedef)
    taken = difference(union(changed.modified, changed.added), _UNMANAGED)
    removed = difference(changed.removed, _UNMANAGED)
    conflicts = _settle(managers, who, taken, removed)
    if conflicts and not force:
        raise _conflict(conflicts)
    after = {key: entry.fields for key, entry in managers.items()}
    if live is not None and after == before and merged == bare_live:
        return live
    if who in managers:
        managers[who].time = now
    return _with(merged, managers)


def strip_null_times(obj: Json) -> None:
    """Drop ``creationTimestamp: null``, which typed clients send and which means nothing."""
    meta = obj.get("metadata")
    if isinstance(meta, dict) and meta.get("creationTimestamp", ...) is None:
        del meta["creationTimestamp"]


def _fits(applied: Json, typedef: TypeDef) -> None:
    try:
        validate(applied, typedef)
    except InvalidValue as error:
        meta = applied.get("metadata") or {}
        what = f"{meta.get('namespace') or ''}/{meta.get('name') or ''}"
        kind = f"{applied.get('apiVersion')}, Kind={applied.get('kind')}"
        text = f"failed to create typed patch object ({what}; {kind}): {error}"
        raise Failure(status_body(500, text)) from None


def _settle(managers: _Managers, writer: _Id | None, taken: FieldSet, removed: FieldSet) -> dict[_Id, FieldSet]:
    """Take what was written or removed from all other managers, in place; answers what was taken from whom."""
    conflicts: dict[_Id, FieldSet] = {}
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


def _conflict(conflicts: dict[_Id, FieldSet]) -> Failure:
    causes = []
    groups: dict[str, list[str]] = {}
    for who in sorted(conflicts, key=lambda key: key.shown()):
        for path in paths(conflicts[who]):
            groups.setdefault(who.shown(), []).append(path)
            causes.append({"reason": "FieldManagerConflict", "message": f"conflict with {who.shown()}", "field": path})
    count = len(causes)
    head = f"Apply failed with {count} conflict{'' if count == 1 else 's'}: "
    if count == 1:
        (name, listed), *_ = groups.items()
        message = f"{head}conflict with {name}: {listed[0]}"
    else:
        parts = []
        for name, listed in groups.items():
            if len(listed) == 1:
                parts.append(f"conflict with {name}: {listed[0]}")
            else:
                parts.append(f"conflicts with {name}:\n" + "\n".join(f"- {path}" for path in listed))
        message = head + "\n".join(parts)
    return Failure(status_body(409, message, "Conflict", {"causes": causes}))


def _bare(obj: Json) -> Json:
    """The object without managedFields."""
    meta = obj.get("metadata")
    if not isinstance(meta, dict) or "managedFields" not in meta:
        return obj
    return {**obj, "metadata": {key: value for key, value in meta.items() if key != "managedFields"}}


def _identity(merged: Json, live: Json | None) -> Json:
    """Who an object is does not change by an apply that leaves it out."""
    if live is None:
        return merged
    old = live.get("metadata") or {}
    meta = dict(merged.get("metadata") or {})
    for name in ("name", "namespace", "uid", "creationTimestamp", "resourceVersion", "generation", "selfLink"):
        if name in old and name not in meta:
            meta[name] = old[name]
    return {**merged, "metadata": meta}


def _managers_for_update(live: Json | None, new: Json) -> _Managers:
    """The entries to start from: those of the written object, where it brings valid ones; an empty list resets them."""
    meta = new.get("metadata") or {}
    given = meta.get("managedFields")
    if given is None:
        return _read(live)
    if given == [] or given == [{}]:
        return {}
    try:
        return _parse(given)
    except (ValueError, TypeError, KeyError):
        return _read(live)  # what cannot be read is ignored, as the live entries are still true


def _read(obj: Json | None) -> _Managers:
    if obj is None:
        return {}
    return _parse((obj.get("metadata") or {}).get("managedFields") or [])


def _parse(entries: list[Any]) -> _Managers:
    managers: _Managers = {}
    for entry in entries:
        operation = str(entry.get("operation", ""))
        version = str(entry.get("apiVersion", ""))
        who = _Id(
            str(entry.get("manager", "")),
            operation,
            "" if operation == "Apply" else version,
            str(entry.get("subresource", "")),
        )
        fields = decode(entry.get("fieldsV1") or {})
        if who in managers:
            fields = union(managers[who].fields, fields)
        managers[who] = _Entry(fields, version, str(entry.get("time", "")))
    return managers


def _cap(managers: _Managers) -> None:
    """At most ten updaters: the oldest become one, so that an object touched by many does not grow without end."""
    updaters = sorted(
        (who for who, entry in managers.items() if who.operation == "Update"), key=lambda who: managers[who].time
    )
    if len(updaters) <= MAX_UPDATERS:
        return
    for who in updaters[: len(updaters) - MAX_UPDATERS + 1]:
        entry = managers.pop(who)
        bucket = _Id(ANCIENT, "Update", entry.api_version, "")
        before = managers.get(bucket)
        fields = union(before.fields, entry.fields) if before is not None else entry.fields
        managers[bucket] = _Entry(fields, entry.api_version, max(entry.time, before.time if before else ""))


def _with(obj: Json, managers: _Managers) -> Json:
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
