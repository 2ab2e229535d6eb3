"""Kubernetes protobuf: reading the bodies of typed clients by the field tables of the built-in kinds.

``kubectl`` and Helm send protobuf and do not fall back. Every message is decoded into the object that the same request
would have carried as JSON. The reader trusts no length: what is cut short or ill-formed is refused, never half read.
"""

from __future__ import annotations

import base64
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from zestor_controller.apiserver.syntax import gojson
from zestor_controller.apiserver.syntax.depthlimit import TOO_DEEP, too_deep
from zestor_controller.apiserver.syntax.gojson import DocumentError, go_number
from zestor_controller.apiserver.typed.fieldtable import tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["MAGIC", "decode_object", "encode_status"]

MAGIC = b"k8s\x00"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_DEPTH = 200

Wire = int | bytes


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise DocumentError("unexpected EOF" if at >= len(data) else "proto: integer overflow")
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value & 0xFFFFFFFFFFFFFFFF, at
        shift += 7


def _wire(data: bytes) -> Iterator[tuple[int, Wire]]:
    """The fields of a message: an int for varints, bytes for everything else."""
    at, end = 0, len(data)
    while at < end:
        key, at = _varint(data, at)
        kind = key & 7
        if kind == 0:
            value: Wire
            value, at = _varint(data, at)
        elif kind in (1, 2, 5):
            if kind == 2:
                size, at = _varint(data, at)
            else:
                size = 8 if kind == 1 else 4
            if size > end - at:
                raise DocumentError("unexpected EOF")
            value = data[at : at + size]
            at += size
        else:
            raise DocumentError(f"proto: illegal wireType {kind}")
        if key >> 3 == 0:
            raise DocumentError("proto: illegal tag 0")
        yield key >> 3, value


def _signed(value: Wire) -> int:
    if not isinstance(value, int):
        raise DocumentError("proto: wrong wireType")
    return value - (1 << 64) if value >> 63 else value


def _bytes(value: Wire) -> bytes:
    if not isinstance(value, bytes):
        raise DocumentError("proto: wrong wireType")
    return value


def _double(value: Wire) -> int | float:
    raw = _bytes(value)
    if len(raw) != 8:
        raise DocumentError("proto: wrong wireType")
    number: float = struct.unpack("<d", raw)[0]
    return go_number(number)


_SCALARS: Mapping[str, Callable[[Wire], Any]] = {
    "string": lambda value: _bytes(value).decode("utf-8", "replace"),
    "bytes": lambda value: base64.b64encode(_bytes(value)).decode(),
    "bool": lambda value: bool(_signed(value)),
    "int32": _signed,
    "int64": _signed,
    "double": _double,
}


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    kind: str
    label: str
    zero: str


@dataclass(frozen=True, slots=True)
class _Message:
    """One message: its fields by number, and what is to be done with those that did not come."""

    fields: Mapping[int, _Field]
    omit_empty: tuple[str, ...]
    null: tuple[str, ...]
    always: tuple[_Field, ...]
    form: str


@cache
def _message(name: str) -> _Message | None:
    table = tables()["messages"].get(name)
    if table is None:
        return None
    fields = {int(number): _Field(*entry) for number, entry in table.items()}
    own = [entry for entry in fields.values() if entry.label != "inline"]
    return _Message(
        fields,
        tuple(entry.name for entry in own if entry.zero == "o"),
        tuple(entry.name for entry in own if entry.zero == "n"),
        tuple(entry for entry in own if entry.zero == "k"),
        tables()["special"].get(name, ""),
    )


def _decode(kind: str, value: Wire, depth: int) -> Any:
    """A value of a scalar or message type."""
    message = _message(kind)
    if message is None:
        return _SCALARS[kind](value)
    if depth > _MAX_DEPTH:
        raise DocumentError(TOO_DEEP)
    data = _bytes(value)
    if message.form:
        return _special(message, data, depth)
    got: dict[str, Any] = {}
    for number, raw in _wire(data):
        entry = message.fields.get(number)
        if entry is None:
            continue  # a field of a newer version
        if entry.label == "map":
            pair = dict(_wire(_bytes(raw)))
            key = _bytes(pair.get(1, b"")).decode("utf-8", "replace")
            got.setdefault(entry.name, {})[key] = _decode(entry.kind, pair.get(2, b""), depth + 1)
        elif entry.label == "repeated":
            got.setdefault(entry.name, []).append(_decode(entry.kind, raw, depth + 1))
        elif entry.label == "inline":
            got.update(_decode(entry.kind, raw, depth + 1))
        else:
            got[entry.name] = _decode(entry.kind, raw, depth + 1)
    for name in message.omit_empty:
        if name in got and got[name] in (None, "", 0, {}):
            del got[name]
    for name in message.null:
        got.setdefault(name, None)
    for entry in message.always:
        if entry.name not in got:
            got[entry.name] = _zero(entry, depth)
    return got


def _zero(entry: _Field, depth: int) -> Any:
    if entry.label:
        return None
    if _message(entry.kind) is not None:
        return _decode(entry.kind, b"", depth + 1)
    return {"string": "", "bool": False, "bytes": ""}.get(entry.kind, 0)


