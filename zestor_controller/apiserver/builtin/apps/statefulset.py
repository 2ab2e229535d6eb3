"""StatefulSets: numbered pods, each with claims of its own.

The controller gives every pod a volume for each claim template, and its own hostname and subdomain; so the pod template
is validated with those volumes added and without those two names.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from zestor_controller.apiserver.builtin.declaration import ALL, SCALE, declare
from zestor_controller.apiserver.builtin.pods.claimspec import check_claim_spec
from zestor_controller.apiserver.builtin.pods.poddefaults import default_claim_spec
from zestor_controller.apiserver.builtin.pods.templatecolumns import IMAGES, READY
from zestor_controller.apiserver.builtin.pods.templatestrategy import TemplateStrategy
from zestor_controller.apiserver.builtin.printcolumns import AGE, NAME, columns
from zestor_controller.apiserver.rest.resource import Resource
from zestor_controller.apiserver.validation.fieldchecks import (
    bad_name_label,
    check_not_negative,
    check_text,
    shown_fields,
)
from zestor_controller.schema.fielderror import FieldError, forbidden, invalid, not_supported, required

if TYPE_CHECKING:
    from zestor_controller.apiserver.rest.strategy import WriteContext
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["StatefulSetStrategy", "resource"]

_CHANGEABLE = frozenset(
    {
        "replicas",
        "ordinals",
        "template",
        "updateStrategy",
        "revisionHistoryLimit",
        "persistentVolumeClaimRetentionPolicy",
        "minReadySeconds",
    }
)
_RETENTION = ["Delete", "Retain"]


class StatefulSetStrategy(TemplateStrategy):
    """StatefulSets."""

    counts = ("readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas")
    hidden_names = ("subdomain", "hostname")

    def default_spec(self, obj: Json, spec: Json) -> None:
        """One replica at a time, in order; claims are kept."""
        spec.setdefault("replicas", 1)
        spec.setdefault("podManagementPolicy", "OrderedReady")
        update = spec.get("updateStrategy")
        if not update:
            update = spec["updateStrategy"] = {}
        update.setdefault("type", "RollingUpdate")
        if update["type"] == "RollingUpdate":
            update.setdefault("rollingUpdate", {}).setdefault("partition", 0)
        spec.setdefault("revisionHistoryLimit", 10)
        policy = spec.setdefault("persistentVolumeClaimRetentionPolicy", {})
        policy.setdefault("whenDeleted", "Retain")
        policy.setdefault("whenScaled", "Retain")
        for claim in spec.get("volumeClaimTemplates", ()):
            # Whatever a client says the type is, the server writes what it is.
            claim["apiVersion"], claim["kind"] = "v1", "PersistentVolumeClaim"
            default_claim_spec(claim.setdefault("spec", {}))
            claim.setdefault("status", {})
            claim["status"].setdefault("phase", "Pending")

    def validate_create(self, ctx: WriteContext, obj: Json) -> list[FieldError]:
        """Also what can never change later: the claim templates and the name of the governing Service."""
        spec = obj.get("spec") or {}
        errors = self.validate(obj)
        for index, claim in enumerate(spec.get("volumeClaimTemplates", ())):
            errors += check_claim_spec(f"spec.volumeClaimTemplates[{index}].spec", claim.get("spec") or {})
        if spec.get("serviceName"):
            errors += check_text("spec.serviceName", spec["serviceName"], bad_name_label)
        return errors

    def validated_template(self, spec: Json) -> Json:
        """The template of a pod as the controller will make it."""
        template: Json = spec.get("template") or {}
        pod = {name: value for name, value in (template.get("spec") or {}).items() if name not in self.hidden_names}
        names = dict.fromkeys((claim.get("metadata") or {}).get("name", "") for claim in _claims(spec))
        if names:
            given = [volume for volume in pod.get("volumes", ()) if volume.get("name", "") not in names]
            claimed = [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in names]
            pod["volumes"] = claimed + given
        return {**template, "spec": pod}

    def check_own(self, spec: Json) -> list[FieldError]:
        """The policies and the ordinals."""
        errors: list[FieldError] = []
        policy = spec.get("podManagementPolicy", "")
        if policy not in ("OrderedReady", "Parallel"):
            message = "must be 'OrderedReady' or 'Parallel'"
            errors.append(invalid("spec.podManagementPolicy", policy, message))
        update = spec.get("updateStrategy") or {}
        kind = update.get("type", "")
        if not kind:
            errors.append(required("spec.updateStrategy"))
        elif kind == "OnDelete":
            if update.get("rollingUpdate") is not None:
                message = "only allowed for updateStrategy 'RollingUpdate'"
                errors.append(invalid("spec.updateStrategy.rollingUpdate", update["rollingUpdate"], message))
        elif kind == "RollingUpdate":
            partition = (update.get("rollingUpdate") or {}).get("partition", 0)
            errors += check_not_negative("spec.updateStrategy.rollingUpdate.partition", partition)
        else:
            message = "must be 'RollingUpdate' or 'OnDelete'"
            refused = invalid("spec.updateStrategy", update, message)
            errors.append(replace(refused, shown=shown_fields(update, "type", "rollingUpdate")))
        retention = spec.get("persistentVolumeClaimRetentionPolicy") or {}
        for name in ("whenDeleted", "whenScaled"):
            value = retention.get(name, "Retain")
            if value not in _RETENTION:
                errors.append(not_supported(f"spec.persistentVolumeClaimRetentionPolicy.{name}", value, _RETENTION))
        return errors + check_not_negative("spec.ordinals.start", (spec.get("ordinals") or {}).get("start"))

    def validate_change(self, new: Json, old: Json) -> list[FieldError]:
        """Only the named fields may change."""
        now, was = new["spec"], old["spec"]
        changed = {name for name in {*now, *was} if now.get(name) != was.get(name)}
        if changed <= _CHANGEABLE:
            return []
        message = (
            "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
            "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
        )
        return [forbidden("spec", message)]


def _claims(spec: Json) -> list[Json]:
    return list(spec.get("volumeClaimTemplates") or ())


def resource() -> Resource:
    """The resource ``statefulsets`` of ``apps/v1``."""
    return declare(
        "apps/v1",
        "StatefulSet",
        "statefulsets",
        StatefulSetStrategy,
        columns("statefulsets", NAME, READY, AGE, *IMAGES),
        short_names=("sts",),
        categories=ALL,
        subresources=("status", SCALE),
    )
