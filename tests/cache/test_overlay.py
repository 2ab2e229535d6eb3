"""Own writes ahead of the stream: what they show, and what they must never hide (C9, R1)."""

import json
import random

import pytest
from writable import Writable, site

from zestor_controller.cache.overlay import Overlay
from zestor_controller.cache.record import Record, RecordCodec
from zestor_controller.http import HttpResponse
from zestor_controller.objects import MergePatch, kind_of
from zestor_controller.store import EventType, MemoryStore, Overflow

WEBSITE = "cache.test/v1/Website"


def pending(world):
    return world.cache.informers()[0].pending()


async def caught_up(world, lister):
    """The stream is released and through: the cache is the server's state, and nothing is remembered."""
    await world.settle(5)
    assert world.versions(lister) == world.server_versions()
    assert pending(world) == 0


@pytest.mark.parametrize("answers_object", [False, True])
def test_c9_a_deleted_object_is_gone_at_once_whatever_the_response_is(virtually, answers_object):
    async def test(world):
        world.server.put("websites", "w", kind="Website", spec={"n": 1})
        writable = Writable(world.server, answers_object=answers_object)
        lister = await world.synced()
        writable.hold()
        await world.cache.client.delete(WEBSITE, "w", namespace="default")
        assert lister.get("w") is None
        assert len(lister) == 0
        await world.settle()
        assert [kind for kind, *_ in world.told] == ["CREATE", "DELETE"]
        writable.release()
        await caught_up(world, lister)
        assert [kind for kind, *_ in world.told] == ["CREATE", "DELETE"]

    virtually(test)


def test_c9_an_object_that_waits_for_its_finalizers_is_shown_as_terminating(virtually):
    async def test(world):
        world.server.put("websites", "w", kind="Website", spec={"n": 1}, metadata={"finalizers": ["a.test/b"]})
        writable = Writable(world.server)
        lister = await world.synced()
        writable.hold()
        await world.cache.client.delete(WEBSITE, "w", namespace="default")
        assert lister.get("w")["metadata"]["deletionTimestamp"]
        writable.release()
        await caught_up(world, lister)

    virtually(test)


def test_c9_removing_the_last_finalizer_of_a_terminating_object_ends_it_at_once(virtually):
    async def test(world):
        meta = {"finalizers": ["a.test/b"], "deletionTimestamp": "2026-11-28T00:00:00Z"}
        held = world.server.put("websites", "w", kind="Website", spec={"n": 1}, metadata=meta)
        writable = Writable(world.server)
        lister = await world.synced()
        writable.hold()

        def remove(request):
            world.server.remove("websites", "w")
            version = {**held["metadata"], "resourceVersion": str(world.server.version), "finalizers": []}
            return HttpResponse(200, [], json.dumps({**held, "metadata": version}).encode())

        writable.write = remove
        await world.cache.client.patch(
            WEBSITE, "w", MergePatch({"metadata": {"finalizers": None}}), namespace="default"
        )
        assert lister.get("w") is None
        writable.release()
        await caught_up(world, lister)

    virtually(test)


def test_c9_a_namespace_with_a_finalizer_in_its_spec_is_not_gone():
    from zestor_controller.cache.overlay import decode_written

    body = {"kind": "Namespace", "metadata": {"name": "n", "deletionTimestamp": "2026-11-28T00:00:00Z"}}
    held = json.dumps({**body, "spec": {"finalizers": ["kubernetes"]}}).encode()
    assert not decode_written(held).gone("DELETE")
    assert decode_written(json.dumps({**body, "spec": {}}).encode()).gone("PUT")
    pod = {"kind": "Pod", "metadata": {**body["metadata"], "deletionGracePeriodSeconds": 30}}
    assert not decode_written(json.dumps(pod).encode()).gone("DELETE")
    pod["metadata"]["deletionGracePeriodSeconds"] = 0
    assert decode_written(json.dumps(pod).encode()).gone("DELETE")


def test_c9_a_deleted_collection_is_gone_but_for_what_is_terminating(virtually):
    async def test(world):
        world.server.put("websites", "free", kind="Website", spec={"n": 1})
        world.server.put("websites", "held", kind="Website", spec={"n": 1}, metadata={"finalizers": ["a.test/b"]})
        writable = Writable(world.server)
        lister = await world.synced()
        writable.hold()
        await world.cache.client.delete_collection(WEBSITE, namespace="default")
        assert [obj["metadata"]["name"] for obj in lister.list()] == ["held"]
        writable.release()
        await caught_up(world, lister)

    virtually(test)


def test_c9_a_collection_that_is_deleted_in_the_foreground_is_left_to_the_watch(virtually):
    async def test(world):
        world.server.put("websites", "w", kind="Website", spec={"n": 1})
        writable = Writable(world.server)
        lister = await world.synced()
        writable.hold()
        await world.cache.client.delete_collection(WEBSITE, namespace="default", propagation="Foreground")
        assert "default/w" in lister
        writable.release()
        await caught_up(world, lister)

    virtually(test)


