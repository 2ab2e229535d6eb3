"""From the bytes of a response to objects.

Invariant: whatever cannot be read is an error of this package that names the request or the object, never one of a
library below; an object that its model rejects decides over itself only. No message quotes a value, which may be a
secret.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar, overload

import msgspec
from pydantic import ValidationError

from zestor_controller.errors import InvalidObject, TransportError, ZestorError
from zestor_controller.objects import Kind

__all__ = [
    "ObjectList",
    "Page",
    "decode_as",
    "decode_json",
    "decode_object",
    "decode_page",
    "log_invalid",
    "named",
    "require_object",
]

T = TypeVar("T")

_log = logging.getLogger(__name__)

SHOWN: Final = 3  # complaints that a message lists


class ObjectList(Sequence[T]):
    """Objects of a list, and the version of the server that they show.

    Attributes:
        items: the objects, in the server's order, without those of `invalid`.
        resource_version: start a watch from here to miss nothing; empty where the server gave none.
        invalid: the objects that their model rejects, by ``namespace/name``; each error holds the raw JSON.
    """

    def __init__(
        self, items: list[T], resource_version: str, invalid: Mapping[str, InvalidObject] | None = None
    ) -> None:
        self.items = items
        self.resource_version = resource_version
        self.invalid: Mapping[str, InvalidObject] = invalid or {}

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        return self.items[index]

    def __repr__(self) -> str:
        invalid = f", invalid={sorted(self.invalid)}" if self.invalid else ""
        return f"ObjectList({self.items!r}, resource_version={self.resource_version!r}{invalid})"


class _ListMeta(msgspec.Struct, gc=False):
    resourceVersion: str | None = None
    continue_: str | None = msgspec.field(name="continue", default=None)


class Page(msgspec.Struct, gc=False):
    """One page of a list; the items are views of the page's bytes, to be copied before the page is released."""

    metadata: _ListMeta | None = None
    items: list[msgspec.Raw] | msgspec.UnsetType | None = msgspec.UNSET
    kind: str | None = None

    @property
    def objects(self) -> list[msgspec.Raw]:
        """The items; none where the server sent null."""
        return self.items or []

    @property
    def version(self) -> str:
        """The list's resourceVersion; empty where the server gave none."""
        return (self.metadata.resourceVersion if self.metadata is not None else None) or ""

    @property
    def token(self) -> str:
        """What continues the list; empty on the last page."""
        return (self.metadata.continue_ if self.metadata is not None else None) or ""


class _Identity(msgspec.Struct):
    name: str | None = None
    namespace: str | None = None


class _Object(msgspec.Struct):
    metadata: _Identity | None = None


_decode_page = msgspec.json.Decoder(Page).decode
_decode_identity = msgspec.json.Decoder(_Object).decode


def decode_page(body: bytes, request: str) -> Page:
    """One page of a list. A list's metadata is optional, and each of its fields may be null.

    Args:
        body: the response.
        request: method and path, for the message.

    Raises:
        TransportError: it is not a list, such as the page of a proxy that wants a log-in.
    """
    page = _decoded(_decode_page, body, request, "a list")
    if page.items is msgspec.UNSET and not (page.kind or "").endswith("List"):
        raise TransportError(f"{request}: the response is not a list: it has no items")
    return page


def decode_json(body: bytes, request: str) -> dict[str, Any]:
    """A JSON object.

    Raises:
        TransportError: it is something else.
    """
    decoded = _decoded(msgspec.json.decode, body, request, "a JSON object")
    if not isinstance(decoded, dict):
        raise TransportError(f"{request}: the response is not a JSON object")
    return decoded


def decode_as(type_: type[T], body: bytes, request: str) -> T:
    """A JSON object as a struct.

    Raises:
        TransportError: it is something else.
    """
    return _decoded(msgspec.json.Decoder(type_).decode, body, request, "what was requested")


def require_object(body: bytes, request: str) -> bytes:
    """The body itself, after a glance that tells JSON objects from the pages of proxies.

    Raises:
        TransportError: it does not begin as a JSON object does.
    """
    if body.lstrip()[:1] != b"{":
        raise TransportError(f"{request}: the response is not a JSON object{_instead(body)}")
    return body


def decode_object(kind: Kind[T], body: bytes, *, after: str = "") -> T:
    """An object of a kind.

    Args:
        kind: what to decode it as.
        body: its JSON.
        after: what the message adds, such as that a write was carried out.

    Raises:
        InvalidObject: its model rejects it; ``raw`` holds its JSON.
    """
    try:
        return kind.decode(body)
    except ZestorError:
        raise
    except Exception as error:  # a model of the user may raise anything
        name = named(body)
        message = f"{kind.store_name}: {name} is not a valid {kind.kind}: {_complaints(error)}{after}"
        raise InvalidObject(message, kind=kind.store_name, name=name, raw=bytes(body)) from error


def named(body: bytes) -> str:
    """``namespace/name`` of an object's JSON, as far as it can be read."""
    try:
        meta = _decode_identity(body).metadata or _Identity()
    except (msgspec.DecodeError, UnicodeDecodeError):
        meta = _Identity()
    name = meta.name or "(no name)"
    return f"{meta.namespace}/{name}" if meta.namespace else name


def log_invalid(kind: Kind[Any], invalid: Mapping[str, InvalidObject], total: int) -> None:
    """Warn that a list is not complete."""
    first = next(iter(invalid.values()))
    _log.warning("list of %s: %d of %d objects are left out: %s", kind.store_name, len(invalid), total, first)


def _complaints(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    # Without its input, which pydantic's own text quotes.
    found = error.errors(include_url=False, include_context=False, include_input=False)
    shown = [f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in found[:SHOWN]]
    return "; ".join(shown + [f"and {len(found) - SHOWN} more"] * (len(found) > SHOWN))


def _decoded(decode: Callable[[bytes], T], body: bytes, request: str, expected: str) -> T:
    try:
        return decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        sent = _instead(body) or f": {str(error) or type(error).__name__}"
        raise TransportError(f"{request}: the response is not {expected}{sent}") from error


def _instead(body: bytes) -> str:
    if not body:
        return ": it is empty"
    return ", but an HTML page: is a proxy or a log-in page in between?" if body.lstrip()[:1] == b"<" else ""
