"""A cache for kopf operators: informers of our own run beside kopf, and its handlers read what they keep.

:func:`mirror` adds a start-up and a clean-up handler to a registry. Invariants: the informers live in a thread and loop
of their own, so that neither waits for the other and kopf's exit cancels nothing of ours; they read and never write, so
a mirrored object sees no PATCH; each start of an operator begins a new mirror, and its clean-up ends it.

Source of kopf's behaviour: kopf 1.44 and 1.45, ``_core/reactor/running.py`` and ``_core/engines/activities.py``.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import re
from collections.abc import AsyncIterator, Callable, Hashable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final, Never, TypeAlias

from zestor_controller.adapters.kopflogin import KopfLogin
from zestor_controller.cache import AsyncClusterCache, ClusterCache, Lister
from zestor_controller.cache.reflector import Timing
from zestor_controller.client import AiohttpTransport, Client, ClusterConfig
from zestor_controller.errors import ConfigError, ZestorError
from zestor_controller.loopthread import LoopThread
from zestor_controller.objects import KindRef, kind_of

if TYPE_CHECKING:
    from kopf import OperatorRegistry

__all__ = ["Mirror", "mirror"]

_log = logging.getLogger(__name__)

Indexes: TypeAlias = Mapping[KindRef[object], Mapping[str, Callable[[Never], Iterable[Hashable]]]]
Listers: TypeAlias = dict[str, Lister[object]]

OLDEST: Final = (1, 44)
SYNC: Final = timedelta(seconds=120)
STOP_S: Final = 2.0
EVERY: Final = "*"
NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def mirror(
    *kinds: KindRef[object],
    registry: OperatorRegistry | None = None,
    namespaces: Sequence[str] | None = None,
    indexes: Indexes | None = None,
    timeout: timedelta = SYNC,
    **named: KindRef[object],
) -> Mirror:
    """Give the handlers of a kopf operator a cache of these kinds.

    Call it once, where the operator's handlers are declared. From its start on each kind is in ``memo`` under its
    plural, as a :class:`~zestor_controller.store.StoreKind`: ``memo.websites.get("default/blog")``, ``.list()``,
    ``.watch()``, ``.by_index()``. kopf's own login handlers and settings are used. The operator starts once every kind
    is in sync.

    Args:
        kinds: classes, or texts such as ``"v1/ConfigMap"``.
        registry: kopf's registry; its default one unless given.
        namespaces: mirror these only; all unless given. An operator that runs with ``namespaces=`` has to name them
            here too, for kopf passes them to no handler. Patterns are not followed: where the operator has some,
            mirror every namespace with ``["*"]`` and look at each object's own.
        indexes: named index functions by kind, ``{"v1/Pod": {"node": lambda pod: [pod["spec"]["nodeName"]]}}``.
        timeout: how long a start-up waits for sync before it fails, naming what is missing and why.
        named: further kinds by another name than their plural: ``core_events="v1/Event"``.

    Raises:
        ConfigError: kopf is missing or too old; no kind is given, or one twice, or under a name that cannot be used; a
            namespace is a pattern or no name.
    """
    return Mirror(kinds, named, registry, namespaces, indexes or {}, timeout)


class Mirror:
    """Mirrored kinds of one kopf registry; made by :func:`mirror`."""

    def __init__(
        self,
        kinds: Sequence[KindRef[object]],
        named: Mapping[str, KindRef[object]],
        registry: OperatorRegistry | None,
        namespaces: Sequence[str] | None,
        indexes: Indexes,
        timeout: timedelta,
    ) -> None:
        self._kopf = _load()
        if not kinds and not named:
            raise ConfigError("mirror() needs a kind, such as mirror('v1/ConfigMap')")
        self._wanted: list[tuple[str | None, KindRef[object]]] = [(None, kind) for kind in kinds]
        self._wanted += named.items()
        seen: set[str] = set()
        for _, kind in self._wanted:
            if _shown(kind) in seen:
                raise ConfigError(f"mirror(): {_shown(kind)} is given twice; leave one out")
            seen.add(_shown(kind))
        self._indexes = {_shown(kind): functions for kind, functions in indexes.items()}
        for text in self._indexes:
            if text not in seen:
                raise ConfigError(f"mirror(): indexes are given for {text}, which is not mirrored; add it to the kinds")
        names = None if namespaces is None else _names(namespaces)
        self._everywhere = names == [EVERY]
        self._namespaces = None if self._everywhere else names
        self._timeout = timeout
        self._registry = registry if registry is not None else self._kopf.get_default_registry()
        self._running: dict[
            asyncio.AbstractEventLoop, LoopThread
        ] = {}  # by kopf's loop: a registry may serve two operators
        self._kopf.on.startup(registry=self._registry, id="zestor-mirror")(self._start)
        self._kopf.on.cleanup(registry=self._registry, id="zestor-mirror")(self._stop)

    async def _start(self, *, memo: Any, settings: Any, logger: Any, **_: Any) -> None:
        """Kopf's start-up handler."""
        await self._stop()  # an earlier start-up on this loop that failed elsewhere was never cleaned up
        try:
            if self._namespaces is None and not self._everywhere and not settings.peering.clusterwide:
                raise ConfigError(
                    "the operator watches some namespaces only: name them in mirror(namespaces=[...]), or mirror all "
                    "of them with namespaces=['*']"
                )
            config = await KopfLogin(self._registry, memo=memo, settings=settings, logger=logger).config()
            seconds = settings.watching.server_timeout
            timing = Timing(watch=float(seconds)) if seconds else None
            thread = self._running[asyncio.get_running_loop()] = LoopThread("zestor-kopf-mirror")
            for name, lister in (await asyncio.wrap_future(thread.begin(self._mirrored(config, timing)))).items():
                _put(memo, name, lister.stored)
        except ZestorError as error:
            await self._stop()
            # Not to be tried again: what can heal by itself has been waited for.
            raise self._kopf.PermanentError(f"the mirror cannot start: {error}") from error
        except BaseException:
            await self._stop()
            raise

    async def _stop(self, **_: Any) -> None:
        """Kopf's clean-up handler."""
        thread = self._running.pop(asyncio.get_running_loop(), None)
        if thread is not None and not await asyncio.to_thread(thread.stop, STOP_S):
            _log.warning("the mirror's thread has not ended within %g s; it is left behind", STOP_S)

    @asynccontextmanager
    async def _mirrored(self, config: ClusterConfig, timing: Timing | None) -> AsyncIterator[Listers]:
        """The listers, by the names under which handlers find them; they are current inside of the block."""
        async with (
            Client(AiohttpTransport(config)) as client,
            ClusterCache(client, namespaces=self._namespaces, timing=timing) as cache,
        ):
            yield await self._fill(cache)

    async def _fill(self, cache: AsyncClusterCache) -> Listers:
        """Cache every kind, all at once, and wait for all of them."""
        added = [self._add(cache, name, kind) for name, kind in self._wanted]
        listers: Listers = {}
        troubles: list[str] = []
        for found in await asyncio.gather(*added, return_exceptions=True):
            if isinstance(found, ZestorError):
                troubles.append(str(found))
            elif isinstance(found, BaseException):
                raise found
            elif found[0] in listers:
                both = f"{listers[found[0]].kind.store_name} and {found[1].kind.store_name}"
                troubles.append(f"{both} are both called {found[0]!r}: name one, mirror(..., another_name='v1/Kind')")
            else:
                listers[found[0]] = found[1]
        if troubles:
            raise ConfigError("; ".join(troubles))
        return listers

    async def _add(
        self, cache: AsyncClusterCache, name: str | None, kind: KindRef[object]
    ) -> tuple[str, Lister[object]]:
        indexes: Any = self._indexes.get(_shown(kind))  # of functions of this kind's objects
        lister: Lister[Any] = await cache.add(kind, indexes=indexes, timeout=self._timeout)
        return name or lister.kind.plural.replace("-", "_"), lister


