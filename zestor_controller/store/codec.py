"""How values are kept: encoded on write, decoded to a private copy on every read (S13).

Invariant: nothing that a caller still holds is ever stored, and nothing stored is ever handed out, unless it is
immutable all the way down; then it is handed out as it is.
"""

from __future__ import annotations

import copy
import dataclasses
import datetime
import decimal
import enum
import fractions
import pathlib
import uuid
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, cast, runtime_checkable

from zestor_controller.errors import InvalidObject

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Codec", "CopyCodec", "ReplacingCodec"]

T = TypeVar("T")
S = TypeVar("S")


class Codec(Protocol[T, S]):
    """Turns values into stored form and back; given to ``store.kind(..., codec=)``.

    All three methods are called from any thread and must be pure.
    """

    def encode(self, value: T, /) -> S:
        """Return the stored form of a value; must share no mutable part with it."""
        ...

    def decode(self, stored: S, /) -> T:
        """Return a private copy of the value.

        Raises:
            InvalidObject: the stored form does not decode to the kind's model.
        """
        ...

    def same(self, old: S, new: S, /) -> bool:
        """Return whether two stored forms hold equal values: such a write is no change and makes no event (S3)."""
        ...


@runtime_checkable
class ReplacingCodec(Protocol):
    """A codec that can also see that a name has been reused by another object."""

    def replaced(self, old: Any, new: Any, /) -> bool:
        """Return whether `new` is another object (another uid) of the same name: a DELETE, then a CREATE (C3)."""
        ...


_ATOMS: frozenset[type] = frozenset(
    {
        type(None),
        bool,
        int,
        float,
        complex,
        str,
        bytes,
        range,
        type(Ellipsis),
        datetime.date,
        datetime.datetime,
        datetime.time,
        datetime.timedelta,
        datetime.timezone,
        decimal.Decimal,
        fractions.Fraction,
        uuid.UUID,
        pathlib.PurePosixPath,
        pathlib.PureWindowsPath,
        pathlib.PosixPath,
        pathlib.WindowsPath,
    }
)


def _frozen_fields(kind: type) -> tuple[str, ...] | None:
    """Return the fields of a frozen dataclass, msgspec struct or pydantic model; None for every other class.

    msgspec and pydantic are recognised by their attributes, so that the store imports neither.
    """
    if dataclasses.is_dataclass(kind):
        params = getattr(kind, "__dataclass_params__", None)
        return tuple(f.name for f in dataclasses.fields(kind)) if params is not None and params.frozen else None
    config = getattr(kind, "__struct_config__", None)
    if config is not None and getattr(config, "frozen", False):
        return tuple(getattr(kind, "__struct_fields__", ()))
    fields = getattr(kind, "__pydantic_fields__", None)
    if isinstance(fields, dict):
        model_config = getattr(kind, "model_config", {})
        if model_config.get("frozen") and model_config.get("extra") != "allow" and not kind.__private_attributes__:  # type: ignore[attr-defined]
            return tuple(fields)
    return None


# Classes are few and live long; the result for a class never changes, so two threads that race write the same.
_FIELDS: dict[type, tuple[str, ...] | None] = {}


def is_immutable(value: object) -> bool:
    """Return whether a value cannot change, all the way down: only then may it be shared between callers."""
    kind = type(value)
    if kind in _ATOMS or isinstance(value, enum.Enum):
        return True
    if kind is tuple or kind is frozenset:
        return all(map(is_immutable, cast("tuple[object, ...]", value)))
    try:
        fields = _FIELDS[kind]
    except KeyError:
        fields = _FIELDS[kind] = _frozen_fields(kind)
    if fields is None:
        return False
    return all(is_immutable(getattr(value, name)) for name in fields)


def private_copy(value: Any) -> Any:
    """Copy a value deeply; much faster than ``copy.deepcopy`` for what JSON can hold."""
    try:
        return _copy(value)
    except RecursionError:  # a value that contains itself: deepcopy remembers what it has seen
        return copy.deepcopy(value)


def _copy(value: Any) -> Any:
    kind = type(value)
    if kind in _ATOMS:
        return value
    if kind is dict:
        return {_copy(key): _copy(item) for key, item in value.items()}
    if kind is list:
        return [_copy(item) for item in value]
    if is_immutable(value):
        return value
    return copy.deepcopy(value)


class _Private:
    """Marks a stored value that is mutable: it is copied at every read."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class CopyCodec(Generic[T]):
    """The default codec: immutable values are kept and handed out as they are, others are copied by value.

    Args:
        compare: returns whether two values are equal; by default values of one type are compared with ``==``.
    """

    as_is = _ATOMS
    """Types whose values are immutable, so that a caller may skip ``encode``."""

    def __init__(self, compare: Callable[[T, T], bool] | None = None) -> None:
        self._compare = compare
        self.same: Callable[[Any, Any], bool] = _same_by_value if compare is None else self._same_by_compare

    def encode(self, value: T) -> Any:
        """Return the value itself when it is immutable, else a marked private copy."""
        if is_immutable(value):
            return value
        return _Private(private_copy(value))

    def decode(self, stored: Any) -> T:
        """Return the value itself when it is immutable, else a new copy."""
        if type(stored) is _Private:
            return cast("T", private_copy(stored.value))
        return cast("T", stored)

    def _same_by_compare(self, old: Any, new: Any) -> bool:
        assert self._compare is not None
        return bool(self._compare(self.decode(old), self.decode(new)))


def _same_by_value(old: Any, new: Any) -> bool:
    """Compare two stored values of one type with ``==``."""
    if type(old) is not type(new):
        return False
    if type(old) is _Private:
        old, new = old.value, new.value
        return type(old) is type(new) and bool(old == new)
    return bool(old == new)


class ComparedCodec(Generic[T]):
    """A user's codec whose ``same`` is decided by the kind's ``compare`` on decoded values."""

    def __init__(self, codec: Codec[T, Any], compare: Callable[[T, T], bool]) -> None:
        self.encode = codec.encode
        self.decode = codec.decode
        self._compare = compare
        if isinstance(codec, ReplacingCodec):
            self.replaced = codec.replaced

    def same(self, old: Any, new: Any) -> bool:
        """Decode both and ask ``compare``; what does not decode equals nothing."""
        try:
            return bool(self._compare(self.decode(old), self.decode(new)))
        except InvalidObject:
            return False
