"""A cache of cluster objects, with or without controllers; on a loop, or in a thread of its own.

Invariant: a kind is cached only because somebody added it; reading one that nobody added is an error, never a new
watch.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from operator import attrgetter
from os import PathLike
from pathlib import Path
from typing import Any, Self, TypeVar, cast, overload

import msgspec

from zestor_controller.cache.informer import Informer, badness
from zestor_controller.cache.lister import Lister
from zestor_controller.cache.overlaytransport import OverlayTransport
from zestor_controller.cache.reflector import Timing
from zestor_controller.cache.status import InformerState
from zestor_controller.client import Client
from zestor_controller.errors import ConfigError, TransportError
from zestor_controller.loopthread import LoopThread
from zestor_controller.metrics import Metrics
from zestor_controller.objects import Kind, Unstructured, checked_namespaces, kind_of
from zestor_controller.store import MemoryStore, Overflow

__all__ = ["BlockingClusterCache", "ClusterCache"]

T = TypeVar("T")
R = TypeVar("R")
Indexes = Mapping[str, Callable[[Any], Iterable[Hashable]]]

SYNC_TIMEOUT = timedelta(seconds=120)
CHECKPOINT_S = 60.0


class ClusterCache:
    """Caches kinds of one cluster.

    ``async with ClusterCache(client) as cache`` runs on the present loop; ``with ClusterCache() as cache`` runs a
    thread with a loop and a connection of its own, for programs without one, and its ``add`` blocks.

    Args:
        client: an open client; a connection by kubeconfig is made unless given.
        kubeconfig: a file; KUBECONFIG, ``~/.kube/config`` or the pod's own account unless given.
        context: a context of the kubeconfig.
        namespaces: what kinds are watched in by default; None for all.
        metrics: where to count; a registry of its own unless given.
        timing: the reflectors' clocks.
        rng: jitter; a simulation passes its seeded one.
        checkpoints: a folder that keeps what is cached, so that the next start resumes the watches and lists nothing;
            Secrets are never kept.

    Raises:
        ConfigError: `namespaces` is no list of names.
    """

    def __init__(
        self,
        client: Client | None = None,
        *,
        kubeconfig: str | PathLike[str] | None = None,
        context: str | None = None,
        namespaces: Sequence[str] | None = None,
        metrics: Metrics | None = None,
        timing: Timing | None = None,
        rng: random.Random | None = None,
        checkpoints: Path | None = None,
    ) -> None:
        self._client = client
        self._checkpoints = checkpoints
        self._kubeconfig = kubeconfig
        self._context = context
        self._namespaces = checked_namespaces(namespaces, where="ClusterCache(namespaces=...)")
        self.metrics = metrics if metrics is not None else Metrics()
        self._timing = timing if timing is not None else Timing()
        self._rng = rng if rng is not None else random.Random()
        self._observed: Client | None = None
        self._store = MemoryStore()
        self._informers: dict[tuple[Hashable, ...], Informer[Any]] = {}
        self._lost: dict[tuple[str, Overflow], int] = {}  # what has been counted
        self._by_kind: dict[tuple[str, str], list[Informer[Any]]] = {}
        self._stack = AsyncExitStack()
        self._tasks: asyncio.TaskGroup | None = None
        self._running: list[asyncio.Task[None]] = []
        self._saving: asyncio.Task[None] | None = None
        self._blocking: BlockingClusterCache | None = None

    # Life

    async def __aenter__(self) -> Self:
        await self._stack.__aenter__()
        if self._client is None:
            self._client = await self._stack.enter_async_context(
                Client.connect(kubeconfig=self._kubeconfig, context=self._context)
            )
        self._tasks = asyncio.TaskGroup()
        await self._tasks.__aenter__()
        if self._checkpoints is not None:
            self._saving = self._tasks.create_task(self._save(), name="checkpoints")
        return self

    async def _save(self) -> None:
        """Write checkpoints now and then, for a process that is killed."""
        while True:
            await asyncio.sleep(CHECKPOINT_S)
            for informer in self.informers():
                await informer.save()

    async def __aexit__(self, *exc: Any) -> None:
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
            await self._stack.aclose()

    def __enter__(self) -> BlockingClusterCache:
        self._blocking = BlockingClusterCache(self)
        self._blocking.start()
        return self._blocking

    def __exit__(self, *exc: object) -> None:
        if self._blocking is not None:
            self._blocking.stop()

    # Kinds

    @overload
    async def add(
        self,
        kind: type[T],
        *,
        namespaces: Sequence[str] | None = None,
        labels: str | Mapping[str, str] | None = None,
        fields: str | None = None,
        indexes: Mapping[str, Callable[[T], Iterable[Hashable]]] | None = None,
        compact: bool = False,
        metadata_only: bool = False,
        timeout: timedelta = SYNC_TIMEOUT,
    ) -> Lister[T]: ...
    @overload
    async def add(
        self,
        kind: str,
        *,
        namespaces: Sequence[str] | None = None,
        labels: str | Mapping[str, str] | None = None,
        fields: str | None = None,
        indexes: Mapping[str, Callable[[Unstructured], Iterable[Hashable]]] | None = None,
        compact: bool = False,
        metadata_only: bool = False,
        timeout: timedelta = SYNC_TIMEOUT,
    ) -> Lister[Unstructured]: ...
    async def add(
        self,
        kind: type[Any] | str,
        *,
        namespaces: Sequence[str] | None = None,
        labels: str | Mapping[str, str] | None = None,
        fields: str | None = None,
        indexes: Indexes | None = None,
        compact: bool = False,
        metadata_only: bool = False,
        timeout: timedelta = SYNC_TIMEOUT,
    ) -> Lister[Any]:
        """Cache a kind and wait until it is in sync.

        Args:
            kind: a class or ``group/version/Kind``.
            namespaces: which namespaces; the cache's own unless given.
            labels: a label selector that narrows what the server sends.
            fields: a field selector that narrows what the server sends.
            indexes: named functions from an object to its keys.
            compact: keep objects compressed: less memory, for more time at each event and each read.
            metadata_only: read metadata and nothing else; the lister then holds unstructured objects without a spec.
            timeout: how long to wait for the first list.

        Raises:
            ConfigError: neither this package nor the server knows the kind, or `namespaces` is no list of names.
            TransportError: it was not in sync in time; the message says why. The kind goes on trying.
        """
        known = await self._known(kind)
        informer = self.informer(
            self._kind_of(str(known)) if metadata_only else known,
            namespaces=namespaces,
            labels=labels,
            fields=fields,
            indexes=indexes,
            compact=compact,
            metadata_only=metadata_only,
        )
        try:
            async with asyncio.timeout(timeout.total_seconds()):
                await informer.wait_synced()
        except TimeoutError:
            raise TransportError(f"{informer.status} (waited {timeout.total_seconds():g} s)") from None
        return informer.lister

    async def _known(self, kind: type[Any] | str) -> Kind[Any]:
        try:
            return self._kind_of(kind)
        except ConfigError:
            if not isinstance(kind, str) or self._client is None:
                raise
            return await self._client.discover(kind)

    def _kind_of(self, kind: type[Any] | str) -> Kind[Any]:
        return kind_of(kind) if self._client is None else self._client.kinds.of(kind)

    def informer(
        self,
        kind: Kind[T],
        *,
        namespaces: Sequence[str] | None = None,
        labels: str | Mapping[str, str] | None = None,
        fields: str | None = None,
        indexes: Indexes | None = None,
        compact: bool = False,
        metadata_only: bool = False,
    ) -> Informer[T]:
        """The informer of a kind and a selection; started when it is asked for first, shared from then on.

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
            namespaces=where or None,
            selector=selector,
            indexes=indexes,
            metrics=self.metrics,
            timing=self._timing,
            rng=self._rng,
            metadata_only=metadata_only,
            compact=compact,
            checkpoints=self._checkpoints,
        )
        self._informers[key] = informer
        self._by_kind.setdefault((kind.api_version, kind.kind), []).append(informer)
        self._running.append(self._tasks.create_task(informer.run(), name=f"informer {kind.store_name}"))
        return informer

    def lister(self, kind: type[T] | str) -> Lister[Any]:
        """The lister of a kind that has been added, preferring the one without a selector.

        Raises:
            ConfigError: it has not been added.
        """
        wanted: Any = self._kind_of(kind)
        found = [one for one in self._of(wanted) if one.kind.model == wanted.model]
        if not found:
            raise ConfigError(
                f"{wanted.store_name} is not cached: add it with cache.add(...), or let a controller own or watch it"
            )
        return min(found, key=attrgetter("rank")).lister

    def _of(self, kind: Kind[Any]) -> list[Informer[Any]]:
        """The informers of a kind, in whatever form and selection."""
        return self._by_kind.get((kind.api_version, kind.kind), [])

    async def wait_current(self, kind: Kind[Any]) -> None:
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

    def _wrote(self, kind: Kind[Any], method: str, name: str | None, answer: bytes) -> None:
        for informer in self._of(kind):
            with suppress(msgspec.DecodeError):  # the write was done; what cannot be read is brought by the watch
                informer.observe(method, name, answer)

    def informers(self) -> list[Informer[Any]]:
        """Every informer, in the order in which they were added."""
        return list(self._informers.values())

    def refresh_metrics(self) -> None:
        """Set the series that are computed at scrape time."""
        now = asyncio.get_running_loop().time()
        for informers in self._by_kind.values():
            self._refresh_kind(informers, now)

    def _refresh_kind(self, informers: list[Informer[Any]], now: float) -> None:
        """The series of a kind are about all that is cached of it, and about the stream that is worst off."""
        name, metrics = informers[0].kind.store_name, self.metrics
        status = max((one.status for one in informers), key=badness)
        metrics.informer_synced.labels(name).set(status.live)
        for state in InformerState:
            metrics.informer_state.labels(name, state.value).set(status.state is state)
        metrics.informer_unsynced_seconds.labels(name).set(0 if status.live else now - status.since)
        if status.last_line is not None:
            metrics.last_event_age.labels(name).set(now - status.last_line)
        if status.version.isdecimal():
            metrics.resource_version.labels(name).set(int(status.version))
        metrics.cache_objects.labels(name).set(sum(len(one.lister) for one in informers))
        metrics.cache_bytes.labels(name).set(sum(one.bytes for one in informers))
        metrics.invalid_objects.labels(name).set(sum(len(one.refused()) for one in informers))
        for policy in Overflow:
            lost = sum(one.lost()[policy] for one in informers)
            metrics.watch_dropped.labels(name, policy.value).inc(lost - self._lost.get((name, policy), 0))
            self._lost[name, policy] = lost


