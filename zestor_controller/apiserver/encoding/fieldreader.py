"""Readers of the values in a field: what Go's strict decoder makes of strings, numbers, times, lists and maps.

Invariant: a reader returns the value as a Go server prints it, or raises :class:`Mismatch` with Go's message; unknown
and duplicate fields are collected, never raised. Which reader a field has is decided by
:mod:`zestor_controller.apiserver.encoding.typedcodec`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from zestor_controller.apiserver.encoding.duplicates import Duplicates
from zestor_controller.apiserver.encoding.gotime import micro_time, plain_time
from zestor_controller.apiserver.encoding.quantity import canonical
from zestor_controller.apiserver.syntax.gobase64 import canonical_base64
from zestor_controller.schema.gotext import quote

__all__ = [
    "READERS",
    "Decoded",
    "GoPlace",
    "Mismatch",
    "Path",
    "Reader",
    "dotted",
    "go_name",
    "list_of",
    "map_of",
    "mismatch",
    "read_raw",
    "read_string",
    "report_duplicates",
]

_INT_BOUNDS = {"int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1), "uint32": (0, 2**32 - 1)}

Path = tuple["Path | None", "str | int"]


class Mismatch(Exception):
    """A value of the wrong JSON type; carries the finished complaint."""


@dataclass(slots=True)
class Decoded:
    """What a decoding has to say beside the object.

    Attributes:
        duplicates: repeated keys that were not reported yet; None for a document without any, which nearly all are.
        complaints: unknown and duplicate fields, in the order of the document.
    """

    duplicates: Duplicates | None
    complaints: list[str] = field(default_factory=list)


Reader = Callable[[Any, "Path | None", Decoded, "GoPlace"], Any]


@dataclass(frozen=True, slots=True)
class GoPlace:
    """A value's place in Go's types: the struct that holds the field, and the Go type of the field."""

    struct: str
    go_type: str


def report_duplicates(path: Path | None, decoded: Decoded) -> None:
    """Report the repeated keys of the object at a path that were not reported yet."""
    taken = decoded.duplicates.take(dotted(path)) if decoded.duplicates else ()
    decoded.complaints += [f"duplicate field {quote(name)}" for name in taken]


def dotted(path: Path | None) -> str:
    """A path as the server's messages show it: ``spec.ports[0].name``."""
    parts: list[str | int] = []
    while path is not None:
        parts.append(path[1])
        path = path[0]
    text = ""
    for part in reversed(parts):
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


_JSON_TYPES: dict[type, str] = {str: "string", list: "array", dict: "object"}


