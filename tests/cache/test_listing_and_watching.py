"""List, then watch: the ordinary life of an informer."""

import json

from zestor_controller.errors import TransportError

WEBSITE = "cache.test/v1/Website"


def test_c1_pages_are_listed_then_the_stream_is_followed(virtually):
    async def test(world):
        for n in range(1203):
            world.server.put("websites", f"w{n}")
        lister = await world.synced()
        assert len(lister) == 1203
        assert next(query.get("limit") for verb, _, query in world.server.requests if verb == "list") == "500"
        assert world.server.count("list") == 3
        assert world.server.requests[-1][2]["resourceVersion"] == str(world.server.version)
        world.server.put("websites", "late", spec={"size": 3})
        world.server.remove("websites", "w7")
        await world.advance()
        assert lister.get("late")["spec"] == {"size": 3}
        assert lister.get("w7") is None
        assert world.versions(lister) == world.server_versions()
        assert lister.status.state.value == "live"

    virtually(test)


def test_c1_a_clean_close_resumes_from_the_last_version_without_a_list(virtually):
    async def test(world):
        lister = await world.synced()
        for n in range(5):
            world.server.put("websites", f"w{n}")
            await world.advance(1)  # a watch that ends sooner counts as short
            world.server.end_watches()
            world.server.put("websites", "between", spec={"n": n})
            await world.advance()
        assert world.server.count("list") == 1
        assert world.versions(lister) == world.server_versions()
        assert len(world.delivered) == len(set(world.delivered)) == 10

    virtually(test)


def test_c1_an_hour_of_bookmarks_alone_moves_the_version(virtually):
    async def test(world):
        await world.synced()
        for _ in range(60):
            await world.advance(60)
            world.server.bookmark("websites")
        await world.advance(300)
        assert world.server.count("list") == 1
        last = [query for verb, _, query in world.server.requests if verb == "watch"][-1]
        assert last["resourceVersion"] == str(world.server.version)
        assert world.delivered == []

    virtually(test)


def test_c1_lines_may_be_cut_anywhere(virtually):
    async def test(world):
        world.server.cut = lambda data: (data[i : i + 1] for i in range(len(data)))
        lister = await world.synced()
        world.server.put("websites", "w", spec={"text": "grüße, 世界"})
        world.server.put("websites", "v")
        await world.advance()
        assert lister.get("w")["spec"]["text"] == "grüße, 世界"
        assert len(lister) == 2

    virtually(test)


def test_c1_a_line_cut_off_by_a_reset_is_read_again(virtually):
    async def test(world):
        lister = await world.synced()
        world.server.put("websites", "w")
        await world.advance()
        world.server.send("websites", b'{"type":"ADDED","object":{"metadata":{"na')
        world.server.end_watches(TransportError("connection reset by peer"))
        world.server.put("websites", "v")
        await world.advance(5)
        assert world.versions(lister) == world.server_versions()
        assert world.server.count("list") == 1
        assert world.metric("zestor_watch_streams_total", end="reset") == 1

    virtually(test)


def test_c1_many_events_in_one_piece_and_one_very_long_event_arrive_whole(virtually):
    async def test(world):
        lister = await world.synced()
        world.server.put("websites", "long", spec={"text": "x" * 1_500_000})
        world.server.end_watches()
        for n in range(2000):
            world.server.put("websites", f"w{n}")
        await world.advance()
        assert world.versions(lister) == world.server_versions()
        assert len(lister.get("long")["spec"]["text"]) == 1_500_000

    virtually(test)


def test_c5_a_dead_stream_is_found_by_the_client_and_resumed_without_a_list(virtually):
    async def test(world):
        lister = await world.synced()
        world.server.mute()
        world.server.put("websites", "unheard")
        await world.advance(200)
        assert len(lister) == 0
        await world.advance(101)
        assert len(lister) == 1
        assert world.server.count("list") == 1
        assert world.metric("zestor_watch_streams_total", end="idle") == 1

    virtually(test)


def test_c2_a_duplicate_and_an_older_version_deliver_nothing(virtually):
    async def test(world):
        lister = await world.synced()
        old = world.server.put("websites", "w", spec={"n": 1})
        new = world.server.put("websites", "w", spec={"n": 2})
        await world.advance()
        delivered = len(world.delivered)
        for obj in (new, old):
            world.server.send("websites", json.dumps({"type": "MODIFIED", "object": obj}).encode() + b"\n")
        await world.advance()
        assert lister.get("w")["spec"]["n"] == 2
        assert len(world.delivered) == delivered == 2

    virtually(test)


def test_c2_a_deletion_delivered_twice_does_not_remove_the_next_object_of_that_name(virtually):
    async def test(world):
        lister = await world.synced()
        first = world.server.put("websites", "w")
        world.server.remove("websites", "w")
        second = world.server.put("websites", "w")
        await world.advance()
        world.server.send("websites", json.dumps({"type": "DELETED", "object": first}).encode() + b"\n")
        await world.advance()
        assert lister.get("w").metadata.uid == second["metadata"]["uid"]

    virtually(test)


def test_c3_a_name_used_again_is_a_delete_then_a_create(virtually):
    async def test(world):
        lister = await world.synced()
        world.server.put("websites", "w")
        await world.advance()
        world.server.end_watches()
        world.server.refuse("watch", "websites", TransportError("no route"))
        await world.advance()
        world.server.remove("websites", "w")
        new = world.server.put("websites", "w")
        world.server.compact()
        world.server.refuse("watch", "websites", None)
        await world.advance(60)
        assert [(kind, name) for kind, name, _ in world.delivered[1:]] == [
            ("DELETE", "default/w"),
            ("CREATE", "default/w"),
        ]
        assert lister.get("w").metadata.uid == new["metadata"]["uid"]

    virtually(test)


def test_c1_opaque_versions_work_by_equality(virtually):
    async def test(world):
        lister = await world.cache.add(WEBSITE)
        for version, size in (("abc", 1), ("abd", 2), ("abd", 3), ("aaa", 4)):
            meta = {"name": "w", "namespace": "default", "uid": "u", "resourceVersion": version}
            body = {"type": "MODIFIED", "object": {"metadata": meta, "spec": {"size": size}}}
            world.server.send("websites", json.dumps(body).encode() + b"\n")
            await world.advance()
            assert lister.get("w")["spec"]["size"] == {1: 1, 2: 2, 3: 2, 4: 4}[size]

    virtually(test)
