"""CronJobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zestor_controller.apiserver.builtin.batch.cronschedule import check_schedule, check_time_zone
from zestor_controller.apiserver.builtin.batch.jobspec import check_job_spec
from zestor_controller.apiserver.builtin.declaration import ALL, declare
from zestor_controller.apiserver.builtin.pods.poddefaults import default_pod_template
from zestor_controller.apiserver.builtin.pods.templatecolumns import IMAGES
from zestor_controller.apiserver.builtin.printcolumns import AGE, NAME, NONE, columns, count_at, selector_at, value_at
from zestor_controller.apiserver.encoding.typedstrategy import BuiltinStrategy
from zestor_controller.apiserver.response.table import age
from zestor_controller.apiserver.rest.resource import Resource
from zestor_controller.apiserver.validation.fieldchecks import check_not_negative
from zestor_controller.schema.fielderror import FieldError, invalid, not_supported, required

if TYPE_CHECKING:
    from zestor_controller.apiserver.rest.strategy import WriteContext
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["CronJobStrategy", "resource"]

_MAX_CRON_NAME = 52


class CronJobStrategy(BuiltinStrategy):
    """CronJobs."""

    generation = True

    def default(self, obj: Json) -> None:
        """Allow overlapping runs, keep three good and one failed job."""
        spec = obj.get("spec")
        if spec is None:
            return
        spec.setdefault("concurrencyPolicy", "Allow")
        spec.setdefault("suspend", False)
        spec.setdefault("successfulJobsHistoryLimit", 3)
        spec.setdefault("failedJobsHistoryLimit", 1)
        job = (spec.get("jobTemplate") or {}).get("spec")
        if job and job.get("template"):
            default_pod_template(job["template"])

    def validate_create(self, ctx: WriteContext, obj: Json) -> list[FieldError]:
        """Also the name, which has to leave space for the suffix of its jobs; an old name stays valid."""
        errors = self._check_spec(obj.get("spec") or {}, None)
        name = obj["metadata"].get("name", "")
        if len(name) > _MAX_CRON_NAME:
            message = f"must be no more than {_MAX_CRON_NAME} characters"
            errors.append(invalid("metadata.name", name, message))
        return errors

    def validate_update(self, ctx: WriteContext, new: Json, old: Json) -> list[FieldError]:
        """The same rules; what the old schedule and time zone were is still allowed."""
        return self._check_spec(new.get("spec") or {}, old.get("spec") or {})

    def _check_spec(self, spec: Json, old: Json | None) -> list[FieldError]:
        """The schedule, the policy and the template of the jobs."""
        errors: list[FieldError] = []
        schedule, zone = spec.get("schedule", ""), spec.get("timeZone")
        if not schedule:
            errors.append(required("spec.schedule"))
        else:
            before = None if old is None else old.get("schedule", "")
            errors += check_schedule("spec.schedule", schedule, before, zone)
        errors += check_not_negative("spec.startingDeadlineSeconds", spec.get("startingDeadlineSeconds"))
        if old is None or old.get("timeZone") != zone:
            errors += check_time_zone("spec.timeZone", zone)
        policy, policies = spec.get("concurrencyPolicy", ""), ["Allow", "Forbid", "Replace"]
        if not policy:
            errors.append(required("spec.concurrencyPolicy"))
        elif policy not in policies:
            errors.append(not_supported("spec.concurrencyPolicy", policy, policies))
        for limit in ("successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
            errors += check_not_negative(f"spec.{limit}", spec.get(limit))
        template = (spec.get("jobTemplate") or {}).get("spec") or {}
        if template.get("manualSelector"):
            errors.append(not_supported("spec.jobTemplate.spec.manualSelector", True, ["nil", "false"]))
        filled = {"completionMode": "NonIndexed", **template}
        errors += check_job_spec("spec.jobTemplate.spec", filled)
        return errors


def resource() -> Resource:
    """The resource ``cronjobs`` of ``batch/v1``."""
    return declare(
        "batch/v1",
        "CronJob",
        "cronjobs",
        CronJobStrategy,
        columns(
            "cronjobs",
            NAME,
            ("Schedule", value_at("spec", "schedule"), 0),
            ("Timezone", value_at("spec", "timeZone", absent=NONE), 0),
            ("Suspend", lambda obj, now: str(bool((obj.get("spec") or {}).get("suspend"))), 0),
            ("Active", count_at("status", "active"), 0),
            (
                "Last Schedule",
                lambda obj, now: (
                    age(value_at("status", "lastScheduleTime")(obj, now), now)
                    if (obj.get("status") or {}).get("lastScheduleTime")
                    else NONE
                ),
                0,
            ),
            AGE,
            *IMAGES,
            ("Selector", selector_at("spec", "jobTemplate", "spec", "selector"), 1),
        ),
        short_names=("cj",),
        categories=ALL,
        subresources=("status",),
    )
