"""The kinds that keep copies of a pod template: Deployment, ReplicaSet, DaemonSet, ReplicationController.

StatefulSets, which build on the same class, have a module of their own.

They share the rules of the template: its labels must be selected by the selector, its pods restart always, and the
selector of an ``apps/v1`` object never changes.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from zestor_controller.apiserver.builtin.pods.podchecks import check_pod_template, pod_spec_warnings
from zestor_controller.apiserver.builtin.pods.poddefaults import default_pod_template
from zestor_controller.apiserver.encoding import typedcodec as codec
from zestor_controller.apiserver.encoding.typedstrategy import BuiltinStrategy
from zestor_controller.apiserver.validation.fieldchecks import (
    check_immutable,
    check_not_negative,
    check_percent_or_int,
    check_selector,
    selector_matches,
    shown_fields,
)
from zestor_controller.schema import gotext
from zestor_controller.schema.fielderror import FieldError, forbidden, invalid, not_supported, required

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zestor_controller.apiserver.rest.resource import Writing
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = [
    "ControllerRevisionStrategy",
    "DaemonSetStrategy",
    "DeploymentStrategy",
    "ReplicaSetStrategy",
    "ReplicationControllerStrategy",
    "Templated",
]

_ALWAYS = ["Always"]
_COUNT = re.compile(r"[-+]?[0-9]{1,18}")
_TEMPLATE_COUNT = "deprecated.daemonset.template.generation"


class Templated(BuiltinStrategy):
    """What the kinds with a pod template have in common."""

    generation = True
    counts: tuple[str, ...] = ()

    def default(self, obj: Json) -> None:
        """Fill the template and the kind's own fields."""
        spec = obj.get("spec")
        if spec is None:
            return
        template = spec.get("template")
        if template:
            default_pod_template(template)
        self.default_spec(obj, spec)

    def default_spec(self, obj: Json, spec: Json) -> None:
        """Fill the kind's own fields."""

    def prepare_create(self, obj: Json, writing: Writing) -> None:
        """Also warn about the template."""
        super().prepare_create(obj, writing)
        template = (obj.get("spec") or {}).get("template") or {}
        writing.warnings += pod_spec_warnings("spec.template.spec", template.get("spec") or {})

    def validate(self, obj: Json) -> list[FieldError]:
        """Numbers, selector and template."""
        spec = obj.get("spec") or {}
        errors: list[FieldError] = []
        for name in ("replicas", "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"):
            errors += check_not_negative(f"spec.{name}", spec.get(name))
        return errors + self.check_own(spec) + self.check_template(spec)

    def check_own(self, spec: Json) -> list[FieldError]:
        """The rules of the kind's own fields."""
        return []

    def check_template(self, spec: Json) -> list[FieldError]:
        """The selector, and the template that it must select."""
        selector, template = spec.get("selector"), self.validated_template(spec)
        errors: list[FieldError] = []
        if selector is None:
            errors.append(required("spec.selector"))
        else:
            errors += check_selector("spec.selector", selector)
            if not selector.get("matchLabels") and not selector.get("matchExpressions"):
                words = f"empty selector is invalid for {_kind_in_words(self.kind)}"
                errors.append(invalid("spec.selector", selector, words))
        labels = (template.get("metadata") or {}).get("labels")
        if not selector_matches(selector, labels):
            errors.append(
                invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")
            )
        return errors + _check_template("spec.template", template)

    def validated_template(self, spec: Json) -> Json:
        """The pod template as it is validated; a kind whose controller adds to it overrides this."""
        template: Json = spec.get("template") or {}
        return template

    def validate_change(self, new: Json, old: Json) -> list[FieldError]:
        """The selector stays."""
        return check_immutable("spec.selector", new["spec"].get("selector"), old["spec"].get("selector"))

    def validate_status(self, new: Json, old: Json) -> list[FieldError]:
        """No negative counts, and no part greater than the whole."""
        status = new.get("status") or {}
        errors: list[FieldError] = []
        for name in ("replicas", *self.counts):
            errors += check_not_negative(f"status.{name}", status.get(name))
        errors += check_not_negative("status.observedGeneration", status.get("observedGeneration"))
        total = status.get("replicas", 0)
        errors += [
            invalid(f"status.{name}", status.get(name, 0), "cannot be greater than status.replicas")
            for name in self.counts
            if status.get(name, 0) > total
        ]
        if status.get("availableReplicas", 0) > status.get("readyReplicas", 0):
            words = "cannot be greater than readyReplicas"
            errors.append(invalid("status.availableReplicas", status.get("availableReplicas", 0), words))
        return errors


def _kind_in_words(kind: str) -> str:
    return {"StatefulSet": "statefulset", "DaemonSet": "daemonset"}.get(kind, "deployment")


