"""Caches that watch along: listers and their watch channels, compared with what a channel promises (S4, S6, C2, C3).

A consumer keeps a shadow of the kind from the events that it was given and nothing else. Whatever its policy, buffer
and speed, the shadow must follow from the events (no update of what was never created, no second creation) and must
equal the lister when everything has been delivered.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import Any

from zestor_controller.cache import ClusterCache, Lister
from zestor_controller.client import Client
from zestor_controller.errors import WatchOverflow, ZestorError
from zestor_controller.objects import Unstructured
from zestor_controller.store import Event, EventType, Overflow
from zestor_controller.testing.simulation.operator import OWNER, Ledger

__all__ = ["Observer"]

PAUSES = (0.0, 0.0, 0.01, 3.0, 60.0)


@dataclass(slots=True)
class _Consumer:
    """One consumer of one lister."""

    name: str
    lister: Lister[Unstructured]
    policy: Overflow
    buffer: int
    rng: random.Random
    violations: list[str]
    ledger: Ledger
    shadow: dict[str, tuple[str, str]] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)

    async def run(self) -> None:
        """Consume until cancelled; after events were lost, subscribe anew."""
        while True:
            with self.lister.watch(initial_replay=True, overflow=self.policy, buffer_size=self.buffer) as watch:
                self.shadow.clear()
                replay = True
                try:
                    async for event in watch:
                        self._take(event, replay)
                        replay = replay and not watch.synced
                        if event.missed:
                            break
                        await asyncio.sleep(self.rng.choice(PAUSES))
                except WatchOverflow:
                    continue

    def _take(self, event: Event[Unstructured], replay: bool) -> None:
        known, name = self.shadow.get(event.name), event.name
        if event.type is EventType.DELETE:
            if self.shadow.pop(name, None) is None:
                self.violations.append(f"S4: {self.name}: {name} is deleted, and was never created")
            return
        if (event.type is EventType.CREATE) != (known is None):
            self.violations.append(f"S4: {self.name}: {event.type.value} of {name}, of which it knows {known}")
        meta = event.object["metadata"]
        uid, version = meta["uid"], int(meta["resourceVersion"])
        if version < self.versions.get(uid, 0) and not self.ledger.restored:
            self.violations.append(f"C2: {self.name}: {name} goes back from version {self.versions[uid]} to {version}")
        self.versions[uid] = version
        self.shadow[name] = uid, meta["resourceVersion"]

    def check(self) -> list[str]:
        """What is wrong with the shadow when everything has been delivered."""
        there = {f"{m.namespace}/{m.name}": (m.uid, m.resource_version) for m in self.lister.metadata()}
        if self.shadow == there:
            return []
        return [f"S6: {self.name}: the events lead to {self.shadow}, the lister has {there}"]


class Observer:
    """A cache without a controller, and consumers of its listers.

    Args:
        client: through the faulty network.
        child: the kind of the operator's children.
        rng: policies, buffers, pauses.
        ledger: what the server has; versions may go back once it was restored.
    """

    def __init__(self, client: Client, child: str, rng: random.Random, ledger: Ledger) -> None:
        self._cache = ClusterCache(client, rng=rng)
        self._child = child
        self._rng = rng
        self._ledger = ledger
        self._consumers: list[_Consumer] = []
        self.violations: list[str] = []
        self.listers: dict[str, Lister[Any]] = {}

    async def run(self) -> None:
        """Watch along until cancelled."""
        async with self._cache, asyncio.TaskGroup() as tasks:
            for kind in (OWNER, self._child):
                tasks.create_task(self._observe(kind, tasks))

    async def _observe(self, kind: str, tasks: asyncio.TaskGroup) -> None:
        before = self._ledger.present(kind)
        self.listers[kind] = lister = await self._added(kind)
        self._ledger.check_current(f"the observer's {kind}", lister, before, kind)
        for number in range(2):
            policy = self._rng.choice(list(Overflow))
            buffer = self._rng.choice((1, 2, 8, 128))
            name = f"consumer {number} of {kind} ({policy.name}, {buffer})"
            consumer = _Consumer(name, lister, policy, buffer, self._rng, self.violations, self._ledger)
            self._consumers.append(consumer)
            tasks.create_task(consumer.run(), name=name)

    async def _added(self, kind: str) -> Lister[Unstructured]:
        namespaces = self._rng.choice((None, ["default"], ["default", "kube-system"]))
        while True:
            try:
                return await self._cache.add(kind, namespaces=namespaces)
            except ZestorError:  # it was not in sync in time, and goes on trying
                await asyncio.sleep(1)

    def check(self) -> list[str]:
        """Everything that is wrong with the shadows when everything has been delivered."""
        return [fault for consumer in self._consumers for fault in consumer.check()]
