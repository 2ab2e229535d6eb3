"""Decoding of built-in kinds by their field tables: what Go's strict JSON decoder and encoder do, in one walk.

Invariant: a decoded object is what a Go server would print: unknown fields are gone, every value has its JSON type,
zero values of optional fields are left out, required ones are there, times, quantities and byte strings are canonical.
The complaints are worded as Go words them, since clients and their users match on them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from zestor_controller.apiserver.encoding.duplicates import Duplicates
from zestor_controller.apiserver.encoding.gotime import micro_time, plain_time
from zestor_controller.apiserver.encoding.quantity import canonical
from zestor_controller.apiserver.rest.status import Failure, bad_request
from zestor_controller.apiserver.syntax.gobase64 import canonical_base64
from zestor_controller.apiserver.syntax.gostring import quote
from zestor_controller.apiserver.typed.fieldtable import tables

if TYPE_CHECKING:
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["DecodeFailure", "Decoded", "decode", "shape", "zero"]

_INT_BOUNDS = {"int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1), "uint32": (0, 2**32 - 1)}

Path = tuple["Path | None", "str | int"]


class DecodeFailure(Failure):
    """400: the object cannot be read as its kind.

    Attributes:
        why: the complaint alone, as answers to patches quote it.
    """

    def __init__(self, kind: str, version: str, why: str) -> None:
        super().__init__(bad_request(f'{kind} in version "{version}" cannot be handled as a {kind}: {why}').body)
        self.why = why


class _Mismatch(Exception):
    """A value of the wrong JSON type; carries the finished complaint."""


@dataclass(slots=True)
class Decoded:
    """What a decoding has to say beside the object.

    Attributes:
        duplicates: repeated keys that were not reported yet.
        complaints: unknown and duplicate fields, in the order of the document.
    """

    duplicates: Duplicates
    complaints: list[str] = field(default_factory=list)


Reader = Callable[[Any, "Path | None", Decoded, "_Place"], Any]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a value stands in Go's types: the struct that holds the field, and the Go type that is wanted."""

    struct: str
    go_type: str


@dataclass(slots=True)
class _Field:
    name: str
    read: Reader
    place: _Place
    keep_zero: bool
    is_pointer: bool


@dataclass(slots=True)
class _Shape:
    """One message, compiled: its fields by JSON name, and those that are always printed."""

    go_name: str
    fields: dict[str, _Field]
    always: list[tuple[str, Callable[[], Any]]]

    def read(self, value: Any, path: Path | None, decoded: Decoded, place: _Place) -> Any:
        if value is None:
            return zero_of(self)
        if type(value) is not dict:
            raise _mismatch(value, path, place)
        out: Json = {}
        fields = self.fields
        for name, item in value.items():
            known = fields.get(name)
            if known is None:
                where = _dotted((path, name))
                decoded.complaints.append(f"unknown field {quote(where)}")
                if decoded.duplicates:
                    decoded.duplicates.take(where)
                continue
            if item is None:
                continue
            result = known.read(item, (path, name), decoded, known.place)
            if result or (result is not None and (known.is_pointer or known.keep_zero)):
                out[name] = result
        for name, make in self.always:
            if name not in out:
                out[name] = make()
        if decoded.duplicates:
            _report_duplicates(path, decoded)
        return out


def zero_of(known: _Shape) -> Json:
    """The zero value of a struct, as it is printed."""
    return {name: make() for name, make in known.always}


def _report_duplicates(path: Path | None, decoded: Decoded) -> None:
    decoded.complaints += [f"duplicate field {quote(name)}" for name in decoded.duplicates.take(_dotted(path))]


def _dotted(path: Path | None) -> str:
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


def _mismatch(value: Any, path: Path | None, place: _Place, what: str = "") -> _Mismatch:
    what = what or _json_type(value)
    if path is None:
        return _Mismatch(f"json: cannot unmarshal {what} into Go value of type {place.go_type}")
    where = f"{place.struct}.{_go_path(path)}"
    return _Mismatch(f"json: cannot unmarshal {what} into Go struct field {where} of type {place.go_type}")


def _go_path(path: Path) -> str:
    # Go keeps a stack of struct fields only: list indices and keys of maps do not appear.
    parts: list[str] = []
    current: Path | None = path
    while current is not None:
        if isinstance(current[1], str):
            parts.append(current[1])
        current = current[0]
    return ".".join(reversed(parts))


def _read_string(value: Any, path: Path | None, decoded: Decoded, place: _Place) -> Any:
    if type(value) is str:
        return value
    if value is None:
        return ""
    raise _mismatch(value, path, place)


def _read_bool(value: Any, path: Path | None, decoded: Decoded, place: _Place) -> Any:
    if type(value) is bool:
        return value
    if value is None:
        return False
    raise _mismatch(value, path, place)