def _check_template(field: str, template: Json) -> list[FieldError]:
    errors = check_pod_template(field, template)
    spec = template.get("spec") or {}
    policy = spec.get("restartPolicy")
    if policy in ("OnFailure", "Never"):
        errors.append(not_supported(f"{field}.spec.restartPolicy", policy, _ALWAYS))
    if spec.get("activeDeadlineSeconds") is not None:
        words = "activeDeadlineSeconds in ReplicaSet is not Supported"
        errors.append(forbidden(f"{field}.spec.activeDeadlineSeconds", words))
    return errors


def _check_rolling(field: str, rolling: Json) -> list[FieldError]:
    unavailable, surge = rolling.get("maxUnavailable", 0), rolling.get("maxSurge", 0)
    errors = check_percent_or_int(f"{field}.maxUnavailable", unavailable)
    errors += check_percent_or_int(f"{field}.maxSurge", surge)
    if _is_zero(unavailable) and _is_zero(surge):
        errors.append(invalid(f"{field}.maxUnavailable", unavailable, "may not be 0 when `maxSurge` is 0"))
    errors += _not_over_hundred(f"{field}.maxUnavailable", unavailable)
    return errors


def _is_zero(value: Any) -> bool:
    return value in (0, "0%")


def _not_over_hundred(field: str, value: Any) -> list[FieldError]:
    if isinstance(value, str) and value.endswith("%") and value[:-1].isdigit() and int(value[:-1]) > 100:
        return [invalid(field, value, "must not be greater than 100%")]
    return []


def _annotate(obj: Json, name: str, value: str) -> None:
    obj["metadata"]["annotations"] = {**(obj["metadata"].get("annotations") or {}), name: value}


