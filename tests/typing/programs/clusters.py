"""Which client a cluster and a cache have, by how they were entered."""

from pathlib import Path
from typing import assert_type

from models import Site

from zestor_controller import Client, ClusterCache, EmbeddedCluster, Unstructured
from zestor_controller.cache import AsyncClusterCache, BlockingClusterCache, InformerStatus, Lister
from zestor_controller.client import BlockingClient
from zestor_controller.cluster import AsyncCluster, BlockingCluster
from zestor_controller.store import Event, StoreKind, Watch


def blocking() -> None:
    with EmbeddedCluster(controllers="none") as cluster:
        assert_type(cluster, BlockingCluster)
        assert_type(cluster.client, BlockingClient)
        assert_type(cluster.client.get(Site, "a"), Site)
        assert_type(cluster.url, str)
        assert_type(cluster.kubeconfig, Path)
        assert_type([record.user for record in cluster.requests], list[str])
    with ClusterCache() as cache:
        assert_type(cache, BlockingClusterCache)
        assert_type(cache.add(Site, indexes={"image": lambda site: [site.spec.image]}), Lister[Site])
        assert_type(cache.add("v1/Pod", indexes={"node": lambda pod: [pod["spec"]["nodeName"]]}), Lister[Unstructured])
        assert_type(cache.lister(Site), Lister[Site])
        cache.add(Site, metadata=True)  # error
        cache.add(Site, indexes={"image": lambda site: [site.spec.picture]})  # error


async def awaited() -> None:
    async with EmbeddedCluster() as cluster, ClusterCache(cluster.client) as cache:
        assert_type(cluster, AsyncCluster)
        assert_type(cluster.client, Client)
        assert_type(cache, AsyncClusterCache)
        assert_type(cache.client, Client)
        lister = await cache.add(Site, namespaces=["a"], compact=True)
        assert_type(lister, Lister[Site])
        assert_type(lister.get("a"), Site | None)
        assert_type(lister.list(labels="app=a"), list[Site])
        assert_type(lister.by_index("image", "nginx"), list[Site])
        assert_type(lister.status, InformerStatus)
        assert_type(await lister.wait_for("a", lambda site: site and site.spec.replicas), Site | None)
        assert_type(lister.watch(predicate=lambda event: event.object.spec.image), Watch[Site])
        async for event in lister.watch(initial_replay=True):
            assert_type(event, Event[Site])
            assert_type(event.object, Site)
            assert_type(event.old, Site | None)
        assert_type(await cache.add("v1/Pod", metadata_only=True), Lister[Unstructured])
        pods: StoreKind[Unstructured] = cache.lister("v1/Pod").stored
        assert_type(pods.get("a"), Unstructured | None)
        lister.watch(buffer=5)  # error
        print(cluster.client.get(Site, "a").spec)  # error
