"""One kind of a store in memory: typed values over a table of their stored forms.

Invariants: a value is type-checked, validated and encoded before the table is touched, so a rejected write changes
nothing (S10, S11); decoding for a reader happens outside the lock.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from zestor_controller.errors import InvalidObject, ValidationFailed
from zestor_controller.store.codec import Codec, ComparedCodec, CopyCodec
from zestor_controller.store.encodedkind import EncodedKind
from zestor_controller.store.event import Change, Event, EventType, Overflow

if TYPE_CHECKING:
    import builtins
    import threading
    from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
    from types import TracebackType

    from zestor_controller.store.stage import EncodedStage
    from zestor_controller.store.watch import Watch

__all__ = ["MemoryKind"]

T = TypeVar("T")


class MemoryKind(Generic[T]):
    """One kind of a :class:`MemoryStore`; the promises are those of :class:`StoreKind`."""

    def __init__(
        self,
        name: str,
        model: type[T] | None,
        lock: threading.RLock,
        codec: Codec[T, Any] | None,
        compare: Callable[[T, T], bool] | None,
        validate: Callable[..., object] | None,
        indexes: Mapping[str, Callable[[T], Iterable[Hashable]]] | None,
        synced: bool,
    ) -> None:
        kept: Codec[T, Any]
        if codec is None:
            kept = CopyCodec(compare)
        elif compare is None:
            kept = codec
        else:
            kept = ComparedCodec(codec, compare)
        self._name = name
        self._model = model
        self._validate = None if validate is None else _validator(name, validate)
        self._codec = kept
        self._encode = kept.encode
        self._as_is = kept.as_is if isinstance(kept, CopyCodec) else frozenset()  # types stored without being encoded
        self._table: EncodedKind[Any] = EncodedKind(name, lock, kept, synced)
        self._write = self._table.write
        self._undecodable = 0
        for index, function in (indexes or {}).items():
            self._table.add_index(index, function)

    @property
    def name(self) -> str:
        """The kind's name."""
        return self._name

    @property
    def model(self) -> type[T] | None:
        """The class that values must be of; None accepts every value."""
        return self._model

    @property
    def encoded(self) -> EncodedKind[Any]:
        """The writer's side with values in stored form, without decoding and without copies."""
        return self._table

    @property
    def undecodable(self) -> int:
        """How many times a reader of many values skipped one that does not decode (C10)."""
        return self._undecodable

    def set(self, name: str, value: T) -> Change:
        """Write one value; see :meth:`StoreKind.set`."""
        if type(value) is not self._model or type(name) is not str:
            self._check_type(name, value)
        if self._validate is not None:
            self._validate(name, value)
        return self._write(name, value if type(value) in self._as_is else self._encode(value))

    def set_many(self, values: Mapping[str, T]) -> dict[str, Change]:
        """Set the given names and leave others; see :meth:`StoreKind.set_many`."""
        return self._table.merge(self._prepare(values))

    def update(self, name: str, fn: Callable[[T | None], T | None]) -> Change:
        """Apply a function to a value under the write lock; see :meth:`StoreKind.update`."""
        if inspect.iscoroutinefunction(fn) or inspect.iscoroutinefunction(getattr(fn, "__call__", None)):  # noqa: B004
            raise TypeError(
                f"kind {self._name!r}, name {name!r}: update takes a plain function, not a coroutine function"
            )
        table = self._table
        with table.lock:
            table.guard.check_write()
            with table.guard.calling("a function given to update()"):
                present = table.objects.get(name)
                value = fn(None if present is None else self._codec.decode(present))
            if value is None:
                if present is None:
                    return Change.UNCHANGED
                raise TypeError(
                    f"kind {self._name!r}, name {name!r}: the function given to update() returned None; "
                    "return the new value, or use delete()"
                )
            if inspect.isawaitable(value):
                if inspect.iscoroutine(value):
                    value.close()
                raise TypeError(
                    f"kind {self._name!r}, name {name!r}: the function given to update() returned an awaitable"
                )
            self._check(name, value)
            return self._write(name, self._encode(value))

    def replace(self, values: Mapping[str, T]) -> dict[str, Change]:
        """Make the kind equal to `values`; see :meth:`StoreKind.replace`."""
        return self._table.replace(self._prepare(values))

    def delete(self, name: str) -> T | None:
        """Delete a name; see :meth:`StoreKind.delete`. The last value is None, too, when it does not decode."""
        stored = self._table.discard(name)
        try:
            return None if stored is None else self._codec.decode(stored)
        except InvalidObject:  # it has been deleted, which is what counts
            return None

    def get(self, name: str) -> T | None:
        """Return a value; see :meth:`StoreKind.get`."""
        stored = self._table.get(name)
        return None if stored is None else self._codec.decode(stored)

    def items(self) -> builtins.list[tuple[str, T]]:
        """Return all names and values; see :meth:`StoreKind.items`."""
        return self._decoded(self._table.items())

    def names(self) -> builtins.list[str]:
        """Return all names, of one moment."""
        return self._table.names()

    def count(self) -> int:
        """Return the number of objects."""
        return self._table.count()

    def by_index(self, index: str, key: Hashable) -> builtins.list[T]:
        """Return the values under a key of an index; see :meth:`StoreKind.by_index`."""
        return [value for _, value in self._decoded(self._table.by_index(index, key))]

    def add_index(self, name: str, fn: Callable[[T], Iterable[Hashable]], *, encoded: bool = False) -> None:
        """Add a named index; see :meth:`StoreKind.add_index`."""
        self._table.add_index(name, fn, encoded=encoded)

    def stage(self) -> MemoryStage[T]:
        """Open a stage for a large new content; see :meth:`StoreKind.stage`."""
        return MemoryStage(self._table.stage(), self._checked)

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
        """Subscribe to the kind's changes; see :meth:`StoreKind.watch`."""
        return self._table.watch(
            event_types=event_types,
            names=names,
            predicate=predicate,
            initial_replay=initial_replay,
            buffer_size=buffer_size,
            overflow=overflow,
            bookmarks=bookmarks,
        )

    def list(self, *filters: Callable[[T], object]) -> builtins.list[T]:
        """Return the values for which every filter returns true; see :meth:`StoreKind.list`."""
        values = self._decoded(self._table.items())
        return [value for _, value in values if all(passes(value) for passes in filters)]

    def _prepare(self, values: Mapping[str, T]) -> dict[str, Any]:
        """Check and encode everything before anything is written."""
        return {name: self._checked(name, value) for name, value in values.items()}

    def _checked(self, name: str, value: T) -> Any:
        self._check(name, value)
        return self._encode(value)

    def _check(self, name: str, value: T) -> None:
        self._check_type(name, value)
        if self._validate is not None:
            self._validate(name, value)

    def _check_type(self, name: str, value: object) -> None:
        if not isinstance(name, str):
            raise TypeError(
                f"kind {self._name!r}: a name is a str, not {name!r} (write str(name) for a NamespacedName)"
            )
        if value is not None and (self._model is None or isinstance(value, self._model)):
            return
        wanted = "a value" if self._model is None else self._model.__qualname__
        raise TypeError(f"kind {self._name!r}, name {name!r}: takes {wanted}, not {type(value).__qualname__}")

    def _decoded(self, items: Iterable[tuple[str, Any]]) -> builtins.list[tuple[str, T]]:
        decode = self._codec.decode
        found: builtins.list[tuple[str, T]] = []
        for name, stored in items:
            try:
                found.append((name, decode(stored)))
            except InvalidObject:
                with self._table.lock:
                    self._undecodable += 1
        return found

    def __repr__(self) -> str:
        model = "" if self._model is None else f" of {self._model.__qualname__}"
        return f"<kind {self._name!r}{model}>"


