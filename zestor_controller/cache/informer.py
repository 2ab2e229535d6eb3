"""An informer: one kind of one server, kept in a kind of a store by one reflector for each watched namespace.

Invariant: the reflectors of an informer write disjoint parts of its kind, and a part ends only with the informer: a
reflector that dies of a defect is started again with backoff, and says so (C7).
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from zestor_controller.backoff import Backoff
from zestor_controller.cache.checkpoint import NEVER, Checkpoint
from zestor_controller.cache.decode import Record, RecordCodec, decode_object
from zestor_controller.cache.lister import Lister
from zestor_controller.cache.overlay import Overlay
from zestor_controller.cache.reflector import Reflector, Timing
from zestor_controller.cache.status import InformerState, InformerStatus
from zestor_controller.cache.writing import decode_deleted
from zestor_controller.client import Client
from zestor_controller.metrics import Metrics
from zestor_controller.objects import Kind
from zestor_controller.store import EncodedKind, MemoryStore, Overflow, StoreKind

__all__ = ["Informer"]

T = TypeVar("T")

_log = logging.getLogger(__name__)

MANY_WRITES: Final = 1000


class Informer(Generic[T]):
    """Keeps one kind true.

    Args:
        client: where to read.
        kind: what to read.
        store: where to keep it.
        name: the kind's name in the store.
        namespaces: which namespaces; None for all.
        selector: query parameters that narrow every stream.
        indexes: named index functions.
        metrics: where to count.
        timing: the reflectors' clocks.
        rng: jitter.
        metadata_only: read metadata and nothing else.
        compact: keep objects compressed.
        checkpoints: a folder to begin from and to write to; Secrets never are.
    """

    def __init__(
        self,
        client: Client,
        kind: Kind[T],
        store: MemoryStore,
        name: str,
        *,
        namespaces: Sequence[str] | None,
        selector: Mapping[str, str],
        indexes: Mapping[str, Callable[[T], Iterable[Hashable]]] | None,
        metrics: Metrics,
        timing: Timing,
        rng: random.Random,
        metadata_only: bool = False,
        compact: bool = False,
        checkpoints: Path | None = None,
    ) -> None:
        self.kind = kind
        self._stored: StoreKind[T] = store.kind(name, codec=RecordCodec(kind), indexes=indexes, synced=False)
        target: EncodedKind[Record] = self._stored.encoded
        self._target = target
        self._rng = rng
        clock = asyncio.get_running_loop().time
        if kind.plural in NEVER and not kind.group:
            checkpoints = None
        stream = (client.transport.server if checkpoints is not None else "", name)
        scopes: list[str | None] = list(dict.fromkeys(namespaces)) if namespaces and kind.namespaced else [None]
        self._reflectors = [
            Reflector(
                client,
                kind,
                target,
                InformerStatus(kind.store_name, clock),
                metrics,
                namespace=scope,
                selector=dict(selector),
                timing=timing,
                rng=rng,
                alone=len(scopes) == 1,
                metadata_only=metadata_only,
                compact=compact,
                checkpoint=Checkpoint(checkpoints, (*stream, scope or "")) if checkpoints is not None else None,
            )
            for scope in scopes
        ]
        # A selector may leave a written object out, and metadata alone is another object: only the watch can tell.
        self._overlaid = not selector and not metadata_only
        self._overlay = Overlay()
        self.lister: Lister[T] = Lister(
            kind, self._stored, lambda: self.status, client.namespace, self._overlay, self._seen
        )

    @property
    def status(self) -> InformerStatus:
        """The status of the reflector that is worst off."""
        return max((reflector.status for reflector in self._reflectors), key=_badness)

    def observe(self, method: str, name: str | None, answer: bytes) -> None:
        """Note a write of this process, to be served until the watch has caught up with it (C9).

        Args:
            method: the HTTP method.
            name: the object's name in the cache, where the request named it.
            answer: the server's answer.
        """
        if not self._overlaid:
            return
        obj = decode_object(answer)
        if obj.kind == self.kind.kind and obj.metadata.name:
            meta = obj.metadata
            name = f"{meta.namespace}/{meta.name}" if meta.namespace else meta.name
            reflector = self._reflector(name)
            if reflector is not None:
                record = Record(meta.uid, reflector.version_of(meta.resourceVersion), answer, False)
                self._overlay.wrote(name, record, self._seen(name))
        elif method == "DELETE" and name is not None:
            uid = decode_deleted(answer).details.uid
            if uid:
                self._overlay.deleted(name, uid, self._target.get(name))
        if len(self._overlay) > MANY_WRITES:
            for one in self._overlay.names():  # nobody reads them: what the watch has brought can go
                self._overlay.look(one, self._target.get(one), self._seen(one))

    def _reflector(self, name: str) -> Reflector[T] | None:
        """Who reads this name; None when no watched namespace holds it."""
        where = name.rpartition("/")[0]
        return next((one for one in self._reflectors if one.namespace in (None, where)), None)

    def _seen(self, name: str) -> int | str:
        """The last version that the stream of this name has brought."""
        reflector = self._reflector(name)
        return reflector.version_of(reflector.status.version) if reflector is not None else ""

    async def wait_synced(self) -> None:
        """Return once every part has been listed."""
        for reflector in self._reflectors:
            await reflector.status.wait_synced()

    async def run(self) -> None:
        """Reflect until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for reflector in self._reflectors:
                name = f"reflector {self.kind.store_name} {reflector.namespace or ''}".strip()
                tasks.create_task(self._supervise(reflector), name=name)
            if len(self._reflectors) > 1:
                await self.wait_synced()
                self._target.mark_synced()

    async def save(self) -> None:
        """Write the checkpoints of what is live."""
        for reflector in self._reflectors:
            await reflector.save()

    @property
    def bytes(self) -> int:
        """How many encoded bytes are kept."""
        return sum(len(record.raw) for _, record in self._target.items())

    def lost(self) -> dict[Overflow, int]:
        """How many events the watches of the lister have dropped or folded so far, by policy."""
        return self._target.lost()

    async def _supervise(self, reflector: Reflector[T]) -> None:
        backoff = Backoff(rng=self._rng, clock=asyncio.get_running_loop().time)
        while True:
            try:
                await reflector.run()
            except Exception as error:  # a defect of ours or of a backend: one kind's trouble is its own (C6)
                _log.exception("%s: the reflector failed and is started again", self.kind.store_name)
                reflector.status.become(InformerState.FAILED, f"{type(error).__name__}: {error}")
                await asyncio.sleep(backoff.next())


def _badness(status: InformerStatus) -> tuple[bool, bool, Any]:
    return (not status.synced, status.state is not InformerState.LIVE, -status.since)
