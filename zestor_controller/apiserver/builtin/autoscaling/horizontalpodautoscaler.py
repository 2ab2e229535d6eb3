"""HorizontalPodAutoscalers: stored as ``v2``; ``v1`` is a view that knows one metric and carries the rest along.

Invariant: what ``v1`` cannot say travels in annotations, so reading and writing through ``v1`` loses nothing.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from zestor_controller.apiserver.builtin.declaration import ALL, declare
from zestor_controller.apiserver.builtin.printcolumns import AGE, NAME, NONE, UNSET, CellColumn, columns, value_at
from zestor_controller.apiserver.encoding.typedstrategy import BuiltinStrategy
from zestor_controller.apiserver.rest.resource import Resource
from zestor_controller.apiserver.validation.fieldchecks import check_not_negative
from zestor_controller.schema.fielderror import FieldError, invalid, required

if TYPE_CHECKING:
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["AutoscalerStrategy", "AutoscalerV1Strategy", "resource", "v1_resource"]

_PREFIX = "autoscaling.alpha.kubernetes.io/"
_CPU_PERCENT = 80
_SCALE_UP = {
    "stabilizationWindowSeconds": 0,
    "selectPolicy": "Max",
    "policies": [
        {"type": "Pods", "value": 4, "periodSeconds": 15},
        {"type": "Percent", "value": 100, "periodSeconds": 15},
    ],
}
_SCALE_DOWN = {"selectPolicy": "Max", "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}]}


def _cpu_metric(percent: int) -> Json:
    target = {"type": "Utilization", "averageUtilization": percent}
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}


def _check_spec(spec: Json) -> list[FieldError]:
    errors: list[FieldError] = []
    low, high = spec.get("minReplicas"), spec.get("maxReplicas", 0)
    if low is not None and low < 1:
        errors.append(invalid("spec.minReplicas", low, "must be greater than or equal to 1"))
    if high < 1:
        errors.append(invalid("spec.maxReplicas", high, "must be greater than 0"))
    if low is not None and high < low:
        errors.append(invalid("spec.maxReplicas", high, "must be greater than or equal to `minReplicas`"))
    target = spec.get("scaleTargetRef") or {}
    errors += [required(f"spec.scaleTargetRef.{name}") for name in ("kind", "name") if not target.get(name)]
    return errors


class AutoscalerStrategy(BuiltinStrategy):
    """HorizontalPodAutoscalers, ``v2``."""

    def default(self, obj: Json) -> None:
        """One replica at least, and 80 % of the processor."""
        spec = obj.get("spec")
        if spec is None:
            return
        if spec.get("minReplicas") is None:
            spec["minReplicas"] = 1
        if not spec.get("metrics"):
            spec["metrics"] = [_cpu_metric(_CPU_PERCENT)]
        behavior = spec.get("behavior")
        if behavior is not None:
            for name, rules in (("scaleUp", _SCALE_UP), ("scaleDown", _SCALE_DOWN)):
                given = behavior.setdefault(name, {})
                for field, value in rules.items():
                    given.setdefault(field, json.loads(json.dumps(value)))

    def validate(self, obj: Json) -> list[FieldError]:
        """Bounds and target."""
        return _check_spec(obj.get("spec") or {})

    def validate_status(self, new: Json, old: Json) -> list[FieldError]:
        """No negative counts."""
        status = new.get("status") or {}
        errors = check_not_negative("status.currentReplicas", status.get("currentReplicas"))
        return errors + check_not_negative("status.desiredReplicas", status.get("desiredReplicas"))


class AutoscalerV1Strategy(AutoscalerStrategy):
    """HorizontalPodAutoscalers, ``v1``."""

    def default(self, obj: Json) -> None:
        """One replica at least."""
        spec = obj.get("spec")
        if spec is not None and spec.get("minReplicas") is None:
            spec["minReplicas"] = 1

    def on_read(self, obj: Json) -> Json:
        """The stored ``v2`` object as ``v1``."""
        spec, status = dict(obj.get("spec") or {}), dict(obj.get("status") or {})
        annotations = dict(obj["metadata"].get("annotations") or {})
        metrics = spec.pop("metrics", None) or []
        rest = []
        for metric in metrics:
            percent = _cpu_utilization(metric, "target")
            if percent is not None and "targetCPUUtilizationPercentage" not in spec:
                spec["targetCPUUtilizationPercentage"] = percent
            else:
                rest.append(metric)
        current = status.pop("currentMetrics", None) or []
        for metric in current:
            percent = _cpu_utilization(metric, "current")
            if percent is not None:
                status["currentCPUUtilizationPercentage"] = percent
        status.setdefault("currentReplicas", 0)
        carried = (("metrics", rest), ("behavior", spec.pop("behavior", None)), ("current-metrics", current))
        for name, value in (*carried, ("conditions", status.pop("conditions", None))):
            if value:
                annotations[_PREFIX + name] = json.dumps(value, separators=(",", ":"))
        return _assemble("autoscaling/v1", obj, annotations, spec, status)

    def on_store(self, obj: Json) -> Json:
        """This ``v1`` object as ``v2``."""
        spec, status = dict(obj.get("spec") or {}), dict(obj.get("status") or {})
        annotations = dict(obj["metadata"].get("annotations") or {})
        metrics = _uncarry(annotations, "metrics") or []
        percent = spec.pop("targetCPUUtilizationPercentage", None)
        if percent is not None:
            metrics = [_cpu_metric(percent), *metrics]
        spec["metrics"] = metrics or [_cpu_metric(_CPU_PERCENT)]
        behavior = _uncarry(annotations, "behavior")
        if behavior:
            spec["behavior"] = behavior
        status.pop("currentCPUUtilizationPercentage", None)
        status["currentMetrics"] = _uncarry(annotations, "current-metrics")
        conditions = _uncarry(annotations, "conditions")
        if conditions:
            status["conditions"] = conditions
        if not status.get("currentReplicas"):
            status.pop("currentReplicas", None)
        return _assemble("autoscaling/v2", obj, annotations, spec, status)


def _cpu_utilization(metric: Json, part: str) -> int | None:
    resource = metric.get("resource") or {}
    if metric.get("type") != "Resource" or resource.get("name") != "cpu":
        return None
    value = (resource.get(part) or {}).get("averageUtilization")
    return value if isinstance(value, int) else None


def _uncarry(annotations: dict[str, str], name: str) -> Any:
    text = annotations.pop(_PREFIX + name, None)
    try:
        return json.loads(text) if text else None
    except ValueError:
        return None


def _assemble(version: str, obj: Json, annotations: dict[str, str], spec: Json, status: Json) -> Json:
    metadata = {name: value for name, value in obj["metadata"].items() if name != "annotations"}
    if annotations:
        metadata["annotations"] = annotations
    return {"kind": obj.get("kind"), "apiVersion": version, "metadata": metadata, "spec": spec, "status": status}


def _scaler_reference(obj: Json, now: float) -> str:
    target = (obj.get("spec") or {}).get("scaleTargetRef") or {}
    return f"{target.get('kind', '')}/{target.get('name', '')}"


def _scaler_targets(obj: Json, now: float) -> str:
    pieces = []
    for metric in (obj.get("spec") or {}).get("metrics") or ():
        kind = metric.get("type", "")
        source = metric.get(kind[:1].lower() + kind[1:]) or {}
        target = source.get("target") or {}
        wanted = (
            f"{target['averageUtilization']}%"
            if "averageUtilization" in target
            else target.get("averageValue") or target.get("value", "")
        )
        name = f"{source.get('name')}: " if source.get("name") else ""
        pieces.append(f"{name}<unknown>/{wanted}")
    return ", ".join(pieces) or NONE


_COLUMNS: tuple[CellColumn, ...] = (
    NAME,
    ("Reference", _scaler_reference, 0),
    ("Targets", _scaler_targets, 0),
    ("MinPods", lambda obj, now: str(value_at("spec", "minReplicas", absent=UNSET)(obj, now)), 0),
    ("MaxPods", value_at("spec", "maxReplicas", absent=0), 0),
    ("Replicas", value_at("status", "currentReplicas", absent=0), 0),
    AGE,
)


def resource() -> Resource:
    """The resource ``horizontalpodautoscalers`` of ``autoscaling/v2``."""
    return declare(
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        "horizontalpodautoscalers",
        AutoscalerStrategy,
        columns("horizontalpodautoscalers", *_COLUMNS),
        short_names=("hpa",),
        categories=ALL,
        subresources=("status",),
    )


def v1_resource() -> Resource:
    """The resource ``horizontalpodautoscalers`` of ``autoscaling/v1``."""
    return declare(
        "autoscaling/v1",
        "HorizontalPodAutoscaler",
        "horizontalpodautoscalers",
        AutoscalerV1Strategy,
        columns("horizontalpodautoscalers", *_COLUMNS),
        short_names=("hpa",),
        categories=ALL,
        subresources=("status",),
    )
