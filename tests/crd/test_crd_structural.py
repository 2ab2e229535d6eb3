"""The matrix of field types: what each becomes in a structural schema, or why it is refused and what to do instead."""

from __future__ import annotations

import enum
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from ipaddress import IPv4Network
from re import Pattern
from typing import Annotated, Any, Literal, Optional
from uuid import UUID

import pytest
from pydantic import (
    AliasChoices,
    AliasPath,
    Base64Bytes,
    BaseModel,
    ConfigDict,
    Field,
    Json,
    NaiveDatetime,
    PastDatetime,
    PlainSerializer,
    PlainValidator,
    SecretBytes,
    SecretStr,
    StringConstraints,
    computed_field,
    create_model,
    field_serializer,
    model_serializer,
)

from zestor_controller import Duration, Spec
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


class Noted(Spec):
    note: str | None = None
    level: int = 1


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


class Numbered(Spec):
    kind: Literal[1]


class TypedExtra(Spec):
    __pydantic_extra__: dict[str, int]
    model_config = ConfigDict(extra="allow")
    a: int


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]

PORT = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "number": {"type": "integer", "default": 80}},
    "required": ["name"],
}
INT_OR_STRING = {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]}
NO_LIST = {"minItems": 1, "maxItems": 0}
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
    (
        Annotated[str, Field(json_schema_extra={"format": "hexcolor"})],
        {"type": "string", "format": "hexcolor", **NO_LIST},
    ),
    (Annotated[int, Field(json_schema_extra={"format": "int32"})], {"type": "integer", "format": "int32"}),
    (Base64Bytes, {"type": "string", "format": "byte", **NO_LIST}),
    (Colour, {"type": "string", "enum": ["red", "blue"]}),
    (Level, {"type": "integer", "enum": [1, 2]}),
    (Literal["x"], {"type": "string", "enum": ["x"]}),
    (Literal["x", "y"], {"type": "string", "enum": ["x", "y"]}),
    (Optional[int], {"type": "integer", "nullable": True}),  # noqa: UP045 - the older spelling is a case of its own
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
    (Open, {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], **ANY}),
    (Annotated[int, Field(gt=0, ge=5)], {"type": "integer", "minimum": 5}),
    (Annotated[int, Field(gt=5, ge=5)], {"type": "integer", "minimum": 5, "exclusiveMinimum": True}),
    (Annotated[int, Field(le=2**63 - 1, gt=-3)], {"type": "integer", "minimum": -3, "exclusiveMinimum": True}),
    (list[int | None], {"type": "array", "items": {"type": "integer", "nullable": True}}),
    (dict[str, int | None], {"type": "object", "additionalProperties": {"type": "integer", "nullable": True}}),
    (Literal["a"] | None, {"type": "string", "nullable": True, "allOf": [{"enum": ["a"]}]}),
    (dict[Colour, int], {"type": "object", "properties": {"red": {"type": "integer"}, "blue": {"type": "integer"}}}),
    (
        Annotated[int, Field(ge=0)] | Annotated[str, Field(pattern="^a$")],
        {**INT_OR_STRING, "minimum": 0, "pattern": "^a$"},
    ),
    (Literal["a.b", "c"] | int, {**INT_OR_STRING, "pattern": r"^(a\.b|c)$"}),
    (
        Annotated[Port, Field(json_schema_extra={"x-kubernetes-validations": [{"rule": "true"}]})],
        {**PORT, "x-kubernetes-validations": [{"rule": "true"}]},
    ),
    (
        Annotated[dict[str, int], Field(max_length=2)],
        {"type": "object", "additionalProperties": {"type": "integer"}, "maxProperties": 2},
    ),
]


@pytest.mark.parametrize(("annotation", "expected"), ACCEPTED, ids=[str(n) for n in range(len(ACCEPTED))])
def test_a_supported_field_becomes_structural(annotation: Any, expected: dict[str, Any]) -> None:
    assert schema_of(annotation) == expected


REFUSED: list[tuple[Any, str]] = [
    (tuple[int, str], "a tuple has no structural form; use a list of one type"),
    (Literal["x", 1], "of several types; an enumeration has one type"),
    (Decimal, "use str with a pattern, or float"),
    (timedelta, "use Duration"),
    (list[timedelta | None], "use Duration"),
    (NaiveDatetime, "use datetime or AwareDatetime"),
    (PastDatetime, "check them in the reconciler"),
    (Annotated[date, Field(ge=date(2020, 1, 1))], "check them in the reconciler"),
    (Annotated[Duration, Field(ge=Duration("1s"))], "has no structural form"),
    (IPv4Network, "use IPv4Interface"),
    (Pattern[str], "servers do not check the format 'regex'"),
    (Annotated[str, Field(json_schema_extra={"format": "quantity"})], "servers do not check the format 'quantity'"),
    (Annotated[int, Field(json_schema_extra={"format": "date"})], "servers do not check the format 'date'"),
    (Annotated[str, Field(json_schema_extra={"const2": 1})], "'const2' (of Field or json_schema_extra)"),
    (Annotated[int | str, Field(ge=0)], "'ge' (of Field or json_schema_extra)"),
    (Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)], "drop one of both"),
    (Annotated[int, Field(le=2**53 + 1)], "servers keep 9007199254740993 as the float"),
    (Level | str, "enum of one branch of the union"),
    (dict[int, int], "use dict[str, ...]"),
    (dict[UUID, int], "use dict[str, ...]"),
    (dict[Annotated[str, Field(min_length=2)], int], "use dict[str, ...]"),
    (Annotated[Cat | Numbered, Field(discriminator="kind")], "the tag of a union is a Literal of texts"),
    (TypedExtra, "typed extra fields"),
    (list[Tree], "Tree contains itself"),
    (Annotated[int, PlainSerializer(lambda n: n)], "annotate its return type"),
    (Annotated[int, PlainSerializer(str, return_type=str)], "is read as integer and written as string"),
    (Annotated[int, PlainValidator(int, json_schema_input_type=str)], "is read as string and written as integer"),
    (Json[list[int]], "'contentSchema'"),
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


