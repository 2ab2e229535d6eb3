"""The router: from a path to the context of its request, and to the code that serves its verb.

Invariant: nothing is decided by what a resource is called: what differs between resources is in their WireProfile,
their verbs, their subresources and their handlers.

Source: apiserver pkg/endpoints/installer.go, apiextensions-apiserver pkg/apiserver/customresource_handler.go.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from zestor_controller.apiserver.auth.authorization import MASTERS, Attributes, refused
from zestor_controller.apiserver.discovery.groups import Discovery, text_response
from zestor_controller.apiserver.discovery.openapiv3 import OpenApi
from zestor_controller.apiserver.request.body import LIMIT, too_large
from zestor_controller.apiserver.rest.requestinfo import RequestInfo
from zestor_controller.apiserver.rest.resource import Handler, RequestContext
from zestor_controller.apiserver.rest.resourceregistry import ResourceRegistry
from zestor_controller.apiserver.rest.status import (
    Failure,
    bad_request,
    method_not_supported,
    not_found,
    not_implemented,
    status_body,
)
from zestor_controller.apiserver.rest.user import User
from zestor_controller.http import HttpRequest, HttpResponse

__all__ = ["Router"]

COMPACT: Final = "/zestor/v1/compact"


class Router:
    """Finds who serves a request.

    Args:
        registry: the resources.
        verbs: the code of each verb of stored resources.
        scale: the code of the scale subresource.
        discovery: serves groups, versions and health checks.
        openapi: serves the published schemas.
        compact: forgets the history; returns the revision up to which it is forgotten.
    """

    def __init__(
        self,
        registry: ResourceRegistry,
        verbs: Mapping[str, Handler],
        scale: Handler,
        discovery: Discovery,
        openapi: OpenApi,
        compact: Callable[[], int],
    ) -> None:
        self._registry = registry
        self._verbs = verbs
        self._scale = scale
        self._discovery = discovery
        self._openapi = openapi
        self._compact = compact

    def route(self, request: HttpRequest, info: RequestInfo, user: User, now: str) -> RequestContext | HttpResponse:
        """The context of a request for a resource; the response to a request for something else.

        Raises:
            Failure: 404 for a path that is not served, 405 or 406 for one that is served otherwise, 413.
        """
        if not info.is_resource:
            return self._path(request, info, user)
        resource = self._registry.find(info.group, info.version, info.resource)
        if resource is None or (info.in_namespace and not resource.namespaced):
            response = self._discovery.answer(request)
            return response if response is not None else self._not_served(info)
        routed = resource.wire.routed
        if "//" in request.path or (info.rest and info.subresource != "proxy" and routed):
            raise _unknown_path()
        if resource.namespaced and not info.namespace and (info.single or not routed):
            # No such path: an object of a namespaced kind without its namespace. Custom resources have lists here.
            if routed:
                raise _unknown_path()
            if info.single or info.verb not in ("list", "watch"):
                return text_response(404, "404 page not found\n")
        if info.namespace and not info.in_namespace:
            info = replace(info, namespace="")  # a namespace is an object of the cluster
        subresource = None
        if info.subresource:
            subresource = resource.subresources.get(info.subresource)
            if subresource is None:
                raise _unknown_path() if routed else not_found(info.group, info.resource, info.name)
        if len(request.body) > LIMIT:
            raise too_large()
        ctx = RequestContext(request, info, user, resource, subresource, now)
        if resource.deprecation:
            ctx.warnings.append(resource.deprecation)
        return ctx

    def handler(self, ctx: RequestContext) -> Handler:
        """The code that serves a request.

        Raises:
            Failure: 400, 405 or 501 for a verb that the path does not have.
        """
        info, resource, subresource = ctx.info, ctx.resource, ctx.subresource
        verb = info.verb
        served = resource if subresource is None else subresource
        found = served.handlers.get(verb)
        if found is not None:
            return found
        if verb in ("update", "patch") and not info.single and not resource.wire.routed:
            raise bad_request("name must be provided")
        if verb in ("create", "deletecollection"):
            # Not of all namespaces at once, and no object is created below another.
            everywhere = resource.namespaced and not info.namespace
            misplaced = everywhere or (verb == "create" and info.single and subresource is None)
        else:
            misplaced = verb in ("update", "patch") and not info.single
        if misplaced or verb not in served.verbs:
            raise _not_allowed(ctx)
        if subresource is None:
            return self._verbs[verb]
        if subresource.scales:
            return self._scale
        if subresource.strategy is None:
            raise not_implemented(info.group, f"{info.resource}/{info.subresource}", info.name)
        return self._verbs[verb]

    def _path(self, request: HttpRequest, info: RequestInfo, user: User) -> HttpResponse:
        """A path that names no resource: discovery, OpenAPI, health, and the endpoint of this server's own."""
        if info.path == COMPACT:
            if request.method != "POST":
                raise _method_not_allowed()
            if MASTERS not in user.groups:
                raise refused(user, Attributes("post", path=info.path))
            return HttpResponse(200, [("Content-Type", "application/json")], b'{"compacted":%d}' % self._compact())
        response = self._openapi.answer(request) or self._discovery.answer(request)
        return response if response is not None else self._not_served(info)

    def _not_served(self, info: RequestInfo) -> HttpResponse:
        """404: a Status below the groups that are built in, plain text everywhere else.

        Raises:
            Failure: 404.
        """
        parts = info.path.strip("/").split("/")
        group = {"api": "", "apis": parts[1] if len(parts) > 1 else ""}.get(parts[0])
        if group is not None and self._registry.has_built_in(group):
            raise _unknown_path()
        return text_response(404, "404 page not found\n")


def _unknown_path() -> Failure:
    return Failure(status_body(404, "the server could not find the requested resource", "NotFound", {}))


def _not_allowed(ctx: RequestContext) -> Failure:
    if ctx.resource.wire.routed:
        return _method_not_allowed()
    return method_not_supported(ctx.resource.group, ctx.resource.plural, ctx.info.verb)


def _method_not_allowed() -> Failure:
    message = "the server does not allow this method on the requested resource"
    return Failure(status_body(405, message, "MethodNotAllowed", {}))