def test_c9_indexes_hold_own_writes_too(virtually):
    async def test(world):
        lister = await world.synced()
        lister.add_index("n", lambda obj: [obj["spec"]["n"]])
        writable = Writable(world.server)
        writable.hold()
        await world.cache.client.create(WEBSITE, site("w", 7), namespace="default")
        assert [obj["metadata"]["name"] for obj in lister.by_index("n", 7)] == ["w"]
        await world.cache.client.apply(WEBSITE, site("w", 8), namespace="default")
        assert lister.by_index("n", 7) == []
        writable.release()
        await caught_up(world, lister)

    virtually(test)


def test_r1_a_deletion_under_an_own_write_is_delivered(virtually):
    async def test(world):
        world.server.put("websites", "w", kind="Website", spec={"n": 1})
        writable = Writable(world.server)
        lister = await world.synced()
        world.server.send("websites", b"unusable\n")
        await world.settle()
        await world.cache.client.apply(WEBSITE, site("w", 2), namespace="default")
        assert lister.get("w")["spec"]["n"] == 2
        world.server.remove("websites", "w")
        await world.settle()
        assert world.told[-1][:2] == ("DELETE", "default/w")
        assert lister.get("w") is None
        assert writable.flowing.is_set()

    virtually(test)


@pytest.mark.parametrize("compacted", [False, True])
def test_r1_what_was_made_and_deleted_while_the_stream_was_away_is_told_as_deleted(virtually, compacted):
    async def test(world):
        lister = await world.synced()
        Writable(world.server)
        world.server.refuse("watch", "websites", ConnectionRefused())
        world.server.end_watches()
        await world.settle()
        names = ["one", "two", "three"]
        for name in names:
            await world.cache.client.create(WEBSITE, site(name, 1), namespace="default")
        assert len(lister) == 3
        for name in names[:2]:
            world.server.remove("websites", name)
        if compacted:
            world.server.compact()
        world.server.refuse("watch", "websites", None)
        await caught_up(world, lister)
        assert [event[:2] for event in world.told] == [
            *[("CREATE", f"default/{name}") for name in names],
            *[("DELETE", f"default/{name}") for name in names[:2]],
        ]

    virtually(test)


def ConnectionRefused():
    from zestor_controller.errors import TransportError

    return TransportError("connection refused")


def test_c9_a_list_that_is_older_than_an_own_write_does_not_take_it_away(virtually):
    async def test(world):
        world.server.put("websites", "w", kind="Website", spec={"n": 1})
        world.server.put("websites", "gone", kind="Website", spec={"n": 1})
        lister = await world.synced()
        before = world.server._list("websites", None, {})
        Writable(world.server)
        world.server.refuse("watch", "websites", ConnectionRefused())
        world.server.end_watches()
        await world.settle()
        client = world.cache.client
        await client.create(WEBSITE, site("new", 1), namespace="default")
        await client.apply(WEBSITE, site("w", 2), namespace="default")
        await client.delete(WEBSITE, "gone", namespace="default")
        world.server.script("list", before)
        world.cache.informers()[0]._reflectors[None].fresh.want_list()
        await world.settle(10)
        assert world.server.count("list") == 2
        assert {obj["metadata"]["name"]: obj["spec"]["n"] for obj in lister.list()} == {"new": 1, "w": 2}
        world.server.refuse("watch", "websites", None)
        await world.settle(60)
        await caught_up(world, lister)
        assert [event[0] for event in world.told] == ["CREATE", "CREATE", "CREATE", "UPDATE", "DELETE"]

    virtually(test)


def test_c9_a_write_while_a_list_is_swapped_in_stays(virtually):
    async def test(world):
        for n in range(300):
            world.server.put("websites", f"w{n}", kind="Website", spec={"n": 1})
        writable = Writable(world.server)
        lister = await world.synced()
        reflector = world.cache.informers()[0]._reflectors[None]
        writable.hold()
        world.server.put("websites", "w5", kind="Website", spec={"n": 2})
        stage = reflector._stage()
        version, _, _ = await reflector._pages.read({}, stage, reflector.record, reflector.target.get)

        async def others():
            await world.cache.client.create(WEBSITE, site("late", 1), namespace="default")
            await world.cache.client.delete(WEBSITE, "w7", namespace="default")

        await reflector._swap(Interrupted(stage, others), version)
        assert "default/late" in lister
        assert "default/w7" not in lister
        assert lister.get("w5")["spec"]["n"] == 2
        writable.release()
        await caught_up(world, lister)

    virtually(test)


class Interrupted:
    """A stage whose commit lets others run in the middle."""

    def __init__(self, stage, others):
        self._others = others
        self.get, self.put, self.remove, self._slices = stage.get, stage.put, stage.remove, stage._slices

    async def commit_async(self, slice_s):
        slices = self._slices()
        next(slices)
        await self._others()
        for _ in slices:
            pass


