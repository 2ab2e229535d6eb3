"""The scale subresource: how many replicas are wanted, and how many there are, whatever the kind.

Source: autoscaling/v1 Scale; apiextensions-apiserver pkg/registry/customresource/etcd.go, pkg/registry/apps.
"""

from __future__ import annotations

from typing import Any, Final

from zestor_controller.apiserver.encoding.typedstrategy import BuiltinStrategy
from zestor_controller.apiserver.rest.resource import Resource
from zestor_controller.apiserver.rest.status import internal, invalid
from zestor_controller.apiserver.typed.fieldtable import builtin
from zestor_controller.apiserver.typed.typedef import Json
from zestor_controller.apiserver.validation import scalepaths
from zestor_controller.schema.fielderror import invalid as wrong

__all__ = ["SCALE", "scale_of", "with_replicas"]

_MESSAGE: Final = "k8s.io.api.autoscaling.v1.Scale"
SCALE: Final = Resource(
    group="autoscaling",
    version="v1",
    kind="Scale",
    plural="scales",
    singular="scale",
    namespaced=True,
    strategy=BuiltinStrategy("Scale", "v1", _MESSAGE),
    types=lambda: builtin(_MESSAGE),
    message=_MESSAGE,
)
"""The kind, as bodies and patches of the subresource are read; it is not served by itself."""


def _get(obj: Json, path: str, kind: type, expected: str) -> Any:
    """The value at a path; None if it is absent.

    Raises:
        Failure: 500 for a value of the wrong type, as the real server has it.
    """
    try:
        return scalepaths.find(obj, path, kind, expected)
    except ValueError as error:
        raise internal(str(error)) from None


def scale_of(resource: Resource, obj: Json) -> Json:
    """The Scale of an object.

    Raises:
        Failure: 500 for a custom object that says no number, as the real server has it.
    """
    paths, typed = resource.scale_paths, resource.wire.typed
    meta = obj["metadata"]
    shown = {
        key: meta[key] for key in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp") if key in meta
    }
    status: Json = {"replicas": _get(obj, paths.status_replicas, int, "int64") or 0}
    text = _selector_text(obj) if typed else ""
    if paths.label_selector:
        text = _get(obj, paths.label_selector, str, "string")
    if text:
        status["selector"] = text
    replicas = _get(obj, paths.spec_replicas, int, "int64")
    if replicas is None and not typed:
        raise internal(f'the spec replicas field "{paths.spec_replicas}" does not exist')
    spec: Json = {"replicas": replicas} if replicas else {}
    return {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": shown, "spec": spec, "status": status}


def _selector_text(obj: Json) -> str:
    labels = ((obj.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def with_replicas(resource: Resource, obj: Json, scale: Json) -> None:
    """Set the requested number of an object from a Scale, in place.

    Raises:
        Failure: 422 for a number below zero, 500 for an object that has a value of another type on the way to it.
    """
    replicas = (scale.get("spec") or {}).get("replicas", 0)
    name, path = obj["metadata"]["name"], resource.scale_paths.spec_replicas
    if replicas < 0:
        if not resource.wire.typed:
            raise invalid(
                resource.group, resource.kind, name, [wrong(path, replicas, "should be a non-negative integer")]
            )
        error = wrong("spec.replicas", replicas, "must be greater than or equal to 0")
        raise invalid("autoscaling", "Scale", name, [error])
    parts = path.removeprefix(".").split(".")
    here: Any = obj
    for part in parts[:-1]:
        here = here.setdefault(part, {})
        if not isinstance(here, dict):
            raise internal(f"value cannot be set because {path} is not a map[string]interface{{}}")
    here[parts[-1]] = replicas
