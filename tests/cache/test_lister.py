"""What readers of a cached kind get."""

import asyncio
from datetime import timedelta

import pytest

from zestor_controller.errors import InvalidObject, StoreError
from zestor_controller.objects import CustomResource, NamespacedName, Spec, Status
from zestor_controller.objects.registry import declare


class Size(Spec):
    size: int


class Nothing(Status):
    pass


class Typed(CustomResource[Size, Nothing], group="cache.test", version="v1", plural="typeds"):
    pass


def test_c10_a_bad_object_is_kept_raw_found_at_decoding_and_disturbs_no_other(virtually):
    async def test(world):
        world.server.put("typeds", "good", spec={"size": 1})
        world.server.put("typeds", "bad", spec={"size": "many"})
        lister = await world.cache.add(Typed)
        assert lister.get("good").spec.size == 1
        with pytest.raises(InvalidObject) as caught:
            lister.get("bad")
        assert b'"many"' in caught.value.raw
        assert [obj.metadata.name for obj in lister.list()] == ["good"]
        assert len(lister) == 2
        assert [known.name for known in lister.metadata()] == ["bad", "good"]
        found = lister.validate_all()
        assert found.valid == 1
        assert list(found.invalid) == ["default/bad"]
        world.server.put("typeds", "bad", spec={"size": 2})
        await world.advance()
        assert lister.get("bad").spec.size == 2
        assert lister.status.live

    virtually(test)


def test_lists_select_by_namespace_and_labels(virtually):
    async def test(world):
        world.server.put("websites", "a", metadata={"labels": {"app": "web", "tier": "front"}})
        world.server.put("websites", "b", metadata={"labels": {"app": "web"}})
        world.server.put("websites", "c", "other", metadata={"labels": {"app": "db"}})
        world.server.put("websites", "d", "other")
        lister = await world.synced()

        def names(**options):
            return [obj.metadata.name for obj in lister.list(**options)]

        assert names() == ["a", "b", "c", "d"]
        assert names(namespace="other") == ["c", "d"]
        assert names(labels={"app": "web"}) == ["a", "b"]
        assert names(labels="app=web,tier!=front") == ["b"]
        assert names(labels="app in (web, db)", namespace="other") == ["c"]
        with pytest.raises(ValueError, match="app"):
            lister.list(labels="app in web")

    virtually(test)


def test_names_are_taken_in_every_form(virtually):
    async def test(world):
        world.server.put("websites", "w")
        world.server.put("websites", "w", "other", spec={"here": True})
        lister = await world.synced()
        assert "spec" not in lister.get("w")
        for form in (("other/w",), (NamespacedName("other", "w"),), ("w", "other")):
            assert lister.get(*form)["spec"]["here"]
        assert "other/w" in lister
        assert NamespacedName("other", "w") in lister
        assert "w" not in lister
        assert lister.get("missing") is None

    virtually(test)


def test_what_a_reader_gets_is_its_own(virtually):
    async def test(world):
        world.server.put("websites", "w", spec={"n": 1})
        lister = await world.synced()
        mine = lister.get("w")
        mine["spec"]["n"] = 99
        assert lister.get("w")["spec"]["n"] == 1

    virtually(test)


def test_an_index_follows_every_change_and_survives_a_relist(virtually):
    async def test(world):
        world.server.put("websites", "a", spec={"image": "x"})
        lister = await world.synced(indexes={"image": lambda obj: [obj["spec"]["image"]]})
        world.server.put("websites", "b", spec={"image": "x"})
        await world.advance()
        assert [o.metadata.name for o in lister.by_index("image", "x")] == ["a", "b"]
        world.server.put("websites", "a", spec={"image": "y"})
        await world.advance()
        assert [o.metadata.name for o in lister.by_index("image", "y")] == ["a"]
        world.server.mute()
        world.server.put("websites", "c", spec={"image": "x"})
        world.server.compact()
        await world.advance(400)
        assert [o.metadata.name for o in lister.by_index("image", "x")] == ["b", "c"]
        lister.add_index("name", lambda obj: [obj.metadata.name])
        assert len(lister.by_index("name", "c")) == 1
        with pytest.raises(StoreError, match="nothing"):
            lister.by_index("nothing", "x")

    virtually(test)


def test_wait_for_returns_as_soon_as_the_predicate_holds(virtually):
    async def test(world):
        lister = await world.synced()
        loop = asyncio.get_running_loop()
        begun = loop.time()
        loop.call_later(5, world.server.put, "websites", "w")
        loop.call_later(9, lambda: world.server.put("websites", "w", spec={"n": 2}))
        loop.call_later(12, world.server.remove, "websites", "w")
        obj = await lister.wait_for("w")
        assert obj is not None
        assert loop.time() - begun == pytest.approx(5)
        obj = await lister.wait_for("w", lambda o: o is not None and o.get("spec") == {"n": 2})
        assert loop.time() - begun == pytest.approx(9)
        assert await lister.wait_for("w", lambda o: o is None) is None
        assert loop.time() - begun == pytest.approx(12)
        with pytest.raises(TimeoutError):
            await lister.wait_for("w", timeout=timedelta(seconds=3))
        assert loop.time() - begun == pytest.approx(15)

    virtually(test)


def test_cluster_scoped_objects_need_no_namespace(virtually):
    declare("cache.test/v1/Zone", "zones", namespaced=False)

    async def test(world):
        world.server.put("zones", "z", None)
        lister = await world.cache.add("cache.test/v1/Zone", namespaces=["a", "b"])
        assert lister.get("z") is not None
        assert lister.get("z", "whatever") is not None
        assert world.server.count("list") == 1

    virtually(test)
