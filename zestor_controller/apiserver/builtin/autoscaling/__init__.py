"""The autoscaling group: HorizontalPodAutoscalers in two versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zestor_controller.apiserver.builtin.autoscaling import horizontalpodautoscaler

if TYPE_CHECKING:
    from zestor_controller.apiserver.rest.resource import Resource

__all__ = ["resources"]


def resources() -> list[Resource]:
    """The resources of the group."""
    return [horizontalpodautoscaler.resource(), horizontalpodautoscaler.v1_resource()]
