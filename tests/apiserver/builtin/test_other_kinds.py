"""Kinds of small groups: policy, scheduling, storage, coordination, autoscaling, rbac.

Source: pkg/apis/{policy,scheduling,storage,coordination,autoscaling,rbac}/validation/validation.go and their
pkg/registry/*/*/strategy.go.
"""

from __future__ import annotations

from typing import Any

import pytest

BUDGET, PRIORITY = "policy/v1/poddisruptionbudgets", "scheduling.k8s.io/v1/priorityclasses"
STORAGE, LEASE = "storage.k8s.io/v1/storageclasses", "coordination.k8s.io/v1/leases"
AUTOSCALER = "autoscaling/v2/horizontalpodautoscalers"
RBAC = "rbac.authorization.k8s.io/v1"
ROLE, CLUSTER_ROLE = f"{RBAC}/roles", f"{RBAC}/clusterroles"
BINDING, CLUSTER_BINDING = f"{RBAC}/rolebindings", f"{RBAC}/clusterrolebindings"
NOT_NEGATIVE = "must be greater than or equal to 0"


# PodDisruptionBudgets


@pytest.mark.parametrize(
    ("spec", "errors"),
    [
        ({"minAvailable": "101%"}, ['spec.minAvailable: Invalid value: "101%": must not be greater than 100%']),
        ({"maxUnavailable": -1}, [f"spec.maxUnavailable: Invalid value: -1: {NOT_NEGATIVE}"]),
        (
            {"minAvailable": "half"},
            [
                'spec.minAvailable: Invalid value: "half": a valid percent string must be a numeric string followed by '
                "an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')"
            ],
        ),
        (
            {"unhealthyPodEvictionPolicy": "Never"},
            [
                'spec.unhealthyPodEvictionPolicy: Unsupported value: "Never": supported values: "AlwaysAllow", '
                '"IfHealthyBudget"'
            ],
        ),
    ],
)
async def test_rules_of_a_disruption_budget(server: Any, spec: Any, errors: list[str]) -> None:
    assert await server.rejected(BUDGET, {"spec": {"selector": {}, **spec}}) == errors


async def test_a_disruption_budget_may_change_everything_and_counts_it(server: Any) -> None:
    await server.create(BUDGET, {"spec": {"minAvailable": 1, "selector": {"matchLabels": {"a": "b"}}}})
    change = {"minAvailable": None, "maxUnavailable": "50%", "selector": {"matchLabels": {"a": "c"}}}
    obj = await server.updated(BUDGET, {"spec": change})
    assert (obj["spec"]["maxUnavailable"], obj["metadata"]["generation"]) == ("50%", 2)


# PriorityClasses


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        (
            {"metadata": {"name": "system-x"}, "value": 1},
            ["metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only"],
        ),
        (
            {"value": 1_000_000_001},
            ["value: Forbidden: maximum allowed value of a user defined priority is 1000000000"],
        ),
        (
            {"value": 1, "preemptionPolicy": "Sometimes"},
            ['preemptionPolicy: Unsupported value: "Sometimes": supported values: "Never", "PreemptLowerPriority"'],
        ),
    ],
)
async def test_rules_of_a_priority_class(server: Any, body: Any, errors: list[str]) -> None:
    assert await server.rejected(PRIORITY, body) == errors


async def test_value_and_policy_of_a_priority_class_are_immutable(server: Any) -> None:
    created = await server.create(PRIORITY, {"value": 1_000_000_000})
    assert (created["preemptionPolicy"], created["metadata"]["generation"]) == ("PreemptLowerPriority", 1)
    assert await server.immutable(PRIORITY, {"value": 2}) == ["value: Forbidden: may not be changed in an update."]
    assert await server.immutable(PRIORITY, {"preemptionPolicy": "Never"}) == [
        'preemptionPolicy: Invalid value: "Never": field is immutable'
    ]
    described = await server.updated(PRIORITY, {"description": "for tests"})
    assert described["metadata"]["generation"] == 1


