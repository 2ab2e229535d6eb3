"""Namespaces, ServiceAccounts, certificates, aggregated roles and disruption budgets, each alone on a server.

Source: pkg/controller/{namespace,serviceaccount,certificates,clusterroleaggregation,disruption}.
"""

from __future__ import annotations

from typing import Any

import pytest

from zestor_controller.cluster.simulation.clusterrole import aggregated_roles
from zestor_controller.cluster.simulation.namespace import namespaces
from zestor_controller.cluster.simulation.poddisruptionbudget import disruption_budgets
from zestor_controller.cluster.simulation.rootcertificate import root_certificates
from zestor_controller.cluster.simulation.serviceaccount import service_accounts
from zestor_controller.errors import NotFound
from zestor_controller.objects import MergePatch

POD, BUDGET = "v1/Pod", "policy/v1/PodDisruptionBudget"
NAMESPACE, CONFIG_MAP, CLUSTER_ROLE = "v1/Namespace", "v1/ConfigMap", "rbac.authorization.k8s.io/v1/ClusterRole"
LABELS = {"a": "b"}


# Namespaces


async def test_a_namespace_has_a_default_service_account_and_gets_it_back(simulation: Any) -> None:
    async with simulation(service_accounts()) as cluster:
        (first,) = await cluster.until("v1/ServiceAccount", lambda found: found)
        assert first.metadata.name == "default"
        await cluster.client.delete("v1/ServiceAccount", "default", namespace="default")
        await cluster.until("v1/ServiceAccount", lambda found: found and found[0].metadata.uid != first.metadata.uid)


async def test_a_namespace_has_the_certificate_and_a_change_of_it_is_reverted(simulation: Any) -> None:
    async with simulation(root_certificates("PEM")) as cluster:
        (found,) = await cluster.until(CONFIG_MAP, lambda found: found)
        assert (found.metadata.name, found["data"]) == ("kube-root-ca.crt", {"ca.crt": "PEM"})
        assert "kubernetes.io/description" in found.metadata.annotations
        await cluster.patch(CONFIG_MAP, "kube-root-ca.crt", {"data": {"ca.crt": "other", "more": "x"}})
        await cluster.until(CONFIG_MAP, lambda found: found[0]["data"] == {"ca.crt": "PEM"})


async def test_a_terminating_namespace_is_emptied_and_then_removed(simulation: Any) -> None:
    async with simulation(namespaces()) as cluster:
        await cluster.client.create(NAMESPACE, {"metadata": {"name": "n"}})
        body = {"metadata": {"name": "c", "finalizers": ["example.com/f"]}}
        await cluster.client.create(CONFIG_MAP, body, namespace="n")
        await cluster.client.create("v1/Secret", {"metadata": {"name": "s"}}, namespace="n")
        await cluster.client.delete(NAMESPACE, "n")
        held = await until_terminating(cluster, "c")
        assert held.metadata.finalizers == ["example.com/f"]
        assert (await cluster.client.get(NAMESPACE, "n"))["status"]["phase"] == "Terminating"
        await cluster.client.patch(CONFIG_MAP, "c", MergePatch({"metadata": {"finalizers": None}}), namespace="n")
        await cluster.until_deleted(NAMESPACE, "n")
        with pytest.raises(NotFound):
            await cluster.client.get("v1/Secret", "s", namespace="n")


async def until_terminating(cluster: Any, name: str) -> Any:
    async def terminating() -> Any:
        found = await cluster.client.get(CONFIG_MAP, name, namespace="n")
        return found if found.metadata.deletion_timestamp is not None else None

    return await cluster.eventually(terminating)


# Roles


