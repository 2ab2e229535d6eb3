"""The readers' side of a cached kind: typed, private copies, indexes, watches.

Invariant: a Lister never writes, and what it hands out is the reader's own: an object is decoded from its bytes at each
access.
"""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import Awaitable, Callable, Collection, Hashable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from operator import itemgetter
from typing import Generic, TypeVar

from zestor_controller.cache.record import Record, RecordCodec, labels_of, version_text
from zestor_controller.cache.status import InformerStatus
from zestor_controller.errors import InvalidObject
from zestor_controller.objects import Kind, LabelSelector, NamespacedName
from zestor_controller.store import EncodedKind, Event, EventType, Overflow, StoreKind, Watch

__all__ = ["CachedMetadata", "Lister", "Validation"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CachedMetadata:
    """What a cache knows of an object without decoding it."""

    name: str
    namespace: str
    uid: str
    resource_version: str


@dataclass(frozen=True, slots=True)
class Validation:
    """What :meth:`Lister.validate_all` found: how many objects decode, and the errors of those that do not, by name."""

    valid: int
    invalid: Mapping[str, InvalidObject]


class Lister(Generic[T]):
    """Reads one cached kind.

    Args:
        kind: the registered kind.
        stored: its handle in the store.
        status: how its informer is doing.
        namespace: where a name without a namespace is looked up.
        codec: how objects are kept.
        wait_current: returns when the cache is current, on the cache's loop.
    """

    def __init__(
        self,
        kind: Kind[T],
        stored: StoreKind[T],
        status: Callable[[], InformerStatus],
        namespace: str,
        codec: RecordCodec[T],
        wait_current: Callable[[], Awaitable[None]],
    ) -> None:
        self.kind = kind
        self._stored = stored
        self._encoded: EncodedKind[Record] = stored.encoded
        self._status = status
        self._namespace = namespace
        self._decode = codec.decode
        self._wait_current = wait_current

    @property
    def status(self) -> InformerStatus:
        """How the informer is doing: state, reason, whether it is in sync."""
        return self._status()

    @property
    def stored(self) -> StoreKind[T]:
        """The kind of the store behind, for who reads it as a store; only its informer may write it."""
        return self._stored

    def get(self, name: str | NamespacedName, namespace: str | None = None) -> T | None:
        """An object, a private copy; None when the cache holds none of this name.

        Args:
            name: its name; ``namespace/name`` and NamespacedName are taken too.
            namespace: its namespace; the client's own unless given. Ignored for cluster-scoped kinds.

        Raises:
            InvalidObject: its model refuses it.
        """
        return self._get(self._key(name, namespace))

    def __contains__(self, name: object) -> bool:
        """Whether an object of this name is cached; anything with the text ``namespace/name`` or ``name`` will do."""
        return self._encoded.get(str(name)) is not None

    def __len__(self) -> int:
        return self._encoded.count()

    def list(self, namespace: str | None = None, labels: str | Mapping[str, str] | None = None) -> builtins.list[T]:
        """Objects in the order of their names, private copies; those that their model refuses are left out.

        Args:
            namespace: only this one; all unless given.
            labels: a selector, as text (``app=web,tier!=cache``) or as a mapping of equalities.

        Raises:
            ValueError: the selector cannot be parsed.
        """
        wanted = self._selected(namespace, labels)
        found: builtins.list[T] = []
        for _, record in wanted:
            with suppress(InvalidObject):
                found.append(self._decode(record))
        return found

    def metadata(
        self, namespace: str | None = None, labels: str | Mapping[str, str] | None = None
    ) -> builtins.list[CachedMetadata]:
        """Identities of the objects in the order of their names, without decoding one of them."""
        return [_metadata(name, record) for name, record in self._selected(namespace, labels)]

    def by_index(self, index: str, key: Hashable) -> builtins.list[T]:
        """The objects that a named index files under a key.

        Raises:
            StoreError: there is no such index.
        """
        return self._stored.by_index(index, key)

    def add_index(self, name: str, function: Callable[[T], Iterable[Hashable]]) -> None:
        """Add a named index, kept with every change from now on.

        Args:
            name: the index's name.
            function: from an object to its keys; when it raises, that object is in no set of this index.
        """
        self._stored.add_index(name, function)

    def watch(
        self,
        *,
        event_types: Collection[EventType] | None = None,
        names: Collection[str] | None = None,
        predicate: Callable[[Event[T]], object] | None = None,
        initial_replay: bool = False,
        buffer_size: int = 128,
        overflow: Overflow = Overflow.DROP,
        bookmarks: bool = False,
    ) -> Watch[T]:
        """Subscribe to the cache's changes; options as of :meth:`zestor_controller.store.StoreKind.watch`."""
        return self._stored.watch(
            event_types=event_types,
            names=names,
            predicate=predicate,
            initial_replay=initial_replay,
            buffer_size=buffer_size,
            overflow=overflow,
            bookmarks=bookmarks,
        )

    async def wait_for(
        self,
        name: str | NamespacedName,
        until: Callable[[T | None], object] = bool,
        *,
        namespace: str | None = None,
        timeout: timedelta = timedelta(seconds=30),
    ) -> T | None:
        """Wait until the cached object satisfies a predicate.

        Args:
            name: its name.
            until: called with the object (None while there is none); by default waits for it to exist.
            namespace: its namespace; the client's own unless given.
            timeout: how long to wait.

        Returns:
            The object that satisfied it, or None where `until` accepts its absence.

        Raises:
            TimeoutError: it did not come about in time; the cache may be cut off from the server.
        """
        key = self._key(name, namespace)
        with self.watch(names={key}, initial_replay=True, overflow=Overflow.COALESCE) as watch:
            async with asyncio.timeout(timeout.total_seconds()):
                obj = self._get(key)
                if until(obj):
                    return obj
                async for event in watch:
                    obj = None if event.type is EventType.DELETE else event.object
                    if until(obj):
                        return obj
        raise TimeoutError(f"{self.kind.store_name} {key}: the cache was closed while waiting")

    async def wait_current(self, timeout: timedelta = timedelta(seconds=30)) -> None:
        """Wait until the cache holds everything that the server had acknowledged when this was called (C11).

        It costs one list of one object and, where the kind is quiet, about a second; for programs that act on what is
        not there, such as one that counts its children before it makes another. Await it on the cache's own loop.

        Args:
            timeout: how long to wait.

        Raises:
            TimeoutError: the cache was not current in time; the message says how the informer is doing.
        """
        try:
            async with asyncio.timeout(timeout.total_seconds()):
                await self._wait_current()
        except TimeoutError:
            seconds = timeout.total_seconds()
            raise TimeoutError(f"not known to be current within {seconds:g} s: {self.status}") from None

    def validate_all(self) -> Validation:
        """Decode every object once: which of them does the model refuse?"""
        valid, invalid = 0, {}
        for name in self._stored.names():
            try:
                valid += self._stored.get(name) is not None
            except InvalidObject as error:
                invalid[name] = error
        return Validation(valid, invalid)

    def _key(self, name: str | NamespacedName, namespace: str | None) -> str:
        if isinstance(name, NamespacedName):
            return str(name)
        if not self.kind.namespaced or "/" in name:
            return name
        return f"{namespace or self._namespace}/{name}"

    def _get(self, name: str) -> T | None:
        record = self._encoded.get(name)
        return None if record is None else self._decode(record)

    def _selected(
        self, namespace: str | None, labels: str | Mapping[str, str] | None
    ) -> builtins.list[tuple[str, Record]]:
        prefix = f"{namespace}/" if namespace and self.kind.namespaced else ""
        items = sorted((item for item in self._encoded.items() if item[0].startswith(prefix)), key=itemgetter(0))
        if labels is None:
            return items
        selector = LabelSelector.parse(labels) if isinstance(labels, str) else LabelSelector.of(labels)
        return [(name, record) for name, record in items if selector.matches(labels_of(record))]


def _metadata(name: str, record: Record) -> CachedMetadata:
    namespace, _, short = name.rpartition("/")
    return CachedMetadata(short, namespace, record.uid, version_text(record.version))
