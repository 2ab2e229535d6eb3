"""networking.k8s.io and discovery.k8s.io: Ingresses, their classes, NetworkPolicies and EndpointSlices.

Source: pkg/apis/networking/validation/validation.go, pkg/apis/discovery/validation/validation.go.
"""

from __future__ import annotations

from typing import Any

import pytest

INGRESS, CLASS = "networking.k8s.io/v1/ingresses", "networking.k8s.io/v1/ingressclasses"
POLICY, SLICE = "networking.k8s.io/v1/networkpolicies", "discovery.k8s.io/v1/endpointslices"
BACKEND = {"service": {"name": "s", "port": {"number": 80}}}
PATH = {"path": "/", "pathType": "Prefix", "backend": BACKEND}


def rule(**path: Any) -> dict[str, Any]:
    given = {name: value for name, value in {**PATH, **path}.items() if value is not None}
    return {"rules": [{"http": {"paths": [given]}}]}


# Ingresses


@pytest.mark.parametrize(
    ("spec", "errors"),
    [
        (rule(pathType=None), ["rules[0].http.paths[0].pathType: Required value: pathType must be specified"]),
        (
            rule(pathType="Regex"),
            [
                'rules[0].http.paths[0].pathType: Unsupported value: "Regex": supported values: "Exact", '
                '"ImplementationSpecific", "Prefix"'
            ],
        ),
        (rule(path="a"), ['rules[0].http.paths[0].path: Invalid value: "a": must be an absolute path']),
        ({"rules": [{"http": {"paths": []}}]}, ["rules[0].http.paths: Required value"]),
        (
            rule(backend={"service": {"name": "s", "port": {}}}),
            ["rules[0].http.paths[0].backend: Required value: port name or number is required"],
        ),
        (
            rule(backend={"service": {"name": "s", "port": {"number": 80, "name": "http"}}}),
            ['rules[0].http.paths[0].backend: Invalid value: "": cannot set both port name & port number'],
        ),
        (
            rule(backend={"service": {"name": "", "port": {"number": 80}}}),
            ["rules[0].http.paths[0].backend.service.name: Required value"],
        ),
        (
            rule(backend={**BACKEND, "resource": {"kind": "Bucket", "name": "b"}}),
            ['rules[0].http.paths[0].backend: Invalid value: "": cannot set both resource and service backends'],
        ),
        (
            {"defaultBackend": {"service": {"name": "s", "port": {"number": 70000}}}},
            ["defaultBackend.service.port.number: Invalid value: 70000: must be between 1 and 65535, inclusive"],
        ),
    ],
)
async def test_rules_of_an_ingress(server: Any, spec: Any, errors: list[str]) -> None:
    assert await server.rejected(INGRESS, {"spec": spec}) == [f"spec.{error}" for error in errors]


async def test_an_ingress_has_rules_or_a_default_backend(server: Any) -> None:
    (error,) = await server.rejected(INGRESS, {"spec": {}})
    assert error.startswith("spec: Invalid value: ")
    assert error.endswith(": either `defaultBackend` or `rules` must be specified")


@pytest.mark.parametrize("host", ["example.com", "*.example.com"])
async def test_hosts_of_an_ingress(server: Any, host: str) -> None:
    await server.create(INGRESS, {"spec": {"rules": [{"host": host}]}})


async def test_a_host_in_capitals_is_rejected(server: Any) -> None:
    (error,) = await server.rejected(INGRESS, {"spec": {"rules": [{"host": "Example.com"}]}})
    assert error.startswith('spec.rules[0].host: Invalid value: "Example.com": a lowercase RFC 1123 subdomain must ')


async def test_a_path_that_the_implementation_interprets_may_be_empty(server: Any) -> None:
    await server.create(INGRESS, {"spec": rule(path="", pathType="ImplementationSpecific")})


async def test_the_status_of_an_ingress_has_an_endpoint_of_its_own(server: Any) -> None:
    created = await server.create(INGRESS, {"spec": {"defaultBackend": BACKEND}})
    assert (created["status"], created["metadata"]["generation"]) == ({"loadBalancer": {}}, 1)
    status = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
    assert (await server.updated(INGRESS, {"status": status}))["status"] == {"loadBalancer": {}}
    written = await server.updated(INGRESS, {"spec": {"ingressClassName": "c"}, "status": status}, "status")
    assert (written["status"], written["spec"], written["metadata"]["generation"]) == (status, created["spec"], 1)


# IngressClasses


@pytest.mark.parametrize(
    ("controller", "error"),
    [
        ("", "Required value"),
        ("nginx", 'Invalid value: "nginx": must be a domain-prefixed path (such as "acme.io/foo")'),
        ("a.io/" + "x" * 250, f'Invalid value: "a.io/{"x" * 250}": must be no more than 250 characters'),
    ],
)
async def test_the_controller_of_a_class_is_a_path_below_a_domain(server: Any, controller: str, error: str) -> None:
    assert await server.rejected(CLASS, {"spec": {"controller": controller}}) == [f"spec.controller: {error}"]


async def test_the_controller_of_a_class_is_immutable_and_parameters_are_cluster_wide(server: Any) -> None:
    parameters = {"kind": "P", "name": "p"}
    obj = await server.create(CLASS, {"spec": {"controller": "a.io/c", "parameters": parameters}})
    assert obj["spec"]["parameters"] == {**parameters, "scope": "Cluster"}
    assert await server.immutable(CLASS, {"spec": {"controller": "a.io/d"}}) == [
        'spec.controller: Invalid value: "a.io/d": field is immutable'
    ]


