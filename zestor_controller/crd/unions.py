"""Unions as structural schemas know them: a number or a text, and objects that a tag distinguishes."""

from __future__ import annotations

import re
from typing import Any, Final

from zestor_controller.errors import SchemaError

__all__ = ["int_or_string", "is_int_or_string", "tagged_union"]

Json = dict[str, Any]

# What a server checks of numbers only, and of texts only: such limits can be set beside each other.
_OF_NUMBERS: Final = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})
_OF_TEXTS: Final = frozenset({"minLength", "maxLength", "pattern"})
_SAYS_NOTHING: Final = frozenset({"type", "description", "default"})


def is_int_or_string(branches: list[Json]) -> bool:
    """Whether the branches of a union are one integer and one string, with or without limits."""
    return sorted(str(branch.get("type")) for branch in branches) == ["integer", "string"]


def int_or_string(branches: list[Json], path: str) -> Json:
    """``int | str``: each branch's limits hold for values of its type.

    Args:
        branches: the two converted branches.
        path: where the union is.

    Raises:
        SchemaError: a limit of a branch would hold for the other too.
    """
    made: Json = {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]}
    for branch in branches:
        limits = {key: value for key, value in branch.items() if key not in _SAYS_NOTHING}
        if branch["type"] == "string" and "enum" in limits and "pattern" not in limits:
            values = "|".join(re.escape(value) for value in limits.pop("enum"))
            limits["pattern"] = f"^({values})$"
        for key in limits.keys() - (_OF_NUMBERS if branch["type"] == "integer" else _OF_TEXTS):
            raise SchemaError(
                f"{key} of one branch of the union has no structural form; use bounds for the int and a pattern for "
                "the str, or one type",
                path=path,
            )
        made |= limits
    return made


def tagged_union(tag: str, branches: list[Json], path: str) -> Json:
    """A union of objects with a discriminator: one object with the fields of all, and a ``oneOf`` branch for each tag.

    Args:
        tag: the field that distinguishes the branches.
        branches: the converted branches; a branch of a model with ``extra="forbid"`` has ``additionalProperties``
            False, which is no part of a converted schema otherwise.
        path: where the union is.

    Raises:
        SchemaError: two branches say different things about a field, or the union is nested in another.
    """
    properties: Json = {}
    tags: list[Any] = []
    alternatives: list[Json] = []
    opened = False
    for branch in branches:
        own = branch.get("properties", {})
        values = own.get(tag, {}).get("enum", [])
        rest = branch.keys() - {"type", "properties", "required", "description", "additionalProperties"}
        if own.get(tag, {}).get("type") != "string" or not values:
            raise SchemaError("the tag of a union is a Literal of texts in each branch", path=f"{path}.{tag}")
        if rest - {"x-kubernetes-preserve-unknown-fields"}:
            raise SchemaError(
                f"a branch of the union has {', '.join(sorted(rest))}, which has no structural form there; say it of "
                "the whole union, or use one model",
                path=path,
            )
        opened = opened or bool(rest)
        tags += values
        required = sorted({tag, *branch.get("required", [])})
        alternatives.append({"properties": {tag: {"enum": values}}, "required": required})
        for name, value in own.items():
            if name == tag:
                continue
            # A default would be set whatever the tag is, and then fail the other branches.
            value = {key: inner for key, inner in value.items() if key != "default"}
            if properties.setdefault(name, value) != value:
                raise SchemaError(f"the branches of the union disagree about {name!r}", path=f"{path}.{name}")
    for branch, alternative in zip(branches, alternatives, strict=True):
        unknown = sorted(properties.keys() - branch.get("properties", {}).keys())
        if branch.get("additionalProperties") is False and unknown:
            alternative["not"] = {"anyOf": [{"required": [name]} for name in unknown]}
    made: Json = {
        "type": "object",
        "properties": {tag: {"type": "string", "enum": tags}, **properties},
        "required": [tag],
        "oneOf": alternatives,
    }
    return {**made, "x-kubernetes-preserve-unknown-fields": True} if opened else made
