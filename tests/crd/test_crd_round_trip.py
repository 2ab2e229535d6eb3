"""Models against a server, both ways: what a model writes comes back equal, and what its CRD lets in, the model reads.

Every kind of field is tried with every value of one pool; a kind of field that cannot keep both promises is refused
when the CRD is made, with the field's name.
"""

from __future__ import annotations

import asyncio
import enum
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from pydantic import (
    UUID4,
    AfterValidator,
    AnyUrl,
    AwareDatetime,
    Base64Bytes,
    Base64UrlBytes,
    BaseModel,
    ConfigDict,
    Field,
    HttpUrl,
    IPvAnyAddress,
    PlainSerializer,
    PlainValidator,
    RootModel,
    StrictInt,
    StringConstraints,
)

from zestor_controller import CustomResource, Duration, Spec, Status
from zestor_controller.apiserver import ApiServer
from zestor_controller.apiserver.auth.authentication import ADMINISTRATOR, TokenAuthenticator
from zestor_controller.client import Client, MemoryTransport
from zestor_controller.crd import crd_for
from zestor_controller.errors import Invalid, NotFound
from zestor_controller.objects import ListMap, kind_of


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Inner(Spec):
    note: str | None = None
    limit: int | None = 5
    tags: set[str] = Field(default_factory=set)


class Point(BaseModel):
    model_config = ConfigDict(frozen=True)
    x: int
    y: int | None = None


class Open(Spec):
    model_config = ConfigDict(extra="allow")
    a: int = 1


class Closed(Spec):
    model_config = ConfigDict(extra="forbid")
    a: int = 1


class Forgetful(Spec):
    model_config = ConfigDict(extra="ignore")
    a: int = 1


class Cat(Spec):
    model_config = ConfigDict(extra="forbid")
    kind: Literal["cat"]
    lives: int | None = 9


class Dog(Spec):
    kind: Literal["dog"]
    breed: Annotated[str, Field(min_length=1)]


class Names(RootModel[list[str]]):
    pass


class Short(BaseModel):
    model_config = ConfigDict(str_max_length=3)
    a: str = ""


@dataclass
class Limits:
    cpu: int | None = None
    memory: int | None = 5


Percent = Annotated[int, Field(ge=0)] | Annotated[str, Field(pattern=r"^[0-9]+%$")]
Pet = Annotated[Cat | Dog, Field(discriminator="kind")]
NOW = datetime(2026, 1, 2, 3, 4, 5, 600000, tzinfo=timezone(timedelta(hours=2)))
KNOWN_FORMATS = ("hexcolor", "k8s-short-name", "cidr", "mac", "uri", "duration", "email", "hostname", "password")


@dataclass
class Case:
    """A kind of field, its default (... for none), and values that Python code gives it."""

    annotation: Any
    default: Any = ...
    values: list[Any] = field(default_factory=list)


