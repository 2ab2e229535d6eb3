"""The seam of ``x-kubernetes-validations``: what a CEL engine has to offer to be used by definitions and validation.

Without an engine the rules of a definition are not looked at, beyond their form, and hold nothing back; whoever accepts
such a definition says so (:func:`has_rules`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from zestor_controller.schema.fielderror import FieldError
from zestor_controller.schema.structural import Schema, Structural

__all__ = ["RuleSet", "Rules", "has_rules"]


class RuleSet(Protocol):
    """The compiled rules of one schema."""

    def evaluate(self, new: Any, old: Any | None, path: str = "") -> tuple[list[FieldError], list[FieldError]]:
        """Apply the rules to an object.

        Args:
            new: the object, pruned, with its defaults, and valid as far as the schema without its rules says.
            old: the object before the write; None for a new one.
            path: stands before the paths of complaints.

        Returns:
            What is wrong, and what was wrong before and is unchanged, to be told in warnings.
        """
        ...


class Rules(Protocol):
    """A CEL engine."""

    def check(self, schema: Schema, path: str) -> list[FieldError]:
        """What is wrong with the rules of a schema: they do not compile, or cost too much.

        Args:
            schema: the ``openAPIV3Schema`` of a version, known to be structural.
            path: where it stands, for the complaints.
        """
        ...

    def compile(self, schema: Schema, node: Structural) -> RuleSet | None:
        """The rules of a schema that passed :meth:`check`; None when it has none."""
        ...


def has_rules(schema: Any) -> bool:
    """Whether a schema carries rules anywhere."""
    if isinstance(schema, Mapping):
        if schema.get("x-kubernetes-validations"):
            return True
        inner = [schema.get(keyword) for keyword in ("items", "additionalProperties", "not")]
        for keyword in ("allOf", "anyOf", "oneOf"):
            inner += schema.get(keyword) or []
        return any(has_rules(part) for part in [*inner, *(schema.get("properties") or {}).values()])
    return False
