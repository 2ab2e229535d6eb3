"""The rules of definitions and their schemas."""

from typing import Any

import pytest

from zestor_controller.schema import check, validate_definition, validate_definition_update
from zestor_controller.schema.celrules import RuleSet
from zestor_controller.schema.fielderror import FieldError, invalid
from zestor_controller.schema.structural import Schema, Structural

ROOT = "spec.validation.openAPIV3Schema"


def definition(schema: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    version = {"name": "v1", "served": True, "storage": True}
    version["schema"] = {"openAPIV3Schema": schema if schema is not None else {"type": "object"}}
    return {
        "metadata": {"name": "bads.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": "bads", "kind": "Bad"},
            "versions": [version],
            **spec,
        },
    }


def messages(crd: dict[str, Any]) -> list[str]:
    return [error.message() for error in validate_definition(crd)]


def with_field(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {"a": schema}}


def test_a_plain_definition_is_accepted_as_it_is_written() -> None:
    assert messages(definition()) == []


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({}, ["type: Required value: must not be empty for specified object fields"]),
        ({"type": "array"}, ["items: Required value: must be specified"]),
        ({"x-kubernetes-int-or-string": True, "type": "string"}, []),
        ({"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]}, []),
        (
            {"type": "string", "anyOf": [{"type": "integer"}]},
            ["anyOf[0].type: Forbidden: must be empty to be structural"],
        ),
        (
            {"type": "object", "allOf": [{"properties": {"q": {"default": 1}}}]},
            ["allOf[0].properties[q].default: Forbidden: must be undefined to be structural"],
        ),
        (
            {"type": "string", "default": 5},
            ['default: Invalid value: "integer":  in body must be of type string: "integer"'],
        ),
        (
            {"type": "object", "default": {"b": 1}, "properties": {"c": {"type": "string"}}},
            ['default: Invalid value: {"b":1}: must not have unknown fields'],
        ),
        (
            {"type": "string", "pattern": "(?=a)"},
            [
                'pattern: Invalid value: "(?=a)": must be a valid regular expression, but isn\'t: error parsing '
                "regexp: invalid or unsupported Perl syntax: `(?=`"
            ],
        ),
        (
            {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "object"}},
            [
                "items.x-kubernetes-map-type: Invalid value: null: must be atomic as item of a list with "
                "x-kubernetes-list-type=set"
            ],
        ),
        (
            {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["k"],
                "items": {"type": "object", "properties": {"k": {"type": "string"}}},
            },
            [
                "items.properties[k].default: Required value: this property is in x-kubernetes-list-map-keys, so it "
                "must have a default or be a required property"
            ],
        ),
        (
            {"type": "string", "x-kubernetes-validations": [{"rule": " "}, {"rule": "a\nb"}]},
            [
                "x-kubernetes-validations[0].rule: Required value: rule is not specified",
                "x-kubernetes-validations[1].message: Required value: message must be specified if rule contains line "
                "breaks",
            ],
        ),
    ],
)
def test_a_schema_that_may_not_be_is_refused_field_by_field(schema: dict[str, Any], expected: list[str]) -> None:
    assert messages(definition(with_field(schema))) == [f"{ROOT}.properties[a].{message}" for message in expected]


def test_an_unsupported_keyword_is_told_once() -> None:
    assert messages(definition({"type": "object", "$ref": "#/x"})) == [f"{ROOT}.$ref: Forbidden: $ref is not supported"]


def test_the_root_restricts_only_names_of_metadata() -> None:
    metadata: dict[str, Any] = {"type": "object", "properties": {"name": {"type": "string", "maxLength": 5}}}
    assert messages(definition({"type": "object", "properties": {"metadata": metadata}})) == []

    metadata["properties"]["labels"] = {"type": "object"}

    assert messages(definition({"type": "object", "properties": {"metadata": metadata}})) == [
        f"{ROOT}.properties[metadata]: Forbidden: must not specify anything other than name and generateName, but "
        "metadata is implicitly specified"
    ]


