"""ReplicationControllers: their selector is a plain map that the template's labels fill."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zestor_controller.apiserver.builtin.declaration import ALL, SCALE, declare
from zestor_controller.apiserver.builtin.fieldgetter import counter_at
from zestor_controller.apiserver.builtin.pods.templatecolumns import REPLICAS
from zestor_controller.apiserver.builtin.pods.templatestrategy import TemplateStrategy, check_lasting_template
from zestor_controller.apiserver.builtin.printcolumns import columns
from zestor_controller.apiserver.rest.resource import Resource
from zestor_controller.apiserver.validation.fieldchecks import selector_matches
from zestor_controller.schema.fielderror import FieldError, invalid, required

if TYPE_CHECKING:
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["ReplicationControllerStrategy", "resource"]


class ReplicationControllerStrategy(TemplateStrategy):
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
        return errors + check_lasting_template("spec.template", template)

    def validate_change(self, new: Json, old: Json) -> list[FieldError]:
        """Everything may change."""
        return []


def resource() -> Resource:
    """The resource ``replicationcontrollers`` of ``v1``."""
    return declare(
        "v1",
        "ReplicationController",
        "replicationcontrollers",
        ReplicationControllerStrategy,
        columns("replicationcontrollers", *REPLICAS),
        short_names=("rc",),
        categories=ALL,
        subresources=("status", SCALE),
        selectable_fields={"status.replicas": counter_at("status", "replicas")},
    )
