"""What built-in kinds fill in, keep apart, and refuse."""

from __future__ import annotations

import copy
import random
import time
from typing import Any

import pytest

from zestor_controller.apiserver.auth.tokens import TokenIssuer
from zestor_controller.apiserver.builtin import resources
from zestor_controller.apiserver.rest.status import Failure
from zestor_controller.apiserver.rest.strategy import WriteContext
from zestor_controller.apiserver.rest.user import User
from zestor_controller.apiserver.storage.revisionlog import Storage
from zestor_controller.apiserver.typed.typedef import Json

STORAGE = Storage()
RESOURCES = resources(STORAGE, TokenIssuer(STORAGE, time.time), random.Random(1))
BY_NAME = {(resource.group, resource.version, resource.plural): resource for resource in RESOURCES}
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
SELECTOR = {"matchLabels": {"a": "b"}}


def writing() -> WriteContext:
    return WriteContext(User("user"), False, "2020-01-01T00:00:00Z")


def create(
    group: str, version: str, plural: str, body: Json, allowed: WriteContext | None = None
) -> tuple[Json, list[str]]:
    """Take an object through a create; answer it and the errors' ``field: label`` lines."""
    strategy = BY_NAME[group, version, plural].strategy
    obj, _ = strategy.decode(
        copy.deepcopy({"metadata": {"name": "x", "namespace": "n", "uid": "u-1"}} | body), "Strict", ()
    )
    strategy.default(obj)
    now = allowed or writing()
    strategy.prepare_for_create(now, obj)
    return obj, [error.message() for error in strategy.validate_create(now, obj)]


def update(
    group: str, version: str, plural: str, old: Json, change: Json, subresource: str = ""
) -> tuple[Json, list[str]]:
    resource = BY_NAME[group, version, plural]
    strategy = resource.subresources[subresource].strategy if subresource else resource.strategy
    assert strategy is not None
    new, _ = strategy.decode(copy.deepcopy({**old, **change}), "Strict", ())
    strategy.default(new)
    now = writing()
    strategy.prepare_for_update(now, new, old)
    return new, [error.message() for error in strategy.validate_update(now, new, old)]


def deployment(**spec: Any) -> Json:
    obj, errors = create("apps", "v1", "deployments", {"spec": {"selector": SELECTOR, "template": TEMPLATE, **spec}})
    assert errors == []
    return obj


def pod(**spec: Any) -> Json:
    obj, errors = create("", "v1", "pods", {"spec": {"containers": [{"name": "c", "image": "i"}], **spec}})
    assert errors == []
    return obj


def test_a_deployment_is_filled_and_starts_at_generation_one() -> None:
    obj = deployment()
    assert obj["metadata"]["generation"] == 1
    assert obj["status"] == {}
    assert {name: obj["spec"][name] for name in ("replicas", "revisionHistoryLimit", "progressDeadlineSeconds")} == {
        "replicas": 1,
        "revisionHistoryLimit": 10,
        "progressDeadlineSeconds": 600,
    }
    assert obj["spec"]["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"},
    }
    assert obj["spec"]["template"]["spec"] == {
        "containers": [
            {
                "name": "c",
                "image": "i",
                "resources": {},
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File",
                "imagePullPolicy": "Always",
            }
        ],
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "securityContext": {},
        "schedulerName": "default-scheduler",
    }


@pytest.mark.parametrize("key", [key for key in BY_NAME if key[2] != "events"])
def test_filling_twice_changes_nothing(key: tuple[str, str, str]) -> None:
    strategy = BY_NAME[key].strategy
    obj, _ = strategy.decode({"metadata": {"name": "x"}, "spec": {"template": TEMPLATE}}, "Ignore", ())
    strategy.default(obj)
    again = copy.deepcopy(obj)
    strategy.default(again)
    assert again == obj


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("nginx", "Always"),
        ("nginx:latest", "Always"),
        ("nginx:1.27", "IfNotPresent"),
        ("registry.example.com:5000/nginx", "Always"),
        ("nginx@sha256:00", "IfNotPresent"),
    ],
)
def test_the_pull_policy_follows_the_tag(image: str, policy: str) -> None:
    assert pod(containers=[{"name": "c", "image": image}])["spec"]["containers"][0]["imagePullPolicy"] == policy


