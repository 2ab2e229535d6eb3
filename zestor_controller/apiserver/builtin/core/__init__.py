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
from zestor_controller.apiserver.builtin.core.tokenrequest import token_subresource
from zestor_controller.apiserver.builtin.pods import pod

if TYPE_CHECKING:
    import random

    from zestor_controller.apiserver.auth.tokens import TokenIssuer
    from zestor_controller.apiserver.rest.resource import Resource
    from zestor_controller.apiserver.storage.revisionlog import Storage

__all__ = ["resources"]


def resources(storage: Storage, issuer: TokenIssuer, rng: random.Random) -> list[Resource]:
    """The resources of the group.

    Args:
        storage: has the Services, whose addresses are unique, and the ServiceAccounts.
        issuer: signs the tokens of ServiceAccounts.
        rng: makes the ids of tokens.
    """
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
        service.resource(storage),
        serviceaccount.resource(token_subresource(storage, issuer, rng)),
    ]
