"""The simulated world: a server and its users, the network in front of it, and the operator behind that."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta
from pathlib import Path
from typing import Final

from zestor_controller.apiserver import ApiServer
from zestor_controller.apiserver.auth.authentication import ADMINISTRATOR, TokenAuthenticator
from zestor_controller.client import Client, MemoryTransport, WriteGate
from zestor_controller.errors import AlreadyExists, Conflict
from zestor_controller.http import HttpRequest, HttpResponse
from zestor_controller.manager import LeaderElection
from zestor_controller.objects import MergePatch, Unstructured
from zestor_controller.testing.backup import Backup
from zestor_controller.testing.faults import FaultyNetwork
from zestor_controller.testing.simulation.operator import CHILDREN, OWNER, Ledger, Process, Program, is_owner, owned_by

__all__ = ["NAMESPACE", "World"]

EPOCH_S: Final = 1_767_225_600.0  # 2026-01-01
NAMESPACE: Final = "default"
TOKEN: Final = "simulation"
ELECTION: Final = LeaderElection(
    "operator",
    namespace=NAMESPACE,
    lease_duration=timedelta(seconds=60),
    renew_deadline=timedelta(seconds=40),
    retry_period=timedelta(seconds=10),
)
NAMES: Final = ("o0", "o1", "o2", "o3")


class World:
    """Everything that a run consists of.

    Args:
        seed: what the run is a function of.
        checkpoints: a folder for checkpoints, if this seed has any.

    Attributes:
        rng: decides what users and the network do.
        trace: one line for each thing that happened, with the virtual time in seconds.
        ledger: what the processes did, and whether a backup was restored: then what was acknowledged before may be lost
            or come back.
        most: the largest number of children that each owner (by uid) has ever requested.
        overfull: owners that had more children than they ever requested.
        networks: the way of each replica to the server, the first one also of the observer.
        processes: every life of every replica.
        replicas: the present life of each replica.
    """

    def __init__(self, seed: int, checkpoints: Path) -> None:
        self.seed = seed
        self.trace: list[str] = []
        self.most: dict[str, int] = {}
        self.overfull: list[str] = []
        self.rng = random.Random(f"world {seed}")
        self.api = ApiServer(self._authenticator(), rng=random.Random(f"server {seed}"), wall=self._wall)
        self.users = self.client_of(self)
        self.backup: Backup | None = None
        self._texts = 0
        replicas = self.rng.choice((1, 1, 1, 2))
        self.program = Program(
            child=self.rng.choice(list(CHILDREN)),
            finalizer=self.rng.random() < 0.5,
            concurrency=self.rng.choice((1, 1, 4)),
            election=ELECTION if replicas > 1 else None,
            # Two processes cannot share a folder.
            checkpoints=checkpoints if replicas == 1 and self.rng.random() < 0.5 else None,
        )
        self.ledger = Ledger(self.note, self.present)
        self.networks = [FaultyNetwork(self.api) for _ in range(replicas)]
        self.processes: list[Process] = []
        self.replicas: list[Process] = []

    @staticmethod
    def _authenticator() -> TokenAuthenticator:
        return TokenAuthenticator({TOKEN: ADMINISTRATOR})

    @staticmethod
    def _wall() -> float:
        try:
            return EPOCH_S + asyncio.get_running_loop().time()
        except RuntimeError:  # the server makes its first objects before the loop runs
            return EPOCH_S

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """The server as its users reach it: no fault is between."""
        return await self.api.handle(request)

    @staticmethod
    def client_of(handler: FaultyNetwork | World, gate: WriteGate | None = None) -> Client:
        """A client with an administrator's rights."""
        return Client(MemoryTransport(handler, {"Authorization": f"Bearer {TOKEN}"}, gate=gate))

    def note(self, text: str) -> None:
        """Add a line to the trace."""
        self.trace.append(f"{asyncio.get_running_loop().time():11.3f}  {text}")

    # The operator

    def start(self) -> None:
        """Start every replica of the operator."""
        self.replicas = [self._started(number) for number in range(len(self.networks))]

    def _started(self, number: int) -> Process:
        name = f"r{number}.{len(self.processes)}"
        self.note(f"operator {name} starts")
        rng = random.Random(f"operator {self.seed} {len(self.processes)}")
        process = Process(name, rng, self.program, self.ledger)
        self.processes.append(process)
        process.start(lambda gate: self.client_of(self.networks[number], gate))
        return process

    async def restart(self, kill: bool) -> None:
        """End one replica and start it again."""
        number = self.rng.randrange(len(self.replicas))
        process = self.replicas[number]
        if self.ledger.restored and self.program.checkpoints is not None and not process.noticed_restore:
            return  # no version identifies a checkpoint of before a restore once the server has passed it again
        self.note(f"operator {process.name} is {'killed' if kill else 'stopped'}")
        await (process.kill() if kill else process.stop())
        self.replicas[number] = self._started(number)

    # The server

    def take_backup(self) -> None:
        """Keep the server's present state; :meth:`restore` goes back to it."""
        self.backup = Backup.of(self.api)

    def restore(self, bump: int) -> None:
        """Put the server back to the last backup."""
        if self.backup is None:
            return
        self.note(f"the server is restored to version {self.backup.revision}, versions go on from +{bump}")
        rng = random.Random(f"server {self.seed} {self.api.storage.revision}")
        for table in self.api.storage.tables():
            table.close()
        self.api = self.backup.restore(self._authenticator(), bump=bump, rng=rng, wall=self._wall)
        for network in self.networks:
            network.server = self.api
        self.ledger.restored = True

    def present(self, kind: str) -> dict[str, int]:
        """The server's objects of a kind now, ``namespace/name`` to version."""
        plural = "configmaps" if kind == OWNER else CHILDREN[kind]
        table = self.api.storage.table(("", plural))
        return {one.key: int(one.obj["metadata"]["resourceVersion"]) for one in table.versions()}

    # Users

    async def owners(self) -> list[Unstructured]:
        """The owners, as the server has them."""
        return [one for one in await self.users.list(OWNER, namespace=NAMESPACE) if is_owner(one)]

    async def children(self) -> list[Unstructured]:
        """The children, as the server has them."""
        return list(await self.users.list(self.program.child, namespace=NAMESPACE))

    async def count_children(self) -> None:
        """Note owners that have more children than they ever requested."""
        counts: dict[str, int] = {}
        for child in await self.children():
            counts[owned_by(child)] = counts.get(owned_by(child), 0) + 1
        for uid, count in counts.items():
            if count > self.most.get(uid, count):
                self.overfull.append(f"{uid} has {count} children and never requested more than {self.most[uid]}")

    async def set_owner(self) -> None:
        """Create an owner, or change what it requests."""
        name, wanted = self.rng.choice(NAMES), self.rng.choice((0, 1, 1, 2, 3))
        self._texts += 1
        data = {"children": str(wanted), "text": f"t{self._texts}", "names": self.rng.choice(("generated", "fixed"))}
        found = next((one for one in await self.owners() if one["metadata"]["name"] == name), None)
        if found is None:
            self.note(f"a user creates {name} with {wanted} {data['names']} children, text {data['text']}")
            try:
                made = await self.users.create(OWNER, {"metadata": {"name": name}, "data": data}, namespace=NAMESPACE)
            except AlreadyExists:
                return
            self.most[made["metadata"]["uid"]] = wanted
            return
        if found["metadata"].get("deletionTimestamp"):
            return
        del data["names"]
        self.note(f"a user changes {name} to {wanted} children, text {data['text']}")
        uid = found["metadata"]["uid"]
        self.most[uid] = max(wanted, self.most.get(uid, 0))
        await self.users.patch(OWNER, name, MergePatch({"data": data}), namespace=NAMESPACE)

    async def touch_owner(self) -> None:
        """Change what the operator does not look at."""
        for owner in self._one_of(await self.owners()):
            self.note(f"a user touches {owner['metadata']['name']}")
            self._texts += 1
            patch = MergePatch({"metadata": {"labels": {"touched": f"t{self._texts}"}}})
            await self.users.patch(OWNER, owner["metadata"]["name"], patch, namespace=NAMESPACE)

    async def delete_owner(self) -> None:
        """Delete an owner; its children stay behind, for the simulated cluster collects no garbage."""
        for owner in self._one_of(await self.owners()):
            self.note(f"a user deletes {owner['metadata']['name']}")
            await self.users.delete(OWNER, owner["metadata"]["name"], namespace=NAMESPACE, missing_ok=True)

    async def replace_owner(self) -> None:
        """Delete an owner and create another one of its name at once."""
        for owner in self._one_of(await self.owners()):
            name = owner["metadata"]["name"]
            await self.users.delete(OWNER, name, namespace=NAMESPACE, missing_ok=True)
            self._texts += 1
            data = {**owner["data"], "text": f"t{self._texts}"}
            try:
                made = await self.users.create(OWNER, {"metadata": {"name": name}, "data": data}, namespace=NAMESPACE)
            except (AlreadyExists, Conflict):
                continue  # the finalizer holds the old one
            self.note(f"a user replaces {name}")
            self.most[made["metadata"]["uid"]] = int(data["children"])

    async def delete_child(self) -> None:
        """Another client deletes a child."""
        for child in self._one_of(await self.children()):
            self.note(f"a user deletes the child {child['metadata']['name']}")
            await self.users.delete(self.program.child, child["metadata"]["name"], namespace=NAMESPACE, missing_ok=True)

    async def change_child(self) -> None:
        """Another client changes a child."""
        for child in self._one_of(await self.children()):
            self.note(f"a user changes the child {child['metadata']['name']}")
            patch = MergePatch({"metadata": {"annotations": {"text": "changed"}}})
            await self.users.patch(self.program.child, child["metadata"]["name"], patch, namespace=NAMESPACE)

    def _one_of(self, objects: list[Unstructured]) -> list[Unstructured]:
        return [self.rng.choice(objects)] if objects else []
