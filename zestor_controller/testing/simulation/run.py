"""One run: random steps of users and faults, then peace, then the oracle.

The oracle compares with the server what every reader was left with, and what must hold at any time (contracts C1 to
C3, C7, C9, C11, Q1, R1, R4, S4, S6). Each violation begins with the number of the promise that it breaks.
"""

from __future__ import annotations

import asyncio
import logging
import random
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from zestor_controller.cache import Lister
from zestor_controller.errors import TransportError
from zestor_controller.objects import Unstructured
from zestor_controller.testing.clock import run_virtual
from zestor_controller.testing.faults import FaultyNetwork, status_response
from zestor_controller.testing.simulation.observer import Observer
from zestor_controller.testing.simulation.operator import CHILDREN, owned_by
from zestor_controller.testing.simulation.world import NAMESPACE, World

__all__ = ["SimulationResult", "simulate"]

STEPS: Final = 40
GAPS_S: Final = (0.0, 0.0, 0.001, 0.01, 0.3, 0.3, 2.0, 15.0, 120.0, 400.0)
PEACE_S: Final = 1800.0
BURST_REQUESTS: Final = 150  # of a few objects that are reconciled, and of streams that are opened again
BUSY_REQUESTS_S: Final = 0.5  # in peace; three kinds, their watches and version checks need a fraction of it
GARBAGE: Final = (
    b'{"type":"ADDED","object":{}}\n',
    b'{"type":"MODIFIED","object":{"kind":"ConfigMap","metadata":{}}}\n',
    b'{"type":"SURPRISE","object":{"metadata":{"name":"x","resourceVersion":"1"}}}\n',
    b"\x00\xff not json\n",
    b"\n",
)
REFUSALS: Final = (
    (401, "Unauthorized"),
    (403, "Forbidden"),
    (409, "Conflict"),
    (410, "Expired"),
    (429, "TooManyRequests"),
    (500, "InternalError"),
    (503, "ServiceUnavailable"),
    (504, "Timeout"),
)
Step = Callable[[], Awaitable[None] | None]


@dataclass(frozen=True, slots=True)
class SimulationResult:
    """What came of one seed.

    Attributes:
        seed: the seed.
        violations: what was wrong, each beginning with the number of the promise; empty when nothing was.
        trace: what happened, a line each, with the virtual time in seconds.
    """

    seed: int
    violations: tuple[str, ...]
    trace: tuple[str, ...]


def simulate(seed: int, *, steps: int = STEPS) -> SimulationResult:
    """Run an operator through random faults and compare what it and its caches end up with.

    Args:
        seed: decides everything; the same seed gives the same run.
        steps: how many things users and the network do before peace returns.

    Returns:
        The violations found, and the trace.
    """
    logger = logging.getLogger("zestor_controller")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)  # failures are what a run is made of
    try:
        with tempfile.TemporaryDirectory(prefix="zestor-simulation-") as folder:
            return run_virtual(_Simulation(seed, steps, Path(folder)).run())
    finally:
        logger.setLevel(level)