def test_generation_counts_the_spec_and_annotations_but_not_labels_or_status() -> None:
    old = deployment()
    changed = {"spec": {**old["spec"], "replicas": 2}}
    assert update("apps", "v1", "deployments", old, changed)[0]["metadata"]["generation"] == 2
    noted = {"metadata": {**old["metadata"], "annotations": {"a": "b"}}}
    assert update("apps", "v1", "deployments", old, noted)[0]["metadata"]["generation"] == 2
    labelled = {"metadata": {**old["metadata"], "labels": {"a": "b"}}}
    assert update("apps", "v1", "deployments", old, labelled)[0]["metadata"]["generation"] == 1
    state = {"status": {"replicas": 1}, "metadata": noted["metadata"]}
    assert update("apps", "v1", "deployments", old, state, "status")[0]["metadata"]["generation"] == 1


def test_a_main_write_keeps_the_status_and_a_status_write_keeps_the_rest() -> None:
    old = {**deployment(), "status": {"replicas": 1}}
    assert update("apps", "v1", "deployments", old, {"status": {"replicas": 9}})[0]["status"] == {"replicas": 1}
    change = {"spec": {**old["spec"], "replicas": 7}, "status": {"replicas": 3}}
    new, errors = update("apps", "v1", "deployments", old, change, "status")
    assert (new["spec"], new["status"], errors) == (old["spec"], {"replicas": 3}, [])


def test_a_status_with_more_ready_than_there_are_is_refused() -> None:
    errors = update("apps", "v1", "deployments", deployment(), {"status": {"readyReplicas": 5}}, "status")[1]
    assert errors == ["status.readyReplicas: Invalid value: 5: cannot be greater than status.replicas"]


def test_the_selector_of_a_deployment_never_changes() -> None:
    old = deployment()
    errors = update(
        "apps", "v1", "deployments", old, {"spec": {**old["spec"], "selector": {"matchLabels": {"a": "c"}}}}
    )[1]
    assert errors == [
        'spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match template `labels`',
        'spec.selector: Invalid value: {"matchLabels":{"a":"c"}}: field is immutable',
    ]


@pytest.mark.parametrize(
    ("change", "allowed"),
    [({"replicas": 2}, True), ({"serviceName": "other"}, False), ({"podManagementPolicy": "Parallel"}, False)],
)
def test_only_named_fields_of_a_stateful_set_change(change: Json, allowed: bool) -> None:
    old, errors = create("apps", "v1", "statefulsets", {"spec": {"selector": SELECTOR, "template": TEMPLATE}})
    assert errors == []
    refused = update("apps", "v1", "statefulsets", old, {"spec": {**old["spec"], **change}})[1]
    assert (refused == []) is allowed


def test_what_a_write_sets_back_is_what_it_cannot_change() -> None:
    deployments = BY_NAME["apps", "v1", "deployments"]
    status = deployments.subresources["status"].strategy
    assert BY_NAME["", "v1", "configmaps"].strategy.reset_fields() == ()
    assert deployments.strategy.reset_fields() == (("status",),)
    assert status is not None
    assert status.reset_fields() == (("spec",), ("metadata", "labels"))


def test_a_daemon_set_counts_its_templates() -> None:
    old, errors = create("apps", "v1", "daemonsets", {"spec": {"selector": SELECTOR, "template": TEMPLATE}})
    assert errors == []
    assert old["metadata"]["annotations"] == {"deprecated.daemonset.template.generation": "1"}
    template = copy.deepcopy(old["spec"]["template"])
    template["spec"]["containers"][0]["image"] = "other"
    new, errors = update("apps", "v1", "daemonsets", old, {"spec": {**old["spec"], "template": template}})
    assert (new["metadata"]["annotations"], errors) == ({"deprecated.daemonset.template.generation": "2"}, [])


