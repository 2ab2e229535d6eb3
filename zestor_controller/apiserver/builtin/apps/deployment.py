"""Deployments."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from zestor_controller.apiserver.builtin.apps.rollingupdate import check_rolling_update
from zestor_controller.apiserver.builtin.declaration import ALL, SCALE, declare
from zestor_controller.apiserver.builtin.pods.templatecolumns import IMAGES, POD_SELECTOR, READY
from zestor_controller.apiserver.builtin.pods.templatestrategy import TemplateStrategy
from zestor_controller.apiserver.builtin.printcolumns import AGE, NAME, columns, value_at
from zestor_controller.apiserver.rest.resource import Resource
from zestor_controller.apiserver.validation.fieldchecks import shown_fields
from zestor_controller.schema.fielderror import FieldError, forbidden, invalid, not_supported

if TYPE_CHECKING:
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["DeploymentStrategy", "resource"]


class DeploymentStrategy(TemplateStrategy):
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

    def reset_status_fields(self) -> tuple[tuple[str, ...], ...]:
        """A status write sets the labels back too."""
        return (*super().reset_status_fields(), ("metadata", "labels"))

    def check_own(self, spec: Json) -> list[FieldError]:
        """The strategy, and a progress deadline beyond the readiness delay."""
        strategy = spec.get("strategy") or {}
        kind, rolling = strategy.get("type", ""), strategy.get("rollingUpdate")
        errors: list[FieldError] = []
        if kind == "Recreate":
            if rolling is not None:
                message = "may not be specified when strategy `type` is 'Recreate'"
                errors.append(forbidden("spec.strategy.rollingUpdate", message))
        elif kind == "RollingUpdate":
            errors += check_rolling_update("spec.strategy.rollingUpdate", rolling or {})
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


def resource() -> Resource:
    """The resource ``deployments`` of ``apps/v1``."""
    return declare(
        "apps/v1",
        "Deployment",
        "deployments",
        DeploymentStrategy,
        columns(
            "deployments",
            NAME,
            READY,
            ("Up-to-date", value_at("status", "updatedReplicas", absent=0), 0),
            ("Available", value_at("status", "availableReplicas", absent=0), 0),
            AGE,
            *IMAGES,
            POD_SELECTOR,
        ),
        short_names=("deploy",),
        categories=ALL,
        subresources=("status", SCALE),
    )
