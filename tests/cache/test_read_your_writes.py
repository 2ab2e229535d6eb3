"""C9: what a program wrote it reads, however far the watch is behind; and what others wrote is never hidden."""

import json

import pytest

from zestor_controller.errors import NotFound
from zestor_controller.http import HttpResponse

WEBSITE = "cache.test/v1/Website"


def site(name: str, n: int):
    return {"apiVersion": "cache.test/v1", "kind": "Website", "metadata": {"name": name}, "spec": {"n": n}}


class Writable:
    """Lets the scripted server take writes; its watches deliver them only when released."""

    def __init__(self, server):
        self.server = server
        self.held = []
        self._usual = server.handle
        server.handle = self.handle

    async def handle(self, request):
        if request.method == "GET":
            return await self._usual(request)
        streams, self.server._streams = self.server._streams, []
        try:
            return HttpResponse(200, [], json.dumps(self.write(request)).encode())
        finally:
            self.server._streams = streams

    def write(self, request):
        if request.method == "DELETE":
            name = request.path.rsplit("/", 1)[1]
            uid = self.server.objects("websites")[f"default/{name}"]["metadata"]["uid"]
            self.server.remove("websites", name)
            return {"kind": "Status", "status": "Success", "details": {"name": name, "uid": uid}}
        body = json.loads(request.body)
        name = body["metadata"].get("name") or request.path.rsplit("/", 1)[1]
        stored = self.server.put("websites", name, kind="Website", spec=body["spec"])
        return {**stored, "kind": "Website"}


def test_c9_a_written_object_is_read_before_the_watch_brings_it(virtually):
    async def test(world):
        world.server.put("websites", "old", spec={"n": 1})
        lister = await world.synced()
        Writable(world.server)
        client = world.cache.client
        await client.create(WEBSITE, site("new", 1), namespace="default")
        await client.apply(WEBSITE, site("old", 2), namespace="default")
        await world.advance(1)
        assert lister.get("new")["spec"]["n"] == 1
        assert lister.get("old")["spec"]["n"] == 2
        assert "default/new" in lister
        assert len(lister) == 2
        assert [obj["spec"]["n"] for obj in lister.list()] == [1, 2]
        world.server.end_watches()
        await world.advance(5)
        assert world.versions(lister) == world.server_versions()
        assert world.cache.informers()[0].pending() == 0

    virtually(test)


def test_c9_a_deleted_object_is_gone_before_the_watch_says_so(virtually):
    async def test(world):
        world.server.put("websites", "w", spec={"n": 1})
        lister = await world.synced()
        Writable(world.server)
        client = world.cache.client
        await client.delete(WEBSITE, "w", namespace="default")
        assert lister.get("w") is None
        assert lister.list() == []
        await client.create(WEBSITE, site("brief", 1), namespace="default")
        await client.delete(WEBSITE, "brief", namespace="default")
        assert lister.get("brief") is None
        await client.create(WEBSITE, site("w", 7), namespace="default")
        assert lister.get("w")["spec"]["n"] == 7
        world.server.end_watches()
        await world.advance(5)
        assert world.versions(lister) == world.server_versions()
        assert len(lister) == 1
        assert world.cache.informers()[0].pending() == 0

    virtually(test)


def test_c9_a_created_and_deleted_object_stays_away_while_the_watch_brings_its_creation(virtually):
    async def test(world):
        lister = await world.synced()
        Writable(world.server)
        client = world.cache.client
        made = await client.create(WEBSITE, site("brief", 1), namespace="default")
        await client.delete(WEBSITE, "brief", namespace="default")
        world.server.send("websites", json.dumps({"type": "ADDED", "object": made.to_dict()}).encode() + b"\n")
        await world.advance()
        assert lister.get("brief") is None
        assert lister.metadata() == []
        world.server.end_watches()
        await world.advance(5)
        assert lister.get("brief") is None

    virtually(test)


def test_c9_a_foreign_change_is_never_hidden(virtually):
    async def test(world):
        world.server.put("websites", "w", kind="Website", spec={"n": 1})
        lister = await world.synced()
        Writable(world.server)
        await world.cache.client.apply(WEBSITE, site("w", 2), namespace="default")
        assert lister.get("w")["spec"]["n"] == 2
        world.server.put("websites", "w", kind="Website", spec={"n": 3})
        await world.advance()
        assert lister.get("w")["spec"]["n"] == 3
        await world.cache.client.apply(WEBSITE, site("w", 4), namespace="default")
        assert lister.get("w")["spec"]["n"] == 4
        world.server.remove("websites", "w")
        await world.advance()
        assert lister.get("w") is None

    virtually(test)


def test_c9_a_cache_with_a_selector_waits_for_the_server_to_decide(virtually):
    async def test(world):
        lister = await world.cache.add(WEBSITE, labels="app=web")
        Writable(world.server)
        await world.cache.client.create(WEBSITE, site("w", 1), namespace="default")
        assert lister.get("w") is None

    virtually(test)


def test_c9_a_write_that_fails_or_is_a_dry_run_is_not_read(virtually):
    async def test(world):
        lister = await world.synced()
        writable = Writable(world.server)
        await world.cache.client.create(WEBSITE, site("dry", 1), namespace="default", dry_run=True)
        assert lister.get("dry") is None
        writable.write = lambda request: (_ for _ in ()).throw(NotFound("no"))
        with pytest.raises(NotFound):
            await world.cache.client.create(WEBSITE, site("failed", 1), namespace="default")
        assert lister.get("failed") is None

    virtually(test)
