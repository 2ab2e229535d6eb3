"""ObjectMeta, owner references and names: what every Kubernetes object carries.

Typed objects hold an :class:`ObjectMeta`, unstructured ones a :class:`MetadataView` of their mapping; both have
the same attribute names. Fields that this module does not know are kept, so that nothing is lost when an object is
written back.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any, Final, NamedTuple

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from zestor_controller.objects.jsonvalue import JsonObject, JsonValue

__all__ = ["KEEPS_UNKNOWN", "MetadataView", "NamespacedName", "ObjectMeta", "OwnerReference", "WireModel"]


class _KeepsUnknown(str):
    __slots__ = ()


KEEPS_UNKNOWN: Final[Any] = _KeepsUnknown("allow")
"""pydantic's ``extra="allow"``, where it is not a class's own wish: a CRD does not open the schema for it."""


class WireModel(BaseModel):
    """A model whose wire names are the camelCase of its fields' names; unknown fields are kept."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra=KEEPS_UNKNOWN)


class NamespacedName(NamedTuple):
    """A namespace and a name; its text is the name in a store: ``namespace/name``, or ``name`` without a namespace."""

    namespace: str
    name: str

    @classmethod
    def parse(cls, text: str) -> NamespacedName:
        """From ``namespace/name`` or ``name``."""
        namespace, _, name = text.rpartition("/")
        return cls(namespace, name)

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


class OwnerReference(WireModel):
    """Points from a child to its owner."""

    api_version: str = ""
    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool | None = None
    block_owner_deletion: bool | None = None


class ObjectMeta(WireModel):
    """The metadata of a typed object; times are RFC 3339 text as the server wrote them."""

    name: str = ""
    generate_name: str | None = None
    namespace: str | None = None
    uid: str | None = None
    resource_version: str | None = None
    generation: int | None = None
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    deletion_grace_period_seconds: int | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    owner_references: list[OwnerReference] | None = None
    finalizers: list[str] | None = None
    managed_fields: list[JsonObject] | None = Field(default=None, repr=False)


class MetadataView:
    """The metadata of an unstructured object: attributes over its mapping, which stays the only truth.

    Reading an absent field gives None (``name``: ""); setting None removes the field.
    """

    __slots__ = ("_meta",)

    def __init__(self, meta: MutableMapping[str, JsonValue]) -> None:
        object.__setattr__(self, "_meta", meta)

    name: str
    generate_name: str | None
    namespace: str | None
    uid: str | None
    resource_version: str | None
    generation: int | None
    creation_timestamp: str | None
    deletion_timestamp: str | None
    deletion_grace_period_seconds: int | None
    labels: dict[str, str] | None
    annotations: dict[str, str] | None
    finalizers: list[str] | None
    managed_fields: list[JsonObject] | None

    @property
    def owner_references(self) -> list[OwnerReference] | None:
        """The owners; typed copies, so change them through the mapping or by assigning a list."""
        listed = self._meta.get("ownerReferences")
        if listed is None:
            return None
        return [OwnerReference.model_validate(reference) for reference in listed]

    @owner_references.setter
    def owner_references(self, references: list[OwnerReference] | None) -> None:
        if references is None:
            self._meta.pop("ownerReferences", None)
        else:
            self._meta["ownerReferences"] = [r.model_dump(by_alias=True, exclude_none=True) for r in references]

    def __getattr__(self, name: str) -> Any:
        wire = _WIRE.get(name)
        if wire is None:
            raise AttributeError(f"metadata has no field {name!r}")
        return self._meta.get(wire, "" if name == "name" else None)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "owner_references":
            object.__setattr__(self, name, value)
            return
        wire = _WIRE.get(name)
        if wire is None:
            raise AttributeError(f"metadata has no field {name!r}")
        if value is None:
            self._meta.pop(wire, None)
        else:
            self._meta[wire] = value

    def __repr__(self) -> str:
        return f"MetadataView(name={self.name!r}, namespace={self.namespace!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MetadataView) and dict(self._meta) == dict(other._meta)

    __hash__ = None  # type: ignore[assignment]  # mutable, as the mapping behind it is

    def to_dict(self) -> Mapping[str, JsonValue]:
        """The mapping behind this view."""
        return self._meta  # type: ignore[no-any-return]


_WIRE = {name: to_camel(name) for name in ObjectMeta.model_fields if name != "owner_references"}