# StorageClasses


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({"provisioner": ""}, ["provisioner: Required value"]),
        (
            {"provisioner": "a.io/p", "reclaimPolicy": "Recycle"},
            ['reclaimPolicy: Unsupported value: "Recycle": supported values: "Delete", "Retain"'],
        ),
        (
            {"provisioner": "a.io/p", "volumeBindingMode": "Never"},
            ['volumeBindingMode: Unsupported value: "Never": supported values: "Immediate", "WaitForFirstConsumer"'],
        ),
    ],
)
async def test_rules_of_a_storage_class(server: Any, body: Any, errors: list[str]) -> None:
    assert await server.rejected(STORAGE, body) == errors


@pytest.mark.parametrize(
    ("change", "errors"),
    [
        ({"provisioner": "a.io/q"}, ["provisioner: Forbidden: updates to provisioner are forbidden."]),
        ({"parameters": {"a": "b"}}, ["parameters: Forbidden: updates to parameters are forbidden."]),
        ({"reclaimPolicy": "Retain"}, ["reclaimPolicy: Forbidden: updates to reclaimPolicy are forbidden."]),
        (
            {"volumeBindingMode": "WaitForFirstConsumer"},
            ['volumeBindingMode: Invalid value: "WaitForFirstConsumer": field is immutable'],
        ),
    ],
)
async def test_what_of_a_storage_class_is_immutable(server: Any, change: Any, errors: list[str]) -> None:
    created = await server.create(STORAGE, {"provisioner": "a.io/p"})
    assert (created["reclaimPolicy"], created["volumeBindingMode"]) == ("Delete", "Immediate")
    assert await server.immutable(STORAGE, change) == errors
    await server.updated(STORAGE, {"allowVolumeExpansion": True})


# Leases


async def test_a_lease_drops_fields_of_coordinated_leader_election(server: Any) -> None:
    spec = {"holderIdentity": "a", "strategy": "OldestEmulationVersion", "preferredHolder": "b"}
    assert (await server.create(LEASE, {"spec": spec}))["spec"] == {"holderIdentity": "a"}
    assert (await server.updated(LEASE, {"spec": {"preferredHolder": "c"}}))["spec"] == {"holderIdentity": "a"}


# HorizontalPodAutoscalers


def autoscaler(**spec: Any) -> dict[str, Any]:
    return {"spec": {"maxReplicas": 3, "scaleTargetRef": {"kind": "Deployment", "name": "d"}, **spec}}


