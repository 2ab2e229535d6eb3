"""Priority: a new Pod gets the number and the preemption policy of its PriorityClass.

Source: kubernetes plugin/pkg/admission/priority.
"""

from __future__ import annotations

from typing import Final

from zestor_controller.apiserver.admission.attributes import CREATE, AdmissionAttributes
from zestor_controller.apiserver.admission.plugin import AdmissionPlugin
from zestor_controller.apiserver.rest.status import forbidden
from zestor_controller.apiserver.storage.revisionlog import Storage
from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["Priority"]

CLASSES: Final = ("scheduling.k8s.io", "priorityclasses")
_SYSTEM: Final = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}
_POLICY: Final = "PreemptLowerPriority"


class Priority(AdmissionPlugin):
    """The plugin.

    Args:
        storage: where the PriorityClasses are.
    """

    name = "Priority"
    operations = frozenset({CREATE})
    resources = frozenset({("", "pods")})

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def admit(self, attributes: AdmissionAttributes, obj: Json) -> None:
        """Set the priority.

        Raises:
            Failure: 403 for a class that does not exist, or another number than that of the class.
        """
        spec = obj["spec"]
        name = spec.get("priorityClassName")
        priority, policy = 0, _POLICY
        if name in _SYSTEM:
            priority = _SYSTEM[name]
        elif name:
            found = self._storage.table(CLASSES).get("", name)
            if found is None:
                raise _denied(obj, f"no PriorityClass with name {name} was found")
            priority, policy = found.obj.get("value", 0), found.obj.get("preemptionPolicy", policy)
        given = spec.get("priority")
        if given is not None and given != priority:
            raise _denied(
                obj,
                f"the integer value of priority ({given}) must not be provided in pod spec; priority admission "
                f"controller computed {priority} from the given PriorityClass name",
            )
        spec["priority"] = priority
        spec.setdefault("preemptionPolicy", policy)


def _denied(pod: Json, why: str) -> Exception:
    return forbidden("", "pods", pod["metadata"].get("name", ""), why)
