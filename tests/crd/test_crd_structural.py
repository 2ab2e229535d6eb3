"""The matrix of field types: what each becomes in a structural schema, or why it is refused and what to do instead."""

from __future__ import annotations

import enum
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from ipaddress import IPv4Address
from typing import Annotated, Any, Literal, Optional
from uuid import UUID

import pytest
from pydantic import AnyUrl, Base64Bytes, BaseModel, ConfigDict, Field, SecretBytes, SecretStr, create_model

from zestor_controller import Spec
from zestor_controller.crd.structural import structural_schema
from zestor_controller.errors import SchemaError


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Port(Spec):
    name: str
    number: int = 80


class Tree(Spec):
    value: int
    children: list[Tree] = Field(default_factory=list)


class Closed(Spec):
    model_config = ConfigDict(extra="forbid")
    a: int


class Open(Spec):
    model_config = ConfigDict(extra="allow")
    a: int


class Cat(Spec):
    kind: Literal["cat"]
    lives: int = 9


class Dog(Spec):
    kind: Literal["dog"]
    breed: str


class Other(Spec):
    kind: Literal["other"]
    lives: str


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]

PORT = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "number": {"type": "integer", "default": 80}},
    "required": ["name"],
}
ANY = {"x-kubernetes-preserve-unknown-fields": True}


def schema_of(annotation: Any, default: Any = ...) -> dict[str, Any]:
    model = create_model("Made", __base__=Spec, field=(annotation, default))
    made: dict[str, Any] = structural_schema(model, "spec")["properties"]["field"]
    return made


