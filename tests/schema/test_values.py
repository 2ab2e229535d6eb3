"""Values of custom resources, rule by rule: what kube-apiserver 1.36 makes of each.

Every expectation is what the API server's own code returned: its causes, or the object that it would store.
"""

from __future__ import annotations

import copy
from typing import Any

import pytest

from zestor_controller.schema import Validator, defaulter, parse, pruner
from zestor_controller.schema.embeddedresource import embedded_check
from zestor_controller.schema.fielderror import FieldError
from zestor_controller.schema.listtype import list_check


def shaped(schema: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    """The value pruned and with its defaults."""
    node, made = parse(schema), copy.deepcopy(value)
    pruner(node)(made, None)
    if (fill := defaulter(node)) is not None:
        fill(made)
    return made


def errors(schema: dict[str, Any], value: Any) -> list[str]:
    """The errors of a field with that schema, in the order of the API server."""
    whole = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"f": schema}}}}
    node = parse(whole)
    made = shaped(whole, {"spec": {"f": value}})
    found: list[FieldError] = Validator(whole, node).validate(made)
    for check in (list_check(node), embedded_check(node)):
        if check is not None:
            check(made, "", found)
    return [error.message() for error in found]


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        pytest.param({"type": "string"}, "a", [], id="text as string"),
        pytest.param(
            {"type": "string"},
            1,
            ['spec.f: Invalid value: "integer": spec.f in body must be of type string: "integer"'],
            id="int as string",
        ),
        pytest.param(
            {"type": "string"},
            1.5,
            ['spec.f: Invalid value: "number": spec.f in body must be of type string: "number"'],
            id="float as string",
        ),
        pytest.param(
            {"type": "string"},
            2.0,
            ['spec.f: Invalid value: "number": spec.f in body must be of type string: "number"'],
            id="whole float as string",
        ),
        pytest.param(
            {"type": "string"},
            True,
            ['spec.f: Invalid value: "boolean": spec.f in body must be of type string: "boolean"'],
            id="bool as string",
        ),
        pytest.param(
            {"type": "string"},
            [],
            ['spec.f: Invalid value: "array": spec.f in body must be of type string: "array"'],
            id="list as string",
        ),
        pytest.param(
            {"type": "string"},
            {},
            ['spec.f: Invalid value: "object": spec.f in body must be of type string: "object"'],
            id="object as string",
        ),
        pytest.param(
            {"type": "integer"},
            "a",
            ['spec.f: Invalid value: "string": spec.f in body must be of type integer: "string"'],
            id="text as integer",
        ),
        pytest.param({"type": "integer"}, 1, [], id="int as integer"),
        pytest.param(
            {"type": "integer"},
            1.5,
            [
                'spec.f: Invalid value: "number": spec.f in body must be of type integer: "number"',
                '<nil>: Invalid value: "": Checked value must be of type integer (default format) in spec.f',
            ],
            id="float as integer",
        ),
        pytest.param({"type": "integer"}, 2.0, [], id="whole float as integer"),
        pytest.param(
            {"type": "integer"},
            True,
            ['spec.f: Invalid value: "boolean": spec.f in body must be of type integer: "boolean"'],
            id="bool as integer",
        ),
        pytest.param(
            {"type": "integer"},
            [],
            ['spec.f: Invalid value: "array": spec.f in body must be of type integer: "array"'],
            id="list as integer",
        ),
        pytest.param(
            {"type": "integer"},
            {},
            ['spec.f: Invalid value: "object": spec.f in body must be of type integer: "object"'],
            id="object as integer",
        ),
        pytest.param(
            {"type": "number"},
            "a",
            ['spec.f: Invalid value: "string": spec.f in body must be of type number: "string"'],
            id="text as number",
        ),
        pytest.param({"type": "number"}, 1, [], id="int as number"),
        pytest.param({"type": "number"}, 1.5, [], id="float as number"),
        pytest.param({"type": "number"}, 2.0, [], id="whole float as number"),
        pytest.param(
            {"type": "number"},
            True,
            ['spec.f: Invalid value: "boolean": spec.f in body must be of type number: "boolean"'],
            id="bool as number",
        ),
        pytest.param(
            {"type": "number"},
            [],
            ['spec.f: Invalid value: "array": spec.f in body must be of type number: "array"'],
            id="list as number",
        ),
        pytest.param(
            {"type": "number"},
            {},
            ['spec.f: Invalid value: "object": spec.f in body must be of type number: "object"'],
            id="object as number",
        ),
        pytest.param(
            {"type": "boolean"},
            "a",
            ['spec.f: Invalid value: "string": spec.f in body must be of type boolean: "string"'],
            id="text as boolean",
        ),
        pytest.param(
            {"type": "boolean"},
            1,
            ['spec.f: Invalid value: "integer": spec.f in body must be of type boolean: "integer"'],
            id="int as boolean",
        ),
        pytest.param(
            {"type": "boolean"},
            1.5,
            ['spec.f: Invalid value: "number": spec.f in body must be of type boolean: "number"'],
            id="float as boolean",
        ),
        pytest.param(
            {"type": "boolean"},
            2.0,
            ['spec.f: Invalid value: "number": spec.f in body must be of type boolean: "number"'],
            id="whole float as boolean",
        ),
        pytest.param({"type": "boolean"}, True, [], id="bool as boolean"),
        pytest.param(
            {"type": "boolean"},
            [],
            ['spec.f: Invalid value: "array": spec.f in body must be of type boolean: "array"'],
            id="list as boolean",
        ),
        pytest.param(
            {"type": "boolean"},
            {},
            ['spec.f: Invalid value: "object": spec.f in body must be of type boolean: "object"'],
            id="object as boolean",
        ),
        pytest.param(
            {"type": "array", "items": {"type": "string"}},
            ["a", 1],
            [
                'spec.f[1]: Invalid value: "integer": spec.f[1] in body must be of type string: "integer"',
            ],
            id="list as array",
        ),
        pytest.param(
            {"type": "array", "items": {"type": "string"}},
            {},
            ['spec.f: Invalid value: "object": spec.f in body must be of type array: "object"'],
            id="object as array",
        ),
        pytest.param(
            {"type": "array", "items": {"type": "string"}},
            "a",
            ['spec.f: Invalid value: "string": spec.f in body must be of type array: "string"'],
            id="text as array",
        ),
        pytest.param(
            {"type": "object", "properties": {"a": {"type": "string"}}},
            [],
            ['spec.f: Invalid value: "array": spec.f in body must be of type object: "array"'],
            id="list as object",
        ),
        pytest.param(
            {"type": "object", "properties": {"a": {"type": "string"}}},
            "a",
            ['spec.f: Invalid value: "string": spec.f in body must be of type object: "string"'],
            id="text as object",
        ),
        pytest.param({"type": "string", "nullable": True}, None, [], id="null of a nullable"),
        pytest.param(
            {"type": "array", "items": {"type": "string"}},
            [None],
            ['spec.f[0]: Invalid value: "null": spec.f[0] in body must be of type string: "null"'],
            id="null in a list",
        ),
        pytest.param(
            {"type": "array", "items": {"type": "string", "nullable": True}}, [None], [], id="null in a nullable list"
        ),
        pytest.param({"x-kubernetes-int-or-string": True}, 5, [], id="int or string, int"),
        pytest.param({"x-kubernetes-int-or-string": True}, "5", [], id="int or string, text"),
        pytest.param(
            {"x-kubernetes-int-or-string": True},
            True,
            [
                'spec.f: Invalid value: "boolean": spec.f in body must be of type integer,string: "boolean"',
            ],
            id="int or string, bool",
        ),
        pytest.param(
            {"x-kubernetes-int-or-string": True},
            1.5,
            [
                'spec.f: Invalid value: "number": spec.f in body must be of type integer,string: "number"',
            ],
            id="int or string, float",
        ),
        pytest.param({"type": "integer"}, 9223372036854775807, [], id="large int"),
        pytest.param(
            {"type": "integer"},
            9223372036854775808,
            [
                'spec.f: Invalid value: "number": spec.f in body must be of type integer: "number"',
                '<nil>: Invalid value: "": Checked value must be of type integer (default format) in spec.f',
            ],
            id="huge int",
        ),
        pytest.param({"type": "number"}, 1180591620717411303424, [], id="huge number"),
        pytest.param({"type": "integer"}, -5, [], id="negative int"),
    ],
)
def test_a_value_has_a_type_of_its_schema(schema: dict[str, Any], value: Any, expected: list[str]) -> None:
    assert errors(schema, value) == expected


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        pytest.param(
            {"type": "integer", "format": "int32"},
            2147483648,
            [
                '<nil>: Invalid value: "": Checked value must be of type integer with format int32 in spec.f',
            ],
            id="int32 above",
        ),
        pytest.param(
            {"type": "integer", "format": "int32"},
            -2147483649,
            [
                '<nil>: Invalid value: "": Checked value must be of type integer with format int32 in spec.f',
            ],
            id="int32 below",
        ),
        pytest.param({"type": "integer", "format": "int32"}, 2147483647, [], id="int32 at the edge"),
        pytest.param(
            {"type": "number", "format": "float"},
            3.5e38,
            [
                '<nil>: Invalid value: "": Checked value must be of type number with format float in spec.f',
            ],
            id="float above",
        ),
        pytest.param({"type": "number", "format": "double"}, 3.5e38, [], id="double"),
        pytest.param({"type": "integer", "maximum": 5}, 5, [], id="maximum met"),
        pytest.param(
            {"type": "integer", "maximum": 5},
            6,
            ["spec.f: Invalid value: 6: spec.f in body should be less than or equal to 5"],
            id="maximum exceeded",
        ),
        pytest.param(
            {"type": "integer", "maximum": 5, "exclusiveMaximum": True},
            5,
            ["spec.f: Invalid value: 5: spec.f in body should be less than 5"],
            id="exclusive maximum met",
        ),
        pytest.param({"type": "integer", "minimum": 5}, 5, [], id="minimum met"),
        pytest.param(
            {"type": "integer", "minimum": 5},
            4,
            ["spec.f: Invalid value: 4: spec.f in body should be greater than or equal to 5"],
            id="minimum missed",
        ),
        pytest.param(
            {"type": "integer", "minimum": 5, "exclusiveMinimum": True},
            5,
            ["spec.f: Invalid value: 5: spec.f in body should be greater than 5"],
            id="exclusive minimum met",
        ),
        pytest.param(
            {"type": "number", "maximum": 1.5},
            1.6,
            ["spec.f: Invalid value: 1.6: spec.f in body should be less than or equal to 1.5"],
            id="float maximum",
        ),
        pytest.param(
            {"type": "integer", "minimum": 1.5},
            1,
            [
                ('<nil>: Invalid value: "": Minimum boundary value must be of type integer (default format) in spec.f'),
                "spec.f: Invalid value: 1: spec.f in body should be greater than or equal to 1.5",
            ],
            id="float minimum of an integer",
        ),
        pytest.param({"type": "integer", "multipleOf": 3}, 9, [], id="multiple"),
        pytest.param(
            {"type": "integer", "multipleOf": 3},
            10,
            ["spec.f: Invalid value: 10: spec.f in body should be a multiple of 3"],
            id="no multiple",
        ),
        pytest.param({"type": "number", "multipleOf": 0.1}, 0.3, [], id="float multiple"),
        pytest.param(
            {"type": "number", "multipleOf": 0.5},
            0.7,
            ["spec.f: Invalid value: 0.7: spec.f in body should be a multiple of 0.5"],
            id="no float multiple",
        ),
        pytest.param(
            {"type": "number", "multipleOf": 0.5},
            3,
            ["spec.f: Invalid value: 0: factor MultipleOf declared for spec.f must be positive: 0"],
            id="float multiple of an int",
        ),
        pytest.param(
            {"type": "integer", "multipleOf": 1.5},
            3,
            [
                '<nil>: Invalid value: "": MultipleOf value must be of type integer (default format) in spec.f',
            ],
            id="int of a multiple of a half",
        ),
        pytest.param({"type": "integer", "multipleOf": 3}, -9, [], id="negative multiple"),
    ],
)
def test_a_number_is_in_its_range_and_format_and_a_multiple(
    schema: dict[str, Any], value: Any, expected: list[str]
) -> None:
    assert errors(schema, value) == expected


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        pytest.param(
            {"type": "string", "minLength": 2},
            "a",
            ['spec.f: Invalid value: "a": spec.f in body should be at least 2 chars long'],
            id="short",
        ),
        pytest.param(
            {"type": "string", "maxLength": 2}, "abc", ["spec.f: Too long: may not be more than 2 bytes"], id="long"
        ),
        pytest.param({"type": "string", "maxLength": 2}, "\u00e4\u00f6", [], id="runes"),
        pytest.param(
            {"type": "string", "maxLength": 1, "minLength": 3},
            "ab",
            ["spec.f: Too long: may not be more than 1 byte"],
            id="both",
        ),
        pytest.param(
            {"type": "string", "pattern": "^a+$"},
            "b",
            ["spec.f: Invalid value: \"b\": spec.f in body should match '^a+$'"],
            id="pattern",
        ),
        pytest.param({"type": "string", "pattern": "a"}, "xay", [], id="pattern anywhere"),
        pytest.param(
            {"type": "string", "pattern": "^a+$", "maxLength": 1},
            "bb",
            ["spec.f: Too long: may not be more than 1 byte"],
            id="length before pattern",
        ),
        pytest.param(
            {"type": "string", "enum": ["a", "b"]},
            "c",
            ['spec.f: Unsupported value: "c": supported values: "a", "b"'],
            id="enum",
        ),
        pytest.param(
            {"type": "integer", "enum": [1, 2]},
            3,
            ['spec.f: Unsupported value: 3: supported values: "1", "2"'],
            id="enum of ints",
        ),
        pytest.param({"type": "number", "enum": [1, 2]}, 1.5, [], id="enum of ints, float"),
        pytest.param(
            {"type": "object", "enum": [{"a": 1}], "x-kubernetes-preserve-unknown-fields": True},
            {"a": 2},
            ['spec.f: Unsupported value: {"a":2}: supported values: "{\\"a\\":1}"'],
            id="enum of objects",
        ),
        pytest.param({"type": "integer", "enum": [1, 2]}, 2, [], id="enum met"),
    ],
)
def test_a_text_has_its_length_pattern_and_one_of_its_values(
    schema: dict[str, Any], value: Any, expected: list[str]
) -> None:
    assert errors(schema, value) == expected


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        pytest.param(
            {
                "type": "object",
                "properties": {"m": {"type": "object", "additionalProperties": False}},
            },
            {"m": {"a": 1}},
            ['spec.f.m: Invalid value: "a": spec.f.m.a in body is a forbidden property'],
            id="no other field is allowed",
        ),
        pytest.param(
            {"type": "array", "items": {"type": "string"}, "minItems": 2},
            ["a"],
            ["spec.f: Invalid value: 1: spec.f in body should have at least 2 items"],
            id="few items",
        ),
        pytest.param(
            {"type": "array", "items": {"type": "string"}, "maxItems": 1},
            ["a", "b"],
            ["spec.f: Too many: 2: must have at most 1 item"],
            id="many items",
        ),
        pytest.param(
            {"type": "object", "additionalProperties": {"type": "string"}, "minProperties": 2},
            {"a": "b"},
            ["spec.f: Invalid value: 1: spec.f in body should have at least 2 properties"],
            id="few fields",
        ),
        pytest.param(
            {"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": 1},
            {"a": "b", "c": "d"},
            ["spec.f: Too many: 2: must have at most 1 item"],
            id="many fields",
        ),
        pytest.param(
            {
                "type": "object",
                "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
                "required": ["a", "b"],
            },
            {"b": "x"},
            ["spec.f.a: Required value"],
            id="required",
        ),
        pytest.param(
            {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
            {"a": None},
            ["spec.f.a: Required value"],
            id="required null",
        ),
        pytest.param(
            {"type": "object", "x-kubernetes-preserve-unknown-fields": True, "required": ["a"]},
            {"b": 1},
            ["spec.f.a: Required value"],
            id="required of no object",
        ),
        pytest.param(
            {"type": "object", "additionalProperties": {"type": "integer"}},
            {"a": "x", "b": 1},
            [
                'spec.f.a: Invalid value: "string": spec.f.a in body must be of type integer: "string"',
            ],
            id="wrong value",
        ),
        pytest.param(
            {
                "type": "object",
                "properties": {
                    "a": {
                        "type": "array",
                        "items": {"type": "object", "properties": {"b": {"type": "integer"}}},
                    },
                },
            },
            {"a": [{"b": 1}, {"b": "x"}]},
            [
                'spec.f.a[1].b: Invalid value: "string": spec.f.a[1].b in body must be of type integer: "string"',
            ],
            id="deep",
        ),
        pytest.param(
            {"type": "array", "items": {"type": "integer"}, "maxItems": 1},
            ["a", "b"],
            [
                'spec.f[0]: Invalid value: "string": spec.f[0] in body must be of type integer: "string"',
                'spec.f[1]: Invalid value: "string": spec.f[1] in body must be of type integer: "string"',
                "spec.f: Too many: 2: must have at most 1 item",
            ],
            id="items and size",
        ),
    ],
)
def test_a_list_and_an_object_have_their_size_and_what_is_required(
    schema: dict[str, Any], value: Any, expected: list[str]
) -> None:
    assert errors(schema, value) == expected


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        pytest.param(
            {"type": "string", "anyOf": [{"pattern": "^a"}, {"pattern": "^b"}]},
            "c",
            [
                '<nil>: Invalid value: "": "spec.f" must validate at least one schema (anyOf)',
                "spec.f: Invalid value: \"c\": spec.f in body should match '^a'",
            ],
            id="any of",
        ),
        pytest.param({"type": "string", "anyOf": [{"pattern": "^a"}, {"pattern": "^b"}]}, "b", [], id="any of met"),
        pytest.param(
            {
                "type": "object",
                "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
                "anyOf": [{"required": ["x"]}, {"required": ["a"], "properties": {"b": {"maxLength": 1}}}],
            },
            {"b": "long"},
            [
                '<nil>: Invalid value: "": "spec.f" must validate at least one schema (anyOf)',
                "spec.f.b: Too long: may not be more than 1 byte",
                "spec.f.a: Required value",
            ],
            id="any of, the closest",
        ),
        pytest.param(
            {"type": "string", "oneOf": [{"pattern": "^a"}, {"pattern": "^b"}]},
            "c",
            [
                ('<nil>: Invalid value: "": "spec.f" must validate one and only one schema (oneOf). Found none valid'),
                "spec.f: Invalid value: \"c\": spec.f in body should match '^a'",
            ],
            id="one of none",
        ),
        pytest.param(
            {"type": "string", "oneOf": [{"pattern": "a"}, {"pattern": "b"}]},
            "ab",
            [
                (
                    '<nil>: Invalid value: "": "spec.f" must validate one and only one schema '
                    "(oneOf). Found 2 valid alternatives"
                ),
            ],
            id="one of two",
        ),
        pytest.param({"type": "string", "oneOf": [{"pattern": "a"}, {"pattern": "b"}]}, "a", [], id="one of one"),
        pytest.param(
            {"type": "string", "allOf": [{"pattern": "a"}, {"pattern": "b"}]},
            "a",
            [
                "spec.f: Invalid value: \"a\": spec.f in body should match 'b'",
                '<nil>: Invalid value: "": "spec.f" must validate all the schemas (allOf)',
            ],
            id="all of one",
        ),
        pytest.param(
            {"type": "string", "allOf": [{"pattern": "a"}, {"pattern": "b"}]},
            "c",
            [
                "spec.f: Invalid value: \"c\": spec.f in body should match 'a'",
                "spec.f: Invalid value: \"c\": spec.f in body should match 'b'",
                '<nil>: Invalid value: "": "spec.f" must validate all the schemas (allOf). None validated',
            ],
            id="all of none",
        ),
        pytest.param({"type": "string", "allOf": [{"pattern": "a"}, {"pattern": "b"}]}, "ab", [], id="all of all"),
        pytest.param(
            {"type": "string", "not": {"pattern": "a"}},
            "a",
            ['<nil>: Invalid value: "": "spec.f" must not validate the schema (not)'],
            id="not",
        ),
        pytest.param({"type": "string", "not": {"pattern": "a"}}, "b", [], id="not met"),
        pytest.param(
            {
                "type": "object",
                "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
                "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
            },
            {"a": "x", "b": "y"},
            [
                (
                    '<nil>: Invalid value: "": "spec.f" must validate one and only one schema '
                    "(oneOf). Found 2 valid alternatives"
                ),
            ],
            id="one required",
        ),
        pytest.param(
            {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]},
            True,
            [
                'spec.f: Invalid value: "boolean": spec.f in body must be of type integer,string: "boolean"',
                '<nil>: Invalid value: "": "spec.f" must validate at least one schema (anyOf)',
                'spec.f: Invalid value: "boolean": spec.f in body must be of type integer: "boolean"',
            ],
            id="int or string spelled, bool",
        ),
        pytest.param(
            {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]},
            1,
            [],
            id="int or string spelled, int",
        ),
        pytest.param(
            {"x-kubernetes-int-or-string": True, "pattern": "^a$"},
            "b",
            ["spec.f: Invalid value: \"b\": spec.f in body should match '^a$'"],
            id="int or string with a pattern",
        ),
        pytest.param(
            {
                "type": "object",
                "x-kubernetes-preserve-unknown-fields": True,
                "not": {"maxProperties": 0},
            },
            {},
            ['<nil>: Invalid value: "": "spec.f" must not validate the schema (not)'],
            id="not an empty object",
        ),
    ],
)
def test_a_failed_branch_is_reported_with_the_errors_of_the_alternative_that_came_closest(
    schema: dict[str, Any], value: Any, expected: list[str]
) -> None:
    assert errors(schema, value) == expected


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        pytest.param(
            {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
            ["a", "b", "a", "a"],
            ['spec.f[2]: Duplicate value: "a"'],
            id="set",
        ),
        pytest.param(
            {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "integer"}},
            [1, 2, 1],
            ["spec.f[2]: Duplicate value: 1"],
            id="set of ints",
        ),
        pytest.param(
            {
                "type": "array",
                "x-kubernetes-list-type": "set",
                "items": {
                    "type": "object",
                    "x-kubernetes-map-type": "atomic",
                    "x-kubernetes-preserve-unknown-fields": True,
                },
            },
            [{"a": 1}, {"a": 1}],
            ['spec.f[1]: Duplicate value: {"a":1}'],
            id="set of objects",
        ),
        pytest.param(
            {
                "type": "array",
                "x-kubernetes-list-type": "set",
                "items": {"type": "array", "x-kubernetes-list-type": "atomic", "items": {"type": "integer"}},
            },
            [[1], [2], [1]],
            ["spec.f[2]: Duplicate value: [1]"],
            id="set of lists",
        ),
        pytest.param(
            {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["k"],
                "items": {
                    "type": "object",
                    "properties": {"k": {"type": "string"}, "v": {"type": "string"}},
                    "required": ["k"],
                },
            },
            [{"k": "a"}, {"k": "b"}, {"k": "a", "v": "x"}],
            ['spec.f[2]: Duplicate value: {"k":"a"}'],
            id="map",
        ),
        pytest.param(
            {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["k", "n"],
                "items": {
                    "type": "object",
                    "properties": {"k": {"type": "string"}, "n": {"type": "integer"}},
                    "required": ["k", "n"],
                },
            },
            [{"k": "a", "n": 1}, {"k": "a", "n": 2}, {"k": "a", "n": 1}],
            ['spec.f[2]: Duplicate value: {"k":"a","n":1}'],
            id="map of two keys",
        ),
        pytest.param(
            {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["k", "p"],
                "items": {
                    "type": "object",
                    "properties": {"k": {"type": "string"}, "p": {"type": "string", "default": "TCP"}},
                    "required": ["k"],
                },
            },
            [{"k": "a"}, {"k": "a", "p": "TCP"}, {"k": "a", "p": "UDP"}],
            ['spec.f[1]: Duplicate value: {"k":"a","p":"TCP"}'],
            id="map with default key",
        ),
        pytest.param(
            {
                "type": "object",
                "properties": {
                    "a": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
                },
            },
            {"a": ["x", "x"]},
            ['spec.f.a[1]: Duplicate value: "x"'],
            id="set in a field",
        ),
        pytest.param(
            {
                "type": "object",
                "additionalProperties": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
            },
            {"m": ["x", "x"]},
            ['spec.f[m][1]: Duplicate value: "x"'],
            id="set in values",
        ),
        pytest.param(
            {
                "type": "array",
                "items": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
            },
            [["x"], ["y", "y"]],
            ['spec.f[1][1]: Duplicate value: "y"'],
            id="set in items",
        ),
        pytest.param(
            {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["k"],
                "items": {"type": "object", "properties": {"k": {"type": "string"}}, "required": ["k"]},
            },
            ["x"],
            [
                'spec.f[0]: Invalid value: "string": spec.f[0] in body must be of type object: "string"',
                'spec.f[0]: Invalid value: "x": must be an object for an array of list-type map',
            ],
            id="map of no objects",
        ),
    ],
)
def test_a_set_has_no_value_twice_and_a_map_no_key(schema: dict[str, Any], value: Any, expected: list[str]) -> None:
    assert errors(schema, value) == expected


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        pytest.param(
            {
                "type": "object",
                "x-kubernetes-embedded-resource": True,
                "x-kubernetes-preserve-unknown-fields": True,
            },
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "a", "labels": {"x": "y"}},
                "spec": {},
            },
            [],
            id="good",
        ),
        pytest.param(
            {
                "type": "object",
                "x-kubernetes-embedded-resource": True,
                "x-kubernetes-preserve-unknown-fields": True,
            },
            {},
            ["spec.f.apiVersion: Required value", "spec.f.kind: Required value"],
            id="nothing",
        ),
        pytest.param(
            {
                "type": "object",
                "x-kubernetes-embedded-resource": True,
                "x-kubernetes-preserve-unknown-fields": True,
            },
            {"apiVersion": "", "kind": ""},
            [
                'spec.f.apiVersion: Invalid value: "": must not be empty',
                'spec.f.kind: Invalid value: "": must not be empty',
            ],
            id="empty texts",
        ),
        pytest.param(
            {
                "type": "object",
                "x-kubernetes-embedded-resource": True,
                "x-kubernetes-preserve-unknown-fields": True,
            },
            {"apiVersion": "a/b/c", "kind": "Pod"},
            ['spec.f.apiVersion: Invalid value: "a/b/c": unexpected GroupVersion string: a/b/c'],
            id="odd version",
        ),
        pytest.param(
            {
                "type": "object",
                "x-kubernetes-embedded-resource": True,
                "x-kubernetes-preserve-unknown-fields": True,
            },
            {"apiVersion": "v1", "kind": "P_od"},
            [
                (
                    'spec.f.kind: Invalid value: "P_od": may have mixed case, but should otherwise '
                    "match: a DNS-1035 label must consist of lower case alphanumeric characters or "
                    "'-', start with an alphabetic character, and end with an alphanumeric "
                    "character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
                    "'[a-z]([-a-z0-9]*[a-z0-9])?')"
                ),
            ],
            id="odd kind",
        ),
        pytest.param(
            {
                "type": "object",
                "x-kubernetes-embedded-resource": True,
                "x-kubernetes-preserve-unknown-fields": True,
            },
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a/b"}},
            ["spec.f.metadata.name: Invalid value: \"a/b\": may not contain '/'"],
            id="odd name",
        ),
        pytest.param(
            {
                "type": "object",
                "x-kubernetes-embedded-resource": True,
                "x-kubernetes-preserve-unknown-fields": True,
            },
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": ".."}},
            ["spec.f.metadata.name: Invalid value: \"..\": may not be '..'"],
            id="name of dots",
        ),
        pytest.param(
            {
                "type": "object",
                "x-kubernetes-embedded-resource": True,
                "x-kubernetes-preserve-unknown-fields": True,
            },
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a%b"}},
            ["spec.f.metadata.name: Invalid value: \"a%b\": may not contain '%'"],
            id="percent",
        ),
        pytest.param(
            {
                "type": "object",
                "x-kubernetes-embedded-resource": True,
                "x-kubernetes-preserve-unknown-fields": True,
            },
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "a/"}},
            ["spec.f.metadata.generateName: Invalid value: \"a/\": may not contain '/'"],
            id="odd generate name",
        ),
        pytest.param(
            {
                "type": "object",
                "x-kubernetes-embedded-resource": True,
                "x-kubernetes-preserve-unknown-fields": True,
            },
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "A.b"}},
            [
                (
                    'spec.f.metadata.namespace: Invalid value: "A.b": a lowercase RFC 1123 label '
                    "must consist of lower case alphanumeric characters or '-', and must start and "
                    "end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used "
                    "for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
                ),
            ],
            id="odd namespace",
        ),
        pytest.param(
            {
                "type": "object",
                "x-kubernetes-embedded-resource": True,
                "x-kubernetes-preserve-unknown-fields": True,
            },
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"namespace": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
            },
            [
                (
                    "spec.f.metadata.namespace: Invalid value: "
                    '"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa": must be '
                    "no more than 63 characters"
                ),
            ],
            id="long namespace",
        ),
        pytest.param(
            {
                "type": "object",
                "x-kubernetes-embedded-resource": True,
                "x-kubernetes-preserve-unknown-fields": True,
            },
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"generation": -1}},
            ["spec.f.metadata.generation: Invalid value: -1: must be greater than or equal to 0"],
            id="generation",
        ),
        pytest.param(
            {
                "type": "object",
                "x-kubernetes-embedded-resource": True,
                "x-kubernetes-preserve-unknown-fields": True,
            },
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"labels": {"a b": "c"}}},
            [
                (
                    'spec.f.metadata.labels: Invalid value: "a b": name part must consist of '
                    "alphanumeric characters, '-', '_' or '.', and must start and end with an "
                    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex "
                    "used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
                ),
            ],
            id="odd label key",
        ),
        pytest.param(
            {
                "type": "object",
                "x-kubernetes-embedded-resource": True,
                "x-kubernetes-preserve-unknown-fields": True,
            },
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"labels": {"A_b/c": "d"}}},
            [
                (
                    'spec.f.metadata.labels: Invalid value: "A_b/c": prefix part a lowercase RFC '
                    "1123 subdomain must consist of lower case alphanumeric characters, '-' or "
                    "'.', and must start and end with an alphanumeric character (e.g. "
                    "'example.com', regex used for validation is "
                    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
                ),
            ],
            id="odd label prefix",
        ),
        pytest.param(
            {
                "type": "object",
                "x-kubernetes-embedded-resource": True,
                "x-kubernetes-preserve-unknown-fields": True,
            },
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"labels": {"a/b/c": "d"}}},
            [
                (
                    'spec.f.metadata.labels: Invalid value: "a/b/c": a valid label key must '
                    "consist of alphanumeric characters, '-', '_' or '.', and must start and end "
                    "with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', "
                    "regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with "
                    "an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
                ),
            ],
            id="two slashes in a label",
        ),
        pytest.param(
            {
                "type": "object",
                "x-kubernetes-embedded-resource": True,
                "x-kubernetes-preserve-unknown-fields": True,
            },
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"labels": {"a/": "d"}}},
            [
                'spec.f.metadata.labels: Invalid value: "a/": name part must be non-empty',
                (
                    'spec.f.metadata.labels: Invalid value: "a/": name part must consist of '
                    "alphanumeric characters, '-', '_' or '.', and must start and end with an "
                    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex "
                    "used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
                ),
            ],
            id="empty label name",
        ),
        pytest.param(
            {
                "type": "object",
                "x-kubernetes-embedded-resource": True,
                "x-kubernetes-preserve-unknown-fields": True,
            },
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"labels": {"": "d"}}},
            [
                'spec.f.metadata.labels: Invalid value: "": name part must be non-empty',
                (
                    'spec.f.metadata.labels: Invalid value: "": name part must consist of '
                    "alphanumeric characters, '-', '_' or '.', and must start and end with an "
                    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex "
                    "used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
                ),
            ],
            id="empty label",
        ),
        pytest.param(
            {
                "type": "object",
                "x-kubernetes-embedded-resource": True,
                "x-kubernetes-preserve-unknown-fields": True,
            },
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"labels": {"/a": "d"}}},
            ['spec.f.metadata.labels: Invalid value: "/a": prefix part must be non-empty'],
            id="empty label prefix",
        ),
        pytest.param(
            {
                "type": "object",
                "x-kubernetes-embedded-resource": True,
                "x-kubernetes-preserve-unknown-fields": True,
            },
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {
                    "labels": {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa": "d"},
                },
            },
            [
                (
                    "spec.f.metadata.labels: Invalid value: "
                    '"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa": name part '
                    "must be no more than 63 bytes"
                ),
            ],
            id="long label",
        ),
        pytest.param(
            {
                "type": "object",
                "x-kubernetes-embedded-resource": True,
                "x-kubernetes-preserve-unknown-fields": True,
            },
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"labels": {"a": "-b"}}},
            [
                (
                    'spec.f.metadata.labels: Invalid value: "-b": a valid label must be an empty '
                    "string or consist of alphanumeric characters, '-', '_' or '.', and must start "
                    "and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or "
                    "'12345', regex used for validation is "
                    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
                ),
            ],
            id="odd label value",
        ),
        pytest.param(
            {
                "type": "object",
                "x-kubernetes-embedded-resource": True,
                "x-kubernetes-preserve-unknown-fields": True,
            },
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {
                    "labels": {"a": "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"},
                },
            },
            [
                (
                    "spec.f.metadata.labels: Invalid value: "
                    '"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb": must be '
                    "no more than 63 bytes"
                ),
            ],
            id="long label value",
        ),
        pytest.param(
            {
                "type": "object",
                "x-kubernetes-embedded-resource": True,
                "x-kubernetes-preserve-unknown-fields": True,
            },
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"annotations": {"a b": "c", "UPPER": "d"}},
            },
            [
                (
                    'spec.f.metadata.annotations: Invalid value: "a b": name part must consist of '
                    "alphanumeric characters, '-', '_' or '.', and must start and end with an "
                    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex "
                    "used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
                ),
            ],
            id="odd annotation",
        ),
        pytest.param(
            {
                "type": "object",
                "x-kubernetes-embedded-resource": True,
                "x-kubernetes-preserve-unknown-fields": True,
            },
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"finalizers": ["a/b", "c d"]}},
            [
                (
                    'spec.f.metadata.finalizers: Invalid value: "c d": name part must consist of '
                    "alphanumeric characters, '-', '_' or '.', and must start and end with an "
                    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex "
                    "used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
                ),
            ],
            id="finalizers",
        ),
        pytest.param(
            {
                "type": "object",
                "x-kubernetes-embedded-resource": True,
                "x-kubernetes-preserve-unknown-fields": True,
            },
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"finalizers": ["orphan", "foregroundDeletion"]},
            },
            [
                (
                    'spec.f.metadata.finalizers: Invalid value: ["orphan","foregroundDeletion"]: '
                    "finalizer orphan and foregroundDeletion cannot be both set"
                ),
            ],
            id="both finalizers",
        ),
        pytest.param(
            {
                "type": "array",
                "items": {
                    "type": "object",
                    "x-kubernetes-embedded-resource": True,
                    "x-kubernetes-preserve-unknown-fields": True,
                },
            },
            [{"apiVersion": "v1", "kind": "Pod"}, {"kind": "Pod"}],
            ["spec.f[1].apiVersion: Required value"],
            id="in items",
        ),
        pytest.param(
            {
                "type": "object",
                "additionalProperties": {
                    "type": "object",
                    "x-kubernetes-embedded-resource": True,
                    "x-kubernetes-preserve-unknown-fields": True,
                },
            },
            {"m": {"kind": "Pod"}},
            ["spec.f[m].apiVersion: Required value"],
            id="in values",
        ),
        pytest.param(
            {
                "type": "object",
                "properties": {
                    "t": {
                        "type": "object",
                        "x-kubernetes-embedded-resource": True,
                        "x-kubernetes-preserve-unknown-fields": True,
                    },
                },
            },
            {"t": {"apiVersion": "v1"}},
            ["spec.f.t.kind: Required value"],
            id="in a field",
        ),
    ],
)
def test_an_embedded_object_has_a_kind_a_version_and_proper_metadata(
    schema: dict[str, Any], value: Any, expected: list[str]
) -> None:
    assert errors(schema, value) == expected


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        pytest.param(
            {
                "type": "object",
                "properties": {"a": {"type": "object", "properties": {"b": {"type": "string"}}}},
            },
            {"a": {"b": "x", "c": 1}, "d": [1, {"e": 2}]},
            {"a": {"b": "x"}},
            id="unknown fields are removed at every depth",
        ),
        pytest.param(
            {
                "type": "object",
                "properties": {
                    "l": {
                        "type": "array",
                        "items": {"type": "object", "properties": {"a": {"type": "string"}}},
                    },
                },
            },
            {"l": [{"a": "x", "b": 1}, {"b": 2}]},
            {"l": [{"a": "x"}, {}]},
            id="unknown fields of items are removed",
        ),
        pytest.param(
            {
                "type": "object",
                "properties": {
                    "m": {
                        "type": "object",
                        "additionalProperties": {"type": "object", "properties": {"a": {"type": "string"}}},
                    },
                },
            },
            {"m": {"k": {"a": "x", "b": 1}}},
            {"m": {"k": {"a": "x"}}},
            id="unknown fields of values are removed",
        ),
        pytest.param(
            {"type": "object", "properties": {"o": {"type": "object"}}},
            {"o": {"a": 1, "b": {"c": 2}}},
            {"o": {}},
            id="an object without fields is emptied",
        ),
        pytest.param(
            {
                "type": "object",
                "properties": {"o": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            },
            {"o": {"a": 1, "b": {"c": [{"d": 2}]}}},
            {"o": {"a": 1, "b": {"c": [{"d": 2}]}}},
            id="preserved fields are kept",
        ),
        pytest.param(
            {
                "type": "object",
                "properties": {
                    "o": {
                        "type": "object",
                        "properties": {"k": {"type": "object", "properties": {"a": {"type": "string"}}}},
                        "x-kubernetes-preserve-unknown-fields": True,
                    },
                },
            },
            {"o": {"k": {"a": "x", "z": 1}, "u": {"z": 1}}},
            {"o": {"k": {"a": "x"}, "u": {"z": 1}}},
            id="known fields of a preserved object are pruned",
        ),
        pytest.param(
            {
                "type": "object",
                "properties": {
                    "o": {
                        "type": "array",
                        "x-kubernetes-preserve-unknown-fields": True,
                        "items": {"type": "object", "properties": {"a": {"type": "string"}}},
                    },
                },
            },
            {"o": [{"a": "x", "z": 1}]},
            {"o": [{"a": "x", "z": 1}]},
            id="items below preserved lists are kept",
        ),
        pytest.param(
            {
                "type": "object",
                "properties": {"m": {"type": "object", "additionalProperties": True}},
            },
            {"m": {"a": {"b": 1}}},
            {"m": {"a": {}}},
            id="any value is allowed",
        ),
        pytest.param(
            {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}},
            {"a": None, "b": "x"},
            {"b": "x"},
            id="a null of a field that is not nullable is removed",
        ),
        pytest.param(
            {"type": "object", "properties": {"a": {"type": "string", "nullable": True}}},
            {"a": None},
            {"a": None},
            id="a null of a nullable field is kept",
        ),
        pytest.param(
            {"type": "object", "properties": {"a": {"type": "string", "default": "x"}}},
            {"a": None},
            {"a": "x"},
            id="a null becomes the default",
        ),
        pytest.param(
            {
                "type": "object",
                "properties": {"a": {"type": "string", "nullable": True, "default": "x"}},
            },
            {"a": None},
            {"a": None},
            id="a null of a nullable field with a default is kept",
        ),
        pytest.param(
            {
                "type": "object",
                "properties": {
                    "m": {"type": "object", "additionalProperties": {"type": "string", "default": "x"}},
                },
            },
            {"m": {"a": None, "b": "y"}},
            {"m": {"a": "x", "b": "y"}},
            id="a null among values becomes the default",
        ),
        pytest.param(
            {
                "type": "object",
                "properties": {"l": {"type": "array", "items": {"type": "string", "default": "x"}}},
            },
            {"l": [None, "y"]},
            {"l": ["x", "y"]},
            id="a null among items becomes the default",
        ),
        pytest.param(
            {
                "type": "object",
                "properties": {"m": {"type": "object", "additionalProperties": {"type": "string"}}},
            },
            {"m": {"a": None, "b": "y"}},
            {"m": {"b": "y"}},
            id="a null among values is removed",
        ),
        pytest.param(
            {
                "type": "object",
                "properties": {"o": {"type": "object", "properties": {"a": {"type": "string", "default": "x"}}}},
            },
            {"o": {}},
            {"o": {"a": "x"}},
            id="a default is set where its parent is",
        ),
        pytest.param(
            {
                "type": "object",
                "properties": {"o": {"type": "object", "properties": {"a": {"type": "string", "default": "x"}}}},
            },
            {},
            {},
            id="a default is not set where its parent is not",
        ),
        pytest.param(
            {
                "type": "object",
                "properties": {
                    "o": {
                        "type": "object",
                        "properties": {"a": {"type": "string", "default": "x"}, "b": {"type": "string"}},
                        "default": {"b": "y"},
                    },
                },
            },
            {},
            {"o": {"a": "x", "b": "y"}},
            id="a default of a parent is filled up",
        ),
        pytest.param(
            {
                "type": "object",
                "properties": {
                    "l": {
                        "type": "array",
                        "items": {"type": "object", "properties": {"a": {"type": "integer", "default": 1}}},
                    },
                },
            },
            {"l": [{}, {"a": 2}]},
            {"l": [{"a": 1}, {"a": 2}]},
            id="defaults of items",
        ),
        pytest.param(
            {
                "type": "object",
                "properties": {
                    "m": {
                        "type": "object",
                        "additionalProperties": {
                            "type": "object",
                            "properties": {"a": {"type": "integer", "default": 1}},
                        },
                    },
                },
            },
            {"m": {"k": {}, "n": {"a": 2}}},
            {"m": {"k": {"a": 1}, "n": {"a": 2}}},
            id="defaults of values",
        ),
        pytest.param(
            {
                "type": "object",
                "properties": {
                    "l": {
                        "type": "array",
                        "items": {
                            "type": "array",
                            "items": {
                                "type": "object",
                                "properties": {"a": {"type": "boolean", "default": False}},
                            },
                        },
                    },
                },
            },
            {"l": [[{}], []]},
            {"l": [[{"a": False}], []]},
            id="defaults of nested lists",
        ),
        pytest.param(
            {
                "type": "object",
                "properties": {
                    "a": {"type": "integer", "default": 0},
                    "b": {"type": "string", "default": ""},
                    "c": {"type": "boolean", "default": False},
                    "d": {"type": "array", "items": {"type": "string"}, "default": []},
                },
            },
            {},
            {"a": 0, "b": "", "c": False, "d": []},
            id="falsy defaults are set",
        ),
        pytest.param(
            {
                "type": "object",
                "properties": {
                    "t": {
                        "type": "object",
                        "properties": {"spec": {"type": "object", "properties": {"a": {"type": "string"}}}},
                        "x-kubernetes-embedded-resource": True,
                    },
                },
            },
            {
                "t": {
                    "apiVersion": "v1",
                    "kind": "Pod",
                    "metadata": {"name": "x"},
                    "spec": {"a": "x", "z": 1},
                    "status": 1,
                },
            },
            {
                "t": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {"a": "x"}},
            },
            id="an embedded object keeps its metadata",
        ),
        pytest.param(
            {
                "type": "object",
                "properties": {
                    "o": {
                        "type": "object",
                        "additionalProperties": {
                            "type": "object",
                            "properties": {"a": {"type": "integer", "default": 1}},
                        },
                    },
                },
            },
            {"o": {"x": {}, "y": {"a": 5}}},
            {"o": {"x": {"a": 1}, "y": {"a": 5}}},
            id="defaults of named fields beside values",
        ),
    ],
)
def test_unknown_fields_and_nulls_are_removed_and_defaults_are_set(
    schema: dict[str, Any], value: dict[str, Any], expected: dict[str, Any]
) -> None:
    made = shaped({"type": "object", "properties": {"spec": schema}}, {"spec": value})
    assert made == {"spec": expected}


