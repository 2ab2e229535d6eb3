"""The core group: defaults, rules, what may change, and what the status endpoint keeps.

Source: pkg/apis/core/v1/defaults.go, pkg/apis/core/validation/validation.go, pkg/registry/core/*/strategy.go.
"""

from __future__ import annotations

import base64
from typing import Any

import pytest

CONFIG_KEY = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or "
    "'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


# ConfigMaps and Secrets


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({"data": {"a b": "1"}}, [f'data[a b]: Invalid value: "a b": {CONFIG_KEY}']),
        ({"data": {".": "1"}}, ["data[.]: Invalid value: \".\": must not be '.'"]),
        ({"data": {"..": "1"}}, ["data[..]: Invalid value: \"..\": must not be '..'"]),
        ({"data": {"..a": "1"}}, ["data[..a]: Invalid value: \"..a\": must not start with '..'"]),
        ({"binaryData": {"a/b": "AQ=="}}, [f'binaryData[a/b]: Invalid value: "a/b": {CONFIG_KEY}']),
        (
            {"data": {"a": "1"}, "binaryData": {"a": "AQ=="}},
            ['data[a]: Invalid value: "a": duplicate of key present in binaryData'],
        ),
    ],
)
async def test_keys_of_a_config_map_are_file_names_and_unique(server: Any, body: Any, errors: list[str]) -> None:
    assert await server.rejected("v1/configmaps", body) == errors


async def test_binary_data_counts_towards_the_size_as_it_is_decoded(server: Any) -> None:
    half = encoded("x" * 2**19)
    await server.create("v1/configmaps", {"data": {"a": "x" * 2**19}, "binaryData": {"b": half}})
    more = {"data": {"a": "x" * 2**19}, "binaryData": {"b": encoded("x" * (2**19 + 1))}}
    assert await server.rejected("v1/configmaps", more) == ["[]: Too long: may not be more than 1048576 bytes"]


async def test_metadata_of_an_immutable_config_map_may_change_and_its_data_may_not(server: Any) -> None:
    await server.create("v1/configmaps", {"data": {"a": "1"}, "immutable": True})
    await server.updated("v1/configmaps", {"metadata": {"labels": {"a": "b"}}})
    frozen = "Forbidden: field is immutable when `immutable` is set"
    assert await server.immutable("v1/configmaps", {"data": {"b": "2"}}) == [f"data: {frozen}"]
    assert await server.immutable("v1/configmaps", {"binaryData": {"b": "AQ=="}}) == [f"binaryData: {frozen}"]
    assert await server.immutable("v1/configmaps", {"immutable": None}) == [f"immutable: {frozen}"]


@pytest.mark.parametrize(
    ("kind", "data", "errors"),
    [
        ("Opaque", {"a b": "AQ=="}, [f'data[a b]: Invalid value: "a b": {CONFIG_KEY}']),
        ("kubernetes.io/tls", {}, ["data[tls.crt]: Required value", "data[tls.key]: Required value"]),
        ("kubernetes.io/ssh-auth", {"a": "AQ=="}, ["data[ssh-privatekey]: Required value"]),
        (
            "kubernetes.io/basic-auth",
            {},
            ["data[username]: Required value", "data[password]: Required value"],
        ),
        ("kubernetes.io/dockercfg", {}, ["data[.dockercfg]: Required value"]),
        (
            "kubernetes.io/dockerconfigjson",
            {".dockerconfigjson": encoded("{")},
            ['data[.dockerconfigjson]: Invalid value: "<secret contents redacted>": invalid JSON'],
        ),
        (
            "kubernetes.io/service-account-token",
            {},
            ["metadata.annotations[kubernetes.io/service-account.name]: Required value"],
        ),
    ],
)
async def test_the_type_of_a_secret_requires_keys(server: Any, kind: str, data: Any, errors: list[str]) -> None:
    assert await server.rejected("v1/secrets", {"type": kind, "data": data}) == errors


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("kubernetes.io/tls", {"tls.crt": "", "tls.key": ""}),  # present is enough: it may be filled later
        ("kubernetes.io/basic-auth", {"password": "AQ=="}),
        ("kubernetes.io/dockerconfigjson", {".dockerconfigjson": encoded("{}")}),
        ("example.com/mine", {}),
    ],
)
async def test_a_secret_with_the_keys_of_its_type_is_stored(server: Any, kind: str, data: Any) -> None:
    assert (await server.create("v1/secrets", {"type": kind, "data": data}))["type"] == kind


