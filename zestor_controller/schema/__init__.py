"""Structural schemas: what a schema may say, pruning, defaulting and validation, and the rules of CRDs.

What always holds: everything here works on plain JSON values and knows no server; complaints are
:class:`FieldError` values in the words of kube-apiserver.
"""

import warnings

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


def __getattr__(name: str) -> object:
    if name == "Rules":
        warnings.warn("schema.Rules is schema.RuleEngine since 0.2", DeprecationWarning, stacklevel=2)
        return RuleEngine
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
