"""Asking a server which kinds it serves.

Aggregated discovery takes two requests; servers that do not know it answer the plain documents to the same requests,
from which one request for each group follows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final, Protocol

import msgspec

from zestor_controller.client.decoding import decode_json
from zestor_controller.errors import ApiError, ConfigError, NotFound
from zestor_controller.http import HttpRequest
from zestor_controller.objects import GroupVersionKind, Kind, Unstructured, declare

__all__ = ["ServedResource", "discover", "served_resources"]

PLAIN: Final = "application/json"
AGGREGATED: Final = f"{PLAIN};g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,{PLAIN}"


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
    try:
        served = await _group_version(caller, gvk.api_version)
    except NotFound:
        served = []
    for resource in served:
        if resource.kind == gvk.kind:
            return declare(text, resource.plural, namespaced=resource.namespaced)
    raise ConfigError(f"the server does not serve {text}; install its CustomResourceDefinition, or correct the name")


async def served_resources(caller: Caller) -> list[ServedResource]:
    """Every resource in one version, its group's preferred one where that has it; subresources are left out.

    A group whose own server does not answer (an aggregated API that is down) is left out; it hides no other.
    """
    core, groups = await asyncio.gather(_get(caller, "/api", AGGREGATED), _get(caller, "/apis", AGGREGATED))
    found: list[ServedResource] = []
    versions: list[str] = []
    for document in (core, groups):
        if document.get("kind") == "APIGroupDiscoveryList":
            found += [one for item in document.get("items") or [] for one in _aggregated(item)]
        elif document is core:
            versions.append("v1")
        else:
            versions += [group["preferredVersion"]["groupVersion"] for group in document.get("groups") or []]
    for listed in await asyncio.gather(*(_answering(caller, version) for version in versions)):
        found += listed
    return found


def _aggregated(group: Mapping[str, Any]) -> list[ServedResource]:
    """Each resource of a group in the first version that has it and is up to date; the preferred version is first."""
    name = (group.get("metadata") or {}).get("name") or ""
    found: dict[str, ServedResource] = {}
    for version in group.get("versions") or []:
        if version.get("freshness") == "Stale":
            continue
        api_version = f"{name}/{version['version']}" if name else str(version["version"])
        for item in version.get("resources") or []:
            if item.get("responseKind") and item["resource"] not in found:
                found[item["resource"]] = ServedResource(
                    api_version,
                    item["responseKind"]["kind"],
                    item["resource"],
                    item.get("scope") == "Namespaced",
                    tuple(item.get("verbs") or ()),
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
    document = await _get(caller, path, PLAIN)
    return [
        ServedResource(
            api_version, item["kind"], item["name"], bool(item["namespaced"]), tuple(item.get("verbs") or ())
        )
        for item in document.get("resources") or []
        if "/" not in item["name"]
    ]


async def _get(caller: Caller, path: str, accept: str) -> dict[str, Any]:
    return decode_json(await caller.call(HttpRequest("GET", path, [], {"Accept": accept})), f"GET {path}")