async def test_rules_of_a_labelled_role_reach_the_role_that_selects_it(simulation: Any) -> None:
    rule = {"apiGroups": ["example.com"], "resources": ["tests"], "verbs": ["get"]}
    selector = {"clusterRoleSelectors": [{"matchLabels": {"into": "all"}}]}
    async with simulation(aggregated_roles()) as cluster:
        await cluster.client.create(
            CLUSTER_ROLE, {"metadata": {"name": "all"}, "rules": [], "aggregationRule": selector}
        )
        part = {"metadata": {"name": "part", "labels": {"into": "all"}}, "rules": [rule]}
        await cluster.client.create(CLUSTER_ROLE, part)

        async def rules(expected: list[Any]) -> bool:
            return ((await cluster.client.get(CLUSTER_ROLE, "all")).get("rules") or []) == expected

        await cluster.eventually(lambda: rules([rule]))
        await cluster.client.delete(CLUSTER_ROLE, "part")
        await cluster.eventually(lambda: rules([]))


# Disruption budgets


async def pods(cluster: Any, *ready: bool, owner: Any = None) -> None:
    for number, is_ready in enumerate(ready):
        metadata = {"labels": LABELS, **({"ownerReferences": [owner]} if owner else {})}
        await cluster.create(POD, f"p{number}", metadata=metadata, spec={"containers": [{"name": "c", "image": "i"}]})
        if is_ready:
            await cluster.ready(f"p{number}")


@pytest.mark.parametrize(
    ("bound", "expected"),
    [
        ({"minAvailable": 1}, {"currentHealthy": 2, "desiredHealthy": 1, "expectedPods": 3, "disruptionsAllowed": 1}),
        (
            {"minAvailable": "50%"},
            {"currentHealthy": 2, "desiredHealthy": 2, "expectedPods": 3, "disruptionsAllowed": 0},
        ),
        ({"maxUnavailable": 1}, {"currentHealthy": 2, "desiredHealthy": 2, "expectedPods": 3, "disruptionsAllowed": 0}),
        (
            {"maxUnavailable": "67%"},
            {"currentHealthy": 2, "desiredHealthy": 0, "expectedPods": 3, "disruptionsAllowed": 2},
        ),
    ],
)
async def test_a_budget_counts_healthy_pods_against_its_bound(simulation: Any, bound: Any, expected: Any) -> None:
    async with simulation(disruption_budgets()) as cluster:
        await pods(cluster, True, True, False)
        await cluster.create(BUDGET, spec={"selector": {"matchLabels": LABELS}, **bound})

        def counts(budget: Any) -> Any:
            return {name: (budget.get("status") or {}).get(name) for name in expected}

        (budget,) = await cluster.until(BUDGET, lambda found: counts(found[0]) == expected and found)
        (condition,) = budget["status"]["conditions"]
        allowed = expected["disruptionsAllowed"] > 0
        assert (condition["type"], condition["status"], condition["reason"]) == (
            "DisruptionAllowed",
            "True" if allowed else "False",
            "SufficientPods" if allowed else "InsufficientPods",
        )


async def test_pods_of_a_replica_set_are_expected_as_its_replicas(simulation: Any) -> None:
    template = {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"replicas": 5, "selector": {"matchLabels": LABELS}, "template": template}
    async with simulation(disruption_budgets()) as cluster:
        owner = await cluster.create("apps/v1/ReplicaSet", "r", spec=spec)
        reference = {
            "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": owner.metadata.uid, "controller": True,
        }  # fmt: skip
        await pods(cluster, True, True, owner=reference)
        await cluster.create(BUDGET, spec={"selector": {"matchLabels": LABELS}, "maxUnavailable": 3})
        (budget,) = await cluster.until(
            BUDGET, lambda found: (found[0].get("status") or {}).get("expectedPods") == 5 and found
        )
        assert (budget["status"]["desiredHealthy"], budget["status"]["disruptionsAllowed"]) == (2, 0)


async def test_a_budget_without_a_selector_guards_nothing(simulation: Any) -> None:
    async with simulation(disruption_budgets()) as cluster:
        await pods(cluster, True)
        await cluster.create(BUDGET, spec={"minAvailable": 0})
        (budget,) = await cluster.until(
            BUDGET, lambda found: "expectedPods" in (found[0].get("status") or {}) and found
        )
        assert (budget["status"]["expectedPods"], budget["status"]["disruptionsAllowed"]) == (0, 0)
