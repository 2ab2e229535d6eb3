"""Pods, and the template that other kinds have: defaults, rules, warnings, what may change, subresources.

Source: pkg/apis/core/v1/defaults.go, pkg/apis/core/validation/validation.go, pkg/registry/core/pod/strategy.go,
pkg/api/pod/warnings.go, plugin/pkg/admission/{defaulttolerationseconds,priority}.
"""

from __future__ import annotations

from typing import Any

import pytest

POD = "v1/pods"
NAME_LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    "an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
NOT_NEGATIVE = "must be greater than or equal to 0"


def container(**fields: Any) -> dict[str, Any]:
    return {"name": "c", "image": "i:1", **fields}


def pod(*containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {"spec": {"containers": list(containers) or [container()], **spec}}


# Defaults


async def test_defaults_of_a_probe_and_of_its_handler(server: Any) -> None:
    probe = {"httpGet": {"port": 80}}
    obj = await server.create(POD, pod(container(livenessProbe=probe, readinessProbe={"grpc": {"port": 1}})))
    found = obj["spec"]["containers"][0]
    numbers = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
    assert found["livenessProbe"] == {"httpGet": {"path": "/", "port": 80, "scheme": "HTTP"}, **numbers}
    assert found["readinessProbe"] == {"grpc": {"port": 1, "service": ""}, **numbers}


@pytest.mark.parametrize(
    ("volume", "expected"),
    [
        ({}, {"emptyDir": {}}),
        ({"secret": {"secretName": "s"}}, {"secret": {"secretName": "s", "defaultMode": 420}}),
        ({"configMap": {"name": "m"}}, {"configMap": {"name": "m", "defaultMode": 420}}),
        ({"hostPath": {"path": "/p"}}, {"hostPath": {"path": "/p", "type": ""}}),
        (
            {"downwardAPI": {"items": [{"path": "p", "fieldRef": {"fieldPath": "metadata.name"}}]}},
            {
                "downwardAPI": {
                    "items": [{"path": "p", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}],
                    "defaultMode": 420,
                }
            },
        ),
        (
            {"projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}},
            {
                "projected": {
                    "sources": [{"serviceAccountToken": {"expirationSeconds": 3600, "path": "t"}}],
                    "defaultMode": 420,
                }
            },
        ),
    ],
)
async def test_defaults_of_a_volume(server: Any, volume: Any, expected: Any) -> None:
    obj = await server.create(POD, pod(volumes=[{"name": "v", **volume}]))
    assert obj["spec"]["volumes"] == [{"name": "v", **expected}]


async def test_both_names_of_the_service_account_are_set(server: Any) -> None:
    spec = (await server.create(POD, pod(serviceAccount="s")))["spec"]
    assert (spec["serviceAccountName"], spec["serviceAccount"]) == ("s", "s")


async def test_ports_of_the_host_network_are_the_containers(server: Any) -> None:
    spec = (await server.create(POD, pod(container(ports=[{"containerPort": 80}]), hostNetwork=True)))["spec"]
    assert spec["containers"][0]["ports"] == [{"containerPort": 80, "hostPort": 80, "protocol": "TCP"}]


async def test_requests_default_to_limits_in_pods_but_not_in_templates(server: Any) -> None:
    limited = container(resources={"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}})
    spec = (await server.create(POD, pod(limited)))["spec"]
    assert spec["containers"][0]["resources"]["requests"] == {"cpu": "500m", "memory": "1Gi"}
    template = {"metadata": {"labels": {"a": "b"}}, **pod(limited)}
    deployment = {"spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template}}
    made = await server.create("apps/v1/deployments", deployment)
    assert made["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"] == {"cpu": "500m"}


async def test_a_toleration_of_every_taint_makes_the_default_ones_superfluous(server: Any) -> None:
    everything = {"operator": "Exists"}
    assert (await server.create(POD, pod(tolerations=[everything])))["spec"]["tolerations"] == [everything]


async def test_default_tolerations_are_added_to_those_that_are_given(server: Any) -> None:
    own = {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}
    found = (await server.create(POD, pod(tolerations=[own])))["spec"]["tolerations"]
    assert found == [
        own,
        {
            "key": "node.kubernetes.io/unreachable",
            "operator": "Exists",
            "effect": "NoExecute",
            "tolerationSeconds": 300,
        },
    ]


@pytest.mark.parametrize(
    ("name", "priority"), [("system-cluster-critical", 2_000_000_000), ("system-node-critical", 2_000_001_000)]
)
async def test_the_systems_priority_classes_exist_without_objects(server: Any, name: str, priority: int) -> None:
    assert (await server.create(POD, pod(priorityClassName=name)))["spec"]["priority"] == priority


async def test_the_priority_is_that_of_the_class(server: Any) -> None:
    body = {"metadata": {"name": "high"}, "value": 7, "preemptionPolicy": "Never"}
    await server.create("scheduling.k8s.io/v1/priorityclasses", body)
    spec = (await server.create(POD, pod(priorityClassName="high")))["spec"]
    assert (spec["priority"], spec["preemptionPolicy"]) == (7, "Never")


async def test_a_priority_of_ones_own_is_denied(server: Any) -> None:
    status, body = await server.send(
        "POST", "/api/v1/namespaces/default/pods", {"metadata": {"name": "x"}, **pod(priority=9)}
    )
    assert (status, body["message"]) == (
        403,
        'pods "x" is forbidden: the integer value of priority (9) must not be provided in pod spec; priority admission '
        "controller computed 0 from the given PriorityClass name",
    )


# Rules


@pytest.mark.parametrize(
    ("spec", "errors"),
    [
        (
            {"restartPolicy": "Sometimes"},
            ['restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"'],
        ),
        (
            {"dnsPolicy": "Mine"},
            [
                'dnsPolicy: Unsupported value: "Mine": supported values: "ClusterFirst", "ClusterFirstWithHostNet", '
                '"Default", "None"'
            ],
        ),
        (
            {"activeDeadlineSeconds": 0},
            ["activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive"],
        ),
        ({"hostname": "A"}, [f'hostname: Invalid value: "A": {NAME_LABEL}']),
        ({"subdomain": "a.b"}, ['subdomain: Invalid value: "a.b": must not contain dots']),
        (
            {"tolerations": [{"operator": "Equal", "value": "x"}]},
            [
                'tolerations[0].operator: Invalid value: "Equal": operator must be Exists when `key` is empty, which '
                'means "match all values and all keys"'
            ],
        ),
        (
            {"tolerations": [{"key": "k", "operator": "Exists", "value": "v"}]},
            ["tolerations[0].operator: Invalid value: \"v\": value must be empty when `operator` is 'Exists'"],
        ),
        (
            {"tolerations": [{"key": "k", "effect": "NoSchedule", "tolerationSeconds": 1}]},
            [
                "tolerations[0].effect: Invalid value: \"NoSchedule\": effect must be 'NoExecute' when "
                "`tolerationSeconds` is set"
            ],
        ),
        (
            {
                "topologySpreadConstraints": [
                    {"maxSkew": 0, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
                ]
            },
            ["topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero"],
        ),
        (
            {"topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "", "whenUnsatisfiable": "ScheduleAnyway"}]},
            ["topologySpreadConstraints[0].topologyKey: Required value: can not be empty"],
        ),
        (
            {"topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "Wait"}]},
            [
                'topologySpreadConstraints[0].whenUnsatisfiable: Unsupported value: "Wait": supported values: '
                '"DoNotSchedule", "ScheduleAnyway"'
            ],
        ),
    ],
)
async def test_rules_of_a_pods_spec(server: Any, spec: Any, errors: list[str]) -> None:
    assert await server.rejected(POD, pod(**spec)) == [f"spec.{error}" for error in errors]


@pytest.mark.parametrize(
    ("volumes", "errors"),
    [
        (
            [{"name": "v", "emptyDir": {}, "hostPath": {"path": "/p"}}],
            ["volumes[0].hostPath: Forbidden: may not specify more than 1 volume type"],
        ),
        ([{"name": "", "emptyDir": {}}], ["volumes[0].name: Required value"]),
        ([{"name": "V", "emptyDir": {}}], [f'volumes[0].name: Invalid value: "V": {NAME_LABEL}']),
        ([{"name": "v", "emptyDir": {}}] * 2, ['volumes[1].name: Duplicate value: "v"']),
        ([{"name": "v", "secret": {}}], ["volumes[0].secret.secretName: Required value"]),
        ([{"name": "v", "configMap": {}}], ["volumes[0].configMap.name: Required value"]),
        (
            [{"name": "v", "persistentVolumeClaim": {"claimName": ""}}],
            ["volumes[0].persistentVolumeClaim.claimName: Required value"],
        ),
        (
            [{"name": "v", "secret": {"secretName": "s", "defaultMode": 512}}],
            [
                "volumes[0].secret.defaultMode: Invalid value: 512: must be a number between 0 and 0777 (octal), both "
                "inclusive"
            ],
        ),
        (
            [{"name": "v", "configMap": {"name": "m", "items": [{"key": "", "path": ""}]}}],
            ["volumes[0].configMap.items[0].key: Required value", "volumes[0].configMap.items[0].path: Required value"],
        ),
    ],
)
async def test_rules_of_volumes(server: Any, volumes: Any, errors: list[str]) -> None:
    assert await server.rejected(POD, pod(volumes=volumes)) == [f"spec.{error}" for error in errors]


@pytest.mark.parametrize(
    ("fields", "errors"),
    [
        ({"name": "C"}, [f'name: Invalid value: "C": {NAME_LABEL}']),
        ({"image": " i "}, ['image: Invalid value: " i ": must not have leading or trailing whitespace']),
        (
            {"imagePullPolicy": "Daily"},
            ['imagePullPolicy: Unsupported value: "Daily": supported values: "Always", "IfNotPresent", "Never"'],
        ),
        (
            {"terminationMessagePolicy": "Mail"},
            ['terminationMessagePolicy: Unsupported value: "Mail": supported values: "FallbackToLogsOnError", "File"'],
        ),
        ({"ports": [{"protocol": "TCP"}]}, ["ports[0].containerPort: Required value"]),
        (
            {"ports": [{"containerPort": 70000}]},
            ["ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive"],
        ),
        (
            {"ports": [{"containerPort": 1, "name": "http"}, {"containerPort": 2, "name": "http"}]},
            ['ports[1].name: Duplicate value: "http"'],
        ),
        (
            {"ports": [{"containerPort": 1, "hostPort": 5}, {"containerPort": 2, "hostPort": 5}]},
            ['ports[1].hostPort: Duplicate value: "TCP//5"'],
        ),
        (
            {"ports": [{"containerPort": 1, "protocol": "ICMP"}]},
            ['ports[0].protocol: Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"'],
        ),
        (
            {"ports": [{"containerPort": 1, "name": "1234"}]},
            ['ports[0].name: Invalid value: "1234": must contain at least one letter (a-z)'],
        ),
        ({"env": [{"name": ""}]}, ["env[0].name: Required value"]),
        (
            {"env": [{"name": "a=b"}]},
            [
                'env[0].name: Invalid value: "a=b": a valid environment variable name must consist only of printable '
                "ASCII characters other than '='"
            ],
        ),
        (
            {"env": [{"name": "A", "valueFrom": {}}]},
            [
                'env[0].valueFrom: Invalid value: "": must specify one of: `fieldRef`, `resourceFieldRef`, '
                "`configMapKeyRef`, `secretKeyRef`, or `fileKeyRef`"
            ],
        ),
        (
            {"env": [{"name": "A", "value": "1", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]},
            ['env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty'],
        ),
        (
            {"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "m", "key": ""}}}]},
            ["env[0].valueFrom.configMapKeyRef.key: Required value"],
        ),
        (
            {"volumeMounts": [{"name": "v", "mountPath": "/a"}, {"name": "v", "mountPath": "/a"}]},
            ['volumeMounts[1].mountPath: Invalid value: "/a": must be unique'],
        ),
        (
            {"volumeMounts": [{"name": "v", "mountPath": "/a", "subPath": "b/../c"}]},
            ["volumeMounts[0].subPath: Invalid value: \"b/../c\": must not contain '..'"],
        ),
        (
            {"volumeMounts": [{"name": "v", "mountPath": "/a", "subPath": "/b"}]},
            ['volumeMounts[0].subPath: Invalid value: "/b": must be a relative path'],
        ),
        (
            {"resources": {"limits": {"cpu": "-1"}}},
            [  # limits are the default of requests
                'resources.limits[cpu]: Invalid value: "-1": must be greater than or equal to 0',
                'resources.requests[cpu]: Invalid value: "-1": must be greater than or equal to 0',
            ],
        ),
        (
            {"resources": {"requests": {"gpus": "1"}}},
            [
                'resources.requests[gpus]: Invalid value: "gpus": must be a standard resource type or fully qualified',
                'resources.requests[gpus]: Invalid value: "gpus": must be a standard resource for containers',
            ],
        ),
        (
            {"livenessProbe": {"exec": {"command": ["a"]}, "tcpSocket": {"port": 1}}},
            ["livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type"],
        ),
        ({"livenessProbe": {"exec": {}}}, ["livenessProbe.exec.command: Required value"]),
        (
            {"livenessProbe": {"exec": {"command": ["a"]}, "successThreshold": 2}},
            ["livenessProbe.successThreshold: Invalid value: 2: must be 1"],
        ),
        (
            {"readinessProbe": {"tcpSocket": {"port": 1}, "periodSeconds": -1}},
            [f"readinessProbe.periodSeconds: Invalid value: -1: {NOT_NEGATIVE}"],
        ),
        (
            {"lifecycle": {"preStop": {}}},
            ["lifecycle.preStop: Required value: must specify a handler type"],
        ),
    ],
)
async def test_rules_of_a_container(server: Any, fields: Any, errors: list[str]) -> None:
    found = await server.rejected(POD, pod(container(**fields), volumes=[{"name": "v"}]))
    assert found == [f"spec.containers[0].{error}" for error in errors]


async def test_a_readiness_probe_may_require_several_successes(server: Any) -> None:
    await server.create(POD, pod(container(readinessProbe={"tcpSocket": {"port": "http"}, "successThreshold": 3})))


async def test_names_are_unique_among_all_containers(server: Any) -> None:
    assert await server.rejected(POD, pod(initContainers=[container()])) == [
        'spec.initContainers[0].name: Duplicate value: "c"'
    ]


async def test_duplicate_ports_are_warned_about(server: Any) -> None:
    await server.create(POD, pod(container(ports=[{"containerPort": 80}, {"containerPort": 80, "name": "b"}])))
    assert server.warnings == [
        '299 - "spec.containers[0].ports[1]: duplicate port definition with spec.containers[0].ports[0]"'
    ]


async def test_a_variable_that_builds_on_its_former_value_is_not_warned_about(server: Any) -> None:
    await server.create(POD, pod(container(env=[{"name": "A", "value": "1"}, {"name": "A", "value": "$(A)2"}])))
    assert server.warnings == []


# Changes


async def test_containers_are_neither_added_nor_removed(server: Any) -> None:
    await server.create(POD, pod())
    two = [container(), container(name="d")]
    assert await server.immutable(POD, {"spec": {"containers": two}}) == [
        "spec.containers: Forbidden: pod updates may not add or remove containers"
    ]


@pytest.mark.parametrize(
    ("before", "after", "error"),
    [
        (None, 5, ""),
        (9, 5, ""),
        (5, 9, "Invalid value: 9: must be less than or equal to previous value"),
        (5, None, "Invalid value: null: must not update from a positive integer to nil value"),
    ],
)
async def test_the_deadline_of_a_pod_only_comes_closer(server: Any, before: Any, after: Any, error: str) -> None:
    await server.create(POD, pod(activeDeadlineSeconds=before) if before else pod())
    change = {"spec": {"activeDeadlineSeconds": after}}
    if error:
        assert await server.immutable(POD, change) == [f"spec.activeDeadlineSeconds: {error}"]
    else:
        await server.updated(POD, change)


async def test_a_toleration_is_never_taken_away(server: Any) -> None:
    await server.create(POD, pod())
    (error,) = await server.immutable(POD, {"spec": {"tolerations": []}})
    assert error.startswith("spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`")


async def test_a_new_image_counts_as_a_generation(server: Any) -> None:
    await server.create(POD, pod())
    obj = await server.updated(POD, {"spec": {"containers": [container(image="i:2")]}})
    assert (obj["spec"]["containers"][0]["image"], obj["metadata"]["generation"]) == ("i:2", 2)


# Status


async def test_a_status_write_keeps_the_spec_the_owners_and_the_class(server: Any) -> None:
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "u"}
    created = await server.create(POD, {"metadata": {"ownerReferences": [owner]}, **pod()})
    change = {
        "metadata": {"ownerReferences": None},
        "spec": {"containers": [container(image="i:2")]},
        "status": {"phase": "Running", "qosClass": None},
    }
    obj = await server.updated(POD, change, "status")
    assert (obj["spec"], obj["metadata"]["ownerReferences"]) == (created["spec"], [owner])
    assert obj["status"] == {"phase": "Running", "qosClass": "BestEffort"}


async def test_the_lists_of_addresses_follow_the_single_ones(server: Any) -> None:
    await server.create(POD, pod())
    obj = await server.updated(POD, {"status": {"podIP": "10.1.1.1", "hostIP": "10.2.2.2"}}, "status")
    assert (obj["status"]["podIPs"], obj["status"]["hostIPs"]) == ([{"ip": "10.1.1.1"}], [{"ip": "10.2.2.2"}])


@pytest.mark.parametrize(
    ("containers", "quality"),
    [
        ([container(resources={"limits": {"cpu": "1", "memory": "1Gi"}}), container(name="d")], "Burstable"),
        (
            [container(resources={"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1", "memory": "1Gi"}})],
            "Guaranteed",
        ),
        (
            [
                container(
                    resources={"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m", "memory": "1Gi"}}
                )
            ],
            "Burstable",
        ),
        ([container(resources={"limits": {"cpu": "1"}})], "Burstable"),
        ([container(resources={"limits": {"example.com/gpu": "1"}})], "BestEffort"),
    ],
)
async def test_the_quality_of_service(server: Any, containers: Any, quality: str) -> None:
    assert (await server.create(POD, pod(*containers)))["status"]["qosClass"] == quality


# Selectable fields


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("spec.nodeName=", True),
        ("spec.nodeName=n", False),
        ("spec.restartPolicy=Always", True),
        ("spec.schedulerName!=default-scheduler", False),
        ("spec.hostNetwork=false", True),
        ("status.phase=Pending,spec.serviceAccountName=s", True),
        ("status.podIP=", True),
        ("status.nominatedNodeName!=", False),
    ],
)
async def test_pods_are_selected_by_fields(server: Any, selector: str, found: bool) -> None:
    await server.create(POD, pod(serviceAccountName="s"))
    status, body = await server.send(
        "GET", "/api/v1/namespaces/default/pods?fieldSelector=" + selector.replace("=", "%3D").replace(",", "%2C")
    )
    assert (status, len(body["items"])) == (200, int(found))


async def test_other_fields_of_pods_are_not_selectable(server: Any) -> None:
    status, body = await server.send("GET", "/api/v1/namespaces/default/pods?fieldSelector=spec.priority%3D0")
    assert (status, body["message"]) == (400, "field label not supported: spec.priority")
