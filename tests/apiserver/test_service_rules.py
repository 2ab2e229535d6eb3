"""Services on a cluster with IPv4 only: names, families, policies, and the status of load balancers."""

from __future__ import annotations

from typing import Any

import pytest

SERVICES = "/api/v1/namespaces/default/services"
PORTS = [{"port": 80}]


async def fields(talk: Any, **spec: Any) -> list[str]:
    """The fields that a server complains about; empty when it takes the Service."""
    body = {"metadata": {"generateName": "s-"}, "spec": {"ports": PORTS, **spec}}
    status, reported = await talk.ask("POST", f"{SERVICES}?dryRun=All", body)
    return [] if status == 201 else [cause["field"] for cause in reported["details"]["causes"]]


@pytest.mark.parametrize(("name", "status"), [("1st", 201), ("a-b", 201), ("a.b", 422), ("A", 422), ("a" * 64, 422)])
async def test_a_services_name_is_a_label_that_may_begin_with_a_digit(talk: Any, name: str, status: int) -> None:
    assert (await talk.ask("POST", SERVICES, {"metadata": {"name": name}, "spec": {"ports": PORTS}}))[0] == status


async def test_a_put_creates_a_service_that_is_not_there(talk: Any) -> None:
    body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"ports": PORTS}}
    assert (await talk.ask("PUT", f"{SERVICES}/s", body))[0] == 201


async def test_a_service_that_prefers_two_families_gets_the_one_that_there_is(talk: Any) -> None:
    made = await talk.make("s", SERVICES, spec={"ports": PORTS, "ipFamilyPolicy": "PreferDualStack"})
    assert (made["spec"]["ipFamilyPolicy"], made["spec"]["ipFamilies"]) == ("PreferDualStack", ["IPv4"])
    assert len(made["spec"]["clusterIPs"]) == 1


@pytest.mark.parametrize(
    ("spec", "refused"),
    [
        ({"ipFamilyPolicy": "RequireDualStack"}, ["spec.ipFamilyPolicy"]),
        ({"ipFamilyPolicy": "Sometimes"}, ["spec.ipFamilyPolicy"]),
        ({"ipFamilies": ["IPv6"]}, ["spec.ipFamilies[0]"]),
        ({"ipFamilies": ["IPv4", "IPv6"]}, ["spec.ipFamilyPolicy"]),
        ({"ipFamilies": ["IPv4", "IPv6"], "ipFamilyPolicy": "PreferDualStack"}, ["spec.ipFamilies[1]"]),
        ({"ipFamilies": ["IPv4", "IPv4"]}, ["spec.ipFamilies[1]"]),
        ({"ipFamilies": ["IPv5"]}, ["spec.ipFamilies[0]"]),
        ({"clusterIP": "10.0.0.9", "clusterIPs": ["10.0.0.9", "10.0.0.8"]}, ["spec.clusterIPs"]),
        ({"clusterIP": "10.0.0.9", "ipFamilies": ["IPv6"]}, ["spec.clusterIPs[0]"]),
        ({"clusterIP": "2001:db8::1"}, ["spec.clusterIPs[0]"]),
        ({"clusterIPs": ["10.0.0.9"]}, ["spec.clusterIPs"]),
        ({"clusterIP": "None", "clusterIPs": ["None", "10.0.0.9"]}, ["spec.clusterIPs"]),
        ({"type": "ExternalName", "externalName": "a.b", "ipFamilyPolicy": "SingleStack"}, ["spec.ipFamilyPolicy"]),
        ({"externalIPs": ["127.0.0.1"]}, ["spec.externalIPs[0]"]),
        ({"externalIPs": ["10.1.2.3"], "externalTrafficPolicy": "Local"}, []),
        ({"externalTrafficPolicy": "Local"}, ["spec.externalTrafficPolicy"]),
        ({"loadBalancerSourceRanges": ["10.0.0.0/8"]}, ["spec.LoadBalancerSourceRanges"]),
        ({"type": "LoadBalancer", "loadBalancerSourceRanges": [" 10.0.0.0/8 "]}, []),
        ({"type": "LoadBalancer", "loadBalancerSourceRanges": ["10.0.0.1/8"]}, ["spec.LoadBalancerSourceRanges[0]"]),
        ({"allocateLoadBalancerNodePorts": True}, ["spec.allocateLoadBalancerNodePorts"]),
        ({"loadBalancerClass": "a.example/b"}, ["spec.loadBalancerClass"]),
        ({"healthCheckNodePort": 30000}, ["spec.healthCheckNodePort"]),
        ({"trafficDistribution": "PreferSameNode"}, []),
        ({"trafficDistribution": "Nearby"}, ["spec.trafficDistribution"]),
        ({"ports": [{"port": 80, "appProtocol": "a b"}]}, ["spec.ports[0].appProtocol"]),
    ],
)  # fmt: skip
async def test_addresses_and_policies_fit_the_type_and_the_cluster(
    talk: Any, spec: dict[str, Any], refused: list[str]
) -> None:
    assert await fields(talk, **spec) == refused


