"""ReplicaSets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zestor_controller.apiserver.builtin.declaration import ALL, SCALE, declare
from zestor_controller.apiserver.builtin.pods.templatecolumns import REPLICAS
from zestor_controller.apiserver.builtin.pods.templatestrategy import TemplateStrategy
from zestor_controller.apiserver.builtin.printcolumns import columns
from zestor_controller.apiserver.rest.resource import Resource

if TYPE_CHECKING:
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["ReplicaSetStrategy", "resource"]


class ReplicaSetStrategy(TemplateStrategy):
    """ReplicaSets."""

    counts = ("fullyLabeledReplicas", "readyReplicas", "availableReplicas")

    def default_spec(self, obj: Json, spec: Json) -> None:
        """One replica."""
        spec.setdefault("replicas", 1)


def resource() -> Resource:
    """The resource ``replicasets`` of ``apps/v1``."""
    return declare(
        "apps/v1",
        "ReplicaSet",
        "replicasets",
        ReplicaSetStrategy,
        columns("replicasets", *REPLICAS),
        short_names=("rs",),
        categories=ALL,
        subresources=("status", SCALE),
    )