async def test_defaults_of_an_autoscaler(server: Any) -> None:
    spec = (await server.create(AUTOSCALER, autoscaler(behavior={"scaleDown": {"selectPolicy": "Min"}})))["spec"]
    assert spec["minReplicas"] == 1
    assert spec["metrics"] == [
        {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}
    ]
    assert spec["behavior"] == {
        "scaleUp": {
            "stabilizationWindowSeconds": 0,
            "selectPolicy": "Max",
            "policies": [
                {"type": "Pods", "value": 4, "periodSeconds": 15},
                {"type": "Percent", "value": 100, "periodSeconds": 15},
            ],
        },
        "scaleDown": {"selectPolicy": "Min", "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}]},
    }


@pytest.mark.parametrize(
    ("spec", "errors"),
    [
        ({"minReplicas": 0}, ["spec.minReplicas: Invalid value: 0: must be greater than or equal to 1"]),
        ({"minReplicas": 5}, ["spec.maxReplicas: Invalid value: 3: must be greater than or equal to `minReplicas`"]),
        (
            {"scaleTargetRef": {"kind": "", "name": ""}},
            ["spec.scaleTargetRef.kind: Required value", "spec.scaleTargetRef.name: Required value"],
        ),
    ],
)
async def test_rules_of_an_autoscaler(server: Any, spec: Any, errors: list[str]) -> None:
    assert await server.rejected(AUTOSCALER, autoscaler(**spec)) == errors


async def test_both_versions_of_an_autoscaler_are_one_object(server: Any) -> None:
    await server.create("autoscaling/v1/horizontalpodautoscalers", autoscaler(targetCPUUtilizationPercentage=60))
    status, seen = await server.send("GET", "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/x")
    assert status == 200
    target = {"type": "Utilization", "averageUtilization": 60}
    assert seen["spec"]["metrics"] == [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    await server.updated(AUTOSCALER, {"spec": {"maxReplicas": 9}})
    old = await server.updated("autoscaling/v1/horizontalpodautoscalers", {"metadata": {"labels": {"a": "b"}}})
    assert (old["spec"]["maxReplicas"], old["spec"]["targetCPUUtilizationPercentage"]) == (9, 60)


# Roles and bindings


@pytest.mark.parametrize(
    ("rule", "errors"),
    [
        ({"apiGroups": [""], "resources": ["pods"]}, ["verbs: Required value: verbs must contain at least one value"]),
        (
            {"verbs": ["get"], "resources": ["pods"]},
            ["apiGroups: Required value: resource rules must supply at least one api group"],
        ),
        (
            {"verbs": ["get"], "apiGroups": [""]},
            ["resources: Required value: resource rules must supply at least one resource"],
        ),
    ],
)
@pytest.mark.parametrize("kind", [ROLE, CLUSTER_ROLE])
async def test_rules_of_roles_are_complete(server: Any, kind: str, rule: Any, errors: list[str]) -> None:
    rule.setdefault("verbs", [])
    assert await server.rejected(kind, {"rules": [rule]}) == [f"rules[0].{error}" for error in errors]


async def test_a_role_of_a_namespace_grants_no_paths(server: Any) -> None:
    rule = {"verbs": ["get"], "nonResourceURLs": ["/metrics"]}
    assert await server.rejected(ROLE, {"rules": [rule]}) == [
        'rules[0].nonResourceURLs: Invalid value: ["/metrics"]: namespaced rules cannot apply to non-resource URLs'
    ]
    await server.create(CLUSTER_ROLE, {"rules": [rule]})


async def test_an_aggregated_role_selects_roles(server: Any) -> None:
    assert await server.rejected(CLUSTER_ROLE, {"rules": [], "aggregationRule": {"clusterRoleSelectors": []}}) == [
        "aggregationRule.clusterRoleSelectors: Required value: at least one clusterRoleSelector required if "
        "aggregationRule is non-nil"
    ]


@pytest.mark.parametrize("name", ["system:node:x", "a b", "A_b"])
async def test_names_of_roles_may_be_any_path_segment(server: Any, name: str) -> None:
    await server.create(ROLE, {"metadata": {"name": name}, "rules": []})


async def test_a_name_of_a_role_has_no_slash(server: Any) -> None:
    assert await server.rejected(ROLE, {"metadata": {"name": "a/b"}, "rules": []}) == [
        "metadata.name: Invalid value: \"a/b\": may not contain '/'"
    ]


def binding(*subjects: Any, kind: str = "Role", name: str = "r") -> dict[str, Any]:
    return {"roleRef": {"kind": kind, "name": name}, "subjects": list(subjects)}


async def test_references_of_a_binding_have_this_apis_group(server: Any) -> None:
    group = "rbac.authorization.k8s.io"
    account = {"kind": "ServiceAccount", "name": "s", "namespace": "default"}
    obj = await server.create(BINDING, binding({"kind": "User", "name": "u"}, account))
    assert obj["roleRef"] == {"apiGroup": group, "kind": "Role", "name": "r"}
    assert obj["subjects"] == [{"kind": "User", "apiGroup": group, "name": "u"}, account]


@pytest.mark.parametrize(
    ("kind", "body", "errors"),
    [
        (BINDING, binding(name=""), ["roleRef.name: Required value"]),
        (BINDING, binding(name="."), ["roleRef.name: Invalid value: \".\": may not be '.'"]),
        (
            BINDING,
            binding(kind="Group"),
            ['roleRef.kind: Unsupported value: "Group": supported values: "Role", "ClusterRole"'],
        ),
        (CLUSTER_BINDING, binding(), ['roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"']),
        (BINDING, binding({"kind": "User", "name": ""}), ["subjects[0].name: Required value"]),
        (
            BINDING,
            binding({"kind": "Robot", "name": "r"}),
            ['subjects[0].kind: Unsupported value: "Robot": supported values: "ServiceAccount", "User", "Group"'],
        ),
        (
            BINDING,
            binding({"kind": "ServiceAccount", "apiGroup": "x", "name": "s", "namespace": "n"}),
            ['subjects[0].apiGroup: Unsupported value: "x": supported values: ""'],
        ),
        (
            CLUSTER_BINDING,
            binding({"kind": "ServiceAccount", "name": "s"}, kind="ClusterRole"),
            ["subjects[0].namespace: Required value"],
        ),
    ],
)
async def test_rules_of_bindings(server: Any, kind: str, body: Any, errors: list[str]) -> None:
    assert await server.rejected(kind, body) == errors
