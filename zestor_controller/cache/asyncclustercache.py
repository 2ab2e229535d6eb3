"""The cluster cache on an event loop: adds kinds, finds listers, and a client whose writes readers see at once.

Invariant: a kind is cached only because a caller added it; reading another one is an error, never a new watch.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, Generic, TypedDict, TypeVar, Unpack, cast, overload

import msgspec

from zestor_controller.cache.informer import Informer
from zestor_controller.cache.informeroptions import CacheSettings, InformerOptions
from zestor_controller.cache.informerseries import InformerSeries
from zestor_controller.cache.lister import Lister
from zestor_controller.cache.overlaytransport import OverlayTransport
from zestor_controller.cache.timing import Timing
from zestor_controller.client import Client
from zestor_controller.errors import ConfigError, TransportError
from zestor_controller.metrics import Metrics
from zestor_controller.objects import Kind, KindRef, KindT, Unstructured, kind_of
from zestor_controller.objects.namespaces import checked_namespaces
from zestor_controller.store import MemoryStore

__all__ = ["SYNC_TIMEOUT", "AsyncClusterCache", "CacheOptions"]

T = TypeVar("T")

SYNC_TIMEOUT: Final = timedelta(seconds=120)
CHECKPOINT_S: Final = 60.0


class CacheOptions(TypedDict, Generic[T], total=False):
    """How a kind is cached; the same kind with other options is cached beside."""

    namespaces: Sequence[str] | None
    """Which namespaces; the cache's own unless given."""
    labels: str | Mapping[str, str] | None
    """A label selector that narrows what the server sends."""
    fields: str | None
    """A field selector that narrows what the server sends."""
    indexes: Mapping[str, Callable[[T], Iterable[Hashable]]] | None
    """Named functions from an object to its keys."""
    compact: bool
    """Keep objects compressed: less memory, for more time at each event and each read."""
    metadata_only: bool
    """Read metadata and nothing else; the lister then holds unstructured objects without a spec."""


