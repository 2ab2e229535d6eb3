"""The cluster cache: several kinds, several namespaces, on a loop and in a thread."""

import asyncio
import gc
import json
import time
from datetime import timedelta

import pytest

from zestor_controller.cache import ClusterCache
from zestor_controller.client import Client, MemoryTransport
from zestor_controller.errors import ConfigError, TransportError
from zestor_controller.http import HttpResponse
from zestor_controller.testing.scripted import ScriptedServer, status_answer

WEBSITE = "cache.test/v1/Website"


def test_c4_namespaces_of_one_informer_relist_without_touching_each_other(virtually):
    async def test(world):
        for where in ("a", "b", "c"):
            world.server.put("websites", "w", where)
        lister = await world.synced(namespaces=["a", "b"])
        assert set(world.versions(lister)) == {"a/w", "b/w"}
        assert {path for verb, path, _ in world.server.requests} == {
            "/apis/cache.test/v1/namespaces/a/websites",
            "/apis/cache.test/v1/namespaces/b/websites",
        }
        world.server.put("websites", "x", "b")
        world.server.remove("websites", "w", "a")
        await world.advance()
        assert set(world.versions(lister)) == {"b/w", "b/x"}
        world.server.mute()
        world.server.put("websites", "y", "a")
        world.server.remove("websites", "w", "b")
        world.server.compact()
        await world.advance(400)
        assert set(world.versions(lister)) == {"a/y", "b/x"}
        assert lister.status.live

    virtually(test)


@pytest.mark.parametrize("refused", ["a", "b"])
def test_c6_the_status_is_that_of_the_namespace_that_is_worst_off(virtually, refused):
    async def test(world):
        def response(request):
            if f"/namespaces/{refused}/" in request.path:
                return status_answer(403, "Forbidden", "no")
            return world.server._list("websites", "other", dict(request.query))

        world.server.refuse("list", "websites", response)
        informer = world.informer(namespaces=["a", "b"])
        await world.advance(1)
        assert informer.status.state.value == "forbidden"
        assert f"in namespace {refused}" in informer.status.reason

    virtually(test)


def test_selectors_reach_the_server_and_make_informers_of_their_own(virtually):
    async def test(world):
        first = await world.cache.add(WEBSITE, labels={"b": "2", "a": "1"}, fields="metadata.name=w")
        again = await world.cache.add(WEBSITE, labels="a=1,b=2", fields="metadata.name=w")
        whole = await world.cache.add(WEBSITE)
        assert again is first
        assert whole is not first
        assert world.cache.lister(WEBSITE) is whole
        queries = [query for verb, _, query in world.server.requests if verb == "list"]
        assert [query.get("labelSelector") for query in queries] == ["a=1,b=2", None]
        assert queries[0]["fieldSelector"] == "metadata.name=w"

    virtually(test)


def test_reading_a_kind_that_was_not_added_is_an_error(virtually):
    async def test(world):
        with pytest.raises(ConfigError, match=r"websites\.cache\.test is not cached: add it"):
            world.cache.lister(WEBSITE)
        assert world.server.requests == []

    virtually(test)


def test_an_unknown_kind_is_looked_up_at_the_server(virtually):
    async def test(world):
        served = {"resources": [{"name": "gadgets", "kind": "Gadget", "namespaced": True, "verbs": ["list"]}]}
        world.server.script("list", HttpResponse(200, [], json.dumps(served).encode()))
        world.server.put("gadgets", "g")
        lister = await world.cache.add("found.test/v1/Gadget")
        assert lister.get("g") is not None
        assert world.server.requests[0][1] == "/apis/found.test/v1"

    virtually(test)


def test_a_kind_that_the_server_does_not_know_either_is_named(virtually):
    async def test(world):
        with pytest.raises(ConfigError, match="Nonsense"):
            await world.cache.add("nowhere.test/v1/Nonsense")

    virtually(test)


def test_a_kind_that_does_not_come_in_sync_says_why_and_goes_on_trying(virtually):
    async def test(world):
        world.server.refuse("list", "websites", status_answer(403, "Forbidden", "you may not"))
        with pytest.raises(TransportError, match=r"not allowed to list websites.*you may not.*waited 5 s"):
            await world.cache.add(WEBSITE, timeout=timedelta(seconds=5))
        world.server.refuse("list", "websites", None)
        lister = await world.cache.add(WEBSITE)
        assert lister.status.live

    virtually(test)


