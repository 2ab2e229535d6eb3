"""Which part of a kind is cached, and what a cache says of itself: true at the time it is read."""

from zestor_controller import CustomResource, Spec, Status
from zestor_controller.objects import kind_of
from zestor_controller.objects.registry import declare
from zestor_controller.store import Overflow
from zestor_controller.testing.scripted import status_answer

WEBSITE = "cache.test/v1/Website"


class SiteSpec(Spec):
    n: int


class Site(CustomResource[SiteSpec, Status], group="cache.test", version="v1", plural="sites"):
    pass


def test_finding_a_lister_costs_the_same_with_many_kinds(virtually):
    async def test(world):
        compared = []

        class Watched(str):
            __slots__ = ()

            def __eq__(self, other):
                compared.append(other)
                return str.__eq__(self, other)

            __hash__ = str.__hash__

        cost = {}
        for size in (5, 200):
            for n in range(size):
                declare(f"many.test/v1/Kind{n}", f"kinds{n}")
                world.cache.informer(kind_of(f"many.test/v1/Kind{n}"))
            for key in list(world.cache._by_kind):
                world.cache._by_kind[Watched(key[0]), Watched(key[1])] = world.cache._by_kind.pop(key)
            compared.clear()
            assert world.cache.lister(f"many.test/v1/Kind{size - 1}").kind.plural == f"kinds{size - 1}"
            cost[size] = len(compared)
        assert cost[200] <= cost[5] + 4  # a hash may collide

    virtually(test)


def test_the_namespaces_of_a_kind_split_by_their_whole_name(virtually):
    """A list of namespace `a` must not take away what is in `ab`."""

    async def test(world):
        for where in ("a", "ab", "abc"):
            world.server.put("websites", "w", where)
        lister = await world.synced(namespaces=["a", "ab", "abc"])
        world.server.script("watch", status_answer(410, "Expired"))
        world.server.end_watches()
        await world.advance(10)
        assert sorted(f"{m.namespace}/{m.name}" for m in lister.metadata()) == ["a/w", "ab/w", "abc/w"]
        assert [event[0] for event in world.delivered] == ["CREATE"] * 3
        world.server.remove("websites", "w", "a")
        world.server.compact()
        world.server.end_watches()
        await world.advance(60)
        assert sorted(f"{m.namespace}/{m.name}" for m in lister.metadata()) == ["ab/w", "abc/w"]
        assert [event[:2] for event in world.delivered[3:]] == [("DELETE", "a/w")]

    virtually(test)


def test_the_status_is_true_when_it_is_read(virtually):
    async def test(world):
        lister = await world.synced()
        status = lister.status
        assert status.reason == "0 objects cached"
        for n in range(3):
            world.server.put("websites", f"w{n}")
        await world.advance()
        assert status.reason == "3 objects cached"
        world.server.remove("websites", "w0")
        world.server.remove("websites", "w1")
        await world.advance()
        assert str(status) == "websites.cache.test: live: 1 object cached"

    virtually(test)


def test_c10_refused_objects_are_counted_and_named_until_they_are_mended(virtually):
    async def test(world):
        for n in range(5):
            world.server.put("sites", f"bad{n}", spec={"n": "x"})
        world.server.put("sites", "good", spec={"n": 1})
        lister = await world.cache.add(Site)
        assert len(lister.list()) == 1
        named = "default/bad0, default/bad1, default/bad2 and 2 more"
        assert f"of which the model refuses 5: {named}" in lister.status.reason

        def counted():
            world.cache.refresh_metrics()
            sample = world.cache.metrics.registry.get_sample_value
            return sample("zestor_cache_invalid_objects", {"kind": "sites.cache.test"})

        assert counted() == 5
        world.server.put("sites", "bad0", spec={"n": 1})
        world.server.remove("sites", "bad1")
        await world.advance()
        assert counted() == 3
        for n in (2, 3, 4):
            world.server.put("sites", f"bad{n}", spec={"n": n})
        await world.advance()
        assert (counted(), lister.status.reason) == (0, "5 objects cached")

    virtually(test)


def test_events_that_full_watches_drop_are_counted_by_policy(virtually):
    async def test(world):
        lister = await world.synced()
        with lister.watch(buffer_size=1), lister.watch(overflow=Overflow.COALESCE):
            for n in range(5):
                world.server.put("websites", "w", spec={"n": n})
            await world.advance()
            for _ in range(2):
                world.cache.refresh_metrics()
            assert world.metric("zestor_watch_dropped_total", policy="DROP") == 4
            assert world.metric("zestor_watch_dropped_total", policy="COALESCE") == 4

    virtually(test)


def test_two_caches_of_a_kind_are_counted_together(virtually):
    async def test(world):
        world.server.put("websites", "a")
        await world.synced()
        await world.cache.add(WEBSITE, metadata_only=True)
        world.cache.refresh_metrics()
        assert world.metric("zestor_cache_objects") == 2

    virtually(test)


def test_a_namespace_that_the_server_does_not_know_is_named(virtually, caplog):
    async def test(world):
        there = {"default"}
        usual = world.server.handle

        async def handle(request):
            name = request.path.removeprefix("/api/v1/namespaces/")
            if name != request.path and "/" not in name and name not in there:
                return status_answer(404, "NotFound", f'namespaces "{name}" not found')
            return await usual(request)

        world.server.handle = handle
        lister = await world.cache.add(WEBSITE, namespaces=["default", "typo"])
        assert "the server has no namespace 'typo'" in lister.status.reason
        assert caplog.text.count("the server has no namespace 'typo'") == 1
        assert "'default'" not in caplog.text
        there.add("typo")
        await world.advance(600)
        assert lister.status.reason == "0 objects cached"

    virtually(test)
