"""Who manages which field: updates and server-side apply, and the entries of ``metadata.managedFields``.

Invariant: after a write the entries say what is true of the object written: a field that a manager's write added or
changed is that manager's, a removed field is nobody's, and no manager is left without a field.

Source: KEP-555; apimachinery pkg/util/managedfields/internal; structured-merge-diff merge/update.go.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from zestor_controller.apiserver.patch import lastapplied
from zestor_controller.apiserver.rest.status import Failure, bad_request, status_body
from zestor_controller.apiserver.typed.fieldset import (
    FieldSet,
    decode,
    difference,
    encode,
    intersection,
    paths,
    union,
)
from zestor_controller.apiserver.typed.typecheck import misfits
from zestor_controller.apiserver.typed.typedef import Json, TypeDef
from zestor_controller.apiserver.typed.value import compare, field_set, merge, named_members, remove, same

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
KUBECTL: Final = "kubectl"
"""The one manager that goes over from client-side to server-side apply by itself."""


@dataclass(frozen=True, slots=True)
class _Id:
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
    resets: FieldSet | None = None,
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
        resets: fields that this endpoint sets back whatever is written; they are nobody's.
        empty: what a create is compared with: the zero value of a built-in kind; an empty object unless given.

    Returns:
        `new` with other metadata; `new` itself is not changed.
    """
    managers = _managers_for_update(live, new, subresource)
    if live is not None and not managers:
        return _with(new, managers)  # nobody has been kept track of: that begins with the first apply
    who = _Id(manager, "Update", api_version, subresource)
    old = _bare(live) if live is not None else dict(empty or {})
    _write(managers, old, _bare(new), typedef, who, now, resets or {})
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
    empty: Mapping[str, Any] | None = None,
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
        empty: as for :func:`update`, for fields that were there before anybody was kept track of.

    Returns:
        The merged object with managedFields; the live one itself when the apply changes nothing.

    Raises:
        Failure: 400 for managedFields in the configuration, 409 for conflicts, 500 for a configuration that does not
            fit its type (as kube-apiserver has it).
    """
    meta = applied.get("metadata")
    if isinstance(meta, dict) and meta.get("managedFields") is not None:
        raise bad_request("metadata.managedFields must be nil")
    _fits(applied, typedef)
    try:
        managers = _read(live)
    except ValueError as error:
        raise Failure(status_body(500, f"failed to decode managed fields: {error}")) from None
    bare_live: Json = _bare(live) if live is not None else {}
    if live is not None and not managers:
        first = _Id(BEFORE_FIRST_APPLY, "Update", api_version, subresource)
        _write(managers, dict(empty or {}), bare_live, typedef, first, now, resets or {})
    request = _Request(applied, typedef, _Id(manager, "Apply", "", subresource), api_version, resets or {})
    merged, after, conflicts = _applied(bare_live, managers, request)
    if conflicts and not force:
        if manager == KUBECTL:
            allowed = lastapplied.unchanged(bare_live, typedef, api_version)
            conflicts = {who: left for who, lost in conflicts.items() if (left := difference(lost, allowed))}
        if conflicts:
            raise _conflict(conflicts)
    if manager == KUBECTL:
        merged = lastapplied.renewed(merged, applied)
    if live is None or not same(merged, bare_live):
        if request.who in after:
            after[request.who].time = now
    elif request.who in after:
        # An apply that changes nothing of the object is not a new point in time.
        before = managers.get(request.who)
        after[request.who].time = before.time if before is not None else ""
    written = _with(merged, after)
    return live if live is not None and same(written, live) else written


@dataclass(frozen=True, slots=True)
class _Request:
    applied: Json
    typedef: TypeDef
    who: _Id
    api_version: str
    resets: FieldSet


def _applied(live: Json, managers: _Managers, request: _Request) -> tuple[Json, _Managers, dict[_Id, FieldSet]]:
    """The merged object, the managers after it, and what is taken from whom; `managers` is not changed."""
    typedef = request.typedef
    after = {who: _Entry(entry.fields, entry.api_version, entry.time) for who, entry in managers.items()}
    try:
        merged: Json = merge(live, request.applied, typedef)
    except ValueError as error:
        raise Failure(status_body(500, f"failed to merge config: {error}")) from None
    last = managers.get(request.who)
    fields = difference(field_set(request.applied, typedef), request.resets)
    after[request.who] = _Entry(fields, request.api_version, "")
    if last is not None and last.fields:
        merged = _pruned(merged, typedef, last.fields, [entry.fields for entry in after.values()])
    merged = _identity(merged, live)
    changed = compare(live, merged, typedef)
    taken = difference(union(changed.modified, changed.added), request.resets)
    conflicts = _settle(after, request.who, taken, difference(changed.removed, request.resets))
    mine = after.get(request.who)
    if mine is not None:
        mine.fields = difference(mine.fields, _UNMANAGED)
        if not mine.fields:
            del after[request.who]
    return merged, after, conflicts


def _pruned(merged: Json, typedef: TypeDef, last: FieldSet, owners: list[FieldSet]) -> Json:
    """The merged object without what its applier applied before, applies no more, and nobody else owns."""
    last = named_members(last, typedef)
    everything = named_members(field_set(merged, typedef), typedef)
    owned: FieldSet = {}
    for fields in owners:
        owned = union(owned, fields)
    owned = named_members(owned, typedef)
    without = remove(merged, typedef, last)
    kept = named_members(field_set(without, typedef), typedef)
    # What others own comes back, with what leads to it ...
    without = remove(merged, typedef, difference(everything, union(kept, owned)))
    kept = named_members(field_set(without, typedef), typedef)
    # ... and so does what was never this applier's, though it stood inside what was.
    pruned: Json = remove(merged, typedef, intersection(difference(everything, kept), last))
    return pruned


def _write(managers: _Managers, old: Json, new: Json, typedef: TypeDef, who: _Id, now: str, resets: FieldSet) -> None:
    """Settle the managers after an update, in place."""
    changed = compare(old, new, typedef)
    taken = difference(union(changed.added, changed.modified), resets)
    _settle(managers, None, taken, changed.removed)
    taken = difference(taken, _UNMANAGED)
    if not taken:
        return
    before = managers.get(who)
    managers[who] = _Entry(union(before.fields, taken) if before is not None else taken, who.api_version, now)
    _cap(managers)


def strip_null_times(obj: Json) -> None:
    """Drop ``creationTimestamp: null``, which typed clients send and which means nothing."""
    meta = obj.get("metadata")
    if isinstance(meta, dict) and meta.get("creationTimestamp", ...) is None:
        del meta["creationTimestamp"]


def _fits(applied: Json, typedef: TypeDef) -> None:
    why = misfits(applied, typedef)
    if why:
        meta = applied.get("metadata")
        meta = meta if isinstance(meta, dict) else {}
        what = f"{meta.get('namespace') or ''}/{meta.get('name') or ''}"
        version = str(applied.get("apiVersion") or "")
        kind = f"{version if '/' in version else '/' + version}, Kind={applied.get('kind')}"
        raise Failure(status_body(500, f"failed to create typed patch object ({what}; {kind}): {why}"))


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
    groups = [(who.shown(), list(paths(conflicts[who]))) for who in sorted(conflicts, key=_Id.identifier)]
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {name}", "field": path}
        for name, listed in groups
        for path in listed
    ]
    if len(causes) == 1:
        message = f"Apply failed with 1 conflict: {causes[0]['message']}: {causes[0]['field']}"
    else:
        parts = "\n".join("\n- ".join([f"conflicts with {name}:", *listed]) for name, listed in groups)
        message = f"Apply failed with {len(causes)} conflicts: {parts}"
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


def _managers_for_update(live: Json | None, new: Json, subresource: str) -> _Managers:
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
        return _read(live)
    except ValueError:
        return {}


def _read(obj: Json | None) -> _Managers:
    """The entries of a live object.

    Raises:
        ValueError: one of them is not valid.
    """
    if obj is None:
        return {}
    return _parse((obj.get("metadata") or {}).get("managedFields") or [])


def _parse(entries: Any) -> _Managers:
    managers: _Managers = {}
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
        who = _Id(
            str(entry.get("manager") or ""),
            str(operation),
            "" if operation == "Apply" else version,
            str(entry.get("subresource") or ""),
        )
        managers[who] = _Entry(decode(entry.get("fieldsV1") or {}), version, str(entry.get("time") or ""))
    return managers


def _cap(managers: _Managers) -> None:
    """At most ten updaters: the oldest become one for each version, so that entries do not grow without end."""
    updaters = [who for who in managers if who.operation == "Update"]
    if len(updaters) <= MAX_UPDATERS:
        return
    updaters.sort(key=lambda who: (managers[who].time, who.identifier()))
    first: dict[str, _Id] = {}
    left = len(updaters)
    for who in updaters:
        if left <= MAX_UPDATERS:
            return
        entry = managers[who]
        if entry.api_version not in first:
            first[entry.api_version] = who
            continue
        bucket = _Id(ANCIENT, "Update", entry.api_version, "")
        if bucket not in managers:
            managers[bucket] = managers.pop(first[entry.api_version])
        fields = union(managers[bucket].fields, entry.fields)
        if who != bucket:
            del managers[who]
        managers[bucket] = _Entry(fields, entry.api_version, entry.time)
        left -= 1


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
