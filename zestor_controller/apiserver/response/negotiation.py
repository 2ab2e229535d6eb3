"""What a client accepts, and responses in that form: JSON or YAML, plain, as a Table, or as metadata only.

Media types are parsed, never searched as text: parameters come in any order. The usual case is one look-up in
a cache, and :attr:`Output.plain` says to the verbs that they may send the stored bytes as they are.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from zestor_controller.apiserver.encoding import protobuf
from zestor_controller.apiserver.rest.status import Failure, not_acceptable, status_body
from zestor_controller.apiserver.rest.wireprofile import JSON, PROTOBUF, TYPED, YAML, WireProfile
from zestor_controller.apiserver.syntax import goyaml
from zestor_controller.http import HttpRequest, HttpResponse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "PLAIN",
    "WATCH_TYPES",
    "Clause",
    "Output",
    "clauses",
    "encode",
    "failure_response",
    "negotiate",
    "respond",
    "respond_bytes",
    "to_json",
    "wants_pretty",
]

Json = dict[str, Any]

WATCH_TYPES = (f"{JSON};stream=watch", f"{PROTOBUF};stream=watch")
_GZIP_FROM = 128 * 1024
_TRANSFORMS = ("Table", "PartialObjectMetadata", "PartialObjectMetadataList")
_BROWSERS = ("curl", "Wget", "Mozilla/5.0")
_TRUE = frozenset(("1", "t", "T", "true", "TRUE", "True"))


@dataclass(frozen=True, slots=True)
class Clause:
    """One media range of an Accept header: ``type/subtype``, its parameters, its weight."""

    type: str
    parameters: Mapping[str, str]
    weight: float


@dataclass(frozen=True, slots=True)
class Output:
    """How a response is encoded.

    Attributes:
        media: the content type.
        transform: ``""``, ``Table``, ``PartialObjectMetadata`` or ``PartialObjectMetadataList``.
        version: of ``meta.k8s.io``, for a transformed response.
        pretty: indented JSON.
    """

    media: str = JSON
    transform: str = ""
    version: str = ""
    pretty: bool = False

    @property
    def plain(self) -> bool:
        """JSON without indentation or transformation: stored bytes may be sent as they are."""
        return self is PLAIN


PLAIN = Output()


def _parameters(parts: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in parts:
        name, _, value = part.partition("=")
        found[name.strip()] = value.strip().strip('"')
    return found


@lru_cache(maxsize=512)
def clauses(accept: str) -> tuple[Clause, ...]:
    """The media ranges of an Accept header, heaviest first, otherwise in the order of the header."""
    found = []
    for position, text in enumerate(accept.split(",")):
        kind, *parts = text.split(";")
        kind = kind.strip()
        if not kind:
            continue
        if kind == "*":
            kind = "*/*"
        parameters = _parameters(parts)
        try:
            weight = float(parameters.pop("q", "1"))
        except ValueError:
            weight = 1.0
        # Among equals the more exact one is preferred, as the server's parser sorts them.
        exact = (kind != "*/*") + (not kind.endswith("/*"))
        found.append((-weight, -exact, position, Clause(kind, parameters, weight)))
    return tuple(entry[3] for entry in sorted(found, key=lambda entry: entry[:3]))


def _matches(clause: Clause, media: str) -> bool:
    return clause.type in (media, "*/*") or (clause.type.endswith("/*") and media.startswith(clause.type[:-1]))


def _accepts(clause: Clause, media: str) -> Output | None:
    """The output for one range and one media type that it matches; None when a parameter cannot be honoured."""
    transform = group = version = ""
    pretty = False
    for name, value in clause.parameters.items():
        if name == "as":
            transform = value
        elif name == "g":
            group = value
        elif name == "v":
            version = value
        elif name == "stream" and value not in ("", "watch"):
            return None
        elif name == "pretty":
            pretty = value == "1"
    if transform or group or version:
        if transform not in _TRANSFORMS or group != "meta.k8s.io" or version not in ("v1", "v1beta1"):
            return None
        return Output(media, transform, version, pretty)
    return PLAIN if media == JSON and not pretty else Output(media, pretty=pretty)


@lru_cache(maxsize=1024)
def _choose(accept: str) -> Output | None:
    for clause in clauses(accept):
        for media in (JSON, YAML):
            if _matches(clause, media):
                found = _accepts(clause, media)
                if found is not None:
                    return found
    return None


@lru_cache(maxsize=512)
def _routed(accept: str) -> bool:
    """Whether the router in front of built-in kinds lets the header through: it compares whole types only."""
    types = (text.partition(";")[0].strip() for text in accept.split(","))
    return any(kind == "*/*" or kind in TYPED.body_types for kind in types)


def wants_pretty(request: HttpRequest) -> bool:
    """Whether the response should be indented for a reader: by ``pretty`` or by the looks of the client."""
    for name, value in request.query:
        if name == "pretty" and value:
            return value in _TRUE
    return request.headers.get("user-agent", "").startswith(_BROWSERS)


def negotiate(
    request: HttpRequest, wire: WireProfile = TYPED, *, listing: bool = False, watching: bool = False
) -> Output:
    """Choose how a response is encoded.

    Args:
        request: the request.
        wire: of the requested resource.
        listing: the path is one that lists (and can watch).
        watching: the response is a stream of events.

    Raises:
        Failure: 406.
    """
    accept = request.headers.get("accept", "")
    if accept and wire.routed and not _routed(accept):
        available = TYPED.body_types + WATCH_TYPES if listing else TYPED.body_types
        message = f"406: Not Acceptable\n\nAvailable representations: {', '.join(available)}"
        raise Failure(status_body(406, message, "NotAcceptable", {}))
    found = _choose(accept) if accept else PLAIN
    if found is None:
        raise not_acceptable(TYPED.body_types)
    if watching and (found.media != JSON or found.transform == "PartialObjectMetadataList"):
        # A stream exists as JSON only, and its events hold objects: what the client prefers decides, as in the server.
        raise not_acceptable(WATCH_TYPES)
    if found.media == JSON and not found.pretty and not watching and wants_pretty(request):
        return Output(JSON, found.transform, found.version, pretty=True)
    return found


def to_json(value: Any) -> bytes:
    """Compact JSON."""
    return msgspec.json.encode(value)


def encode(output: Output, value: Any) -> bytes:
    """The bytes of a value, with the line break that ends a JSON response."""
    if output.media == YAML:
        return goyaml.dump(value)
    raw = msgspec.json.encode(value)
    return msgspec.json.format(raw, indent=2) + b"\n" if output.pretty else raw + b"\n"


def _wants_gzip(request: HttpRequest) -> bool:
    accepted = request.headers.get("accept-encoding", "")
    return any(part.partition(";")[0].strip() == "gzip" for part in accepted.split(","))


def respond_bytes(
    request: HttpRequest, status: int, body: bytes, media: str = JSON, headers: Iterable[tuple[str, str]] = ()
) -> HttpResponse:
    """A response of bytes; compressed when the client takes gzip and the response is large."""
    extra = [("Content-Type", media), *headers]
    if len(body) > _GZIP_FROM and _wants_gzip(request):
        body = gzip.compress(body, 1, mtime=0)
        extra += [("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding")]
    return HttpResponse(status, extra, body)


def respond(
    request: HttpRequest, output: Output, status: int, value: Any, headers: Iterable[tuple[str, str]] = ()
) -> HttpResponse:
    """A response with a value."""
    return respond_bytes(request, status, encode(output, value), output.media, headers)


def failure_response(request: HttpRequest, failure: Failure) -> HttpResponse:
    """The response that reports a failure: in the form the client accepts, JSON when there is none."""
    accepted = clauses(request.headers.get("accept", ""))
    media = next((found for found in map(_status_media, accepted) if found), "")
    if not media and any(clause.type == PROTOBUF for clause in accepted):
        body = protobuf.encode_status(failure.body)
        return HttpResponse(failure.code, [("Content-Type", PROTOBUF), *failure.headers], body)
    output = Output(media or JSON, pretty=media != YAML and wants_pretty(request))
    return respond(request, output, failure.code, failure.body, failure.headers)


def _status_media(clause: Clause) -> str:
    """The form in which a client that accepts this range gets a Status; a transformation is no form of a Status."""
    if clause.parameters.keys() & {"as", "g", "v"}:
        return ""
    return next((media for media in (JSON, YAML) if _matches(clause, media)), "")
