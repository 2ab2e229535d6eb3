"""OpenAPI: v3 as an index with hashed addresses and one document for each group and version, v2 as one document.

Documents are built when they are first requested and kept until the served resources change. Version 2 exists for old
clients and for what newer ones fall back to; kubectl reads it as protobuf.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from zestor_controller.apiserver.discovery.groups import GIT_VERSION
from zestor_controller.apiserver.discovery.openapischema import META, Schemas, texts
from zestor_controller.apiserver.discovery.swagger import swagger
from zestor_controller.apiserver.discovery.swaggerproto import encode_swagger
from zestor_controller.apiserver.response.negotiation import clauses, respond_bytes, to_json
from zestor_controller.apiserver.rest.wireprofile import JSON
from zestor_controller.http import HttpRequest, HttpResponse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zestor_controller.apiserver.rest.resource import Resource
    from zestor_controller.apiserver.rest.resourceregistry import ResourceRegistry

__all__ = ["OpenApi"]

Json = dict[str, Any]

_BASE = "/openapi/v3"
_V2 = "/openapi/v2"
_V2_PROTOBUF = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
_V2_FORMS = {
    JSON: JSON,
    "application/*": JSON,
    "*/*": JSON,
    _V2_PROTOBUF: _V2_PROTOBUF,
    "application/com.github.proto-openapi.spec.v2@v1.0+protobuf": _V2_PROTOBUF,  # a name that is no valid type
}
_LIST = (
    "allowWatchBookmarks", "continue", "fieldSelector", "labelSelector", "limit", "resourceVersion",
    "resourceVersionMatch", "sendInitialEvents", "shardSelector", "timeoutSeconds", "watch",
)  # fmt: skip
_DELETE = (
    "dryRun", "gracePeriodSeconds", "ignoreStoreReadErrorWithClusterBreakingPotential", "orphanDependents",
    "propagationPolicy",
)  # fmt: skip
_COLLECTION = (
    "continue", "dryRun", "fieldSelector", "gracePeriodSeconds", "ignoreStoreReadErrorWithClusterBreakingPotential",
    "labelSelector", "limit", "orphanDependents", "propagationPolicy", "resourceVersion", "resourceVersionMatch",
    "sendInitialEvents", "shardSelector", "timeoutSeconds",
)  # fmt: skip
_WRITE = ("dryRun", "fieldManager", "fieldValidation")
_PATCH = ("dryRun", "fieldManager", "fieldValidation", "force")
_METHODS = {"create": "post", "get": "get", "update": "put", "patch": "patch", "delete": "delete"}
_DESCRIPTIONS = {
    "create": "create a", "get": "read the specified", "update": "replace the specified",
    "patch": "partially update the specified", "delete": "delete a", "list": "list objects of kind",
    "deletecollection": "delete collection of",
}  # fmt: skip


def _parameter(name: str) -> Json:
    kind, text = texts()["parameters"][name]
    return {"name": name, "in": "query", "description": text, "schema": {"type": kind, "uniqueItems": True}}


def _path_parameter(name: str, text: str) -> Json:
    schema = {"type": "string", "uniqueItems": True}
    return {"name": name, "in": "path", "description": text, "required": True, "schema": schema}


class _Document:
    """One document under construction."""

    def __init__(self) -> None:
        self._schemas = Schemas()
        self._paths: dict[str, Json] = {}

    def build(self, resources: Iterable[Resource]) -> Json:
        custom = False
        for resource in resources:
            custom = resource.openapi_schema is not None
            self._add(resource)
        return {
            "openapi": "3.0.0",
            "info": {"title": "Kubernetes CRD Swagger", "version": "v0.1.0"}
            if custom
            else {"title": "Kubernetes", "version": GIT_VERSION},
            "paths": dict(sorted(self._paths.items())),
            "components": {"schemas": dict(sorted(self._schemas.components.items()))},
        }

    def _add(self, resource: Resource) -> None:
        if resource.openapi_schema is None and not resource.message:
            return
        root = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
        base = f"{root}/namespaces/{{namespace}}" if resource.namespaced else root
        kind = self._schemas.kind(resource)
        collection = f"{base}/{resource.plural}"
        for verb in ("create", "deletecollection", "list"):
            if verb in resource.verbs:
                self._operation(resource, collection, verb, kind, "", resource.namespaced)
        if resource.namespaced and "list" in resource.verbs:
            self._operation(resource, f"{root}/{resource.plural}", "list", kind, "", False)
        one = f"{collection}/{{name}}"
        for verb in ("get", "update", "patch", "delete"):
            if verb in resource.verbs:
                self._operation(resource, one, verb, kind, "", resource.namespaced, named=True)
        for sub in resource.subresources.values():
            same = (sub.group, sub.version, sub.kind) == (resource.group, resource.version, resource.kind)
            shown = kind if same else self._schemas.named(sub.group, sub.version, sub.kind)
            if shown is None:
                continue
            gvk = {"group": sub.group, "version": sub.version, "kind": sub.kind}
            for verb in sub.verbs:
                if verb in _METHODS:
                    path = f"{one}/{sub.name}"
                    self._operation(resource, path, verb, shown, sub.name, resource.namespaced, named=True, gvk=gvk)

    def _operation(
        self,
        resource: Resource,
        path: str,
        verb: str,
        kind: Json,
        subresource: str,
        namespaced: bool,
        *,
        named: bool = False,
        gvk: Json | None = None,
    ) -> None:
        item = self._paths.setdefault(path, {})
        if "parameters" not in item:
            item["parameters"] = self._path_parameters(resource, namespaced, named)
        method = {"list": "get", "deletecollection": "delete"}.get(verb) or _METHODS[verb]
        operation: Json = {
            "tags": [_camel(resource.group, resource.version, first_upper=False)],
            "description": f"{_DESCRIPTIONS[verb]} {resource.kind}" if not subresource else
            f"{_DESCRIPTIONS[verb]} {subresource} of {resource.kind}",
            "operationId": self._identity(resource, verb, subresource, namespaced),
        }  # fmt: skip
        queries = {"list": _LIST, "deletecollection": _COLLECTION, "delete": _DELETE, "patch": _PATCH}.get(
            verb, _WRITE if verb in ("create", "update") else ()
        )
        if queries:
            operation["parameters"] = [_parameter(name) for name in queries]
        body = self._body(resource, verb, kind)
        if body is not None:
            operation["requestBody"] = body
        operation["responses"] = self._responses(resource, verb, kind)
        operation["x-kubernetes-action"] = {"create": "post", "update": "put"}.get(verb, verb)
        operation["x-kubernetes-group-version-kind"] = gvk or {
            "group": resource.group,
            "version": resource.version,
            "kind": resource.kind,
        }
        item[method] = operation

    def _path_parameters(self, resource: Resource, namespaced: bool, named: bool) -> list[Json]:
        found = []
        if named:
            found.append(_path_parameter("name", f"name of the {resource.kind}"))
        if namespaced:
            found.append(_path_parameter("namespace", "object name and auth scope, such as for teams and projects"))
        return [*found, _parameter("pretty")]

    def _identity(self, resource: Resource, verb: str, subresource: str, namespaced: bool) -> str:
        word = {"get": "read", "update": "replace", "deletecollection": "deleteCollection"}.get(verb, verb)
        scope = "Namespaced" if namespaced else ""
        everywhere = "ForAllNamespaces" if resource.namespaced and not namespaced else ""
        suffix = "".join(part.capitalize() for part in subresource.split("-"))
        return word + _camel(resource.group, resource.version) + scope + resource.kind + suffix + everywhere

    def _content(self, resource: Resource, schema: Json) -> Json:
        return {media: {"schema": schema} for media in resource.wire.body_types}

    def _body(self, resource: Resource, verb: str, kind: Json) -> Json | None:
        if verb in ("create", "update"):
            return {"content": self._content(resource, kind) if not resource.wire.routed else {"*/*": {"schema": kind}},
                    "required": True}  # fmt: skip
        if verb == "patch":
            content = {media: {"schema": self._schemas.patch()} for media in sorted(resource.wire.patch_types)}
            return {"content": content, "required": True}
        if verb in ("delete", "deletecollection"):
            options = self._schemas.reference(f"{META}.DeleteOptions")
            content = {"*/*": {"schema": options}} if resource.wire.routed else self._content(resource, options)
            return {"content": content}
        return None

    def _responses(self, resource: Resource, verb: str, kind: Json) -> Json:
        schema = kind
        if verb == "list":
            schema = self._schemas.list_kind(resource)
        elif verb in ("delete", "deletecollection") and not (verb == "delete" and resource.returns_deleted_object):
            schema = self._schemas.reference(f"{META}.Status")
        content = self._content(resource, schema)
        responses: Json = {"200": {"description": "OK", "content": content}}
        if verb in ("create", "update", "patch"):
            responses["201"] = {"description": "Created", "content": content}
        if verb in ("create", "delete"):
            responses["202"] = {"description": "Accepted", "content": content}
        responses["401"] = {"description": "Unauthorized"}
        return responses


def _camel(group: str, version: str, *, first_upper: bool = True) -> str:
    name = group.partition(".")[0] or "core"
    if first_upper:
        return name[:1].upper() + name[1:] + version[:1].upper() + version[1:]
    return f"{name}_{version}"


class OpenApi:
    """Responds to the paths under ``/openapi``.

    Args:
        registry: the resources that are served now.
    """

    def __init__(self, registry: ResourceRegistry) -> None:
        self._registry = registry
        self._generation = -1
        self._groups: dict[str, list[Resource]] = {}
        self._hashes: dict[str, str] = {}
        self._documents: dict[str, tuple[str, bytes]] = {}

    def respond(self, request: HttpRequest) -> HttpResponse | None:
        """The response to a path under ``/openapi``; None for every other path."""
        path = request.path.rstrip("/")
        if not path.startswith("/openapi"):
            return None
        if path == _V2:
            return self._swagger(request)
        if path != _BASE and not path.startswith(f"{_BASE}/"):
            return HttpResponse(404)
        self._refresh()
        name = path[len(_BASE) + 1 :]
        if name and name not in self._groups:
            return HttpResponse(404)
        if request.method not in ("GET", "HEAD"):
            return HttpResponse(405)
        if not _takes_json(request.headers.get("accept", "")):
            return HttpResponse(406)
        return self._document(request, name) if name else self._index(request)

    def _swagger(self, request: HttpRequest) -> HttpResponse:
        """The version 2 document, in the first form that the client accepts and the server has."""
        if request.method not in ("GET", "HEAD"):
            return HttpResponse(405)
        accepted = clauses(request.headers.get("accept", "")) or clauses(JSON)
        media = next((form for clause in accepted if (form := _V2_FORMS.get(clause.type))), None)
        if media is None:
            return HttpResponse(406)
        self._refresh()
        found = hashlib.sha512(to_json(sorted(self._hashes.items()))).hexdigest().upper()
        headers = [("ETag", f'"{found}"'), ("Vary", "Accept")]
        if request.headers.get("if-none-match", "") == f'"{found}"':
            return HttpResponse(304, headers)
        built = self._documents.get(media)
        if built is None or built[0] != found:
            document = swagger(*self._everything(), GIT_VERSION)
            raw = to_json(document) if media == JSON else encode_swagger(document)
            built = self._documents[media] = (found, raw)
        return respond_bytes(request, 200, built[1], media, headers)

    def _everything(self) -> tuple[Json, set[str]]:
        """One version 3 document of all resources, and the names of the schemas that come from CRDs."""
        resources = list(self._registry.resources())
        custom = {Schemas.custom_name(each, each.kind) for each in resources if each.openapi_schema is not None}
        return _Document().build(resources), custom

    def _refresh(self) -> None:
        generation = self._registry.generation
        if self._groups and generation == self._generation:
            return
        groups: dict[str, list[Resource]] = {}
        for resource in self._registry.resources():
            root = "apis/" + resource.group if resource.group else "api"
            groups.setdefault(f"{root}/{resource.version}", []).append(resource)
        self._groups, self._generation = groups, generation
        self._hashes = {name: self._hash(resources) for name, resources in groups.items()}

    def _hash(self, resources: list[Resource]) -> str:
        """Of what a document is made of: the same resources and schemas give the same document."""
        parts: list[Any] = [GIT_VERSION]
        for resource in resources:
            subresources = {name: [sub.kind, *sub.verbs] for name, sub in resource.subresources.items()}
            parts.append([resource.plural, resource.kind, resource.namespaced, resource.verbs, subresources])
            if resource.openapi_schema is not None:
                parts.append(resource.openapi_schema)
        return hashlib.sha512(to_json(parts)).hexdigest().upper()

    def _index(self, request: HttpRequest) -> HttpResponse:
        paths = {
            name: {"serverRelativeURL": f"{_BASE}/{name}?hash={self._hashes[name]}"} for name in sorted(self._groups)
        }
        # The server does not say that the index is JSON.
        return respond_bytes(request, 200, to_json({"paths": paths}), "text/plain; charset=utf-8")

    def _document(self, request: HttpRequest, name: str) -> HttpResponse:
        found = self._hashes[name]
        asked = next((value for key, value in request.query if key == "hash"), "")
        if asked and asked != found:
            return HttpResponse(301, [("Location", f"{_BASE}/{name}?hash={found}")])
        etag = f'"{found}"'
        headers = [("ETag", etag), ("Vary", "Accept")]
        if asked:
            headers.append(("Cache-Control", "public, max-age=31536000, immutable"))
        if request.headers.get("if-none-match", "") == etag:
            return HttpResponse(304, headers)
        built = self._documents.get(name)
        if built is None or built[0] != found:
            document = _Document().build(self._groups[name])
            built = self._documents[name] = (found, to_json(document))
        return respond_bytes(request, 200, built[1], JSON, headers)


def _takes_json(accept: str) -> bool:
    return not accept or any(clause.type in (JSON, "*/*", "application/*") for clause in clauses(accept))