def _read_int(value: Any, path: Path | None, decoded: Decoded, place: _Place) -> Any:
    if type(value) is int:
        low, high = _INT_BOUNDS.get(place.go_type, _INT_BOUNDS["int64"])
        if low <= value <= high:
            return value
        raise _mismatch(value, path, place, f"number {value}")
    if value is None:
        return 0
    raise _mismatch(value, path, place, f"number {value}" if type(value) is float else "")


def _read_float(value: Any, path: Path | None, decoded: Decoded, place: _Place) -> Any:
    if type(value) in (int, float):
        return value
    if value is None:
        return 0
    raise _mismatch(value, path, place)


def _read_bytes(value: Any, path: Path | None, decoded: Decoded, place: _Place) -> Any:
    if value is None:
        return None
    if type(value) is not str:
        raise _mismatch(value, path, place)
    try:
        return canonical_base64(value)
    except ValueError as error:
        raise _Mismatch(str(error)) from None


def _text_of(value: Any, path: Path | None, place: _Place) -> str:
    if type(value) is not str:
        raise _mismatch(value, path, _Place(place.struct, "string"))
    return value


def _read_time(value: Any, path: Path | None, decoded: Decoded, place: _Place) -> Any:
    if value is None:
        return None
    try:
        return plain_time(_text_of(value, path, place))
    except ValueError as error:
        raise _Mismatch(str(error)) from None


def _read_micro_time(value: Any, path: Path | None, decoded: Decoded, place: _Place) -> Any:
    if value is None:
        return None
    try:
        return micro_time(_text_of(value, path, place))
    except ValueError as error:
        raise _Mismatch(str(error)) from None


def _read_quantity(value: Any, path: Path | None, decoded: Decoded, place: _Place) -> Any:
    if value is None:
        return "0"
    try:
        return canonical(value if type(value) is str else repr(value))
    except ValueError as error:
        raise _Mismatch(str(error)) from None


def _read_int_or_string(value: Any, path: Path | None, decoded: Decoded, place: _Place) -> Any:
    if type(value) is str:
        return value
    return _read_int(value, path, decoded, _Place(place.struct, "int32"))


def _read_duration(value: Any, path: Path | None, decoded: Decoded, place: _Place) -> Any:
    return None if value is None else _text_of(value, path, place)


def _read_raw(value: Any, path: Path | None, decoded: Decoded, place: _Place) -> Any:
    return value


_SCHEMA = "k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps"


def _read_schema(value: Any, path: Path | None, decoded: Decoded, place: _Place) -> Any:
    # Read by a decoder of its own in Go, which is never strict: unknown fields go without a word.
    inner = _Place(place.struct, _go_name(_SCHEMA))
    return shape(_SCHEMA).read(value, path, Decoded(Duplicates(())), inner)


def _read_schema_or_list(value: Any, path: Path | None, decoded: Decoded, place: _Place) -> Any:
    if type(value) is list:
        return [_read_schema(item, path, decoded, place) for item in value]
    return _read_schema(value, path, decoded, place) if type(value) is dict else None


def _read_schema_or_bool(value: Any, path: Path | None, decoded: Decoded, place: _Place) -> Any:
    if type(value) is bool or value is None:
        return value
    if type(value) is not dict:
        raise _Mismatch("boolean or JSON schema expected")
    return _read_schema(value, path, decoded, place)


def _read_schema_or_strings(value: Any, path: Path | None, decoded: Decoded, place: _Place) -> Any:
    if type(value) is list:
        return [_read_string(item, path, decoded, _Place(place.struct, "string")) for item in value]
    return _read_schema(value, path, decoded, place) if type(value) is dict else None


_READERS: dict[str, Reader] = {
    "string": _read_string,
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
    "raw": _read_raw,
    "orArray": _read_schema_or_list,
    "orBool": _read_schema_or_bool,
    "orStringArray": _read_schema_or_strings,
}
_GO_TYPES = {"bytes": "[]uint8", "double": "float64", "float": "float32"}
_ZEROS: dict[str, Any] = {
    "string": "",
    "bool": False,
    "int32": 0,
    "int64": 0,
    "uint32": 0,
    "double": 0,
    "float": 0,
    "quantity": "0",
    "intOrString": 0,
    "duration": "0s",
}


def _list_of(read: Reader, go_element: str) -> Reader:
    def read_list(value: Any, path: Path | None, decoded: Decoded, place: _Place) -> Any:
        if value is None:
            return None
        if type(value) is not list:
            raise _mismatch(value, path, place)
        inner = _Place(place.struct, go_element)
        return [read(item, (path, index), decoded, inner) for index, item in enumerate(value)]

    return read_list


def _map_of(read: Reader, go_element: str) -> Reader:
    strings = read is _read_string

    def read_map(value: Any, path: Path | None, decoded: Decoded, place: _Place) -> Any:
        if value is None:
            return None
        if type(value) is not dict:
            raise _mismatch(value, path, place)
        if decoded.duplicates:
            _report_duplicates(path, decoded)
        if strings and all(type(item) is str for item in value.values()):
            return value
        # Go's complaint names the map's field, not the key: a struct's fields are stacked, keys are not.
        inner = _Place(place.struct, go_element)
        return {key: read(item, path, decoded, inner) for key, item in value.items()}

    return read_map


