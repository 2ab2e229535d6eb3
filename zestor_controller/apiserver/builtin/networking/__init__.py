"""The networking.k8s.io group: Ingresses, their classes and NetworkPolicies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zestor_controller.apiserver.builtin.networking import ingress, ingressclass, networkpolicy

if TYPE_CHECKING:
    from zestor_controller.apiserver.rest.resource import Resource

__all__ = ["resources"]


def resources() -> list[Resource]:
    """The resources of the group."""
    return [ingressclass.resource(), ingress.resource(), networkpolicy.resource()]
