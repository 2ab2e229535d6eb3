"""The discovery.k8s.io group: EndpointSlices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zestor_controller.apiserver.builtin.endpointslices import endpointslice

if TYPE_CHECKING:
    from zestor_controller.apiserver.rest.resource import Resource

__all__ = ["resources"]


def resources() -> list[Resource]:
    """The resources of the group."""
    return [endpointslice.resource()]
