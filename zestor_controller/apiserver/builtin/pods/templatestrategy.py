"""The strategy that kinds with a pod template share: Deployments, ReplicaSets, StatefulSets, DaemonSets, ...

The template's labels must be selected by the selector, its pods restart always, and the selector of an ``apps/v1``
object is immutable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zestor_controller.apiserver.builtin.pods.podchecks import check_pod_template, pod_spec_warnings
from zestor_controller.apiserver.builtin.pods.poddefaults import default_pod_template
from zestor_controller.apiserver.encoding.typedstrategy import BuiltinStrategy
from zestor_controller.apiserver.validation.fieldchecks import (
    check_immutable,
    check_not_negative,
    check_selector,
    selector_matches,
)
from zestor_controller.schema.fielderror import FieldError, forbidden, invalid, not_supported, required

if TYPE_CHECKING:
    from zestor_controller.apiserver.rest.strategy import WriteContext
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["TemplateStrategy", "check_lasting_template"]

_ALWAYS = ["Always"]


class TemplateStrategy(BuiltinStrategy):
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

    def prepare_for_create(self, ctx: WriteContext, obj: Json) -> None:
        """Also warn about the template."""
        super().prepare_for_create(ctx, obj)
        template = (obj.get("spec") or {}).get("template") or {}
        ctx.warnings.extend(pod_spec_warnings("spec.template.spec", template.get("spec") or {}))

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
                message = f"empty selector is invalid for {_kind_in_message(self.kind)}"
                errors.append(invalid("spec.selector", selector, message))
        labels = (template.get("metadata") or {}).get("labels")
        if not selector_matches(selector, labels):
            errors.append(
                invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")
            )
        return errors + check_lasting_template("spec.template", template)

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
            message = "cannot be greater than readyReplicas"
            errors.append(invalid("status.availableReplicas", status.get("availableReplicas", 0), message))
        return errors


def _kind_in_message(kind: str) -> str:
    return {"StatefulSet": "statefulset", "DaemonSet": "daemonset"}.get(kind, "deployment")


def check_lasting_template(field: str, template: Json) -> list[FieldError]:
    """Errors of a template whose pods restart always."""
    errors = check_pod_template(field, template)
    spec = template.get("spec") or {}
    policy = spec.get("restartPolicy")
    if policy in ("OnFailure", "Never"):
        errors.append(not_supported(f"{field}.spec.restartPolicy", policy, _ALWAYS))
    if spec.get("activeDeadlineSeconds") is not None:
        message = "activeDeadlineSeconds in ReplicaSet is not Supported"
        errors.append(forbidden(f"{field}.spec.activeDeadlineSeconds", message))
    return errors
