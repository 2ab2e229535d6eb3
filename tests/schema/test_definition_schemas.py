"""The schemas of definitions, rule by rule: what kube-apiserver 1.36 says to each.

Every expectation is the list of causes that the API server's own code returned for the definition.
"""

from __future__ import annotations

from typing import Any

import pytest

from zestor_controller.schema import set_definition_defaults, validate_definition

ROOT = "spec.validation.openAPIV3Schema"


def definition(schema: dict[str, Any], subresources: dict[str, Any] | None = None) -> dict[str, Any]:
    version: dict[str, Any] = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    if subresources is not None:
        version["subresources"] = subresources
    names = {"plural": "bads", "kind": "Bad"}
    spec = {"group": "example.com", "scope": "Namespaced", "names": names, "versions": [version]}
    return {"metadata": {"name": "bads.example.com"}, "spec": spec}


def errors(schema: dict[str, Any], subresources: dict[str, Any] | None = None) -> list[str]:
    """The errors of a definition, their paths below the schema's."""
    crd = definition(schema, subresources)
    set_definition_defaults(crd)
    return [error.message().removeprefix(ROOT).removeprefix(".") for error in validate_definition(crd)]


def errors_of_field(schema: dict[str, Any]) -> list[str]:
    """The errors of a field's schema, their paths below the field's."""
    found = errors({"type": "object", "properties": {"f": schema}})
    return [message.removeprefix("properties[f]").removeprefix(".") for message in found]


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        pytest.param(
            {"type": "text"},
            [
                (
                    'type: Unsupported value: "text": supported values: "array", "boolean", '
                    '"integer", "number", "object", "string"'
                ),
            ],
            id="unknown type",
        ),
        pytest.param(
            {"type": "null"},
            [
                (
                    'type: Unsupported value: "null": supported values: "array", "boolean", '
                    '"integer", "number", "object", "string"'
                ),
                "type: Forbidden: type cannot be set to null, use nullable as an alternative",
            ],
            id="null type",
        ),
        pytest.param({"type": "string", "id": "x"}, ["id: Forbidden: id is not supported"], id="id"),
        pytest.param({"$ref": "#/a"}, ["$ref: Forbidden: $ref is not supported"], id="ref"),
        pytest.param(
            {"type": "object", "dependencies": {"a": ["b"]}},
            ["dependencies: Forbidden: dependencies is not supported"],
            id="dependencies",
        ),
        pytest.param(
            {"type": "object", "definitions": {"a": {"type": "string"}}},
            ["definitions: Forbidden: definitions is not supported"],
            id="definitions",
        ),
        pytest.param(
            {"type": "object", "patternProperties": {"a": {"type": "string"}}},
            ["patternProperties: Forbidden: patternProperties is not supported"],
            id="patternProperties",
        ),
        pytest.param(
            {"type": "array", "items": {"type": "string"}, "additionalItems": True},
            ["additionalItems: Forbidden: additionalItems is not supported"],
            id="additionalItems",
        ),
        pytest.param(
            {"type": "array", "items": [{"type": "string"}]},
            ["items: Forbidden: items must be a schema object and not an array"],
            id="items list",
        ),
        pytest.param(
            {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
            [
                (
                    "uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime "
                    "complexity becomes quadratic"
                ),
            ],
            id="uniqueItems",
        ),
        pytest.param(
            {"type": "object", "x-kubernetes-preserve-unknown-fields": False},
            [
                "x-kubernetes-preserve-unknown-fields: Invalid value: false: must be true or undefined",
            ],
            id="preserve false",
        ),
        pytest.param({}, ["type: Required value: must not be empty for specified object fields"], id="no type"),
        pytest.param({"x-kubernetes-preserve-unknown-fields": True}, [], id="no type but preserved"),
        pytest.param({"type": "array"}, ["items: Required value: must be specified"], id="array without items"),
        pytest.param(
            {"type": "string", "pattern": "("},
            [
                (
                    'pattern: Invalid value: "(": must be a valid regular expression, but isn\'t: '
                    "error parsing regexp: missing closing ): `(`"
                ),
            ],
            id="pattern",
        ),
        pytest.param(
            {"type": "string", "anyOf": [{"pattern": "("}]},
            [
                (
                    'anyOf[0].pattern: Invalid value: "(": must be a valid regular expression, but '
                    "isn't: error parsing regexp: missing closing ): `(`"
                ),
            ],
            id="pattern in branch",
        ),
    ],
)
def test_a_field_has_one_known_type_and_no_keyword_that_the_server_does_not_support(
    schema: dict[str, Any], expected: list[str]
) -> None:
    assert errors_of_field(schema) == expected


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        pytest.param(
            {
                "type": "object",
                "properties": {"a": {"type": "string"}},
                "additionalProperties": {"type": "string"},
            },
            [
                "additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive",
            ],
            id="both",
        ),
        pytest.param(
            {
                "type": "object",
                "properties": {"a": {"type": "string"}},
                "additionalProperties": True,
            },
            [],
            id="both, true",
        ),
        pytest.param(
            {
                "type": "object",
                "properties": {"a": {"type": "string"}},
                "additionalProperties": False,
            },
            [
                "additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive",
            ],
            id="both, false",
        ),
        pytest.param({"type": "object", "additionalProperties": False}, [], id="false"),
        pytest.param({"type": "object", "additionalProperties": True}, [], id="true"),
        pytest.param(
            {
                "type": "object",
                "x-kubernetes-preserve-unknown-fields": True,
                "additionalProperties": {"type": "string"},
            },
            [],
            id="preserve with additional",
        ),
        pytest.param(
            {"type": "object", "additionalProperties": {}},
            [
                "additionalProperties.type: Required value: must not be empty for specified object fields",
            ],
            id="untyped values",
        ),
        pytest.param(
            {"type": "array", "items": {}},
            ["items.type: Required value: must not be empty for specified array items"],
            id="untyped items",
        ),
        pytest.param(
            {"type": "object", "properties": {"a": {}}},
            ["properties[a].type: Required value: must not be empty for specified object fields"],
            id="untyped field",
        ),
    ],
)
def test_fields_and_values_of_a_map_exclude_each_other_and_have_types(
    schema: dict[str, Any], expected: list[str]
) -> None:
    assert errors_of_field(schema) == expected


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        pytest.param(
            {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "bag"},
            [
                'x-kubernetes-list-type: Unsupported value: "bag": supported values: "atomic", "set", "map"',
            ],
            id="unknown list type",
        ),
        pytest.param(
            {"type": "object", "x-kubernetes-list-type": "atomic"},
            ['type: Invalid value: "object": must be array if x-kubernetes-list-type is specified'],
            id="of an object",
        ),
        pytest.param(
            {"x-kubernetes-list-type": "atomic", "x-kubernetes-preserve-unknown-fields": True},
            ["type: Required value: must be array if x-kubernetes-list-type is specified"],
            id="without type",
        ),
        pytest.param(
            {"type": "array", "items": {"type": "string"}, "x-kubernetes-map-type": "atomic"},
            ['type: Invalid value: "array": must be object if x-kubernetes-map-type is specified'],
            id="map type of array",
        ),
        pytest.param(
            {"x-kubernetes-map-type": "atomic", "x-kubernetes-preserve-unknown-fields": True},
            ["type: Required value: must be object if x-kubernetes-map-type is specified"],
            id="map type without type",
        ),
        pytest.param(
            {"type": "object", "x-kubernetes-map-type": "fine"},
            [
                'x-kubernetes-map-type: Unsupported value: "fine": supported values: "atomic", "granular"',
            ],
            id="unknown map type",
        ),
        pytest.param(
            {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "object"}},
            [
                (
                    "items.x-kubernetes-map-type: Invalid value: null: must be atomic as item of a "
                    "list with x-kubernetes-list-type=set"
                ),
            ],
            id="set of objects",
        ),
        pytest.param(
            {
                "type": "array",
                "x-kubernetes-list-type": "set",
                "items": {"type": "object", "x-kubernetes-map-type": "atomic"},
            },
            [],
            id="set of atomic objects",
        ),
        pytest.param(
            {
                "type": "array",
                "x-kubernetes-list-type": "set",
                "items": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
            },
            [
                (
                    'items.x-kubernetes-list-type: Invalid value: "set": must be atomic as item of '
                    "a list with x-kubernetes-list-type=set"
                ),
            ],
            id="set of sets",
        ),
        pytest.param(
            {
                "type": "array",
                "x-kubernetes-list-type": "set",
                "items": {"type": "array", "x-kubernetes-list-type": "atomic", "items": {"type": "string"}},
            },
            [],
            id="set of atomic arrays",
        ),
        pytest.param(
            {
                "type": "array",
                "x-kubernetes-list-type": "set",
                "items": {"type": "string", "nullable": True},
            },
            ["items.nullable: Forbidden: cannot be nullable when x-kubernetes-list-type is set"],
            id="set of nullable",
        ),
        pytest.param(
            {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-map-keys": ["a"]},
            [
                "x-kubernetes-list-type: Required value: must be map if x-kubernetes-list-map-keys is non-empty",
            ],
            id="keys without map",
        ),
        pytest.param(
            {
                "type": "array",
                "x-kubernetes-list-type": "set",
                "items": {"type": "string"},
                "x-kubernetes-list-map-keys": ["a"],
            },
            [
                (
                    'x-kubernetes-list-type: Invalid value: "set": must be map if '
                    "x-kubernetes-list-map-keys is non-empty"
                ),
            ],
            id="keys of a set",
        ),
        pytest.param(
            {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "items": {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
            },
            [
                "x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map",
            ],
            id="map without keys",
        ),
        pytest.param(
            {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["a"]},
            [
                "items: Required value: must be specified",
                "items: Required value: must have a schema if x-kubernetes-list-type is map",
            ],
            id="map without items",
        ),
        pytest.param(
            {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["a"],
                "items": {"type": "string"},
            },
            [
                (
                    'items.type: Invalid value: "string": must be object if parent array\'s '
                    "x-kubernetes-list-type is map"
                ),
            ],
            id="map of strings",
        ),
        pytest.param(
            {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["a"],
                "items": {"x-kubernetes-preserve-unknown-fields": True},
            },
            [
                'items.type: Invalid value: "": must be object if parent array\'s x-kubernetes-list-type is map',
            ],
            id="map of untyped",
        ),
        pytest.param(
            {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["b"],
                "items": {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
            },
            [
                'x-kubernetes-list-map-keys: Invalid value: ["b"]: entries must all be names of item properties',
            ],
            id="unknown key",
        ),
        pytest.param(
            {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["a", "a"],
                "items": {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
            },
            [
                'x-kubernetes-list-map-keys: Invalid value: ["a","a"]: must not contain duplicate entries',
            ],
            id="repeated key",
        ),
        pytest.param(
            {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["a"],
                "items": {"type": "object", "properties": {"a": {"type": "object"}}, "required": ["a"]},
            },
            [
                (
                    'items.properties[a].type: Invalid value: "object": must be a scalar type if '
                    "parent array's x-kubernetes-list-type is map"
                ),
            ],
            id="object key",
        ),
        pytest.param(
            {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["a"],
                "items": {
                    "type": "object",
                    "properties": {"a": {"type": "array", "items": {"type": "string"}}},
                    "required": ["a"],
                },
            },
            [
                (
                    'items.properties[a].type: Invalid value: "object": must be a scalar type if '
                    "parent array's x-kubernetes-list-type is map"
                ),
            ],
            id="array key",
        ),
        pytest.param(
            {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["a"],
                "items": {"type": "object", "properties": {"a": {"type": "string"}}},
            },
            [
                (
                    "items.properties[a].default: Required value: this property is in "
                    "x-kubernetes-list-map-keys, so it must have a default or be a required "
                    "property"
                ),
            ],
            id="optional key",
        ),
        pytest.param(
            {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["a"],
                "items": {"type": "object", "properties": {"a": {"type": "string", "default": "x"}}},
            },
            [],
            id="key with a default",
        ),
        pytest.param(
            {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["a"],
                "items": {
                    "type": "object",
                    "properties": {"a": {"type": "string", "nullable": True}},
                    "required": ["a"],
                },
            },
            [
                (
                    "items.properties[a].nullable: Forbidden: this property is in "
                    "x-kubernetes-list-map-keys, so it cannot be nullable"
                ),
            ],
            id="nullable key",
        ),
        pytest.param(
            {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["a"],
                "items": {
                    "type": "object",
                    "nullable": True,
                    "properties": {"a": {"type": "string"}},
                    "required": ["a"],
                },
            },
            ["items.nullable: Forbidden: cannot be nullable when x-kubernetes-list-type is map"],
            id="nullable items",
        ),
        pytest.param(
            {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["a", "b"],
                "items": {
                    "type": "object",
                    "properties": {"a": {"type": "string"}, "b": {"type": "integer"}},
                    "required": ["a", "b"],
                },
            },
            [],
            id="two keys",
        ),
    ],
)
def test_lists_and_maps_say_how_they_are_merged_and_items_have_scalar_keys_that_are_always_set(
    schema: dict[str, Any], expected: list[str]
) -> None:
    assert errors_of_field(schema) == expected


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        pytest.param(
            {"type": "string", "anyOf": [{"type": "string"}]},
            ["anyOf[0].type: Forbidden: must be empty to be structural"],
            id="type in anyOf",
        ),
        pytest.param(
            {"type": "string", "allOf": [{"title": "t"}]},
            ["allOf[0].title: Forbidden: must be empty to be structural"],
            id="title in allOf",
        ),
        pytest.param(
            {"type": "string", "oneOf": [{"description": "t"}]},
            ["oneOf[0].description: Forbidden: must be empty to be structural"],
            id="description in oneOf",
        ),
        pytest.param(
            {"type": "string", "not": {"default": "a"}},
            ["not.default: Forbidden: must be undefined to be structural"],
            id="default in not",
        ),
        pytest.param(
            {"type": "string", "anyOf": [{"nullable": True}]},
            ["anyOf[0].nullable: Forbidden: must be false to be structural"],
            id="nullable in anyOf",
        ),
        pytest.param(
            {"type": "object", "anyOf": [{"additionalProperties": {"type": "string"}}]},
            ["anyOf[0].additionalProperties: Forbidden: must be undefined to be structural"],
            id="additional in anyOf",
        ),
        pytest.param(
            {"type": "object", "anyOf": [{"x-kubernetes-preserve-unknown-fields": True}]},
            [
                "anyOf[0].x-kubernetes-preserve-unknown-fields: Forbidden: must be false to be structural",
            ],
            id="preserve in anyOf",
        ),
        pytest.param(
            {"type": "object", "allOf": [{"x-kubernetes-embedded-resource": True}]},
            ["allOf[0].x-kubernetes-embedded-resource: Forbidden: must be false to be structural"],
            id="embedded in allOf",
        ),
        pytest.param(
            {"type": "object", "not": {"x-kubernetes-int-or-string": True}},
            ["not.x-kubernetes-int-or-string: Forbidden: must be false to be structural"],
            id="int-or-string in not",
        ),
        pytest.param(
            {
                "type": "array",
                "items": {"type": "string"},
                "anyOf": [{"x-kubernetes-list-type": "set"}],
            },
            [
                "anyOf[0].x-kubernetes-list-type: Forbidden: must be undefined to be structural",
                "anyOf[0].type: Required value: must be array if x-kubernetes-list-type is specified",
            ],
            id="list type in anyOf",
        ),
        pytest.param(
            {
                "type": "array",
                "items": {"type": "string"},
                "anyOf": [{"x-kubernetes-list-map-keys": ["a"]}],
            },
            [
                "anyOf[0].x-kubernetes-list-map-keys: Forbidden: must be empty to be structural",
                (
                    "anyOf[0].x-kubernetes-list-type: Required value: must be map if "
                    "x-kubernetes-list-map-keys is non-empty"
                ),
            ],
            id="map keys in anyOf",
        ),
        pytest.param(
            {"type": "object", "anyOf": [{"x-kubernetes-map-type": "atomic"}]},
            [
                "anyOf[0].x-kubernetes-map-type: Forbidden: must be undefined to be structural",
                "anyOf[0].type: Required value: must be object if x-kubernetes-map-type is specified",
            ],
            id="map type in anyOf",
        ),
        pytest.param(
            {"type": "object", "anyOf": [{"x-kubernetes-validations": [{"rule": "true"}]}]},
            ["anyOf[0].x-kubernetes-validations: Forbidden: must be empty to be structural"],
            id="validations in anyOf",
        ),
        pytest.param(
            {
                "type": "object",
                "properties": {"a": {"type": "string"}},
                "anyOf": [{"properties": {"b": {"pattern": "x"}}}],
            },
            [],
            id="unknown field in a branch",
        ),
        pytest.param(
            {
                "type": "object",
                "properties": {"a": {"type": "string"}},
                "anyOf": [{"properties": {"a": {"pattern": "x"}}}],
            },
            [],
            id="known field in a branch",
        ),
        pytest.param({"type": "object", "anyOf": [{"items": {"pattern": "x"}}]}, [], id="items of no array"),
        pytest.param(
            {"type": "array", "items": {"type": "string"}, "anyOf": [{"items": {"pattern": "x"}}]},
            [],
            id="items in a branch",
        ),
        pytest.param(
            {
                "type": "object",
                "properties": {"a": {"type": "string"}},
                "anyOf": [{"required": ["a"]}, {"required": ["b"]}],
            },
            [],
            id="required in a branch",
        ),
        pytest.param(
            {
                "type": "object",
                "properties": {"a": {"type": "string"}},
                "allOf": [{"not": {"properties": {"b": {}}}}],
            },
            [],
            id="nested branch",
        ),
        pytest.param(
            {
                "type": "object",
                "x-kubernetes-embedded-resource": True,
                "x-kubernetes-preserve-unknown-fields": True,
                "properties": {"metadata": {"type": "object"}},
                "allOf": [{"properties": {"metadata": {}}}],
            },
            ["allOf[0].properties[metadata]: Forbidden: must not be specified in a nested context"],
            id="metadata in a branch",
        ),
        pytest.param(
            {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]},
            [],
            id="int or string spelled",
        ),
        pytest.param(
            {
                "x-kubernetes-int-or-string": True,
                "allOf": [{"anyOf": [{"type": "integer"}, {"type": "string"}]}, {"pattern": "x"}],
            },
            [],
            id="int or string under allOf",
        ),
        pytest.param(
            {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "string"}, {"type": "integer"}]},
            [
                "anyOf[0].type: Forbidden: must be empty to be structural",
                "anyOf[1].type: Forbidden: must be empty to be structural",
            ],
            id="int or string reversed",
        ),
        pytest.param(
            {
                "x-kubernetes-int-or-string": True,
                "allOf": [{"pattern": "x"}, {"anyOf": [{"type": "integer"}, {"type": "string"}]}],
            },
            [
                "allOf[1].anyOf[0].type: Forbidden: must be empty to be structural",
                "allOf[1].anyOf[1].type: Forbidden: must be empty to be structural",
            ],
            id="int or string second in allOf",
        ),
        pytest.param(
            {
                "x-kubernetes-int-or-string": True,
                "x-kubernetes-embedded-resource": True,
                "type": "object",
            },
            [
                (
                    "properties: Required value: must not be empty if "
                    "x-kubernetes-embedded-resource is true without "
                    "x-kubernetes-preserve-unknown-fields"
                ),
                (
                    "x-kubernetes-embedded-resource: Invalid value: true: must be false if "
                    "x-kubernetes-int-or-string is true"
                ),
            ],
            id="int or string embedded",
        ),
        pytest.param(
            {"x-kubernetes-int-or-string": True, "x-kubernetes-preserve-unknown-fields": True},
            [
                (
                    "x-kubernetes-preserve-unknown-fields: Invalid value: true: must be false if "
                    "x-kubernetes-int-or-string is true"
                ),
            ],
            id="int or string preserved",
        ),
    ],
)
def test_a_branch_restricts_what_is_specified_outside_of_it_and_nothing_else(
    schema: dict[str, Any], expected: list[str]
) -> None:
    assert errors_of_field(schema) == expected


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        pytest.param(
            {"type": "string", "x-kubernetes-embedded-resource": True},
            [
                (
                    "properties: Required value: must not be empty if "
                    "x-kubernetes-embedded-resource is true without "
                    "x-kubernetes-preserve-unknown-fields"
                ),
                'type: Invalid value: "string": must be object if x-kubernetes-embedded-resource is true',
            ],
            id="string",
        ),
        pytest.param(
            {"x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True},
            ["type: Required value: must be object if x-kubernetes-embedded-resource is true"],
            id="untyped",
        ),
        pytest.param(
            {"type": "object", "x-kubernetes-embedded-resource": True},
            [
                (
                    "properties: Required value: must not be empty if "
                    "x-kubernetes-embedded-resource is true without "
                    "x-kubernetes-preserve-unknown-fields"
                ),
            ],
            id="empty",
        ),
        pytest.param(
            {
                "type": "object",
                "x-kubernetes-embedded-resource": True,
                "additionalProperties": {"type": "string"},
            },
            [
                "additionalProperties: Forbidden: must not be used if x-kubernetes-embedded-resource is set",
                (
                    "properties: Required value: must not be empty if "
                    "x-kubernetes-embedded-resource is true without "
                    "x-kubernetes-preserve-unknown-fields"
                ),
            ],
            id="additional",
        ),
        pytest.param(
            {
                "type": "object",
                "x-kubernetes-embedded-resource": True,
                "properties": {"kind": {"type": "integer"}},
            },
            ['properties[kind].type: Invalid value: "integer": must be string'],
            id="kind of another type",
        ),
        pytest.param(
            {
                "type": "object",
                "x-kubernetes-embedded-resource": True,
                "properties": {"apiVersion": {"type": "object"}},
            },
            ['properties[apiVersion].type: Invalid value: "object": must be string'],
            id="apiVersion of another type",
        ),
        pytest.param(
            {
                "type": "object",
                "x-kubernetes-embedded-resource": True,
                "properties": {"metadata": {"type": "string"}},
            },
            ['properties[metadata].type: Invalid value: "string": must be object'],
            id="metadata of another type",
        ),
        pytest.param(
            {
                "type": "object",
                "x-kubernetes-embedded-resource": True,
                "properties": {
                    "metadata": {
                        "type": "object",
                        "properties": {"name": {"type": "string"}, "labels": {"type": "object"}},
                    },
                },
            },
            [],
            id="metadata with fields",
        ),
        pytest.param(
            {
                "type": "object",
                "x-kubernetes-embedded-resource": True,
                "properties": {
                    "metadata": {"type": "object", "properties": {"name": {"type": "string", "default": "x"}}},
                },
            },
            [],
            id="default inside metadata",
        ),
        pytest.param(
            {
                "type": "object",
                "x-kubernetes-embedded-resource": True,
                "properties": {
                    "metadata": {"type": "object", "additionalProperties": {"type": "string", "default": "x"}},
                },
            },
            [
                (
                    "properties[metadata].additionalProperties.default: Forbidden: must not be set "
                    "inside additionalProperties applying to object metadata"
                ),
            ],
            id="default inside a map of metadata",
        ),
        pytest.param(
            {
                "type": "object",
                "x-kubernetes-embedded-resource": True,
                "properties": {
                    "metadata": {
                        "type": "object",
                        "properties": {
                            "x": {
                                "type": "object",
                                "x-kubernetes-embedded-resource": True,
                                "x-kubernetes-preserve-unknown-fields": True,
                            },
                        },
                    },
                },
            },
            [
                (
                    "properties[metadata].properties[x].x-kubernetes-embedded-resource: Forbidden: "
                    "must not be used inside of resource meta"
                ),
            ],
            id="embedded inside metadata",
        ),
    ],
)
def test_an_embedded_resource_is_an_object_with_kind_version_and_metadata_of_their_types(
    schema: dict[str, Any], expected: list[str]
) -> None:
    assert errors_of_field(schema) == expected


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        pytest.param(
            {"type": "integer", "default": "1"},
            ['default: Invalid value: "string":  in body must be of type integer: "string"'],
            id="of another type",
        ),
        pytest.param(
            {"type": "integer", "maximum": 3, "default": 4},
            ["default: Invalid value: 4:  in body should be less than or equal to 3"],
            id="too large",
        ),
        pytest.param(
            {"type": "string", "enum": ["a"], "default": "b"},
            ['default: Unsupported value: "b": supported values: "a"'],
            id="not in the enum",
        ),
        pytest.param(
            {"type": "string", "pattern": "^a", "default": "b"},
            ["default: Invalid value: \"b\":  in body should match '^a'"],
            id="pattern",
        ),
        pytest.param(
            {"type": "object", "properties": {"a": {"type": "string"}}, "default": {"b": "x"}},
            ['default: Invalid value: {"b":"x"}: must not have unknown fields'],
            id="unknown field",
        ),
        pytest.param(
            {"type": "object", "x-kubernetes-preserve-unknown-fields": True, "default": {"b": "x"}},
            [],
            id="preserved field",
        ),
        pytest.param(
            {
                "type": "object",
                "properties": {"a": {"type": "string"}},
                "required": ["a"],
                "default": {},
            },
            ["default.a: Required value"],
            id="missing field",
        ),
        pytest.param(
            {
                "type": "object",
                "properties": {"a": {"type": "string", "default": "x"}},
                "required": ["a"],
                "default": {},
            },
            ["default.a: Required value"],
            id="missing field with default",
        ),
        pytest.param(
            {
                "type": "object",
                "properties": {"a": {"type": "object", "properties": {"b": {"type": "string", "default": 1}}}},
            },
            [
                (
                    'properties[a].properties[b].default: Invalid value: "integer":  in body must '
                    'be of type string: "integer"'
                ),
            ],
            id="nested",
        ),
        pytest.param(
            {
                "type": "array",
                "items": {"type": "object", "properties": {"b": {"type": "string", "default": 1}}},
            },
            [
                ('items.properties[b].default: Invalid value: "integer":  in body must be of type string: "integer"'),
            ],
            id="in items",
        ),
        pytest.param({"type": "object", "additionalProperties": {"type": "string", "default": 1}}, [], id="in values"),
        pytest.param({"type": "array", "items": {"type": "string", "default": "x"}}, [], id="item"),
        pytest.param({"x-kubernetes-int-or-string": True, "default": True}, [], id="int or string"),
        pytest.param({"x-kubernetes-int-or-string": True, "default": 5}, [], id="int or string, int"),
        pytest.param(
            {
                "type": "array",
                "x-kubernetes-list-type": "set",
                "items": {"type": "string"},
                "default": ["a", "a"],
            },
            [],
            id="duplicates in a set",
        ),
        pytest.param(
            {
                "type": "object",
                "x-kubernetes-embedded-resource": True,
                "x-kubernetes-preserve-unknown-fields": True,
                "default": {"apiVersion": "v1"},
            },
            ["default.kind: Required value"],
            id="embedded without kind",
        ),
        pytest.param(
            {
                "type": "object",
                "x-kubernetes-embedded-resource": True,
                "x-kubernetes-preserve-unknown-fields": True,
                "default": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}},
            },
            [],
            id="embedded",
        ),
        pytest.param(
            {
                "type": "object",
                "x-kubernetes-embedded-resource": True,
                "x-kubernetes-preserve-unknown-fields": True,
                "default": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x/y"}},
            },
            ["default.metadata.name: Invalid value: \"x/y\": may not contain '/'"],
            id="embedded with a bad name",
        ),
        pytest.param(
            {
                "type": "object",
                "x-kubernetes-embedded-resource": True,
                "x-kubernetes-preserve-unknown-fields": True,
                "default": {"apiVersion": "v1", "kind": "Pod", "metadata": {"nam": "x"}},
            },
            [],
            id="embedded with an unknown meta field",
        ),
        pytest.param(
            {"type": "string", "format": "date", "default": "soon"},
            ['default: Invalid value: "soon":  in body must be of type date: "soon"'],
            id="format",
        ),
        pytest.param({"type": "string", "format": "soon", "default": "x"}, [], id="unknown format"),
        pytest.param({"type": "string", "default": None}, [], id="null"),
    ],
)
def test_a_default_is_pruned_valid_and_complete(schema: dict[str, Any], expected: list[str]) -> None:
    assert errors_of_field(schema) == expected


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        pytest.param(
            {"type": "string", "x-kubernetes-validations": [{}]},
            ["x-kubernetes-validations[0].rule: Required value: rule is not specified"],
            id="no rule",
        ),
        pytest.param(
            {"type": "string", "x-kubernetes-validations": [{"rule": "  "}]},
            ["x-kubernetes-validations[0].rule: Required value: rule is not specified"],
            id="blank rule",
        ),
        pytest.param(
            {"type": "string", "x-kubernetes-validations": [{"rule": "true", "message": "  "}]},
            [
                'x-kubernetes-validations[0].message: Invalid value: "  ": must be non-empty if specified',
            ],
            id="blank message",
        ),
        pytest.param(
            {"type": "string", "x-kubernetes-validations": [{"rule": "true", "message": "a\nb"}]},
            [
                'x-kubernetes-validations[0].message: Invalid value: "a\\nb": must not contain line breaks',
            ],
            id="message of two lines",
        ),
        pytest.param(
            {"type": "string", "x-kubernetes-validations": [{"rule": "true &&\ntrue"}]},
            [
                (
                    "x-kubernetes-validations[0].message: Required value: message must be "
                    "specified if rule contains line breaks"
                ),
            ],
            id="rule of two lines",
        ),
        pytest.param(
            {
                "type": "string",
                "x-kubernetes-validations": [{"rule": "true &&\ntrue", "message": "m"}],
            },
            [],
            id="rule of two lines with message",
        ),
        pytest.param(
            {
                "type": "string",
                "x-kubernetes-validations": [{"rule": "true", "messageExpression": " "}],
            },
            [
                (
                    "x-kubernetes-validations[0].messageExpression: Required value: "
                    "messageExpression must be non-empty if specified"
                ),
            ],
            id="blank message expression",
        ),
        pytest.param(
            {"type": "string", "x-kubernetes-validations": [{"rule": "true", "reason": "Because"}]},
            [
                (
                    'x-kubernetes-validations[0].reason: Unsupported value: "Because": supported '
                    'values: "FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", '
                    '"FieldValueRequired"'
                ),
            ],
            id="unknown reason",
        ),
        pytest.param(
            {
                "type": "string",
                "x-kubernetes-validations": [{"rule": "true", "reason": "FieldValueForbidden"}],
            },
            [],
            id="known reason",
        ),
        pytest.param(
            {
                "type": "object",
                "x-kubernetes-validations": [{"rule": "true", "fieldPath": " "}],
                "properties": {"a": {"type": "string"}},
            },
            [
                'x-kubernetes-validations[0].fieldPath: Invalid value: " ": must be non-empty if specified',
                'x-kubernetes-validations[0].fieldPath: Invalid value: " ": must be a valid path',
            ],
            id="blank field path",
        ),
        pytest.param(
            {
                "type": "object",
                "x-kubernetes-validations": [{"rule": "true", "fieldPath": ".a\n.b"}],
                "properties": {"a": {"type": "string"}},
            },
            [
                'x-kubernetes-validations[0].fieldPath: Invalid value: ".a\\n.b": must not contain line breaks',
                'x-kubernetes-validations[0].fieldPath: Invalid value: ".a\\n.b": must be a valid path',
            ],
            id="field path of two lines",
        ),
        pytest.param(
            {
                "type": "object",
                "x-kubernetes-validations": [{"rule": "true", "fieldPath": ".b"}],
                "properties": {"a": {"type": "string"}},
            },
            ['x-kubernetes-validations[0].fieldPath: Invalid value: ".b": must be a valid path'],
            id="unknown field path",
        ),
        pytest.param(
            {
                "type": "object",
                "x-kubernetes-validations": [{"rule": "true", "fieldPath": "a"}],
                "properties": {"a": {"type": "string"}},
            },
            ['x-kubernetes-validations[0].fieldPath: Invalid value: "a": must be a valid path'],
            id="field path without a dot",
        ),
        pytest.param(
            {
                "type": "object",
                "x-kubernetes-validations": [{"rule": "true", "fieldPath": ".a"}],
                "properties": {"a": {"type": "string"}},
            },
            [],
            id="field path",
        ),
        pytest.param(
            {
                "type": "object",
                "x-kubernetes-validations": [{"rule": "true", "fieldPath": "['a.b']"}],
                "properties": {"a.b": {"type": "string"}},
            },
            [],
            id="quoted field path",
        ),
        pytest.param(
            {
                "type": "object",
                "x-kubernetes-validations": [{"rule": "true", "fieldPath": ".m.x"}],
                "properties": {"m": {"type": "object", "additionalProperties": {"type": "string"}}},
            },
            [],
            id="field path into a map",
        ),
        pytest.param(
            {
                "type": "object",
                "x-kubernetes-validations": [{"rule": "true", "fieldPath": "['a'"}],
                "properties": {"a": {"type": "string"}},
            },
            ["x-kubernetes-validations[0].fieldPath: Invalid value: \"['a'\": must be a valid path"],
            id="unclosed field path",
        ),
        pytest.param(
            {
                "type": "object",
                "x-kubernetes-validations": [{"rule": "true", "fieldPath": "[a]"}],
                "properties": {"a": {"type": "string"}},
            },
            ['x-kubernetes-validations[0].fieldPath: Invalid value: "[a]": must be a valid path'],
            id="unquoted key",
        ),
        pytest.param(
            {
                "type": "object",
                "x-kubernetes-validations": [{"rule": "true", "fieldPath": "["}],
                "properties": {"a": {"type": "string"}},
            },
            ['x-kubernetes-validations[0].fieldPath: Invalid value: "[": must be a valid path'],
            id="only a bracket",
        ),
        pytest.param(
            {
                "type": "object",
                "x-kubernetes-validations": [{"rule": "true", "fieldPath": "."}],
                "properties": {"a": {"type": "string"}},
            },
            ['x-kubernetes-validations[0].fieldPath: Invalid value: ".": must be a valid path'],
            id="only a dot",
        ),
        pytest.param(
            {
                "type": "object",
                "x-kubernetes-validations": [{"rule": "true", "fieldPath": "['a'.b"}],
                "properties": {"a": {"type": "string"}},
            },
            [
                "x-kubernetes-validations[0].fieldPath: Invalid value: \"['a'.b\": must be a valid path",
            ],
            id="double bracket",
        ),
    ],
)
def test_a_rule_has_a_text_messages_of_one_line_a_known_reason_and_a_path_into_the_schema(
    schema: dict[str, Any], expected: list[str]
) -> None:
    assert errors_of_field(schema) == expected


