"""A cache of cluster objects, with or without controllers; on a loop, or in a thread of its own.

Invariant: what was entered says which it is: ``async with`` gives a cache whose ``add`` is awaited, ``with`` one whose
``add`` blocks. Both are one implementation.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar, Unpack, overload

from zestor_controller.cache.asyncclustercache import SYNC_TIMEOUT, AsyncClusterCache, CacheOptions
from zestor_controller.cache.lister import Lister
from zestor_controller.cache.timing import Timing
from zestor_controller.client import Client
from zestor_controller.loopthread import LoopThread
from zestor_controller.metrics import Metrics
from zestor_controller.objects import Kind, KindRef, KindT, Unstructured
from zestor_controller.objects.namespaces import checked_namespaces

__all__ = ["BlockingClusterCache", "ClusterCache"]

T = TypeVar("T")


class ClusterCache(AsyncClusterCache):
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
        names = checked_namespaces(namespaces, where="ClusterCache(namespaces=...)")
        super().__init__(client, namespaces=names, metrics=metrics, timing=timing, rng=rng, checkpoints=checkpoints)
        self._kubeconfig = kubeconfig
        self._context = context
        self._stack = AsyncExitStack()
        self._thread: LoopThread | None = None

    async def __aenter__(self) -> AsyncClusterCache:
        if self._client is None:
            self._client = await self._stack.enter_async_context(
                Client.connect(kubeconfig=self._kubeconfig, context=self._context)
            )
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        try:
            await self.stop()
        finally:
            await self._stack.aclose()

    def __enter__(self) -> BlockingClusterCache:
        self._thread = thread = LoopThread("zestor-cluster-cache")
        return BlockingClusterCache(thread.start(self), thread)

    def __exit__(self, *exc: object) -> None:
        if self._thread is not None:
            self._thread.stop()


class BlockingClusterCache:
    """A cluster cache in a thread and loop of its own; every method blocks.

    Made by ``with ClusterCache() as cache``.

    Args:
        cache: the cache.
        thread: where it runs.
    """

    def __init__(self, cache: AsyncClusterCache, thread: LoopThread) -> None:
        self._cache = cache
        self._thread = thread

    @overload
    def add(
        self, kind: str, *, timeout: timedelta = SYNC_TIMEOUT, **options: Unpack[CacheOptions[Unstructured]]
    ) -> Lister[Unstructured]: ...
    @overload
    def add(
        self, kind: type[T] | Kind[T], *, timeout: timedelta = SYNC_TIMEOUT, **options: Unpack[CacheOptions[T]]
    ) -> Lister[T]: ...
    def add(self, kind: Any, *, timeout: timedelta = SYNC_TIMEOUT, **options: Unpack[CacheOptions[Any]]) -> object:
        """Cache a kind and block until it is in sync; see :meth:`ClusterCache.add`."""
        return self._thread.run(self._cache.add(kind, timeout=timeout, **options))

    def lister(self, kind: KindRef[KindT]) -> Lister[KindT]:
        """See :meth:`ClusterCache.lister`."""
        return self._cache.lister(kind)