async def test_headless_services_without_selector_have_both_families(talk: Any) -> None:
    made = await talk.make("s", SERVICES, spec={"clusterIP": "None", "clusterIPs": ["None"]})
    assert (made["spec"]["ipFamilyPolicy"], made["spec"]["ipFamilies"]) == ("RequireDualStack", ["IPv4", "IPv6"])
    selecting = await talk.make(
        "t", SERVICES, spec={"clusterIP": "None", "clusterIPs": ["None"], "selector": {"a": "b"}}
    )
    assert (selecting["spec"]["ipFamilyPolicy"], selecting["spec"]["ipFamilies"]) == ("SingleStack", ["IPv4"])
    status, changed = await talk.merge(f"{SERVICES}/s", {"spec": {"ipFamilyPolicy": "SingleStack"}})
    assert (status, changed["spec"]["ipFamilies"]) == (200, ["IPv4"])


async def test_only_a_load_balancer_has_an_ingress(talk: Any) -> None:
    await talk.make("plain", SERVICES, spec={"ports": PORTS})
    await talk.make("balanced", SERVICES, spec={"ports": PORTS, "type": "LoadBalancer"})

    async def written(name: str, **ingress: Any) -> tuple[int, Any]:
        return await talk.merge(f"{SERVICES}/{name}/status", {"status": {"loadBalancer": {"ingress": [ingress]}}})

    status, reported = await written("plain", ip="192.0.2.1")
    assert (status, reported["details"]["causes"][0]["field"]) == (422, "status.loadBalancer.ingress")
    status, balanced = await written("balanced", ip="192.0.2.1")
    assert (status, balanced["status"]["loadBalancer"]["ingress"]) == (200, [{"ip": "192.0.2.1", "ipMode": "VIP"}])
    for wrong in ({"ip": "x"}, {"ip": "192.0.2.1", "ipMode": "Odd"}, {"hostname": "192.0.2.1"}, {"hostname": "A_b"}):
        assert (await written("balanced", **wrong))[0] == 422
    assert (await written("balanced", hostname="lb.example"))[0] == 200


async def test_the_class_of_a_load_balancer_stays(talk: Any) -> None:
    await talk.make("s", SERVICES, spec={"ports": PORTS, "type": "LoadBalancer", "loadBalancerClass": "a.example/b"})
    status, reported = await talk.merge(f"{SERVICES}/s", {"spec": {"loadBalancerClass": "a.example/c"}})
    assert (status, reported["details"]["causes"][0]["field"]) == (422, "spec.loadBalancerClass")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles/x", {"rules": []}),
        ("/api/v1/namespaces/default/endpoints/x", {"subsets": []}),
        ("/api/v1/namespaces/default/limitranges/x", {"spec": {"limits": [{"type": "Pod"}]}}),
    ],
)
async def test_a_put_creates_what_the_server_lets_it_create(talk: Any, path: str, body: dict[str, Any]) -> None:
    assert (await talk.ask("PUT", path, {"metadata": {"name": "x"}, **body}))[0] == 201


async def test_a_budget_is_not_replaced_without_its_version(talk: Any) -> None:
    path = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
    body = {"metadata": {"name": "b"}, "spec": {"minAvailable": 1, "selector": {"matchLabels": {"a": "b"}}}}
    assert (await talk.ask("POST", path, body))[0] == 201
    status, reported = await talk.ask("PUT", f"{path}/b", body)
    assert (status, reported["details"]["causes"][0]["field"]) == (422, "metadata.resourceVersion")


async def test_the_writer_of_a_daemon_set_owns_its_count_of_templates(talk: Any) -> None:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template}
    made = await talk.make("d", "/apis/apps/v1/namespaces/default/daemonsets", spec=spec)
    (entry,) = made["metadata"]["managedFields"]
    count = "f:deprecated.daemonset.template.generation"
    assert entry["fieldsV1"]["f:metadata"] == {"f:annotations": {".": {}, count: {}}}
