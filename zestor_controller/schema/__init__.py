"""Structural schemas: pruning, defaulting and validation of values, and the rules of CRDs.

Invariant: everything here works on plain JSON values and knows no server; errors are :class:`FieldError` values with
the messages of kube-apiserver.
"""

from typing import TYPE_CHECKING

from zestor_controller.deprecation import renamed
from zestor_controller.schema.celrules import RuleEngine, RuleSet
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
    "RuleEngine",
    "RuleSet",
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

if not TYPE_CHECKING:
    __getattr__ = renamed(__name__, {"Rules": ("RuleEngine", RuleEngine)}, since="0.2")
