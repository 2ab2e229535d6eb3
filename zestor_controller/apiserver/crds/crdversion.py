"""One version of a CustomResourceDefinition, compiled: its schema as functions that prune, default and validate.

Invariant: a compiled version never changes; a changed definition is compiled anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from zestor_controller.apiserver.encoding import typedcodec as codec
from zestor_controller.apiserver.typed.fieldtable import OBJECT_META
from zestor_controller.apiserver.typed.typedef import Json
from zestor_controller.schema.celrules import RuleEngine, RuleSet, has_rules
from zestor_controller.schema.embeddedresource import Coercer, EmbeddedCheck, coercer, embedded_check
from zestor_controller.schema.fielddefaulter import Defaulter, defaulter
from zestor_controller.schema.fieldpruner import Pruner, pruner
from zestor_controller.schema.listtype import ListCheck, list_check
from zestor_controller.schema.structural import Schema, Structural, parse
from zestor_controller.schema.validation import Validator

__all__ = ["CompiledVersion", "compile_version", "read_metadata"]


def read_metadata(value: Any) -> tuple[Json, list[str]]:
    """ObjectMeta as Go reads and writes it, and the paths of its unknown fields."""
    if value is not None and not isinstance(value, dict):
        found = {str: "string", bool: "bool", list: "array"}.get(type(value), "number")
        raise ValueError(f"json: cannot unmarshal {found} into Go value of type v1.ObjectMeta")
    metadata, complaints = codec.decode(OBJECT_META, value or {}, ())
    if metadata.get("managedFields") == []:
        del metadata["managedFields"]  # resets the entries of built-in kinds only
    return metadata, [text.split('"')[1] for text in complaints]


@dataclass(frozen=True, slots=True)
class CompiledVersion:
    """One version of a definition: its schema, with everything that is made of it once."""

    api_version: str
    schema: Schema
    node: Structural
    prune: Pruner
    default: Defaulter | None
    validator: Validator
    status_validator: Validator | None
    check_lists: ListCheck | None
    check_embedded: EmbeddedCheck | None
    coerce: Coercer | None
    rules: RuleSet | None
    has_rules: bool

    def clean(self, obj: Json, unknown: list[str] | None = None) -> None:
        """Take out what the schema does not know, in place.

        Raises:
            CoercionError: an embedded object cannot be read.
        """
        if unknown is None:
            self.prune(obj, None)
            if self.coerce is not None:
                self.coerce(obj, "", None)
            return
        found: list[str] = []
        self.prune(obj, found)
        unknown += sorted(found)
        if self.coerce is not None:
            unknown_fields: list[str] = []
            self.coerce(obj, "", unknown_fields)
            unknown += sorted(unknown_fields)


def compile_version(api_version: str, schema: Schema, rules: RuleEngine | None) -> CompiledVersion:
    """Compile the schema of a version, with its rules where there is a CEL engine."""
    node = parse(schema)
    status = (schema.get("properties") or {}).get("status")
    return CompiledVersion(
        api_version=api_version,
        schema=schema,
        node=node,
        prune=pruner(node),
        default=defaulter(node),
        validator=Validator(schema, node),
        status_validator=Validator(status, node.properties["status"]) if status is not None else None,
        check_lists=list_check(node),
        check_embedded=embedded_check(node),
        coerce=coercer(node, read_metadata),
        rules=rules.compile(schema, node) if rules is not None else None,
        has_rules=has_rules(schema),
    )
