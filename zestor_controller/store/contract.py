"""What every store promises, whatever its backend; the hub keeps the promises about watches for all of them.

The guarantees, by number. Each has tests named after it in :mod:`zestor_controller.testing.store_contract`, the
conformance suite that a backend of yours can run too.

- **S1 Typed.** A kind with a model refuses a value of another type with TypeError.
- **S2 Event types.** CREATE, UPDATE (``event.old`` is the value before) and DELETE (the last value).
- **S3 No event without change.** An equal value writes nothing and tells nobody; ``set`` returns a :class:`Change`.
- **S4 Order and replay.** Events come in the order of the writes; a replay comes first and is atomic with the
  subscription; then the watch tells once that it is in sync.
- **S5 Filters.** An event that is filtered out takes no place in the buffer and wakes nobody.
- **S6 Buffer.** A write never waits for a watcher; no gap is silent: DROP counts, COALESCE folds, CLOSE ends the watch.
- **S7 Cancel.** ``cancel()`` or leaving the ``with`` block ends a watch; a forgotten one is cleaned up, with a warning.
- **S8 Independent watchers.** A slow, failing or cancelled watcher affects neither another one nor the writer.
- **S9 Threads and loops.** Every operation is safe from any thread; watches are iterated with ``for`` or ``async for``.
- **S10 Atomic writes.** ``update``, ``set_many``, ``replace`` and stages are all or nothing and return what changed.
- **S11 Validation.** A refused write raises ValidationFailed and changes nothing.
- **S12 Close.** ``close()`` ends every watch once, buffered events first; later operations raise StoreClosed.
- **S13 Reads.** Values are copied in on write and private on read, unless they are immutable.
- **S14 Backends.** Every backend passes the same suite.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, overload

from typing_extensions import TypeVar

from zestor_controller.store.event import Change

if TYPE_CHECKING:
    import builtins
    from collections.abc import Callable, Hashable, Iterable, Mapping
    from types import TracebackType
    from typing import Unpack

    from zestor_controller.store.codec import Codec
    from zestor_controller.store.encodedkind import EncodedKind
    from zestor_controller.store.kindoptions import KindOptions
    from zestor_controller.store.watch import Watch
    from zestor_controller.store.watchoptions import WatchOptions

__all__ = ["Stage", "Store", "StoreKind"]

T = TypeVar("T")
S = TypeVar("S", default=object)
T_contra = TypeVar("T_contra", contravariant=True)


class Stage(Protocol[T_contra]):
    """A kind's next content, swapped in at once when the ``with`` or ``async with`` block is left without an error."""

    @property
    def changed(self) -> int:
        """How many names the commit changed."""
        ...

    def put(self, name: str, value: T_contra) -> None:
        """Add one value; checked and copied in at once, readers see it after the swap.

        Raises:
            TypeError: the value is not of the kind's model.
            ValidationFailed: the kind's ``validate`` refuses it.
        """
        ...

    def commit(self) -> int:
        """Swap now; returns how many names changed."""
        ...

    async def commit_async(self, slice_s: float = 0.005) -> int:
        """Swap now, in slices that let the event loop run; returns how many names changed."""
        ...

    def discard(self) -> None:
        """Give the stage up; nothing changes."""
        ...

    def __enter__(self) -> Stage[T_contra]: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None: ...

    async def __aenter__(self) -> Stage[T_contra]: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None: ...


class StoreKind(Protocol[T, S]):
    """The handle of one kind: names to values of one type, kept in stored form `S`.

    All methods are safe from any thread (S9).
    """

    @property
    def name(self) -> str:
        """The kind's name."""
        ...

    @property
    def model(self) -> type[T] | None:
        """The class that values must be of; None accepts every value."""
        ...

    @property
    def encoded(self) -> EncodedKind[S]:
        """The writer's side, with values in stored form."""
        ...

    def set(self, name: str, value: T) -> Change:
        """Write one value (S1, S3, S11).

        Returns:
            CREATED, UPDATED, or UNCHANGED for an equal value.

        Raises:
            TypeError: the value is not of the kind's model, or None.
            ValidationFailed: the kind's ``validate`` refuses it.
            StoreClosed: the store has been closed.
        """
        ...

    def set_many(self, values: Mapping[str, T]) -> dict[str, Change]:
        """Set the given names and leave others, all or nothing; events come in name order (S10).

        Returns:
            The names that changed.
        """
        ...

    def update(self, name: str, fn: Callable[[T | None], T | None]) -> Change:
        """Apply a plain, quick function to a value under the write lock (S10).

        Args:
            name: the name.
            fn: gets a private copy of the value, or None when there is none, and returns the new value; None for an
                absent name leaves it absent. What it raises changes nothing and is passed on.

        Raises:
            TypeError: `fn` is a coroutine function, or returned None for a present value.
        """
        ...

    def replace(self, values: Mapping[str, T]) -> dict[str, Change]:
        """Make the kind equal to `values`, all or nothing; events are exactly the difference, in name order (S10).

        Returns:
            The names that changed, deleted ones included.
        """
        ...

    def delete(self, name: str) -> T | None:
        """Delete a name; returns its last value, or None when there was none."""
        ...

    def get(self, name: str) -> T | None:
        """Return a value, yours to change (S13); None when there is none.

        Raises:
            InvalidObject: the stored object does not decode to the model.
        """
        ...

    def items(self) -> builtins.list[tuple[str, T]]:
        """Return all names and values, of one moment; objects that do not decode are skipped and counted."""
        ...

    def names(self) -> builtins.list[str]:
        """Return all names, of one moment."""
        ...

    def count(self) -> int:
        """Return the number of objects."""
        ...

    def by_index(self, index: str, key: Hashable) -> builtins.list[T]:
        """Return the values that a named index files under a key.

        Raises:
            StoreError: the kind has no such index.
        """
        ...

    def add_index(self, name: str, fn: Callable[[T], Iterable[Hashable]], *, encoded: bool = False) -> None:
        """Add a named index, kept with every write from now on.

        Args:
            name: the index's name.
            fn: returns the keys of one object; when it raises, that object is in no set of this index.
            encoded: `fn` gets the stored form instead of the decoded object.
        """
        ...

    def stage(self) -> Stage[T]:
        """Open a stage for a large new content: ``with kind.stage() as stage: stage.put(name, value)`` (S10)."""
        ...

    def watch(self, **options: Unpack[WatchOptions[T]]) -> Watch[T]:
        """Subscribe to the kind's changes (S4 to S9).

        Args:
            **options: see :class:`WatchOptions`.
        """
        ...

    def list(self, *filters: Callable[[T], object]) -> builtins.list[T]:
        """Return the values for which every filter returns true; objects that do not decode are skipped and counted."""
        ...


class Store(Protocol):
    """Typed objects in kinds, and a watch on every change."""

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

    def kind(self, name: str, model: Any = None, **options: Any) -> Any:
        """Return a kind's handle; the first call creates it, later ones may name its model again and nothing else."""
        ...

    def kinds(self) -> builtins.list[str]:
        """Return the names of the kinds, in the order in which they were created."""
        ...

    def watch(self, kind: str, **options: Unpack[WatchOptions[Any]]) -> Watch[Any]:
        """Subscribe to a kind by its name; the options are those of :meth:`StoreKind.watch`.

        Raises:
            KindRequired: no kind of this name has been created.
        """
        ...

    def dump(self) -> dict[str, dict[str, Any]]:
        """Return every kind's names and values: for debugging and for tests."""
        ...

    def close(self) -> None:
        """End every watch and refuse later operations with StoreClosed; calling it again is harmless (S12)."""
        ...