def test_a_pod_starts_pending_with_tolerations() -> None:
    obj = pod()
    assert obj["status"] == {"phase": "Pending", "qosClass": "BestEffort"}
    assert [each["key"] for each in obj["spec"]["tolerations"]] == [
        "node.kubernetes.io/not-ready",
        "node.kubernetes.io/unreachable",
    ]
    assert obj["spec"]["enableServiceLinks"] is True


@pytest.mark.parametrize(
    ("resources_given", "quality"),
    [
        ({}, "BestEffort"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}}, "Guaranteed"),
        ({"requests": {"cpu": "1"}}, "Burstable"),
    ],
)
def test_the_class_of_a_pod_follows_its_resources(resources_given: Json, quality: str) -> None:
    obj = pod(containers=[{"name": "c", "image": "i", "resources": resources_given}])
    assert obj["status"]["qosClass"] == quality


def test_the_refusal_of_a_pod_update_shows_the_difference_of_the_internal_form() -> None:
    old = pod()
    errors = update("", "v1", "pods", old, {"spec": {**old["spec"], "nodeName": "n"}})[1]
    assert len(errors) == 1
    assert errors[0].endswith(
        '@@ -42,7 +42,7 @@\n  "NodeSelector": null,\n  "ServiceAccountName": "",\n'
        '  "AutomountServiceAccountToken": null,\n'
        '- "NodeName": "",\n+ "NodeName": "n",\n  "SecurityContext": {\n   "HostNetwork": false,\n'
        '   "HostPID": false,\n'
    )


def test_image_deadline_and_more_tolerations_of_a_pod_may_change() -> None:
    old = pod()
    spec = copy.deepcopy(old["spec"])
    spec["containers"][0]["image"] = "other"
    spec["activeDeadlineSeconds"] = 5
    spec["tolerations"].append({"key": "k", "operator": "Exists"})
    new, errors = update("", "v1", "pods", old, {"spec": spec})
    assert (errors, new["metadata"]["generation"]) == ([], 2)


def test_pod_addresses_are_kept_in_step() -> None:
    assert update("", "v1", "pods", pod(), {"status": {"podIP": "192.0.2.7"}}, "status")[0]["status"]["podIPs"] == [
        {"ip": "192.0.2.7"}
    ]


@pytest.mark.parametrize(
    ("containers", "errors"),
    [
        ([], ["spec.containers: Required value"]),
        ([{"name": "c"}], ["spec.containers[0].image: Required value"]),
        ([{"name": "c", "image": "i"}] * 2, ['spec.containers[1].name: Duplicate value: "c"']),
        (
            [{"name": "c", "image": "i", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}],
            ['spec.containers[0].volumeMounts[0].name: Not found: "v"'],
        ),
        (
            [{"name": "c", "image": "i", "resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}}],
            ['spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1'],
        ),
        (
            [{"name": "c", "image": "i", "livenessProbe": {}}],
            ["spec.containers[0].livenessProbe: Required value: must specify a handler type"],
        ),
    ],
)
def test_bad_containers_are_refused(containers: list[Json], errors: list[str]) -> None:
    assert create("", "v1", "pods", {"spec": {"containers": containers}})[1] == errors


def test_a_variable_that_stands_twice_is_warned_about() -> None:
    now = writing()
    env = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]
    create("", "v1", "pods", {"spec": {"containers": [{"name": "c", "image": "i", "env": env}]}}, now)
    assert now.warnings == [
        'spec.containers[0].env[1]: hides previous definition of "A", which may be dropped when using apply'
    ]


def test_a_job_gets_the_selector_that_ties_its_pods_to_it() -> None:
    body = {"spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}}}
    obj, errors = create("batch", "v1", "jobs", body)
    assert errors == []
    assert obj["spec"]["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": "u-1"}}
    assert obj["spec"]["template"]["metadata"]["labels"] == obj["metadata"]["labels"]
    assert obj["metadata"]["labels"]["job-name"] == "x"


@pytest.mark.parametrize(
    ("schedule", "fine"),
    [("*/5 * * * *", True), ("@hourly", True), ("0 9-17 * * MON-FRI", True), ("* * *", False), ("", False)],
)
def test_a_schedule_has_five_fields(schedule: str, fine: bool) -> None:
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}
    body = {"spec": {"schedule": schedule, "jobTemplate": {"spec": {"template": template}}}}
    assert (create("batch", "v1", "cronjobs", body)[1] == []) is fine