class DeploymentStrategy(Templated):
    """Deployments."""

    counts = ("updatedReplicas", "readyReplicas", "availableReplicas", "unavailableReplicas")

    def default_spec(self, obj: Json, spec: Json) -> None:
        """One replica, rolled over a quarter at a time."""
        spec.setdefault("replicas", 1)
        strategy = spec.get("strategy")
        if not strategy:
            strategy = spec["strategy"] = {}
        strategy.setdefault("type", "RollingUpdate")
        if strategy["type"] == "RollingUpdate":
            rolling = strategy.setdefault("rollingUpdate", {})
            rolling.setdefault("maxUnavailable", "25%")
            rolling.setdefault("maxSurge", "25%")
        spec.setdefault("revisionHistoryLimit", 10)
        spec.setdefault("progressDeadlineSeconds", 600)

    def counts_up(self, new: Json, old: Json) -> bool:
        """Annotations carry the memory of roll-backs, so they count too."""
        notes = (new["metadata"].get("annotations") or {}) != (old["metadata"].get("annotations") or {})
        return notes or super().counts_up(new, old)

    def prepare_status(self, new: Json, old: Json) -> None:
        """A status write keeps the labels too."""
        super().prepare_status(new, old)
        new["metadata"].pop("labels", None)
        if "labels" in old["metadata"]:
            new["metadata"]["labels"] = old["metadata"]["labels"]

    def reset_fields(self, subresource: str) -> tuple[tuple[str, ...], ...]:
        """A status write sets the labels back too."""
        fields = super().reset_fields(subresource)
        return (*fields, ("metadata", "labels")) if subresource == "status" else fields

    def check_own(self, spec: Json) -> list[FieldError]:
        """The strategy, and a progress deadline beyond the readiness delay."""
        strategy = spec.get("strategy") or {}
        kind, rolling = strategy.get("type", ""), strategy.get("rollingUpdate")
        errors: list[FieldError] = []
        if kind == "Recreate":
            if rolling is not None:
                words = "may not be specified when strategy `type` is 'Recreate'"
                errors.append(forbidden("spec.strategy.rollingUpdate", words))
        elif kind == "RollingUpdate":
            errors += _check_rolling("spec.strategy.rollingUpdate", rolling or {})
        else:
            refused = not_supported("spec.strategy", strategy, ["Recreate", "RollingUpdate"])
            errors.append(replace(refused, shown=shown_fields(strategy, "type", "rollingUpdate")))
        deadline = spec.get("progressDeadlineSeconds")
        if deadline is not None and deadline >= 0 and deadline <= spec.get("minReadySeconds", 0):
            errors.append(invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"))
        return errors

    def validate_status(self, new: Json, old: Json) -> list[FieldError]:
        """Unavailable replicas are no part of those that are there."""
        hidden = "status.unavailableReplicas"
        whole = super().validate_status(new, old)
        return [e for e in whole if e.field != hidden or "greater than or equal" in e.detail]


class ReplicaSetStrategy(Templated):
    """ReplicaSets."""

    counts = ("fullyLabeledReplicas", "readyReplicas", "availableReplicas")

    def default_spec(self, obj: Json, spec: Json) -> None:
        """One replica."""
        spec.setdefault("replicas", 1)


class ReplicationControllerStrategy(Templated):
    """ReplicationControllers: their selector is a plain map that the template's labels fill."""

    counts = ("fullyLabeledReplicas", "readyReplicas", "availableReplicas")

    def default_spec(self, obj: Json, spec: Json) -> None:
        """One replica; the template's labels serve as selector and as labels."""
        spec.setdefault("replicas", 1)
        labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels")
        if labels:
            spec.setdefault("selector", dict(labels))
            obj["metadata"].setdefault("labels", dict(labels))

    def check_template(self, spec: Json) -> list[FieldError]:
        """The selector, and the template that it must select."""
        selector, template = spec.get("selector"), spec.get("template")
        errors: list[FieldError] = []
        if not selector:
            errors.append(required("spec.selector"))
        if template is None:
            return [*errors, required("spec.template")]
        labels = (template.get("metadata") or {}).get("labels")
        if selector and not selector_matches({"matchLabels": selector}, labels):
            errors.append(
                invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")
            )
        return errors + _check_template("spec.template", template)

    def validate_change(self, new: Json, old: Json) -> list[FieldError]:
        """Everything may change."""
        return []


class DaemonSetStrategy(Templated):
    """DaemonSets. An annotation counts the changes of the template, since old clients read it.

    The server keeps the count as a field, so each object that it decodes has the annotation, and whoever writes without
    apply comes to own it.
    """

    def decode(self, body: Json, validation: str, duplicates: Sequence[str]) -> tuple[Json, list[str]]:
        """Refuse a count that is no number."""
        obj, complaints = super().decode(body, validation, duplicates)
        count = ((obj.get("metadata") or {}).get("annotations") or {}).get(_TEMPLATE_COUNT, "0")
        if _COUNT.fullmatch(count) is None:
            why = f"strconv.ParseInt: parsing {gotext.quote(count)}: invalid syntax"
            raise codec.DecodeFailure(self.kind, self.version, why)
        return obj, complaints

    def default(self, obj: Json) -> None:
        """Also the count of templates, which is zero until the server sets it."""
        super().default(obj)
        if _TEMPLATE_COUNT not in (obj["metadata"].get("annotations") or {}):
            _annotate(obj, _TEMPLATE_COUNT, "0")

    def prepare_create(self, obj: Json, writing: Writing) -> None:
        """Start to count the templates."""
        super().prepare_create(obj, writing)
        if int(obj["metadata"]["annotations"][_TEMPLATE_COUNT]) < 1:
            _annotate(obj, _TEMPLATE_COUNT, "1")

    def prepare_update(self, new: Json, old: Json, writing: Writing) -> None:
        """Count a change of the template."""
        super().prepare_update(new, old, writing)
        text = (old["metadata"].get("annotations") or {}).get(_TEMPLATE_COUNT, "")
        count = int(text) if text.isdecimal() else 0
        if (new.get("spec") or {}).get("template") != (old.get("spec") or {}).get("template"):
            count += 1
        if count:
            _annotate(new, _TEMPLATE_COUNT, str(count))

    def default_spec(self, obj: Json, spec: Json) -> None:
        """One node at a time."""
        update = spec.get("updateStrategy")
        if not update:
            update = spec["updateStrategy"] = {}
        update.setdefault("type", "RollingUpdate")
        if update["type"] == "RollingUpdate":
            rolling = update.setdefault("rollingUpdate", {})
            rolling.setdefault("maxUnavailable", 1)
            rolling.setdefault("maxSurge", 0)
        spec.setdefault("revisionHistoryLimit", 10)

    def check_own(self, spec: Json) -> list[FieldError]:
        """The update strategy."""
        update = spec.get("updateStrategy") or {}
        kind = update.get("type", "")
        if kind == "RollingUpdate":
            if update.get("rollingUpdate") is None:
                return [required("spec.updateStrategy.rollingUpdate")]
            return _check_rolling("spec.updateStrategy.rollingUpdate", update["rollingUpdate"])
        if kind != "OnDelete":
            refused = not_supported("spec.updateStrategy", update, ["RollingUpdate", "OnDelete"])
            return [replace(refused, shown=shown_fields(update, "type", "rollingUpdate"))]
        return []

    def validate_status(self, new: Json, old: Json) -> list[FieldError]:
        """No negative counts."""
        errors: list[FieldError] = []
        for name, value in (new.get("status") or {}).items():
            if isinstance(value, int):
                errors += check_not_negative(f"status.{name}", value)
        return errors


class ControllerRevisionStrategy(BuiltinStrategy):
    """ControllerRevisions: data that never changes, and a revision number that may."""

    has_status = False

    def validate(self, obj: Json) -> list[FieldError]:
        """Data and a revision."""
        errors: list[FieldError] = []
        if obj.get("data") is None:
            errors.append(required("data", "data is mandatory"))
        revision = obj.get("revision", 0)
        return errors + check_not_negative("revision", revision)

    def validate_change(self, new: Json, old: Json) -> list[FieldError]:
        """The data stays."""
        return check_immutable("data", new.get("data"), old.get("data"))