class BlockingClusterCache:
    """A cluster cache in a thread and loop of its own; every method blocks.

    Made by ``with ClusterCache() as cache``.
    """

    def __init__(self, cache: ClusterCache) -> None:
        self._cache = cache
        self._thread = LoopThread("zestor-cluster-cache")

    def start(self) -> None:
        """Connect.

        Raises:
            ConfigError: the configuration cannot be used.
        """
        self._thread.start(self._cache)

    def stop(self) -> None:
        """End the watches, close the connection and the thread."""
        self._thread.stop()

    @overload
    def add(
        self,
        kind: type[T],
        *,
        namespaces: Sequence[str] | None = None,
        labels: str | Mapping[str, str] | None = None,
        fields: str | None = None,
        indexes: Mapping[str, Callable[[T], Iterable[Hashable]]] | None = None,
        compact: bool = False,
        metadata_only: bool = False,
        timeout: timedelta = SYNC_TIMEOUT,
    ) -> Lister[T]: ...
    @overload
    def add(
        self,
        kind: str,
        *,
        namespaces: Sequence[str] | None = None,
        labels: str | Mapping[str, str] | None = None,
        fields: str | None = None,
        indexes: Mapping[str, Callable[[Unstructured], Iterable[Hashable]]] | None = None,
        compact: bool = False,
        metadata_only: bool = False,
        timeout: timedelta = SYNC_TIMEOUT,
    ) -> Lister[Unstructured]: ...
    def add(
        self,
        kind: type[Any] | str,
        *,
        namespaces: Sequence[str] | None = None,
        labels: str | Mapping[str, str] | None = None,
        fields: str | None = None,
        indexes: Indexes | None = None,
        compact: bool = False,
        metadata_only: bool = False,
        timeout: timedelta = SYNC_TIMEOUT,
    ) -> Lister[Any]:
        """Cache a kind and block until it is in sync; see :meth:`ClusterCache.add`."""
        adding = self._cache.add(
            kind,
            namespaces=namespaces,
            labels=labels,
            fields=fields,
            indexes=indexes,
            compact=compact,
            metadata_only=metadata_only,
            timeout=timeout,
        )
        return self._thread.run(adding)

    def lister(self, kind: type[T] | str) -> Lister[Any]:
        """See :meth:`ClusterCache.lister`."""
        return self._cache.lister(kind)
