"""Jobs: the labels and the selector that tie pods to their job are generated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zestor_controller.apiserver.builtin.batch.jobspec import check_job_spec
from zestor_controller.apiserver.builtin.declaration import ALL, declare
from zestor_controller.apiserver.builtin.fieldgetter import counter_at
from zestor_controller.apiserver.builtin.pods.podchecks import pod_spec_warnings
from zestor_controller.apiserver.builtin.pods.poddefaults import default_pod_template
from zestor_controller.apiserver.builtin.pods.poddiff import template_text
from zestor_controller.apiserver.builtin.pods.templatecolumns import IMAGES, POD_SELECTOR
from zestor_controller.apiserver.builtin.printcolumns import AGE, NAME, columns, condition_status
from zestor_controller.apiserver.encoding.gotime import parse_seconds
from zestor_controller.apiserver.encoding.typedstrategy import BuiltinStrategy
from zestor_controller.apiserver.response.table import since
from zestor_controller.apiserver.rest.resource import Resource
from zestor_controller.apiserver.validation.fieldchecks import (
    check_immutable,
    check_not_negative,
    check_selector,
    selector_matches,
)
from zestor_controller.schema.fielderror import ErrorType, FieldError, invalid, required

if TYPE_CHECKING:
    from zestor_controller.apiserver.rest.strategy import WriteContext
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["JobStrategy", "resource"]

_JOB_LABELS = ("batch.kubernetes.io/controller-uid", "controller-uid", "batch.kubernetes.io/job-name", "job-name")


def _default_job_spec(spec: Json) -> None:
    """What every job has: one pod that must succeed, with six retries."""
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = spec["parallelism"] = 1
    spec.setdefault("parallelism", 1)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    spec.setdefault("manualSelector", False)
    spec.setdefault("backoffLimit", 2**31 - 1 if spec.get("backoffLimitPerIndex") is not None else 6)
    failing = (spec.get("podFailurePolicy") or {}).get("rules")
    spec.setdefault("podReplacementPolicy", "Failed" if failing else "TerminatingOrFailed")
    if spec.get("template"):
        default_pod_template(spec["template"])


class JobStrategy(BuiltinStrategy):
    """Jobs."""

    generation = True

    def default(self, obj: Json) -> None:
        """Fill the spec; labels default to the template's."""
        if obj.get("spec") is not None:
            _default_job_spec(obj["spec"])
        labels = (((obj.get("spec") or {}).get("template") or {}).get("metadata") or {}).get("labels")
        if labels and not obj["metadata"].get("labels"):
            obj["metadata"]["labels"] = dict(labels)

    def prepare_for_create(self, ctx: WriteContext, obj: Json) -> None:
        """Generate the selector and the labels that tie pods to this job, unless the selector is manual."""
        super().prepare_for_create(ctx, obj)
        spec, metadata = obj["spec"], obj["metadata"]
        template = spec.setdefault("template", {})
        ctx.warnings.extend(pod_spec_warnings("spec.template.spec", template.get("spec") or {}))
        if spec.get("manualSelector"):
            return
        uid, name = metadata.get("uid", ""), metadata.get("name", "")
        marks = dict(zip(_JOB_LABELS, (uid, uid, name, name), strict=True))
        for holder in (metadata, template.setdefault("metadata", {})):
            holder["labels"] = {**(holder.get("labels") or {}), **marks}
        selector = spec.get("selector") or {}
        spec["selector"] = {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), _JOB_LABELS[0]: uid}}

    def validate(self, obj: Json) -> list[FieldError]:
        """The spec, and a template that the selector selects."""
        spec = obj.get("spec") or {}
        errors = check_job_spec("spec", spec)
        selector = spec.get("selector")
        if selector is None:
            errors.append(required("spec.selector"))
        else:
            errors += check_selector("spec.selector", selector)
            labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels")
            if not selector_matches(selector, labels):
                message = "`selector` does not match template `labels`"
                errors.append(invalid("spec.template.metadata.labels", labels, message))
        return errors

    def validate_change(self, new: Json, old: Json) -> list[FieldError]:
        """Selector, template and mode stay; so do completions, unless the job is indexed."""
        now, was = new["spec"], old["spec"]
        errors: list[FieldError] = []
        if was.get("completionMode") != "Indexed" or now.get("completions") != now.get("parallelism"):
            errors += check_immutable("spec.completions", now.get("completions"), was.get("completions"))
        for name in ("selector", "completionMode", "podFailurePolicy", "backoffLimitPerIndex"):
            errors += check_immutable(f"spec.{name}", now.get(name), was.get(name))
        # Where a suspended job runs may change until it has started, for its pods do not exist yet.
        waiting = was.get("suspend") and not (old.get("status") or {}).get("startTime")
        if not waiting and now.get("template") != was.get("template"):
            shown = template_text(now.get("template"))
            errors.append(FieldError(ErrorType.INVALID, "spec.template", None, "field is immutable", shown))
        return errors

    def validate_status(self, new: Json, old: Json) -> list[FieldError]:
        """No negative counts."""
        errors: list[FieldError] = []
        for name in ("active", "succeeded", "failed", "ready", "terminating"):
            errors += check_not_negative(f"status.{name}", (new.get("status") or {}).get(name))
        return errors


def _job_status(obj: Json, now: float) -> str:
    if "deletionTimestamp" in obj["metadata"]:
        return "Terminating"
    for kind in ("Complete", "Failed", "SuccessCriteriaMet", "FailureTarget", "Suspended"):
        if condition_status(obj, kind) == "True":
            return kind
    return "Running"


def _job_completions(obj: Json, now: float) -> str:
    spec, done = obj.get("spec") or {}, (obj.get("status") or {}).get("succeeded", 0)
    if spec.get("completions") is not None:
        return f"{done}/{spec['completions']}"
    parallel = spec.get("parallelism", 0)
    return f"{done}/1 of {parallel}" if parallel > 1 else f"{done}/1"


def _job_duration(obj: Json, now: float) -> str:
    status = obj.get("status") or {}
    start = parse_seconds(status.get("startTime") or "")
    if start is None:
        return ""
    end = parse_seconds(status.get("completionTime") or "")
    return since((now if end is None else end) - start)


def resource() -> Resource:
    """The resource ``jobs`` of ``batch/v1``."""
    return declare(
        "batch/v1",
        "Job",
        "jobs",
        JobStrategy,
        columns(
            "jobs",
            NAME,
            ("Status", _job_status, 0),
            ("Completions", _job_completions, 0),
            ("Duration", _job_duration, 0),
            AGE,
            *IMAGES,
            POD_SELECTOR,
        ),
        categories=ALL,
        subresources=("status",),
        selectable_fields={"status.successful": counter_at("status", "succeeded")},
    )