class Counted:
    """A writer's side of a kind that counts what is done with it."""

    def __init__(self):
        stored = MemoryStore().kind("k", codec=RecordCodec(kind_of(WEBSITE)))
        self.table = stored.encoded
        self.calls = 0

    def get(self, name):
        self.calls += 1
        return self.table.get(name)

    def apply(self, changes):
        self.calls += len(changes)
        return self.table.apply(changes)


def record(version, uid="u"):
    return Record(uid, version, b"{}", False)


def test_c9_a_write_costs_the_same_however_many_are_pending():
    counted = Counted()
    overlay = Overlay(counted)
    for n in range(5000):
        before = counted.calls
        overlay.wrote(f"w{n}", record(n + 10, f"u{n}"), 5)
        assert counted.calls - before == 2
    for n in range(0, 5000, 2):
        before = counted.calls
        overlay.removed(f"w{n}", f"u{n}", None, 5)
        assert counted.calls - before == 2
    assert len(overlay) == 5000
    overlay.passed(5009)
    assert len(overlay) == 2500  # deletions wait for their own events
    for n in range(0, 5000, 2):
        assert overlay.hides(f"w{n}", record(6000 + n, f"u{n}"), False)
        assert not overlay.hides(f"w{n}", record(6001 + n, f"u{n}"), True)
    assert len(overlay) == 0


def test_c9_a_response_that_comes_late_changes_nothing():
    overlay = Overlay(Counted())
    overlay.wrote("w", record(12), 5)
    overlay.wrote("w", record(10), 5)
    assert overlay._target.get("w").version == 12
    overlay.removed("w", "u", None, 5)
    overlay.wrote("w", record(13), 5)  # of the object that has been deleted since
    assert overlay._target.get("w") is None
    overlay.wrote("w", record(20, "another"), 5)
    assert overlay._target.get("w").uid == "another"


def test_c9_a_deletion_hides_its_object_and_earlier_ones_alone():
    overlay = Overlay(Counted())
    overlay.wrote("w", record(10), 5)
    overlay.removed("w", "u", None, 5)
    assert overlay.hides("w", record(6, "earlier"), False)
    assert overlay.hides("w", record(7, "earlier"), True)
    assert overlay.hides("w", record(10), False)
    assert not overlay.hides("w", record(30, "later"), False)
    assert len(overlay) == 0


def test_c9_an_object_held_to_be_gone_that_terminates_is_shown():
    overlay = Overlay(Counted())
    overlay.wrote("w", record(10), 5)
    overlay.removed("w", "u", None, 5)
    raw = json.dumps({"metadata": {"name": "w", "deletionTimestamp": "2026-11-28T00:00:00Z"}}).encode()
    assert not overlay.hides("w", Record("u", 12, raw, False), False)


def test_c9_versions_that_cannot_be_compared_are_left_to_the_watch():
    overlay = Overlay(Counted())
    overlay.wrote("w", record("abc"), "abb")
    overlay.wrote("w", record(5), "abb")
    assert len(overlay) == 0
    assert overlay._target.get("w") is None


@pytest.mark.parametrize("seed", range(40))
def test_c9_a_random_history_of_own_and_foreign_writes_ends_true_and_every_change_is_told(virtually, seed):
    async def test(world):
        rng = random.Random(seed)
        server = world.server
        for n in range(3):
            server.put("websites", f"w{n}", kind="Website", spec={"n": 0})
        writable = Writable(server, answers_object=rng.random() < 0.5)
        lister = await world.synced()
        client = world.cache.client
        seen = {}
        watch = lister.watch(initial_replay=True, overflow=Overflow.COALESCE)

        def follow():
            for event in watch.drain():
                if event.type is EventType.DELETE:
                    assert seen.pop(event.name)
                else:
                    seen[event.name] = event.object["metadata"]["resourceVersion"]

        for n in range(60):
            name = f"w{rng.randrange(4)}"
            there = server.objects("websites").get(f"default/{name}")
            step = rng.randrange(12)
            if step < 3:
                await client.apply(WEBSITE, site(name, n), namespace="default")
                assert lister.get(name)["spec"]["n"] == n
            elif step < 5:
                shown = lister.get(name)
                await client.delete(WEBSITE, name, namespace="default", missing_ok=True)
                if there and shown is not None and shown["metadata"]["uid"] == there["metadata"]["uid"]:
                    assert lister.get(name) is None
            elif step < 7:
                server.put("websites", name, kind="Website", spec={"n": -n})
            elif step == 7 and there:
                server.remove("websites", name)
            elif step == 8:
                server.end_watches()
            elif step == 9:
                server.compact()
            elif step == 10:
                writable.hold()
            else:
                writable.release()
                await world.settle(rng.choice([0.001, 2, 20]))
            if rng.random() < 0.3:
                follow()
        writable.release()
        await world.settle(120)
        follow()
        assert world.versions(lister) == world.server_versions() == seen
        assert pending(world) == 0
        watch.cancel()

    virtually(test)