async def test_the_type_of_a_secret_is_immutable(server: Any) -> None:
    await server.create("v1/secrets", {})
    assert await server.immutable("v1/secrets", {"type": "example.com/x"}) == [
        'type: Invalid value: "example.com/x": field is immutable'
    ]


async def test_string_data_replaces_keys_of_data_and_is_never_stored(server: Any) -> None:
    await server.create("v1/secrets", {"data": {"a": encoded("1"), "b": encoded("2")}})
    obj = await server.updated("v1/secrets", {"stringData": {"b": "3"}})
    assert obj["data"] == {"a": encoded("1"), "b": encoded("3")}
    assert "stringData" not in obj


# Namespaces


async def test_a_namespace_is_labelled_with_its_name_and_keeps_that_label(server: Any) -> None:
    await server.create("v1/namespaces", {"metadata": {"labels": {"kubernetes.io/metadata.name": "other"}}})
    obj = await server.updated("v1/namespaces", {"metadata": {"labels": {"kubernetes.io/metadata.name": None}}})
    assert obj["metadata"]["labels"] == {"kubernetes.io/metadata.name": "x"}


async def test_a_name_of_a_namespace_is_a_label(server: Any) -> None:
    (error,) = await server.rejected("v1/namespaces", {"metadata": {"name": "a.b"}})
    assert error == 'metadata.name: Invalid value: "a.b": must not contain dots'


async def test_the_phase_of_a_namespace_is_tied_to_its_deletion(server: Any) -> None:
    await server.create("v1/namespaces", {})
    assert await server.immutable("v1/namespaces", {"status": {"phase": "Terminating"}}, "status") == [
        "status.Phase: Invalid value: \"Terminating\": may only be 'Active' if `deletionTimestamp` is empty"
    ]
    status, obj = await server.send("DELETE", "/api/v1/namespaces/x")
    assert (status, obj["status"]["phase"]) == (200, "Terminating")
    assert await server.immutable("v1/namespaces", {"status": {"phase": "Active"}}, "status") == [
        "status.Phase: Invalid value: \"Active\": may only be 'Terminating' if `deletionTimestamp` is not empty"
    ]


# Volumes


VOLUME = {
    "spec": {
        "accessModes": ["ReadWriteOnce"],
        "capacity": {"storage": "1Gi"},
        "hostPath": {"path": "/tmp/x"},
    }
}
CLAIM = {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}


def with_spec(body: Any, **fields: Any) -> Any:
    return {**body, "spec": {name: value for name, value in {**body["spec"], **fields}.items() if value is not None}}


async def test_a_volume_is_retained_pending_and_protected(server: Any) -> None:
    obj = await server.create("v1/persistentvolumes", VOLUME)
    assert obj["metadata"]["finalizers"] == ["kubernetes.io/pv-protection"]
    assert (obj["spec"]["persistentVolumeReclaimPolicy"], obj["spec"]["volumeMode"]) == ("Retain", "Filesystem")
    assert (obj["spec"]["hostPath"]["type"], obj["status"]) == ("", {"phase": "Pending"})


@pytest.mark.parametrize(
    ("fields", "errors"),
    [
        ({"accessModes": []}, ["spec.accessModes: Required value: at least 1 access mode is required"]),
        (
            {"accessModes": ["Often"]},
            [
                'spec.accessModes: Unsupported value: "Often": supported values: "ReadOnlyMany", "ReadWriteMany", '
                '"ReadWriteOnce", "ReadWriteOncePod"'
            ],
        ),
        ({"capacity": None}, ["spec.capacity: Required value"]),
        ({"capacity": {"storage": "0"}}, ['spec.capacity[storage]: Invalid value: "0": must be greater than zero']),
        (
            {"persistentVolumeReclaimPolicy": "Burn"},
            [
                'spec.persistentVolumeReclaimPolicy: Unsupported value: "Burn": supported values: "Delete", "Recycle", '
                '"Retain"'
            ],
        ),
    ],
)
async def test_rules_of_a_volume(server: Any, fields: Any, errors: list[str]) -> None:
    assert await server.rejected("v1/persistentvolumes", with_spec(VOLUME, **fields)) == errors


