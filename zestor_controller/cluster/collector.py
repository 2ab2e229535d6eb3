"""Garbage collection: dependents go after their owners, as kube-controller-manager has it.

Invariant: an object is deleted only when every owner it names is gone, looked up by uid at the server and not only in a
cache; a deletion names the uid it was decided for, so a newer object of the name is never hit.

Source: kubernetes.io/docs/concepts/architecture/garbage-collection;
pkg/controller/garbagecollector/garbagecollector.go.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from zestor_controller.cache import AsyncClusterCache, Informer
from zestor_controller.client import Client, served_resources
from zestor_controller.controller import QueueClosed, WorkQueue
from zestor_controller.errors import Conflict, NotFound, ZestorError
from zestor_controller.objects import Kind, MergePatch, kind_of
from zestor_controller.store import Event, EventType, Overflow

__all__ = ["Collector"]

_log = logging.getLogger(__name__)

FOREGROUND: Final = "foregroundDeletion"
ORPHAN: Final = "orphan"
# Kinds that are many, short-lived and own nothing: watching them would cost and bring nothing.
_IGNORED: Final = frozenset({"events", "events.events.k8s.io", "endpoints"})


class _Owner(msgspec.Struct):
    uid: str
    apiVersion: str
    kind: str
    name: str
    blockOwnerDeletion: bool = False


class _Meta(msgspec.Struct):
    name: str
    uid: str
    namespace: str = ""
    deletionTimestamp: str | None = None
    ownerReferences: list[_Owner] | None = None
    finalizers: list[str] | None = None


class _Object(msgspec.Struct):
    metadata: _Meta


_decode = msgspec.json.Decoder(_Object).decode


@dataclass(slots=True)
class _Node:
    """An object that exists, as the graph knows it."""

    kind: Kind[Any]
    meta: _Meta
    dependents: set[str] = field(default_factory=set)

    @property
    def owners(self) -> list[_Owner]:
        return self.meta.ownerReferences or []

    @property
    def finalizers(self) -> list[str]:
        return self.meta.finalizers or []


class Collector:
    """Collects what has lost its owners, in one cluster.

    Args:
        client: reads and deletes.
        cache: caches every deletable kind; the collector's own, so that no user's reads are served from it.
    """

    def __init__(self, client: Client, cache: AsyncClusterCache) -> None:
        self._client = client
        self._cache = cache
        self._nodes: dict[str, _Node] = {}
        self._waiting: dict[str, set[str]] = {}
        self._queue: WorkQueue[str] = WorkQueue(max_delay=5.0)
        self._known: set[str] = set()

    async def run(self) -> None:
        """Collect until cancelled; kinds that appear later (CRDs) are taken in within a second."""
        async with asyncio.TaskGroup() as tasks:
            for n in range(4):
                tasks.create_task(self._work(), name=f"collector worker {n}")
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
            _log.warning("the collector cannot discover kinds: %s", error)
            return
        for resource in served:
            text = f"{resource.api_version}/{resource.kind}"
            if text in self._known or not {"list", "watch", "delete"} <= set(resource.verbs):
                continue
            kind = self._client.kinds.learn(text, resource.plural, namespaced=resource.namespaced)
            if kind.store_name in _IGNORED:
                continue
            self._known.add(text)
            tasks.create_task(self._pump(self._cache.informer(kind)), name=f"collector pump {kind.store_name}")

    async def _pump(self, informer: Informer[Any]) -> None:
        watch = informer.lister.watch(initial_replay=True, overflow=Overflow.COALESCE)
        with watch:
            async for batch in watch.batches():
                for event in batch:
                    self._take(informer.kind, event)

    def _take(self, kind: Kind[Any], event: Event[Any]) -> None:
        old = _decode(event.stored_old.body()).metadata if event.stored_old is not None else None
        if event.type is EventType.DELETE:
            meta = old if old is not None else _decode(event.stored.body()).metadata
            self._gone(meta.uid)
            return
        meta = _decode(event.stored.body()).metadata
        if old is not None and old.uid != meta.uid:
            self._gone(old.uid)
        self._here(kind, meta)

    def _here(self, kind: Kind[Any], meta: _Meta) -> None:
        known = self._nodes.get(meta.uid)
        node = self._nodes[meta.uid] = _Node(kind, meta)
        before = {owner.uid for owner in known.owners} if known is not None else set()
        if known is not None:
            node.dependents = known.dependents
        else:
            node.dependents = self._waiting.pop(meta.uid, set())
        now = {owner.uid for owner in node.owners}
        for uid in before - now:
            self._dependents(uid).discard(meta.uid)
        for uid in now:
            self._dependents(uid).add(meta.uid)
        if now or (meta.deletionTimestamp and {FOREGROUND, ORPHAN} & set(node.finalizers)):
            self._queue.add(meta.uid)
        if before or now:
            for uid in before | now:
                owner = self._nodes.get(uid)
                if owner is not None and owner.meta.deletionTimestamp:
                    self._queue.add(uid)

    def _gone(self, uid: str) -> None:
        node = self._nodes.pop(uid, None)
        if node is None:
            return
        for dependent in node.dependents:
            self._queue.add(dependent)
        if node.dependents:
            self._waiting[uid] = node.dependents
        for owner in node.owners:
            self._dependents(owner.uid).discard(uid)
            if owner.uid in self._nodes and self._nodes[owner.uid].meta.deletionTimestamp:
                self._queue.add(owner.uid)

    def _dependents(self, uid: str) -> set[str]:
        node = self._nodes.get(uid)
        return node.dependents if node is not None else self._waiting.setdefault(uid, set())

    async def _work(self) -> None:
        while True:
            try:
                item = await self._queue.get()
            except QueueClosed:
                return
            try:
                await self._settle(item.key)
                self._queue.forget(item.key)
                self._queue.done(item.key)
            except ZestorError as error:
                if not isinstance(error, Conflict):
                    _log.debug("the collector will try again: %s", error)
                self._queue.done(item.key)
                self._queue.retry(item.key)

    async def _settle(self, uid: str) -> None:
        node = self._nodes.get(uid)
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
            blocked = [o for o in present if o.uid in self._nodes and FOREGROUND in self._nodes[o.uid].finalizers]
            deleting = [o for o in blocked if self._nodes[o.uid].meta.deletionTimestamp]
            if len(deleting) == len(present):
                # All owners wait for their dependents: this one goes, in the foreground if others wait for it in turn.
                await self._delete(node, "Foreground" if node.dependents else "Background")
            elif len(present) < len(node.owners):
                await self._keep_owners(node, present)
            return
        await self._delete(node, "Background")

    async def _exists(self, node: _Node, owner: _Owner) -> bool:
        """Whether an owner exists, by uid; asked at the server where the graph does not know it."""
        if owner.uid in self._nodes:
            known = self._nodes[owner.uid]
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

    async def _foreground(self, node: _Node) -> None:
        """Delete the dependents, and let the owner go when none that blocks it is left."""
        blocking = 0
        for uid in list(node.dependents):
            dependent = self._nodes.get(uid)
            if dependent is None:
                continue
            mine = [owner for owner in dependent.owners if owner.uid == node.meta.uid]
            if any(owner.blockOwnerDeletion for owner in mine):
                blocking += 1
            if not dependent.meta.deletionTimestamp:
                self._queue.add(uid)
        if not blocking:
            await self._drop_finalizer(node, FOREGROUND)

    async def _orphan(self, node: _Node) -> None:
        for uid in list(node.dependents):
            dependent = self._nodes.get(uid)
            if dependent is not None:
                rest = [owner for owner in dependent.owners if owner.uid != node.meta.uid]
                await self._keep_owners(dependent, rest)
        await self._drop_finalizer(node, ORPHAN)

    async def _keep_owners(self, node: _Node, owners: list[_Owner]) -> None:
        obj = await self._fresh(node)
        if obj is None:
            return
        kept = {owner.uid for owner in owners}
        references = [r for r in obj["metadata"].get("ownerReferences") or [] if r["uid"] in kept]
        await self._patch(node, obj, {"ownerReferences": references or None})

    async def _drop_finalizer(self, node: _Node, name: str) -> None:
        obj = await self._fresh(node)
        if obj is None:
            return
        rest = [finalizer for finalizer in obj["metadata"].get("finalizers") or [] if finalizer != name]
        await self._patch(node, obj, {"finalizers": rest or None})

    async def _fresh(self, node: _Node) -> Any:
        kind: Kind[Any] = node.kind
        try:
            obj = await self._client.get(kind, node.meta.name, namespace=node.meta.namespace or None)
        except NotFound:
            return None
        return obj if obj.metadata.uid == node.meta.uid else None

    async def _patch(self, node: _Node, obj: Any, metadata: dict[str, Any]) -> None:
        guard = {"resourceVersion": obj.metadata.resource_version, "uid": node.meta.uid}
        patch = MergePatch({"metadata": {**guard, **metadata}})
        kind: Kind[Any] = node.kind
        try:
            await self._client.patch(kind, node.meta.name, patch, namespace=node.meta.namespace or None)
        except NotFound:
            return

    async def _delete(self, node: _Node, propagation: str) -> None:
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
            return  # another object has taken the name; it is judged on its own
