"""The rules of a CRD's schemas beyond being structural: what keywords may be used where, and what lists must say.

Source: ``k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from zestor_controller.errors import SchemaError
from zestor_controller.schema.celrules import Rules
from zestor_controller.schema.definition.defaultrules import check_defaults
from zestor_controller.schema.definition.structuralrules import check_structural, check_values
from zestor_controller.schema.fielderror import FieldError, forbidden, invalid, not_supported, required
from zestor_controller.schema.fieldpath import FieldPathError, find_field
from zestor_controller.schema.stringformat import is_known
from zestor_controller.schema.structural import META_FIELDS, NotStructural, Schema, parse

__all__ = ["check_schema", "unrecognized_formats"]

_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_REASONS = ("FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired")
_ALLOWED_AT_ROOT = (
    "Description", "Type", "Format", "Title", "Maximum", "ExclusiveMaximum", "Minimum", "ExclusiveMinimum", "MaxLength",
    "MinLength", "Pattern", "MaxItems", "MinItems", "UniqueItems", "MultipleOf", "Required", "Items", "Properties",
    "ExternalDocs", "Example", "XPreserveUnknownFields", "XValidations",
)  # fmt: skip
_REFUSED_AT_ROOT = (
    "id", "$schema", "$ref", "nullable", "default", "maxProperties", "minProperties", "enum", "allOf", "oneOf", "anyOf",
    "not", "additionalProperties", "patternProperties", "dependencies", "additionalItems", "definitions",
    "x-kubernetes-embedded-resource", "x-kubernetes-int-or-string", "x-kubernetes-list-map-keys",
    "x-kubernetes-list-type", "x-kubernetes-map-type",
)  # fmt: skip
_NEWLINES = re.compile(r"[\n\r]")


@dataclass(frozen=True, slots=True)
class _Scope:
    """What holds where a schema stands.

    Attributes:
        no_defaults: why no default may be set here; None where one may.
        inside_meta: within the metadata, kind or apiVersion of an object.
    """

    no_defaults: str | None = None
    inside_meta: bool = False


def check_schema(schema: Schema, path: str, *, has_status: bool, rules: Rules | None = None) -> list[FieldError]:
    """Every rule that the schema of a version breaks.

    Args:
        schema: the ``openAPIV3Schema``.
        path: where it stands, for the complaints.
        has_status: the version has the status subresource.
        rules: the engine that compiles ``x-kubernetes-validations``; None: they are not compiled.
    """
    found = [*_root_rules(schema, path, has_status)]
    unsupported: NotStructural | None = None
    structural = False
    try:
        root = parse(schema, path)
        check_values(schema, path)
    except NotStructural as error:
        unsupported = error
    else:
        broken = check_structural(root, path) or check_defaults(root, path)
        structural = not broken
        found += broken
    found += _rules(schema, path, _Scope(), is_root=True)
    if unsupported is not None and not found:
        # The rules above tell the same in better words, where they can.
        return [invalid(path, "", str(unsupported).removeprefix(f"{unsupported.path}: "))]
    if rules is not None and structural and not found:
        found += rules.check(schema, path)
    return found


def _root_rules(schema: Schema, path: str, has_status: bool) -> Iterator[FieldError]:
    if has_status:
        if schema.get("type") and schema["type"] != "object":
            why = 'only "object" is allowed as the type at the root of the schema if the status subresource is enabled'
            yield invalid(f"{path}.type", schema["type"], why)
        elif any(_is_given(schema, keyword) for keyword in _REFUSED_AT_ROOT):
            allowed = f"[{' '.join(_ALLOWED_AT_ROOT)}]"
            why = f"only {allowed} fields are allowed at the root of the schema if the status subresource is enabled"
            yield invalid(path, dict(schema), why)
    if schema.get("nullable"):
        yield forbidden(f"{path}.nullable", "nullable cannot be true at the root")


def _is_given(schema: Schema, keyword: str) -> bool:
    if keyword in ("default", "additionalProperties"):
        return schema.get(keyword) is not None
    return schema.get(keyword) not in (None, False, "", [], {})


def _rules(schema: Schema, path: str, scope: _Scope, *, is_root: bool = False) -> Iterator[FieldError]:
    yield from _keywords(schema, path, scope)
    if schema.get("uniqueItems"):
        why = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        yield forbidden(f"{path}.uniqueItems", why)
    yield from _children(schema, path, scope, is_root=is_root)
    if schema.get("x-kubernetes-preserve-unknown-fields") is False:
        yield invalid(f"{path}.x-kubernetes-preserve-unknown-fields", False, "must be true or undefined")
    yield from _topology(schema, path)
    yield from _map_keys(schema, path)
    yield from _required_keys(schema, path)
    for index, rule in enumerate(schema.get("x-kubernetes-validations") or ()):
        yield from _rule_form(schema, rule, f"{path}.x-kubernetes-validations[{index}]")


def _keywords(schema: Schema, path: str, scope: _Scope) -> Iterator[FieldError]:
    kind = schema.get("type") or ""
    if kind and kind not in _TYPES:
        yield not_supported(f"{path}.type", kind, list(_TYPES))
    if schema.get("default") is not None and scope.no_defaults is not None:
        yield forbidden(f"{path}.default", f"must not be set {scope.no_defaults}".rstrip())
    if schema.get("id"):
        yield forbidden(f"{path}.id", "id is not supported")
    for keyword in ("additionalItems", "dependencies", "$ref"):
        if schema.get(keyword) is not None:
            yield forbidden(f"{path}.{keyword}", f"{keyword} is not supported")
    for keyword in ("patternProperties", "definitions"):
        if schema.get(keyword):
            yield forbidden(f"{path}.{keyword}", f"{keyword} is not supported")
    if kind == "null":
        yield forbidden(f"{path}.type", "type cannot be set to null, use nullable as an alternative")
    if isinstance(schema.get("items"), list) and schema["items"]:
        yield forbidden(f"{path}.items", "items must be a schema object and not an array")
    if scope.inside_meta and schema.get("x-kubernetes-embedded-resource"):
        yield forbidden(f"{path}.x-kubernetes-embedded-resource", "must not be used inside of resource meta")


def _children(schema: Schema, path: str, scope: _Scope, *, is_root: bool) -> Iterator[FieldError]:
    properties = schema.get("properties") or {}
    extra = schema.get("additionalProperties")
    if extra is not None:
        if properties and extra is not True:
            why = "additionalProperties and properties are mutual exclusive"
            yield forbidden(f"{path}.additionalProperties", why)
        inner = scope
        if scope.inside_meta:
            inner = replace(scope, no_defaults="inside additionalProperties applying to object metadata")
        if isinstance(extra, Mapping):
            yield from _rules(extra, f"{path}.additionalProperties", inner)
    for name, child in properties.items():
        inner = scope
        if (is_root or schema.get("x-kubernetes-embedded-resource")) and name in META_FIELDS:
            inner = replace(scope, inside_meta=True)
            if is_root:
                inner = replace(inner, no_defaults=f"in top-level {name}")
        yield from _rules(child, f"{path}.properties[{name}]", inner)
    if isinstance(schema.get("not"), Mapping):
        yield from _rules(schema["not"], f"{path}.not", scope)
    for keyword in ("allOf", "oneOf", "anyOf"):
        for index, branch in enumerate(schema.get(keyword) or ()):
            yield from _rules(branch, f"{path}.{keyword}[{index}]", scope)
    for name, child in (schema.get("definitions") or {}).items():
        yield from _rules(child, f"{path}.definitions[{name}]", scope)
    items = schema.get("items")
    if isinstance(items, Mapping):
        yield from _rules(items, f"{path}.items", scope)
    elif isinstance(items, list):
        for index, child in enumerate(items):
            yield from _rules(child, f"{path}.items[{index}]", scope)


def _topology(schema: Schema, path: str) -> Iterator[FieldError]:
    kind = schema.get("type") or ""
    map_type = schema.get("x-kubernetes-map-type")
    if map_type is not None:
        if kind != "object":
            why = "must be object if x-kubernetes-map-type is specified"
            yield invalid(f"{path}.type", kind, why) if kind else required(f"{path}.type", why)
        if map_type not in ("atomic", "granular"):
            yield not_supported(f"{path}.x-kubernetes-map-type", map_type, ["atomic", "granular"])
    list_type = schema.get("x-kubernetes-list-type")
    if list_type is None:
        return
    items = schema.get("items")
    if kind != "array":
        why = "must be array if x-kubernetes-list-type is specified"
        yield invalid(f"{path}.type", kind, why) if kind else required(f"{path}.type", why)
    elif list_type == "set" and isinstance(items, Mapping):
        yield from _set_items(items, f"{path}.items")
    if list_type not in ("atomic", "set", "map"):
        yield not_supported(f"{path}.x-kubernetes-list-type", list_type, ["atomic", "set", "map"])


def _set_items(items: Schema, path: str) -> Iterator[FieldError]:
    why = "must be atomic as item of a list with x-kubernetes-list-type=set"
    list_type = items.get("x-kubernetes-list-type")
    if items.get("type") == "array" and list_type not in (None, "atomic"):
        yield invalid(f"{path}.x-kubernetes-list-type", list_type, why)
    if items.get("type") == "object" and items.get("x-kubernetes-map-type") != "atomic":
        # The server shows the list type here, which is the wrong one.
        yield invalid(f"{path}.x-kubernetes-map-type", list_type, why)


def _map_keys(schema: Schema, path: str) -> Iterator[FieldError]:
    list_type = schema.get("x-kubernetes-list-type")
    keys = list(schema.get("x-kubernetes-list-map-keys") or ())
    where = f"{path}.x-kubernetes-list-map-keys"
    if keys and list_type != "map":
        why = "must be map if x-kubernetes-list-map-keys is non-empty"
        at = f"{path}.x-kubernetes-list-type"
        yield required(at, why) if list_type is None else invalid(at, list_type, why)
    if list_type != "map":
        return
    if not keys:
        yield required(where, "must not be empty if x-kubernetes-list-type is map")
    items = schema.get("items")
    if items is None:
        yield required(f"{path}.items", "must have a schema if x-kubernetes-list-type is map")
        return
    if not isinstance(items, Mapping):
        yield invalid(f"{path}.items", items, "must only have a single schema if x-kubernetes-list-type is map")
        return
    kind = items.get("type") or ""
    if kind != "object":
        why = "must be object if parent array's x-kubernetes-list-type is map"
        yield invalid(f"{path}.items.type", kind, why)
        return
    properties = items.get("properties") or {}
    for index, key in enumerate(keys):
        if key not in properties:
            yield invalid(where, keys, "entries must all be names of item properties")
        elif properties[key].get("type") in ("array", "object"):
            why = "must be a scalar type if parent array's x-kubernetes-list-type is map"
            yield invalid(f"{path}.items.properties[{key}].type", kind, why)
        if key in keys[:index]:
            yield invalid(where, keys, "must not contain duplicate entries")


def _required_keys(schema: Schema, path: str) -> Iterator[FieldError]:
    items = schema.get("items")
    list_type = schema.get("x-kubernetes-list-type")
    if not isinstance(items, Mapping) or list_type not in ("set", "map"):
        return
    if items.get("nullable"):
        yield forbidden(f"{path}.items.nullable", f"cannot be nullable when x-kubernetes-list-type is {list_type}")
    if list_type != "map":
        return
    needed = items.get("required") or ()
    prefix = "this property is in x-kubernetes-list-map-keys, so it"
    for key in schema.get("x-kubernetes-list-map-keys") or ():
        field = (items.get("properties") or {}).get(key)
        if field is None:
            continue
        where = f"{path}.items.properties[{key}]"
        if key not in needed and field.get("default") is None:
            yield required(f"{where}.default", f"{prefix} must have a default or be a required property")
        if field.get("nullable"):
            yield forbidden(f"{where}.nullable", f"{prefix} cannot be nullable")


def _rule_form(schema: Schema, rule: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    text, message = rule.get("rule") or "", rule.get("message") or ""
    if not text.strip():
        yield required(f"{path}.rule", "rule is not specified")
    elif message and not message.strip():
        yield invalid(f"{path}.message", message, "must be non-empty if specified")
    elif _NEWLINES.search(message.strip()):
        yield invalid(f"{path}.message", message, "must not contain line breaks")
    elif _NEWLINES.search(text.strip()) and not message.strip():
        yield required(f"{path}.message", "message must be specified if rule contains line breaks")
    expression = rule.get("messageExpression") or ""
    if expression and not expression.strip():
        yield required(f"{path}.messageExpression", "messageExpression must be non-empty if specified")
    reason = rule.get("reason")
    if reason is not None and reason not in _REASONS:
        yield not_supported(f"{path}.reason", reason, list(_REASONS))
    field = rule.get("fieldPath") or ""
    if field and not field.strip():
        yield invalid(f"{path}.fieldPath", field, "must be non-empty if specified")
    if _NEWLINES.search(field):
        yield invalid(f"{path}.fieldPath", field, "must not contain line breaks")
    if field and not _refers(schema, field):
        yield invalid(f"{path}.fieldPath", field, "must be a valid path")


def _refers(schema: Schema, field: str) -> bool:
    try:
        find_field(parse(schema), field)
    except FieldPathError:
        return False
    except SchemaError:
        # What is wrong with the schema is told elsewhere.
        return True
    return True


def unrecognized_formats(schema: Any) -> list[str]:
    """The formats in a schema that mean nothing to the server."""
    if not isinstance(schema, Mapping):
        return []
    kind = schema.get("type") or ""
    form = schema.get("format")
    found = [form] if form and not is_known(form, (kind,)) else []
    inner: list[Any] = []
    items = schema.get("items")
    inner += items if isinstance(items, list) else [items]
    for keyword in ("allOf", "anyOf", "oneOf"):
        inner += schema.get(keyword) or []
    inner += [schema.get("not"), *(schema.get("properties") or {}).values(), schema.get("additionalProperties")]
    for part in inner:
        found += unrecognized_formats(part)
    return found
