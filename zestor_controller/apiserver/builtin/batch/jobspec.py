"""Rules of the spec of a Job, for Jobs and for the template inside a CronJob."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zestor_controller.apiserver.builtin.pods.podchecks import check_pod_template
from zestor_controller.apiserver.validation.fieldchecks import check_not_negative
from zestor_controller.schema.fielderror import FieldError, not_supported, required

if TYPE_CHECKING:
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["check_job_spec"]

_COUNTS = (
    "parallelism",
    "completions",
    "activeDeadlineSeconds",
    "backoffLimit",
    "ttlSecondsAfterFinished",
    "backoffLimitPerIndex",
)


def check_job_spec(field: str, spec: Json) -> list[FieldError]:
    """Errors of a Job's spec."""
    errors: list[FieldError] = []
    for name in _COUNTS:
        errors += check_not_negative(f"{field}.{name}", spec.get(name))
    mode = spec.get("completionMode")
    if mode not in ("NonIndexed", "Indexed"):
        errors.append(not_supported(f"{field}.completionMode", mode or "", ["NonIndexed", "Indexed"]))
    if mode == "Indexed" and spec.get("completions") is None:
        errors.append(required(f"{field}.completions", "when completion mode is Indexed"))
    template = spec.get("template") or {}
    errors += check_pod_template(f"{field}.template", template)
    policy = (template.get("spec") or {}).get("restartPolicy")
    if policy == "Always":
        errors.append(required(f"{field}.template.spec.restartPolicy", 'valid values: "OnFailure", "Never"'))
    elif policy not in ("OnFailure", "Never"):
        errors.append(not_supported(f"{field}.template.spec.restartPolicy", policy or "", ["OnFailure", "Never"]))
    return errors
