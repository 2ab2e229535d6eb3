"""Objects as a resource shows them: the bytes or a private copy of a stored version, in the version of the request.

Invariant: bytes are made once for each resource and kept beside the stored version; what is stored in the version that
is requested is sent as the bytes it is stored as.
"""

from __future__ import annotations

from typing import Final

import msgspec

from zestor_controller.apiserver.request.selectors import Selection
from zestor_controller.apiserver.response.negotiation import to_json
from zestor_controller.apiserver.rest.resource import Resource
from zestor_controller.apiserver.storage.revisionlog import Version, encode_object
from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["is_selected", "item_bytes", "item_view", "object_bytes", "object_view"]

from_json: Final = msgspec.json.Decoder().decode


def object_bytes(resource: Resource, version: Version) -> bytes:
    """An object's JSON in a version of its resource."""
    for known, raw in version.served or ():
        if known is resource:
            return raw
    obj = version.copy()
    before = obj.get("apiVersion")
    shown = resource.strategy.on_read(obj)
    same = shown is obj and before == resource.api_version and shown == version.obj
    raw = version.raw if same else encode_object(shown)
    version.keep_served(resource, raw)
    return raw


def object_view(resource: Resource, version: Version) -> Json:
    """A private copy of an object in a version of its resource."""
    return resource.strategy.on_read(version.copy())


def item_bytes(resource: Resource, version: Version) -> bytes:
    """An object's JSON as an item of a list: items of typed kinds do not state their type."""
    raw = object_bytes(resource, version)
    if not resource.wire.typed:
        return raw
    head = b'{"kind":"%b","apiVersion":"%b",' % (resource.kind.encode(), resource.api_version.encode())
    if raw.startswith(head):
        return b"{" + raw[len(head) :]
    return to_json(_without_type(from_json(raw)))


def item_view(resource: Resource, version: Version) -> Json:
    """A private copy of an object as an item of a list."""
    obj = object_view(resource, version)
    return _without_type(obj) if resource.wire.typed else obj


def is_selected(resource: Resource, selection: Selection, version: Version) -> bool:
    """Whether selectors match an object, as it is served."""
    if selection.empty:
        return True
    if resource.is_served_as_stored:
        return selection.matches(version.obj)
    raw = object_bytes(resource, version)
    return selection.matches(version.obj if raw is version.raw else object_view(resource, version))


def _without_type(obj: Json) -> Json:
    return {name: value for name, value in obj.items() if name not in ("kind", "apiVersion")}
