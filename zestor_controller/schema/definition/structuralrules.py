"""The rules that make a schema structural.

Every value's type is said once, outside of ``allOf``, ``anyOf``, ``oneOf`` and ``not``, which may only restrict what is
said there.

The complaints are those of ``k8s.io/apiextensions-apiserver/pkg/apiserver/schema``, sorted by their text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from zestor_controller.schema.fielderror import FieldError, forbidden, invalid, required
from zestor_controller.schema.pattern import PatternError, compile_pattern
from zestor_controller.schema.structural import NotStructural, Schema, Structural, check_supported, parse

__all__ = ["ROOT", "check", "check_structural", "check_values"]

ROOT = "openAPIV3Schema"

_INT_OR_STRING = ({"type": "integer"}, {"type": "string"})
_EMPTY_TYPE = {
    "root": "must not be empty at the root",
    "item": "must not be empty for specified array items",
    "field": "must not be empty for specified object fields",
}
_FORBIDDEN_INSIDE = (
    ("type", "must be empty to be structural"),
    ("default", "must be undefined to be structural"),
    ("title", "must be empty to be structural"),
    ("description", "must be empty to be structural"),
    ("nullable", "must be false to be structural"),
    ("x-kubernetes-preserve-unknown-fields", "must be false to be structural"),
    ("x-kubernetes-embedded-resource", "must be false to be structural"),
    ("x-kubernetes-int-or-string", "must be false to be structural"),
    ("x-kubernetes-list-map-keys", "must be empty to be structural"),
    ("x-kubernetes-list-type", "must be undefined to be structural"),
    ("x-kubernetes-map-type", "must be undefined to be structural"),
    ("x-kubernetes-validations", "must be empty to be structural"),
)
_ONLY_NAMES = "must not specify anything other than name and generateName, but metadata is implicitly specified"


def check(schema: Schema, path: str = ROOT) -> list[FieldError]:
    """Whether a schema is structural: what is wrong with it, field by field.

    Args:
        schema: the ``openAPIV3Schema`` of a version.
        path: where it stands, for the complaints.

    Returns:
        The complaints, sorted; none when the schema is structural.
    """
    try:
        root = parse(schema, path)
        check_values(schema, path)
    except NotStructural as error:
        return [invalid(error.path or path, "", str(error).removeprefix(f"{error.path}: "))]
    return check_structural(root, path)


def check_values(schema: Schema, path: str) -> None:
    """Look for unsupported keywords in the places that the tree of nodes does not hold.

    Raises:
        NotStructural: there is one.
    """
    for _, branch, where in _branches(schema, path):
        _check_nested(branch, where)
    for inner, where in _children(schema, path):
        check_values(inner, where)


def _check_nested(schema: Schema, path: str) -> None:
    check_supported(schema, path)
    for inner, where in _children(schema, path):
        _check_nested(inner, where)
    for _, branch, where in _branches(schema, path):
        _check_nested(branch, where)


def check_structural(root: Structural, path: str) -> list[FieldError]:
    """The complaints about a tree of nodes, sorted by their text."""
    found = [*_invariants(root, "root", path), *_completeness(root.raw, root, path, path)]
    return sorted(found, key=FieldError.message)


def _children(schema: Schema, path: str) -> Iterator[tuple[Schema, str]]:
    for name, inner in (schema.get("properties") or {}).items():
        yield inner, f"{path}.properties[{name}]"
    if isinstance(schema.get("additionalProperties"), Mapping):
        yield schema["additionalProperties"], f"{path}.additionalProperties"
    if isinstance(schema.get("items"), Mapping):
        yield schema["items"], f"{path}.items"


def _branches(schema: Schema, path: str) -> Iterator[tuple[str, Schema, str]]:
    for keyword in ("anyOf", "allOf", "oneOf"):
        for index, branch in enumerate(schema.get(keyword) or ()):
            yield keyword, branch, f"{path}.{keyword}[{index}]"
    if schema.get("not") is not None:
        yield "not", schema["not"], f"{path}.not"


def _invariants(node: Structural, level: str, path: str) -> Iterator[FieldError]:
    if node.type == "array" and node.items is None:
        yield required(f"{path}.items", "must be specified")
    if node.items is not None:
        yield from _invariants(node.items, "item", f"{path}.items")
    for name, inner in node.properties.items():
        yield from _invariants(inner, "field", f"{path}.properties[{name}]")
    if node.has_additional:
        if level == "root":
            yield forbidden(f"{path}.additionalProperties", "must not be used at the root")
        if node.additional is not None:
            yield from _invariants(node.additional, "field", f"{path}.additionalProperties")
    if node.int_or_string:
        for given, keyword in ((node.preserve, "preserve-unknown-fields"), (node.embedded, "embedded-resource")):
            if given:
                yield invalid(
                    f"{path}.x-kubernetes-{keyword}", True, "must be false if x-kubernetes-int-or-string is true"
                )
    yield from _restrictions(node.raw, path, _int_or_string_branches(node.raw))
    yield from _type_rules(node, level, path)
    yield from _meta_rules(node, level, path)


def _int_or_string_branches(schema: Schema) -> str:
    """Where the two branches that spell "integer or string" stand; they are the one exception."""
    if _is_int_or_string(schema.get("anyOf")):
        return "anyOf"
    every = schema.get("allOf") or ()
    return "allOf" if every and _is_int_or_string(every[0].get("anyOf")) else ""


def _is_int_or_string(branches: Any) -> bool:
    return isinstance(branches, list) and len(branches) == 2 and tuple(map(dict, branches)) == _INT_OR_STRING


def _type_rules(node: Structural, level: str, path: str) -> Iterator[FieldError]:
    if node.embedded and node.type != "object":
        why = "must be object if x-kubernetes-embedded-resource is true"
        yield required(f"{path}.type", why) if not node.type else invalid(f"{path}.type", node.type, why)
    elif not node.type and not node.int_or_string and not node.preserve:
        yield required(f"{path}.type", _EMPTY_TYPE[level])
    if node.embedded and node.has_additional:
        yield forbidden(f"{path}.additionalProperties", "must not be used if x-kubernetes-embedded-resource is set")
    if level == "root" and node.type and node.type != "object":
        yield invalid(f"{path}.type", node.type, "must be object at the root")


def _meta_rules(node: Structural, level: str, path: str) -> Iterator[FieldError]:
    is_object = level == "root" or node.embedded
    for name in ("kind", "apiVersion"):
        inner = node.properties.get(name)
        if is_object and inner is not None and inner.type != "string":
            yield invalid(f"{path}.properties[{name}].type", inner.type, "must be string")
    metadata = node.properties.get("metadata")
    if metadata is not None:
        where = f"{path}.properties[metadata]"
        if is_object and metadata.type != "object":
            yield invalid(f"{where}.type", metadata.type, "must be object")
        if level == "root" and not _restricts_names_only(metadata.raw):
            yield forbidden(where, _ONLY_NAMES)
    if node.embedded and not node.preserve and not node.properties:
        why = "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields"
        yield required(f"{path}.properties", why)


def _restricts_names_only(metadata: Schema) -> bool:
    given = {key for key, value in metadata.items() if value not in (None, False, "", [], {})} - {"type", "default"}
    properties = metadata.get("properties") or {}
    if metadata.get("additionalProperties") is not None:
        return False
    return given <= {"properties"} and (not properties or set(properties) <= {"name", "generateName"})


def _restrictions(schema: Schema, path: str, exception: str) -> Iterator[FieldError]:
    """What must not stand in the branches that restrict a value.

    Args:
        schema: whose branches are looked at.
        path: of the schema.
        exception: ``anyOf`` or ``allOf``: where integer-or-string is spelled by two branches.
    """
    for keyword, branch, where in _branches(schema, path):
        if keyword == "anyOf" == exception:
            continue
        first = keyword == "allOf" == exception and where.endswith(".allOf[0]")
        yield from _nested(branch, where, "anyOf" if first else "")
    pattern = schema.get("pattern")
    if pattern:
        try:
            compile_pattern(pattern)
        except PatternError as error:
            yield invalid(f"{path}.pattern", pattern, f"must be a valid regular expression, but isn't: {error}")


def _nested(schema: Schema, path: str, exception: str) -> Iterator[FieldError]:
    yield from _restrictions(schema, path, exception)
    if isinstance(schema.get("items"), Mapping):
        yield from _nested(schema["items"], f"{path}.items", "")
    properties = schema.get("properties") or {}
    for name, inner in properties.items():
        yield from _nested(inner, f"{path}.properties[{name}]", "")
    if schema.get("additionalProperties"):
        yield forbidden(f"{path}.additionalProperties", "must be undefined to be structural")
    for keyword, why in _FORBIDDEN_INSIDE:
        value = schema.get(keyword)
        if value if keyword != "default" else value is not None:
            yield forbidden(f"{path}.{keyword}", why)
    if "metadata" in properties:
        yield forbidden(f"{path}.properties[metadata]", "must not be specified in a nested context")


def _completeness(schema: Schema, node: Structural, path: str, where: str) -> Iterator[FieldError]:
    """Whatever a branch restricts must be said outside of it too."""
    for _, branch, inner in _branches(schema, where):
        yield from _nested_completeness(branch, node, path, inner)


def _nested_completeness(branch: Schema, node: Structural | None, path: str, where: str) -> Iterator[FieldError]:
    if node is None:
        yield required(path, f"because it is defined in {where}")
        return
    yield from _completeness(branch, node, path, where)
    if isinstance(branch.get("items"), Mapping):
        yield from _nested_completeness(branch["items"], node.items, f"{path}.items", f"{where}.items")
    for name, inner in (branch.get("properties") or {}).items():
        field = f".properties[{name}]"
        yield from _nested_completeness(inner, node.properties.get(name), path + field, where + field)