def _names(namespaces: Sequence[str]) -> list[str]:
    """Names of namespaces, checked: kopf's patterns would be mirrored as the names of namespaces that do not exist."""
    if isinstance(namespaces, str):
        raise ConfigError(f"mirror(): namespaces={namespaces!r} is a text; give a list, namespaces=[{namespaces!r}]")
    if list(namespaces) == [EVERY]:
        return [EVERY]
    for name in namespaces:
        if not isinstance(name, str) or not NAME.fullmatch(name):
            shown = getattr(name, "pattern", name)
            raise ConfigError(
                f"mirror(): namespaces: {shown!r} is not the name of a namespace, and patterns are not followed: name "
                "the namespaces, or mirror all of them with namespaces=['*'] and look at each object's namespace"
            )
    if not namespaces:
        raise ConfigError("mirror(): namespaces is empty; name some, or leave it out to mirror all of them")
    return list(namespaces)


def _put(memo: Any, name: str, value: Any) -> None:
    try:
        setattr(memo, name, value)
    except (AttributeError, TypeError) as error:
        raise ConfigError(
            f"cannot set attribute {name!r} on the operator's memo (type {type(memo).__name__}): use kopf.Memo() or a "
            "class that allows it"
        ) from error


def _shown(kind: KindRef[object]) -> str:
    """A kind as text, so that a class and its text are the same."""
    try:
        return str(kind_of(kind))
    except ConfigError:
        if not isinstance(kind, str):
            raise
        return kind  # the server knows it, perhaps


def _load() -> Any:
    try:
        module = importlib.import_module("kopf")
    except ImportError:
        raise ConfigError("mirror() needs kopf: pip install 'zestor-controller[kopf]'") from None
    found = version("kopf")
    if tuple(int(part) for part in re.findall(r"[0-9]+", found)[:2]) < OLDEST:
        oldest = ".".join(str(part) for part in OLDEST)
        raise ConfigError(
            f"mirror() needs kopf {oldest} or later, and this is {found}: pip install -U 'zestor-controller[kopf]'"
        )
    return module