@pytest.mark.parametrize(
    ("fields", "errors"),
    [
        ({"resources": {}}, ["spec.resources[storage]: Required value"]),
        (
            {"resources": {"requests": {"storage": "-1"}}},
            ['spec.resources[storage]: Invalid value: "-1": must be greater than zero'],
        ),
        (
            {"accessModes": ["ReadWriteOncePod", "ReadOnlyMany"]},
            ["spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes"],
        ),
        (
            {"volumeMode": "Tape"},
            ['spec.volumeMode: Unsupported value: "Tape": supported values: "Block", "Filesystem"'],
        ),
        ({"dataSource": {"kind": "PersistentVolumeClaim", "name": ""}}, ["spec.dataSource.name: Required value"]),
        (
            {"dataSource": {"kind": "Other", "name": "n"}},
            [
                "spec.dataSource: Invalid value: \"Other\": must be 'PersistentVolumeClaim' when referencing the "
                "default apiGroup"
            ],
        ),
    ],
)
async def test_rules_of_a_claim(server: Any, fields: Any, errors: list[str]) -> None:
    assert await server.rejected("v1/persistentvolumeclaims", with_spec(CLAIM, **fields)) == errors


async def test_a_claim_may_be_bound_and_a_bound_one_may_request_more(server: Any) -> None:
    kind = "v1/persistentvolumeclaims"
    await server.create(kind, CLAIM)
    await server.updated(kind, {"spec": {"volumeName": "v"}})
    (error,) = await server.immutable(kind, {"spec": {"volumeName": "w"}})
    assert error.startswith("spec: Forbidden: spec is immutable after creation except resources.requests and ")
    larger, smaller = ({"spec": {"resources": {"requests": {"storage": size}}}} for size in ("2Gi", "1Gi"))
    assert (await server.update(kind, larger))[0] == 422  # not bound yet
    await server.updated(kind, {"status": {"phase": "Bound", "capacity": {"storage": "1Gi"}}}, "status")
    await server.updated(kind, larger)
    assert await server.immutable(kind, smaller) == [
        "spec.resources.requests.storage: Forbidden: field can not be less than status.capacity"
    ]


# Nodes, quotas, limits


@pytest.mark.parametrize(
    ("taints", "errors"),
    [
        (
            [{"key": "a", "effect": "Explode"}],
            [
                'spec.taints[0].effect: Unsupported value: "Explode": supported values: "NoSchedule", '
                '"PreferNoSchedule", "NoExecute"'
            ],
        ),
        ([{"key": "a", "effect": ""}], ["spec.taints[0].effect: Required value"]),
    ],
)
async def test_a_taint_has_a_known_effect(server: Any, taints: Any, errors: list[str]) -> None:
    assert await server.rejected("v1/nodes", {"spec": {"taints": taints}}) == errors


async def test_taints_are_unique_by_key_and_effect(server: Any) -> None:
    twice = [
        {"key": "a", "effect": "NoSchedule"},
        {"key": "a", "effect": "NoExecute"},
        {"key": "a", "effect": "NoSchedule"},
    ]
    (error,) = await server.rejected("v1/nodes", {"spec": {"taints": twice}})
    assert error.startswith("spec.taints[2]: Duplicate value: ")


async def test_a_node_registers_with_its_status_and_can_allocate_all_it_has(server: Any) -> None:
    obj = await server.create("v1/nodes", {"status": {"capacity": {"cpu": "4", "memory": "8192Mi"}}})
    assert obj["status"]["allocatable"] == {"cpu": "4", "memory": "8Gi"}
    assert obj["status"]["capacity"] == {"cpu": "4", "memory": "8Gi"}


async def test_a_quota_limits_no_negative_amount(server: Any) -> None:
    assert await server.rejected("v1/resourcequotas", {"spec": {"hard": {"pods": "-1"}}}) == [
        'spec.hard[pods]: Invalid value: "-1": must be greater than or equal to 0'
    ]


async def test_limits_of_containers_default_to_their_maximum_and_requests_to_the_limits(server: Any) -> None:
    limit = {"type": "Container", "max": {"cpu": "2"}, "min": {"memory": "1Mi"}}
    obj = await server.create("v1/limitranges", {"spec": {"limits": [limit, {"type": "Pod", "max": {"cpu": "3"}}]}})
    container, pod = obj["spec"]["limits"]
    assert (container["default"], container["defaultRequest"]) == ({"cpu": "2"}, {"cpu": "2", "memory": "1Mi"})
    assert pod == {"type": "Pod", "max": {"cpu": "3"}}


