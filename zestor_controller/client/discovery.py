"""Asking a server which kinds it serves.

Aggregated discovery takes two requests; servers that do not know it answer the plain documents to the same requests,
from which one request for each group follows.
"""

from __future__ import annotations

import asyncio
from typing import Final, Protocol, TypeVar

import msgspec

from zestor_controller.client.decoder import decode_as
from zestor_controller.errors import ApiError, ConfigError, NotFound
from zestor_controller.http import HttpRequest
from zestor_controller.objects import GroupVersionKind, Kind, KindRegistry, Unstructured

__all__ = ["ServedResource", "discover", "served_resources"]

T = TypeVar("T")

PLAIN: Final = "application/json"
AGGREGATED: Final = f"{PLAIN};g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,{PLAIN}"


class Caller(Protocol):
    """The part of a client that discovery needs."""

    @property
    def kinds(self) -> KindRegistry:
        """Where what was discovered is kept."""
        ...

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


class _Plain(msgspec.Struct):
    name: str = ""
    kind: str = ""
    namespaced: bool | None = None
    verbs: list[str] | None = None


class _PlainList(msgspec.Struct):
    resources: list[_Plain] | None = None


class _Name(msgspec.Struct):
    name: str | None = None


class _ResponseKind(msgspec.Struct):
    kind: str = ""


class _Resource(msgspec.Struct):
    resource: str = ""
    responseKind: _ResponseKind | None = None
    scope: str | None = None
    verbs: list[str] | None = None


class _Version(msgspec.Struct):
    version: str = ""
    freshness: str | None = None
    resources: list[_Resource] | None = None


class _Group(msgspec.Struct):
    metadata: _Name | None = None
    versions: list[_Version] | None = None


class _Preferred(msgspec.Struct):
    groupVersion: str = ""


class _PlainGroup(msgspec.Struct):
    preferredVersion: _Preferred | None = None


class _Groups(msgspec.Struct):
    """What ``/api`` and ``/apis`` return: aggregated (`items`) or plain (`groups`, and nothing for ``/api``)."""

    kind: str | None = None
    items: list[_Group] | None = None
    groups: list[_PlainGroup] | None = None


async def discover(caller: Caller, text: str) -> Kind[Unstructured]:
    """Look a kind up at the server, and keep what it says among the kinds of the client.

    Raises:
        ConfigError: the server does not serve it.
    """
    gvk = GroupVersionKind.parse(text)
    try:
        served = await _group_version(caller, gvk.api_version)
    except NotFound:
        served = []
    for resource in served:
        if resource.kind == gvk.kind:
            return caller.kinds.learn(text, resource.plural, namespaced=resource.namespaced)
    raise ConfigError(f"the server does not serve {text}; install its CustomResourceDefinition, or correct the name")


async def served_resources(caller: Caller) -> list[ServedResource]:
    """Every resource in one version, its group's preferred one where that has it; subresources are left out.

    A group whose own server does not answer (an aggregated API that is down) is left out; it hides no other.
    """
    core, groups = await asyncio.gather(*(_get(caller, path, AGGREGATED, _Groups) for path in ("/api", "/apis")))
    found: list[ServedResource] = []
    versions: list[str] = []
    for document in (core, groups):
        if document.kind == "APIGroupDiscoveryList":
            found += [one for item in document.items or [] for one in _aggregated(item)]
        elif document is core:
            versions.append("v1")
        else:
            preferred = (group.preferredVersion for group in document.groups or [])
            versions += [version.groupVersion for version in preferred if version is not None and version.groupVersion]
    for listed in await asyncio.gather(*(_answering(caller, version) for version in versions)):
        found += listed
    return found


def _aggregated(group: _Group) -> list[ServedResource]:
    """Each resource of a group in the first version that has it and is up to date; the preferred version is first."""
    name = (group.metadata.name if group.metadata is not None else None) or ""
    found: dict[str, ServedResource] = {}
    for version in group.versions or []:
        if version.freshness == "Stale":
            continue
        api_version = f"{name}/{version.version}" if name else version.version
        for item in version.resources or []:
            if item.responseKind is None or not item.responseKind.kind or not item.resource or item.resource in found:
                continue
            found[item.resource] = ServedResource(
                api_version,
                item.responseKind.kind,
                item.resource,
                item.scope == "Namespaced",
                tuple(item.verbs or ()),
            )
    return list(found.values())


async def _answering(caller: Caller, api_version: str) -> list[ServedResource]:
    try:
        return await _group_version(caller, api_version)
    except ApiError as error:
        if error.status in (404, 503):
            return []
        raise


async def _group_version(caller: Caller, api_version: str) -> list[ServedResource]:
    path = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
    document = await _get(caller, path, PLAIN, _PlainList)
    return [
        ServedResource(api_version, item.kind, item.name, bool(item.namespaced), tuple(item.verbs or ()))
        for item in document.resources or []
        if item.kind and item.name and "/" not in item.name
    ]


async def _get(caller: Caller, path: str, accept: str, type_: type[T]) -> T:
    return decode_as(type_, await caller.call(HttpRequest("GET", path, [], {"Accept": accept})), f"GET {path}")