CASES: dict[str, Case] = {
    "str": Case(str, ..., ["", "a\nb", "é"]),
    "int": Case(int, 3, [0, -7, 2**63 - 1]),
    "strict int": Case(StrictInt, ..., [1]),
    "float": Case(float, 1, [0.1, 3.0, 1e300]),
    "bool": Case(bool, False, [True]),
    "optional with a default": Case(int | None, 5, [None, 5, 6]),
    "optional": Case(int | None, None, [None, 5]),
    "required optional": Case(int | None, ..., [None, 5]),
    "optional with a factory": Case(int | None, Field(default_factory=lambda: 3), [None, 4]),
    "optional text": Case(str | None, "a", [None, ""]),
    "optional choice": Case(Literal["a", "b"] | None, "a", [None, "b"]),
    "optional enumeration": Case(Colour | None, Colour.RED, [None, Colour.BLUE]),
    "optional int or str": Case(int | str | None, 1, [None, "a", 2]),
    "optional model": Case(Inner | None, Field(default_factory=Inner), [None, Inner(limit=None)]),
    "optional union": Case(Pet | None, Field(default_factory=lambda: Cat(kind="cat")), [None]),
    "optional set": Case(set[str] | None, {"a"}, [None, {"b", "a"}]),
    "any": Case(Any, None, [1, "a", [None], {"a": None}]),
    "any with a default": Case(Any, 5, [None, {"a": [1, None]}]),
    "items that may be None": Case(list[int | None], [None], [[1, None]]),
    "values that may be None": Case(dict[str, int | None], {"a": None}, [{"a": None, "b": 1}]),
    "models in a list": Case(list[Inner], [Inner()], [[Inner(limit=None, tags={"b", "a"})]]),
    "models in a mapping": Case(dict[str, Inner], ..., [{"a": Inner(note="x")}]),
    "a default that is a model": Case(Inner, Inner(), [Inner(note="x", limit=None)]),
    "a dataclass": Case(Limits, Limits(), [Limits(memory=None), Limits(cpu=1)]),
    "a keyed list": Case(Annotated[list[Dog], ListMap("breed")], ..., [[Dog(kind="dog", breed="a")]]),
    "enumeration": Case(Colour, Colour.RED, [Colour.BLUE]),
    "numbered enumeration": Case(Level, Level.LOW, [Level.HIGH]),
    "keys of an enumeration": Case(dict[Colour, int], {Colour.RED: 1}, [{Colour.BLUE: 2}]),
    "keys of a literal": Case(dict[Literal["a", "b"], int], {}, [{"a": 1}]),
    "int or str": Case(int | str, 1, ["7", 7]),
    "int or str with limits": Case(Percent, "25%", [0, "7%"]),
    "a word or an int": Case(Literal["auto", "a.b"] | int, "auto", [5, "a.b"]),
    "an enumeration or an int": Case(Colour | int, 1, [Colour.BLUE]),
    "tagged union": Case(Pet, ..., [Cat(kind="cat", lives=None), Dog(kind="dog", breed="x")]),
    "tagged unions in a list": Case(list[Pet], [], [[Cat(kind="cat")]]),
    "set": Case(set[str], {"b", "a"}, [{"c", "b"}]),
    "set of an enumeration": Case(frozenset[Colour], frozenset(), [frozenset(Colour)]),
    "set of models": Case(set[Point], set(), [{Point(x=2), Point(x=1, y=1)}]),
    "extra fields on request": Case(Open, Open(), [Open.model_validate({"a": 1, "more": {"b": None}})]),
    "no extra fields": Case(Closed, Closed(), [Closed(a=2)]),
    "extra fields dropped": Case(Forgetful, Forgetful(), [Forgetful(a=2)]),
    "root model": Case(Names, Names([]), [Names(["a"])]),
    "limits of the configuration": Case(Short, Short(), [Short(a="abc")]),
    "both bounds": Case(Annotated[int, Field(gt=0, ge=5, lt=9, le=20)], 6, [5, 8]),
    "bounds of int64": Case(Annotated[int, Field(ge=-(2**63), le=2**63 - 1)], 6, [2**63 - 1]),
    "limited text": Case(Annotated[str, Field(min_length=1, max_length=3, pattern="^a")], "a", ["aé"]),
    "ascii text": Case(Annotated[str, StringConstraints(ascii_only=True)], "a", ["a"]),
    "limited items": Case(Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1)], [1], [[2]]),
    "limited mapping": Case(Annotated[dict[str, int], Field(max_length=1)], {}, [{"a": 1}]),
    "datetime": Case(datetime, NOW, [NOW, NOW.astimezone(UTC).replace(microsecond=0)]),
    "aware datetime": Case(AwareDatetime, ..., [NOW]),
    "date": Case(date, date(2026, 1, 2), [date(1, 1, 1)]),
    "time": Case(time, time(1, 2, 3, 4), [time(1, 2, tzinfo=UTC)]),
    "duration": Case(Duration, Duration("5m"), [Duration("1.5h"), Duration("PT1H"), timedelta(seconds=1.5)]),
    "optional duration": Case(Duration | None, Duration("5m"), [None, Duration("0")]),
    "uuid": Case(UUID, UUID(int=1), [UUID(int=2)]),
    "uuid of a version": Case(UUID4, ..., [UUID("6f9619ff-8b86-4011-b42d-00cf4fc964ff")]),
    "IPv4 address": Case(IPv4Address, IPv4Address("1.2.3.4"), [IPv4Address("0.0.0.0")]),
    "IPv6 address": Case(IPv6Address, IPv6Address("::1"), [IPv6Address("::ffff:1.2.3.4")]),
    "any address": Case(IPvAnyAddress, ..., [IPv4Address("1.2.3.4"), IPv6Address("fe80::1")]),
    "IPv4 interface": Case(IPv4Interface, ..., [IPv4Interface("10.0.0.1/8")]),
    "IPv6 interface": Case(IPv6Interface, ..., [IPv6Interface("fe80::1/64")]),
    "url": Case(AnyUrl, AnyUrl("https://a.example/b?c#d"), [AnyUrl("x-y://host:80/")]),
    "http url": Case(HttpUrl, ..., [HttpUrl("http://a.example"), HttpUrl("https://127.0.0.1:8443/x%20y")]),
    "base64": Case(Base64Bytes, ..., [b"YQ==", b"a" * 200]),
    "base64 for urls": Case(Base64UrlBytes, b"", [b"-_8="]),
    "a validator": Case(Annotated[int, AfterValidator(lambda n: n)], 1, [2]),
    "a validator of its own": Case(Annotated[int, PlainValidator(int)], 1, [2]),
    "a serializer that keeps the type": Case(Annotated[str, PlainSerializer(lambda s: s, return_type=str)], "a", ["b"]),
    **{
        f"format {name}": Case(Annotated[str, Field(json_schema_extra={"format": name})], ..., [])
        for name in KNOWN_FORMATS
    },
}

