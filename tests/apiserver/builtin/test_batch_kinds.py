"""The batch group: defaults, rules, and what of a Job may change.

Source: pkg/apis/batch/v1/defaults.go, pkg/apis/batch/validation/validation.go, pkg/registry/batch/*/strategy.go.
"""

from __future__ import annotations

from typing import Any

import pytest

JOB, CRON_JOB = "batch/v1/jobs", "batch/v1/cronjobs"
NOT_NEGATIVE = "must be greater than or equal to 0"


def template(policy: str | None = "Never", **metadata: Any) -> dict[str, Any]:
    spec: dict[str, Any] = {"containers": [{"name": "c", "image": "i:1"}]}
    return {"metadata": metadata, "spec": spec | ({"restartPolicy": policy} if policy else {})}


def job(**spec: Any) -> dict[str, Any]:
    return {"spec": {"template": template(), **spec}}


def cron_job(**spec: Any) -> dict[str, Any]:
    return {"spec": {"schedule": "* * * * *", "jobTemplate": job(), **spec}}


async def test_defaults_of_a_job(server: Any) -> None:
    spec = (await server.create(JOB, job()))["spec"]
    assert {name: spec[name] for name in spec if name not in ("selector", "template")} == {
        "parallelism": 1,
        "completions": 1,
        "backoffLimit": 6,
        "manualSelector": False,
        "completionMode": "NonIndexed",
        "suspend": False,
        "podReplacementPolicy": "TerminatingOrFailed",
    }


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"parallelism": 3}, {"parallelism": 3, "completions": None}),  # a work queue: any success ends it
        ({"completions": 3}, {"parallelism": 1, "completions": 3}),
        ({"completions": 2, "completionMode": "Indexed", "backoffLimitPerIndex": 1}, {"backoffLimit": 2**31 - 1}),
        (
            {
                "podFailurePolicy": {
                    "rules": [{"action": "Ignore", "onPodConditions": [{"type": "x", "status": "True"}]}]
                }
            },
            {"podReplacementPolicy": "Failed"},
        ),
    ],
)
async def test_defaults_of_a_job_depend_on_what_is_given(server: Any, given: Any, expected: Any) -> None:
    spec = (await server.create(JOB, job(**given)))["spec"]
    assert {name: spec.get(name) for name in expected} == expected


async def test_a_job_is_labelled_as_its_template_and_both_with_its_identity(server: Any) -> None:
    obj = await server.create(JOB, {"spec": {"template": template(labels={"a": "b"})}})
    uid = obj["metadata"]["uid"]
    labels = {
        "a": "b",
        "batch.kubernetes.io/controller-uid": uid,
        "controller-uid": uid,
        "batch.kubernetes.io/job-name": "x",
        "job-name": "x",
    }
    assert obj["metadata"]["labels"] == labels
    assert obj["spec"]["template"]["metadata"]["labels"] == labels
    assert obj["spec"]["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}


async def test_a_manual_selector_is_left_alone(server: Any) -> None:
    spec = {"manualSelector": True, "selector": {"matchLabels": {"a": "b"}}, "template": template(labels={"a": "b"})}
    obj = await server.create(JOB, {"spec": spec})
    assert obj["spec"]["selector"] == {"matchLabels": {"a": "b"}}
    assert obj["spec"]["template"]["metadata"]["labels"] == {"a": "b"}


@pytest.mark.parametrize(
    ("spec", "errors"),
    [
        *(
            ({name: -1}, [f"spec.{name}: Invalid value: -1: {NOT_NEGATIVE}"])
            for name in (
                "parallelism",
                "completions",
                "activeDeadlineSeconds",
                "backoffLimit",
                "ttlSecondsAfterFinished",
            )
        ),
        (
            {"completionMode": "Random"},
            ['spec.completionMode: Unsupported value: "Random": supported values: "NonIndexed", "Indexed"'],
        ),
        (
            {"completionMode": "Indexed", "parallelism": 1},
            ["spec.completions: Required value: when completion mode is Indexed"],
        ),
        (
            {"template": template("Always")},
            ['spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'],
        ),
        (
            {"manualSelector": True},
            ["spec.selector: Required value"],
        ),
        (
            {"manualSelector": True, "selector": {"matchLabels": {"a": "b"}}},
            ["spec.template.metadata.labels: Invalid value: null: `selector` does not match template `labels`"],
        ),
    ],
)
async def test_rules_of_a_job(server: Any, spec: Any, errors: list[str]) -> None:
    assert await server.rejected(JOB, job(**spec)) == errors


@pytest.mark.parametrize(
    "change",
    [
        {"parallelism": 4},
        {"backoffLimit": 2},
        {"activeDeadlineSeconds": 60},
        {"ttlSecondsAfterFinished": 60},
        {"suspend": True},
    ],
)
async def test_fields_of_a_job_that_may_change(server: Any, change: Any) -> None:
    await server.create(JOB, job())
    assert (await server.updated(JOB, {"spec": change}))["metadata"]["generation"] == 2


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"completions": 2}, "spec.completions"),
        ({"selector": {"matchLabels": {"job-name": "x"}}}, "spec.selector"),
        ({"completionMode": "Indexed"}, "spec.completionMode"),
        ({"template": {"spec": {"terminationGracePeriodSeconds": 1}}}, "spec.template"),
    ],
)
async def test_what_of_a_job_is_immutable(server: Any, change: Any, field: str) -> None:
    await server.create(JOB, job())
    (error,) = await server.immutable(JOB, {"spec": change})
    assert error.startswith(f"{field}: Invalid value: ")
    assert error.endswith(": field is immutable")


