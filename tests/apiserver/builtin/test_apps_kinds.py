"""The apps group: defaults, rules, what may change, generations, and what the status endpoint keeps.

Source: pkg/apis/apps/v1/defaults.go, pkg/apis/apps/validation/validation.go, pkg/registry/apps/*/strategy.go.
"""

from __future__ import annotations

import copy
from typing import Any

import pytest

LABELS = {"a": "b"}
TEMPLATE: dict[str, Any] = {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "c", "image": "i:1"}]}}
DEPLOYMENT, REPLICA_SET = "apps/v1/deployments", "apps/v1/replicasets"
STATEFUL_SET, DAEMON_SET = "apps/v1/statefulsets", "apps/v1/daemonsets"
EVERY = (DEPLOYMENT, REPLICA_SET, STATEFUL_SET, DAEMON_SET)
NOT_NEGATIVE = "must be greater than or equal to 0"


def body(**spec: Any) -> dict[str, Any]:
    given = {"selector": {"matchLabels": LABELS}, "template": TEMPLATE, **spec}
    return {"spec": {name: value for name, value in given.items() if value is not None}}


def pod_template(**spec: Any) -> dict[str, Any]:
    return {**copy.deepcopy(TEMPLATE), "spec": {**copy.deepcopy(TEMPLATE["spec"]), **spec}}


# What all of them share


@pytest.mark.parametrize("kind", EVERY)
async def test_the_template_restarts_always_and_has_the_selected_labels(server: Any, kind: str) -> None:
    assert await server.rejected(kind, body(template=pod_template(restartPolicy="Never"))) == [
        'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'
    ]
    other = {**TEMPLATE, "metadata": {"labels": {"a": "c"}}}
    assert await server.rejected(kind, body(template=other)) == [
        'spec.template.metadata.labels: Invalid value: {"a":"c"}: `selector` does not match template `labels`'
    ]


@pytest.mark.parametrize("kind", EVERY)
async def test_a_template_has_no_deadline(server: Any, kind: str) -> None:
    assert await server.rejected(kind, body(template=pod_template(activeDeadlineSeconds=5))) == [
        "spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in ReplicaSet is not Supported"
    ]


@pytest.mark.parametrize(
    ("kind", "word"),
    [(DEPLOYMENT, "deployment"), (REPLICA_SET, "deployment"), (STATEFUL_SET, "statefulset"), (DAEMON_SET, "daemonset")],
)
async def test_an_empty_selector_would_select_everything(server: Any, kind: str, word: str) -> None:
    assert await server.rejected(kind, body(selector={})) == [
        f"spec.selector: Invalid value: {{}}: empty selector is invalid for {word}"
    ]


@pytest.mark.parametrize("kind", EVERY)
async def test_a_selector_is_required(server: Any, kind: str) -> None:
    assert await server.rejected(kind, body(selector=None)) == [
        "spec.selector: Required value",
        'spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match template `labels`',
    ]


@pytest.mark.parametrize("kind", [DEPLOYMENT, REPLICA_SET, DAEMON_SET])
async def test_the_selector_is_immutable(server: Any, kind: str) -> None:
    await server.create(kind, body())
    expression = {"matchExpressions": [{"key": "a", "operator": "Exists"}]}
    (error,) = await server.immutable(kind, {"spec": {"selector": expression}})
    assert error.startswith("spec.selector: Invalid value: ")
    assert error.endswith(": field is immutable")


@pytest.mark.parametrize("kind", [DEPLOYMENT, REPLICA_SET, STATEFUL_SET])
async def test_the_number_of_replicas_is_one_by_default_and_not_negative(server: Any, kind: str) -> None:
    assert await server.rejected(kind, body(replicas=-1)) == [f"spec.replicas: Invalid value: -1: {NOT_NEGATIVE}"]
    assert (await server.create(kind, body()))["spec"]["replicas"] == 1


