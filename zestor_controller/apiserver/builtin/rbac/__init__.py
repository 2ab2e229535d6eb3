"""The rbac.authorization.k8s.io group: roles and bindings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zestor_controller.apiserver.builtin.rbac import role, rolebinding

if TYPE_CHECKING:
    from zestor_controller.apiserver.rest.resource import Resource

__all__ = ["resources"]


def resources() -> list[Resource]:
    """The resources of the group."""
    return [rolebinding.cluster_resource(), role.cluster_resource(), rolebinding.resource(), role.resource()]
