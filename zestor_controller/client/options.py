"""The options of the client's verbs, each documented once, at its key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

__all__ = ["ApplyOptions", "DeletionOptions", "ListOptions", "OwnerOptions", "PatchOptions", "WriteOptions"]


class ListOptions(TypedDict, total=False):
    """Options of ``list``."""

    namespace: str | None
    """Only this namespace; every namespace unless given."""
    labels: str | Mapping[str, str] | None
    """A label selector, as text or as a mapping of equalities."""
    fields: str | Mapping[str, str] | None
    """A field selector, as text or as a mapping of equalities."""
    limit: int
    """How many objects a page holds; 500 unless given."""


class WriteOptions(TypedDict, total=False):
    """Options of ``create``, and of every other verb that writes."""

    namespace: str | None
    """Its namespace; unless given that of the object, or else the client's own."""
    dry_run: bool
    """Let the server validate the request and write nothing."""


class PatchOptions(WriteOptions, total=False):
    """Options of ``replace`` and ``patch``."""

    subresource: str | None
    """Write this part of the object (``status``) and nothing else."""


class OwnerOptions(TypedDict, total=False):
    """Options of ``apply_status``: who owns the fields."""

    field_manager: str | None
    """The name that owns the fields; the client's own unless given."""
    force: bool
    """Take fields from other managers; True unless given."""


class ApplyOptions(PatchOptions, OwnerOptions, total=False):
    """Options of ``apply``."""


class DeletionOptions(TypedDict, total=False):
    """Options of ``delete``, sent in the request's body."""

    uid: str | None
    """Delete only the object with this uid."""
    resource_version: str | None
    """Delete only this version of the object."""
    propagation: str | None
    """``Background``, ``Foreground`` or ``Orphan``; the kind's default unless given."""
    grace_period: int | None
    """Seconds until it is killed; Pods only."""