def _json_type(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    return _JSON_TYPES[type(value)]


def mismatch(value: Any, path: Path | None, place: GoPlace, what: str = "") -> Mismatch:
    """The error of a value of the wrong JSON type."""
    what = what or _json_type(value)
    if path is None:
        return Mismatch(f"json: cannot unmarshal {what} into Go value of type {place.go_type}")
    where = f"{place.struct}.{_go_path(path)}"
    return Mismatch(f"json: cannot unmarshal {what} into Go struct field {where} of type {place.go_type}")


def _go_path(path: Path) -> str:
    # Go keeps a stack of struct fields only: list indices and keys of maps do not appear.
    parts: list[str] = []
    current: Path | None = path
    while current is not None:
        if isinstance(current[1], str):
            parts.append(current[1])
        current = current[0]
    return ".".join(reversed(parts))


def read_string(value: Any, path: Path | None, decoded: Decoded, place: GoPlace) -> Any:
    """A string."""
    if type(value) is str:
        return value
    if value is None:
        return ""
    raise mismatch(value, path, place)


def _read_bool(value: Any, path: Path | None, decoded: Decoded, place: GoPlace) -> Any:
    if type(value) is bool:
        return value
    if value is None:
        return False
    raise mismatch(value, path, place)


def _read_int(value: Any, path: Path | None, decoded: Decoded, place: GoPlace) -> Any:
    if type(value) is int:
        low, high = _INT_BOUNDS.get(place.go_type, _INT_BOUNDS["int64"])
        if low <= value <= high:
            return value
        raise mismatch(value, path, place, f"number {value}")
    if value is None:
        return 0
    raise mismatch(value, path, place, f"number {value}" if type(value) is float else "")


def _read_float(value: Any, path: Path | None, decoded: Decoded, place: GoPlace) -> Any:
    if type(value) in (int, float):
        return value
    if value is None:
        return 0
    raise mismatch(value, path, place)


def _read_bytes(value: Any, path: Path | None, decoded: Decoded, place: GoPlace) -> Any:
    if value is None:
        return None
    if type(value) is not str:
        raise mismatch(value, path, place)
    try:
        return canonical_base64(value)
    except ValueError as error:
        raise Mismatch(str(error)) from None


def _text_of(value: Any, path: Path | None, place: GoPlace) -> str:
    if type(value) is not str:
        raise mismatch(value, path, GoPlace(place.struct, "string"))
    return value


def _read_time(value: Any, path: Path | None, decoded: Decoded, place: GoPlace) -> Any:
    if value is None:
        return None
    try:
        return plain_time(_text_of(value, path, place))
    except ValueError as error:
        raise Mismatch(str(error)) from None


def _read_micro_time(value: Any, path: Path | None, decoded: Decoded, place: GoPlace) -> Any:
    if value is None:
        return None
    try:
        return micro_time(_text_of(value, path, place))
    except ValueError as error:
        raise Mismatch(str(error)) from None


def _read_quantity(value: Any, path: Path | None, decoded: Decoded, place: GoPlace) -> Any:
    if value is None:
        return "0"
    try:
        return canonical(value if type(value) is str else repr(value))
    except ValueError as error:
        raise Mismatch(str(error)) from None


def _read_int_or_string(value: Any, path: Path | None, decoded: Decoded, place: GoPlace) -> Any:
    if type(value) is str:
        return value
    return _read_int(value, path, decoded, GoPlace(place.struct, "int32"))


def _read_duration(value: Any, path: Path | None, decoded: Decoded, place: GoPlace) -> Any:
    return None if value is None else _text_of(value, path, place)


def read_raw(value: Any, path: Path | None, decoded: Decoded, place: GoPlace) -> Any:
    """Any JSON value, as it is."""
    return value


READERS: dict[str, Reader] = {
    "string": read_string,
    "bool": _read_bool,
    "int32": _read_int,
    "int64": _read_int,
    "uint32": _read_int,
    "double": _read_float,
    "float": _read_float,
    "bytes": _read_bytes,
    "time": _read_time,
    "microtime": _read_micro_time,
    "quantity": _read_quantity,
    "intOrString": _read_int_or_string,
    "duration": _read_duration,
    "raw": read_raw,
}


def list_of(read: Reader, go_element: str) -> Reader:
    """The reader of a list."""

    def read_list(value: Any, path: Path | None, decoded: Decoded, place: GoPlace) -> Any:
        if value is None:
            return None
        if type(value) is not list:
            raise mismatch(value, path, place)
        inner = GoPlace(place.struct, go_element)
        return [read(item, (path, index), decoded, inner) for index, item in enumerate(value)]

    return read_list


def map_of(read: Reader, go_element: str) -> Reader:
    """The reader of a map."""
    strings = read is read_string

    def read_map(value: Any, path: Path | None, decoded: Decoded, place: GoPlace) -> Any:
        if value is None:
            return None
        if type(value) is not dict:
            raise mismatch(value, path, place)
        if decoded.duplicates:
            report_duplicates(path, decoded)
        if strings and all(type(item) is str for item in value.values()):
            return value
        # Go's complaint names the map's field, not the key: a struct's fields are stacked, keys are not.
        inner = GoPlace(place.struct, go_element)
        return {key: read(item, path, decoded, inner) for key, item in value.items()}

    return read_map


def go_name(message: str) -> str:
    """The Go type as complaints name it: the last part of the package, and the type."""
    parts = message.split(".")
    return f"{parts[-2]}.{parts[-1]}"
