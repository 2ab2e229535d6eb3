"""With any one rule removed the operator says which right is missing, and everything else goes on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from helming import CHART, EXAMPLE, run_helm_in
from test_chart_process import ACCOUNT, as_account

from zestor_controller import Client, Context, Controller, EmbeddedCluster, LeaderElection, Manager, Unstructured
from zestor_controller.chart import render
from zestor_controller.cli.target import load_target
from zestor_controller.manager import rules_for

CLUSTER_ROLE = "rbac.authorization.k8s.io/v1/ClusterRole"
ROLE = "rbac.authorization.k8s.io/v1/Role"
LEASE = f"{ACCOUNT}-leader"

pytestmark = [pytest.mark.xdist_group("charts"), pytest.mark.timeout(180)]


def operator() -> tuple[Manager, list[str]]:
    """The example's operator with a second controller, and what that one has seen."""
    loaded = load_target(str(EXAMPLE)).manager
    assert loaded is not None
    accounts = Controller("v1/ServiceAccount", name="accounts")
    seen: list[str] = []

    @accounts.reconciler
    async def reconcile(obj: Unstructured, ctx: Context) -> None:
        seen.append(str(obj.metadata.name))

    return Manager(*loaded.controllers, accounts, health_port=0, leader_election=LeaderElection(LEASE)), seen


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedCluster]:
    """A cluster with a chart of that operator installed, and one website."""
    folder = tmp_path_factory.mktemp("rights")
    for path, text in render(operator()[0]).items():
        (folder / "chart" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "chart" / path).write_text(text)
    with EmbeddedCluster(rbac=True) as cluster:
        run_helm_in(folder, "4", "install", "web", str(folder / "chart"), kubeconfig=cluster.kubeconfig)
        cluster.client.wait_for(
            "apiextensions.k8s.io/v1/CustomResourceDefinition", "websites.demo.zestor.dev", "Established"
        )
        cluster.client.create(yaml.safe_load((EXAMPLE / "manifests" / "website.yaml").read_text()), namespace="default")
        yield cluster


@asynccontextmanager
async def serving(manager: Manager, kubeconfig: Path) -> Any:
    stop = asyncio.Event()
    async with Client.connect(kubeconfig=kubeconfig, gate=manager.gate) as client:
        task = asyncio.create_task(manager.serve(stop, client=client))
        try:
            yield
        finally:
            stop.set()
            await task


async def page_that_says(manager: Manager, expected: str) -> str:
    """/readyz?verbose, once it says this."""
    async with asyncio.timeout(30), aiohttp.ClientSession() as session:
        while True:
            if "health" in manager.ports:
                url = f"http://127.0.0.1:{manager.ports['health']}/readyz?verbose"
                async with session.get(url) as response:
                    text = await response.text()
                    if expected in text:
                        return text
            await asyncio.sleep(0.05)  # a page notifies no client that it has changed


def right_of(rule: dict[str, Any]) -> str:
    """How the page names the first right of a rule."""
    group = rule["apiGroups"][0]
    return f"{rule['verbs'][0]} {rule['resources'][0]}" + (f".{group}" if group else "")


RULES = [rule.document() for rule in rules_for(operator()[0].controllers).namespaced]


@pytest.mark.parametrize("missing", RULES, ids=right_of)
async def test_a_missing_rule_is_named_in_the_page_and_in_the_log(
    missing: dict[str, Any], cluster: EmbeddedCluster, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    name = f"{ACCOUNT}-manager"
    role = await asyncio.to_thread(cluster.client.get, CLUSTER_ROLE, name)
    rules = [rule for rule in role["rules"] if rule != missing]
    assert len(rules) == len(role["rules"]) - 1
    await asyncio.to_thread(cluster.client.apply, {**_plain(role), "rules": rules})
    manager, seen = operator()
    with caplog.at_level(logging.WARNING):
        async with serving(manager, as_account(cluster, tmp_path)):
            page = await page_that_says(manager, right_of(missing))
            resource = missing["resources"][0].partition("/")[0]
            if resource == "serviceaccounts":  # the other controller goes on
                page = await page_that_says(manager, "[+]controller/websites.demo.zestor.dev: ")
            else:
                page = await page_that_says(manager, "[+]controller/accounts: ")
                assert seen
    assert right_of(missing) in caplog.text
    assert "[+]leader-election: leads" in page
    await asyncio.to_thread(cluster.client.apply, {**_plain(role), "rules": role["rules"]})


async def test_a_write_that_is_refused_is_reported_by_its_controller_until_the_right_is_there(
    cluster: EmbeddedCluster, tmp_path: Path
) -> None:
    name = f"{ACCOUNT}-manager"
    role = await asyncio.to_thread(cluster.client.get, CLUSTER_ROLE, name)
    rules = [dict(rule) for rule in role["rules"]]
    for rule in rules:
        if "deployments" in rule["resources"]:
            rule["verbs"] = [verb for verb in rule["verbs"] if verb != "patch"]
    await asyncio.to_thread(cluster.client.apply, {**_plain(role), "rules": rules})
    manager, _ = operator()
    async with serving(manager, as_account(cluster, tmp_path)):
        page = await page_that_says(manager, "[-]controller/websites.demo.zestor.dev: missing right: ")
        assert 'cannot patch resource "deployments" in API group "apps"' in page
        assert "[+]controller/accounts: " in page
        await asyncio.to_thread(cluster.client.apply, {**_plain(role), "rules": role["rules"]})
        page = await page_that_says(manager, "[+]controller/websites.demo.zestor.dev: ")


async def test_a_missing_right_on_the_lease_is_named(cluster: EmbeddedCluster, tmp_path: Path) -> None:
    name = f"{ACCOUNT}-leader-election"
    role = await asyncio.to_thread(cluster.client.get, ROLE, name, namespace="default")
    for missing in range(2):
        lease = "coordination.k8s.io/v1/Lease"
        await asyncio.to_thread(cluster.client.delete, lease, LEASE, namespace="default", missing_ok=True)
        rules = [rule for n, rule in enumerate(role["rules"]) if n != missing]
        await asyncio.to_thread(cluster.client.apply, {**_plain(role), "rules": rules}, namespace="default")
        manager, _ = operator()
        async with serving(manager, as_account(cluster, tmp_path)):
            page = await page_that_says(manager, "[-]leader-election: missing right: ")
            assert "grant get, create and update on leases.coordination.k8s.io" in page
            await page_that_says(manager, "[+]informer/websites.demo.zestor.dev: live")
    await asyncio.to_thread(cluster.client.apply, {**_plain(role), "rules": role["rules"]}, namespace="default")


def _plain(role: Unstructured) -> dict[str, Any]:
    """What of a role is applied again."""
    return {"apiVersion": role["apiVersion"], "kind": role["kind"], "metadata": {"name": role.metadata.name}}


def test_the_rules_here_are_those_of_the_chart(cluster: EmbeddedCluster) -> None:
    assert cluster.client.get(CLUSTER_ROLE, f"{ACCOUNT}-manager")["rules"] == RULES
    assert (CHART / "templates" / "rbac" / "manager.yaml").exists()