class MemoryStage(Generic[T]):
    """A stage of decoded values; see :class:`zestor_controller.store.contract.Stage`."""

    def __init__(self, stage: EncodedStage[Any], checked: Callable[[str, T], Any]) -> None:
        self._stage = stage
        self._checked = checked

    @property
    def changed(self) -> int:
        """How many names the commit changed."""
        return self._stage.changed

    def put(self, name: str, value: T) -> None:
        """Add one value, checked and copied in at once."""
        self._stage.put(name, self._checked(name, value))

    def commit(self) -> int:
        """Swap now; returns how many names changed."""
        return self._stage.commit()

    async def commit_async(self, slice_s: float = 0.005) -> int:
        """Swap now, in slices that let the event loop run; returns how many names changed."""
        return await self._stage.commit_async(slice_s)

    def discard(self) -> None:
        """Give the stage up; nothing changes."""
        self._stage.discard()

    def __enter__(self) -> MemoryStage[T]:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._stage.__exit__(kind, error, tb)

    async def __aenter__(self) -> MemoryStage[T]:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self._stage.__aexit__(kind, error, tb)


def _validator(kind: str, validate: Callable[..., object]) -> Callable[[str, Any], None]:
    """Wrap a user's ``validate`` of one or two arguments into one that raises ValidationFailed."""
    try:
        parameters = inspect.signature(validate).parameters.values()
        required = [
            p for p in parameters if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        ]
        with_name = len(required) == 2
    except (TypeError, ValueError):  # a function in C without a signature
        with_name = False

    def check(name: str, value: Any) -> None:
        try:
            verdict = validate(name, value) if with_name else validate(value)
        except ValidationFailed:
            raise
        except Exception as error:
            raise ValidationFailed(f"kind {kind!r}, name {name!r}: {error}", kind=kind, name=name) from error
        if verdict is False or isinstance(verdict, str):
            reason = verdict or "the value is not valid"
            raise ValidationFailed(f"kind {kind!r}, name {name!r}: {reason}", kind=kind, name=name)

    return check
