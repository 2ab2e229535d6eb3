"""The cache against the embedded API server, in memory."""

import asyncio

from zestor_controller.apiserver import ApiServer
from zestor_controller.apiserver.auth.authentication import ADMINISTRATOR, TokenAuthenticator
from zestor_controller.cache import ClusterCache, Timing
from zestor_controller.client import Client, MemoryTransport
from zestor_controller.testing.clock import run_virtual

KIND = "v1/ConfigMap"


def body(name, **data):
    return {"metadata": {"name": name, "labels": {"name": name}}, "data": data}


def test_c1_c3_c9_the_cache_follows_a_real_server_through_closed_watches_and_compaction():
    async def main():
        api = ApiServer(TokenAuthenticator({"t": ADMINISTRATOR}))
        client = Client(MemoryTransport(api, {"Authorization": "Bearer t"}))
        for n in range(30):
            await client.create(KIND, body(f"c{n}", n=str(n)), namespace="default")
        async with ClusterCache(client, timing=Timing(watch=30, margin=5)) as cache:
            lister = await cache.add(KIND, namespaces=["default"])
            assert len([m for m in lister.metadata() if m.name.startswith("c")]) == 30
            for n in range(30, 40):
                await cache.client.create(KIND, body(f"c{n}"), namespace="default")
                assert lister.get(f"c{n}") is not None
                await cache.client.delete(KIND, f"c{n - 30}", namespace="default")
                assert lister.get(f"c{n - 30}") is None
            await asyncio.sleep(100)  # some watches end meanwhile
            patched = await client.apply(KIND, body("c35", new="yes"), namespace="default")
            assert (await lister.wait_for("c35", lambda obj: obj.get("data") == {"new": "yes"})) == patched
            api.compact()
            await client.delete(KIND, "c36", namespace="default")
            api.compact()
            await asyncio.sleep(100)
            there = {
                obj.metadata.name: obj.metadata.resource_version for obj in await client.list(KIND, namespace="default")
            }
            assert {m.name: m.resource_version for m in lister.metadata()} == there
            assert [o.metadata.name for o in lister.list(labels="name=c35")] == ["c35"]
            small = await cache.add(KIND, metadata_only=True, namespaces=["default"])
            assert "data" not in small.get("c35")
            await client.create(KIND, body("last"), namespace="default")
            await asyncio.sleep(1)
            assert small.get("last").metadata.name == "last"
            assert lister.status.live

    run_virtual(main())