def test_string_data_of_a_secret_becomes_data() -> None:
    obj, errors = create("", "v1", "secrets", {"data": {"a": "AQ==", "b": "AQ=="}, "stringData": {"b": "text"}})
    assert (obj["data"], obj["type"], errors) == ({"a": "AQ==", "b": "dGV4dA=="}, "Opaque", [])
    assert "stringData" not in obj


def test_a_secret_needs_the_keys_of_its_type() -> None:
    errors = create("", "v1", "secrets", {"type": "kubernetes.io/tls", "data": {"tls.crt": "AQ=="}})[1]
    assert errors == ["data[tls.key]: Required value"]


def test_an_immutable_config_map_stays() -> None:
    old, _ = create("", "v1", "configmaps", {"data": {"a": "1"}, "immutable": True})
    errors = update("", "v1", "configmaps", old, {"data": {"a": "2"}, "immutable": False})[1]
    assert errors == [
        "immutable: Forbidden: field is immutable when `immutable` is set",
        "data: Forbidden: field is immutable when `immutable` is set",
    ]


def test_a_config_map_holds_no_more_than_a_mebibyte() -> None:
    assert create("", "v1", "configmaps", {"data": {"a": "x" * 2**20}})[1] == []
    assert create("", "v1", "configmaps", {"data": {"a": "x" * (2**20 + 1)}})[1] == [
        "[]: Too long: may not be more than 1048576 bytes"
    ]


def test_a_namespace_is_active_labelled_and_held() -> None:
    obj, errors = create("", "v1", "namespaces", {"metadata": {"name": "x"}})
    assert errors == []
    assert obj["metadata"]["labels"] == {"kubernetes.io/metadata.name": "x"}
    assert (obj["spec"], obj["status"]) == ({"finalizers": ["kubernetes"]}, {"phase": "Active"})
    assert update("", "v1", "namespaces", obj, {"spec": {}})[0]["spec"] == {"finalizers": ["kubernetes"]}
    assert update("", "v1", "namespaces", obj, {"spec": {}}, "finalize")[0]["spec"] == {}


