"""The API server: from a request to its response. A Handler; it knows no socket.

A request passes: ``rest.requestinfo`` (what its path says) → ``auth.authentication`` (user) → ``auth.authorization``
(permission) → ``verbs`` (or an endpoint of the registry) → ``response`` (encoding) → ``auth.audit``. Extension points:

- ``registry.add(Resource)`` serves a resource; built-in ones come from ``builtin``, custom ones from ``crds``.
- ``registry.add_endpoint(group, version, plural, subresource, verb, function)`` serves a verb by other code than the
  storage's: reviews, tokens, bindings.
- ``storage.hooks`` are called with each change right after it is committed.

Invariants: every response to a known user is audited once; a bug is reported as 500 without a traceback (A3).
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import random
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from zestor_controller.apiserver import builtin
from zestor_controller.apiserver.admission.namespacelifecycle import INITIAL, NamespaceGuard
from zestor_controller.apiserver.admission.rbacescalation import EscalationGuard
from zestor_controller.apiserver.auth.audit import AuditLog, AuditRecord
from zestor_controller.apiserver.auth.authentication import TokenAuthenticator
from zestor_controller.apiserver.auth.authorization import (
    MASTERS,
    Attributes,
    RbacAuthorizer,
    attributes_of,
    bootstrap_roles,
    refused,
)
from zestor_controller.apiserver.auth.impersonation import Impersonation
from zestor_controller.apiserver.auth.tokens import TokenIssuer
from zestor_controller.apiserver.builtin.core.service import ServiceStrategy
from zestor_controller.apiserver.builtin.core.tokenrequest import add_token_requests
from zestor_controller.apiserver.builtin.reviews.accessreview import add_reviews
from zestor_controller.apiserver.crds.crdcontroller import DefinitionController, definition_resource
from zestor_controller.apiserver.discovery.groups import Discovery, text_response
from zestor_controller.apiserver.discovery.openapiv3 import OpenApi
from zestor_controller.apiserver.request.body import check_size
from zestor_controller.apiserver.response.negotiation import failure_response, negotiate, respond, respond_bytes
from zestor_controller.apiserver.response.warningheaders import warning_headers
from zestor_controller.apiserver.rest.context import Call, Reply
from zestor_controller.apiserver.rest.requestinfo import RequestInfo, request_info
from zestor_controller.apiserver.rest.resource import Resource, User
from zestor_controller.apiserver.rest.resourceregistry import Registry
from zestor_controller.apiserver.rest.status import (
    Failure,
    bad_request,
    method_not_supported,
    not_found,
    not_implemented,
    status_body,
)
from zestor_controller.apiserver.server.defaultroles import aggregated_roles
from zestor_controller.apiserver.server.kubernetesservice import publish_service
from zestor_controller.apiserver.server.podactions import add_pod_actions
from zestor_controller.apiserver.storage.journal import FileJournal
from zestor_controller.apiserver.storage.revisionlog import ObjectTooLarge, Storage, WriteFailed
from zestor_controller.apiserver.typed.typedef import Json
from zestor_controller.apiserver.verbs.deletion import Deleter
from zestor_controller.apiserver.verbs.mutation import Writer
from zestor_controller.apiserver.verbs.retrieval import Reader
from zestor_controller.apiserver.verbs.scaling import Scaler
from zestor_controller.http import HttpRequest, HttpResponse

__all__ = ["ApiServer"]

_log = logging.getLogger(__name__)

# What the storage answers; any other subresource has an endpoint or is refused, and is never taken for its object.
STORED_SUBRESOURCES: Final = frozenset({"ephemeralcontainers", "finalize", "scale", "status"})
COMPACT: Final = "/zestor/v1/compact"
JSON_HEADERS: Final = [("Content-Type", "application/json")]


class ApiServer:
    """One server and its objects.

    Args:
        authenticator: knows the users.
        rbac: rights are checked; without it every known user may do everything.
        audit: where each request is noted.
        rng: uids, names, and how long watches last; a seeded one makes them repeat.
        wall: seconds since the epoch.
        journal: keeps the objects; they are in memory only without one.
        signing_key: signs service account tokens; a new one unless given.
    """

    def __init__(
        self,
        authenticator: TokenAuthenticator,
        *,
        rbac: bool = False,
        audit: AuditLog | None = None,
        rng: random.Random | None = None,
        wall: Callable[[], float] = time.time,
        journal: FileJournal | None = None,
        signing_key: EllipticCurvePrivateKey | None = None,
    ) -> None:
        self.storage = Storage(journal)
        if journal is not None:
            journal.restore(self.storage)
        self.registry = Registry(builtin.resources())
        self.registry.add(definition_resource())
        for resource in self.registry.resources():
            self.storage.table(resource.storage)  # their history begins with the server's
        self.authenticator = authenticator
        self.authorizer = RbacAuthorizer(self.storage)
        self._rbac = rbac
        self._impersonation = Impersonation(self.authorizer if rbac else None)
        self._audit = audit if audit is not None else AuditLog()
        self._rng = rng if rng is not None else random.SystemRandom()
        self._wall = wall
        services = self.registry.find("", "v1", "services")
        assert services is not None
        assert isinstance(services.strategy, ServiceStrategy)
        for version in self.storage.table(services.storage).versions():
            services.strategy.adopt(version.obj)
        guard = NamespaceGuard(self.storage)
        self._reader = Reader(self.storage, self._rng, wall)
        grants = EscalationGuard(self.authorizer, enforced=rbac)
        self._writer = Writer(self.storage, self._rng, guard, self.registry, grants)
        self._deleter = Deleter(self.storage, self._reader, guard)
        self._scaler = Scaler(self.storage, self._reader, self._writer, self.registry)
        self._discovery = Discovery(self.registry.resources, lambda: self.registry.generation)
        self._openapi = OpenApi(self.registry.resources, lambda: self.registry.generation, schema_of)
        add_reviews(self.registry, self.authorizer, authenticator, enforced=rbac)
        add_pod_actions(self.registry, self.storage, self._deleter, self.now)
        issuer = TokenIssuer(self.storage, wall, signing_key)
        authenticator.verify = issuer.verify
        add_token_requests(self.registry, self.storage, issuer, self._rng)
        # After everything that is built in, which a definition must not take the place of.
        self._definitions = DefinitionController(self.storage, self.registry, self.now)
        self._deleter.add_marker(definition_resource().storage, self._definitions.mark)
        self._bootstrap()

    def now(self) -> str:
        """The time, RFC 3339 with seconds."""
        return datetime.fromtimestamp(self._wall(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def compact(self) -> int:
        """Forget the history; answers the version up to which it is forgotten."""
        return self.storage.compact()

    # Handling

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """Answer a request; never raises."""
        info = request_info(request)
        came = datetime.fromtimestamp(self._wall(), UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        user = User("")
        try:
            user = self._impersonation.user(request, info, self.authenticator.authenticate(request))
            response = await self._answer(request, info, user)
        except Failure as failure:
            response = failure_response(request, failure)
        except ObjectTooLarge as failed:
            response = failure_response(request, Failure(status_body(500, str(failed))))
        except WriteFailed as failed:
            _log.error("%s %s: not stored: %s", request.method, request.path, failed.__cause__)
            message = f"Internal error occurred: the write could not be stored, and nothing has changed: {failed}"
            response = failure_response(request, Failure(status_body(500, message, "InternalError", {})))
        except asyncio.CancelledError:
            raise
        except Exception:  # A3: whatever happens inside, the client gets a Status and the log gets the reason
            _log.exception("%s %s failed", request.method, request.path)
            status = status_body(500, "Internal error occurred: the server met a defect", "InternalError", {})
            response = failure_response(request, Failure(status))
        resource = f"{info.resource}.{info.group}" if info.group else info.resource
        record = AuditRecord(
            came,
            user.name,
            info.verb,
            resource,
            info.namespace,
            info.name,
            info.subresource,
            response.status,
            request.path,
        )
        self._audit.write(record)
        return response

    async def _answer(self, request: HttpRequest, info: RequestInfo, user: User) -> HttpResponse:
        if not info.is_resource:
            self._authorize(info, user)
            return self._path(request, info, user)
        resource = self.registry.find(info.group, info.version, info.resource)
        self._authorize(info, user)
        if resource is None or (info.namespace and not resource.namespaced and info.resource != "namespaces"):
            answer = self._discovery.answer(request)
            return answer if answer is not None else self._nothing(info)
        if "//" in request.path or (info.rest and info.subresource != "proxy" and not resource.custom):
            raise _unknown()
        if resource.namespaced and not info.namespace and (info.single or resource.custom):
            # No such path: an object of a namespaced kind without its namespace. Custom resources have lists here only.
            if not resource.custom:
                raise _unknown()
            if info.single or info.verb not in ("list", "watch"):
                return text_response(404, "404 page not found\n")
        if resource.namespaced is False and info.resource == "namespaces" and info.namespace:
            info = _of_cluster(info)
        sub = resource.subresources.get(info.subresource) if info.subresource else None
        if info.subresource and sub is None:
            raise not_found(info.group, info.resource, info.name) if resource.custom else _unknown()
        check_size(len(request.body))
        call = Call(request, info, info.query, user, resource, sub, self.now())
        if resource.deprecation:
            call.warnings.append(resource.deprecation)
        try:
            reply = await self._do(call)
        except Failure as failure:
            failure.headers += warning_headers(call.warnings)
            raise
        return self._respond(request, call, reply)

    def _authorize(self, info: RequestInfo, user: User) -> None:
        """Refuse what RBAC does not allow.

        Raises:
            Failure: 403.
        """
        if not self._rbac:
            return
        wanted = attributes_of(info)
        if self.authorizer.allowed(user, wanted):
            return
        raise refused(user, wanted)

    def _path(self, request: HttpRequest, info: RequestInfo, user: User) -> HttpResponse:
        """A path that names no resource: discovery, OpenAPI, health, and our own door."""
        if info.path == COMPACT:
            if request.method != "POST":
                raise Failure(
                    status_body(
                        405, "the server does not allow this method on the requested resource", "MethodNotAllowed", {}
                    )
                )
            if "system:masters" not in user.groups:
                raise refused(user, Attributes("post", path=info.path))
            revision = self.compact()
            return HttpResponse(200, list(JSON_HEADERS), b'{"compacted":%d}' % revision)
        answer = self._openapi.answer(request) or self._discovery.answer(request)
        return answer if answer is not None else self._nothing(info)

    def _nothing(self, info: RequestInfo) -> HttpResponse:
        """404: a Status below the groups that are built in, plain text everywhere else.

        Raises:
            Failure: 404.
        """
        parts = info.path.strip("/").split("/")
        group = {"api": "", "apis": parts[1] if len(parts) > 1 else ""}.get(parts[0])
        if group is not None and any(known.group == group and not known.custom for known in self.registry.resources()):
            raise _unknown()
        return text_response(404, "404 page not found\n")

    async def _do(self, call: Call) -> Reply:
        info, resource = call.info, call.resource
        endpoint = self.registry.endpoint(info.group, info.version, info.resource, info.subresource, info.verb)
        if endpoint is not None:
            answered = endpoint(call)
            result = await answered if inspect.isawaitable(answered) else answered
            return result if isinstance(result, Reply) else Reply(201 if info.verb == "create" else 200, result)
        verbs = call.subresource.verbs if call.subresource is not None else resource.verbs
        if resource.custom and info.verb in ("update", "patch") and not info.single:
            raise bad_request("name must be provided")
        if info.verb not in verbs or _misplaced(call):
            raise _not_allowed(call)
        if info.subresource and info.subresource not in STORED_SUBRESOURCES:
            raise not_implemented(info.group, f"{info.resource}/{info.subresource}", info.name)
        if info.subresource == "scale":
            return self._scaler.handle(call)
        if info.verb == "get":
            return await self._reader.get(call)
        if info.verb == "list":
            return await self._reader.collection(call)
        if info.verb == "watch":
            return self._reader.watch(call)
        reply = await self._deleter.collection(call) if info.verb == "deletecollection" else self._write(call)
        if reply.value is not None and not reply.shaped:
            output = negotiate(call.request, custom=resource.custom)
            if output.transform and info.verb != "deletecollection":
                return self._reader.shaped(call, output, reply.value, reply.status)
        return reply

    def _write(self, call: Call) -> Reply:
        verb = call.info.verb
        if (call.resource.namespaced and not call.info.namespace) or (
            verb in ("update", "patch") and not call.info.single
        ):
            raise _not_allowed(call)
        if verb == "create":
            if call.info.single:
                raise _not_allowed(call)
            return self._writer.create(call)
        if verb == "update":
            return self._writer.update(call)
        if verb == "patch":
            return self._writer.patch(call)
        if verb == "delete":
            return self._deleter.delete(call)
        raise _not_allowed(call)

    def _respond(self, request: HttpRequest, call: Call, reply: Reply) -> HttpResponse:
        warnings = warning_headers(call.warnings)
        if reply.stream is not None:
            return HttpResponse(200, [*JSON_HEADERS, *warnings], reply.stream)
        if reply.raw is not None and reply.media:
            return respond_bytes(request, reply.status, reply.raw, reply.media, warnings)
        output = negotiate(request, custom=call.resource.custom, listing=call.info.verb == "list")
        if reply.raw is not None:
            return respond_bytes(request, reply.status, reply.raw, output.media, warnings)
        assert reply.value is not None  # a verb answers one of the three
        return respond(request, output, reply.status, reply.value, warnings)

    # Beginnings

    def _bootstrap(self) -> None:
        """The objects that every cluster has."""
        try:
            for name in INITIAL:
                self._make("", "namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
            for plural, body in [*bootstrap_roles(), *aggregated_roles()]:
                self._make("rbac.authorization.k8s.io", plural, body)
        except WriteFailed as failed:
            # What an earlier run stored is served all the same; the next start makes what is missing.
            _log.error("the initial objects could not all be stored: %s", failed)

    def publish(self, address: str, port: int) -> None:
        """Make the Service default/kubernetes and its endpoints name the address on which the server listens."""
        publish_service(self.storage, self._make, address, port)

    def _make(self, group: str, plural: str, body: Json) -> None:
        namespace = body["metadata"].get("namespace", "")
        root = f"/apis/{group}/v1" if group else "/api/v1"
        path = f"{root}/namespaces/{namespace}/{plural}" if namespace else f"{root}/{plural}"
        request = HttpRequest("POST", path, headers={"user-agent": "kube-apiserver"})
        resource = self.registry.find(group, "v1", plural)
        assert resource is not None  # built in
        meta = body["metadata"]
        if self.storage.table(resource.storage).get(meta.get("namespace", ""), meta["name"]) is not None:
            return  # of an earlier life
        user = User("system:apiserver", groups=(MASTERS,))
        call = Call(request, request_info(request), {}, user, resource, None, self.now())
        self._writer.create_object(call, body)


def schema_of(resource: Resource) -> Json | None:
    """The schema of a custom resource's version, for its OpenAPI document; None for built-in kinds."""
    schema = getattr(resource.strategy, "schema", None)
    return dict(schema) if schema is not None else None


def _unknown() -> Failure:
    return Failure(status_body(404, "the server could not find the requested resource", "NotFound", {}))


def _of_cluster(info: RequestInfo) -> RequestInfo:
    """A namespace is an object of the cluster, although its path looks like one inside itself."""
    return replace(info, namespace="")


def _misplaced(call: Call) -> bool:
    """A verb that this path has not: a write of all namespaces at once, or of a collection."""
    info, resource = call.info, call.resource
    if info.verb in ("create", "deletecollection") and resource.namespaced and not info.namespace:
        return True
    if info.verb == "create":
        return info.single and not info.subresource
    return info.verb in ("update", "patch") and not info.single


def _not_allowed(call: Call) -> Failure:
    if not call.resource.custom:
        told = "the server does not allow this method on the requested resource"
        return Failure(status_body(405, told, "MethodNotAllowed", {}))
    return method_not_supported(call.resource.group, call.resource.plural, call.info.verb)
