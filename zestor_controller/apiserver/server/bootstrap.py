"""The objects that every cluster has from the start: namespaces, default roles, the Service of the API server itself.

Invariant: an object that exists already is left as it is; what could not be stored is made at the next start.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from zestor_controller.apiserver.admission.namespacelifecycle import INITIAL
from zestor_controller.apiserver.auth.authorization import GROUP, MASTERS, bootstrap_roles
from zestor_controller.apiserver.rest.requestinfo import request_info
from zestor_controller.apiserver.rest.resource import RequestContext
from zestor_controller.apiserver.rest.resourceregistry import ResourceRegistry
from zestor_controller.apiserver.rest.user import User
from zestor_controller.apiserver.server.defaultroles import aggregated_roles
from zestor_controller.apiserver.server.kubernetesservice import publish_service
from zestor_controller.apiserver.storage.revisionlog import Storage, WriteFailed
from zestor_controller.apiserver.typed.typedef import Json
from zestor_controller.apiserver.verbs.mutation import Mutation
from zestor_controller.http import HttpRequest

__all__ = ["Bootstrap"]

_log = logging.getLogger(__name__)

SERVER: Final = User("system:apiserver", groups=(MASTERS,))


class Bootstrap:
    """Creates what the server itself needs, as a client would.

    Args:
        storage: where the objects are.
        registry: their resources.
        mutation: creates them.
        now: the time, RFC 3339 with seconds.
    """

    def __init__(
        self, storage: Storage, registry: ResourceRegistry, mutation: Mutation, now: Callable[[], str]
    ) -> None:
        self._storage = storage
        self._registry = registry
        self._mutation = mutation
        self._now = now

    def create_initial(self) -> None:
        """Create the namespaces and roles."""
        try:
            for name in INITIAL:
                self.create("", "namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
            for plural, body in [*bootstrap_roles(), *aggregated_roles()]:
                self.create(GROUP, plural, body)
        except WriteFailed as failed:
            # What a previous run stored is served all the same.
            _log.error("the initial objects could not all be stored: %s", failed)

    def publish(self, address: str, port: int) -> None:
        """Make the Service default/kubernetes and its endpoints name an address on which the server listens."""
        publish_service(self._storage, self.create, address, port)

    def create(self, group: str, plural: str, body: Json) -> None:
        """Create an object of a built-in resource, unless it exists.

        Raises:
            Failure: it is not valid, or its namespace does not exist.
            WriteFailed: it could not be stored.
        """
        meta = body["metadata"]
        namespace = meta.get("namespace", "")
        resource = self._registry.find(group, "v1", plural)
        assert resource is not None  # built in
        if self._storage.table(resource.storage).get(namespace, meta["name"]) is not None:
            return
        root = f"/apis/{group}/v1" if group else "/api/v1"
        path = f"{root}/namespaces/{namespace}/{plural}" if namespace else f"{root}/{plural}"
        request = HttpRequest("POST", path, headers={"user-agent": "kube-apiserver"})
        ctx = RequestContext(request, request_info(request), SERVER, resource, None, self._now())
        self._mutation.create_object(ctx, body)
