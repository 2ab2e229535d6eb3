"""The simulated operator: children owned by ConfigMaps, and a record of everything its functions were called with.

It is an ordinary operator: level-triggered, stateless, reads from the cache, writes through ``ctx``. What it records
serves the oracle; its functions never read it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from zestor_controller.cache import Lister
from zestor_controller.client import Client, WriteGate
from zestor_controller.controller import Context, Controller, Request
from zestor_controller.errors import NotFound
from zestor_controller.manager import LeaderElection, Manager
from zestor_controller.objects import MergePatch, Unstructured, controller_reference, kind_of

__all__ = ["CHILDREN", "FINALIZER", "OWNER", "Ledger", "Process", "Program", "is_owner", "owned_by"]

OWNER: Final = "v1/ConfigMap"
# The server returns a Status when it deletes a Secret, and the object when it deletes a ServiceAccount.
CHILDREN: Final = {"v1/Secret": "secrets", "v1/ServiceAccount": "serviceaccounts"}
FINALIZER: Final = "simulation.zestor.dev/cleanup"
PAUSES: Final = (0.0, 0.0, 0.001, 0.05, 1.5)


def is_owner(obj: Unstructured) -> bool:
    """Whether a ConfigMap is one of the simulation's owners; the cluster has others."""
    return "children" in (obj.get("data") or {})


def owned_by(child: Unstructured) -> str:
    """The uid of the owner of a child; empty when it has none."""
    references = child["metadata"].get("ownerReferences") or []
    return str(references[0]["uid"]) if references else ""


@dataclass(frozen=True, slots=True)
class Program:
    """What every process of a run has in common: it is one operator.

    Attributes:
        child: the kind of the objects that it makes.
        finalizer: it holds its objects by a finalizer.
        concurrency: how many objects it reconciles at once.
        election: how its replicas agree on a leader; None when there is one only.
        checkpoints: a folder for its caches' checkpoints; None for none.
    """

    child: str
    finalizer: bool
    concurrency: int
    election: LeaderElection | None
    checkpoints: Path | None


@dataclass(slots=True)
class Ledger:
    """What all processes of a run did, for the oracle.

    Attributes:
        seen: the uid and text that the last completed reconcile of each key was called with.
        running: the keys that are being reconciled.
        cleaned: every uid whose cleanup has succeeded.
        violations: what must never happen, noticed while it ran.
        note: adds a line to the trace.
        present: the server's objects of a kind now: ``namespace/name`` to version.
        restored: the server was restored; until a cache notices, its versions say nothing about the server's.
    """

    note: Callable[[str], None]
    present: Callable[[str], dict[str, int]]
    seen: dict[str, tuple[str, str]] = field(default_factory=dict)
    running: list[str] = field(default_factory=list)
    cleaned: set[str] = field(default_factory=set)
    violations: list[str] = field(default_factory=list)
    restored: bool = False

    def check_current(self, whose: str, lister: Lister[Any], before: Mapping[str, int], kind: str) -> None:
        """A cache that says it is in sync has what the server had when it was read (C11)."""
        now = self.present(kind)
        for name, version in before.items():
            namespace, _, rest = name.rpartition("/")
            found = lister.get(rest, namespace=namespace) if namespace == "default" else None
            behind = found is None or int(found["metadata"]["resourceVersion"]) < version
            if namespace == "default" and name in now and behind and not self.restored:
                self.violations.append(f"C11: {whose} is in sync without {name} at version {version}")


