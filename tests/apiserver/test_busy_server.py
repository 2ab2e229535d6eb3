"""No request keeps the server from its other clients for a second (A7), whatever it makes the server work on.

What is measured is the time that this thread computes, so that a busy machine does not matter: no other client is$
served in that time.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

from .conftest import Talk

THINGS = "/apis/busy.example/v1/namespaces/default/things"
LIMIT_S = 1.0
PATTERNS = {"nested": "^(a+)+$", "alternatives": "^(a|a)*$", "lazy": "^(.*)*!!$"}


@pytest.fixture
async def things(talk: Talk) -> Talk:
    """A kind with the fields whose checks could be costly, and one object of it."""
    fields: dict[str, Any] = {name: {"type": "string", "pattern": pattern} for name, pattern in PATTERNS.items()}
    fields["set"] = {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"}
    fields["unique"] = {
        "type": "array",
        "maxItems": 1_000_000,
        "items": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    }
    fields["free"] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    fields["date"] = {"type": "string", "format": "date-time"}
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": fields}}}
    body = {
        "metadata": {"name": "things.busy.example"},
        "spec": {
            "group": "busy.example",
            "scope": "Namespaced",
            "names": {"plural": "things", "kind": "Thing"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
        },
    }
    status, made = await talk.ask("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", body)
    assert status == 201, made
    await asyncio.sleep(0)  # the definition is served after its create
    await talk.make("one", THINGS, apiVersion="busy.example/v1", kind="Thing", spec={"free": {"list": ["x"]}})
    return talk


async def timed(talk: Talk, method: str, path: str, body: bytes = b"", limit: float = LIMIT_S, **headers: str) -> int:
    """The status; the time is within the limit."""
    started = time.thread_time()
    response = await talk.send(method, path, body or None, **headers)
    spent = time.thread_time() - started
    assert spent < limit
    return response.status


def thing(**spec: Any) -> bytes:
    return json.dumps(
        {"apiVersion": "busy.example/v1", "kind": "Thing", "metadata": {"name": "x"}, "spec": spec}
    ).encode()


@pytest.mark.parametrize("field", sorted(PATTERNS))
async def test_a7_a_pattern_takes_linear_time(things: Talk, field: str) -> None:
    assert await timed(things, "POST", THINGS, thing(**{field: "a" * 100_000 + "!?"})) == 422


@pytest.mark.parametrize(
    ("spec", "status"),
    [
        ({"set": [str(number) for number in range(50_000)]}, 201),
        ({"unique": [{"a": number} for number in range(20_000)]}, 201),
        ({"free": {f"key{number}": {"a": 1} for number in range(20_000)}}, 201),
        ({"date": "2026-01-01T00:00:00." + "9" * 200_000 + "Z!"}, 422),
        ({f"unknown{number}": 1 for number in range(30_000)}, 201),
    ],
)
async def test_a7_a_large_object_takes_linear_time(things: Talk, spec: dict[str, Any], status: int) -> None:
    assert await timed(things, "POST", THINGS, thing(**spec)) == status


@pytest.mark.parametrize(
    "query",
    [
        "labelSelector=" + ",".join(f"a{number}%3Db" for number in range(20_000)),
        "labelSelector=a%20in%20(" + ",".join(str(number) for number in range(50_000)) + ")",
        "labelSelector=" + "(" * 50_000,
        "fieldSelector=" + ",".join("metadata.name%3Done" for _ in range(20_000)),
        "continue=" + "A" * 200_000,
        "limit=" + "9" * 5_000,
        "resourceVersion=" + "9" * 50_000,
    ],
)
async def test_a7_a_long_query_takes_linear_time(things: Talk, query: str) -> None:
    assert await timed(things, "GET", f"{THINGS}?{query}") in (200, 400, 410, 504)


@pytest.mark.parametrize("header", [",".join(["application/json;q=0.1"] * 2_000), ";" * 60_000, "a" * 60_000])
async def test_a7_a_long_accept_header_takes_linear_time(things: Talk, header: str) -> None:
    assert await timed(things, "GET", THINGS, accept=header) in (200, 406)


DOUBLING = [{"op": "copy", "from": "/spec/free", "path": f"/spec/free/copy{number}"} for number in range(60)]
MOVES = [{"op": "add", "path": "/spec/free/list/0", "value": number} for number in range(9_900)]


@pytest.mark.parametrize("operations", [DOUBLING, MOVES], ids=["doubling", "many"])
async def test_a7_a_json_patch_grows_nothing_without_bound(things: Talk, operations: list[Any]) -> None:
    body = json.dumps(operations).encode()
    kind = "application/json-patch+json"
    # 0.8 s on a machine of its own, for three mebibytes of the smallest lists.
    status = await timed(things, "PATCH", f"{THINGS}/one", body, limit=2 * LIMIT_S, content_type=kind)
    assert status == (422 if operations is DOUBLING else 200)


@pytest.mark.parametrize(
    "text", ["[" * 200_000, '{"a":' * 200_000, "- " * 100_000, "{" * 100_000, "a: &a [*a]\n" * 10_000]
)
@pytest.mark.parametrize("kind", ["application/json", "application/yaml"])
async def test_a7_a_deep_document_is_rejected_at_once(things: Talk, text: str, kind: str) -> None:
    assert await timed(things, "POST", THINGS, text.encode(), content_type=kind) == 400


async def test_a7_an_apply_of_many_fields_takes_linear_time(things: Talk) -> None:
    fields = {f"key{number}": "v" for number in range(8_000)}
    body = json.dumps(
        {"apiVersion": "busy.example/v1", "kind": "Thing", "metadata": {"name": "one"}, "spec": {"free": fields}}
    )
    path = f"{THINGS}/one?fieldManager=a"
    assert await timed(things, "PATCH", path, body.encode(), content_type="application/apply-patch+yaml") == 200
