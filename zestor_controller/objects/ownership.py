"""Owner references; pure."""

from __future__ import annotations

from typing import Any

from zestor_controller.objects.kind import Kind

__all__ = ["controller_reference", "is_controlled_by"]


def controller_reference(owner: Kind[Any], name: str, uid: str) -> dict[str, Any]:
    """The owner reference that makes `owner` the one controller of a child, which is collected after it."""
    return {
        "apiVersion": owner.api_version,
        "kind": owner.kind,
        "name": name,
        "uid": uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def is_controlled_by(obj: Any, uid: str) -> bool:
    """Whether the object's controlling owner has this uid."""
    return any(reference.controller and reference.uid == uid for reference in obj.metadata.owner_references or ())
