"""The wire form: stable sets, None where it means something, and the notation of what was read."""

from __future__ import annotations

import enum
import json
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel, ConfigDict, Field, RootModel

from zestor_controller import Conditions, CustomResource, Spec, Status
from zestor_controller.objects import kind_of


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"
    GREEN = "green"


class Pair(BaseModel):
    model_config = ConfigDict(frozen=True)
    a: int
    b: str | None = None


@dataclass
class Limits:
    cpu: int | None = None
    memory: int | None = 5


class Names(RootModel[set[str]]):
    pass


class Part(Spec):
    since: datetime | None = None
    tags: set[str] = Field(default_factory=set)
    limit: int | None = 5


class ThingSpec(Spec):
    size: float = 1
    owner: UUID | None = None
    parts: list[Part] = Field(default_factory=list)
    by_name: dict[str, Part] = Field(default_factory=dict)
    pairs: set[Pair] = Field(default_factory=set)
    colours: frozenset[Colour] = frozenset()
    names: Names = Names(set())
    numbers: list[int | None] = Field(default_factory=list)
    counts: dict[str, int | None] = Field(default_factory=dict)
    limit: int | None = 5
    burst: int | None = Field(default_factory=lambda: 3)
    note: str | None = None
    limits: Limits = Field(default_factory=Limits)
    anything: Any = None


class ThingStatus(Status):
    conditions: Conditions = Field(default_factory=list)
    seen: set[str] = Field(default_factory=set)


class Thing(CustomResource[ThingSpec, ThingStatus], group="tests.example.org", version="v1", plural="things"):
    """A thing."""


READ: dict[str, Any] = {
    "apiVersion": "tests.example.org/v1",
    "kind": "Thing",
    "metadata": {"name": "x", "creationTimestamp": "2026-01-01T00:00:00Z"},
    "spec": {
        "size": 2,
        "owner": "6F9619FF-8B86-D011-B42D-00CF4FC964FF",
        "colours": ["red", "blue"],
        "parts": [
            {"since": "2026-01-01T10:00:00+02:00", "tags": ["b", "a"]},
            {"since": "2026-01-01T10:00:00.120000000Z", "newerField": {"at": None}},
        ],
        "byName": {"one": {"since": "2026-01-01t10:00:00z"}},
        "note": None,
    },
    "status": {
        "seen": ["z", "a"],
        "conditions": [
            {
                "type": "Ready",
                "status": "True",
                "reason": "Done",
                "message": "",
                "lastTransitionTime": "2026-01-01T10:00:00.000000Z",
            }
        ],
    },
}


def read() -> Thing:
    return kind_of(Thing).decode(json.dumps(READ).encode())


def holds(whole: Any, part: Any) -> bool:
    """Whether all that `part` says is in `whole` too, with the same notation."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(key in whole and holds(whole[key], part[key]) for key in part)
    if isinstance(part, list):
        return isinstance(whole, list) and len(whole) == len(part) and all(map(holds, whole, part))
    return type(whole) is type(part) and bool(whole == part)


def test_what_was_read_and_not_changed_is_sent_as_it_was_written() -> None:
    found = read()
    found.metadata.labels = {"a": "b"}

    sent = found.to_dict()

    assert holds(sent, {**READ, "metadata": {**READ["metadata"], "labels": {"a": "b"}}})


def test_a_change_is_sent_beside_the_untouched_text() -> None:
    found = read()
    found.spec.size = 3.5
    found.spec.parts[0].tags.add("c")
    found.spec.parts.insert(0, Part(limit=1))
    del found.spec.by_name["one"]
    found.status.seen = {"q", "b", "a"}

    sent = found.to_dict()

    assert sent["spec"]["size"] == 3.5
    assert [part.get("since") for part in sent["spec"]["parts"]] == [
        None,
        "2026-01-01T10:00:00+02:00",
        "2026-01-01T10:00:00.120000000Z",
    ]
    assert sent["spec"]["parts"][1]["tags"] == ["a", "b", "c"]
    assert sent["spec"]["byName"] == {}
    assert sent["status"]["seen"] == ["a", "b", "q"]
    assert holds(sent["status"]["conditions"], READ["status"]["conditions"])


def test_a_copy_of_what_was_read_keeps_its_text() -> None:
    assert holds(read().model_copy(deep=True).to_dict(), READ)
    assert read() == Thing.model_validate(READ)


def test_a_value_that_differs_is_never_taken_for_what_was_read() -> None:
    found = read()
    found.spec.anything = True
    found.spec.owner = UUID(int=1)
    found.spec.parts[0].since = None

    sent = found.to_dict()["spec"]

    assert sent["anything"] is True
    assert sent["owner"] == str(UUID(int=1))
    assert "since" not in sent["parts"][0]


def test_none_is_sent_where_its_absence_would_mean_something_else() -> None:
    made = Thing(
        spec=ThingSpec(
            limit=None,
            burst=None,
            note=None,
            numbers=[1, None],
            counts={"a": None},
            parts=[Part(limit=None)],
            limits=Limits(memory=None),
        )
    )

    sent = made.to_dict()["spec"]

    assert sent["limit"] is None
    assert sent["burst"] is None
    assert "note" not in sent
    assert sent["numbers"] == [1, None]
    assert sent["counts"] == {"a": None}
    assert sent["parts"] == [{"limit": None, "tags": []}]
    assert sent["limits"] == {"memory": None}


def test_a_required_none_is_sent() -> None:
    class Needs(Spec):
        limit: int | None

    class Needy(CustomResource[Needs, Status], group="tests.example.org", version="v1", plural="needies"):
        pass

    assert Needy(spec=Needs(limit=None)).to_dict()["spec"] == {"limit": None}


def test_a_number_that_json_does_not_have_is_refused_with_its_field() -> None:
    with pytest.raises(ValueError, match=r"Thing\.spec\.size: nan cannot be sent"):
        Thing(spec=ThingSpec(size=float("nan"))).to_dict()


def test_sets_are_sorted_wherever_they_are() -> None:
    spec = ThingSpec(
        colours=frozenset(Colour),
        names=Names({"b", "a"}),
        pairs={Pair(a=2), Pair(a=10), Pair(a=1, b="x")},
        parts=[Part(tags={"b", "a"})],
    )

    sent = Thing(spec=spec).to_dict()["spec"]

    assert sent["colours"] == ["blue", "green", "red"]
    assert sent["names"] == ["a", "b"]
    assert sorted(pair["a"] for pair in sent["pairs"]) == [1, 2, 10]
    assert sent["parts"][0]["tags"] == ["a", "b"]


def test_the_order_of_a_set_is_the_same_in_every_process() -> None:
    program = (
        "import json; from zestor_controller import CustomResource, Spec, Status\n"
        "class S(Spec):\n    tags: set[str]\n    pairs: frozenset[tuple[str, ...]]\n"
        "class K(CustomResource[S, Status], group='tests.example.org', version='v1', plural='ks'): pass\n"
        "names = [f'host-{i}' for i in range(9)]\n"
        "print(json.dumps(K(spec=S(tags=set(names), pairs=frozenset((n,) for n in names))).to_dict()))"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(printed) == 1
