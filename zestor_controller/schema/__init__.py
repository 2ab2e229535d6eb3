"""Structural schemas: what a schema may say, pruning, defaulting and validation, and the rules of CRDs.

What always holds: everything here works on plain JSON values and knows no server; complaints are
:class:`FieldError` values in the words of kube-apiserver.
"""

from zestor_controller.schema.celrules import Rules, RuleSet
from zestor_controller.schema.definition import (
    check,
    check_schema,
    definition_formats,
    definition_has_rules,
    set_definition_defaults,
    validate_definition,
    validate_definition_update,
    version_schema,
)
from zestor_controller.schema.fielddefaulter import defaulter
from zestor_controller.schema.fielderror import ErrorType, FieldError
from zestor_controller.schema.fieldpruner import pruner
from zestor_controller.schema.structural import NotStructural, Structural, parse
from zestor_controller.schema.validation import Validator

__all__ = [
    "ErrorType",
    "FieldError",
    "NotStructural",
    "RuleSet",
    "Rules",
    "Structural",
    "Validator",
    "check",
    "check_schema",
    "defaulter",
    "definition_formats",
    "definition_has_rules",
    "parse",
    "pruner",
    "set_definition_defaults",
    "validate_definition",
    "validate_definition_update",
    "version_schema",
]
