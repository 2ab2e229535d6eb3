"""The core group: namespaces, configuration, nodes, volumes, Services and their endpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zestor_controller.apiserver.builtin.core import (
    configmap,
    endpoints,
    limitrange,
    namespace,
    node,
    persistentvolume,
    persistentvolumeclaim,
    replicationcontroller,
    resourcequota,
    secret,
    service,
    serviceaccount,
)
from zestor_controller.apiserver.builtin.pods import pod

if TYPE_CHECKING:
    from zestor_controller.apiserver.rest.resource import Resource

__all__ = ["resources"]


def resources() -> list[Resource]:
    """The resources of the group."""
    return [
        configmap.resource(),
        endpoints.resource(),
        limitrange.resource(),
        namespace.resource(),
        node.resource(),
        persistentvolume.resource(),
        persistentvolumeclaim.resource(),
        pod.resource(),
        replicationcontroller.resource(),
        resourcequota.resource(),
        secret.resource(),
        service.resource(),
        serviceaccount.resource(),
    ]
