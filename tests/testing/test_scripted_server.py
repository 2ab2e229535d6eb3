"""The scripted server: what it keeps, what it sends, and each fault that a test can request of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from zestor_controller.http import HttpRequest, HttpResponse
from zestor_controller.testing.clock import run_virtual
from zestor_controller.testing.scripted import ScriptedServer

SITES = "/apis/scripted.test/v1/namespaces/default/sites"
ALL = "/apis/scripted.test/v1/sites"


async def ask(server: ScriptedServer, path: str, **query: str) -> tuple[int, Any]:
    response = await server.handle(HttpRequest("GET", path, list(query.items())))
    assert isinstance(response.body, bytes)
    return response.status, json.loads(response.body)


async def watch(
    server: ScriptedServer, path: str = ALL, *, since: int = 100, seconds: int = 300
) -> AsyncIterator[bytes]:
    query = [("watch", "true"), ("resourceVersion", str(since)), ("timeoutSeconds", str(seconds))]
    response = await server.handle(HttpRequest("GET", path, query))
    assert not isinstance(response.body, bytes)
    return response.body


async def rest(body: AsyncIterator[bytes]) -> list[tuple[str, str, str]]:
    """Type, name and version of the events until the stream ends."""
    text = b"".join([piece async for piece in body])
    events = [json.loads(line) for line in text.splitlines()]
    metadata = [event["object"].get("metadata", {}) for event in events]
    return [
        (event["type"], meta.get("name", ""), meta.get("resourceVersion", ""))
        for event, meta in zip(events, metadata, strict=True)
    ]


async def test_an_object_keeps_its_uid_and_gets_a_version_with_each_write() -> None:
    server = ScriptedServer()
    first = server.put("sites", "a", spec={"n": 1})
    second = server.put("sites", "a", spec={"n": 2}, metadata={"labels": {"x": "y"}})
    server.remove("sites", "a")
    third = server.put("sites", "a")
    assert [one["metadata"]["resourceVersion"] for one in (first, second, third)] == ["101", "102", "104"]
    assert first["metadata"]["uid"] == second["metadata"]["uid"] != third["metadata"]["uid"]
    assert (second["spec"], second["metadata"]["labels"], second["metadata"]["namespace"]) == (
        {"n": 2},
        {"x": "y"},
        "default",
    )
    assert server.version == 104
    assert list(server.objects("sites")) == ["default/a"]
    assert "namespace" not in server.put("nodes", "n", None)["metadata"]
    assert list(server.objects("nodes")) == ["n"]
    assert server.objects("none") == {}


async def test_a_list_has_the_objects_of_its_namespace_in_the_order_of_the_names() -> None:
    server = ScriptedServer()
    for name, namespace in (("b", "default"), ("a", "default"), ("c", "other")):
        server.put("sites", name, namespace)
    status, listed = await ask(server, SITES)
    assert (status, listed["metadata"]) == (200, {"resourceVersion": "103"})
    assert [item["metadata"]["name"] for item in listed["items"]] == ["a", "b"]
    assert [item["metadata"]["name"] for item in (await ask(server, ALL))[1]["items"]] == ["a", "b", "c"]


async def test_pages_are_of_one_version_until_the_history_is_forgotten() -> None:
    server = ScriptedServer()
    for name in "abcde":
        server.put("sites", name)
    _, first = await ask(server, ALL, limit="2")
    server.put("sites", "zz")
    _, second = await ask(server, ALL, limit="2", **{"continue": first["metadata"]["continue"]})
    _, third = await ask(server, ALL, limit="2", **{"continue": second["metadata"]["continue"]})
    pages = [[item["metadata"]["name"] for item in page["items"]] for page in (first, second, third)]
    assert pages == [["a", "b"], ["c", "d"], ["e"]]
    assert [page["metadata"]["resourceVersion"] for page in (first, second, third)] == ["105"] * 3
    assert "continue" not in third["metadata"]

    server.compact()
    status, failure = await ask(server, ALL, limit="2", **{"continue": first["metadata"]["continue"]})
    assert (status, failure["kind"], failure["reason"], failure["code"]) == (410, "Status", "Expired", 410)


async def test_a_version_that_is_still_to_come_is_too_large() -> None:
    server = ScriptedServer()
    assert (await ask(server, ALL, resourceVersion="100"))[0] == 200
    status, failure = await ask(server, ALL, resourceVersion="101")
    assert (status, failure["reason"]) == (504, "Timeout")
    assert failure["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"


async def test_requests_are_noted_by_what_they_are_for() -> None:
    server = ScriptedServer()
    await ask(server, ALL)
    await ask(server, ALL, limit="1")
    await ask(server, ALL, limit="1", resourceVersion="0")
    await ask(server, "/api/v1/namespaces/default")
    body = await watch(server)
    server.end_watches()
    await rest(body)
    assert [verb for verb, _, _ in server.requests] == ["list", "version", "list", "get", "watch"]
    assert (server.count("list"), server.count("version"), server.count("delete")) == (2, 1, 0)
    assert server.requests[1] == ("version", ALL, {"limit": "1"})


def test_a_watch_has_what_happened_since_its_version_and_then_what_happens() -> None:
    async def scenario() -> list[tuple[str, str, str]]:
        server = ScriptedServer()
        server.put("sites", "before")
        server.put("sites", "a")
        server.put("other", "x")
        body = await watch(server, since=101)
        assert server.open_watches() == 1
        reading = asyncio.ensure_future(rest(body))
        await asyncio.sleep(1)
        server.put("sites", "a")
        server.remove("sites", "a")
        server.put("sites", "elsewhere", "other")
        server.bookmark("sites", "Site")
        server.bookmark("other")
        await asyncio.sleep(1)
        server.end_watches()
        found = await reading
        assert server.open_watches() == 0
        return found

    assert run_virtual(scenario()) == [
        ("ADDED", "a", "102"),
        ("MODIFIED", "a", "104"),
        ("DELETED", "a", "105"),
        ("ADDED", "elsewhere", "106"),
        ("BOOKMARK", "", "107"),
    ]


def test_a_watch_of_a_namespace_has_nothing_of_others() -> None:
    async def scenario() -> list[tuple[str, str, str]]:
        server = ScriptedServer()
        server.put("sites", "old", "other")
        body = await watch(server, SITES)
        reading = asyncio.ensure_future(rest(body))
        await asyncio.sleep(1)
        server.put("sites", "a")
        server.put("sites", "b", "other")
        await asyncio.sleep(1)
        server.end_watches()
        return await reading

    assert run_virtual(scenario()) == [("ADDED", "a", "102")]


def test_a_watch_ends_after_its_timeout_unless_the_server_ignores_it_or_is_mute() -> None:
    async def scenario() -> list[float]:
        loop, server = asyncio.get_running_loop(), ScriptedServer()
        ends = []
        for obeys, mute in ((True, False), (False, False), (True, True)):
            server.obeys_timeout = obeys
            began = loop.time()
            reading = asyncio.ensure_future(rest(await watch(server, seconds=30)))
            await asyncio.sleep(1)
            if mute:
                server.mute()
                server.put("sites", "unseen")
                server.end_watches()
            done, _ = await asyncio.wait([reading], timeout=1000)
            ends.append(loop.time() - began)
            if not done:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
        return ends

    assert run_virtual(scenario()) == pytest.approx([30, 1001, 1001])


async def test_a_version_without_history_is_expired() -> None:
    server = ScriptedServer()
    server.put("sites", "a")
    server.compact()
    server.put("sites", "b")
    body = await watch(server, since=100)
    event = json.loads(await anext(body))
    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")
    assert [piece async for piece in body] == []
    body = await watch(server, since=101)
    server.end_watches()
    assert await rest(body) == [("ADDED", "b", "102")]


async def test_a_restore_goes_back_and_ends_the_watches() -> None:
    server = ScriptedServer()
    server.put("sites", "a")
    before, version = server.objects("sites"), server.version
    body = await watch(server, since=101)
    server.put("sites", "b")
    server.restore("sites", before, version)
    assert await rest(body) == [("ADDED", "b", "102")]
    assert (list(server.objects("sites")), server.version) == (["default/a"], 101)
    assert [item["metadata"]["name"] for item in (await ask(server, ALL))[1]["items"]] == ["a"]


async def test_scripted_responses_are_given_once_each_and_in_order() -> None:
    server = ScriptedServer()
    failure = HttpResponse(500, [], b'{"kind":"Status"}')

    def dynamic(request: HttpRequest) -> HttpResponse:
        return HttpResponse(200, [], json.dumps({"path": request.path}).encode())

    server.script("list", failure, ConnectionResetError("gone"), dynamic)
    assert (await ask(server, ALL, limit="1"))[0] == 200  # a version request takes none of a list's
    assert (await ask(server, ALL))[0] == 500
    with pytest.raises(ConnectionResetError):
        await ask(server, ALL)
    assert (await ask(server, ALL))[1] == {"path": ALL}
    assert (await ask(server, ALL))[1]["kind"] == "List"


async def test_a_refusal_holds_for_its_verb_and_plural_until_it_is_lifted() -> None:
    server = ScriptedServer()
    server.refuse("list", "sites", HttpResponse(403, [], b"{}"))
    for _ in range(2):
        assert (await ask(server, ALL))[0] == 403
        assert (await ask(server, ALL, limit="1"))[0] == 403
    assert (await ask(server, "/apis/scripted.test/v1/others"))[0] == 200
    body = await watch(server)
    server.end_watches()
    assert await rest(body) == []
    server.refuse("list", "sites", None)
    assert (await ask(server, ALL))[0] == 200
    server.refuse("list", "sites", None)  # again is harmless


async def test_a_connection_can_break_within_pieces_that_are_cut_as_requested() -> None:
    server = ScriptedServer()
    server.cut = lambda data: (data[:3], data[3:])
    body = await watch(server)
    server.send("sites", b"abcdef")
    server.send("other", b"never")
    server.end_watches(ConnectionResetError("broken"))
    server.send("sites", b"too late")
    assert [await anext(body), await anext(body)] == [b"abc", b"def"]
    with pytest.raises(ConnectionResetError):
        await anext(body)