async def test_an_indexed_job_is_scaled_by_both_numbers_at_once(server: Any) -> None:
    await server.create(JOB, job(completionMode="Indexed", completions=2, parallelism=2))
    assert (await server.update(JOB, {"spec": {"completions": 3}}))[0] == 422
    await server.updated(JOB, {"spec": {"completions": 3, "parallelism": 3}})


async def test_the_template_of_a_suspended_job_changes_until_it_has_started(server: Any) -> None:
    await server.create(JOB, job(suspend=True))
    change = {"spec": {"template": {"spec": {"nodeSelector": {"disk": "fast"}}}}}
    await server.updated(JOB, change)
    await server.updated(JOB, {"status": {"startTime": "2026-01-01T00:00:00Z"}}, "status")
    change["spec"]["template"]["spec"]["nodeSelector"] = {"disk": "slow"}
    assert (await server.update(JOB, change))[0] == 422


@pytest.mark.parametrize("name", ["active", "succeeded", "failed", "ready", "terminating"])
async def test_a_job_counts_no_negative_pods(server: Any, name: str) -> None:
    await server.create(JOB, job())
    assert await server.immutable(JOB, {"status": {name: -1}}, "status") == [
        f"status.{name}: Invalid value: -1: {NOT_NEGATIVE}"
    ]


# CronJobs


async def test_defaults_of_a_cron_job_leave_its_jobs_open(server: Any) -> None:
    spec = (await server.create(CRON_JOB, cron_job()))["spec"]
    assert {name: spec[name] for name in spec if name != "jobTemplate"} == {
        "schedule": "* * * * *",
        "concurrencyPolicy": "Allow",
        "suspend": False,
        "successfulJobsHistoryLimit": 3,
        "failedJobsHistoryLimit": 1,
    }
    assert set(spec["jobTemplate"]["spec"]) == {"template"}
    assert spec["jobTemplate"]["spec"]["template"]["spec"]["schedulerName"] == "default-scheduler"


@pytest.mark.parametrize(
    ("spec", "errors"),
    [
        ({"schedule": ""}, ["spec.schedule: Required value"]),
        (
            {"concurrencyPolicy": "Queue"},
            ['spec.concurrencyPolicy: Unsupported value: "Queue": supported values: "Allow", "Forbid", "Replace"'],
        ),
        (
            {"startingDeadlineSeconds": -1},
            [f"spec.startingDeadlineSeconds: Invalid value: -1: {NOT_NEGATIVE}"],
        ),
        (
            {"failedJobsHistoryLimit": -1},
            [f"spec.failedJobsHistoryLimit: Invalid value: -1: {NOT_NEGATIVE}"],
        ),
        (
            {"jobTemplate": job(manualSelector=True)},
            ['spec.jobTemplate.spec.manualSelector: Unsupported value: true: supported values: "nil", "false"'],
        ),
        (
            {"jobTemplate": job(template=template("Always"))},
            ['spec.jobTemplate.spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'],
        ),
        ({"timeZone": ""}, ['spec.timeZone: Invalid value: "": timeZone must be nil or non-empty string']),
        (
            {"timeZone": "Local"},
            [
                'spec.timeZone: Invalid value: "Local": timeZone must be an explicit time zone as defined in '
                "https://www.iana.org/time-zones"
            ],
        ),
    ],
)
async def test_rules_of_a_cron_job(server: Any, spec: Any, errors: list[str]) -> None:
    assert await server.rejected(CRON_JOB, cron_job(**spec)) == errors


async def test_the_name_of_a_cron_job_leaves_space_for_the_suffix_of_its_jobs(server: Any) -> None:
    assert await server.rejected(CRON_JOB, {"metadata": {"name": "x" * 53}, **cron_job()}) == [
        f'metadata.name: Invalid value: "{"x" * 53}": must be no more than 52 characters'
    ]
    await server.create(CRON_JOB, {"metadata": {"name": "x" * 52}, **cron_job()})


async def test_everything_of_a_cron_job_may_change_and_counts(server: Any) -> None:
    await server.create(CRON_JOB, cron_job())
    change = {"schedule": "@daily", "suspend": True, "jobTemplate": {"spec": {"completions": 3}}}
    obj = await server.updated(CRON_JOB, {"spec": change})
    assert (obj["spec"]["schedule"], obj["metadata"]["generation"]) == ("@daily", 2)


async def test_a_status_write_of_a_cron_job_keeps_its_spec(server: Any) -> None:
    await server.create(CRON_JOB, cron_job())
    status = {"lastScheduleTime": "2026-01-01T00:00:00Z"}
    obj = await server.updated(CRON_JOB, {"spec": {"suspend": True}, "status": status}, "status")
    assert (obj["spec"]["suspend"], obj["status"], obj["metadata"]["generation"]) == (False, status, 1)