ACCEPTED: list[tuple[Any, dict[str, Any]]] = [
    (str, {"type": "string"}),
    (int, {"type": "integer"}),
    (float, {"type": "number"}),
    (bool, {"type": "boolean"}),
    (datetime, {"type": "string", "format": "date-time"}),
    (date, {"type": "string", "format": "date"}),
    (timedelta, {"type": "string", "format": "duration"}),
    (UUID, {"type": "string", "format": "uuid"}),
    (IPv4Address, {"type": "string", "format": "ipv4"}),
    (AnyUrl, {"type": "string", "format": "uri", "minLength": 1}),
    (Base64Bytes, {"type": "string", "format": "byte"}),
    (Colour, {"type": "string", "enum": ["red", "blue"]}),
    (Level, {"type": "integer", "enum": [1, 2]}),
    (Literal["x"], {"type": "string", "enum": ["x"]}),
    (Literal["x", "y"], {"type": "string", "enum": ["x", "y"]}),
    (Optional[int], {"type": "integer"}),  # noqa: UP045 - the older spelling is a case of its own
    (int | str, {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]}),
    (Annotated[int, Field(gt=0)], {"type": "integer", "minimum": 0, "exclusiveMinimum": True}),
    (Annotated[int, Field(lt=9)], {"type": "integer", "maximum": 9, "exclusiveMaximum": True}),
    (Annotated[int, Field(ge=1, le=5)], {"type": "integer", "minimum": 1, "maximum": 5}),
    (Annotated[int, Field(multiple_of=2)], {"type": "integer", "multipleOf": 2}),
    (Annotated[str, Field(pattern="^a+$", max_length=9)], {"type": "string", "pattern": "^a+$", "maxLength": 9}),
    (Annotated[str, Field(title="T", examples=["a"], deprecated=True)], {"type": "string"}),
    (list[int], {"type": "array", "items": {"type": "integer"}}),
    (list, {"type": "array", "items": ANY}),
    (set[str], {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"}),
    (list[Port], {"type": "array", "items": PORT}),
    (dict[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}),
    (dict[str, Port], {"type": "object", "additionalProperties": PORT}),
    (dict[str, Any], {"type": "object", **ANY}),
    (Any, ANY),
    (Port, PORT),
    (Closed, {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}),
    (Open, {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}),
]


@pytest.mark.parametrize(("annotation", "expected"), ACCEPTED, ids=lambda value: str(value)[:40])
def test_a_supported_field_becomes_structural(annotation: Any, expected: dict[str, Any]) -> None:
    assert schema_of(annotation) == expected


REFUSED: list[tuple[Any, str]] = [
    (tuple[int, str], "a tuple has no structural form; use a list of one type"),
    (Literal["x", 1], "of several types; an enumeration has one type"),
    (Decimal, "use str with a pattern, or float"),
    (float | str, "use str with a pattern, or float"),
    (int | bool, "use one type, int | str, or a union with a discriminator field"),
    (Cat | Dog, "a union with a discriminator field"),
    (None, "drop the field"),
    (set[float | bool], "use one type"),
    (set[Literal["a", 1]], "of several types"),
    (bytes, "use pydantic's Base64Bytes or a str"),
    (SecretStr, "name a Secret and its key instead"),
    (dict[Annotated[str, Field(pattern="^a")], int], "use dict[str, ...]"),
    (SecretBytes, "name a Secret and its key instead"),
    (Callable[[], int], "use a type that has one"),
    (list[dict[str, Callable[[], int]]], "use a type that has one"),
    (Annotated[Cat | Other, Field(discriminator="kind")], "the branches of the union disagree about 'lives'"),
]


@pytest.mark.parametrize(("annotation", "way_out"), REFUSED, ids=lambda value: str(value)[:40])
def test_an_unsupported_field_is_refused_with_its_path_and_the_way_out(annotation: Any, way_out: str) -> None:
    with pytest.raises(SchemaError) as caught:
        structural_schema(
            create_model("Made", __base__=Spec, field=(annotation, ...)),
            "spec",
        )
    assert way_out in str(caught.value)
    assert caught.value.path.startswith("spec.field")


def test_a_default_is_kept_and_none_is_none_at_all() -> None:
    assert schema_of(int, 3) == {"type": "integer", "default": 3}
    assert schema_of(int | None, None) == {"type": "integer"}
    assert schema_of(list[int], []) == {"type": "array", "items": {"type": "integer"}, "default": []}


def test_a_tagged_union_is_one_object_with_an_alternative_for_each_tag() -> None:
    made = schema_of(Pet)
    assert made["properties"] == {
        "kind": {"type": "string", "enum": ["cat", "dog"]},
        "lives": {"type": "integer"},
        "breed": {"type": "string"},
    }
    assert made["required"] == ["kind"]
    assert made["oneOf"] == [
        {"properties": {"kind": {"enum": ["cat"]}}, "required": ["kind"]},
        {"properties": {"kind": {"enum": ["dog"]}}, "required": ["breed", "kind"]},
    ]


def test_a_recursive_model_is_cut_where_it_repeats() -> None:
    inner = schema_of(Tree)["properties"]["children"]["items"]
    assert inner == {"type": "object", **ANY}


def test_a_plain_model_with_snake_case_is_refused_with_the_advice_and_an_alias_is_fine() -> None:
    class Plain(BaseModel):
        page_size: int

    class Aliased(BaseModel):
        page_size: int = Field(alias="pageSize")

    with pytest.raises(SchemaError, match="derive Plain from Spec or Status") as caught:
        schema_of(list[Plain])
    assert caught.value.path == "spec.field.page_size"
    assert "pageSize" in schema_of(Aliased)["properties"]


def test_a_long_description_is_cut_at_what_a_server_takes() -> None:
    made = schema_of(Annotated[int, Field(description="a" * 2000)])
    assert len(made["description"]) == 1024
    assert made["description"].endswith("...")


def test_a_field_without_json_is_named_deep_inside() -> None:
    class Inner(Spec):
        fine: int
        handler: Callable[[], int]

    with pytest.raises(SchemaError) as caught:
        schema_of(list[Inner])
    assert caught.value.path == "spec.field.handler"
