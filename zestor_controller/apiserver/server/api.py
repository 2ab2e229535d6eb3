"""The composition root: the API server and its collaborators, built bottom up. A Handler; it knows no socket.

How a request is served is in ``pipeline.handler``. Extension points: a built-in resource is one more Resource of
``builtin.resources``, a check of writes one more plugin in ``server.plugins``.

Invariant: each part is given its collaborators when it is made, and none is changed afterwards.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from zestor_controller.apiserver import builtin
from zestor_controller.apiserver.auth.audit import AuditLog
from zestor_controller.apiserver.auth.authentication import TokenAuthenticator
from zestor_controller.apiserver.auth.authorization import RbacAuthorizer
from zestor_controller.apiserver.auth.tokens import TokenIssuer
from zestor_controller.apiserver.builtin import reviews
from zestor_controller.apiserver.builtin.autoscaling.scalekind import scale_kind
from zestor_controller.apiserver.crds.crdcontroller import DefinitionController
from zestor_controller.apiserver.crds.crdstrategy import definition_resource
from zestor_controller.apiserver.discovery.groups import Discovery
from zestor_controller.apiserver.discovery.openapiv3 import OpenApi
from zestor_controller.apiserver.pipeline.handler import RequestHandler
from zestor_controller.apiserver.pipeline.router import Router
from zestor_controller.apiserver.rest.resource import Handler
from zestor_controller.apiserver.rest.resourceregistry import ResourceRegistry
from zestor_controller.apiserver.server.bootstrap import Bootstrap
from zestor_controller.apiserver.server.plugins import admission_chain
from zestor_controller.apiserver.server.podactions import with_pod_actions
from zestor_controller.apiserver.storage.journal import FileJournal
from zestor_controller.apiserver.storage.revisionlog import Storage
from zestor_controller.apiserver.verbs.deletion import Deletion
from zestor_controller.apiserver.verbs.mutation import Mutation
from zestor_controller.apiserver.verbs.retrieval import Retrieval
from zestor_controller.apiserver.verbs.scale import ScaleVerbs
from zestor_controller.apiserver.verbs.watchstream import WatchVerb
from zestor_controller.apiserver.verbs.writepath import WritePath
from zestor_controller.http import HttpRequest, HttpResponse

__all__ = ["ApiServer"]


class ApiServer:
    """One server and its objects.

    Args:
        authenticator: knows the users; tokens that the server issues are known beside them.
        rbac: permissions are checked; without it every known user may do everything.
        audit: where each request is noted.
        rng: uids, names, and how long watches last; a seeded one makes them repeat.
        wall: seconds since the epoch.
        journal: keeps the objects; they are in memory only without one.
        signing_key: signs service account tokens; a new one unless given.

    Attributes:
        storage: the objects and their history.
        registry: the resources that are served.
        handle: responds to a request; never raises.
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
        self._wall = wall
        rng = rng if rng is not None else random.SystemRandom()
        self.storage = storage = Storage(journal)
        if journal is not None:
            journal.restore(storage)
        authorizer = RbacAuthorizer(storage) if rbac else None
        issuer = TokenIssuer(storage, wall, signing_key)
        authenticator = replace(authenticator, verify=issuer.verify)
        admission = admission_chain(storage, authorizer)
        retrieval = Retrieval(storage, wall)
        deletion = Deletion(storage, retrieval, admission)
        built_in = [
            *with_pod_actions(builtin.resources(storage, issuer, rng), storage, deletion),
            definition_resource(),
            *reviews.resources(authenticator, authorizer),
        ]
        for resource in built_in:
            storage.table(resource.storage)  # their history begins with the server's
        self.registry = registry = ResourceRegistry(built_in)
        path = WritePath(storage, rng, admission)
        mutation = Mutation(storage, path, registry)
        verbs: dict[str, Handler] = {
            "create": mutation.create,
            "delete": deletion.delete,
            "deletecollection": deletion.collection,
            "get": retrieval.get,
            "list": retrieval.collection,
            "patch": mutation.patch,
            "update": mutation.update,
            "watch": WatchVerb(storage, rng, wall).watch,
        }
        scale = ScaleVerbs(storage, mutation, path, registry, scale_kind()).handle
        router = Router(registry, verbs, scale, Discovery(registry), OpenApi(registry), self.compact)
        audit = audit if audit is not None else AuditLog()
        self.handle: Callable[[HttpRequest], Coroutine[Any, Any, HttpResponse]] = RequestHandler(
            router, authenticator, authorizer, audit, wall
        ).handle
        self._definitions = DefinitionController(storage, registry, self.now)
        self._bootstrap = Bootstrap(storage, registry, mutation, self.now)
        self._bootstrap.create_initial()

    def now(self) -> str:
        """The time, RFC 3339 with seconds."""
        return datetime.fromtimestamp(self._wall(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def compact(self) -> int:
        """Forget the history; returns the revision up to which it is forgotten."""
        return self.storage.compact()

    def publish(self, address: str, port: int) -> None:
        """Make the Service default/kubernetes and its endpoints name the address on which the server listens."""
        self._bootstrap.publish(address, port)
