"""C1: whatever a server's history and whatever goes wrong on the way, the cache ends up equal to the server."""

import asyncio
import json
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from zestor_controller.cache import ClusterCache, Timing
from zestor_controller.client import Client, MemoryTransport
from zestor_controller.errors import TransportError
from zestor_controller.http import HttpResponse
from zestor_controller.objects.registry import declare
from zestor_controller.store import EventType, Overflow
from zestor_controller.testing.clock import run_virtual
from zestor_controller.testing.scripted import ScriptedServer, status_answer

KIND = "property.test/v1/Thing"
declare(KIND, "things")

NAMES = st.sampled_from(["a", "b", "c", "d"])
RESPONSES = st.sampled_from(
    [
        TransportError("reset"),
        status_answer(410, "Expired"),
        status_answer(429, "TooManyRequests", retry_after=3),
        status_answer(403, "Forbidden"),
        status_answer(500, "InternalError"),
        status_answer(504, "Timeout"),
        HttpResponse(200, [], b""),
        HttpResponse(200, [], b'{"metadata":{"resourceVersion":"1"},"items":[{"meta'),
        HttpResponse(200, [], b'{"type":"ADDED","object":{"metadata":{"name":"a"'),
    ]
)
STEPS = st.one_of(
    st.tuples(st.just("put"), NAMES),
    st.tuples(st.just("remove"), NAMES),
    st.tuples(st.just("wait"), st.sampled_from([0.01, 1.0, 20.0, 400.0])),
    st.tuples(st.just("end"), st.booleans()),
    st.tuples(st.just("mute"), st.none()),
    st.tuples(st.just("compact"), st.none()),
    st.tuples(st.just("bookmark"), st.none()),
    st.tuples(st.just("garbage"), st.none()),
    st.tuples(st.just("repeat"), NAMES),
    st.tuples(st.just("list fails"), RESPONSES),
    st.tuples(st.just("watch fails"), RESPONSES),
    st.tuples(st.just("cut"), st.integers(1, 50)),
)


async def act(server, step, what):
    """Let one thing happen to the server or to the way to it."""
    if step == "put":
        server.put("things", what, spec={"n": server.version})
    elif step == "remove" and f"default/{what}" in server.objects("things"):
        server.remove("things", what)
    elif step == "end":
        server.end_watches(TransportError("reset") if what else None)
    elif step == "mute":
        server.mute()
    elif step == "compact":
        server.compact()
    elif step == "bookmark":
        server.bookmark("things")
    elif step == "garbage":
        server.send("things", b'{"type":"ADDED","object":{}}\n')
    elif step == "repeat" and f"default/{what}" in server.objects("things"):
        line = {"type": "MODIFIED", "object": server.objects("things")[f"default/{what}"]}
        server.send("things", json.dumps(line).encode() + b"\n")
    elif step in ("list fails", "watch fails"):
        server.script(step.split()[0], what)
    elif step == "cut":
        server.cut = lambda data: (data[i : i + what] for i in range(0, len(data), what))


@settings(max_examples=120, deadline=None)
@given(st.lists(STEPS, max_size=40), st.integers(0, 3))
def test_c1_c2_c3_the_cache_ends_equal_to_the_server_and_its_watch_delivers_how(steps, seed):
    async def main():
        server = ScriptedServer()
        delivered, versions = {}, {}

        async def listen(watch):
            async for event in watch:
                if event.type is EventType.DELETE:
                    assert event.name in delivered, "a deletion of what was never there"
                    del delivered[event.name]
                    continue
                meta = event.object["metadata"]
                assert (event.type is EventType.CREATE) == (event.name not in delivered)
                assert versions.get(meta["uid"], 0) < int(meta["resourceVersion"]), "the cache went backwards"
                versions[meta["uid"]] = int(meta["resourceVersion"])
                delivered[event.name] = meta["resourceVersion"]

        client = Client(MemoryTransport(server))
        async with ClusterCache(client, timing=Timing(watch=60), rng=random.Random(seed)) as cache:
            adding = asyncio.create_task(cache.add(KIND))
            await asyncio.sleep(0.01)
            lister = cache.lister(KIND)
            with lister.watch(overflow=Overflow.CLOSE, buffer_size=1000, initial_replay=True) as watch:
                listening = asyncio.create_task(listen(watch))
                for step, what in steps:
                    if step == "wait":
                        await asyncio.sleep(what)
                    else:
                        await act(server, step, what)
                await asyncio.sleep(3600)
                assert listening.done() is False, listening.exception()
                there = {name: obj["metadata"]["resourceVersion"] for name, obj in server.objects("things").items()}
                kept = {f"{m.namespace}/{m.name}": m.resource_version for m in lister.metadata()}
                assert kept == there
                assert delivered == there
                assert lister.status.live
                listening.cancel()
            await adding

    run_virtual(main())
