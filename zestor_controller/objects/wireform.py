"""The wire form of a typed object: what is sent to a server.

Invariants: the same object has the same wire form in every process (sets are sorted); None is sent as null wherever its
absence would mean something else (the field's default is not None, or it is an item of a list or a value of a mapping)
and is left out elsewhere; what was read and has not been changed is sent as the text that was read, so that a rewrite
does not touch a date or a duration in another notation.
"""

from __future__ import annotations

import dataclasses
import math
from collections import deque
from collections.abc import Mapping, Set
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin
from weakref import WeakKeyDictionary

import msgspec
from pydantic import BaseModel, RootModel
from pydantic.fields import FieldInfo

__all__ = ["as_read", "means_none", "wire_form", "wire_value"]

Json = dict[str, Any]


class _SetItems(list[Any]):
    """The items of a set: sorted, so that their places say nothing about the places in what was read."""


def wire_form(obj: BaseModel) -> Json:
    """An object with wire names; equal objects have equal wire forms.

    Args:
        obj: an instance of any pydantic model.

    Raises:
        ValueError: a number is not finite: JSON has no such thing, and null would be another value.
    """
    made: Json = wire_value(obj, obj.model_dump(mode="json", by_alias=True), type(obj).__name__)
    return made


def as_read(read: Json, then: Json, now: Json) -> Json:
    """The wire form of an object that was read, in the notation of the server where nothing was changed.

    Args:
        read: the JSON that was read.
        then: the wire form of the object when it was read.
        now: its present wire form.
    """
    merged: Json = _merged(read, then, now)
    return merged


def means_none(field: FieldInfo) -> bool:
    """Whether a field reads as None when it is absent."""
    return field.default is None and field.default_factory is None


# The wire form


def wire_value(value: Any, dumped: Any, path: str) -> Any:
    """The wire form of a value.

    Args:
        value: the Python value.
        dumped: what pydantic made of it, in JSON mode and by alias.
        path: where it is, for errors.

    Raises:
        ValueError: a number is not finite.
    """
    if isinstance(dumped, float) and not math.isfinite(dumped):
        raise ValueError(f"{path}: {dumped!r} cannot be sent: JSON has no such number; use None or a finite one")
    if isinstance(dumped, dict):
        return _object(value, dumped, path)
    if isinstance(dumped, list):
        return _list(value, dumped, path)
    return dumped


def _object(value: Any, dumped: Json, path: str) -> Any:
    if isinstance(value, RootModel):
        return wire_value(value.root, dumped, path)
    if isinstance(value, Mapping):
        if len(value) != len(dumped):
            return dumped
        pairs = zip(dumped.items(), value.values(), strict=True)
        return {key: wire_value(inner, made, f"{path}.{key}") for (key, made), inner in pairs}
    model = type(value)
    if model not in _LAYOUTS:
        _LAYOUTS[model] = _layout(model)
    layout = _LAYOUTS[model]
    if layout is None:
        return dumped
    names, absent = layout
    beside = getattr(value, "__pydantic_extra__", None) or {}
    form: Json = {}
    for wire, made in dumped.items():
        name = names.get(wire)
        inner = getattr(value, name) if name is not None else beside.get(wire, made)
        if inner is not None or wire not in absent:
            form[wire] = wire_value(inner, made, f"{path}.{wire}")
    return form


_LAYOUTS: WeakKeyDictionary[type, tuple[dict[str, str], set[str]] | None] = WeakKeyDictionary()


def _layout(model: type) -> tuple[dict[str, str], set[str]] | None:
    """The Python names of a class's fields by wire name, and those whose None is left out; None for other classes.

    The None of a field that takes none is a field that was given up: no server would accept a null there.
    """
    fields: dict[str, FieldInfo] | None = getattr(model, "__pydantic_fields__", None)
    if fields is not None:
        names = {field.serialization_alias or field.alias or name: name for name, field in fields.items()}
        absent = {
            wire for wire, name in names.items() if means_none(fields[name]) or not _takes_none(fields[name].annotation)
        }
        return names, absent
    if dataclasses.is_dataclass(model):
        members = dataclasses.fields(model)
        return {field.name: field.name for field in members}, {f.name for f in members if f.default is None}
    return None


def _takes_none(annotation: Any) -> bool:
    if annotation in (None, type(None), Any) or isinstance(annotation, TypeVar):
        return True
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        return any(_takes_none(one) for one in get_args(annotation))
    if origin is Annotated:
        return _takes_none(get_args(annotation)[0])
    return origin is Literal and None in get_args(annotation)


def _list(value: Any, dumped: list[Any], path: str) -> Any:
    if isinstance(value, RootModel):
        return wire_value(value.root, dumped, path)
    if not isinstance(value, list | tuple | deque | Set) or len(value) != len(dumped):
        return dumped
    items = [wire_value(inner, made, f"{path}[]") for inner, made in zip(value, dumped, strict=True)]
    return _SetItems(sorted(items, key=_order)) if isinstance(value, Set) else items


def _order(item: Any) -> tuple[bool, Any]:
    """Numbers by value, before everything else by its text."""
    number = isinstance(item, int | float)
    return not number, item if number else _text(item)


def _text(value: Any) -> bytes:
    return msgspec.json.encode(value, order="deterministic")


# What was read


def _merged(read: Any, then: Any, now: Any) -> Any:
    if isinstance(read, dict) and isinstance(then, dict) and isinstance(now, dict):
        merged = {
            key: _merged(read[key], then[key], value) if key in read and key in then else value
            for key, value in now.items()
        }
        # What the model does not keep was not changed by it either.
        dropped = {key: value for key, value in read.items() if key not in then and key not in now}
        return {**merged, **dropped}
    if isinstance(read, list) and isinstance(then, list) and isinstance(now, list):
        if isinstance(then, _SetItems):
            return read if _text(then) == _text(now) else list(now)
        if len(read) == len(then):
            return _merged_items(read, then, now)
        return now
    return read if type(then) is type(now) and then == now else now


def _merged_items(read: list[Any], then: list[Any], now: list[Any]) -> list[Any]:
    """The items of a list, each with the item that it was: the same one, or else the one in its place."""
    known: dict[bytes, int] = {}
    for index, item in enumerate(then):
        known.setdefault(_text(item), index)
    merged = []
    for index, item in enumerate(now):
        place: int | None = index if index < len(then) and then[index] == item else known.get(_text(item))
        if place is None and len(now) == len(then):
            place = index
        merged.append(item if place is None else _merged(read[place], then[place], item))
    return merged
