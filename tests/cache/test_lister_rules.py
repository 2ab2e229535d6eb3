"""What a lister and a cluster cache are asked for, option by option, against a real server in memory."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from zestor_controller import Client, ClusterCache, EmbeddedCluster, NamespacedName
from zestor_controller.apiserver import ApiServer
from zestor_controller.apiserver.authentication import ADMINISTRATOR, TokenAuthenticator
from zestor_controller.cache import InformerState
from zestor_controller.client import MemoryTransport
from zestor_controller.errors import ConfigError, StoreError, TransportError
from zestor_controller.http import HttpRequest, HttpResponse

MAP = "v1/ConfigMap"
NAMESPACE = "v1/Namespace"


class Recording:
    """A server that notes the queries of lists and watches of ConfigMaps."""

    def __init__(self) -> None:
        self.api = ApiServer(TokenAuthenticator({"t": ADMINISTRATOR}))
        self.seen: list[tuple[str, dict[str, str], str]] = []

    async def handle(self, request: HttpRequest) -> HttpResponse:
        if request.method == "GET" and "configmaps" in request.path:
            accept = next((value for name, value in request.headers.items() if name.lower() == "accept"), "")
            self.seen.append((request.path, dict(request.query), accept))
        return await self.api.handle(request)


@pytest.fixture
async def server() -> Recording:
    return Recording()


@pytest.fixture
async def client(server: Recording) -> Client:
    client = Client(MemoryTransport(server, {"Authorization": "Bearer t"}))
    for namespace in ("one", "two"):
        await client.create(NAMESPACE, {"metadata": {"name": namespace}})
        for name in ("a", "b"):
            body = {"metadata": {"name": name, "labels": {"name": name, "in": namespace}}, "data": {"k": namespace}}
            await client.create(MAP, body, namespace=namespace)
    return client


def names(listed: list[Any]) -> list[str]:
    return [f"{obj.metadata.namespace}/{obj.metadata.name}" for obj in listed]


async def test_a_list_is_in_the_order_of_the_names_and_narrowed_by_namespace_and_labels(client: Client) -> None:
    async with ClusterCache(client) as cache:
        maps = await cache.add(MAP, namespaces=["one", "two"])

        assert names(maps.list()) == ["one/a", "one/b", "two/a", "two/b"]
        assert names(maps.list("two")) == ["two/a", "two/b"]
        assert names(maps.list("tw")) == []
        assert names(maps.list(labels="name=a")) == ["one/a", "two/a"]
        assert names(maps.list(labels={"name": "b", "in": "one"})) == ["one/b"]
        assert names(maps.list("one", labels="name!=a,in in (one)")) == ["one/b"]
        with pytest.raises(ValueError, match="=="):
            maps.list(labels="name=====a")
        assert len(maps) == 4


async def test_an_object_is_found_by_every_form_of_its_name(client: Client) -> None:
    async with ClusterCache(client) as cache:
        maps = await cache.add(MAP)

        found = [
            maps.get("a", "one"),
            maps.get("one/a"),
            maps.get("one/a", "two"),
            maps.get(NamespacedName("one", "a")),
        ]
        assert [obj and obj["data"] for obj in found] == [{"k": "one"}] * 4
        assert maps.get("a") is None  # in the client's own namespace there is none
        assert maps.get("none", "one") is None
        assert "one/a" in maps
        assert NamespacedName("one", "a") in maps
        assert "a" not in maps


async def test_cluster_scoped_objects_have_no_namespace_whatever_is_given(client: Client) -> None:
    async with ClusterCache(client) as cache:
        namespaces = await cache.add(NAMESPACE)

        assert namespaces.get("one", "ignored") is not None
        assert {obj.metadata.name for obj in namespaces.list("ignored")} >= {"one", "two"}
        known = {one.name: one for one in namespaces.metadata()}
        assert known["one"].namespace == ""
        assert known["one"].uid == namespaces.get("one").metadata.uid  # type: ignore[union-attr]


async def test_metadata_identifies_objects_as_they_are_on_the_server(client: Client) -> None:
    async with ClusterCache(client) as cache:
        maps = await cache.add(MAP, namespaces=["one"])
        found = maps.metadata()
        assert [(one.namespace, one.name) for one in found] == [("one", "a"), ("one", "b")]
        for one in found:
            real = await client.get(MAP, one.name, namespace=one.namespace)
            assert (one.uid, one.resource_version) == (real.metadata.uid, real.metadata.resource_version)
        assert [one.name for one in maps.metadata(labels="name=b")] == ["b"]


async def test_an_index_is_kept_from_the_first_add_or_a_later_one(client: Client) -> None:
    async with ClusterCache(client) as cache:
        maps = await cache.add(MAP, indexes={"value": lambda obj: [obj.get("data", {}).get("k")]})
        assert names(maps.by_index("value", "two")) == ["two/a", "two/b"]
        again = await cache.add(MAP, indexes={"first": lambda obj: [obj.metadata.name[0]]})
        assert again is maps
        assert names(maps.by_index("first", "b")) == ["one/b", "two/b"]
        with pytest.raises(StoreError):
            maps.by_index("none", 1)

        await client.create(MAP, {"metadata": {"name": "c"}, "data": {"k": "two"}}, namespace="one")
        await maps.wait_for("c", namespace="one")
        assert sorted(names(maps.by_index("value", "two"))) == ["one/c", "two/a", "two/b"]


async def test_what_the_server_is_asked_for_is_what_was_selected(client: Client, server: Recording) -> None:
    async with ClusterCache(client, namespaces=["one"]) as cache:
        maps = await cache.add(MAP, labels={"name": "a", "in": "one"}, fields="metadata.name=a")
        assert names(maps.list()) == ["one/a"]
    lists = [query for path, query, _ in server.seen if query.get("watch") != "true"]
    watches = [query for path, query, _ in server.seen if query.get("watch") == "true"]
    assert {path for path, _, _ in server.seen} == {"/api/v1/namespaces/one/configmaps"}
    for query in (*lists, *watches):
        assert query["labelSelector"] == "in=one,name=a"
        assert query["fieldSelector"] == "metadata.name=a"
    assert watches


async def test_metadata_only_asks_for_metadata_and_holds_nothing_else(client: Client, server: Recording) -> None:
    async with ClusterCache(client) as cache:
        maps = await cache.add(MAP, metadata_only=True)
        obj = maps.get("a", "one")
        assert obj is not None
        assert obj.metadata.labels == {"name": "a", "in": "one"}
        assert "data" not in obj
    assert all("PartialObjectMetadata" in accept for _, _, accept in server.seen)


async def test_kinds_added_in_another_way_are_cached_apart_and_the_widest_is_found(client: Client) -> None:
    async with ClusterCache(client) as cache:
        narrow = await cache.add(MAP, labels="name=a")
        light = await cache.add(MAP, metadata_only=True)
        wide = await cache.add(MAP)
        packed = await cache.add(MAP, compact=True)

        assert len({id(lister) for lister in (narrow, light, wide, packed)}) == 4
        assert cache.lister(MAP) is wide
        assert names(packed.list("one")) == names(wide.list("one"))
        assert len(narrow) < len(wide)
        with pytest.raises(ConfigError, match=r"secrets is not cached: add it with cache\.add"):
            cache.lister("v1/Secret")


async def test_a_compact_cache_takes_less_memory(client: Client) -> None:
    await client.create(MAP, {"metadata": {"name": "large"}, "data": {"k": "x" * 50_000}}, namespace="one")
    async with ClusterCache(client) as cache:
        await cache.add(MAP)
        await cache.add(MAP, compact=True)
        plain, packed = cache.informers()
        assert packed.bytes < plain.bytes / 2


async def test_a_predicate_is_waited_for_with_the_object_or_without_one(client: Client) -> None:
    async with ClusterCache(client) as cache:
        maps = await cache.add(MAP)
        there = await maps.wait_for("a", namespace="one")
        assert there is not None
        assert there["data"] == {"k": "one"}

        waiting = asyncio.ensure_future(
            maps.wait_for(NamespacedName("one", "a"), lambda obj: obj and obj["data"]["k"] == "new")
        )
        await asyncio.sleep(0)
        there["data"]["k"] = "new"
        await client.replace(there)
        changed = await waiting
        assert changed is not None
        assert changed["data"] == {"k": "new"}

        gone = asyncio.ensure_future(maps.wait_for("b", lambda obj: obj is None, namespace="one"))
        await asyncio.sleep(0)
        await client.delete(MAP, "b", namespace="one")
        assert await gone is None
        with pytest.raises(TimeoutError):
            await maps.wait_for("never", namespace="one", timeout=timedelta(seconds=0.05))


async def test_a_wait_ends_when_the_cache_is_closed(client: Client) -> None:
    async with ClusterCache(client) as cache:
        maps = await cache.add(MAP)
        waiting = asyncio.ensure_future(maps.wait_for("never", namespace="one"))
        await asyncio.sleep(0)
    with pytest.raises(TimeoutError, match="configmaps one/never: the cache was closed while waiting"):
        await waiting


async def test_a_kind_that_is_not_in_sync_in_time_says_why(server: Recording) -> None:
    unknown = Client(MemoryTransport(server, {"Authorization": "Bearer wrong"}))
    async with ClusterCache(unknown) as cache:
        with pytest.raises(TransportError, match=r"401.*\(waited 0\.2 s\)"):
            await cache.add(MAP, timeout=timedelta(seconds=0.2))


async def test_before_it_is_entered_a_cache_says_how_to_enter_it(client: Client) -> None:
    cache = ClusterCache()
    with pytest.raises(ConfigError, match=r"async with ClusterCache"):
        _ = cache.client
    with pytest.raises(ConfigError, match=r"async with ClusterCache"):
        await cache.add(MAP)


async def test_the_series_of_a_kind_are_set_when_they_are_read(client: Client) -> None:
    async with ClusterCache(client) as cache:
        maps = await cache.add(MAP)
        cache.refresh_metrics()

        def value(name: str, **labels: str) -> float | None:
            return cache.metrics.registry.get_sample_value(name, {"kind": "configmaps", **labels})

        assert value("zestor_cache_objects") == len(maps)
        assert (value("zestor_cache_bytes") or 0) > 4 * 100
        assert value("zestor_informer_synced") == 1
        assert value("zestor_informer_unsynced_seconds") == 0
        states = [state for state in InformerState if value("zestor_informer_state", state=state.value)]
        assert states == [InformerState.LIVE]
        watch = maps.watch(buffer_size=1)
        for number in range(4):
            await client.create(MAP, {"metadata": {"name": f"x{number}"}}, namespace="two")
        await maps.wait_for("x3", namespace="two")
        watch.cancel()
        cache.refresh_metrics()
        cache.refresh_metrics()
        assert value("zestor_watch_dropped_total", policy="DROP") == 3


def test_a_blocking_cache_passes_every_option_on(tmp_path: Path) -> None:
    with EmbeddedCluster(controllers="none") as cluster:
        create = cluster.client.create
        create(NAMESPACE, {"metadata": {"name": "one"}})
        for name in ("a", "b"):
            create(MAP, {"metadata": {"name": name, "labels": {"name": name}}, "data": {"k": name}}, namespace="one")
            create(MAP, {"metadata": {"name": name}}, namespace="default")
        with ClusterCache(kubeconfig=cluster.kubeconfig) as cache:
            one = cache.add(MAP, namespaces=["one"])
            assert names(one.list()) == ["one/a", "one/b"]
            assert names(cache.add(MAP, labels="name=a").list()) == ["one/a"]
            assert names(cache.add(MAP, fields="metadata.name=b,metadata.namespace=one").list()) == ["one/b"]
            light = cache.add(MAP, metadata_only=True, namespaces=["one"])
            assert "data" not in light.list()[0]
            packed = cache.add(MAP, compact=True, namespaces=["one"])
            assert packed is not one
            assert names(packed.list()) == ["one/a", "one/b"]
            indexed = cache.add(MAP, namespaces=["one"], indexes={"k": lambda obj: [obj["data"]["k"]]})
            assert names(indexed.by_index("k", "b")) == ["one/b"]
            with pytest.raises(ConfigError, match="Nonsense"):
                cache.add("none.example/v1/Nonsense")


async def test_a_cache_connects_by_the_kubeconfig_and_the_context_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import yaml

    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "nowhere"))
    async with EmbeddedCluster(controllers="none") as cluster:
        config = yaml.safe_load(cluster.kubeconfig.read_text())
        good = config["contexts"][0]["context"]
        config["clusters"].append({"name": "away", "cluster": {"server": "https://127.0.0.1:1"}})
        config["contexts"] = [
            {"name": "bad", "context": {**good, "cluster": "away"}},
            {"name": "good", "context": {**good, "namespace": "kube-system"}},
        ]
        config["current-context"] = "bad"
        path = tmp_path / "config"
        path.write_text(yaml.safe_dump(config))
        async with ClusterCache(kubeconfig=path, context="good") as cache:
            namespaces = await cache.add(NAMESPACE)
            assert "kube-system" in namespaces
            assert cache.client.namespace == "kube-system"
