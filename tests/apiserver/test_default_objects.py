"""What every cluster has from the start: the Service of the API server itself, and the roles for users."""

from __future__ import annotations

import random
from typing import Any

from zestor_controller.apiserver import ApiServer
from zestor_controller.apiserver.auth.authentication import TokenAuthenticator
from zestor_controller.apiserver.auth.authorization import Attributes, RbacAuthorizer
from zestor_controller.apiserver.rest.user import User

SERVICE = "/api/v1/namespaces/default/services/kubernetes"
ENDPOINTS = "/api/v1/namespaces/default/endpoints/kubernetes"
SLICE = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes"
ROLES = "/apis/rbac.authorization.k8s.io/v1/clusterroles"


async def test_the_server_is_a_service_of_its_cluster(talk: Any) -> None:
    talk.api.publish("127.0.0.1", 6443)
    _, service = await talk.ask("GET", SERVICE)
    assert service["metadata"]["labels"] == {"component": "apiserver", "provider": "kubernetes"}
    assert service["spec"]["clusterIP"] == "10.0.0.1"
    assert service["spec"]["ports"] == [{"name": "https", "protocol": "TCP", "port": 443, "targetPort": 6443}]
    _, endpoints = await talk.ask("GET", ENDPOINTS)
    listening = {"name": "https", "port": 6443, "protocol": "TCP"}
    assert endpoints["subsets"] == [{"addresses": [{"ip": "127.0.0.1"}], "ports": [listening]}]
    _, found = await talk.ask("GET", SLICE)
    assert (found["addressType"], found["endpoints"]) == (
        "IPv4",
        [{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}],
    )


async def test_another_port_after_a_restart_is_published_and_the_same_one_writes_nothing(talk: Any) -> None:
    talk.api.publish("127.0.0.1", 6443)
    before = talk.api.storage.revision
    talk.api.publish("127.0.0.1", 6443)
    assert talk.api.storage.revision == before
    talk.api.publish("::1", 6444)
    _, found = await talk.ask("GET", SLICE)
    assert (found["addressType"], found["ports"][0]["port"]) == ("IPv6", 6444)
    _, service = await talk.ask("GET", SERVICE)
    assert service["spec"]["ports"][0]["targetPort"] == 6444


async def test_a_server_whose_cluster_address_is_taken_starts_and_says_so(talk: Any, caplog: Any) -> None:
    spec = {"clusterIP": "10.0.0.1", "ports": [{"port": 80}]}
    await talk.make("thief", "/api/v1/namespaces/default/services", spec=spec)
    talk.api.publish("127.0.0.1", 6443)
    assert "cannot create services default/kubernetes" in caplog.text
    assert (await talk.ask("GET", ENDPOINTS))[0] == 200


async def test_no_client_sends_traffic_to_a_loopback_address_but_may_label_the_servers_own(talk: Any) -> None:
    talk.api.publish("127.0.0.1", 6443)
    subsets = [{"addresses": [{"ip": "127.0.0.1"}], "ports": [{"port": 80}]}]
    body = {"metadata": {"name": "local"}, "subsets": subsets}
    status, refused = await talk.ask("POST", "/api/v1/namespaces/default/endpoints", body)
    assert (status, refused["details"]["causes"][0]["field"]) == (422, "subsets[0].addresses[0].ip")
    assert (await talk.merge(ENDPOINTS, {"metadata": {"labels": {"a": "b"}}}))[0] == 200
    assert (await talk.merge(ENDPOINTS, {"subsets": subsets}))[0] == 422
    assert (await talk.merge(SLICE, {"metadata": {"labels": {"a": "b"}}}))[0] == 200
    assert (await talk.merge(SLICE, {"endpoints": [{"addresses": ["127.0.0.2"]}]}))[0] == 422


async def test_users_find_the_roles_of_every_cluster(talk: Any) -> None:
    _, roles = await talk.ask("GET", ROLES)
    by_name = {role["metadata"]["name"]: role for role in roles["items"]}
    selectors = by_name["admin"]["aggregationRule"]["clusterRoleSelectors"]
    assert selectors == [{"matchLabels": {"rbac.authorization.k8s.io/aggregate-to-admin": "true"}}]
    assert by_name["edit"]["metadata"]["labels"]["rbac.authorization.k8s.io/aggregate-to-admin"] == "true"
    for name in ("admin", "edit", "view"):
        rules = by_name[f"system:aggregate-to-{name}"]["rules"]
        assert all(rule in by_name[name]["rules"] for rule in rules)
    assert all(rule in by_name["admin"]["rules"] for rule in by_name["view"]["rules"])


def allowed(role: str) -> Any:
    api = ApiServer(TokenAuthenticator({}), rbac=True, rng=random.Random(1))
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "b", "namespace": "default"},
        "roleRef": reference,
        "subjects": [{"kind": "User", "name": "ann", "apiGroup": "rbac.authorization.k8s.io"}],
    }
    api._bootstrap.create("rbac.authorization.k8s.io", "rolebindings", binding)

    def may(verb: str, group: str, resource: str, namespace: str = "default", sub: str = "") -> bool:
        return RbacAuthorizer(api.storage).allowed(User("ann"), Attributes(verb, group, resource, sub, namespace))

    return may


def test_who_views_reads_everything_but_secrets() -> None:
    may = allowed("view")
    assert may("list", "", "pods")
    assert may("get", "apps", "deployments", sub="scale")
    assert not may("get", "", "secrets")
    assert not may("create", "", "pods")
    assert not may("list", "", "pods", namespace="other")


def test_who_edits_writes_but_grants_nothing_and_who_administers_grants() -> None:
    may = allowed("edit")
    assert may("get", "", "secrets")
    assert may("create", "", "pods", sub="eviction")
    assert may("list", "", "pods")
    assert not may("create", "rbac.authorization.k8s.io", "roles")
    assert not may("update", "", "resourcequotas")
    may = allowed("admin")
    assert may("create", "rbac.authorization.k8s.io", "rolebindings")
    assert may("delete", "apps", "deployments")
    assert may("watch", "", "configmaps")
