"""Garbage collection: dependents are deleted after their owners, as kube-controller-manager does it.

Invariant: an object is deleted only when no owner that it names exists, looked up by uid at the server and not only in
a cache; a deletion names the uid it was decided for, so a newer object of the name is never hit.

Source: kubernetes.io/docs/concepts/architecture/garbage-collection;
pkg/controller/garbagecollector/garbagecollector.go.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from zestor_controller.cache import AsyncClusterCache, Informer
from zestor_controller.client import Client, served_resources
from zestor_controller.cluster.simulation.ownergraph import (
    FOREGROUND,
    ORPHAN,
    Node,
    OwnerGraph,
    OwnerLink,
    decode_metadata,
)
from zestor_controller.controller import QueueClosed, WorkQueue
from zestor_controller.errors import Conflict, NotFound, ZestorError
from zestor_controller.objects import Kind, MergePatch, kind_of
from zestor_controller.store import Event, EventType, Overflow

__all__ = ["GarbageCollector"]

_log = logging.getLogger(__name__)

# Kinds that are many, short-lived and own nothing: watching them would cost and bring nothing.
_IGNORED: Final = frozenset({"events", "events.events.k8s.io", "endpoints"})


class GarbageCollector:
    """Deletes objects whose owners are all deleted, in one cluster.

    Args:
        client: reads and deletes.
        cache: caches every deletable kind; the garbage collector's own, so that no user's reads are served from it.
    """

    def __init__(self, client: Client, cache: AsyncClusterCache) -> None:
        self._client = client
        self._cache = cache
        self._graph = OwnerGraph()
        self._queue: WorkQueue[str] = WorkQueue(max_delay=5.0)
        self._known: set[str] = set()

    async def run(self) -> None:
        """Collect until cancelled; kinds that appear later (CRDs) are watched within a second."""
        async with asyncio.TaskGroup() as tasks:
            for n in range(4):
                tasks.create_task(self._work(), name=f"garbage collector worker {n}")
            await self._discover(tasks)
            crds = self._cache.informer(kind_of("apiextensions.k8s.io/v1/CustomResourceDefinition"))
            with crds.lister.watch(initial_replay=False, overflow=Overflow.COALESCE) as watch:
                async for _ in watch.batches():
                    await self._discover(tasks)

    async def _discover(self, tasks: asyncio.TaskGroup) -> None:
        """Watch every kind that the server serves now and that is not watched yet."""
        try:
            served = await served_resources(self._client)
        except ZestorError as error:
            _log.warning("the garbage collector cannot discover kinds: %s", error)
            return
        for resource in served:
            text = f"{resource.api_version}/{resource.kind}"
            if text in self._known or not {"list", "watch", "delete"} <= set(resource.verbs):
                continue
            kind = self._client.kinds.learn(text, resource.plural, namespaced=resource.namespaced)
            if kind.store_name in _IGNORED:
                continue
            self._known.add(text)
            tasks.create_task(self._pump(self._cache.informer(kind)), name=f"garbage collector pump {kind.store_name}")

    async def _pump(self, informer: Informer[Any]) -> None:
        watch = informer.lister.watch(initial_replay=True, overflow=Overflow.COALESCE)
        with watch:
            async for batch in watch.batches():
                for event in batch:
                    self._observe(informer.kind, event)

    def _observe(self, kind: Kind[Any], event: Event[Any]) -> None:
        old = decode_metadata(event.stored_old.body()) if event.stored_old is not None else None
        affected: list[str] = []
        if event.type is EventType.DELETE:
            affected = self._graph.remove((old or decode_metadata(event.stored.body())).uid)
        else:
            meta = decode_metadata(event.stored.body())
            if old is not None and old.uid != meta.uid:
                affected = self._graph.remove(old.uid)
            affected += self._graph.put(kind, meta)
        for uid in affected:
            self._queue.add(uid)

    async def _work(self) -> None:
        while True:
            try:
                item = await self._queue.get()
            except QueueClosed:
                return
            try:
                await self._process(item.key)
                self._queue.forget(item.key)
                self._queue.done(item.key)
            except ZestorError as error:
                if not isinstance(error, Conflict):
                    _log.debug("the garbage collector tries again: %s", error)
                self._queue.done(item.key)
                self._queue.retry(item.key)

    async def _process(self, uid: str) -> None:
        node = self._graph.get(uid)
        if node is None:
            return
        if node.meta.deletionTimestamp:
            if ORPHAN in node.finalizers:
                await self._orphan(node)
            elif FOREGROUND in node.finalizers:
                await self._foreground(node)
            return
        if not node.owners:
            return
        present = [owner for owner in node.owners if await self._exists(node, owner)]
        if present:
            deleting = [owner for owner in present if self._waits_for_dependents(owner)]
            if len(deleting) == len(present):
                # All owners wait for their dependents: delete this one, in the foreground if it has some itself.
                await self._delete(node, "Foreground" if node.dependents else "Background")
            elif len(present) < len(node.owners):
                await self._keep_owners(node, present)
            return
        await self._delete(node, "Background")

    def _waits_for_dependents(self, owner: OwnerLink) -> bool:
        known = self._graph.get(owner.uid)
        return known is not None and FOREGROUND in known.finalizers and bool(known.meta.deletionTimestamp)

    async def _exists(self, node: Node, owner: OwnerLink) -> bool:
        """Whether an owner exists, by uid; looked up at the server where the graph does not know it."""
        known = self._graph.get(owner.uid)
        if known is not None:
            # An owner in another namespace, or a namespaced owner of a cluster-scoped object, counts as absent.
            return not known.meta.namespace or known.meta.namespace == node.meta.namespace
        try:
            kind = self._client.kinds.of(f"{owner.apiVersion}/{owner.kind}")
        except ZestorError:
            try:
                kind = await self._client.discover(f"{owner.apiVersion}/{owner.kind}")
            except ZestorError:
                return True  # an unknown kind proves nothing: better to keep than to lose
        if kind.namespaced and not node.meta.namespace:
            return False
        try:
            found = await self._client.get(kind, owner.name, namespace=node.meta.namespace or None)
        except NotFound:
            return False
        return found.metadata.uid == owner.uid

    async def _foreground(self, node: Node) -> None:
        """Delete the dependents, and release the owner when no dependent blocks it."""
        blocking = 0
        for uid in list(node.dependents):
            dependent = self._graph.get(uid)
            if dependent is None:
                continue
            mine = [owner for owner in dependent.owners if owner.uid == node.meta.uid]
            if any(owner.blockOwnerDeletion for owner in mine):
                blocking += 1
            if not dependent.meta.deletionTimestamp:
                self._queue.add(uid)
        if not blocking:
            await self._drop_finalizer(node, FOREGROUND)

    async def _orphan(self, node: Node) -> None:
        for uid in list(node.dependents):
            dependent = self._graph.get(uid)
            if dependent is not None:
                rest = [owner for owner in dependent.owners if owner.uid != node.meta.uid]
                await self._keep_owners(dependent, rest)
        await self._drop_finalizer(node, ORPHAN)

    async def _keep_owners(self, node: Node, owners: list[OwnerLink]) -> None:
        obj = await self._fresh(node)
        if obj is None:
            return
        kept = {owner.uid for owner in owners}
        references = [r for r in obj["metadata"].get("ownerReferences") or [] if r["uid"] in kept]
        await self._patch(node, obj, {"ownerReferences": references or None})

    async def _drop_finalizer(self, node: Node, name: str) -> None:
        obj = await self._fresh(node)
        if obj is None:
            return
        rest = [finalizer for finalizer in obj["metadata"].get("finalizers") or [] if finalizer != name]
        await self._patch(node, obj, {"finalizers": rest or None})

    async def _fresh(self, node: Node) -> Any:
        kind: Kind[Any] = node.kind
        try:
            obj = await self._client.get(kind, node.meta.name, namespace=node.meta.namespace or None)
        except NotFound:
            return None
        return obj if obj.metadata.uid == node.meta.uid else None

    async def _patch(self, node: Node, obj: Any, metadata: dict[str, Any]) -> None:
        guard = {"resourceVersion": obj.metadata.resource_version, "uid": node.meta.uid}
        patch = MergePatch({"metadata": {**guard, **metadata}})
        kind: Kind[Any] = node.kind
        try:
            await self._client.patch(kind, node.meta.name, patch, namespace=node.meta.namespace or None)
        except NotFound:
            return

    async def _delete(self, node: Node, propagation: str) -> None:
        try:
            await self._client.delete(
                node.kind,
                node.meta.name,
                namespace=node.meta.namespace or None,
                uid=node.meta.uid,
                propagation=propagation,
                missing_ok=True,
            )
        except Conflict:
            return  # another object has taken the name; it is processed on its own
