"""A structural schema: a CRD's ``openAPIV3Schema`` as a tree of nodes that say the shape of a value.

What always holds: a node knows everything that pruning, defaulting and the merging of lists need; the rest of the
schema (what a value may be) stays in :attr:`Structural.raw` and is read by the validation. Whether the schema keeps the
rules of structural schemas is told by :mod:`zestor_controller.schema.definition.structuralrules`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from zestor_controller.errors import SchemaError

__all__ = ["META_FIELDS", "NotStructural", "Schema", "Structural", "parse"]

Schema = Mapping[str, Any]

META_FIELDS = frozenset({"apiVersion", "kind", "metadata"})

_UNSUPPORTED = (
    ("id", "id"),
    ("$schema", "schema"),
    ("$ref", "$ref"),
    ("patternProperties", "patternProperties"),
    ("dependencies", "dependencies"),
    ("additionalItems", "additionalItems"),
    ("definitions", "definitions"),
)


class NotStructural(SchemaError):
    """A schema has a keyword that no structural schema may have; the text is the server's."""


@dataclass(slots=True, eq=False)
class Structural:
    """One node.

    Attributes:
        raw: the schema as it was written.
        default: None when there is none; a default of null does not exist.
        additional: the schema of a map's values.
        has_additional: the schema says ``additionalProperties``, if only true or false.
        preserve: unknown fields are kept.
        embedded: the value is a Kubernetes object.
    """

    raw: Schema
    type: str = ""
    nullable: bool = False
    default: Any = None
    properties: dict[str, Structural] = field(default_factory=dict)
    additional: Structural | None = None
    has_additional: bool = False
    items: Structural | None = None
    preserve: bool = False
    embedded: bool = False
    int_or_string: bool = False
    list_type: str = ""
    map_keys: tuple[str, ...] = ()
    map_type: str = ""

    def child(self, name: str) -> Structural | None:
        """The schema of a field or of a map's value; None when nothing is known of it."""
        return self.properties.get(name) or self.additional


def check_supported(schema: Schema, path: str) -> None:
    """Refuse the keywords that no structural schema has.

    Raises:
        NotStructural: one of them is there.
    """
    for keyword, shown in _UNSUPPORTED:
        if schema.get(keyword) or (keyword == "additionalItems" and schema.get(keyword) is not None):
            raise NotStructural(f"OpenAPIV3Schema '{shown}' is not supported", path=path)
    if isinstance(schema.get("items"), list):
        raise NotStructural("OpenAPIV3Schema 'items' must be a schema, but is an array", path=path)
    if schema.get("x-kubernetes-preserve-unknown-fields") is False:
        why = "internal error: 'x-kubernetes-preserve-unknown-fields' must be true or undefined"
        raise NotStructural(why, path=path)


def parse(schema: Schema, path: str = "") -> Structural:
    """The tree of a schema.

    Args:
        schema: of one version of a CRD, or a part of it.
        path: where the schema stands, for messages.

    Raises:
        NotStructural: a keyword that cannot stand in a structural schema.
        SchemaError: something is not a schema at all.
    """
    if not isinstance(schema, Mapping):
        raise SchemaError("a schema must be an object", path=path)
    check_supported(schema, path)
    items = schema.get("items")
    extra = schema.get("additionalProperties")
    properties = schema.get("properties") or {}
    if not isinstance(properties, Mapping):
        raise SchemaError("properties must be an object", path=path)
    return Structural(
        raw=schema,
        type=schema.get("type") or "",
        nullable=bool(schema.get("nullable")),
        default=schema.get("default"),
        properties={name: parse(inner, f"{path}.properties[{name}]") for name, inner in properties.items()},
        additional=parse(extra, f"{path}.additionalProperties") if isinstance(extra, Mapping) else None,
        has_additional=extra is not None,
        items=None if items is None else parse(items, f"{path}.items"),
        preserve=bool(schema.get("x-kubernetes-preserve-unknown-fields")),
        embedded=bool(schema.get("x-kubernetes-embedded-resource")),
        int_or_string=bool(schema.get("x-kubernetes-int-or-string")),
        list_type=schema.get("x-kubernetes-list-type") or "",
        map_keys=tuple(schema.get("x-kubernetes-list-map-keys") or ()),
        map_type=schema.get("x-kubernetes-map-type") or "",
    )