@pytest.mark.parametrize(
    ("limits", "errors"),
    [
        (
            [{"type": "Pod", "min": {"cpu": "2"}, "max": {"cpu": "1"}}],
            ['spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than max value 1'],
        ),
        (
            [{"type": "Pod", "max": {"cpu": "1"}}, {"type": "Pod", "max": {"cpu": "1"}}],
            ['spec.limits[1].type: Duplicate value: "Pod"'],
        ),
    ],
)
async def test_rules_of_a_limit_range(server: Any, limits: Any, errors: list[str]) -> None:
    assert await server.rejected("v1/limitranges", {"spec": {"limits": limits}}) == errors


# ReplicationControllers


TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}


async def test_a_replication_controller_selects_and_is_labelled_by_its_template(server: Any) -> None:
    obj = await server.create("v1/replicationcontrollers", {"spec": {"template": TEMPLATE}})
    assert (obj["spec"]["selector"], obj["metadata"]["labels"], obj["spec"]["replicas"]) == ({"a": "b"}, {"a": "b"}, 1)


@pytest.mark.parametrize(
    ("spec", "errors"),
    [
        ({"selector": {"a": "b"}}, ["spec.template: Required value"]),
        ({"template": {"spec": TEMPLATE["spec"]}}, ["spec.selector: Required value"]),
        (
            {"selector": {"a": "c"}, "template": TEMPLATE},
            ['spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match template `labels`'],
        ),
        (
            {"replicas": -1, "template": TEMPLATE},
            ["spec.replicas: Invalid value: -1: must be greater than or equal to 0"],
        ),
    ],
)
async def test_rules_of_a_replication_controller(server: Any, spec: Any, errors: list[str]) -> None:
    assert await server.rejected("v1/replicationcontrollers", {"spec": spec}) == errors


async def test_selector_and_template_of_a_replication_controller_may_change_together(server: Any) -> None:
    kind = "v1/replicationcontrollers"
    await server.create(kind, {"spec": {"template": TEMPLATE}})
    labels = {"a": "c"}
    obj = await server.updated(kind, {"spec": {"selector": labels, "template": {"metadata": {"labels": labels}}}})
    assert (obj["spec"]["selector"], obj["metadata"]["generation"]) == (labels, 2)


# Endpoints


@pytest.mark.parametrize(
    ("subset", "errors"),
    [
        (
            {"ports": [{"port": 80}]},
            ["subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`"],
        ),
        (
            {"addresses": [{"ip": "10.1.1.1"}], "ports": [{"port": 80}, {"port": 81, "name": "b"}]},
            ["subsets[0].ports[0].name: Required value"],
        ),
        (
            {"addresses": [{"ip": "10.1.1.1"}], "ports": [{"port": 0}]},
            ["subsets[0].ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive"],
        ),
        (
            {"addresses": [{"ip": "10.1.1.1"}], "ports": [{"port": 80, "protocol": "ICMP"}]},
            ['subsets[0].ports[0].protocol: Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"'],
        ),
        (
            {"addresses": [{"ip": "127.0.0.1"}], "ports": [{"port": 80}]},
            [
                'subsets[0].addresses[0].ip: Invalid value: "127.0.0.1": may not be in the loopback range '
                "(127.0.0.0/8, ::1/128)"
            ],
        ),
        (
            {"notReadyAddresses": [{"ip": "169.254.1.1"}], "ports": [{"port": 80}]},
            [
                'subsets[0].notReadyAddresses[0].ip: Invalid value: "169.254.1.1": may not be in the link-local range '
                "(169.254.0.0/16, fe80::/10)"
            ],
        ),
    ],
)
async def test_rules_of_endpoints(server: Any, subset: Any, errors: list[str]) -> None:
    assert await server.rejected("v1/endpoints", {"subsets": [subset]}) == errors


async def test_ports_of_endpoints_are_tcp_and_the_kind_is_deprecated(server: Any) -> None:
    obj = await server.create(
        "v1/endpoints", {"subsets": [{"addresses": [{"ip": "10.1.1.1"}], "ports": [{"port": 80}]}]}
    )
    assert obj["subsets"][0]["ports"] == [{"port": 80, "protocol": "TCP"}]
    assert server.warnings == ['299 - "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"']