POOL: list[Any] = [
    *(None, True, 0, 1, -7, 5, 8, 1.5, 1.0, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 1e30),
    *("", "a", "7", "auto", "a.b", "axb", "red", "cat", "30%", "much", "-7", "a\n", "abcd", "aé"),
    *("1h", "90s", "1.5h", "PT1H", "1 day", "foo 5 minx", "1d", "P1W", "-1h", "9999999999h", "9" * 30 + "h"),
    *("2026-01-01T00:00:00Z", "2026-01-01t00:00:00z", "2026-01-01T00:00:00+25:00", "0000-01-01T00:00:00Z"),
    *("2026-01-01T00:00:00,5Z", "2026-01-01T00:00:00Ztx", "2026-01-01T00:00:00.1234567891Z", "2026-01-01T23:59:60Z"),
    *("2026-01-01", "0000-01-01", "2026-02-30", "10:00:00", "10:00", "25:00:00", "10:00:00.1234567Z"),
    *(
        "1.2.3.4",
        "010.0.0.1",
        "::1",
        "::ffff:1.2.3.4",
        "fe80::1%eth0",
        "10.0.0.1/8",
        "10.0.0.1/33",
        "::1/064",
        "::1/64",
        "01:02:03:04:05:06",
    ),
    *(
        "6F9619FF-8B86-D011-B42D-00CF4FC964FF",
        "6f9619ff8b864011b42d00cf4fc964ff",
        "6f9619ff-8b864011-b42d-00cf4fc964ff",
    ),
    *("*", "/a", "http://a.example", "HTTP://A.example/", "http://a:99999/", "http://[::1]/", "http://xn--a/"),
    *("http://999/", "http://é/", "x:y", "http://a b/", "YQ==", "YQ", "-_8=", "YW\nJj", "#fff", "A@b", "a-b"),
    *([], [1], [None], [1, None], ["a"], ["b", "a"], ["a", "a"], ["red", "blue"], [0], [{"x": 1}, {"x": 1, "y": 2}]),
    *([{"note": None, "limit": None}], [{"kind": "dog", "breed": "a"}], [{"kind": "cat"}], [{"x": 1, "x2": 1}]),
    *({}, {"a": 1}, {"a": None}, {"a": 1, "b": 2}, {"red": 1}, {"green": 1}, {"a": "abcd"}, {"a": {"limit": None}}),
    *({"a": 1, "more": {"b": None}}, {"kind": "cat"}, {"kind": "cat", "breed": "a"}, {"kind": "dog", "breed": ""}),
    *({"kind": "dog", "breed": "x", "lives": 3}, {"kind": "cow"}, {"kind": "cat", "lives": None}, {"limit": None}),
    *({"tags": ["b", "a"], "note": None}, {"cpu": None, "memory": None}, {"x": 1}),
]


