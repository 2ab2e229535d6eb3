"""ReplicaSets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zestor_controller.apiserver.builtin.pods.templatestrategy import TemplateStrategy

if TYPE_CHECKING:
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["ReplicaSetStrategy"]


class ReplicaSetStrategy(TemplateStrategy):
    """ReplicaSets."""

    counts = ("fullyLabeledReplicas", "readyReplicas", "availableReplicas")

    def default_spec(self, obj: Json, spec: Json) -> None:
        """One replica."""
        spec.setdefault("replicas", 1)
