"""A cache that knows whether it is current (C11), and servers that went back in time (C2)."""

import asyncio
import copy
import json
import random
from datetime import timedelta
from pathlib import Path

import pytest
from writable import Writable, site

from zestor_controller.cache import ClusterCache
from zestor_controller.cache.lostwrites import noting_lost_writes
from zestor_controller.client import Client, MemoryTransport
from zestor_controller.errors import Conflict, TransportError
from zestor_controller.http import HttpResponse
from zestor_controller.testing.clock import run_virtual
from zestor_controller.testing.scripted import ScriptedServer, status_answer

WEBSITE = "cache.test/v1/Website"


def now():
    return asyncio.get_running_loop().time()


class Bookmarking:
    """Sends a bookmark 2 s before the end of each watch, as kube-apiserver does."""

    def __init__(self, server):
        self.server = server
        self._watch = server._watch
        server._watch = self.watch

    def watch(self, plural, namespace, query):
        response = self._watch(plural, namespace, query)
        stream = self.server._streams[-1]

        def bookmark():
            body = {"metadata": {"resourceVersion": str(self.server.version)}}
            stream.send(json.dumps({"type": "BOOKMARK", "object": body}).encode() + b"\n")

        seconds = float(query["timeoutSeconds"]) - 2
        asyncio.get_running_loop().call_later(seconds, bookmark)
        return response


def test_c11_a_busy_stream_is_waited_for_and_nothing_else_is_asked(virtually):
    async def test(world):
        writable = Writable(world.server)
        lister = await world.synced()
        writable.hold()
        world.server.put("websites", "w")
        waiting = asyncio.create_task(lister.wait_current())
        await world.advance(0.1)
        assert not waiting.done()
        writable.release()
        await world.advance()
        assert waiting.done()
        assert "default/w" in lister
        assert [world.server.count(verb) for verb in ("list", "watch", "version")] == [1, 1, 1]

    virtually(test)


def test_c11_a_quiet_stream_is_asked_for_a_bookmark_by_a_short_watch(virtually):
    async def test(world):
        Bookmarking(world.server)
        lister = await world.synced()
        world.server.version += 10  # other kinds have changed
        began = now()
        await lister.wait_current()
        assert 1 <= now() - began < 2
        assert world.server.count("list") == 1
        watches = [query["timeoutSeconds"] for verb, _, query in world.server.requests if verb == "watch"]
        assert int(watches[0]) > 200
        assert watches[1:] == ["3"]
        await world.advance(5)
        assert int([query for verb, _, query in world.server.requests if verb == "watch"][-1]["timeoutSeconds"]) > 200
        assert lister.status.live

    virtually(test)


def test_c11_without_evidence_a_list_delivers(virtually):
    async def test(world):
        lister = await world.synced()
        world.server.version += 10
        began = now()
        await asyncio.gather(*(lister.wait_current() for _ in range(5)))
        assert 5 <= now() - began < 6
        assert world.server.count("list") == 2
        assert world.metric("zestor_relists_total", reason="unconfirmed") == 1
        assert lister.status.live

    virtually(test)


def test_c11_every_namespace_is_waited_for(virtually):
    async def test(world):
        writable = Writable(world.server)
        lister = await world.synced(namespaces=["default", "other"])
        writable.hold()
        world.server.put("websites", "a", "default")
        world.server.put("websites", "b", "other")
        waiting = asyncio.create_task(lister.wait_current())
        await world.advance(0.1)
        assert not waiting.done()
        writable.release()
        await asyncio.wait_for(waiting, 6)
        assert len(lister) == 2

    virtually(test)


def test_c11_versions_that_cannot_be_compared_are_listed_for(virtually):
    async def test(world):
        def opaque(request):
            meta = {"resourceVersion": f"v-{world.server.version}"}
            return HttpResponse(200, [], json.dumps({"metadata": meta, "items": []}).encode())

        world.server.refuse("list", "websites", opaque)
        world.server._watch = lambda plural, namespace, query: HttpResponse(200, [], forever())
        lister = await world.synced()
        await lister.wait_current()  # the very same version
        lists = world.server.count("list")
        world.server.version += 1
        await lister.wait_current()
        assert world.server.count("list") == lists + 1

    async def forever():
        await asyncio.Event().wait()
        yield b""

    virtually(test)