def model_of(name: str, case: Case) -> type[CustomResource[Any, Any]]:
    number = list(CASES).index(name) if name in CASES else 99
    namespace: dict[str, Any] = {"__annotations__": {"value": case.annotation}, "__module__": __name__}
    if case.default is not ...:
        namespace["value"] = case.default
    spec = type(f"Spec{number}", (Spec,), namespace)
    names = {"group": "round.example.org", "version": "v1", "plural": f"trip{number}s"}
    made: type[CustomResource[Any, Any]] = type(
        f"Trip{number}",
        (CustomResource[spec, Status],),
        {"__module__": __name__},
        **names,  # type: ignore[valid-type]
    )
    return made


@asynccontextmanager
async def served(model: type[CustomResource[Any, Any]]) -> AsyncIterator[tuple[Client, str]]:
    """An API server in memory that serves a model's CRD, and the text of the kind."""
    api = ApiServer(TokenAuthenticator({"t": ADMINISTRATOR}))
    client = Client(MemoryTransport(api, {"Authorization": "Bearer t"}))
    kind = f"round.example.org/v1/{model.__name__}"
    async with client:
        await client.create(crd_for(model))
        while True:
            try:
                await client.list(kind, namespace="default")
            except NotFound:
                await asyncio.sleep(0)
                continue
            break
        yield client, kind


def holds(whole: Any, part: Any) -> bool:
    """Whether all that `part` says is in `whole` too, with the same notation."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(key in whole and holds(whole[key], part[key]) for key in part)
    if isinstance(part, list):
        return isinstance(whole, list) and len(whole) == len(part) and all(map(holds, whole, part))
    return type(whole) is type(part) and bool(whole == part)


@pytest.mark.parametrize("name", CASES)
async def test_m1_what_a_model_writes_comes_back_equal(name: str) -> None:
    case = CASES[name]
    model = model_of(name, case)
    async with served(model) as (client, kind):
        for number, value in enumerate(case.values):
            made = model(metadata={"name": f"written-{number}"}, spec={"value": value})
            stored = await client.create(made, namespace="default")
            assert stored.spec == made.spec, value
            assert (await client.get(model, f"written-{number}", namespace="default")).spec == made.spec
            assert (await client.replace(stored)).metadata.resource_version == stored.metadata.resource_version

        if case.default is not ...:
            untouched = await client.create(model(metadata={"name": "untouched"}), namespace="default")
            assert untouched.spec == model().spec
            body = {"apiVersion": "round.example.org/v1", "kind": model.__name__, "metadata": {"name": "e"}, "spec": {}}
            await client.create(kind, body, namespace="default")
            assert (await client.get(model, "e", namespace="default")).spec == model().spec


@pytest.mark.parametrize("name", CASES)
async def test_m2_what_a_crd_lets_in_the_model_reads_and_sends_unchanged(name: str) -> None:
    model = model_of(name, CASES[name])
    let_in = 0
    async with served(model) as (client, kind):
        for number, value in enumerate(POOL):
            body = {
                "apiVersion": "round.example.org/v1",
                "kind": model.__name__,
                "metadata": {"name": f"read-{number}"},
                "spec": {"value": value},
            }
            try:
                stored = (await client.create(kind, body, namespace="default", dry_run=True)).to_dict()
            except Invalid:
                continue
            let_in += 1
            found = kind_of(model).decode(json.dumps(stored).encode())
            assert holds(found.to_dict()["spec"], stored["spec"]), value
            if value is None and stored["spec"].get("value", ...) is not None:
                assert CASES[name].default is not ..., "null was dropped"
                assert found.spec == model().spec
    assert let_in > 0, "no value of the pool is one of this kind"