def test_a_claim_is_pending_protected_and_fixed() -> None:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1.5Gi"}}}
    obj, errors = create("", "v1", "persistentvolumeclaims", {"spec": spec})
    assert errors == []
    assert obj["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]
    assert (obj["spec"]["resources"]["requests"]["storage"], obj["status"]) == ("1536Mi", {"phase": "Pending"})
    refused = update(
        "", "v1", "persistentvolumeclaims", obj, {"spec": {**obj["spec"], "accessModes": ["ReadOnlyMany"]}}
    )[1]
    assert refused[0].startswith("spec: Forbidden: spec is immutable after creation")


def test_a_role_rule_is_about_resources_or_urls_never_both() -> None:
    rule = {"nonResourceURLs": ["/m"], "resources": ["pods"], "apiGroups": [""], "verbs": ["get"]}
    assert create("rbac.authorization.k8s.io", "v1", "clusterroles", {"rules": [rule]})[1] == [
        'rules[0].nonResourceURLs: Invalid value: ["/m"]: rules cannot apply to both regular resources and '
        "non-resource URLs"
    ]


def test_a_binding_never_changes_its_role() -> None:
    old, errors = create("rbac.authorization.k8s.io", "v1", "rolebindings", {"roleRef": {"kind": "Role", "name": "r"}})
    assert errors == []
    change = {"roleRef": {**old["roleRef"], "name": "other"}}
    assert update("rbac.authorization.k8s.io", "v1", "rolebindings", old, change)[1] == [
        'roleRef: Invalid value: {"APIGroup":"rbac.authorization.k8s.io","Kind":"Role","Name":"other"}: '
        "cannot change roleRef"
    ]


@pytest.mark.parametrize(
    ("spec", "errors"),
    [
        ({"holderIdentity": "a", "leaseDurationSeconds": 15}, []),
        ({"holderIdentity": ""}, []),
        ({"leaseDurationSeconds": 0}, ["spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0"]),
        ({"leaseTransitions": -1}, ["spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0"]),
    ],
)
def test_lease_rules(spec: Json, errors: list[str]) -> None:
    assert create("coordination.k8s.io", "v1", "leases", {"spec": spec})[1] == errors


def test_a_budget_has_one_bound() -> None:
    both = {"spec": {"minAvailable": 1, "maxUnavailable": "50%", "selector": SELECTOR}}
    assert "cannot be both set" in create("policy", "v1", "poddisruptionbudgets", both)[1][0]


def test_a_network_policy_with_egress_rules_is_about_egress_too() -> None:
    obj, errors = create("networking.k8s.io", "v1", "networkpolicies", {"spec": {"podSelector": {}, "egress": [{}]}})
    assert (obj["spec"]["policyTypes"], errors) == (["Ingress", "Egress"], [])


def test_an_autoscaler_loses_nothing_through_version_one() -> None:
    metrics = [
        {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}},
        {"type": "Resource", "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "1Gi"}}},
    ]
    target = {"kind": "Deployment", "name": "d"}
    stored, errors = create(
        "autoscaling",
        "v2",
        "horizontalpodautoscalers",
        {"spec": {"maxReplicas": 3, "scaleTargetRef": target, "metrics": metrics, "behavior": {"scaleDown": {}}}},
    )
    assert errors == []
    view = BY_NAME["autoscaling", "v1", "horizontalpodautoscalers"].strategy
    seen = view.on_read(stored)
    assert seen["spec"] == {
        "scaleTargetRef": target,
        "minReplicas": 1,
        "maxReplicas": 3,
        "targetCPUUtilizationPercentage": 50,
    }
    back = view.on_store(seen)
    assert {name: back[name] for name in ("spec", "status")} == {name: stored[name] for name in ("spec", "status")}
    assert back["metadata"] == stored["metadata"]


def test_a_gated_pod_says_so_loses_gates_and_is_narrowed_down() -> None:
    gates = [{"name": "example.com/a"}, {"name": "example.com/b"}]
    old = pod(schedulingGates=gates)
    (condition,) = old["status"]["conditions"]
    assert (condition["type"], condition["status"], condition["reason"]) == ("PodScheduled", "False", "SchedulingGated")
    spec = {**old["spec"], "schedulingGates": gates[:1], "nodeSelector": {"disk": "fast"}}
    assert update("", "v1", "pods", old, {"spec": spec})[1] == []
    spec = {**old["spec"], "schedulingGates": [{"name": "example.com/c"}]}
    assert [line.partition(":")[0] for line in update("", "v1", "pods", old, {"spec": spec})[1]] == [
        "spec.schedulingGates[0].name"
    ]
    free = pod(nodeSelector={"disk": "fast"})
    assert update("", "v1", "pods", free, {"spec": {**free["spec"], "nodeSelector": {}}})[1] != []
    gated = pod(schedulingGates=gates, nodeSelector={"disk": "fast"})
    refused = update("", "v1", "pods", gated, {"spec": {**gated["spec"], "nodeSelector": {"disk": "slow"}}})[1]
    assert [line.partition(":")[0] for line in refused] == ["spec.nodeSelector"]


def test_a_daemon_set_knows_its_count_of_templates_before_anybody_owns_it() -> None:
    count = "deprecated.daemonset.template.generation"
    strategy = BY_NAME["apps", "v1", "daemonsets"].strategy
    body = {"metadata": {"name": "d", "annotations": {"a": "b"}}, "spec": {"selector": SELECTOR, "template": TEMPLATE}}
    obj, _ = strategy.decode(copy.deepcopy(body), "Strict", ())
    strategy.default(obj)
    assert obj["metadata"]["annotations"] == {"a": "b", count: "0"}
    strategy.prepare_for_create(writing(), obj)
    assert obj["metadata"]["annotations"][count] == "1"
    body["metadata"]["annotations"][count] = "many"  # type: ignore[index]
    with pytest.raises(Failure, match="invalid syntax") as caught:
        strategy.decode(body, "Ignore", ())
    assert caught.value.code == 400
