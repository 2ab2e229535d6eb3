"""Objects without a class: a mutable mapping with the wire's keys and typed metadata."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

import msgspec

from zestor_controller.objects.kind import Kind
from zestor_controller.objects.lastread import Reading
from zestor_controller.objects.meta import MetadataView

__all__ = ["Unstructured", "unstructured_kind"]


class Unstructured(MutableMapping[str, Any]):
    """A Kubernetes object as it is on the wire: ``obj["spec"]["replicas"]``, and ``obj.metadata.name``.

    Args:
        body: the object; it becomes this object's own, so give a copy if you keep changing it.
        reading: its JSON, where it was read from a server.
    """

    __slots__ = ("_body", "_reading")

    def __init__(self, body: Mapping[str, Any] | None = None, *, reading: bytes | None = None) -> None:
        self._body: dict[str, Any] = body if isinstance(body, dict) else dict(body or {})
        self._reading = Reading(reading)

    @property
    def metadata(self) -> MetadataView:
        """The metadata, typed; a live view of ``self["metadata"]``, which is made when it is absent."""
        return MetadataView(self._body.setdefault("metadata", {}))

    @property
    def kind(self) -> str:
        """``kind``; empty when the object does not say."""
        return str(self._body.get("kind", ""))

    @property
    def api_version(self) -> str:
        """``apiVersion``; empty when the object does not say."""
        return str(self._body.get("apiVersion", ""))

    def to_dict(self) -> dict[str, Any]:
        """The mapping behind this object, not a copy."""
        return self._body

    def copy(self) -> Unstructured:
        """A deep copy."""
        return Unstructured(copy.deepcopy(self._body), reading=self._reading.raw)

    def __getitem__(self, key: str) -> Any:
        return self._body[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._body[key] = value

    def __delitem__(self, key: str) -> None:
        del self._body[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._body)

    def __len__(self) -> int:
        return len(self._body)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Unstructured):
            return self._body == other._body
        return self._body == other

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __repr__(self) -> str:
        meta = self._body.get("metadata") or {}
        where = f"{meta.get('namespace')}/" if meta.get("namespace") else ""
        return f"<{self.kind or 'Unstructured'} {where}{meta.get('name', '?')}>"


def unstructured_kind(kind: Kind[Any]) -> Kind[Unstructured]:
    """The same kind without its model: for objects that the model may reject."""

    def decode(data: bytes | Mapping[str, Any]) -> Unstructured:
        body = msgspec.json.decode(data) if isinstance(data, bytes) else data
        raw = data if isinstance(data, bytes) else None
        return Unstructured({"apiVersion": kind.api_version, "kind": kind.kind, **body}, reading=raw)

    def encode(obj: Any) -> dict[str, Any]:
        return {"apiVersion": kind.api_version, "kind": kind.kind, **obj}

    return dataclasses.replace(kind, model=Unstructured, decode=decode, encode=encode, replaceable=True)