@pytest.mark.parametrize("kind", EVERY)
async def test_the_generation_counts_changes_of_the_spec(server: Any, kind: str) -> None:
    created = await server.create(kind, body())
    assert created["metadata"]["generation"] == 1
    labelled = await server.updated(kind, {"metadata": {"labels": {"x": "y"}}})
    assert labelled["metadata"]["generation"] == 1
    changed = await server.updated(kind, {"spec": {"minReadySeconds": 3}})
    assert changed["metadata"]["generation"] == 2
    same = await server.updated(kind, {"spec": {"minReadySeconds": 3}})
    assert same["metadata"]["generation"] == 2


@pytest.mark.parametrize("kind", EVERY)
async def test_a_main_write_keeps_the_status_and_a_status_write_keeps_the_spec(server: Any, kind: str) -> None:
    created = await server.create(kind, {**body(), "status": {"observedGeneration": 9}})
    assert created["status"].get("observedGeneration") is None
    written = await server.updated(
        kind, {"status": {"observedGeneration": 1}, "spec": {"minReadySeconds": 9}}, "status"
    )
    assert written["status"]["observedGeneration"] == 1
    assert (written["spec"], written["metadata"]["generation"]) == (created["spec"], 1)
    again = await server.updated(kind, {"status": {"observedGeneration": 7}})
    assert again["status"]["observedGeneration"] == 1


@pytest.mark.parametrize("kind", EVERY)
async def test_the_observed_generation_is_not_negative(server: Any, kind: str) -> None:
    await server.create(kind, body())
    assert await server.immutable(kind, {"status": {"observedGeneration": -1}}, "status") == [
        f"status.observedGeneration: Invalid value: -1: {NOT_NEGATIVE}"
    ]


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        (DEPLOYMENT, "updatedReplicas"),
        (DEPLOYMENT, "readyReplicas"),
        (REPLICA_SET, "fullyLabeledReplicas"),
        (REPLICA_SET, "readyReplicas"),
        (STATEFUL_SET, "currentReplicas"),
        (STATEFUL_SET, "updatedReplicas"),
    ],
)
async def test_no_part_of_the_replicas_is_greater_than_all_of_them(server: Any, kind: str, field: str) -> None:
    await server.create(kind, body())
    assert await server.immutable(kind, {"status": {"replicas": 2, field: 3}}, "status") == [
        f"status.{field}: Invalid value: 3: cannot be greater than status.replicas"
    ]
    await server.updated(kind, {"status": {"replicas": 3, field: 3}}, "status")


@pytest.mark.parametrize("kind", [DEPLOYMENT, REPLICA_SET, STATEFUL_SET])
async def test_only_ready_replicas_are_available(server: Any, kind: str) -> None:
    await server.create(kind, body())
    status = {"replicas": 3, "readyReplicas": 1, "availableReplicas": 2}
    assert await server.immutable(kind, {"status": status}, "status") == [
        "status.availableReplicas: Invalid value: 2: cannot be greater than readyReplicas"
    ]


# Deployments


@pytest.mark.parametrize(
    ("strategy", "errors"),
    [
        (
            {"type": "Recreate", "rollingUpdate": {"maxSurge": 1}},
            ["spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"],
        ),
        (
            {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}},
            ["spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0"],
        ),
        (
            {"rollingUpdate": {"maxSurge": "0%", "maxUnavailable": "0%"}},
            ['spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "0%": may not be 0 when `maxSurge` is 0'],
        ),
        (
            {"rollingUpdate": {"maxUnavailable": "101%"}},
            ['spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "101%": must not be greater than 100%'],
        ),
        (
            {"rollingUpdate": {"maxSurge": "two"}},
            [
                'spec.strategy.rollingUpdate.maxSurge: Invalid value: "two": a valid percent string must be a numeric '
                "string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')"
            ],
        ),
        (
            {"rollingUpdate": {"maxSurge": -1}},
            [f"spec.strategy.rollingUpdate.maxSurge: Invalid value: -1: {NOT_NEGATIVE}"],
        ),
    ],
)
async def test_rules_of_a_deployments_strategy(server: Any, strategy: Any, errors: list[str]) -> None:
    assert await server.rejected(DEPLOYMENT, body(strategy=strategy)) == errors


