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
    from zestor_controller.apiserver.rest.resource import Resource

__all__ = ["resources"]

_GROUPS = (
    core,
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


def resources() -> list[Resource]:
    """Every built-in resource in every version served; the preferred version of a group comes first."""
    return [resource for group in _GROUPS for resource in group.resources()]
