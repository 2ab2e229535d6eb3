"""The event recorder: series, the spam filter, the bound of the queue."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from itertools import count
from typing import Any

from operating import virtual
from plainserver import PlainServer

from zestor_controller import Client
from zestor_controller.client import MemoryTransport
from zestor_controller.controller import EventRecorder

SHOP = {"apiVersion": "demo.example.org/v1", "kind": "Shop", "name": "a", "namespace": "default", "uid": "u"}


def recorder(server: PlainServer) -> EventRecorder:
    numbers = count()
    return EventRecorder(
        Client(MemoryTransport(server)),
        controller="shops",
        instance="here",
        now=lambda: datetime(2026, 1, 1, tzinfo=UTC),
        clock=asyncio.get_running_loop().time,
        suffix=lambda: f"{next(numbers):x}",
    )


async def written(made: EventRecorder) -> None:
    task = asyncio.create_task(made.run())
    await made.flush()
    task.cancel()


def events(server: PlainServer) -> list[dict[str, Any]]:
    return [obj for key, obj in server.objects.items() if key[0] == "events"]


@virtual
async def test_repeats_within_six_minutes_become_a_series_and_later_ones_a_new_event() -> None:
    server = PlainServer()
    made = recorder(server)
    for wait in (0, 100, 300):
        await asyncio.sleep(wait)
        made.record(SHOP, "Normal", "Opened", "open", action="Open")
        await written(made)
    assert [event["series"]["count"] for event in events(server)] == [3]
    event = events(server)[0]
    assert (event["regarding"], event["reportingController"], event["note"]) == (SHOP, "shops", "open")
    await asyncio.sleep(361)
    made.record(SHOP, "Normal", "Opened", "open", action="Open")
    await written(made)
    assert len(events(server)) == 2


@virtual
async def test_a_series_whose_event_has_expired_starts_anew() -> None:
    server = PlainServer()
    made = recorder(server)
    made.record(SHOP, "Normal", "Opened", "open", action="Open")
    await written(made)
    server.take("events", "a.0")
    made.record(SHOP, "Normal", "Opened", "open", action="Open")
    await written(made)
    assert server.names("events") == ["a.1"]


@virtual
async def test_an_object_writes_twenty_five_events_at_once_and_then_one_every_five_minutes() -> None:
    server = PlainServer()
    made = recorder(server)
    for n in range(40):
        made.record(SHOP, "Normal", "Opened", f"open {n}", action="Open")
    made.record({**SHOP, "uid": "other"}, "Normal", "Opened", "open", action="Open")
    await written(made)
    assert (len(events(server)), made.dropped) == (26, 15)
    await asyncio.sleep(301)
    for n in range(2):
        made.record(SHOP, "Normal", "Opened", f"again {n}", action="Open")
    await written(made)
    assert (len(events(server)), made.dropped) == (27, 16)


@virtual
async def test_the_queue_is_bounded_and_recording_never_waits() -> None:
    server = PlainServer()
    made = recorder(server)
    for n in range(1200):
        made.record({**SHOP, "uid": f"u{n}"}, "Normal", "Opened", "open", action="Open")
    assert made.dropped == 200
    await written(made)
    assert len(events(server)) == 1000


@virtual
async def test_a_refused_event_is_logged_and_the_next_one_written() -> None:
    server = PlainServer()
    made = recorder(server)
    server.refuse = lambda request: b"first" in request.body
    made.record(SHOP, "Normal", "Opened", "first", action="Open")
    made.record(SHOP, "Normal", "Opened", "second \ud800" + "é" * 2000, action="Open")
    await written(made)
    (event,) = events(server)
    assert event["note"].startswith("second ?")
    assert len(event["note"].encode()) <= 1024