def test_a_cache_that_is_not_entered_says_how_to_use_it(virtually):
    async def test(world):
        with pytest.raises(ConfigError, match="async with"):
            await ClusterCache(Client(MemoryTransport(world.server))).add(WEBSITE)

    virtually(test)


def test_c6_a_defect_in_one_reflector_is_delivered_and_outlived(virtually, caplog):
    async def test(world):
        world.server.script("list", ZeroDivisionError("a defect"))
        lister = await world.cache.add(WEBSITE)
        assert lister.status.live
        assert "a defect" in caplog.text

    virtually(test)


def test_the_metrics_are_those_of_the_present_state(virtually):
    async def test(world):
        world.server.put("websites", "w")
        lister = await world.synced()
        world.cache.refresh_metrics()
        assert world.metric("zestor_informer_synced") == 1
        assert world.metric("zestor_informer_state", state="live") == 1
        assert world.metric("zestor_cache_objects") == len(lister) == 1
        assert world.metric("zestor_cache_bytes") > 50
        assert world.metric("zestor_informer_resource_version") == world.server.version
        world.server.refuse("watch", "websites", TransportError("gone"))
        world.server.end_watches()
        await world.advance(60)
        world.cache.refresh_metrics()
        assert world.metric("zestor_informer_synced") == 0
        assert world.metric("zestor_informer_unsynced_seconds") > 50
        assert world.metric("zestor_informer_state", state="stale") == 1

    virtually(test)


def test_a_cache_in_a_thread_serves_a_program_without_a_loop():
    server = ScriptedServer()
    server.put("websites", "w", spec={"n": 1})
    with ClusterCache(Client(MemoryTransport(server))) as cache:
        lister = cache.add(WEBSITE, indexes={"n": lambda obj: [obj["spec"]["n"]]})
        assert lister.get("w")["spec"]["n"] == 1
        assert [obj.metadata.name for obj in lister.by_index("n", 1)] == ["w"]
        assert cache.lister(WEBSITE) is lister
        with pytest.raises(ConfigError, match="not cached"):
            cache.lister("cache.test/v1/Other")
        with pytest.raises(ConfigError, match="Nonsense"):
            cache.add("nowhere.test/v1/Nonsense")


def test_a_thread_whose_configuration_is_bad_raises_where_it_was_entered(tmp_path):
    missing = tmp_path / "kubeconfig"
    with pytest.raises(ConfigError, match="kubeconfig"), ClusterCache(kubeconfig=missing):
        pass


async def test_c8_neither_a_long_list_nor_a_flood_of_events_holds_the_loop_for_long():
    server = ScriptedServer()
    for n in range(3000):
        server.put("websites", f"w{n}", spec={"text": "x" * 1000})
    gaps = []

    async def beat():
        last = time.thread_time()  # of this thread, so that a busy machine does not matter
        while True:
            await asyncio.sleep(0)
            now = time.thread_time()
            gaps.append(now - last)
            last = now

    gc.collect()
    gc.freeze()  # what other tests left behind is not the cache's to walk
    async with ClusterCache(Client(MemoryTransport(server))) as cache:
        beating = asyncio.create_task(beat())
        lister = await cache.add(WEBSITE)
        assert len(lister) == 3000
        listing = max(gaps)
        lines = b"".join(
            b'{"type":"MODIFIED","object":{"metadata":{"name":"w%d","namespace":"default","uid":"uid-%d",'
            b'"resourceVersion":"%d"},"spec":{"text":"%s"}}}\n' % (n % 3000, n % 3000 + 1, 100_000 + n, b"x" * 1000)
            for n in range(20_000)
        )
        await asyncio.sleep(0)  # making them took time too
        gaps.clear()
        server.cut = lambda data: (data[at : at + 65536] for at in range(0, len(data), 65536))
        server.send("websites", lines)
        await lister.wait_for("w1999", lambda obj: obj.metadata.resource_version == "119999")
        beating.cancel()
    gc.unfreeze()
    # The promise is 20 ms, on a machine of its own (the benchmark looks at that); unsliced it is more than 100.
    assert listing < 0.05
    assert max(gaps) < 0.05