# NetworkPolicies


@pytest.mark.parametrize(
    ("spec", "types"),
    [
        ({}, ["Ingress"]),
        ({"ingress": [{}]}, ["Ingress"]),
        ({"egress": [{}]}, ["Ingress", "Egress"]),
        ({"egress": [{}], "policyTypes": ["Egress"]}, ["Egress"]),
    ],
)
async def test_types_of_a_policy(server: Any, spec: Any, types: list[str]) -> None:
    assert (await server.create(POLICY, {"spec": {"podSelector": {}, **spec}}))["spec"]["policyTypes"] == types


async def test_ports_of_a_policy_are_tcp(server: Any) -> None:
    spec = {"podSelector": {}, "ingress": [{"ports": [{"port": 80}]}], "egress": [{"ports": [{"port": "dns"}]}]}
    found = (await server.create(POLICY, {"spec": spec}))["spec"]
    assert found["ingress"] == [{"ports": [{"protocol": "TCP", "port": 80}]}]
    assert found["egress"] == [{"ports": [{"protocol": "TCP", "port": "dns"}]}]


@pytest.mark.parametrize(
    ("ingress", "errors"),
    [
        (
            {"ports": [{"port": 80, "protocol": "ICMP"}]},
            ['ports[0].protocol: Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"'],
        ),
        (
            {"ports": [{"port": 80, "endPort": 70}]},
            ["ports[0].endPort: Invalid value: 70: must be greater than or equal to `port`"],
        ),
        (
            {"ports": [{"port": "http", "endPort": 80}]},
            ["ports[0].endPort: Forbidden: may not be specified when `port` is non-numeric"],
        ),
        ({"ports": [{"endPort": 80}]}, ["ports[0].port: Required value: must be specified if `endPort` is specified"]),
        ({"from": [{}]}, ["from[0]: Required value: must specify a peer"]),
        (
            {"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}, "podSelector": {}}]},
            ["from[0]: Forbidden: may not specify both ipBlock and another peer"],
        ),
        ({"from": [{"ipBlock": {"cidr": ""}}]}, ["from[0].ipBlock.cidr: Required value"]),
        (
            {"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["192.168.0.0/16"]}}]},
            ['from[0].ipBlock.except[0]: Invalid value: "192.168.0.0/16": must be a strict subset of `cidr`'],
        ),
        (
            {"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.0.0.0/8"]}}]},
            ['from[0].ipBlock.except[0]: Invalid value: "10.0.0.0/8": must be a strict subset of `cidr`'],
        ),
    ],
)
async def test_rules_of_a_policy(server: Any, ingress: Any, errors: list[str]) -> None:
    found = await server.rejected(POLICY, {"spec": {"podSelector": {}, "ingress": [ingress]}})
    assert found == [f"spec.ingress[0].{error}" for error in errors]


async def test_a_policy_counts_its_generations(server: Any) -> None:
    await server.create(POLICY, {"spec": {"podSelector": {}}})
    assert (await server.updated(POLICY, {"metadata": {"labels": {"a": "b"}}}))["metadata"]["generation"] == 1
    assert (await server.updated(POLICY, {"spec": {"policyTypes": ["Egress"]}}))["metadata"]["generation"] == 2


# EndpointSlices


def endpoints(*addresses: str, kind: str = "IPv4") -> dict[str, Any]:
    return {"addressType": kind, "endpoints": [{"addresses": list(addresses)}], "ports": []}


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({"endpoints": [], "ports": []}, ["addressType: Required value"]),
        (
            {**endpoints("10.1.1.1"), "addressType": "IPX"},
            ['addressType: Unsupported value: "IPX": supported values: "FQDN", "IPv4", "IPv6"'],
        ),
        (endpoints(), ["endpoints[0].addresses: Required value: must contain at least 1 address"]),
        (
            endpoints("127.0.0.1"),
            [
                'endpoints[0].addresses[0]: Invalid value: "127.0.0.1": may not be in the loopback range '
                "(127.0.0.0/8, ::1/128)"
            ],
        ),
        (
            {**endpoints("10.1.1.1"), "ports": [{"name": "a"}, {"name": "a"}]},
            ['ports[1].name: Duplicate value: "a"'],
        ),
        (
            {**endpoints("10.1.1.1"), "ports": [{"protocol": "ICMP"}]},
            ['ports[0].protocol: Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"'],
        ),
        (
            {"addressType": "IPv4", "ports": [], "endpoints": [{"addresses": ["10.1.1.1"]}] * 1001},
            ["endpoints: Too many: 1001: must have at most 1000 items"],
        ),
        (
            endpoints(*(f"10.1.1.{n}" for n in range(101))),
            ["endpoints[0].addresses: Too many: 101: must have at most 100 items"],
        ),
    ],
)
async def test_rules_of_an_endpoint_slice(server: Any, body: Any, errors: list[str]) -> None:
    assert await server.rejected(SLICE, body) == errors


async def test_ports_of_a_slice_have_a_name_and_a_protocol(server: Any) -> None:
    obj = await server.create(SLICE, {**endpoints("10.1.1.1"), "ports": [{"port": 80}]})
    assert obj["ports"] == [{"name": "", "protocol": "TCP", "port": 80}]


async def test_the_type_of_addresses_is_immutable(server: Any) -> None:
    await server.create(SLICE, {"addressType": "IPv4", "endpoints": [], "ports": []})
    assert await server.immutable(SLICE, {"addressType": "IPv6"}) == [
        'addressType: Invalid value: "IPv6": field is immutable'
    ]
