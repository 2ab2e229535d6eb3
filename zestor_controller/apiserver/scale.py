"""The scale subresource: how many replicas are wanted, and how many there are, whatever the kind.

Source: autoscaling/v1 Scale; apiextensions-apiserver pkg/registry/customresource/etcd.go, pkg/registry/apps.
"""

from __future__ import annotations

from typing import Any, Final

from zestor_controller.apiserver.contract import Json, Resource
from zestor_controller.apiserver.status import internal, invalid
from zestor_controller.schema.fielderror import invalid as wrong

__all__ = ["ScalePaths", "scale_of", "with_replicas"]

ScalePaths = tuple[str, str, str]
BUILTIN: Final[ScalePaths] = (".spec.replicas", ".status.replicas", "")


def paths_of(resource: Resource) -> ScalePaths:
    """Where a resource keeps its numbers."""
    found: ScalePaths = getattr(resource.strategy, "scale_paths", BUILTIN)
    return found


def _get(obj: Json, path: str) -> Any:
    value: Any = obj
    for name in path.removeprefix(".").split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def scale_of(resource: Resource, obj: Json) -> Json:
    """The Scale of an object.

    Raises:
        Failure: 500 for a custom object that says no number, as the real server has it.
    """
    wanted, present, selector = paths_of(resource)
    meta = obj["metadata"]
    shown = {
        key: meta[key] for key in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp") if key in meta
    }
    status: Json = {"replicas": _get(obj, present) or 0}
    text = _get(obj, selector) if selector else _selector_text(obj) if not resource.custom else None
    if text:
        status["selector"] = text
    replicas = _get(obj, wanted)
    if replicas is None and resource.custom:
        raise internal(f'the spec replicas field "{wanted}" does not exist')
    spec: Json = {"replicas": replicas} if replicas else {}
    return {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": shown, "spec": spec, "status": status}


def _selector_text(obj: Json) -> str:
    labels = ((obj.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def with_replicas(resource: Resource, obj: Json, scale: Json) -> None:
    """Set the wanted number of an object from a Scale, in place.

    Raises:
        Failure: 422 for a number below zero or none at all.
    """
    replicas = (scale.get("spec") or {}).get("replicas", 0)
    name = obj["metadata"]["name"]
    if not isinstance(replicas, int) or isinstance(replicas, bool) or replicas < 0:
        if resource.custom:
            error = wrong(paths_of(resource)[0], replicas, "should be a non-negative integer")
            raise invalid(resource.group, resource.kind, name, [error])
        error = wrong("spec.replicas", replicas, "must be greater than or equal to 0")
        raise invalid("autoscaling", "Scale", name, [error])
    path = paths_of(resource)[0].removeprefix(".").split(".")
    here = obj
    for part in path[:-1]:
        here = here.setdefault(part, {})
    here[path[-1]] = replicas
