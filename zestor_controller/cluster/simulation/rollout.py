"""A roll-out: what a Deployment and its ReplicaSets need next, by the strategy. It reads and writes nothing.

Source: pkg/controller/deployment (sync.go, rolling.go, recreate.go, progress.go).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zestor_controller.cluster.simulation.ownedpod import controller_reference, copied, digest
from zestor_controller.cluster.simulation.statuswriter import conditions
from zestor_controller.objects import Unstructured

__all__ = ["DESIRED", "HASH_LABEL", "MAXIMUM", "REVISION", "Rollout"]

HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAXIMUM = "deployment.kubernetes.io/max-replicas"
_NOT_COPIED = frozenset({"kubectl.kubernetes.io/last-applied-configuration", REVISION, DESIRED, MAXIMUM})


@dataclass(slots=True)
class Rollout:
    """A Deployment, its ReplicaSets, and what is to be done about them; reads and writes nothing."""

    deployment: Unstructured
    sets: dict[str, Unstructured]

    @property
    def spec(self) -> Mapping[str, Any]:
        """The Deployment's spec."""
        spec: Mapping[str, Any] = self.deployment["spec"]
        return spec

    @property
    def hash(self) -> str:
        """The digest of the present template, a label of its ReplicaSet."""
        return digest(self.spec["template"])

    @property
    def name(self) -> str:
        """The name of the ReplicaSet of the present template."""
        return f"{self.deployment.metadata.name}-{self.hash}"

    @property
    def replicas(self) -> int:
        """The number of Pods that the Deployment requests."""
        return int(self.spec.get("replicas", 1))

    @property
    def current(self) -> Unstructured | None:
        """The ReplicaSet of the present template."""
        return self.sets.get(self.name)

    @property
    def old(self) -> list[Unstructured]:
        """Those of former templates, the oldest first."""
        return sorted((each for name, each in self.sets.items() if name != self.name), key=_revision)

    @property
    def revision(self) -> int:
        """The number of the present template: one more than all others, unless it is the latest already."""
        latest = max((_revision(each) for each in self.old), default=0) + 1
        return max(latest, _revision(self.current)) if self.current is not None else latest

    @property
    def recreates(self) -> bool:
        """Whether all old Pods have to go before new ones start."""
        return (self.spec.get("strategy") or {}).get("type") == "Recreate"

    def _bounds(self) -> tuple[int, int]:
        """How many Pods there may be beyond the replicas, and how many of those may be missing."""
        if self.recreates:
            return 0, 0
        rolling = (self.spec.get("strategy") or {}).get("rollingUpdate") or {}
        surge = _resolved(rolling.get("maxSurge", "25%"), self.replicas, up=True)
        unavailable = _resolved(rolling.get("maxUnavailable", "25%"), self.replicas, up=False)
        return surge, unavailable if surge or unavailable else 1

    @property
    def maximum(self) -> int:
        """How many Pods there may be during a roll-out."""
        return self.replicas + self._bounds()[0] if self.replicas else 0

    def first_replicas(self) -> int | None:
        """With how many replicas a new ReplicaSet begins; None while the old Pods have to go first."""
        if self.recreates:
            running = any(_replicas(each) or _count(each, "replicas") for each in self.old)
            return None if running else self.replicas
        return max(0, min(self.replicas, self.maximum - sum(map(_replicas, self.old))))

    def scaling(self) -> list[tuple[Unstructured, int]]:
        """The ReplicaSets that need another number of replicas, each with the number."""
        current, active = self.current, [each for each in self.old if _replicas(each)]
        if self.spec.get("paused"):
            # The present state is kept, whatever the template says by now; only its size follows.
            alone = active + ([current] if current is not None and (_replicas(current) or not active) else [])
            return [(alone[0], self.replicas)] if len(alone) == 1 and _replicas(alone[0]) != self.replicas else []
        if current is None:
            return [(each, 0) for each in active] if self.recreates else []
        changes: list[tuple[Unstructured, int]] = []
        have = _replicas(current)
        free_pods = self.maximum - have - sum(map(_replicas, active))
        if have > self.replicas:
            changes.append((current, self.replicas))
        elif have < self.replicas and free_pods > 0:
            changes.append((current, have + min(free_pods, self.replicas - have)))
        return changes + self._scaling_down(current, active)

    def _scaling_down(self, current: Unstructured, active: list[Unstructured]) -> list[tuple[Unstructured, int]]:
        if self.recreates:
            return [(each, 0) for each in active]
        needed = self.replicas - self._bounds()[1]
        waiting = _replicas(current) - _count(current, "availableReplicas")
        spare = _replicas(current) + sum(map(_replicas, active)) - needed - max(0, waiting)
        left = {each.metadata.name: _replicas(each) for each in active}
        for each in active:  # those that serve no client are removed first
            idle = min(max(0, _replicas(each) - _count(each, "availableReplicas")), max(0, spare))
            left[each.metadata.name] -= idle
            spare -= idle
        serving = sum(min(_count(each, "availableReplicas"), _replicas(each)) for each in [current, *active])
        free = min(serving - needed, spare)
        for each in active:
            drop = min(left[each.metadata.name], max(0, free))
            left[each.metadata.name] -= drop
            free -= drop
        return [(each, left[each.metadata.name]) for each in active if left[each.metadata.name] != _replicas(each)]

    def is_complete(self) -> bool:
        """Whether all Pods are of the present template, and available."""
        current = self.current
        if current is None:
            return False
        total = sum(_count(each, "replicas") for each in self.sets.values())
        return _count(current, "replicas") == _count(current, "availableReplicas") == total == self.replicas

    def superfluous(self) -> list[Unstructured]:
        """The oldest ReplicaSets beyond ``revisionHistoryLimit``, once a roll-out is complete."""
        limit = self.spec.get("revisionHistoryLimit", 10)
        if limit is None or not self.is_complete():
            return []
        idle = [each for each in self.old if not _replicas(each) and not _count(each, "replicas")]
        return idle[: max(0, len(idle) - int(limit))]

    def status(self) -> dict[str, Any]:
        """The status of the Deployment."""
        total = sum(_count(each, "replicas") for each in self.sets.values())
        ready = sum(_count(each, "readyReplicas") for each in self.sets.values())
        available = sum(_count(each, "availableReplicas") for each in self.sets.values())
        if available >= self.replicas - self._bounds()[1]:
            reached = ("Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
        else:
            reached = (
                "Available", "False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.",
            )  # fmt: skip
        return {
            "observedGeneration": self.deployment.metadata.generation,
            "replicas": total or None,
            "updatedReplicas": _count(self.current, "replicas") or None,
            "readyReplicas": ready or None,
            "availableReplicas": available or None,
            "unavailableReplicas": max(0, self.replicas - available) or None,
            "conditions": conditions(
                (self.deployment.get("status") or {}).get("conditions"), reached, self._progress()
            ),
        }

    def _progress(self) -> tuple[str, str, str, str]:
        if self.spec.get("paused"):
            return "Progressing", "Unknown", "DeploymentPaused", "Deployment is paused"
        quoted = f'ReplicaSet "{self.name}"'
        if self.is_complete():
            return "Progressing", "True", "NewReplicaSetAvailable", f"{quoted} has successfully progressed."
        return "Progressing", "True", "ReplicaSetUpdated", f"{quoted} is progressing."

    def annotations(self) -> dict[str, str]:
        """What the present ReplicaSet is annotated with: the Deployment's own annotations, and the numbers."""
        own = self.deployment.metadata.annotations or {}
        kept = {name: value for name, value in own.items() if name not in _NOT_COPIED}
        return {**kept, REVISION: str(self.revision), **self.sizes()}

    def sizes(self) -> dict[str, str]:
        """The annotations that say how many Pods there should be, and may be."""
        return {DESIRED: str(self.replicas), MAXIMUM: str(self.maximum)}

    def replica_set(self, replicas: int) -> dict[str, Any]:
        """The ReplicaSet of the present template."""
        template = copied(self.spec["template"])
        template.setdefault("metadata", {}).setdefault("labels", {})[HASH_LABEL] = self.hash
        selector = copied(self.spec["selector"])
        selector.setdefault("matchLabels", {})[HASH_LABEL] = self.hash
        spec: dict[str, Any] = {"replicas": replicas, "selector": selector, "template": template}
        if self.spec.get("minReadySeconds"):
            spec["minReadySeconds"] = self.spec["minReadySeconds"]
        return {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                "name": self.name,
                "namespace": self.deployment.metadata.namespace,
                "labels": dict(template["metadata"]["labels"]),
                "annotations": self.annotations(),
                "ownerReferences": [controller_reference(self.deployment)],
            },
            "spec": spec,
        }


def _revision(replica_set: Unstructured) -> int:
    text = str((replica_set.metadata.annotations or {}).get(REVISION, "0"))
    return int(text) if text.isascii() and text.isdecimal() else 0


def _replicas(replica_set: Unstructured) -> int:
    return int(replica_set["spec"].get("replicas", 1))


def _count(replica_set: Unstructured | None, field: str) -> int:
    return int((replica_set.get("status") or {}).get(field, 0)) if replica_set is not None else 0


def _resolved(value: Any, replicas: int, *, up: bool) -> int:
    """A number of Pods, from a number or a percentage of the replicas."""
    if isinstance(value, int):
        return value
    share = int(str(value).removesuffix("%")) * replicas
    return -(-share // 100) if up else share // 100
