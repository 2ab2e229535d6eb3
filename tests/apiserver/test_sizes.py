"""Limits hold for what is stored, sent and kept, not for the bytes of a request (A7)."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from zestor_controller.apiserver.response.warningheaders import MAX_BYTES, warning_headers
from zestor_controller.apiserver.syntax import goyaml
from zestor_controller.apiserver.syntax.gojson import DocumentError

THINGS = "/apis/find.example/v1/namespaces/default/things"
TOO_LARGE = {
    "kind": "Status",
    "apiVersion": "v1",
    "metadata": {},
    "status": "Failure",
    "message": "etcdserver: request is too large",
    "code": 500,
}


@pytest.fixture
async def things(talk: Any) -> Any:
    """A server with a custom resource that takes anything."""
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    names = {"plural": "things", "singular": "thing", "kind": "Thing", "listKind": "ThingList"}
    versions = [{"name": "v1", "served": True, "storage": True, "schema": schema}]
    spec = {"group": "find.example", "scope": "Namespaced", "names": names, "versions": versions}
    crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    await talk.make("things.find.example", crds, spec=spec)
    await asyncio.sleep(0)  # the definition is served after its create
    return talk


def thing(name: str, spec: Any) -> dict[str, Any]:
    return {"apiVersion": "find.example/v1", "kind": "Thing", "metadata": {"name": name}, "spec": spec}


async def test_an_alias_that_is_repeated_counts_each_time(things: Any) -> None:
    head = "apiVersion: find.example/v1\nkind: Thing\nmetadata: {name: x}\n"
    text = head + 'x: &a "' + "A" * 20_000 + '"\nspec:\n' + " - *a\n" * 400

    status, answer = await things.ask("POST", THINGS, text.encode(), content_type="application/yaml")

    assert (status, answer) == (500, TOO_LARGE)
    assert (await things.ask("GET", f"{THINGS}/x"))[0] == 404
    assert (await things.ask("POST", f"{THINGS}?dryRun=All", text.encode(), content_type="application/yaml"))[0] == 201


async def test_an_object_that_grows_by_patches_stays_as_it_was_when_it_would_be_too_large(things: Any) -> None:
    assert (await things.ask("POST", THINGS, thing("a", {"0": "x" * 1_000_000})))[0] == 201

    status, answer = await things.merge(f"{THINGS}/a", {"spec": {"1": "y" * 1_000_000}})

    assert (status, answer) == (500, TOO_LARGE)
    assert list((await things.ask("GET", f"{THINGS}/a"))[1]["spec"]) == ["0"]
    copies = [{"op": "copy", "from": "/spec/0", "path": "/spec/1"}]
    status, answer = await things.ask("PATCH", f"{THINGS}/a", copies, content_type="application/json-patch+json")
    assert (status, answer) == (500, TOO_LARGE)
    put = thing("a", {"0": "x" * 1_600_000})
    put["metadata"]["resourceVersion"] = (await things.ask("GET", f"{THINGS}/a"))[1]["metadata"]["resourceVersion"]
    assert await things.ask("PUT", f"{THINGS}/a", put) == (500, TOO_LARGE)


async def test_a7_an_object_that_grows_by_field_managers_stays_bounded(things: Any) -> None:
    """Each manager brings fields of its own, and its entry in managedFields."""
    statuses = []
    for number in range(6):
        applied = thing("m", {f"{number}-{key}-{'k' * 1000}": 0 for key in range(400)})
        body = json.dumps(applied).encode()
        path = f"{THINGS}/m?fieldManager=m{number}"
        status, answer = await things.ask("PATCH", path, body, content_type="application/apply-patch+yaml")
        statuses.append(status)
        if status != 200 and status != 201:
            break
    assert (statuses, answer) == ([201, 200, 200, 500], TOO_LARGE)
    _, stored = await things.ask("GET", f"{THINGS}/m")
    assert len(json.dumps(stored, separators=(",", ":"))) <= 1_572_864


def bomb(depth: int) -> bytes:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, depth)]
    return "\n".join(lines).encode()


@pytest.mark.parametrize(
    "text",
    [
        bomb(9),
        b'a: &a "' + b"x" * 1_000_000 + b'"\nb: [' + b"*a, " * 400_000 + b"*a]",
        b"a: &a {k: " + b"x" * 100_000 + b"}\nb:\n" + b"- {<<: *a}\n" * 1000,
        b"a: &a [" + b"1," * 50 + b"1]\nb: [" + b"*a, " * 10_000 + b"1]",
    ],
)
def test_a7_aliases_are_bounded_before_they_are_expanded(text: bytes) -> None:
    with pytest.raises(DocumentError, match="yaml: document contains excessive aliasing"):
        goyaml.load(text)


def test_aliases_of_an_ordinary_document_are_expanded_to_parts_of_their_own() -> None:
    value, _ = goyaml.load(b"a: &a {k: [1]}\nb: *a\nc: [*a, *a]\n")

    assert value == {"a": {"k": [1]}, "b": {"k": [1]}, "c": [{"k": [1]}, {"k": [1]}]}
    value["b"]["k"].append(2)
    assert value["a"] == value["c"][0] == {"k": [1]}
    assert len(goyaml.load(b"a: &a {k: [1, 2, 3]}\nb:\n" + b" - *a\n" * 1000)[0]["b"]) == 1000


@pytest.mark.parametrize("texts", [["w" * 100_000], [f"{n}" * 300 for n in range(100)], ["\u20ac" * 2000, '"' * 300]])
def test_warnings_take_at_most_four_kilobytes(texts: list[str]) -> None:
    headers = warning_headers(texts)

    assert headers
    assert sum(len(f"{name}: {value}\r\n".encode()) for name, value in headers) <= MAX_BYTES == 4096


def test_short_warnings_are_whole_and_each_is_given_once() -> None:
    assert warning_headers(['say "a"', "b" * 3000, 'say "a"']) == [
        ("Warning", r'299 - "say \"a\""'),
        ("Warning", f'299 - "{"b" * 3000}"'),
    ]


async def test_a_request_with_many_unknown_fields_is_warned_of_in_four_kilobytes(talk: Any) -> None:
    body = {"metadata": {"name": "a"}, **{f"unknown{number}": 1 for number in range(5000)}}

    response = await talk.send("POST", talk.configmaps, body)

    warned = [value for name, value in response.headers if name == "Warning"]
    assert response.status == 201
    assert warned
    assert sum(map(len, warned)) <= 4096
