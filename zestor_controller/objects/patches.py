"""Patches: the body and the media type of each kind of PATCH."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

__all__ = ["ApplyPatch", "JsonPatch", "MergePatch", "Patch", "StrategicPatch"]


@dataclass(frozen=True, slots=True)
class MergePatch:
    """A JSON merge patch (RFC 7386): nulls delete, lists are replaced whole."""

    body: Mapping[str, object]
    media_type: ClassVar[str] = "application/merge-patch+json"


@dataclass(frozen=True, slots=True)
class JsonPatch:
    """A JSON patch (RFC 6902): operations in order, all or nothing."""

    body: Sequence[Mapping[str, object]]
    media_type: ClassVar[str] = "application/json-patch+json"


@dataclass(frozen=True, slots=True)
class StrategicPatch:
    """A strategic merge patch: built-in kinds only, lists merge by their keys."""

    body: Mapping[str, object]
    media_type: ClassVar[str] = "application/strategic-merge-patch+json"


@dataclass(frozen=True, slots=True)
class ApplyPatch:
    """A server-side apply: the fields that the sender wants to own; what it owned and leaves out is removed.

    Attributes:
        body: the fields, with apiVersion, kind and the object's name.
        force: take fields from other managers; otherwise theirs are a conflict.
    """

    body: Mapping[str, object]
    force: bool = True
    media_type: ClassVar[str] = "application/apply-patch+yaml"  # JSON is YAML


Patch = MergePatch | JsonPatch | StrategicPatch | ApplyPatch
