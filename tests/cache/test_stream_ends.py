"""How streams end and what is counted of it; a version that a server has not reached, by either sign of it."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable

import pytest

from zestor_controller import Client, ClusterCache
from zestor_controller.cache.sync import Failed, Phase, SyncState, step
from zestor_controller.client import MemoryTransport
from zestor_controller.errors import Cause, ServerError, TransportError
from zestor_controller.testing.clock import run_virtual
from zestor_controller.testing.scripted import ScriptedServer

MAP = "v1/ConfigMap"


def counted(scenario: Callable[[ScriptedServer, ClusterCache], Awaitable[None]]) -> dict[str, dict[str, float]]:
    """The counters of the kind after a scenario, by name and by the label beside the kind."""

    async def main() -> dict[str, dict[str, float]]:
        server = ScriptedServer()
        server.put("configmaps", "a")
        async with ClusterCache(Client(MemoryTransport(server)), rng=random.Random(1)) as cache:
            await cache.add(MAP)
            await asyncio.sleep(2)  # a watch that ends sooner counts as short
            await scenario(server, cache)
            found: dict[str, dict[str, float]] = {}
            for metric in cache.metrics.registry.collect():
                for sample in metric.samples:
                    if sample.labels.get("kind") == "configmaps" and sample.name.endswith("_total") and sample.value:
                        label = next((value for name, value in sample.labels.items() if name != "kind"), "")
                        found.setdefault(sample.name, {})[label] = sample.value
            return found

    return run_virtual(main())


def event(kind: str, obj: object) -> bytes:
    return json.dumps({"type": kind, "object": obj}).encode() + b"\n"


EXPIRED = {"kind": "Status", "status": "Failure", "reason": "Expired", "code": 410}
BROKEN = {"kind": "Status", "status": "Failure", "reason": "InternalError", "code": 500}


@pytest.mark.parametrize(
    ("piece", "failure", "end"),
    [
        (b"", None, "closed"),
        (b"", TransportError("reset by peer"), "reset"),
        (event("ERROR", EXPIRED), None, "gone"),
        (event("ERROR", BROKEN), None, "error"),
        (b"no line of JSON\n", None, "skipped"),
    ],
    ids=["closed", "reset", "gone", "error", "skipped"],
)
def test_each_end_of_a_stream_is_counted_under_its_name(piece: bytes, failure: Exception | None, end: str) -> None:
    async def scenario(server: ScriptedServer, cache: ClusterCache) -> None:
        if piece:
            server.send("configmaps", piece)
        if not piece.startswith(b'{"type": "ERROR"'):  # which ends the stream from the client's side
            await asyncio.sleep(0.001)
            server.end_watches(failure)
        await asyncio.sleep(0.5)

    assert counted(scenario)["zestor_watch_streams_total"] == {end: 1}


def test_the_reasons_of_lists_are_counted_and_so_is_what_they_brought() -> None:
    async def scenario(server: ScriptedServer, cache: ClusterCache) -> None:
        server.compact()
        server.put("configmaps", "b")
        server.send("configmaps", event("ERROR", EXPIRED))
        await asyncio.sleep(5)
        assert sorted(one.name for one in cache.lister(MAP).metadata()) == ["a", "b"]

    found = counted(scenario)
    assert found["zestor_relists_total"] == {"start": 1, "gone": 1}
    assert found["zestor_list_items_total"] == {"": 3}


def test_what_vanished_while_the_stream_was_away_is_counted_once_for_each_object() -> None:
    async def scenario(server: ScriptedServer, cache: ClusterCache) -> None:
        for name in "bcd":
            server.put("configmaps", name)
        await asyncio.sleep(1)
        server.restore("configmaps", {"default/d": server.objects("configmaps")["default/d"]}, server.version)
        server.compact()
        await asyncio.sleep(5)
        server.version += 1
        server.send("configmaps", event("ERROR", EXPIRED))
        await asyncio.sleep(60)
        assert [one.name for one in cache.lister(MAP).metadata()] == ["d"]

    assert sum(counted(scenario)["zestor_synthetic_deletes_total"].values()) == 3


def test_an_event_that_cannot_be_used_is_named_in_the_log_with_its_kind_and_its_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario(server: ScriptedServer, cache: ClusterCache) -> None:
        server.send("configmaps", b"no line of JSON\n")
        await asyncio.sleep(0.5)

    assert sum(counted(scenario)["zestor_watch_skipped_events_total"].values()) == 1
    record = next(record for record in caplog.records if "no line of JSON" in record.getMessage())
    assert record.getMessage().startswith("configmaps: ")


@pytest.mark.parametrize(
    ("cause", "too_large"),
    [
        (Cause("ResourceVersionTooLarge", "the version is still to come"), True),
        (Cause("Other", "Too large resource version: 9, current: 5"), True),
        (Cause("Other", "something else"), False),
        (Cause("resourceversiontoolarge", "something else"), False),
    ],
)
def test_c2_a_version_that_is_still_to_come_is_known_by_its_reason_or_its_message(
    cause: Cause, too_large: bool
) -> None:
    error = ServerError("no", status=504, causes=[Cause("First", "another cause"), cause])
    following = step(SyncState(Phase.LIST, "5"), Failed(error, "5"), 0)
    assert following.consistent == too_large
    assert following.reason == ("too_large_rv" if too_large else "error")
    following = step(SyncState(Phase.WATCH, "5"), Failed(error, "5"), 0)
    assert (following.phase is Phase.LIST) == too_large