@pytest.mark.parametrize("surge", [1, "1%", "200%"])
async def test_a_surge_may_exceed_the_replicas(server: Any, surge: Any) -> None:
    rolling = {"maxSurge": surge, "maxUnavailable": 0}
    obj = await server.create(DEPLOYMENT, body(strategy={"rollingUpdate": rolling}))
    assert obj["spec"]["strategy"] == {"type": "RollingUpdate", "rollingUpdate": rolling}


async def test_the_progress_deadline_is_after_the_delay_of_readiness(server: Any) -> None:
    assert await server.rejected(DEPLOYMENT, body(minReadySeconds=600)) == [
        "spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds"
    ]
    await server.create(DEPLOYMENT, body(minReadySeconds=599))


async def test_recreate_has_no_rolling_update(server: Any) -> None:
    obj = await server.create(DEPLOYMENT, body(strategy={"type": "Recreate"}))
    assert obj["spec"]["strategy"] == {"type": "Recreate"}


async def test_annotations_of_a_deployment_count_as_a_generation(server: Any) -> None:
    await server.create(DEPLOYMENT, body())
    noted = await server.updated(DEPLOYMENT, {"metadata": {"annotations": {"x": "y"}}})
    assert noted["metadata"]["generation"] == 2
    status = {"metadata": {"annotations": {"x": "z"}}, "status": {"replicas": 1}}
    assert (await server.updated(DEPLOYMENT, status, "status"))["metadata"]["generation"] == 2


async def test_a_status_write_of_a_deployment_keeps_its_labels(server: Any) -> None:
    await server.create(DEPLOYMENT, {"metadata": {"labels": {"x": "y"}}, **body()})
    written = await server.updated(
        DEPLOYMENT, {"metadata": {"labels": {"x": "z"}}, "status": {"replicas": 1}}, "status"
    )
    assert (written["metadata"]["labels"], written["status"]) == ({"x": "y"}, {"replicas": 1})


# StatefulSets


async def test_defaults_of_a_stateful_set(server: Any) -> None:
    spec = (await server.create(STATEFUL_SET, body()))["spec"]
    assert {name: spec[name] for name in spec if name not in ("selector", "template")} == {
        "replicas": 1,
        "serviceName": "",
        "podManagementPolicy": "OrderedReady",
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
        "revisionHistoryLimit": 10,
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
    }


@pytest.mark.parametrize(
    ("spec", "errors"),
    [
        (
            {"podManagementPolicy": "Random"},
            ["spec.podManagementPolicy: Invalid value: \"Random\": must be 'OrderedReady' or 'Parallel'"],
        ),
        (
            {"updateStrategy": {"type": "OnDelete", "rollingUpdate": {"partition": 1}}},
            [
                'spec.updateStrategy.rollingUpdate: Invalid value: {"partition":1}: only allowed for updateStrategy '
                "'RollingUpdate'"
            ],
        ),
        (
            {"updateStrategy": {"rollingUpdate": {"partition": -1}}},
            [f"spec.updateStrategy.rollingUpdate.partition: Invalid value: -1: {NOT_NEGATIVE}"],
        ),
        (
            {"persistentVolumeClaimRetentionPolicy": {"whenScaled": "Keep"}},
            [
                'spec.persistentVolumeClaimRetentionPolicy.whenScaled: Unsupported value: "Keep": supported values: '
                '"Delete", "Retain"'
            ],
        ),
        ({"ordinals": {"start": -1}}, [f"spec.ordinals.start: Invalid value: -1: {NOT_NEGATIVE}"]),
    ],
)
async def test_rules_of_a_stateful_set(server: Any, spec: Any, errors: list[str]) -> None:
    assert await server.rejected(STATEFUL_SET, body(**spec)) == errors


@pytest.mark.parametrize(
    "change",
    [
        {"replicas": 3},
        {"ordinals": {"start": 2}},
        {"template": {"spec": {"terminationGracePeriodSeconds": 5}}},
        {"updateStrategy": {"type": "OnDelete", "rollingUpdate": None}},
        {"revisionHistoryLimit": 3},
        {"persistentVolumeClaimRetentionPolicy": {"whenScaled": "Delete"}},
        {"minReadySeconds": 4},
    ],
)
async def test_fields_of_a_stateful_set_that_may_change(server: Any, change: Any) -> None:
    await server.create(STATEFUL_SET, body())
    assert (await server.updated(STATEFUL_SET, {"spec": change}))["metadata"]["generation"] == 2