def test_what_a_branch_restricts_must_be_said_outside_of_it() -> None:
    errors = check({"type": "object", "anyOf": [{"properties": {"b": {"maximum": 1}}}]}, "schema")

    assert [error.message() for error in errors] == [
        "schema.properties[b]: Required value: because it is defined in schema.anyOf[0].properties[b]"
    ]


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"scope": "Galaxy"}, "spec.scope"),
        ({"group": "nodots"}, "spec.group"),
        ({"names": {"plural": "bads", "kind": "9Bad"}}, "spec.names.kind"),
        ({"names": {"plural": "bads", "kind": "Bad", "listKind": "Bad"}}, "spec.names.listKind"),
        ({"names": {"plural": "bads", "kind": "Bad", "shortNames": ["UP"]}}, "spec.names.shortNames[0]"),
        ({"conversion": {"strategy": "Odd"}}, "spec.conversion.strategy"),
        ({"conversion": {"strategy": "Webhook"}}, "spec.conversion.webhookClientConfig"),
        ({"preserveUnknownFields": True}, "spec.preserveUnknownFields"),
        ({"versions": []}, "spec.versions"),
    ],
)
def test_a_wrong_field_is_named(spec: dict[str, Any], field: str) -> None:
    assert field in [error.field for error in validate_definition(definition(**spec))]


def test_versions_that_differ_are_told_apart_by_their_index() -> None:
    crd = definition()
    other = {**crd["spec"]["versions"][0], "name": "v2", "storage": False}
    other["schema"] = {"openAPIV3Schema": with_field({})}
    crd["spec"]["versions"].append(other)

    assert messages(crd) == [
        "spec.versions[1].schema.openAPIV3Schema.properties[a].type: Required value: must not be empty for specified "
        "object fields"
    ]


def test_selectable_fields_must_lead_to_plain_values() -> None:
    crd = definition(with_field({"type": "object", "properties": {"b": {"type": "number"}}}))
    crd["spec"]["versions"][0]["selectableFields"] = [{"jsonPath": ".a.x"}, {"jsonPath": ".a.b"}]

    assert [error.field for error in validate_definition(crd)] == [
        "spec.selectableFields[0].jsonPath",
        "spec.selectableFields[1].jsonPath",
    ]


def test_a_protected_group_needs_an_approval() -> None:
    crd = definition(group="x.k8s.io")
    crd["metadata"]["name"] = "bads.x.k8s.io"
    assert [error.field for error in validate_definition(crd)] == ["metadata.annotations[api-approved.kubernetes.io]"]

    crd["metadata"]["annotations"] = {"api-approved.kubernetes.io": "unapproved, for a test"}

    assert validate_definition(crd) == []


def test_an_established_definition_keeps_its_scope_and_kind() -> None:
    old = definition()
    old["status"] = {"storedVersions": ["v1"], "conditions": [{"type": "Established", "status": "True"}]}
    new = {**definition(scope="Cluster", names={"plural": "bads", "kind": "Other"}), "status": old["status"]}

    assert [error.field for error in validate_definition_update(new, old)] == ["spec.scope", "spec.names.kind"]


def test_a_version_that_objects_are_stored_in_must_stay() -> None:
    old = definition()
    new = {**definition(), "status": {"storedVersions": ["v0", "v1"]}}

    assert [error.field for error in validate_definition_update(new, old)] == ["status.storedVersions[0]"]


class Engine:
    """A CEL engine that dislikes every rule."""

    def check(self, schema: Schema, path: str) -> list[FieldError]:
        return [invalid(f"{path}.rules", "x", "does not compile")]

    def compile(self, schema: Schema, node: Structural) -> RuleSet | None:
        return None


def test_rules_are_compiled_when_there_is_an_engine_and_the_schema_is_sound() -> None:
    sound = definition(with_field({"type": "string", "x-kubernetes-validations": [{"rule": "x"}]}))
    broken = definition(with_field({"x-kubernetes-validations": [{"rule": "x"}]}))

    assert [error.field for error in validate_definition(sound, Engine())] == [f"{ROOT}.rules"]
    assert [error.field for error in validate_definition(broken, Engine())] == [f"{ROOT}.properties[a].type"]
    assert validate_definition(sound) == []