@pytest.mark.parametrize(
    ("schema", "old", "new", "expected"),
    [
        pytest.param({"type": "string", "maxLength": 1}, "long", "long", [], id="an unchanged field"),
        pytest.param(
            {"type": "string", "maxLength": 1},
            "long",
            "longer",
            ["spec.f: Too long: may not be more than 1 byte"],
            id="a changed field",
        ),
        pytest.param(
            {"type": "array", "items": {"type": "string", "maxLength": 1}},
            ["long"],
            ["long", "longer"],
            [
                "spec.f[0]: Too long: may not be more than 1 byte",
                "spec.f[1]: Too long: may not be more than 1 byte",
            ],
            id="a new item",
        ),
        pytest.param(
            {"type": "array", "items": {"type": "string", "maxLength": 1}},
            ["long"],
            ["long"],
            [],
            id="an unchanged list",
        ),
        pytest.param(
            {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["k"],
                "items": {
                    "type": "object",
                    "properties": {"k": {"type": "string"}, "v": {"type": "string", "maxLength": 1}},
                    "required": ["k"],
                },
            },
            [{"k": "a", "v": "long"}],
            [{"k": "b"}, {"k": "a", "v": "long"}],
            [],
            id="an unchanged item of a keyed list",
        ),
        pytest.param(
            {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["k"],
                "items": {
                    "type": "object",
                    "properties": {"k": {"type": "string"}, "v": {"type": "string", "maxLength": 1}},
                    "required": ["k"],
                },
            },
            [{"k": "a", "v": "long"}],
            [{"k": "a", "v": "longer"}],
            ["spec.f[0].v: Too long: may not be more than 1 byte"],
            id="a changed item of a keyed list",
        ),
        pytest.param(
            {
                "type": "object",
                "properties": {"a": {"type": "string", "maxLength": 1}, "b": {"type": "string"}},
            },
            {"a": "long", "b": "x"},
            {"a": "long", "b": "y"},
            [],
            id="a field beside a changed one",
        ),
        pytest.param(
            {
                "type": "object",
                "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
                "required": ["a"],
            },
            {"b": "x"},
            {"b": "y"},
            ["spec.f.a: Required value"],
            id="a missing field beside a changed one",
        ),
        pytest.param(
            {
                "type": "object",
                "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
                "required": ["a"],
            },
            {"b": "x"},
            {"b": "x"},
            [],
            id="a missing field",
        ),
        pytest.param(
            {"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": 1},
            {"a": "x", "b": "y"},
            {"a": "x", "b": "z"},
            ["spec.f: Too many: 2: must have at most 1 item"],
            id="too many fields, one changed",
        ),
        pytest.param(
            {"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": 1},
            {"a": "x", "b": "y"},
            {"a": "x", "b": "y"},
            [],
            id="too many fields, unchanged",
        ),
        pytest.param(
            {"type": "object", "additionalProperties": {"type": "string", "maxLength": 1}},
            {"a": "long"},
            {"a": "long", "b": "x"},
            [],
            id="an unchanged value of a map",
        ),
        pytest.param(
            {"type": "string", "anyOf": [{"pattern": "^a"}, {"pattern": "^b"}]},
            "long",
            "long",
            [],
            id="a failed branch, unchanged",
        ),
        pytest.param(
            {"type": "string", "anyOf": [{"pattern": "^a"}, {"pattern": "^b"}]},
            "long",
            "longer",
            [
                '<nil>: Invalid value: "": "spec.f" must validate at least one schema (anyOf)',
                "spec.f: Invalid value: \"longer\": spec.f in body should match '^a'",
            ],
            id="a failed branch, changed",
        ),
        pytest.param({"type": "string", "enum": ["a"]}, "b", "b", [], id="an enum, unchanged"),
        pytest.param(
            {"type": "integer", "maximum": 1},
            5,
            6,
            ["spec.f: Invalid value: 6: spec.f in body should be less than or equal to 1"],
            id="an integer in another order of magnitude",
        ),
    ],
)
def test_what_was_invalid_before_the_schema_was_tightened_may_stay_while_it_is_unchanged(
    schema: dict[str, Any], old: Any, new: Any, expected: list[str]
) -> None:
    whole = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"f": schema}}}}
    validator = Validator(whole, parse(whole))
    found = validator.validate_update({"spec": {"f": new}}, {"spec": {"f": old}})
    assert [error.message() for error in found] == expected
