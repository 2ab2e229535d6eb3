"""The built-in resources of every group.

A kind is listed only when its semantics are implemented: the server returns 404 for everything else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zestor_controller.apiserver.builtin import (
    apps,
    autoscaling,
    batch,
    coordination,
    core,
    endpointslices,
    events,
    networking,
    policy,
    rbac,
    scheduling,
    storageclasses,
)

if TYPE_CHECKING:
    import random

    from zestor_controller.apiserver.auth.tokens import TokenIssuer
    from zestor_controller.apiserver.rest.resource import Resource
    from zestor_controller.apiserver.storage.revisionlog import Storage

__all__ = ["resources"]

_GROUPS = (
    apps,
    batch,
    rbac,
    autoscaling,
    coordination,
    endpointslices,
    events,
    networking,
    policy,
    scheduling,
    storageclasses,
)


def resources(storage: Storage, issuer: TokenIssuer, rng: random.Random) -> list[Resource]:
    """Every built-in resource that is stored, in every version served; the preferred version of a group comes first.

    Args:
        storage: has the objects that kinds look up.
        issuer: signs the tokens of ServiceAccounts.
        rng: makes the ids of tokens.
    """
    return [*core.resources(storage, issuer, rng), *(each for group in _GROUPS for each in group.resources())]
