"""The store in memory: typed kinds over one table each, all under one lock.

One lock for the whole store, because a function that runs under it (``update``) may read other kinds: with a lock for
each kind two such functions could wait for each other without end. What a kind does is in
:mod:`zestor_controller.store.memorykind`.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, overload

from typing_extensions import TypeVar

from zestor_controller.errors import KindRequired, StoreClosed, StoreError
from zestor_controller.store.kindoptions import KindOptions, KindSettings
from zestor_controller.store.memorykind import MemoryKind

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Unpack

    from zestor_controller.store.codec import Codec
    from zestor_controller.store.contract import StoreKind
    from zestor_controller.store.watch import Watch
    from zestor_controller.store.watchoptions import WatchOptions

__all__ = ["MemoryStore"]

T = TypeVar("T")
S = TypeVar("S", default=object)


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
        self._kinds: dict[str, MemoryKind[Any, Any]] = {}
        self._closed = False

    @overload
    def kind(
        self, name: str, model: type[T], *, codec: None = None, **options: Unpack[KindOptions[T]]
    ) -> StoreKind[T]: ...

    @overload
    def kind(
        self, name: str, model: type[T] | None = None, *, codec: Codec[T, S], **options: Unpack[KindOptions[T]]
    ) -> StoreKind[T, S]: ...

    @overload
    def kind(
        self, name: str, model: None = None, *, codec: None = None, **options: Unpack[KindOptions[Any]]
    ) -> StoreKind[Any]: ...

    def kind(
        self,
        name: str,
        model: type[Any] | None = None,
        *,
        codec: Codec[Any, Any] | None = None,
        **options: Unpack[KindOptions[Any]],
    ) -> StoreKind[Any, Any]:
        """Return a kind's handle; the first call creates the kind.

        Args:
            name: the kind's name.
            model: the class that values must be of; None accepts every value.
            codec: how values are kept; by default they are copied.
            **options: see :class:`KindOptions`.

        Raises:
            KindRequired: the name is empty.
            StoreError: the kind exists with another model, or options were given for a kind that exists.
            StoreClosed: the store has been closed.
        """
        if not name:
            raise KindRequired("a kind needs a name, such as store.kind('users', User)")
        if model is not None and not isinstance(model, type):
            raise TypeError(f"kind {name!r}: model must be a class, not {model!r}")
        settings = KindSettings(**options)
        with self._lock:
            self._check_open()
            found = self._kinds.get(name)
            if found is None:
                found = MemoryKind(name, model, self._lock, codec, settings)
                self._kinds[name] = found
                return found
        if model is not None and model is not found.model:
            known = "no model" if found.model is None else f"model {found.model.__qualname__}"
            raise StoreError(f"kind {name!r} exists with {known}; give model {model.__qualname__} another kind name")
        if codec is not None or settings != KindSettings():
            raise StoreError(
                f"kind {name!r} exists; give its options with the call that creates it, here only the name"
            )
        return found

    def kinds(self) -> list[str]:
        """Return the names of the kinds, in the order in which they were created."""
        with self._lock:
            self._check_open()
            return list(self._kinds)

    def watch(self, kind: str, **options: Unpack[WatchOptions[Any]]) -> Watch[Any]:
        """Subscribe to a kind by its name; the options are those of :meth:`StoreKind.watch`.

        Raises:
            KindRequired: no kind of this name has been created.
        """
        with self._lock:
            self._check_open()
            found = self._kinds.get(kind)
        if found is None:
            raise KindRequired(f"there is no kind {kind!r} to watch; create it with store.kind({kind!r}, Model) first")
        return found.watch(**options)

    def dump(self) -> dict[str, dict[str, Any]]:
        """Return every kind's names and values: for debugging and for tests."""
        with self._lock:
            self._check_open()
            return {name: dict(kind.items()) for name, kind in self._kinds.items()}

    def close(self) -> None:
        """End every watch and reject later operations with StoreClosed; calling it again is harmless (S12)."""
        with self._lock:
            self._closed = True
            for kind in self._kinds.values():
                kind.encoded.close()

    def _check_open(self) -> None:
        if self._closed:
            raise StoreClosed("the store has been closed")

    def __enter__(self) -> MemoryStore:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()
