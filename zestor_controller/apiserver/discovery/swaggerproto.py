"""OpenAPI v2 as protobuf, the only form that kubectl asks for: the messages of gnostic's ``openapi.v2``.

A message is a table from a JSON name to the number of its field and how its value is written. Names that begin with
``x-`` become vendor extensions. What no table names is left out.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["encode_swagger"]

Writer = Callable[[int, Any], bytes]


def encode_swagger(document: Mapping[str, Any]) -> bytes:
    """A version 2 document as the message ``openapi.v2.Document``."""
    return _fields(document, _DOCUMENT, extensions=16)


def _varint(value: int) -> bytes:
    value &= 0xFFFFFFFFFFFFFFFF
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _block(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _fields(value: Mapping[str, Any], table: Mapping[str, tuple[int, Writer]], *, extensions: int = 0) -> bytes:
    parts = []
    for name, item in value.items():
        known = table.get(name)
        if known is not None:
            parts.append(known[1](known[0], item))
        elif extensions and name.startswith("x-"):
            parts.append(_block(extensions, _named(name, _any(item))))
    return b"".join(parts)


def _named(name: str, value: bytes) -> bytes:
    return _text(1, name) + _block(2, value)


def _any(value: Any) -> bytes:
    """``openapi.v2.Any``: the value as YAML, of which JSON is a part."""
    return _text(2, json.dumps(value, separators=(",", ":"), ensure_ascii=False))


def _text(number: int, value: Any) -> bytes:
    return _block(number, str(value).encode()) if value else b""


def _texts(number: int, value: Any) -> bytes:
    return b"".join(_block(number, str(each).encode()) for each in value)


def _flag(number: int, value: Any) -> bytes:
    return _varint(number << 3) + b"\1" if value else b""


def _whole(number: int, value: Any) -> bytes:
    return _varint(number << 3) + _varint(int(value)) if value else b""


def _real(number: int, value: Any) -> bytes:
    return _varint(number << 3 | 1) + struct.pack("<d", float(value)) if value else b""


def _values(number: int, value: Any) -> bytes:
    return b"".join(_block(number, _any(each)) for each in value)


def _schema(value: Mapping[str, Any]) -> bytes:
    return _fields(value, _SCHEMA, extensions=31)


def _map_of(write: Callable[[Any], bytes], field: int = 1) -> Writer:
    """A message that holds a map as named values, in its field `field`."""

    def writer(number: int, value: Any) -> bytes:
        return _block(number, b"".join(_block(field, _named(name, write(item))) for name, item in value.items()))

    return writer


def _type(number: int, value: Any) -> bytes:
    return _block(number, _texts(1, [value] if isinstance(value, str) else value))


def _items(number: int, value: Any) -> bytes:
    return _block(
        number, b"".join(_block(1, _schema(each)) for each in (value if isinstance(value, list) else [value]))
    )


def _additional(number: int, value: Any) -> bytes:
    return _block(number, _flag(2, value) if isinstance(value, bool) else _block(1, _schema(value)))


_SCHEMA: dict[str, tuple[int, Writer]] = {
    "$ref": (1, _text), "format": (2, _text), "title": (3, _text), "description": (4, _text),
    "multipleOf": (6, _real), "maximum": (7, _real), "exclusiveMaximum": (8, _flag), "minimum": (9, _real),
    "exclusiveMinimum": (10, _flag), "maxLength": (11, _whole), "minLength": (12, _whole), "pattern": (13, _text),
    "maxItems": (14, _whole), "minItems": (15, _whole), "uniqueItems": (16, _flag), "maxProperties": (17, _whole),
    "minProperties": (18, _whole), "required": (19, _texts), "enum": (20, _values),
    "additionalProperties": (21, _additional), "type": (22, _type), "items": (23, _items),
    "properties": (25, _map_of(_schema)),
}  # fmt: skip
_BODY: dict[str, tuple[int, Writer]] = {
    "description": (1, _text), "name": (2, _text), "in": (3, _text), "required": (4, _flag),
    "schema": (5, lambda number, value: _block(number, _schema(value))),
}  # fmt: skip
_QUERY: dict[str, tuple[int, Writer]] = {
    "required": (1, _flag), "in": (2, _text), "description": (3, _text), "name": (4, _text), "type": (6, _text),
    "format": (7, _text), "uniqueItems": (20, _flag),
}  # fmt: skip
_PATH: dict[str, tuple[int, Writer]] = {
    "required": (1, _flag), "in": (2, _text), "description": (3, _text), "name": (4, _text), "type": (5, _text),
    "format": (6, _text), "uniqueItems": (19, _flag),
}  # fmt: skip


def _parameters(number: int, value: Any) -> bytes:
    return b"".join(_block(number, _block(1, _parameter(each))) for each in value)


def _parameter(value: Mapping[str, Any]) -> bytes:
    if value["in"] == "body":
        return _block(1, _fields(value, _BODY))
    table, field = (_PATH, 4) if value["in"] == "path" else (_QUERY, 3)
    return _block(2, _block(field, _fields(value, table)))


def _responses(number: int, value: Any) -> bytes:
    return _map_of(_response)(number, value)


def _response(value: Mapping[str, Any]) -> bytes:
    """``ResponseValue`` around a ``Response``, whose schema is wrapped once more."""
    schema = value.get("schema")
    wrapped = b"" if schema is None else _block(2, _block(1, _schema(schema)))
    return _block(1, _text(1, value.get("description", "")) + wrapped)


_OPERATION: dict[str, tuple[int, Writer]] = {
    "tags": (1, _texts), "description": (3, _text), "operationId": (5, _text), "produces": (6, _texts),
    "consumes": (7, _texts), "parameters": (8, _parameters), "responses": (9, _responses), "schemes": (10, _texts),
}  # fmt: skip


def _operation(number: int, value: Any) -> bytes:
    return _block(number, _fields(value, _OPERATION, extensions=13))


_ITEM: dict[str, tuple[int, Writer]] = {
    "get": (2, _operation), "put": (3, _operation), "post": (4, _operation), "delete": (5, _operation),
    "patch": (8, _operation), "parameters": (9, _parameters),
}  # fmt: skip
_INFO: dict[str, tuple[int, Writer]] = {"title": (1, _text), "version": (2, _text)}
_KEY: dict[str, tuple[int, Writer]] = {
    "type": (1, _text), "name": (2, _text), "in": (3, _text), "description": (4, _text),
}  # fmt: skip


def _security(number: int, value: Any) -> bytes:
    return b"".join(
        _block(number, b"".join(_block(1, _named(name, _texts(1, scopes))) for name, scopes in each.items()))
        for each in value
    )


_DOCUMENT: dict[str, tuple[int, Writer]] = {
    "swagger": (1, _text),
    "info": (2, lambda number, value: _block(number, _fields(value, _INFO))),
    "paths": (8, _map_of(lambda value: _fields(value, _ITEM), field=2)),
    "definitions": (9, _map_of(_schema)),
    "security": (12, _security),
    "securityDefinitions": (13, _map_of(lambda value: _block(2, _fields(value, _KEY)))),
}