@pytest.mark.parametrize(
    ("schema", "subresources", "expected"),
    [
        pytest.param(
            {"type": "string"}, None, ['type: Invalid value: "string": must be object at the root'], id="type"
        ),
        pytest.param({"x-kubernetes-preserve-unknown-fields": True}, None, [], id="no type"),
        pytest.param(
            {"type": "object", "nullable": True},
            None,
            ["nullable: Forbidden: nullable cannot be true at the root"],
            id="nullable",
        ),
        pytest.param(
            {"type": "object", "properties": {"metadata": {"type": "string"}}},
            None,
            ['properties[metadata].type: Invalid value: "string": must be object'],
            id="metadata as a string",
        ),
        pytest.param(
            {
                "type": "object",
                "properties": {"metadata": {"type": "object", "properties": {"labels": {"type": "object"}}}},
            },
            None,
            [
                (
                    "properties[metadata]: Forbidden: must not specify anything other than name "
                    "and generateName, but metadata is implicitly specified"
                ),
            ],
            id="metadata restricted",
        ),
        pytest.param(
            {
                "type": "object",
                "properties": {
                    "metadata": {"type": "object", "properties": {"name": {"type": "string", "maxLength": 5}}},
                },
            },
            None,
            [],
            id="metadata name",
        ),
        pytest.param(
            {"type": "object", "properties": {"metadata": {"type": "object", "description": "d"}}},
            None,
            [
                (
                    "properties[metadata]: Forbidden: must not specify anything other than name "
                    "and generateName, but metadata is implicitly specified"
                ),
            ],
            id="metadata described",
        ),
        pytest.param(
            {
                "type": "object",
                "properties": {"metadata": {"type": "object", "additionalProperties": {"type": "string"}}},
            },
            None,
            [
                (
                    "properties[metadata]: Forbidden: must not specify anything other than name "
                    "and generateName, but metadata is implicitly specified"
                ),
            ],
            id="metadata open",
        ),
        pytest.param(
            {"type": "object", "properties": {"kind": {"type": "integer"}}},
            None,
            ['properties[kind].type: Invalid value: "integer": must be string'],
            id="kind as integer",
        ),
        pytest.param(
            {
                "type": "object",
                "properties": {
                    "metadata": {"type": "object", "properties": {"name": {"type": "string", "default": "a"}}},
                },
            },
            None,
            [
                "properties[metadata].properties[name].default: Forbidden: must not be set in top-level metadata",
            ],
            id="default in metadata",
        ),
        pytest.param(
            {"type": "object", "properties": {"kind": {"type": "string", "default": "a"}}},
            None,
            ["properties[kind].default: Forbidden: must not be set in top-level kind"],
            id="default of kind",
        ),
        pytest.param(
            {"type": "array", "items": {"type": "string"}},
            {"status": {}},
            [
                (
                    'type: Invalid value: "array": only "object" is allowed as the type at the '
                    "root of the schema if the status subresource is enabled"
                ),
                'type: Invalid value: "array": must be object at the root',
            ],
            id="status: type",
        ),
        pytest.param(
            {
                "type": "object",
                "description": "d",
                "required": ["spec"],
                "properties": {"spec": {"type": "object"}},
            },
            {"status": {}},
            [],
            id="status: plain",
        ),
        pytest.param(
            {"type": "object", "anyOf": [{"properties": {"metadata": {}}}]},
            None,
            [
                "anyOf[0].properties[metadata]: Forbidden: must not be specified in a nested context",
                (
                    "properties[metadata]: Required value: because it is defined in "
                    "spec.validation.openAPIV3Schema.anyOf[0].properties[metadata]"
                ),
            ],
            id="empty metadata properties in branch",
        ),
    ],
)
def test_the_root_is_an_object_and_restricts_only_names_of_its_metadata(
    schema: dict[str, Any], subresources: dict[str, Any] | None, expected: list[str]
) -> None:
    assert errors(schema, subresources) == expected


@pytest.mark.parametrize(("keyword", "value"), [("anyOf", [{}]), ("minProperties", 1), ("maxProperties", 5)])
def test_the_root_of_a_version_with_status_has_few_keywords(keyword: str, value: Any) -> None:
    found = errors({"type": "object", keyword: value}, {"status": {}})
    assert len(found) == 1
    assert "fields are allowed at the root of the schema if the status subresource is enabled" in found[0]
    assert errors({"type": "object", keyword: value}) == []
