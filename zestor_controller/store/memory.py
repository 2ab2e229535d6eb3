"""The store in memory: typed kinds over one table each, all under one lock.

One lock for the whole store, because a function that runs under it (``update``) may read other kinds: with a lock for
each kind two such functions could wait for each other without end. What a kind does is in
:mod:`zestor_controller.store.memorykind`.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, TypeVar, overload

from zestor_controller.errors import KindRequired, StoreClosed, StoreError
from zestor_controller.store.event import Event, EventType, Overflow
from zestor_controller.store.memorykind import MemoryKind

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
    from types import TracebackType

    from zestor_controller.store.codec import Codec
    from zestor_controller.store.contract import StoreKind
    from zestor_controller.store.index import IndexFunction
    from zestor_controller.store.watch import Watch

__all__ = ["MemoryStore"]

T = TypeVar("T")


class MemoryStore:
    """Typed objects in kinds, in memory; may be closed by leaving a ``with`` block.

    ::

        users = MemoryStore().kind("users", User)
        with users.watch(initial_replay=True) as watch:
            for event in watch:
                print(event.type, event.name, event.object)
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._kinds: dict[str, MemoryKind[Any]] = {}
        self._closed = False

    @overload
    def kind(
        self,
        name: str,
        model: type[T],
        *,
        codec: Codec[T, Any] | None = None,
        compare: Callable[[T, T], bool] | None = None,
        validate: Callable[..., object] | None = None,
        indexes: Mapping[str, Callable[[T], Iterable[Hashable]]] | None = None,
        synced: bool = True,
    ) -> StoreKind[T]: ...

    @overload
    def kind(
        self,
        name: str,
        model: None = None,
        *,
        codec: Codec[T, Any],
        compare: Callable[[T, T], bool] | None = None,
        validate: Callable[..., object] | None = None,
        indexes: Mapping[str, Callable[[T], Iterable[Hashable]]] | None = None,
        synced: bool = True,
    ) -> StoreKind[T]: ...

    @overload
    def kind(
        self,
        name: str,
        model: None = None,
        *,
        codec: None = None,
        compare: Callable[[Any, Any], bool] | None = None,
        validate: Callable[..., object] | None = None,
        indexes: Mapping[str, IndexFunction] | None = None,
        synced: bool = True,
    ) -> StoreKind[Any]: ...

    def kind(
        self,
        name: str,
        model: type[Any] | None = None,
        *,
        codec: Codec[Any, Any] | None = None,
        compare: Callable[[Any, Any], bool] | None = None,
        validate: Callable[..., object] | None = None,
        indexes: Mapping[str, IndexFunction] | None = None,
        synced: bool = True,
    ) -> StoreKind[Any]:
        """Return a kind's handle; the first call creates the kind.

        Args:
            name: the kind's name.
            model: the class that values must be of; None accepts every value.
            codec: how values are kept; by default they are copied.
            compare: ``(old, new)`` to true when the two count as equal; by default values are compared.
            validate: ``(value)`` or ``(name, value)``; refuses a write by raising, or by returning False or a text.
            indexes: named functions from a value to a list of keys.
            synced: False for a kind whose writer calls ``encoded.mark_synced()`` when its first list is complete.

        Raises:
            KindRequired: the name is empty.
            StoreError: the kind exists with another model, or options were given for a kind that exists.
            StoreClosed: the store has been closed.
        """
        if not name:
            raise KindRequired("a kind needs a name, such as store.kind('users', User)")
        if model is not None and not isinstance(model, type):
            raise TypeError(f"kind {name!r}: model must be a class, not {model!r}")
        with self._lock:
            self._refuse_closed()
            found = self._kinds.get(name)
            if found is None:
                found = MemoryKind(name, model, self._lock, codec, compare, validate, indexes, synced)
                self._kinds[name] = found
                return found
        if model is not None and model is not found.model:
            known = "no model" if found.model is None else f"model {found.model.__qualname__}"
            raise StoreError(f"kind {name!r} exists with {known}; give model {model.__qualname__} another kind name")
        if codec is not None or compare is not None or validate is not None or indexes is not None or not synced:
            raise StoreError(
                f"kind {name!r} exists; give its options with the call that creates it, here only the name"
            )
        return found

    def kinds(self) -> list[str]:
        """Return the names of the kinds, in the order in which they were created."""
        with self._lock:
            self._refuse_closed()
            return list(self._kinds)

    def watch(
        self,
        kind: str,
        *,
        event_types: Collection[EventType] | None = None,
        names: Collection[str] | None = None,
        predicate: Callable[[Event[Any]], object] | None = None,
        initial_replay: bool = False,
        buffer_size: int = 128,
        overflow: Overflow = Overflow.DROP,
        bookmarks: bool = False,
    ) -> Watch[Any]:
        """Subscribe to a kind by its name; the options are those of :meth:`StoreKind.watch`.

        Raises:
            KindRequired: no kind of this name has been created.
        """
        with self._lock:
            self._refuse_closed()
            found = self._kinds.get(kind)
        if found is None:
            raise KindRequired(f"there is no kind {kind!r} to watch; create it with store.kind({kind!r}, Model) first")
        return found.watch(
            event_types=event_types,
            names=names,
            predicate=predicate,
            initial_replay=initial_replay,
            buffer_size=buffer_size,
            overflow=overflow,
            bookmarks=bookmarks,
        )

    def dump(self) -> dict[str, dict[str, Any]]:
        """Return every kind's names and values: for debugging and for tests."""
        with self._lock:
            self._refuse_closed()
            return {name: dict(kind.items()) for name, kind in self._kinds.items()}

    def close(self) -> None:
        """End every watch and refuse later operations with StoreClosed; calling it again is harmless (S12)."""
        with self._lock:
            self._closed = True
            for kind in self._kinds.values():
                kind.encoded.close()

    def _refuse_closed(self) -> None:
        if self._closed:
            raise StoreClosed("the store has been closed")

    def __enter__(self) -> MemoryStore:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()