def _go_name(message: str) -> str:
    """The Go type as complaints name it: the last part of the package, and the type."""
    parts = message.split(".")
    return f"{parts[-2]}.{parts[-1]}"


def _lazy(message: str) -> Reader:
    # Messages are recursive (JSON schemas), so a shape is compiled on its first use.
    def read(value: Any, path: Path | None, decoded: Decoded, place: _Place) -> Any:
        return shape(message).read(value, path, decoded, place)

    return read


def _reader_of(type_name: str) -> tuple[Reader, str, str]:
    """The reader of a type, its Go name, and its family (a special, a scalar, or ``message``)."""
    special = tables()["special"].get(type_name)
    if special == "list":
        return _list_of(_read_string, "string"), "[]string", "list"
    if special is not None and special in _READERS:
        go = {"quantity": "resource.Quantity", "intOrString": "intstr.IntOrString"}.get(special, "v1.Time")
        if special.startswith("or"):
            return _READERS[special], _go_name(type_name), "raw"
        return _READERS[special], go, special
    if special is not None:
        return _read_raw, _go_name(type_name), "raw"
    if type_name in _READERS:
        return _READERS[type_name], _GO_TYPES.get(type_name, type_name), type_name
    return _lazy(type_name), _go_name(type_name), "message"


@cache
def _kind_messages() -> frozenset[str]:
    return frozenset(tables()["kinds"].values()) | {"k8s.io.apimachinery.pkg.apis.meta.v1.DeleteOptions"}


def _zero_factory(type_name: str, family: str, label: str) -> Callable[[], Any]:
    if label or family in ("list", "raw", "time", "microtime", "bytes"):
        return lambda: None
    if family == "message":
        return lambda: zero(type_name)
    value = _ZEROS[family]
    return lambda: value


@cache
def shape(message: str) -> _Shape:
    """The compiled form of one message.

    Raises:
        KeyError: there is no such message.
    """
    go_name = message.rsplit(".", 1)[-1]
    compiled = _Shape(go_name, {}, [])
    if message in _kind_messages():
        # A kind inside another object (a claim template, the options of an eviction) may name its type too.
        for name in ("apiVersion", "kind"):
            compiled.fields[name] = _Field(name, _read_string, _Place(go_name, "string"), False, False)
    for name, type_name, label, zero_rule in tables()["messages"][message].values():
        if label == "inline":
            inner = shape(type_name)
            for inner_name, inner_field in inner.fields.items():
                # Go reports a promoted field under the struct that embeds it.
                place = _Place(go_name, inner_field.place.go_type)
                compiled.fields[inner_name] = _Field(
                    inner_name, inner_field.read, place, inner_field.keep_zero, inner_field.is_pointer
                )
            compiled.always += inner.always
            continue
        read, go_type, family = _reader_of(type_name)
        if label == "repeated":
            read, go_type = _list_of(read, go_type), f"[]{go_type}"
        elif label == "map":
            read, go_type = _map_of(read, go_type), f"map[string]{go_type}"
        # An empty list or map comes back from storage as nil, so it prints as null (or not at all), never as [] or {}.
        # The entries of managers are the exception: an empty list of them, not the lack of one, resets them.
        keep_zero = not label and (zero_rule in ("k", "n") or family == "message")
        keep_zero = keep_zero or name == "managedFields"
        compiled.fields[name] = _Field(name, read, _Place(go_name, go_type), keep_zero, zero_rule == "p")
        if zero_rule == "k":
            compiled.always.append((name, _zero_factory(type_name, family, label)))
        elif zero_rule == "n":
            compiled.always.append((name, lambda: None))
    return compiled


def zero(message: str) -> Json:
    """The zero value of a message, as Go prints it: only the fields that are never left out."""
    return zero_of(shape(message))


def decode(message: str, body: Json, duplicates: Sequence[str]) -> tuple[Json, list[str]]:
    """Read an object as a message.

    Args:
        message: the full name of the kind's message.
        body: the object with its ``apiVersion`` and ``kind``, which are kept as they are.
        duplicates: paths of keys that stood twice.

    Returns:
        The object in canonical form, and the complaints about unknown and duplicate fields, in document order.

    Raises:
        ValueError: in the words of Go's decoder, for a value of the wrong type or form.
    """
    known = shape(message)
    decoded = Decoded(Duplicates(duplicates))
    head = {name: body[name] for name in ("kind", "apiVersion") if name in body}
    rest = {name: item for name, item in body.items() if name not in head}
    try:
        for name, item in head.items():
            _read_string(item, (None, name), decoded, _Place(known.go_name, "string"))
        out = known.read(rest, None, decoded, _Place(known.go_name, _go_name(message)))
    except _Mismatch as mismatch:
        raise ValueError(str(mismatch)) from None
    return {**head, **out}, decoded.complaints