def test_c11_after_an_unusable_event_only_a_list_makes_it_current(virtually):
    async def test(world):
        lister = await world.synced()
        world.server.send("websites", b"unusable\n")
        world.server.put("websites", "w")
        await world.advance()
        assert lister.status.version == str(world.server.version)
        await lister.wait_current()
        assert world.server.count("list") == 2

    virtually(test)


def test_c11_what_never_becomes_current_says_why(virtually):
    async def test(world):
        lister = await world.synced()
        world.server.refuse("list", "websites", status_answer(403, "Forbidden", "not you"))
        world.server.refuse("watch", "websites", status_answer(403, "Forbidden", "not you"))
        world.server.end_watches()
        await world.advance(10)
        with pytest.raises(TimeoutError, match=r"not known to be current within 7 s: .*forbidden: not allowed"):
            await lister.wait_current(timedelta(seconds=7))

    virtually(test)


class LikeKube(ScriptedServer):
    """A watch brings only what is newer than the version that it was asked for."""

    def _watch(self, plural, namespace, query):
        since = int(query["resourceVersion"])
        response = super()._watch(plural, namespace, query)
        stream = self._streams[-1]

        class Filtered(type(stream)):
            __slots__ = ()

            def send(self, piece):
                if int(json.loads(piece)["object"]["metadata"]["resourceVersion"]) > since:
                    super().send(piece)

        stream.__class__ = Filtered
        return response


@pytest.mark.parametrize("noticed_by", ["restart", "wait_current", "time"])
def test_c2_a_restored_server_that_says_nothing_is_noticed_and_replaces_everything(noticed_by, caplog):
    async def main():
        server = LikeKube()
        async with ClusterCache(Client(MemoryTransport(server)), rng=random.Random(1)) as cache:
            server.put("websites", "kept", n=1)
            backup, version = copy.deepcopy(server.objects("websites")), server.version
            lister = await cache.add(WEBSITE)
            for n in range(50):
                server.put("websites", f"late{n}")
            server.put("websites", "kept", n=2)
            await asyncio.sleep(5)
            ending, server.end_watches = server.end_watches, lambda: None
            server.restore("websites", backup, version)  # behind a proxy that keeps the watches open
            server.put("websites", "after")
            if noticed_by == "restart":
                ending()
            elif noticed_by == "wait_current":
                await lister.wait_current(timedelta(seconds=120))
            await asyncio.sleep(120 if noticed_by == "restart" else 400 if noticed_by == "time" else 0)
            assert {m.name for m in lister.metadata()} == {"kept", "after"}
            assert lister.get("kept")["n"] == 1
            assert "was restored from a backup" in lister.status.reason
            assert lister.status.restores == 1
            assert "restored from a backup" in caplog.text
            value = cache.metrics.registry.get_sample_value(
                "zestor_server_restores_total", {"kind": "websites.cache.test"}
            )
            assert value == 1
            server.put("websites", "more")
            await asyncio.sleep(60)
            assert "default/more" in lister
            server.end_watches = ending

    run_virtual(main())


def test_c2_a_server_that_passes_the_last_version_again_after_a_restore_is_replaced_too(virtually):
    async def test(world):
        server = world.server
        for name in ("a", "b"):
            server.put("websites", name, spec={"n": 1})
        backup, version = copy.deepcopy(server.objects("websites")), server.version
        lister = await world.synced()
        server.put("websites", "a", spec={"n": 2})
        server.put("websites", "b", spec={"n": 2})
        await world.advance()
        server.restore("websites", backup, version)
        server.end_watches()
        await world.advance(5)  # it has been seen below the last version, once
        server.put("websites", "a", spec={"n": 7})  # the very version that the other history gave to another state
        server.put("websites", "b", spec={"n": 7})
        server.put("websites", "c", spec={"n": 7})
        await world.advance(60)
        assert {obj["metadata"]["name"]: obj["spec"]["n"] for obj in lister.list()} == {"a": 7, "b": 7, "c": 7}

    virtually(test)