@dataclass(slots=True)
class Process:
    """One life of the operator, from a start to a stop.

    Attributes:
        name: for the trace.
        reconciled: the key of every uid that a reconcile was called with.
        deleted: the uid that each call of the ``deleted`` function was given, None where it was given none.
        cleaned: every uid whose cleanup succeeded, once for each success.
        listers: what the operator reads from.
    """

    name: str
    rng: random.Random
    program: Program
    ledger: Ledger
    reconciled: dict[str, str] = field(default_factory=dict)
    deleted: list[str | None] = field(default_factory=list)
    cleaned: list[str] = field(default_factory=list)
    listers: dict[str, Lister[Any]] = field(default_factory=dict)
    _before: dict[str, dict[str, int]] = field(default_factory=dict)
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _task: asyncio.Task[None] | None = None

    def start(self, connect: Callable[[WriteGate], Client]) -> None:
        """Serve until :meth:`stop` or :meth:`kill`.

        Args:
            connect: a client whose transport asks the given gate before it writes.
        """
        program = self.program
        self._before = {kind: self.ledger.present(kind) for kind in (OWNER, program.child)}
        manager = Manager(
            self._controller(),
            leader_election=program.election,
            checkpoints=program.checkpoints,
            rng=self.rng,
        )
        serving = manager.serve(self._stop, client=connect(manager.gate))
        self._task = asyncio.get_running_loop().create_task(serving, name=f"operator {self.name}")

    async def stop(self) -> None:
        """Stop in order."""
        assert self._task is not None  # started
        self._stop.set()
        await self._task

    async def kill(self) -> None:
        """End at once, whatever runs."""
        assert self._task is not None  # started
        self._task.cancel()
        await asyncio.wait({self._task})

    @property
    def failure(self) -> BaseException | None:
        """What ended the operator, if it was not stopped."""
        task = self._task
        return task.exception() if task is not None and task.done() and not task.cancelled() else None

    @property
    def noticed_restore(self) -> bool:
        """Every cache has found out that the server was restored."""
        return bool(self.listers) and all(lister.status.restores for lister in self.listers.values())

    def _controller(self) -> Controller[Unstructured]:
        controller = Controller(OWNER, name="simulated", concurrency=self.program.concurrency).owns(self.program.child)
        controller.reconciler(self._reconcile)
        controller.deleted(self._deleted)
        if self.program.finalizer:
            controller.finalizer(FINALIZER)(self._cleanup)
        return controller

    async def _pause(self) -> None:
        await asyncio.sleep(self.rng.choice(PAUSES))

    async def _reconcile(self, owner: Unstructured, ctx: Context) -> None:
        if not is_owner(owner):
            return
        key, uid = str(ctx.request), owner["metadata"]["uid"]
        self._enter(key)
        try:
            self._look(ctx)
            self.reconciled[uid] = key
            await self._pause()
            await self._children(owner, ctx)
            await self._pause()
            text = owner["data"]["text"]
            if (owner["metadata"].get("annotations") or {}).get("seen") != text:
                patch = MergePatch({"metadata": {"annotations": {"seen": text}}})
                await ctx.client.patch(OWNER, ctx.request.name, patch, namespace=ctx.request.namespace)
            self.ledger.seen[key] = uid, text
        finally:
            self.ledger.running.remove(key)

    def _look(self, ctx: Context) -> None:
        """Remember the caches; the first reconcile of all is one that reads from them for the first time."""
        first = not self.listers
        self.listers.update({kind: ctx.lister(kind) for kind in (OWNER, self.program.child)})
        if first:
            for kind, lister in self.listers.items():
                self.ledger.check_current(f"operator {self.name}'s {kind}", lister, self._before[kind], kind)

    async def _children(self, owner: Unstructured, ctx: Context) -> None:
        meta, data, kind = owner["metadata"], owner["data"], self.program.child
        wanted, uid = int(data["children"]), meta["uid"]
        mine = sorted(c["metadata"]["name"] for c in ctx.list(kind) if owned_by(c) == uid)
        self.ledger.note(f"  {self.name}: {ctx.request} wants {wanted}, sees {len(mine)} ({', '.join(ctx.causes)})")
        if data["names"] == "generated":
            for name in mine[wanted:]:
                await self._delete(name, ctx)
            reference = controller_reference(kind_of(OWNER), meta["name"], uid)
            body: dict[str, Any] = {"metadata": {"generateName": f"{meta['name']}-", "ownerReferences": [reference]}}
            for _ in range(wanted - len(mine)):
                made = await ctx.client.create(kind, body, namespace=meta["namespace"])
                if ctx.get(kind, made.metadata.name) is None and not self.ledger.restored:
                    self.ledger.violations.append(f"C9: the own child {made.metadata.name} is not to be seen")
            return
        names = [f"{meta['name']}-{uid[:8]}-{number}" for number in range(wanted)]
        for name in mine:
            if name not in names:
                await self._delete(name, ctx)
        for name in names:
            metadata = {"name": name, "annotations": {"text": data["text"]}}
            await ctx.apply({"apiVersion": "v1", "kind": kind.removeprefix("v1/"), "metadata": metadata})

    async def _delete(self, name: str, ctx: Context) -> None:
        kind = self.program.child
        before = ctx.get(kind, name)
        try:
            await ctx.client.delete(kind, name, namespace=ctx.request.namespace)
        except NotFound:
            return  # another client was quicker, and the watch has not said so yet
        after = ctx.get(kind, name)
        if self.ledger.restored or before is None or after is None:
            return
        if before.metadata.uid == after.metadata.uid:
            self.ledger.violations.append(f"C9: the child {name}, which was deleted here, is still to be seen")

    async def _cleanup(self, owner: Unstructured, ctx: Context) -> None:
        key = str(ctx.request)
        self._enter(key)
        try:
            await self._pause()
            self.cleaned.append(owner["metadata"]["uid"])
            self.ledger.cleaned.add(owner["metadata"]["uid"])
        finally:
            self.ledger.running.remove(key)

    async def _deleted(self, request: Request, last: Unstructured | None, ctx: Context) -> None:
        if last is None or is_owner(last):
            self.ledger.note(f"  {self.name}: deleted {request}")
            self.deleted.append(last["metadata"]["uid"] if last is not None else None)

    def _enter(self, key: str) -> None:
        if key in self.ledger.running:
            self.ledger.violations.append(f"Q1: {key} is reconciled twice at once")
        self.ledger.running.append(key)
