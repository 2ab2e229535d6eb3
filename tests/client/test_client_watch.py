"""Watch streams: pieces to lines, lines to events, and an end that the client finds."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import Chunks, Script, config_map, failure, line

from zestor_controller.client import Client, MemoryTransport
from zestor_controller.client.watch import split_lines
from zestor_controller.errors import Forbidden, Gone


async def pieces_of(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


@given(st.lists(st.binary(min_size=1).filter(lambda b: b"\n" not in b and not b.isspace())), st.data())
def test_lines_are_the_same_however_they_are_cut(lines: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(one + b"\n" for one in lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]

    async def read() -> list[bytes]:
        return [one async for batch in split_lines(pieces_of(*pieces)) for one in batch]

    assert asyncio.run(read()) == lines


async def test_half_a_line_at_the_end_is_dropped() -> None:
    batches = [batch async for batch in split_lines(pieces_of(b"one\ntw", b"o\nthr"))]

    assert batches == [[b"one"], [b"two"]]


async def test_empty_lines_are_left_out() -> None:
    assert [batch async for batch in split_lines(pieces_of(b"\n\n", b" \r\n", b"a\n\n"))] == [[b"a"]]


async def test_a_line_of_many_megabytes_is_one_line() -> None:
    chunk = b"x" * (1 << 16)

    batches = [batch async for batch in split_lines(pieces_of(*[chunk] * 64, b"\n"))]

    assert [len(one) for one in batches[0]] == [64 << 16]


def client_of(script: Script) -> Client:
    return Client(MemoryTransport(script))


async def test_a_watch_gives_typed_events_and_follows_the_version_over_bookmarks() -> None:
    chunks = Chunks(
        line("ADDED", config_map("a", "5")) + line("MODIFIED", config_map("a", "6"))[:20],
        line("MODIFIED", config_map("a", "6"))[20:],
        line("BOOKMARK", {"kind": "ConfigMap", "metadata": {"resourceVersion": "9"}}),
    )
    script = Script(chunks.response())

    async with client_of(script).watch("v1/ConfigMap", namespace="default", resource_version="4") as watch:
        events = [event async for event in watch]

    assert [(event.type, event.resource_version, event.object.metadata.name) for event in events] == [
        ("ADDED", "5", "a"),
        ("MODIFIED", "6", "a"),
    ]
    assert json.loads(events[0].raw)["type"] == "ADDED"
    assert watch.resource_version == "9"
    assert script.query["watch"] == "true"
    assert script.query["resourceVersion"] == "4"
    assert script.query["allowWatchBookmarks"] == "true"
    assert script.last.headers["accept-encoding"] == "identity", "a compressed stream holds events back"


async def test_an_error_event_is_raised_as_what_it_is() -> None:
    status = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}
    script = Script(Chunks(line("ADDED", config_map()), line("ERROR", status)).response())
    seen: list[str] = []

    async def read() -> None:
        async for event in client_of(script).watch("v1/ConfigMap"):
            seen.append(event.type)  # what came before the error counts

    with pytest.raises(Gone, match="too old"):
        await read()
    assert seen == ["ADDED"]


async def test_a_refused_watch_is_an_error() -> None:
    with pytest.raises(Forbidden):
        async for _ in client_of(Script(failure(403, "Forbidden"))).watch("v1/ConfigMap"):
            pass


async def test_leaving_a_watch_closes_the_servers_stream() -> None:
    chunks = Chunks(line("ADDED", config_map()), then=asyncio.Event().wait)

    async with client_of(Script(chunks.response())).watch("v1/ConfigMap") as watch:
        await anext(watch)
        assert not chunks.closed

    assert chunks.closed


async def test_cancelling_a_reader_closes_the_servers_stream() -> None:
    chunks = Chunks(line("ADDED", config_map()), then=asyncio.Event().wait)
    first = asyncio.Event()

    async def read() -> None:
        async with client_of(Script(chunks.response())).watch("v1/ConfigMap") as watch:
            async for _ in watch:
                first.set()

    task = asyncio.create_task(read())
    await first.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert chunks.closed


async def test_c5_a_silent_stream_is_ended_by_the_client() -> None:
    """A negative time puts the deadline, which has ten seconds of margin, into the near future."""
    chunks = Chunks(line("ADDED", config_map()), then=asyncio.Event().wait)
    script = Script(chunks.response())

    async with asyncio.timeout(5):
        async with client_of(script).watch("v1/ConfigMap", timeout=timedelta(seconds=-9.9)) as watch:
            events = [event async for event in watch]

    assert len(events) == 1
    assert script.query["timeoutSeconds"] == "1"
    assert chunks.closed


async def test_a_slow_consumer_is_not_struck_by_the_deadline_of_the_stream() -> None:
    """The deadline guards reading: what the consumer does between two events is its own affair."""
    chunks = Chunks(line("ADDED", config_map("a")) + line("ADDED", config_map("b")))

    seen = []
    async with client_of(Script(chunks.response())).watch("v1/ConfigMap", timeout=timedelta(seconds=-9.95)) as watch:
        async for event in watch:
            await asyncio.sleep(0.1)
            seen.append(event.object.metadata.name)

    assert seen == ["a", "b"]
