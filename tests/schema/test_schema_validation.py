from typing import Any

import pytest

from zestor_controller.schema import Validator, parse


def complaints(schema: dict[str, Any], value: Any, path: str = "") -> list[str]:
    return [error.message() for error in Validator(schema, parse(schema)).validate(value, path)]


def field(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {"spec": {"type": "object", "properties": {"f": schema}}}}


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        ({"type": "string"}, 5, ['spec.f: Invalid value: "integer": spec.f in body must be of type string: "integer"']),
        ({"type": "string"}, None, ['spec.f: Invalid value: "null": spec.f in body must be of type string: "null"']),
        ({"type": "string", "nullable": True}, None, []),
        (
            {"type": "integer"},
            1.5,
            [
                'spec.f: Invalid value: "number": spec.f in body must be of type integer: "number"',
                '<nil>: Invalid value: "": Checked value must be of type integer (default format) in spec.f',
            ],
        ),
        ({"type": "integer"}, 2.0, []),
        (
            {"x-kubernetes-int-or-string": True},
            True,
            ['spec.f: Invalid value: "boolean": spec.f in body must be of type integer,string: "boolean"'],
        ),
        (
            {"type": "integer", "format": "int32"},
            2**31,
            ['<nil>: Invalid value: "": Checked value must be of type integer with format int32 in spec.f'],
        ),
        (
            {"type": "integer", "maximum": 5},
            6,
            ["spec.f: Invalid value: 6: spec.f in body should be less than or equal to 5"],
        ),
        (
            {"type": "number", "minimum": 0, "exclusiveMinimum": True},
            0,
            ["spec.f: Invalid value: 0: spec.f in body should be greater than 0"],
        ),
        (
            {"type": "number", "multipleOf": 0.5},
            0.7,
            ["spec.f: Invalid value: 0.7: spec.f in body should be a multiple of 0.5"],
        ),
        ({"type": "string", "maxLength": 1}, "ab", ["spec.f: Too long: may not be more than 1 byte"]),
        (
            {"type": "string", "pattern": "^a$"},
            "b\n",
            ["spec.f: Invalid value: \"b\\n\": spec.f in body should match '^a$'"],
        ),
        ({"type": "string", "enum": ["a", "b"]}, "c", ['spec.f: Unsupported value: "c": supported values: "a", "b"']),
        ({"type": "boolean", "enum": [True]}, False, ['spec.f: Unsupported value: false: supported values: "true"']),
        (
            {"type": "string", "format": "date"},
            "soon",
            ['spec.f: Invalid value: "soon": spec.f in body must be of type date: "soon"'],
        ),
        ({"type": "string", "format": "oddity"}, "soon", []),
        (
            {"type": "array", "items": {"type": "string"}, "maxItems": 1},
            ["a", 1],
            [
                'spec.f[1]: Invalid value: "integer": spec.f[1] in body must be of type string: "integer"',
                "spec.f: Too many: 2: must have at most 1 item",
            ],
        ),
        (
            {"type": "object", "required": ["x"], "properties": {"x": {"type": "string"}}},
            {},
            ["spec.f.x: Required value"],
        ),
        (
            {"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 2},
            {"a": "x"},
            [
                "spec.f: Invalid value: 1: spec.f in body should have at least 2 properties",
                'spec.f.a: Invalid value: "string": spec.f.a in body must be of type integer: "string"',
            ],
        ),
        (
            {"type": "object", "additionalProperties": False},
            {"a": 1},
            ['spec.f: Invalid value: "a": spec.f.a in body is a forbidden property'],
        ),
    ],
)
def test_each_keyword_reports_the_servers_message(schema: dict[str, Any], value: Any, expected: list[str]) -> None:
    assert complaints(field(schema), {"spec": {"f": value}}) == expected


def test_of_failed_alternatives_the_one_that_came_closest_is_reported() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "string"}},
        "anyOf": [
            {"required": ["c"]},
            {"properties": {"a": {"maximum": 3}, "b": {"pattern": "x"}}},
        ],
    }

    assert complaints(schema, {"a": 5, "b": "x"}, "spec") == [
        'spec: Invalid value: "": "" must validate at least one schema (anyOf)',
        "spec.a: Invalid value: 5: a in body should be less than or equal to 3",
    ]


def test_exactly_one_of_the_alternatives_must_hold() -> None:
    schema = field({"type": "integer", "oneOf": [{"maximum": 5}, {"minimum": 3}]})

    assert complaints(schema, {"spec": {"f": 4}}) == [
        '<nil>: Invalid value: "": "spec.f" must validate one and only one schema (oneOf). Found 2 valid alternatives'
    ]
    assert complaints(schema, {"spec": {"f": 9}}) == []


def test_the_same_complaint_is_made_once() -> None:
    schema = field(
        {"type": "object", "properties": {"x": {"type": "string"}}, "required": ["x"], "allOf": [{"required": ["x"]}]}
    )

    assert sorted(complaints(schema, {"spec": {"f": {}}})) == [
        '<nil>: Invalid value: "": "spec.f" must validate all the schemas (allOf). None validated',
        "spec.f.x: Required value",
    ]


TIGHT: dict[str, Any] = field(
    {
        "type": "object",
        "properties": {
            "a": {"type": "string", "maxLength": 3},
            "l": {"type": "array", "items": {"type": "string"}, "maxItems": 1},
            "m": {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["k"],
                "items": {
                    "type": "object",
                    "properties": {"k": {"type": "string"}, "v": {"type": "string", "pattern": "^good$"}},
                },
            },
            "r": {"type": "object", "properties": {"x": {"type": "string"}}, "required": ["need"]},
        },
    }
)
LOOSE = {"a": "long-value", "l": ["q", "q"], "m": [{"k": "1", "v": "bad"}], "r": {"x": "1"}}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"a": "other-long"}, ["spec.f.a"]),
        ({"l": ["q"]}, []),
        ({"l": ["q", "r", "s"]}, ["spec.f.l"]),
        ({"m": [{"k": "0", "v": "good"}, {"k": "1", "v": "bad"}]}, []),
        ({"m": [{"k": "1", "v": "worse"}]}, ["spec.f.m[0].v"]),
        ({"m": [{"k": "3", "v": "bad"}]}, ["spec.f.m[0].v"]),
        ({"r": {"x": "2"}}, ["spec.f.r.need"]),
    ],
)
def test_what_was_wrong_before_may_stay_untouched(change: dict[str, Any], expected: list[str]) -> None:
    validator = Validator(TIGHT, parse(TIGHT))
    old = {"spec": {"f": LOOSE}}
    new = {"spec": {"f": {**LOOSE, **change}}}

    assert [error.field for error in validator.validate_update(new, old)] == expected
    assert len(validator.validate(new)) >= len(expected)
