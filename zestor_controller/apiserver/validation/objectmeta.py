"""ObjectMeta: what the server sets, what a client may say, what may never change.

Source: apimachinery pkg/api/validation/objectmeta.go, apiserver pkg/registry/rest/meta.go.
"""

from __future__ import annotations

import json
import random
import uuid
from typing import Final

from zestor_controller.apiserver.rest.strategy import Strategy
from zestor_controller.apiserver.typed.typedef import Json
from zestor_controller.apiserver.validation.fieldchecks import (
    bad_label_value,
    bad_qualified_name,
)
from zestor_controller.schema.fielderror import ErrorType, FieldError, forbidden, invalid, required, too_long

__all__ = ["fold_owners", "generate_name", "new_uid", "validate_finalizers", "validate_new", "validate_update"]

_LETTERS: Final = "bcdfghjklmnpqrstvwxz2456789"
_OWNER_ORDER: Final = ("apiVersion", "kind", "name", "uid", "controller", "blockOwnerDeletion")


ANNOTATIONS_LIMIT: Final = 256 * 1024
IMMUTABLE: Final = ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")


def new_uid(rng: random.Random) -> str:
    """A random uid."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def generate_name(prefix: str, rng: random.Random) -> str:
    """A name from ``generateName``: the prefix, cut, and five letters."""
    return prefix[:58] + "".join(rng.choices(_LETTERS, k=5))


def validate_new(obj: Json, strategy: Strategy) -> list[FieldError]:
    """The rules of a new object's metadata."""
    meta = obj["metadata"]
    errors: list[FieldError] = []
    name = meta.get("name", "")
    if not name:
        errors.append(required("metadata.name", "name or generateName is required"))
    else:
        errors += [invalid("metadata.name", name, why) for why in strategy.validate_name(name)]
    if meta.get("generateName"):
        stem = str(meta["generateName"]).rstrip("-")
        errors += [invalid("metadata.generateName", stem, why) for why in strategy.validate_name(stem)]
    return errors + _common(meta) + validate_finalizers(obj, strategy)


def _common(meta: Json) -> list[FieldError]:
    errors: list[FieldError] = []
    for key, value in (meta.get("labels") or {}).items():
        errors += [invalid("metadata.labels", key, words) for words in bad_qualified_name(key)]
        errors += [invalid("metadata.labels", value, words) for words in bad_label_value(value)]
    size = 0
    for key, value in (meta.get("annotations") or {}).items():
        size += len(key) + len(value)
        errors += [invalid("metadata.annotations", key, words) for words in bad_qualified_name(key.lower())]
    if size > ANNOTATIONS_LIMIT:
        errors.append(too_long("metadata.annotations", ANNOTATIONS_LIMIT))
    finalizers = meta.get("finalizers") or []
    for finalizer in finalizers:
        errors += [invalid("metadata.finalizers", finalizer, words) for words in bad_qualified_name(finalizer)]
    if "orphan" in finalizers and "foregroundDeletion" in finalizers:
        told = "finalizer orphan and foregroundDeletion cannot be both set"
        errors.append(invalid("metadata.finalizers", finalizers, told))
    owners = meta.get("ownerReferences")
    return errors + _owners(owners) if owners else errors


def validate_finalizers(obj: Json, strategy: Strategy) -> list[FieldError]:
    """The kind's own rules of finalizers."""
    finalizers = obj["metadata"].get("finalizers")
    return strategy.validate_finalizers(finalizers) if finalizers else []


def _owner_text(owner: Json) -> str:
    ordered = {name: owner[name] for name in _OWNER_ORDER if name in owner}
    return json.dumps(ordered, separators=(",", ":"), ensure_ascii=False)


def _owners(owners: list[Json]) -> list[FieldError]:
    errors: list[FieldError] = []
    controllers = [owner for owner in owners if owner.get("controller")]
    path = "metadata.ownerReferences"  # the real server leaves the index out
    for owner in owners:
        version, kind = owner.get("apiVersion") or "", owner.get("kind") or ""
        if (version, kind) in (("v1", "Event"), ("events.k8s.io/v1", "Event")):
            group, _, number = version.rpartition("/")
            told = f"{group}/{number}, Kind={kind} is disallowed from being an owner"
            errors.append(FieldError(ErrorType.INVALID, path, owner, told, _owner_text(owner)))
        if not owner.get("apiVersion"):
            errors.append(invalid(f"{path}.apiVersion", "", "version must not be empty"))
        for field in ("kind", "name", "uid"):
            if not owner.get(field):
                errors.append(invalid(f"{path}.{field}", "", "must not be empty"))
    if len(controllers) > 1:
        names = " and ".join(f"{owner.get('kind')}/{owner.get('name')}" for owner in controllers[:2])
        told = f'Only one reference can have Controller set to true. Found "true" in references for {names}'
        shown = "[" + ",".join(_owner_text(owner) for owner in owners) + "]"
        errors.append(FieldError(ErrorType.INVALID, path, owners, told, shown))
    return errors


def fold_owners(meta: Json) -> list[str]:
    """Keep of equal owner references the first, in place; returns the uids of the others."""
    owners = meta.get("ownerReferences") or []
    kept: dict[str, Json] = {}
    twice: list[str] = []
    for owner in owners:
        if kept.setdefault(json.dumps(owner, sort_keys=True), owner) is not owner:
            twice.append(owner.get("uid") or "")
    if twice:
        meta["ownerReferences"] = list(kept.values())
    return twice


def validate_update(new: Json, old: Json) -> list[FieldError]:
    """The rules of a changed object's metadata."""
    meta, before = new["metadata"], old["metadata"]
    errors: list[FieldError] = []
    for field in IMMUTABLE:
        if meta.get(field) != before.get(field):
            errors.append(invalid(f"metadata.{field}", meta.get(field), "field is immutable"))
    if before.get("deletionTimestamp"):
        added = sorted(set(meta.get("finalizers") or ()) - set(before.get("finalizers") or ()))
        if added:
            shown = ", ".join(f'"{name}"' for name in added)
            told = "no new finalizers can be added if the object is being deleted, found new finalizers "
            told += f"[]string{{{shown}}}"
            errors.append(forbidden("metadata.finalizers", told))
    return errors + _common(meta)
