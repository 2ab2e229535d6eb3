"""Copy-in and private reads of the default codec (S13)."""

import datetime
import enum
import uuid
from dataclasses import dataclass, field

import msgspec
import pydantic
import pytest

from zestor_controller.store import Change, MemoryStore


@dataclass(frozen=True)
class Frozen:
    name: str
    parts: tuple[int, ...] = ()


@dataclass(frozen=True)
class FrozenOutside:
    tags: list[str] = field(default_factory=list)


@dataclass
class Open:
    tags: list[str] = field(default_factory=list)


class FrozenStruct(msgspec.Struct, frozen=True):
    name: str


class OpenStruct(msgspec.Struct):
    tags: list[str]


class FrozenModel(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True)
    name: str


class FrozenModelWithList(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True)
    tags: list[str]


class OpenModel(pydantic.BaseModel):
    tags: list[str]


class Colour(enum.Enum):
    RED = "red"


@pytest.fixture
def kind():
    with MemoryStore() as store:
        yield store.kind("anything")


@pytest.mark.parametrize(
    "value",
    [
        10**30,
        "text" * 3,
        b"bytes",
        3.5,
        True,
        (1, ("a", frozenset({2}))),
        datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
        uuid.UUID(int=5),
        Colour.RED,
        Frozen("x", (1, 2)),
        FrozenStruct("x"),
        FrozenModel(name="x"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_s13_an_immutable_value_is_handed_out_as_it_is(kind, value):
    with kind.watch() as watch:
        kind.set("a", value)
        (event,) = watch.drain()

    assert kind.get("a") is value
    assert event.object is value
    assert kind.list() == [value]


def test_s13_a_frozen_class_is_recognised_when_it_is_first_seen(kind):
    @dataclass(frozen=True)
    class New:
        name: str

    class NewStruct(msgspec.Struct, frozen=True):
        name: str

    class NewModel(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(frozen=True)
        name: str

    for value in (New("x"), NewStruct("x"), NewModel(name="x")):
        kind.set("a", value)
        assert kind.get("a") is value


@pytest.mark.parametrize(
    ("value", "spoil"),
    [
        ({"a": {"b": [1]}}, lambda value: value["a"]["b"].append(2)),
        ([{"a": 1}], lambda value: value[0].clear()),
        (([1],), lambda value: value[0].append(2)),
        ({1, 2}, lambda value: value.add(3)),
        (bytearray(b"x"), lambda value: value.extend(b"y")),
        (Open(["x"]), lambda value: value.tags.append("y")),
        (FrozenOutside(["x"]), lambda value: value.tags.append("y")),
        (OpenStruct(["x"]), lambda value: value.tags.append("y")),
        (OpenModel(tags=["x"]), lambda value: value.tags.append("y")),
        (FrozenModelWithList(tags=["x"]), lambda value: value.tags.append("y")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_s13_a_mutable_value_is_copied_in_and_out(kind, value, spoil):
    with kind.watch() as watch:
        kind.set("a", value)
        (event,) = watch.drain()
    pristine = kind.get("a")

    assert pristine == value
    assert type(pristine) is type(value)
    spoil(value)
    for read in (kind.get("a"), kind.list()[0], event.object):
        assert read == pristine
        spoil(read)
    assert kind.get("a") == pristine
    assert event.object == pristine


def test_s13_a_value_that_contains_itself_is_copied(kind):
    value: dict[str, object] = {"n": 1}
    value["self"] = value

    kind.set("a", value)

    read = kind.get("a")
    assert read is not value
    assert read["self"] is read


def test_s3_the_default_compares_by_value_within_one_type(kind):
    assert kind.set("a", {"x": [1, {"y": 2}]}) is Change.CREATED
    assert kind.set("a", {"x": [1, {"y": 2}]}) is Change.UNCHANGED
    assert kind.set("a", 1) is Change.UPDATED
    assert kind.set("a", True) is Change.UPDATED
    assert kind.set("a", True) is Change.UNCHANGED


def test_s13_an_event_that_is_never_opened_is_not_decoded():
    class Counting:
        decoded = 0

        def encode(self, value):
            return value

        def decode(self, stored):
            self.decoded += 1
            return stored

        def same(self, old, new):
            return old == new

    codec = Counting()
    with MemoryStore() as store:
        kind = store.kind("counted", codec=codec)
        with kind.watch(initial_replay=True) as watch:
            for i in range(5):
                kind.set("a", i)
            events = watch.drain()
            assert codec.decoded == 0
            assert events[1].object == 1
            assert events[1].old == 0
            assert codec.decoded == 2
