"""Discovery: which groups, versions and resources are served, in every form that clients ask for.

Also the small fixed responses around it: ``/version``, the health checks and the list of paths. Everything is derived
from the resources that are served at the moment of the request and kept until they change.
"""

from __future__ import annotations

import base64
import hashlib
import platform
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zestor_controller.apiserver.response.negotiation import clauses, negotiate, respond, respond_bytes, to_json
from zestor_controller.apiserver.rest.status import Failure, status_body
from zestor_controller.apiserver.rest.wireprofile import JSON
from zestor_controller.http import HttpRequest, HttpResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from zestor_controller.apiserver.rest.resource import Resource, Subresource
    from zestor_controller.apiserver.rest.resourceregistry import ResourceRegistry

__all__ = ["GIT_VERSION", "MAJOR", "MINOR", "Discovery", "text_response", "version_order"]

Json = dict[str, Any]

MAJOR, MINOR = "1", "36"
GIT_VERSION = "v1.36.2+zestor"
_TEXT = "text/plain; charset=utf-8"
_VERSION = re.compile(r"v(\d+)(?:(alpha|beta)(\d+))?")
_STAGES = {"": 2, "beta": 1, "alpha": 0}
_AGGREGATED = "APIGroupDiscoveryList"


def version_order(version: str) -> tuple[int, int, int, int, str]:
    """A key that sorts versions as Kubernetes prefers them: stable, beta, alpha, newest first, the rest by name."""
    found = _VERSION.fullmatch(version)
    if found is None:
        return (1, 0, 0, 0, version)
    return (0, -_STAGES[found[2] or ""], -int(found[1]), -int(found[3] or 0), version)


def text_response(status: int, text: str, headers: Iterable[tuple[str, str]] = ()) -> HttpResponse:
    """A response of plain text."""
    return HttpResponse(
        status, [("Content-Type", _TEXT), ("X-Content-Type-Options", "nosniff"), *headers], text.encode()
    )


def _storage_hash(resource: Resource) -> str:
    digest = hashlib.sha256(f"{resource.storage_group}/{resource.version}/{resource.kind}".encode()).digest()
    return base64.b64encode(digest[:8]).decode()


def _is_foreign(resource: Resource, sub: Subresource) -> bool:
    """Whether a subresource's kind lives in another group or version than its resource."""
    return (sub.group, sub.version) != (resource.group, resource.version)


def _api_resources(resource: Resource) -> list[Json]:
    entry: Json = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    if "list" in resource.verbs:
        entry["storageVersionHash"] = _storage_hash(resource)
    entries = [entry]
    for sub in resource.subresources.values():
        entry = {"name": f"{resource.plural}/{sub.name}", "singularName": "", "namespaced": resource.namespaced}
        if _is_foreign(resource, sub):
            entry |= {"group": sub.group, "version": sub.version} if sub.group else {"version": sub.version}
        entries.append({**entry, "kind": sub.kind, "verbs": list(sub.verbs)})
    return entries


def _response_kind(resource: Resource, kind: str, sub: Subresource | None) -> Json:
    if sub is not None and _is_foreign(resource, sub):
        return {"group": sub.group, "version": sub.version, "kind": kind}
    if not resource.wire.typed:
        return {"group": resource.group, "version": resource.version, "kind": kind}
    # Built-in kinds leave out what the group and version around them say already.
    return {"group": "", "version": "", "kind": kind}


