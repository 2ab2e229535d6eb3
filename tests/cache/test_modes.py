"""Caches of metadata alone, and compressed ones."""

import json
import zlib

from zestor_controller.cache.record import Record, compressed

WEBSITE = "cache.test/v1/Website"


def test_a_compact_cache_holds_the_same_in_fewer_bytes(virtually):
    async def test(world):
        for n in range(5):
            world.server.put("websites", f"w{n}", spec={"text": "over and over " * 100})
        plain = await world.cache.add(WEBSITE)
        compact = await world.cache.add(WEBSITE, compact=True)
        assert compact is not plain
        world.server.put("websites", "late", metadata={"labels": {"a": "b"}}, spec={"text": "again " * 200})
        await world.settle()
        assert [o.to_dict() for o in compact.list()] == [o.to_dict() for o in plain.list()]
        assert len(compact.list(labels="a=b")) == 1
        sizes = [informer.bytes for informer in world.cache.informers()]
        assert sizes[1] < sizes[0] / 3

    virtually(test)


def test_a_record_compressed_either_way_gives_its_object_back():
    raw = json.dumps({"metadata": {"name": "a"}, "spec": {"text": "over and over " * 100}}).encode()
    small = compressed(raw)
    assert small[:4] == bytes.fromhex("28b52ffd")  # zstd: the extra `compact` is among the tests' packages
    assert len(small) < len(raw) / 3
    for stored in (raw, small, zlib.compress(raw, 1)):
        assert Record("u", 1, stored, False).body() == raw
    line = b'{"type":"ADDED","object":' + raw + b"}"
    assert Record("u", 1, compressed(line), True).body() == raw


def test_a_cache_of_metadata_asks_for_nothing_else(virtually):
    async def test(world):
        accepted = []
        usual = world.server.handle

        async def handle(request):
            accepted.append(request.headers["accept"])
            return await usual(request)

        world.server.handle = handle
        world.server.put("websites", "w", kind="PartialObjectMetadata")
        lister = await world.cache.add(WEBSITE, metadata_only=True)
        world.server.put("websites", "v", kind="PartialObjectMetadata")
        await world.settle()
        assert [known.name for known in lister.metadata()] == ["v", "w"]
        assert lister.get("v").metadata.name == "v"
        assert "as=PartialObjectMetadataList;" in accepted[0]
        assert "as=PartialObjectMetadata;" in accepted[1]
        line = json.dumps({"type": "ADDED", "object": {"kind": "Website", "metadata": {"name": "x"}}})
        world.server.send("websites", line.encode() + b"\n")
        await world.settle()
        assert world.metric("zestor_watch_skipped_events_total", reason="wrong_kind") == 1

    virtually(test)
