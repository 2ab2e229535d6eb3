"""Asking a server which kinds it serves."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from zestor_controller.errors import ConfigError, NotFound
from zestor_controller.http import HttpRequest
from zestor_controller.objects import GroupVersionKind, Kind, Unstructured, declare

__all__ = ["ServedResource", "discover", "served_resources"]


class Caller(Protocol):
    """The part of a client that discovery needs."""

    async def call(self, request: HttpRequest) -> bytes:
        """Send a request; the body of a good answer."""
        ...


class ServedResource(msgspec.Struct, frozen=True):
    """One resource that a server serves in one version."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool
    verbs: tuple[str, ...]


async def discover(caller: Caller, text: str) -> Kind[Unstructured]:
    """Declare a kind by what the server says of it.

    Raises:
        ConfigError: the server does not serve it.
    """
    gvk = GroupVersionKind.parse(text)
    for resource in await _group_version(caller, gvk.api_version):
        if resource.kind == gvk.kind:
            return declare(text, resource.plural, namespaced=resource.namespaced)
    raise ConfigError(f"the server does not serve {text}; install its CustomResourceDefinition")


async def served_resources(caller: Caller) -> list[ServedResource]:
    """Every resource in its group's preferred version, subresources left out.

    By plain discovery, which every server has.
    """
    versions = ["v1"]
    groups: Any = await _get(caller, "/apis")
    versions += [group["preferredVersion"]["groupVersion"] for group in groups.get("groups") or []]
    found: list[ServedResource] = []
    for version in versions:
        found += await _group_version(caller, version)
    return found


async def _group_version(caller: Caller, api_version: str) -> list[ServedResource]:
    path = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
    try:
        document = await _get(caller, path)
    except NotFound:
        return []
    return [
        ServedResource(
            api_version, item["kind"], item["name"], bool(item["namespaced"]), tuple(item.get("verbs") or ())
        )
        for item in document.get("resources") or []
        if "/" not in item["name"]
    ]


async def _get(caller: Caller, path: str) -> Any:
    return msgspec.json.decode(await caller.call(HttpRequest("GET", path, [], {"Accept": "application/json"})))