def test_c2_a_complete_list_replaces_objects_by_older_ones_and_keeps_the_others(virtually):
    async def test(world):
        for name in ("changed", "same"):
            world.server.put("websites", name, spec={"n": 3})
        backup = copy.deepcopy(world.server.objects("websites"))
        lister = await world.synced()
        world.server.put("websites", "changed", spec={"n": 5})
        await world.advance(5)
        delivered = len(world.delivered)
        world.server.restore("websites", backup, world.server.version + 1_000_000_000)
        world.server.compact()
        await world.advance(60)
        assert lister.get("changed")["spec"] == {"n": 3}
        assert [event[:2] for event in world.delivered[delivered:]] == [("UPDATE", "default/changed")]

    virtually(test)


def test_c2_the_list_after_an_unusable_event_is_asked_for_the_last_applied_version(virtually):
    async def test(world):
        await world.synced()
        world.server.send("websites", b"unusable\n")
        world.server.put("websites", "w")
        await world.advance(20)
        last = [query for verb, _, query in world.server.requests if verb == "list"][-1]
        assert last["resourceVersion"] == str(world.server.version)

    virtually(test)


async def one_life(server, folder: Path, seconds=5.0):
    """What a cache with checkpoints holds at the time that it says that it is in sync."""
    server.requests.clear()
    async with ClusterCache(Client(MemoryTransport(server)), rng=random.Random(3), checkpoints=folder) as cache:
        lister = await cache.add(WEBSITE)
        held = {m.name for m in lister.metadata()}
        await asyncio.sleep(seconds)
        assert {m.name for m in lister.metadata()} == held
        return held, lister.status.restores


@pytest.mark.parametrize("pause", [0.05, 1.5])
def test_c11_a_checkpoint_is_in_sync_when_it_has_caught_up_however_slowly(tmp_path: Path, pause):
    async def main():
        server = ScriptedServer()
        server.put("websites", "first")
        await one_life(server, tmp_path)
        for n in range(30):
            server.put("websites", f"w{n}")
        usual = server._flow

        async def slow(stream, seconds):
            async for piece in usual(stream, seconds):
                await asyncio.sleep(pause)
                yield piece

        server._flow = slow
        held, _ = await one_life(server, tmp_path)
        assert len(held) == 31

    run_virtual(main())


def test_c11_a_checkpoint_of_a_quiet_kind_is_in_sync_by_a_bookmark_or_by_a_list(tmp_path: Path):
    async def main():
        server = ScriptedServer()
        server.put("websites", "first")
        await one_life(server, tmp_path)
        server.version += 10
        assert (await one_life(server, tmp_path))[0] == {"first"}
        assert server.count("list") == 1
        Bookmarking(server)
        server.version += 10
        assert (await one_life(server, tmp_path))[0] == {"first"}
        assert server.count("list") == 0

    run_virtual(main())


def test_c2_a_checkpoint_that_is_newer_than_the_server_is_dropped(tmp_path: Path, caplog):
    async def main():
        server = LikeKube()
        server.put("websites", "kept")
        backup, version = copy.deepcopy(server.objects("websites")), server.version
        for n in range(20):
            server.put("websites", f"late{n}")
        assert len((await one_life(server, tmp_path))[0]) == 21
        server.restore("websites", backup, version)
        assert await one_life(server, tmp_path) == ({"kept"}, 1)
        assert "restored from a backup" in caplog.text

    run_virtual(main())


def test_a_checkpoint_is_not_written_while_an_event_is_missing(tmp_path: Path):
    async def main():
        server = ScriptedServer()
        async with ClusterCache(Client(MemoryTransport(server)), rng=random.Random(3), checkpoints=tmp_path) as cache:
            await cache.add(WEBSITE)
            await asyncio.sleep(2)
            server.send("websites", b"unusable\n")
            await asyncio.sleep(0.1)

    run_virtual(main())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (TransportError("the response is lost"), True),
        (asyncio.CancelledError(), True),
        (Conflict("no"), False),
    ],
)
def test_c11_a_write_without_a_response_is_noted_for_its_caller(virtually, error, lost):
    async def test(world):
        writable = Writable(world.server)
        await world.synced()
        writable.lost.append(error)
        with noting_lost_writes() as elsewhere, noting_lost_writes() as noted:
            with pytest.raises(type(error)):
                await asyncio.gather(world.cache.client.create(WEBSITE, site("w", 1), namespace="default"))
            await world.cache.client.create(WEBSITE, site("x", 1), namespace="default")
        assert [kind.kind for kind in noted.values()] == ["Website"] * lost
        assert elsewhere == {}

    virtually(test)