@pytest.mark.parametrize("change", [{"serviceName": "y"}, {"podManagementPolicy": "Parallel"}])
async def test_other_fields_of_a_stateful_set_are_immutable(server: Any, change: Any) -> None:
    await server.create(STATEFUL_SET, body())
    assert await server.immutable(STATEFUL_SET, {"spec": change}) == [
        "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
        "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are "
        "forbidden"
    ]


# DaemonSets


async def test_a_daemon_set_replaces_one_pod_at_a_time(server: Any) -> None:
    spec = (await server.create(DAEMON_SET, body()))["spec"]
    assert spec["updateStrategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}
    assert (spec["revisionHistoryLimit"], "replicas" in spec) == (10, False)


@pytest.mark.parametrize(
    ("update", "errors"),
    [
        (
            {"rollingUpdate": {"maxUnavailable": 0}},
            ["spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0"],
        ),
        (
            {"rollingUpdate": {"maxUnavailable": "150%"}},
            ['spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: "150%": must not be greater than 100%'],
        ),
    ],
)
async def test_rules_of_a_daemon_sets_update(server: Any, update: Any, errors: list[str]) -> None:
    assert await server.rejected(DAEMON_SET, body(updateStrategy=update)) == errors


async def test_a_status_of_a_daemon_set_counts_no_negative_nodes(server: Any) -> None:
    await server.create(DAEMON_SET, body())
    status = {"currentNumberScheduled": 0, "desiredNumberScheduled": -2, "numberMisscheduled": 0, "numberReady": 0}
    assert await server.immutable(DAEMON_SET, {"status": status}, "status") == [
        f"status.desiredNumberScheduled: Invalid value: -2: {NOT_NEGATIVE}"
    ]


async def test_the_count_of_templates_grows_with_the_template_only(server: Any) -> None:
    await server.create(DAEMON_SET, body())
    counts = []
    for change in ({"minReadySeconds": 1}, {"template": {"spec": {"hostname": "h"}}}):
        obj = await server.updated(DAEMON_SET, {"spec": change})
        counts.append(obj["metadata"]["annotations"]["deprecated.daemonset.template.generation"])
    assert counts == ["1", "2"]


# ControllerRevisions


@pytest.mark.parametrize(
    ("given", "errors"),
    [
        ({"revision": 1}, ["data: Required value: data is mandatory"]),
        ({"data": {}, "revision": -1}, [f"revision: Invalid value: -1: {NOT_NEGATIVE}"]),
    ],
)
async def test_rules_of_a_controller_revision(server: Any, given: Any, errors: list[str]) -> None:
    assert await server.rejected("apps/v1/controllerrevisions", given) == errors


async def test_the_number_of_a_controller_revision_may_change_and_its_data_may_not(server: Any) -> None:
    kind = "apps/v1/controllerrevisions"
    await server.create(kind, {"data": {"a": 1}, "revision": 1})
    assert (await server.updated(kind, {"revision": 2}))["revision"] == 2
    (error,) = await server.immutable(kind, {"data": {"a": 2}})
    assert error.startswith("data: Invalid value: ")
    assert error.endswith(": field is immutable")


# Scale


@pytest.mark.parametrize("kind", [DEPLOYMENT, REPLICA_SET, STATEFUL_SET])
async def test_the_scale_has_replicas_and_the_selector_as_text(server: Any, kind: str) -> None:
    await server.create(kind, body(replicas=2))
    await server.updated(kind, {"status": {"replicas": 1}}, "status")
    group, version, plural = kind.split("/")
    path = f"/apis/{group}/{version}/namespaces/default/{plural}/x/scale"
    status, scale = await server.send("GET", path)
    assert (status, scale["spec"], scale["status"]) == (200, {"replicas": 2}, {"replicas": 1, "selector": "a=b"})
    await server.updated(kind, {"spec": {"replicas": 5}}, "scale")
    assert (await server.send("GET", path.removesuffix("/scale")))[1]["spec"]["replicas"] == 5
