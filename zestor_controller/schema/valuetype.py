"""The JSON types of values: which of them a schema's ``type`` and ``format`` allow.

Invariant: everything is decided when a schema is compiled; a value costs one look into a table by its Python type.

Source: ``k8s.io/kube-openapi/pkg/validation/validate/type.go``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["WHOLE_ONLY", "Mismatch", "schema_types", "type_table"]

Mismatch = tuple[str, str]
"""The expected and the found type, as messages name them."""

WHOLE_ONLY: Mismatch = ("", "")
"""Marks floats that are right if they are whole."""

_JSON_TYPES: dict[type, str] = {
    str: "string", bool: "boolean", int: "integer", float: "number", list: "array", dict: "object",
}  # fmt: skip
_GO_FORMATS = {"integer": "int64", "number": "float64"}


def schema_types(schema: Mapping[str, Any], of_default: bool) -> tuple[str, ...]:
    """The types that a schema allows; none when it allows all."""
    if schema.get("x-kubernetes-int-or-string") and not of_default:
        return ("integer", "string")
    return (schema["type"],) if schema.get("type") else ()


def type_table(types: tuple[str, ...], form: str) -> dict[type, Mismatch | None]:
    """For each type of a value: None when it is right, else the mismatch."""
    found: dict[type, Mismatch | None] = {}
    numeric = "number" in types or "integer" in types
    for python_type, name in _JSON_TYPES.items():
        right = name in types or (name == "integer" and "number" in types)
        maybe_whole = name == "number" and not right and "integer" in types
        go_format = _GO_FORMATS.get(name, "")
        if right:
            found[python_type] = None
        elif maybe_whole:
            found[python_type] = WHOLE_ONLY
        elif form and python_type not in (str, list):
            found[python_type] = None if go_format == form else (form, go_format)
        elif form and not numeric:
            # The format alone decides; of lists it says nothing.
            found[python_type] = None
        else:
            found[python_type] = (",".join(types), name)
    return found
