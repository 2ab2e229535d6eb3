"""The rules of a CustomResourceDefinition, for the embedded API server and the CRD compiler alike.

Invariant: a function here takes the definition as a plain object and returns field errors; it knows no server, stores
nothing and changes nothing but what :func:`set_definition_defaults` says. Values of custom resources are validated by
:mod:`zestor_controller.schema.validation`, not here.
"""

from zestor_controller.schema.definition.definitionrules import (
    definition_approval,
    definition_formats,
    definition_has_rules,
    set_definition_defaults,
    validate_definition,
    validate_definition_update,
    version_schema,
)
from zestor_controller.schema.definition.schemarules import check_schema
from zestor_controller.schema.definition.structuralrules import check

__all__ = [
    "check",
    "check_schema",
    "definition_approval",
    "definition_formats",
    "definition_has_rules",
    "set_definition_defaults",
    "validate_definition",
    "validate_definition_update",
    "version_schema",
]
