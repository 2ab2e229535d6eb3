"""The apps group: kinds that keep copies of a pod template, and their revisions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zestor_controller.apiserver.builtin.apps import controllerrevision, daemonset, deployment, replicaset, statefulset

if TYPE_CHECKING:
    from zestor_controller.apiserver.rest.resource import Resource

__all__ = ["resources"]


def resources() -> list[Resource]:
    """The resources of the group."""
    return [
        controllerrevision.resource(),
        daemonset.resource(),
        deployment.resource(),
        replicaset.resource(),
        statefulset.resource(),
    ]
