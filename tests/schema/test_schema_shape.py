"""Pruning, defaulting and lists."""

from typing import Any

from zestor_controller.schema import defaulter, parse, pruner
from zestor_controller.schema.fielderror import FieldError
from zestor_controller.schema.listtype import list_check

SPEC: dict[str, Any] = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {
                "a": {"type": "string", "default": "da"},
                "n": {"type": "string", "nullable": True, "default": "dn"},
                "bare": {"type": "string"},
                "o": {"type": "object", "default": {}, "properties": {"x": {"type": "integer", "default": 5}}},
                "l": {"type": "array", "items": {"type": "object", "properties": {"k": {"type": "string"}}}},
                "free": {
                    "type": "object",
                    "x-kubernetes-preserve-unknown-fields": True,
                    "properties": {"known": {"type": "object", "properties": {"z": {"type": "string"}}}},
                },
                "m": {"type": "object", "additionalProperties": {"type": "integer", "default": 1}},
                "any": {"type": "object", "additionalProperties": True},
                "emb": {"type": "object", "x-kubernetes-embedded-resource": True, "properties": {}},
            },
        }
    },
}


def prune(value: dict[str, Any]) -> list[str]:
    unknown: list[str] = []
    pruner(parse(SPEC))(value, unknown)
    return sorted(unknown)


def test_unknown_fields_are_removed_and_reported() -> None:
    obj = {
        "apiVersion": "x/v1",
        "kind": "X",
        "metadata": {"anything": 1},
        "top": 1,
        "spec": {"a": "1", "gone": 2, "l": [{"k": "1"}, {"k": "2", "zz": 1}]},
    }

    unknown = prune(obj)

    assert unknown == ["spec.gone", "spec.l[1].zz", "top"]
    assert obj["spec"] == {"a": "1", "l": [{"k": "1"}, {"k": "2"}]}
    assert obj["metadata"] == {"anything": 1}
    assert "top" not in obj


def test_preserved_fields_stay_but_known_ones_inside_are_pruned() -> None:
    obj = {"spec": {"free": {"deep": {"x": 1}, "known": {"z": "1", "gone": 2}}}}

    assert prune(obj) == ["spec.free.known.gone"]
    assert obj["spec"] == {"free": {"deep": {"x": 1}, "known": {"z": "1"}}}


def test_values_of_which_nothing_is_known_lose_their_fields() -> None:
    obj = {"spec": {"any": {"a": {"b": 1}, "c": [{"d": 2}], "e": 3}}}

    assert prune(obj) == ["spec.any.a.b", "spec.any.c[0].d"]
    assert obj["spec"] == {"any": {"a": {}, "c": [{}], "e": 3}}


def test_an_embedded_object_keeps_its_identity() -> None:
    obj = {"spec": {"emb": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "q"}, "data": {}}}}

    assert prune(obj) == ["spec.emb.data"]
    assert obj["spec"]["emb"] == {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "q"}}


def test_a_null_that_may_not_be_is_no_value() -> None:
    obj: dict[str, Any] = {"spec": {"a": None, "n": None, "bare": None, "m": {"q": None}}}

    assert prune(obj) == []
    assert obj == {"spec": {"a": None, "n": None, "m": {"q": None}}}


def test_defaults_fill_what_is_absent_or_null() -> None:
    fill = defaulter(parse(SPEC))
    assert fill is not None
    obj: dict[str, Any] = {"spec": {"a": None, "n": None, "m": {"q": None, "r": 2}}}

    fill(obj)

    assert obj == {"spec": {"a": "da", "n": None, "o": {"x": 5}, "m": {"q": 1, "r": 2}}}


def test_defaults_need_their_parent() -> None:
    fill = defaulter(parse(SPEC))
    assert fill is not None
    obj: dict[str, Any] = {}

    fill(obj)

    assert obj == {}


def test_a_default_is_copied_for_each_object() -> None:
    fill = defaulter(parse(SPEC))
    assert fill is not None
    first: dict[str, Any] = {"spec": {}}
    second: dict[str, Any] = {"spec": {}}

    fill(first)
    fill(second)
    first["spec"]["o"]["x"] = 6

    assert second["spec"]["o"] == {"x": 5}


def test_a_schema_without_defaults_has_no_defaulter() -> None:
    assert defaulter(parse({"type": "object", "properties": {"a": {"type": "string"}}})) is None


def repeated(schema: dict[str, Any], value: Any) -> list[str]:
    found: list[FieldError] = []
    check = list_check(parse(schema))
    assert check is not None
    check(value, "l", found)
    return [error.message() for error in found]


def test_a_set_holds_no_value_twice() -> None:
    schema = {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}}

    assert repeated(schema, ["a", "b", "a", "a"]) == ['l[2]: Duplicate value: "a"']
    assert repeated(schema, [1, True]) == []


def test_a_map_holds_no_key_twice() -> None:
    schema = {
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["k", "p"],
        "items": {"type": "object", "properties": {"k": {"type": "string"}, "p": {"type": "integer"}}},
    }

    assert repeated(schema, [{"k": "a", "p": 1}, {"k": "a", "p": 2}, {"p": 1, "k": "a", "v": 1}]) == [
        'l[2]: Duplicate value: {"k":"a","p":1}'
    ]
