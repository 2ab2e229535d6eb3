"""Garbage collection: what is deleted, kept and released when owners are deleted.

Source: kubernetes.io/docs/concepts/architecture/garbage-collection; pkg/controller/garbagecollector.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import Any

import pytest

from zestor_controller.cache import ClusterCache
from zestor_controller.client import Client
from zestor_controller.cluster.simulation import GarbageCollector

MAP = "v1/ConfigMap"


async def collect(client: Client) -> None:
    async with ClusterCache(client) as cache:
        await GarbageCollector(client, cache).run()


@pytest.fixture
def collecting(simulation: Any) -> Any:
    @asynccontextmanager
    async def enter() -> Any:
        async with simulation(background=collect) as cluster:
            yield cluster

    return enter


def reference(owner: Any, **more: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "name": owner.metadata.name, "uid": owner.metadata.uid, **more}


async def owned(cluster: Any, name: str, *owners: Any, **more: Any) -> Any:
    references = [reference(owner, **more) for owner in owners]
    return await cluster.create(MAP, name, metadata={"ownerReferences": references})


def names(found: list[Any]) -> list[str]:
    return sorted(each.metadata.name for each in found)


async def delete(cluster: Any, name: str, propagation: str) -> None:
    await cluster.client.delete(MAP, name, namespace="default", propagation=propagation)


async def test_dependents_are_deleted_after_their_owner(collecting: Any) -> None:
    async with collecting() as cluster:
        owner = await cluster.create(MAP, "owner")
        child = await owned(cluster, "child", owner)
        await owned(cluster, "grandchild", child)
        await cluster.create(MAP, "other")
        await delete(cluster, "owner", "Background")
        await cluster.until(MAP, lambda found: names(found) == ["other"])


async def test_an_object_whose_owner_never_existed_is_deleted(collecting: Any) -> None:
    async with collecting() as cluster:
        owner = await cluster.create(MAP, "owner")
        await delete(cluster, "owner", "Background")
        await owned(cluster, "child", owner)
        await cluster.create(MAP, "other")
        await cluster.until(MAP, lambda found: names(found) == ["other"])


async def test_an_owner_of_the_same_name_and_another_uid_is_no_owner(collecting: Any) -> None:
    async with collecting() as cluster:
        owner = await cluster.create(MAP, "owner")
        stale = {**reference(owner), "uid": "of-a-former-object"}
        await cluster.create(MAP, "child", metadata={"ownerReferences": [stale]})
        await cluster.until(MAP, lambda found: names(found) == ["owner"])


async def test_a_dependent_of_two_owners_is_kept_for_the_one_that_exists(collecting: Any) -> None:
    async with collecting() as cluster:
        one, two = [await cluster.create(MAP, name) for name in ("one", "two")]
        await owned(cluster, "child", one, two)
        await delete(cluster, "one", "Background")
        (child,) = await cluster.until(
            MAP,
            lambda found: [
                each
                for each in found
                if each.metadata.name == "child" and len(each["metadata"]["ownerReferences"]) == 1
            ],
        )
        assert child["metadata"]["ownerReferences"] == [reference(two)]


async def test_orphans_are_released_before_their_owner_is_removed(collecting: Any) -> None:
    async with collecting() as cluster:
        owner = await cluster.create(MAP, "owner")
        await owned(cluster, "child", owner)
        await delete(cluster, "owner", "Orphan")
        (child,) = await cluster.until(MAP, lambda found: names(found) == ["child"] and found)
        assert "ownerReferences" not in child["metadata"]


async def test_a_foreground_deletion_waits_for_the_dependents_that_block_it(collecting: Any) -> None:
    async with collecting() as cluster:
        owner = await cluster.create(MAP, "owner")
        blocking = {"ownerReferences": [reference(owner, blockOwnerDeletion=True)], "finalizers": ["example.com/f"]}
        await cluster.create(MAP, "child", metadata=blocking)
        await delete(cluster, "owner", "Foreground")
        (child,) = await cluster.until(
            MAP,
            lambda found: [
                each for each in found if each.metadata.name == "child" and each.metadata.deletion_timestamp is not None
            ],
        )
        assert (await cluster.get(MAP, "owner")).metadata.finalizers == ["foregroundDeletion"]
        await cluster.patch(MAP, "child", {"metadata": {"finalizers": None}})
        await cluster.until(MAP, lambda found: not found)
        assert child.metadata.finalizers == ["example.com/f"]


async def test_a_foreground_deletion_does_not_wait_for_others(collecting: Any) -> None:
    async with collecting() as cluster:
        owner = await cluster.create(MAP, "owner")
        held = {"ownerReferences": [reference(owner)], "finalizers": ["example.com/f"]}
        await cluster.create(MAP, "child", metadata=held)
        await delete(cluster, "owner", "Foreground")
        await cluster.until(MAP, lambda found: names(found) == ["child"])


async def test_an_owner_of_an_unknown_kind_proves_nothing(collecting: Any) -> None:
    async with collecting() as cluster:
        unknown = {"apiVersion": "example.com/v1", "kind": "Unknown", "name": "u", "uid": "u"}
        await cluster.create(MAP, "kept", metadata={"ownerReferences": [unknown]})
        owner = await cluster.create(MAP, "owner")
        await owned(cluster, "child", owner)
        await delete(cluster, "owner", "Background")
        await cluster.until(MAP, lambda found: names(found) == ["kept"])