@pytest.mark.parametrize(("annotation", "way_out"), REFUSED, ids=[str(n) for n in range(len(REFUSED))])
def test_m2_an_unsupported_field_is_refused_with_its_path_and_the_way_out(annotation: Any, way_out: str) -> None:
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
    assert schema_of(int | None, 5) == {"type": "integer", "nullable": True, "default": 5}
    assert schema_of(Any, 5) == {**ANY, "nullable": True, "default": 5}
    assert schema_of(Noted, Noted())["default"] == {"level": 1}
    assert schema_of(set[str], {"b", "a"})["default"] == ["a", "b"]
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


def test_a_plain_model_with_snake_case_is_refused_with_the_advice_and_an_alias_is_fine() -> None:
    class Plain(BaseModel):
        page_size: int

    class Aliased(BaseModel):
        page_size: int = Field(alias="pageSize")

    with pytest.raises(SchemaError, match="derive Plain from Spec or Status") as caught:
        schema_of(list[Plain])
    assert caught.value.path == "spec.field[].page_size"
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
    assert caught.value.path == "spec.field[].handler"


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        (Field(1, validation_alias="other"), "is read as 'other' and written as 'count'"),
        (Field(1, serialization_alias="other"), "is read as 'count' and written as 'other'"),
        (Field(1, validation_alias=AliasChoices("count", "other")), "give it one name with alias="),
        (Field(1, validation_alias=AliasPath("other", 0)), "give it one name with alias="),
        (Field(1, exclude=True), "drop exclude"),
        (Field(1, alias="fooBar"), "is called 'fooBar' on the wire, as 'foo_bar' is"),
        (Field(1, alias="size"), "is called 'size' on the wire, which 'size' is read from too"),
    ],
)
def test_m2_a_field_that_is_read_and_written_in_two_ways_is_refused_by_name(field: Any, reason: str) -> None:
    parts: dict[str, Any] = {"foo_bar": (int, 1), "size": (int, Field(1, alias="Size")), "count": (int, field)}
    model = create_model("Made", __base__=Spec, **parts)

    for where in (model, create_model("Outer", __base__=Spec, inner=(dict[str, model | None], ...))):  # type: ignore[valid-type]
        with pytest.raises(SchemaError, match=r"Made\.count") as caught:
            structural_schema(where, "spec")
        assert reason in str(caught.value)
        assert caught.value.path.endswith(".count")


def test_a_computed_field_is_refused_by_name() -> None:
    class Made(Spec):
        ready: int = 0

        @computed_field
        def phase(self) -> str:
            return "Ready"

    with pytest.raises(SchemaError, match="phase is computed") as caught:
        structural_schema(Made, "status")
    assert caught.value.path == "status.phase"


def test_a_serializer_that_changes_the_form_is_refused() -> None:
    class OfField(Spec):
        count: int = 0

        @field_serializer("count")
        def text(self, value: int) -> str:
            return f"{value}%"

    class OfModel(Spec):
        count: int = 0

        @model_serializer
        def more(self) -> dict[str, Any]:
            return {"count": self.count, "more": 1}

    class Untyped(Spec):
        count: int = 0

        @model_serializer(mode="wrap")
        def more(self, handler: Any):  # type: ignore[no-untyped-def]  # that is the point
            return handler(self)

    with pytest.raises(SchemaError, match="is read as integer and written as string") as caught:
        structural_schema(OfField, "spec")
    assert caught.value.path == "spec.count"
    for model in (OfModel, Untyped):
        with pytest.raises(SchemaError, match="serializer"):
            structural_schema(model, "spec")


def test_a_rule_of_the_author_beside_a_type_is_kept() -> None:
    class Either(Spec):
        model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["a"]}, {"required": ["b"]}]})
        a: int | None = None
        b: int | None = None

    assert structural_schema(Either, "spec")["oneOf"] == [{"required": ["a"]}, {"required": ["b"]}]


def test_a_default_that_is_no_json_is_refused_by_name() -> None:
    with pytest.raises(SchemaError, match="there is no JSON for this") as caught:
        schema_of(float, float("inf"))
    assert caught.value.path == "spec.field"
