"""Decoding of built-in kinds by their field tables: what Go's strict JSON decoder and encoder do, in one walk.

Invariant: a decoded object is what a Go server would print: unknown fields are gone, every value has its JSON type,
zero values of optional fields are left out, required ones are there, times, quantities and byte strings are canonical.
The messages are Go's, since clients and their users match on them. Values of one field are read in
:mod:`zestor_controller.apiserver.encoding.fieldreader`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from zestor_controller.apiserver.encoding.duplicates import Duplicates
from zestor_controller.apiserver.encoding.fieldreader import (
    READERS,
    Decoded,
    GoPlace,
    Mismatch,
    Path,
    Reader,
    dotted,
    go_name,
    list_of,
    map_of,
    mismatch,
    read_raw,
    read_string,
    report_duplicates,
)
from zestor_controller.apiserver.rest.status import Failure, bad_request
from zestor_controller.apiserver.typed.fieldtable import tables
from zestor_controller.schema.gotext import quote

if TYPE_CHECKING:
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["DecodeFailure", "decode", "shape", "zero"]


class DecodeFailure(Failure):
    """400: the object cannot be read as its kind.

    Attributes:
        why: the message without the kind, as responses to patches quote it.
    """

    def __init__(self, kind: str, version: str, why: str) -> None:
        super().__init__(bad_request(f'{kind} in version "{version}" cannot be handled as a {kind}: {why}').body)
        self.why = why


@dataclass(slots=True)
class _Field:
    name: str
    read: Reader
    place: GoPlace
    keep_zero: bool
    is_pointer: bool


@dataclass(slots=True)
class _Shape:
    """One message, compiled: its fields by JSON name, and those that are always printed."""

    go_name: str
    fields: dict[str, _Field]
    always: list[tuple[str, Callable[[], Any]]]

    def read(self, value: Any, path: Path | None, decoded: Decoded, place: GoPlace) -> Any:
        if value is None:
            return zero_of(self)
        if type(value) is not dict:
            raise mismatch(value, path, place)
        out: Json = {}
        fields = self.fields
        for name, item in value.items():
            known = fields.get(name)
            if known is None:
                where = dotted((path, name))
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
            report_duplicates(path, decoded)
        return out


def zero_of(known: _Shape) -> Json:
    """The zero value of a struct, as it is printed."""
    return {name: make() for name, make in known.always}


_SCHEMA = "k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps"


def _read_schema(value: Any, path: Path | None, decoded: Decoded, place: GoPlace) -> Any:
    # Read by a decoder of its own in Go, which is never strict: unknown fields go unreported.
    inner = GoPlace(place.struct, go_name(_SCHEMA))
    return shape(_SCHEMA).read(value, path, Decoded(Duplicates(())), inner)


def _read_schema_or_list(value: Any, path: Path | None, decoded: Decoded, place: GoPlace) -> Any:
    if type(value) is list:
        return [_read_schema(item, path, decoded, place) for item in value]
    return _read_schema(value, path, decoded, place) if type(value) is dict else None


def _read_schema_or_bool(value: Any, path: Path | None, decoded: Decoded, place: GoPlace) -> Any:
    if type(value) is bool or value is None:
        return value
    if type(value) is not dict:
        raise Mismatch("boolean or JSON schema expected")
    return _read_schema(value, path, decoded, place)


def _read_schema_or_strings(value: Any, path: Path | None, decoded: Decoded, place: GoPlace) -> Any:
    if type(value) is list:
        return [read_string(item, path, decoded, GoPlace(place.struct, "string")) for item in value]
    return _read_schema(value, path, decoded, place) if type(value) is dict else None


_SCHEMA_READERS: dict[str, Reader] = {
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


def _lazy(message: str) -> Reader:
    # Messages are recursive (JSON schemas), so a shape is compiled on its first use.
    def read(value: Any, path: Path | None, decoded: Decoded, place: GoPlace) -> Any:
        return shape(message).read(value, path, decoded, place)

    return read


def _reader_of(type_name: str) -> tuple[Reader, str, str]:
    """The reader of a type, its Go name, and its family (a special, a scalar, or ``message``)."""
    special = tables()["special"].get(type_name)
    if special == "list":
        return list_of(read_string, "string"), "[]string", "list"
    if special is not None and special in READERS:
        go = {"quantity": "resource.Quantity", "intOrString": "intstr.IntOrString"}.get(special, "v1.Time")
        return READERS[special], go, special
    if special in _SCHEMA_READERS:
        return _SCHEMA_READERS[special], go_name(type_name), "raw"
    if special is not None:
        return read_raw, go_name(type_name), "raw"
    if type_name in READERS:
        return READERS[type_name], _GO_TYPES.get(type_name, type_name), type_name
    return _lazy(type_name), go_name(type_name), "message"


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
    struct = message.rsplit(".", 1)[-1]
    compiled = _Shape(struct, {}, [])
    if message in _kind_messages():
        # A kind inside another object (a claim template, the options of an eviction) may name its type too.
        for name in ("apiVersion", "kind"):
            compiled.fields[name] = _Field(name, read_string, GoPlace(struct, "string"), False, False)
    for name, type_name, label, zero_rule in tables()["messages"][message].values():
        if label == "inline":
            inner = shape(type_name)
            for inner_name, inner_field in inner.fields.items():
                # Go reports a promoted field under the struct that embeds it.
                place = GoPlace(struct, inner_field.place.go_type)
                compiled.fields[inner_name] = _Field(
                    inner_name, inner_field.read, place, inner_field.keep_zero, inner_field.is_pointer
                )
            compiled.always += inner.always
            continue
        read, go_type, family = _reader_of(type_name)
        if label == "repeated":
            read, go_type = list_of(read, go_type), f"[]{go_type}"
        elif label == "map":
            read, go_type = map_of(read, go_type), f"map[string]{go_type}"
        # An empty list or map comes back from storage as nil, so it prints as null (or not at all), never as [] or {}.
        # The entries of managers are the exception: an empty list of them, not the lack of one, resets them.
        keep_zero = not label and (zero_rule in ("k", "n") or family == "message")
        keep_zero = keep_zero or name == "managedFields"
        compiled.fields[name] = _Field(name, read, GoPlace(struct, go_type), keep_zero, zero_rule == "p")
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
        duplicates: paths of repeated keys.

    Returns:
        The object in canonical form, and the complaints about unknown and duplicate fields, in document order.

    Raises:
        ValueError: a value has the wrong type or form; the message is Go's.
    """
    known = shape(message)
    decoded = Decoded(Duplicates(duplicates) if duplicates else None)
    head = {name: body[name] for name in ("kind", "apiVersion") if name in body}
    rest = {name: item for name, item in body.items() if name not in head}
    try:
        for name, item in head.items():
            read_string(item, (None, name), decoded, GoPlace(known.go_name, "string"))
        out = known.read(rest, None, decoded, GoPlace(known.go_name, go_name(message)))
    except Mismatch as error:
        raise ValueError(str(error)) from None
    return {**head, **out}, decoded.complaints