def _aggregated_resource(resource: Resource) -> Json:
    entry: Json = {
        "resource": resource.plural,
        "responseKind": _response_kind(resource, resource.kind, None),
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    if resource.subresources:
        entry["subresources"] = [
            {
                "subresource": sub.name,
                "responseKind": _response_kind(resource, sub.kind, sub),
                "verbs": list(sub.verbs),
            }
            for sub in sorted(resource.subresources.values(), key=lambda sub: sub.name)
        ]
    return entry


@dataclass(slots=True)
class _View:
    """The served resources, ordered: group to version to resources."""

    groups: dict[str, dict[str, list[Resource]]]
    documents: dict[str, tuple[bytes, str]]


def _view(registry: ResourceRegistry) -> _View:
    groups: dict[str, dict[str, list[Resource]]] = {}
    for resource in registry.resources():
        groups.setdefault(resource.group, {}).setdefault(resource.version, []).append(resource)
    ordered = {
        group: {
            version: sorted(versions[version], key=lambda resource: resource.plural)
            # A custom version never becomes the preferred one of a built-in group: clients would find it in its place.
            for version in sorted(versions, key=lambda one: (not registry.is_built_in(group, one), version_order(one)))
        }
        for group, versions in groups.items()
    }
    return _View(ordered, {})


def _group(name: str, versions: Iterable[str]) -> Json:
    served = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": served, "preferredVersion": served[0]}


def _version() -> Json:
    return {
        "major": MAJOR,
        "minor": MINOR,
        "emulationMajor": MAJOR,
        "emulationMinor": MINOR,
        "minCompatibilityMajor": MAJOR,
        "minCompatibilityMinor": str(int(MINOR) - 1),
        "gitVersion": GIT_VERSION,
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": f"none (Python {platform.python_version()})",
        "compiler": platform.python_implementation(),
        "platform": f"{platform.system().lower()}/{platform.machine()}",
    }


class Discovery:
    """Responds to the paths of discovery, ``/version`` and the health checks.

    Args:
        registry: the resources that are served now; what was built is kept until they change.
        checks: the health checks by name, each to whether it is well.
    """

    def __init__(
        self,
        registry: ResourceRegistry,
        checks: Mapping[str, Callable[[], bool]] | None = None,
    ) -> None:
        self._registry = registry
        self._checks = {"ping": lambda: True, **(checks or {})}
        self._built: tuple[int, _View] | None = None

    def respond(self, request: HttpRequest) -> HttpResponse | None:
        """The response to a path of discovery; None for every other path, and for groups and versions not served.

        Raises:
            Failure: 405, 406.
        """
        parts = request.path.strip("/").split("/")
        match parts:
            case [""]:
                return self._get(request, "paths", self._paths)
            case ["version"]:
                return self._get(request, "version", _version)
            case ["healthz" | "livez" | "readyz", *names]:
                return self._health(request, parts[0], names)
            case ["api"]:
                return self._root(request, "api", self._api_versions, core=True)
            case ["apis"]:
                return self._root(request, "apis", self._group_list, core=False)
            case ["api", version] if version in self._now().groups.get("", {}):
                return self._get(request, f"api/{version}", lambda: self._resource_list("", version))
            case ["apis", group] if group and group in self._now().groups:
                return self._get(request, f"apis/{group}", lambda: self._api_group(group))
            case ["apis", group, version] if group and version in self._now().groups.get(group, {}):
                key = f"apis/{group}/{version}"
                return self._get(request, key, lambda: self._resource_list(group, version))
        return None

    def _now(self) -> _View:
        generation = self._registry.generation
        if self._built is None or self._built[0] != generation:
            self._built = (generation, _view(self._registry))
        return self._built[1]

    def _document(self, key: str, make: Callable[[], Json]) -> tuple[bytes, str]:
        documents = self._now().documents
        if key not in documents:
            raw = to_json(make()) + b"\n"
            documents[key] = (raw, f'"{hashlib.sha512(raw).hexdigest().upper()}"')
        return documents[key]

    def _get(self, request: HttpRequest, key: str, make: Callable[[], Json]) -> HttpResponse:
        if request.method != "GET":
            message = "the server does not allow this method on the requested resource"
            raise Failure(status_body(405, message, "MethodNotAllowed", {}))
        return self._plain(request, key, make)

    def _plain(self, request: HttpRequest, key: str, make: Callable[[], Json]) -> HttpResponse:
        output = negotiate(request)
        if output.plain:
            return respond_bytes(request, 200, self._document(key, make)[0])
        return respond(request, output, 200, make())

    def _root(self, request: HttpRequest, key: str, make: Callable[[], Json], *, core: bool) -> HttpResponse:
        wanted = _aggregated_version(request.headers.get("accept", ""))
        if wanted is None:
            return self._plain(request, key, make)
        body, etag = self._document(f"{key}:{wanted}", lambda: self._aggregated(core, wanted))
        headers = [("ETag", etag), ("Vary", "Accept"), ("Cache-Control", "public")]
        if etag in (tag.strip() for tag in request.headers.get("if-none-match", "").split(",")):
            return HttpResponse(304, headers)
        media = f"{JSON};g=apidiscovery.k8s.io;v={wanted};as={_AGGREGATED}"
        return respond_bytes(request, 200, body, media, headers)

    def _aggregated(self, core: bool, wanted: str) -> Json:
        items = []
        for name, versions in self._now().groups.items():
            if (name == "") is not core:
                continue
            served = [
                {
                    "version": version,
                    "resources": [_aggregated_resource(resource) for resource in resources],
                    "freshness": "Current",
                }
                for version, resources in versions.items()
            ]
            items.append({"metadata": {"name": name} if name else {}, "versions": served})
        return {
            "kind": _AGGREGATED,
            "apiVersion": f"apidiscovery.k8s.io/{wanted}",
            "metadata": {},
            "items": items,
        }

    def _api_versions(self) -> Json:
        return {
            "kind": "APIVersions",
            "versions": list(self._now().groups.get("", {})),
            "serverAddressByClientCIDRs": [],
        }

    def _group_list(self) -> Json:
        groups = [_group(name, versions) for name, versions in self._now().groups.items() if name]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}

    def _api_group(self, name: str) -> Json:
        return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, self._now().groups[name])}

    def _resource_list(self, group: str, version: str) -> Json:
        entries = [entry for resource in self._now().groups[group][version] for entry in _api_resources(resource)]
        named = {"groupVersion": f"{group}/{version}" if group else version}
        # The core group's list has no apiVersion of its own, an old quirk that clients expect.
        head = {"kind": "APIResourceList"} if not group else {"kind": "APIResourceList", "apiVersion": "v1"}
        return {**head, **named, "resources": entries}

    def _paths(self) -> Json:
        found = {"/api", "/apis", "/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz", "/version"}
        found |= {f"/{check}/{name}" for check in ("healthz", "livez", "readyz") for name in self._checks}
        for group, versions in self._now().groups.items():
            base = f"/apis/{group}" if group else "/api"
            found.add(base)
            found |= {f"{base}/{version}" for version in versions}
        return {"paths": sorted(found)}

    def _health(self, request: HttpRequest, endpoint: str, names: Sequence[str]) -> HttpResponse | None:
        if request.method not in ("GET", "HEAD"):
            message = "the server does not allow this method on the requested resource"
            raise Failure(status_body(405, message, "MethodNotAllowed", {}))
        if names:
            check = self._checks.get(names[0]) if len(names) == 1 else None
            if check is None:
                return None
            return text_response(200, "ok") if check() else text_response(500, "internal server error: not ok\n")
        excluded = {value for name, value in request.query if name == "exclude"}
        results = {name: check() for name, check in self._checks.items() if name not in excluded}
        lines = [f"[{'+' if well else '-'}]{name} {'ok' if well else 'failed: reason withheld'}\n"
                 for name, well in results.items()]  # fmt: skip
        if not all(results.values()):
            return text_response(500, "".join(lines) + f"{endpoint} check failed\n")
        if any(name == "verbose" for name, _ in request.query):
            return text_response(200, "".join(lines) + f"{endpoint} check passed\n")
        return text_response(200, "ok")


def _aggregated_version(accept: str) -> str | None:
    """The version of aggregated discovery that the client likes best; None when it wants the plain form."""
    for clause in clauses(accept):
        wanted = clause.parameters
        if clause.type == JSON and wanted.get("as") == _AGGREGATED and wanted.get("g") == "apidiscovery.k8s.io":
            if wanted.get("v") in ("v2", "v2beta1"):
                return wanted["v"]
        elif clause.type in (JSON, "*/*", "application/*") and "as" not in wanted:
            return None
    return None
