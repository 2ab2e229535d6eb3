"""Request bodies: from bytes and a content type to an object, with kube-apiserver's words for what cannot be read.

What always holds: a body that is refused is refused before anything looks at its fields, and what comes out is made of
plain JSON values. Nothing is said here about kinds: a decoded object goes to its strategy.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from zestor_controller.apiserver.encoding import protobuf
from zestor_controller.apiserver.rest.status import Failure, bad_request, status_body, unsupported_media_type
from zestor_controller.apiserver.rest.wireprofile import JSON, PROTOBUF, TYPED, YAML, WireProfile
from zestor_controller.apiserver.syntax import gojson, goyaml
from zestor_controller.apiserver.syntax.gojson import DocumentError

__all__ = [
    "LIMIT",
    "Body",
    "decode_object",
    "media_type",
    "patch_type",
    "too_large",
    "type_meta_error",
]

Json = dict[str, Any]

LIMIT = 3 * 1024 * 1024
"""The largest body that is read, in bytes."""

_TYPE_META = 'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+/[!#$%&'*+.^_`|~0-9A-Za-z-]+")


@dataclass(slots=True)
class Body:
    """A decoded object.

    Attributes:
        value: the object; empty for the JSON text ``null``.
        duplicates: paths of the keys that stood twice, in the order of the document.
        protobuf: it came as protobuf, where fields without a value are simply missing.
    """

    value: Json
    duplicates: list[str] = field(default_factory=list)
    protobuf: bool = False


def media_type(content_type: str | None) -> str:
    """The type without its parameters, in lower case; ``application/json`` where none is given."""
    if not content_type:
        return JSON
    return content_type.partition(";")[0].strip().lower()


def patch_type(content_type: str | None, wire: WireProfile) -> str:
    """The patch type of a PATCH request.

    Args:
        content_type: the request's header.
        wire: of the resource.

    Raises:
        Failure: 415.
    """
    found = (content_type or "").partition(";")[0].strip()
    if found in wire.patch_types:
        return found
    if wire.routed:  # the router lists no types
        raise Failure(status_body(415, "415: Unsupported Media Type", "UnsupportedMediaType", {}))
    raise unsupported_media_type(wire.patch_types)


def too_large() -> Failure:
    """413 for a body that is too large to be read."""
    return Failure(status_body(413, f"Request entity too large: limit is {LIMIT}", "RequestEntityTooLarge"))


def _summary(data: bytes) -> str:
    if not data:
        return "<empty>"
    more = " ..." if len(data) > 30 else ""
    return (data[:30].decode("utf-8", "replace") if data.startswith(b"{") else data[:30].hex()) + more


def _unrecognized(kind: str, why: str, data: bytes) -> Failure:
    return bad_request(f"the object provided is unrecognized (must be of type {kind}): {why} ({_summary(data)})")


def _go_type(value: Any) -> str:
    if isinstance(value, str):
        return "string"
    if isinstance(value, bool):
        return "bool"
    return "array" if isinstance(value, list) else "object" if isinstance(value, dict) else "number"


def type_meta_error(value: Any) -> str | None:
    """Why Go cannot read the apiVersion and kind of a document; None if it can."""
    if value is None:
        return None
    if not isinstance(value, dict):
        return f"json: cannot unmarshal {_go_type(value)} into Go value of type {_TYPE_META}"
    for name in ("apiVersion", "kind"):
        found = value.get(name)
        if found is not None and not isinstance(found, str):
            return f"json: cannot unmarshal {_go_type(found)} into Go struct field .{name} of type string"
    return None


def decode_object(content_type: str | None, data: bytes, kind: str, wire: WireProfile = TYPED) -> Body:
    """Read an object from a request's body.

    Args:
        content_type: the request's header; absent means JSON.
        data: the body.
        kind: the kind that is wanted, for messages.
        wire: of the kind; DeleteOptions and Scale are typed, also in requests for custom resources.

    Raises:
        Failure: 413, 415, or 400 for a text that cannot be read.
    """
    if len(data) > LIMIT:
        raise too_large()
    found = media_type(content_type)
    if found == JSON:
        return _checked(_read_json(data, kind), data, kind, wire)
    if found == YAML:
        try:
            value, twice = goyaml.load(data)
        except DocumentError as error:
            raise _unrecognized(kind, str(error), data) from None
        return _checked(Body(value, twice), data, kind, wire)
    if found == PROTOBUF and found in wire.body_types:
        try:
            return Body(protobuf.decode_object(data), protobuf=True)
        except DocumentError as error:
            raise _unrecognized(kind, str(error), data) from None
    raise unsupported_media_type(TYPED.body_types)


def _read_json(data: bytes, kind: str) -> Body:
    try:
        value, twice = gojson.load(data)
    except DocumentError as error:
        raise _unrecognized(kind, f"couldn't get version/kind; json parse error: {error}", data) from None
    return Body(value, gojson.duplicate_paths(data) if twice else [])


def _checked(body: Body, data: bytes, kind: str, wire: WireProfile) -> Body:
    why = type_meta_error(body.value)
    if why is not None:
        raise _unrecognized(kind, f"couldn't get version/kind; json parse error: {why}", data)
    if not wire.typed and not (body.value and body.value.get("kind")):
        text = data.decode("utf-8", "replace")
        raise _unrecognized(kind, f"Object 'Kind' is missing in '{text}'", data)
    if body.value is None:
        body.value = {}
    return body