class _Simulation:
    """The plan of one run."""

    def __init__(self, seed: int, steps: int, folder: Path) -> None:
        self._seed = seed
        self._steps = steps
        self._folder = folder
        self._violations: list[str] = []

    async def run(self) -> SimulationResult:
        self._world = world = World(self._seed, self._folder)
        restores = world.rng.random() < 0.4
        observer = Observer(
            world.client_of(world.networks[0]),
            world.program.child,
            random.Random(f"observer {self._seed}"),
            world.ledger,
        )
        plan = self._plan(restores)
        watching = asyncio.create_task(observer.run(), name="observer")
        world.start()
        for _ in range(self._steps):
            await self._wait(world.rng.choice(GAPS_S))
            done = world.rng.choice(plan)()
            if done is not None:
                await done
            if not world.ledger.restored:
                await world.count_children()
        world.note("peace")
        for network in world.networks:
            network.heal()
        await self._peace()
        await self._check(observer)
        self._violations += observer.check()
        for process in world.replicas:
            await process.stop()
        watching.cancel()
        await asyncio.wait({watching})
        if not watching.cancelled() and watching.exception() is not None:
            self._violations.append(f"the observer failed: {watching.exception()!r}")
        await self._check_end(observer)
        return SimulationResult(self._seed, tuple(self._violations), tuple(world.trace))

    async def _peace(self) -> None:
        """Wait until everything is delivered; in the second half no client may be busy any more (C7)."""
        await asyncio.sleep(PEACE_S / 2)
        before = self._requests()
        await asyncio.sleep(PEACE_S / 2)
        busy = self._requests() - before
        if busy > BUSY_REQUESTS_S * PEACE_S / 2:
            self._violations.append(f"C7: {busy} requests in {PEACE_S / 2:g} s of peace")

    async def _wait(self, seconds: float) -> None:
        """Let time pass; whatever fails, no client may be busy with trying again (C7)."""
        before = self._requests()
        await asyncio.sleep(seconds)
        busy = self._requests() - before
        if busy > BURST_REQUESTS + BUSY_REQUESTS_S * seconds * 6:
            self._violations.append(f"C7: {busy} requests in {seconds:g} s")

    def _requests(self) -> int:
        """How many requests there have been; those of the election are meant to go on."""
        return sum(1 for network in self._world.networks for _, plural in network.requests if plural != "leases")

    # The plan

    def _plan(self, restores: bool) -> list[Step]:
        """What may happen; what is listed more often happens more often."""
        world, rng = self._world, self._world.rng
        plan: list[Step] = [world.set_owner] * 8
        plan += [world.touch_owner] * 3 + [world.delete_owner] * 2 + [world.replace_owner] * 2
        plan += [world.delete_child] * 4 + [world.change_child]
        plan += [
            *[lambda: self._fault("cut", lambda n, p: n.cut(plural=p, error=rng.random() < 0.5))] * 2,
            lambda: self._fault("tear", lambda n, p: n.cut(plural=p, error=True, torn=True)),
            lambda: self._fault("freeze", lambda n, p: n.freeze(plural=p)),
            lambda: self._fault("repeat", lambda n, p: n.repeat(plural=p)),
            lambda: self._fault("garbage", lambda n, p: n.inject(rng.choice(GARBAGE), plural=p)),
            *[lambda: self._fault("lose a write", lambda n, p: n.lose("write", plural=p))] * 3,
            *[self._refuse] * 2,
            *[self._away] * 3,
            *[self._lag] * 2,
            self._stale,
            self._short,
            self._compact,
            lambda: world.restart(kill=rng.random() < 0.5),
        ]
        if restores:
            plan += [self._back_up] * 2 + [self._restore] * 2
        return plan

    def _plurals(self) -> tuple[str, str]:
        """The resources of owners and children."""
        return "configmaps", CHILDREN[self._world.program.child]

    def _network(self) -> FaultyNetwork:
        """The network of any replica."""
        return self._world.rng.choice(self._world.networks)

    def _fault(self, what: str, do: Callable[[FaultyNetwork, str | None], None]) -> None:
        plural = self._world.rng.choice((None, *self._plurals()))
        self._world.note(f"fault: {what} of {plural or 'all'}")
        do(self._network(), plural)

    def _refuse(self) -> None:
        rng = self._world.rng
        code, reason = rng.choice(REFUSALS)
        verb, times = rng.choice(("list", "watch", "write", "write", "*")), rng.choice((1, 1, 3, 20))
        self._world.note(f"fault: the next {times} {verb} requests fail with {code}")
        wait = rng.choice((1, 7)) if code == 429 else None
        self._network().fail(verb, status_response(code, reason, retry_after=wait), times=times)

    def _away(self) -> None:
        """The streams of a resource end and cannot be opened again for a while; or nothing can be reached at all."""
        rng, network = self._world.rng, self._network()
        if rng.random() < 0.3:
            network.down = not network.down
            self._world.note(f"fault: the server is {'out of reach' if network.down else 'back'}")
            network.cut(error=True)
            return
        plural, times = rng.choice(self._plurals()), rng.choice((1, 2, 4, 6))
        self._world.note(f"fault: {plural} cannot be read for {times} requests")
        for verb in ("list", "watch"):
            network.fail(verb, TransportError("connection refused"), plural=plural, times=times)
        network.cut(plural=plural)

    def _lag(self) -> None:
        network = self._network()
        network.lag = self._world.rng.choice((0.0, 0.2, 5.0, 60.0))
        self._world.note(f"fault: watches lag by {network.lag:g} s")

    def _stale(self) -> None:
        network = self._network()
        network.staleness = self._world.rng.choice((0, 1, 5, 30))
        self._world.note(f"fault: lists may be {network.staleness} versions behind")

    def _short(self) -> None:
        network = self._network()
        network.short_watches = not network.short_watches
        self._world.note(f"fault: watches {'end after one piece' if network.short_watches else 'last'}")

    def _compact(self) -> None:
        self._world.note("the history is compacted")
        self._world.api.compact()

    def _back_up(self) -> None:
        self._world.note("a backup is taken")
        self._world.take_backup()

    def _restore(self) -> None:
        self._world.restore(self._world.rng.choice((0, 0, 1_000_000)))

    # The oracle

    async def _check(self, observer: Observer) -> None:
        world = self._world
        readers = [("the observer's", observer.listers)]
        for process in world.replicas:
            if process.failure is not None:
                self._violations.append(f"operator {process.name} ended: {process.failure!r}")
            readers.append((f"operator {process.name}'s", process.listers))
        for whose, listers in readers:
            for kind, lister in listers.items():
                await self._check_lister(f"{whose} cache of {kind}", kind, lister)
        owners = await world.owners()
        children = await world.children()
        for owner in owners:
            self._check_owner(owner, [c for c in children if owned_by(c) == owner["metadata"]["uid"]])
        if not world.ledger.restored:
            self._violations += [f"C9: {fault}" for fault in dict.fromkeys(world.overfull)]
            self._check_deleted({owner["metadata"]["uid"] for owner in owners})

    async def _check_lister(self, name: str, kind: str, lister: Lister[Any]) -> None:
        if not lister.status.live:
            self._violations.append(f"C1: {name} is not live: {lister.status}")
        there = {o["metadata"]["name"]: dict(o) for o in await self._world.users.list(kind, namespace=NAMESPACE)}
        kept = {o["metadata"]["name"]: dict(o) for o in lister.list(namespace=NAMESPACE)}
        for key in sorted(there.keys() | kept.keys()):
            ours, theirs = kept.get(key), there.get(key)
            if ours != theirs:
                self._violations.append(f"C1: {name}: {key} is {_shown(ours)}, on the server {_shown(theirs)}")

    def _check_owner(self, owner: Unstructured, children: list[Unstructured]) -> None:
        ledger = self._world.ledger
        meta, data = owner["metadata"], owner["data"]
        key, text, wanted = f"{meta['namespace']}/{meta['name']}", data["text"], int(data["children"])
        if meta.get("deletionTimestamp"):
            self._violations.append(f"R4: {key} is still held by {meta.get('finalizers')}")
            return
        if ledger.seen.get(key) != (meta["uid"], text):
            self._violations.append(f"R1: {key} was last reconciled with {ledger.seen.get(key)}, it has {text}")
        texts = [(child["metadata"].get("annotations") or {}).get("text") for child in children]
        if data["names"] == "fixed" and any(found != text for found in texts):
            self._violations.append(f"R1: the children of {key} have {texts}, not {text}")
        if len(children) != wanted:
            self._violations.append(f"R1: {key} wants {wanted} children and has {len(children)}")
        if (meta.get("annotations") or {}).get("seen") != text:
            self._violations.append(f"R1: {key} has not been marked as seen with {text}")

    def _check_deleted(self, present: set[str]) -> None:
        """Each owner that a process had reconciled and that is gone: ``deleted`` once, and a cleanup before."""
        for process in self._world.processes:
            for uid in dict.fromkeys(process.deleted):
                if uid is None:
                    self._violations.append("R4: `deleted` was called without a last state")
                elif process.deleted.count(uid) > 1:
                    self._violations.append(f"R4: `deleted` was called {process.deleted.count(uid)} times for {uid}")
                elif uid in present:
                    self._violations.append(f"R4: `deleted` was called for {uid}, which exists")
            for uid in dict.fromkeys(process.cleaned):
                if process.cleaned.count(uid) > 1:
                    self._violations.append(f"R4: the cleanup of {uid} succeeded {process.cleaned.count(uid)} times")
        for uid, key in [pair for process in self._world.replicas for pair in process.reconciled.items()]:
            if uid in present:
                continue
            # With two replicas it may have been deleted while neither led.
            if len(self._world.replicas) == 1 and uid not in self._world.replicas[0].deleted:
                self._violations.append(f"R4: `deleted` was never called for {key} ({uid})")
            if self._world.program.finalizer and uid not in self._world.ledger.cleaned:
                self._violations.append(f"R4: {key} ({uid}) was removed without its cleanup")

    async def _check_end(self, observer: Observer) -> None:
        self._violations += self._world.ledger.violations
        self._violations += observer.violations
        for _ in range(20):
            await asyncio.sleep(0.1)
        left = [task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        if left:
            self._violations.append(f"L3: tasks are left: {sorted(left)}")
        if open_watches := sum(network.open_watches for network in self._world.networks):
            self._violations.append(f"L3: {open_watches} watches are left open")


def _shown(obj: dict[str, Any] | None) -> str:
    return (
        "absent" if obj is None else f"at version {obj['metadata']['resourceVersion']} of {obj['metadata']['uid'][:8]}"
    )
