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
from typing import Final, Generic, TypeVar

from zestor_controller.backoff import Backoff
from zestor_controller.cache.checkpoint import NEVER, Checkpoint
from zestor_controller.cache.lister import Lister
from zestor_controller.cache.overlay import decode_written
from zestor_controller.cache.record import Record, RecordCodec
from zestor_controller.cache.reflector import Reflector, Timing
from zestor_controller.cache.status import InformerState, InformerStatus
from zestor_controller.client import Client
from zestor_controller.errors import StoreClosed
from zestor_controller.metrics import Metrics
from zestor_controller.objects import Kind
from zestor_controller.store import EncodedKind, MemoryStore, Overflow, StoreKind

__all__ = ["Informer"]

T = TypeVar("T")

_log = logging.getLogger(__name__)

SHOWN: Final = 3  # refused objects that a status names


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

    Attributes:
        rank: how much is left out; the lister of a kind is that of the informer with the least.
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
        self._codec = RecordCodec(kind)
        self._stored: StoreKind[T] = store.kind(name, codec=self._codec, indexes=indexes, synced=False)
        target: EncodedKind[Record] = self._stored.encoded
        self._target = target
        self._rng = rng
        clock = asyncio.get_running_loop().time
        if kind.plural in NEVER and not kind.group:
            checkpoints = None
        stream = (client.transport.server if checkpoints is not None else "", name)
        scopes: list[str | None] = list(dict.fromkeys(namespaces)) if namespaces and kind.namespaced else [None]
        self._reflectors: dict[str | None, Reflector[T]] = {
            scope: Reflector(
                client,
                kind,
                target,
                InformerStatus(kind.store_name, clock, self._content, scope),
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
        }
        self.rank = (metadata_only, len(selector))
        # A selector may leave a written object out, and metadata alone is another object: only the watch can tell.
        self._overlaid = not selector and not metadata_only
        self.lister: Lister[T] = Lister(
            kind, self._stored, lambda: self.status, client.namespace, self._codec, self.wait_current
        )

    @property
    def status(self) -> InformerStatus:
        """The status of the reflector that is worst off."""
        return max((reflector.status for reflector in self._reflectors.values()), key=badness)

    def observe(self, method: str, name: str | None, answer: bytes) -> None:
        """Take in a write of this process, so that readers see it before the watch brings it (C9).

        Args:
            method: the HTTP method.
            name: the object's name in the cache, where the request named it.
            answer: the server's response: the object, a Status, or what a deletion of many has found.
        """
        if not self._overlaid:
            return
        written = decode_written(answer)
        if written.kind == self.kind.kind and written.metadata.name:
            self._observe_object(method, answer)
        elif method != "DELETE":
            return
        elif name is None:
            if self.kind.plural == "pods" and not self.kind.group:
                return  # they have a grace period, of which the response says nothing
            for item in written.items or ():
                if not decode_written(item).metadata.finalizers:
                    self._observe_object("DELETE", bytes(item))
        elif written.details is not None and written.details.uid:
            reflector = self._reflector(name)
            if reflector is not None:
                reflector.overlay.removed(name, written.details.uid, None, reflector.seen)

    def _observe_object(self, method: str, body: bytes) -> None:
        written = decode_written(body)
        meta = written.metadata
        name = f"{meta.namespace}/{meta.name}" if meta.namespace else meta.name
        reflector = self._reflector(name)
        if reflector is None or not reflector.taking:
            return
        record = reflector.record(meta.uid, meta.resourceVersion, body)
        if written.gone(method):
            reflector.overlay.removed(name, meta.uid, record, reflector.seen)
        else:
            reflector.overlay.wrote(name, record, reflector.seen)

    def _reflector(self, name: str) -> Reflector[T] | None:
        """Who reads this name; None when no watched namespace holds it."""
        return self._reflectors.get(None) or self._reflectors.get(name.rpartition("/")[0])

    def pending(self) -> int:
        """How many writes of this process the streams have not brought yet."""
        return sum(len(reflector.overlay) for reflector in self._reflectors.values())

    async def wait_current(self) -> None:
        """Return once every part holds what the server had acknowledged at this moment (C11)."""
        async with asyncio.TaskGroup() as tasks:
            for reflector in self._reflectors.values():
                tasks.create_task(reflector.wait_current())

    def lost(self) -> dict[Overflow, int]:
        """How many events the watches of readers have dropped or folded, or how many closed, so far."""
        return self._target.lost()

    def refused(self) -> list[str]:
        """The names of the cached objects that their model refused when they were read (C10)."""
        found = self._codec.refused
        for name, record in list(found.items()):
            held = self._target.get(name)
            if held is None or not self._codec.same(held, record):
                found.pop(name, None)  # it was changed, or deleted
        return sorted(found)

    def _content(self) -> str:
        """What is cached now, in words."""
        try:
            count, refused = self._target.count(), self.refused()
        except StoreClosed:
            return "the cache is closed"
        text = f"{count} object{'' if count == 1 else 's'} cached"
        if refused:
            more = f" and {len(refused) - SHOWN} more" if len(refused) > SHOWN else ""
            text += f", of which the model refuses {len(refused)}: {', '.join(refused[:SHOWN])}{more}"
        return text

    async def wait_synced(self) -> None:
        """Return once every part has been listed."""
        for reflector in self._reflectors.values():
            await reflector.status.wait_synced()

    async def run(self) -> None:
        """Reflect until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for reflector in self._reflectors.values():
                name = f"reflector {self.kind.store_name} {reflector.namespace or ''}".strip()
                tasks.create_task(self._supervise(reflector), name=name)
            if len(self._reflectors) > 1:
                await self.wait_synced()
                self._target.mark_synced()

    async def save(self) -> None:
        """Write the checkpoints of what is live."""
        for reflector in self._reflectors.values():
            await reflector.save()

    @property
    def bytes(self) -> int:
        """How many encoded bytes are kept."""
        return sum(len(record.raw) for _, record in self._target.items())

    async def _supervise(self, reflector: Reflector[T]) -> None:
        backoff = Backoff(rng=self._rng, clock=asyncio.get_running_loop().time)
        while True:
            try:
                await reflector.run()
            except Exception as error:  # a defect of ours or of a backend: one kind's trouble is its own (C6)
                _log.exception("%s: the reflector failed and is started again", self.kind.store_name)
                reflector.status.become(InformerState.FAILED, f"{type(error).__name__}: {error}")
                await asyncio.sleep(backoff.next())


def badness(status: InformerStatus) -> tuple[bool, bool, bool, float]:
    """An order of statuses: the worst is the greatest."""
    return (not status.synced, status.state is not InformerState.LIVE, status.no_namespace, -status.since)
