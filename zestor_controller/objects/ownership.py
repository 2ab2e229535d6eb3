"""Owner references; pure."""

from __future__ import annotations

from typing import Protocol

from zestor_controller.objects.jsonvalue import JsonObject
from zestor_controller.objects.kind import Kind
from zestor_controller.objects.meta import MetadataView, ObjectMeta

__all__ = ["controller_reference", "is_controlled_by"]


class _Owned(Protocol):
    @property
    def metadata(self) -> ObjectMeta | MetadataView: ...


def controller_reference(owner: Kind[object], name: str, uid: str) -> JsonObject:
    """The owner reference that makes `owner` the one controller of a child, which is collected after it."""
    return {
        "apiVersion": owner.api_version,
        "kind": owner.kind,
        "name": name,
        "uid": uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def is_controlled_by(obj: _Owned, uid: str) -> bool:
    """Whether the object's controlling owner has this uid."""
    return any(reference.controller and reference.uid == uid for reference in obj.metadata.owner_references or ())