class AsyncClusterCache:
    """Caches kinds of one cluster, on the loop that entered it; made by ``async with ClusterCache(...)``.

    Args:
        client: an open client; None for one that entering connects.
        namespaces: what kinds are watched in by default; None for all.
        metrics: where to count; a registry of its own unless given.
        timing: the reflectors' clocks.
        rng: jitter; a simulation passes its seeded one.
        checkpoints: a folder that keeps what is cached, see :class:`ClusterCache`.
    """

    def __init__(
        self,
        client: Client | None,
        *,
        namespaces: tuple[str, ...] | None,
        metrics: Metrics | None,
        timing: Timing | None,
        rng: random.Random | None,
        checkpoints: Path | None,
    ) -> None:
        self._client = client
        self._namespaces = namespaces
        self.metrics = metrics if metrics is not None else Metrics()
        self._settings = CacheSettings(
            metrics=self.metrics,
            timing=timing if timing is not None else Timing(),
            rng=rng if rng is not None else random.Random(),
            checkpoints=checkpoints,
        )
        self._observed: Client | None = None
        self._store = MemoryStore()
        self._informers: dict[tuple[Hashable, ...], Informer[Any]] = {}
        self._by_kind: dict[tuple[str, str], list[Informer[Any]]] = {}
        self._series = InformerSeries(self.metrics)
        self._tasks: asyncio.TaskGroup | None = None
        self._running: list[asyncio.Task[None]] = []
        self._saving: asyncio.Task[None] | None = None

    # Lifecycle

    async def start(self) -> None:
        """Accept kinds from now on."""
        self._tasks = asyncio.TaskGroup()
        await self._tasks.__aenter__()
        if self._settings.checkpoints is not None:
            self._saving = self._tasks.create_task(self._save(), name="checkpoints")

    async def stop(self) -> None:
        """End every watch; checkpoints are written last."""
        if self._saving is not None:
            self._saving.cancel()
            await asyncio.wait({self._saving})  # it may be writing what is written anew below
        for informer in self.informers():
            await informer.save()
        for task in self._running:
            task.cancel()
        try:
            if self._tasks is not None:
                await self._tasks.__aexit__(None, None, None)
        finally:
            self._store.close()

    async def _save(self) -> None:
        """Write checkpoints now and then, for a process that is killed."""
        while True:
            await asyncio.sleep(CHECKPOINT_S)
            for informer in self.informers():
                await informer.save()

    # Kinds

    # Two signatures: the parameter of an index's lambda is typed before a text's default type is known.
    @overload
    async def add(
        self, kind: str, *, timeout: timedelta = SYNC_TIMEOUT, **options: Unpack[CacheOptions[Unstructured]]
    ) -> Lister[Unstructured]: ...
    @overload
    async def add(
        self, kind: type[T] | Kind[T], *, timeout: timedelta = SYNC_TIMEOUT, **options: Unpack[CacheOptions[T]]
    ) -> Lister[T]: ...
    async def add(
        self, kind: Any, *, timeout: timedelta = SYNC_TIMEOUT, **options: Unpack[CacheOptions[Any]]
    ) -> object:
        """Cache a kind and wait until it is in sync.

        Args:
            kind: a class or ``group/version/Kind``.
            timeout: how long to wait for the first list.
            options: see :class:`CacheOptions`.

        Raises:
            ConfigError: neither this package nor the server knows the kind, or `namespaces` is no list of names.
            TransportError: it was not in sync in time; the message says why. The kind goes on trying.
        """
        known: Kind[Any] = self._kind_of(kind) if self._client is None else await self._client.resolve(kind)
        if options.get("metadata_only"):
            known = self._kind_of(str(known))  # its objects have no spec, which a model may require
        informer = self.informer(known, **options)
        try:
            async with asyncio.timeout(timeout.total_seconds()):
                await informer.wait_synced()
        except TimeoutError:
            raise TransportError(f"{informer.status} (waited {timeout.total_seconds():g} s)") from None
        return informer.lister

    def _kind_of(self, kind: KindRef[KindT]) -> Kind[KindT]:
        return kind_of(kind) if self._client is None else self._client.kinds.of(kind)

    def informer(
        self,
        kind: Kind[T],
        *,
        namespaces: Sequence[str] | None = None,
        labels: str | Mapping[str, str] | None = None,
        fields: str | None = None,
        indexes: Mapping[str, Callable[[T], Iterable[Hashable]]] | None = None,
        compact: bool = False,
        metadata_only: bool = False,
    ) -> Informer[T]:
        """The informer of a kind and a selection; started by the first call, shared by later ones.

        Raises:
            ConfigError: the cache has not been entered.
        """
        if self._tasks is None or self._client is None:
            raise ConfigError("the cache is not running: use it in `async with ClusterCache(...) as cache`")
        given = checked_namespaces(namespaces, where=f"namespaces of {kind.store_name}")
        where = given or self._namespaces or ()
        selector = {}
        if labels:
            text = labels if isinstance(labels, str) else ",".join(f"{k}={v}" for k, v in sorted(labels.items()))
            selector["labelSelector"] = text
        if fields:
            selector["fieldSelector"] = fields
        key: tuple[Hashable, ...] = (
            kind.api_version,
            kind.kind,
            cast("Hashable", kind.model),
            where,
            tuple(sorted(selector.items())),
            metadata_only,
            compact,
        )
        known = self._informers.get(key)
        if known is not None:
            for name, function in (indexes or {}).items():
                known.lister.add_index(name, function)
            return known
        name = "|".join([kind.store_name, kind.version, kind.model.__qualname__, *where, *selector.values()])
        name += "|metadata" * metadata_only + "|compact" * compact
        informer: Informer[T] = Informer(
            self._client,
            kind,
            self._store,
            name,
            InformerOptions(
                namespaces=where or None,
                selector=selector,
                indexes=indexes,
                metadata_only=metadata_only,
                compact=compact,
            ),
            self._settings,
        )
        self._informers[key] = informer
        self._by_kind.setdefault((kind.api_version, kind.kind), []).append(informer)
        self._running.append(self._tasks.create_task(informer.run(), name=f"informer {kind.store_name}"))
        return informer

    def lister(self, kind: KindRef[KindT]) -> Lister[KindT]:
        """The lister of a kind that has been added, preferring the one without a selector.

        Raises:
            ConfigError: it has not been added.
        """
        wanted = self._kind_of(kind)
        found = [one for one in self._of(wanted) if one.kind.model == wanted.model]
        if not found:
            raise ConfigError(
                f"{wanted.store_name} is not cached: add it with cache.add(...), or let a controller own or watch it"
            )
        lister: Lister[KindT] = min(found, key=attrgetter("rank")).lister
        return lister

    def _of(self, kind: Kind[object]) -> list[Informer[Any]]:
        """The informers of a kind, in whatever form and selection."""
        return self._by_kind.get((kind.api_version, kind.kind), [])

    async def wait_current(self, kind: Kind[object]) -> None:
        """Wait until every informer of a kind holds what the server had acknowledged at this moment (C11).

        Raises:
            TimeoutError: see :meth:`Lister.wait_current`.
        """
        await asyncio.gather(*(informer.lister.wait_current() for informer in self._of(kind)))

    @property
    def client(self) -> Client:
        """The client to write with: readers see what it wrote before the watch brings it (C9).

        Raises:
            ConfigError: the cache has not been entered.
        """
        if self._client is None:
            raise ConfigError("the cache is not running: use it in `async with ClusterCache(...) as cache`")
        if self._observed is None:
            self._observed = self._client.through(lambda inner: OverlayTransport(inner, self._wrote))
        return self._observed

    def _wrote(self, kind: Kind[object], method: str, name: str | None, body: bytes) -> None:
        for informer in self._of(kind):
            with suppress(msgspec.DecodeError):  # the write was done; what cannot be read is brought by the watch
                informer.observe(method, name, body)

    def informers(self) -> list[Informer[object]]:
        """Every informer, in the order in which they were added."""
        return list(self._informers.values())

    def refresh_metrics(self) -> None:
        """Set the series that are computed at scrape time."""
        now = asyncio.get_running_loop().time()
        for informers in self._by_kind.values():
            self._series.refresh(informers, now)