def _special(message: _Message, data: bytes, depth: int) -> Any:
    """A message whose JSON is not an object of its fields."""
    got: dict[str, Any] = {}
    for number, raw in _wire(data):
        entry = message.fields.get(number)
        if entry is None:
            continue
        value = _bytes(raw) if message.form == "raw" and entry.kind == "bytes" else _decode(entry.kind, raw, depth + 1)
        if entry.label == "repeated":
            got.setdefault(entry.name, []).append(value)
        else:
            got[entry.name] = value
    match message.form:
        case "time" | "microtime":
            return _time(got, message.form == "microtime") if got else None
        case "duration":
            return _duration(got.get("duration", 0))
        case "quantity":
            return got.get("string", "0")
        case "intOrString":
            return got.get("strVal", "") if got.get("type") else got.get("intVal", 0)
        case "list":
            return next(iter(got.values()), [])
        case "orBool":
            return got.get("schema", got.get("allows", False))
        case "orArray" | "orStringArray":
            return got.get("schema", got.get("jSONSchemas", got.get("property")))
        case _:
            return _raw(next(iter(got.values()), b""), depth)


def _time(got: Mapping[str, Any], micro: bool) -> str:
    try:
        at = _EPOCH + timedelta(seconds=got.get("seconds", 0))
    except OverflowError:
        raise DocumentError("Time.MarshalJSON: year outside of range [0,9999]") from None
    text = f"{at:%Y-%m-%dT%H:%M:%S}".rjust(19, "0")
    return f"{text}.{got.get('nanos', 0) // 1000:06d}Z" if micro else f"{text}Z"


def _duration(nanos: int) -> str:
    """A duration as Go prints it."""
    size = abs(nanos)
    sign = "-" if nanos < 0 else ""
    if size < 10**9:
        for unit, scale in (("ms", 10**6), ("µs", 10**3)):
            if size >= scale:
                return f"{sign}{size / scale:.9f}".rstrip("0").rstrip(".") + unit
        return f"{sign}{size}ns" if size else "0s"
    minutes, rest = divmod(size, 60 * 10**9)
    hours, minutes = divmod(minutes, 60)
    seconds = f"{rest // 10**9}.{rest % 10**9:09d}".rstrip("0").rstrip(".") + "s"
    return sign + (f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else "") + seconds


def _raw(data: Any, depth: int) -> Any:
    """Embedded JSON, or a whole protobuf body."""
    if not isinstance(data, bytes) or not data:
        return None
    if data.startswith(MAGIC):
        return _object(data, depth + 1)
    return gojson.load(data)[0]


def _object(data: bytes, depth: int) -> dict[str, Any]:
    outer = dict(_wire(data[len(MAGIC) :]))
    meta = dict(_wire(_bytes(outer.get(1, b""))))
    version, kind = (_bytes(meta.get(number, b"")).decode("utf-8", "replace") for number in (1, 2))
    kinds = tables()["kinds"]
    # Typed clients send the options of a deletion under the version of what they delete.
    name = kinds["v1/DeleteOptions"] if kind == "DeleteOptions" else kinds.get(f"{version}/{kind}")
    if name is None:
        raise DocumentError(f'no kind "{kind}" is registered for version "{version}"')
    body: dict[str, Any] = _decode(name, outer.get(2, b""), depth)
    return {"apiVersion": version, "kind": kind, **body}


def decode_object(data: bytes) -> dict[str, Any]:
    """Read a whole body: the magic number, then the type and the object's bytes.

    Raises:
        DocumentError: for anything that is not a Kubernetes object of a built-in kind.
    """
    if not data:
        raise DocumentError("empty data")
    if not data.startswith(MAGIC):
        prefix = " ".join(str(byte) for byte in MAGIC)
        raise DocumentError(f"provided data does not appear to be a protobuf message, expected prefix [{prefix}]")
    if len(data) == len(MAGIC):
        raise DocumentError("empty body")
    value = _object(data, 0)
    if too_deep(value):
        raise DocumentError(TOO_DEEP)
    return value


def _prefixed(number: int, data: bytes) -> bytes:
    return _number(number << 3 | 2) + _number(len(data)) + data


def _number(value: int) -> bytes:
    out = bytearray()
    value &= 0xFFFFFFFFFFFFFFFF
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _encode(name: str, value: Mapping[str, Any]) -> bytes:
    """A message of strings, numbers and such messages: enough for a Status."""
    message = _message(name)
    if message is None:
        raise ValueError(f"no message {name!r}")
    out = b""
    for number, entry in sorted(message.fields.items()):
        found = value.get(entry.name)
        if found is None and (entry.label or entry.zero == "p"):
            continue
        for item in found or () if entry.label == "repeated" else (found,):
            if _message(entry.kind) is not None:
                out += _prefixed(number, _encode(entry.kind, item or {}))
            elif entry.kind == "string":
                out += _prefixed(number, (item or "").encode())
            else:
                out += _number(number << 3) + _number(item or 0)
    return out


def encode_status(status: Mapping[str, Any]) -> bytes:
    """A Status as a protobuf body, for clients that accept nothing else."""
    meta = _prefixed(1, b"v1") + _prefixed(2, b"Status")
    raw = _encode(tables()["kinds"]["v1/Status"], status)
    return MAGIC + _prefixed(1, meta) + _prefixed(2, raw) + _prefixed(3, b"") + _prefixed(4, b"")
