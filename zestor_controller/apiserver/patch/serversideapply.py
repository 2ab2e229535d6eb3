"""Server-side apply: an applied configuration laid over the live object.

Invariant: nothing is taken from another manager without `force`; a field that an applier applied before and applies no
more is removed unless another manager owns it. The live object and the configuration are never changed in place.

Source: KEP-555; structured-merge-diff merge/update.go; apimachinery pkg/util/managedfields/internal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from zestor_controller.apiserver.patch import lastapplied
from zestor_controller.apiserver.patch.managedfields import (
    UNMANAGED,
    FieldOwner,
    ManagerEntry,
    ManagerId,
    Managers,
    read_managers,
    record_update,
    transfer,
    with_managers,
    without_managers,
)
from zestor_controller.apiserver.rest.status import Failure, bad_request, status_body
from zestor_controller.apiserver.typed.comparison import compare
from zestor_controller.apiserver.typed.fieldset import FieldSet, difference, intersection, paths, union
from zestor_controller.apiserver.typed.typecheck import misfits
from zestor_controller.apiserver.typed.typedef import Json, TypeDef
from zestor_controller.apiserver.typed.value import field_set, merge, named_members, remove, same

__all__ = ["apply"]

BEFORE_FIRST_APPLY: Final = "before-first-apply"
KUBECTL: Final = "kubectl"
"""The one manager that goes over from client-side to server-side apply by itself."""


def apply(
    live: Json | None,
    applied: Json,
    typedef: TypeDef,
    owner: FieldOwner,
    *,
    force: bool,
    resets: FieldSet | None = None,
    empty: Mapping[str, Any] | None = None,
) -> Json:
    """Lay an applied configuration over the live object.

    Args:
        live: the object before; None where there is none.
        applied: the configuration; must not carry managedFields.
        typedef: its type.
        owner: who applies.
        force: take fields from other managers instead of reporting a conflict.
        resets: fields that this endpoint sets back whatever is written; they have no owner.
        empty: as for :func:`~zestor_controller.apiserver.patch.managedfields.update`, for the fields of an object whose
            owners were not tracked before.

    Returns:
        The merged object with managedFields; the live one itself when the apply changes nothing.

    Raises:
        Failure: 400 for managedFields in the configuration, 409 for conflicts, 500 for a configuration that does not
            fit its type (as kube-apiserver has it).
    """
    _check_configuration(applied, typedef)
    bare_live: Json = without_managers(live) if live is not None else {}
    managers = _managers(live)
    if live is not None and not managers:
        first = replace(owner, manager=BEFORE_FIRST_APPLY)
        record_update(managers, dict(empty or {}), bare_live, typedef, first, resets or {})
    merged, after, conflicts = _merge(bare_live, managers, _Application(applied, typedef, owner, resets or {}))
    if conflicts and not force:
        _check_conflicts(conflicts, owner, bare_live, typedef)
    if owner.manager == KUBECTL:
        merged = lastapplied.renewed(merged, applied)
    _set_time(after, managers, owner, changed=live is None or not same(merged, bare_live))
    written = with_managers(merged, after)
    return live if live is not None and same(written, live) else written


def _check_configuration(applied: Json, typedef: TypeDef) -> None:
    meta = applied.get("metadata")
    if isinstance(meta, dict) and meta.get("managedFields") is not None:
        raise bad_request("metadata.managedFields must be nil")
    _fits(applied, typedef)


def _managers(live: Json | None) -> Managers:
    try:
        return read_managers(live)
    except ValueError as error:
        raise Failure(status_body(500, f"failed to decode managed fields: {error}")) from None


def _check_conflicts(conflicts: dict[ManagerId, FieldSet], owner: FieldOwner, live: Json, typedef: TypeDef) -> None:
    if owner.manager == KUBECTL:
        allowed = lastapplied.unchanged(live, typedef, owner.api_version)
        conflicts = {who: left for who, lost in conflicts.items() if (left := difference(lost, allowed))}
    if conflicts:
        raise _conflict(conflicts)


def _set_time(after: Managers, before: Managers, owner: FieldOwner, *, changed: bool) -> None:
    """Date the applier's entry; an apply that changes nothing of the object is not a new point in time."""
    who = owner.id("Apply")
    if who in after:
        last = before.get(who)
        time = owner.now if changed else last.time if last is not None else ""
        after[who] = replace(after[who], time=time)


@dataclass(frozen=True, slots=True)
class _Application:
    applied: Json
    typedef: TypeDef
    owner: FieldOwner
    resets: FieldSet


def _merge(live: Json, managers: Managers, request: _Application) -> tuple[Json, Managers, dict[ManagerId, FieldSet]]:
    """The merged object, the managers after it, and what each other manager loses; `managers` is not changed."""
    typedef, who = request.typedef, request.owner.id("Apply")
    after = {key: ManagerEntry(entry.fields, entry.api_version, entry.time) for key, entry in managers.items()}
    try:
        merged: Json = merge(live, request.applied, typedef)
    except ValueError as error:
        raise Failure(status_body(500, f"failed to merge config: {error}")) from None
    last = managers.get(who)
    fields = difference(field_set(request.applied, typedef), request.resets)
    after[who] = ManagerEntry(fields, request.owner.api_version, "")
    if last is not None and last.fields:
        merged = _pruned(merged, typedef, last.fields, [entry.fields for entry in after.values()])
    merged = _identity(merged, live)
    changed = compare(live, merged, typedef)
    taken = difference(union(changed.modified, changed.added), request.resets)
    conflicts = transfer(after, who, taken, difference(changed.removed, request.resets))
    mine = after.get(who)
    if mine is not None:
        left = difference(mine.fields, UNMANAGED)
        if left:
            after[who] = replace(mine, fields=left)
        else:
            del after[who]
    return merged, after, conflicts


def _pruned(merged: Json, typedef: TypeDef, last: FieldSet, owners: list[FieldSet]) -> Json:
    """The merged object without what its applier applied before, applies no more, and no other manager owns."""
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
    # ... and so does what was never this applier's, though it is inside what was.
    pruned: Json = remove(merged, typedef, intersection(difference(everything, kept), last))
    return pruned


def _fits(applied: Json, typedef: TypeDef) -> None:
    why = misfits(applied, typedef)
    if why:
        meta = applied.get("metadata")
        meta = meta if isinstance(meta, dict) else {}
        what = f"{meta.get('namespace') or ''}/{meta.get('name') or ''}"
        version = str(applied.get("apiVersion") or "")
        kind = f"{version if '/' in version else '/' + version}, Kind={applied.get('kind')}"
        raise Failure(status_body(500, f"failed to create typed patch object ({what}; {kind}): {why}"))


def _conflict(conflicts: dict[ManagerId, FieldSet]) -> Failure:
    groups = [(who.shown(), list(paths(conflicts[who]))) for who in sorted(conflicts, key=ManagerId.identifier)]
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
