"""`zestor rbac`: the rules that an operator needs, and which of them a cluster grants."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from zestor_controller import EmbeddedCluster

from .conftest import Command

OPERATOR = """
from zestor_controller import Controller, Manager

RULES = [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]}]
pods = Controller("v1/Pod", name="pods", rules=RULES).owns("v1/ConfigMap")

@pods.reconciler
async def reconcile(pod, ctx): ...

manager = Manager(pods)
"""
RBAC = "rbac.authorization.k8s.io/v1"


@pytest.fixture
def target(tmp_path: Path) -> str:
    path = tmp_path / "operator_of_pods.py"
    path.write_text(OPERATOR)
    return str(path)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedCluster]:
    """A cluster that checks rights, and a user without any."""
    tokens = tmp_path_factory.mktemp("rbac") / "tokens"
    tokens.write_text("weak-token,weak,1\n")
    with EmbeddedCluster(rbac=True, controllers="none", token_file=tokens) as cluster:
        yield cluster


def kubeconfig(cluster: EmbeddedCluster, folder: Path) -> str:
    """A kubeconfig with the administrator's context and one of the user `weak`."""
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    name = config["clusters"][0]["name"]
    config["users"].append({"name": "weak", "user": {"token": "weak-token"}})
    config["contexts"].append({"name": "weak", "context": {"cluster": name, "user": "weak"}})
    path = folder / "config"
    path.write_text(yaml.safe_dump(config))
    return str(path)


def test_the_rules_are_a_cluster_role_and_a_role_for_the_lease(command: Command, target: str) -> None:
    done = command("rbac", "generate", target)

    assert (done.code, done.err) == (0, "")
    role, lease = yaml.safe_load_all(done.out)
    assert (role["kind"], role["apiVersion"], role["metadata"]) == ("ClusterRole", RBAC, {"name": "pod-operator"})
    assert (lease["kind"], lease["metadata"]) == ("Role", {"name": "pod-operator-leader-election"})
    verbs = {resource: set(rule["verbs"]) for rule in role["rules"] for resource in rule["resources"]}
    assert verbs["nodes"] == {"list"}
    assert {"get", "list", "watch"} <= verbs["pods"]
    assert {"create", "patch", "watch"} <= verbs["configmaps"]
    assert [rule["resources"] for rule in lease["rules"]] == [["leases"]]


def test_the_rules_in_json_are_one_document(command: Command, target: str) -> None:
    printed = list(yaml.safe_load_all(command("rbac", "generate", target).out))

    done = command("rbac", "generate", target, "--output", "json")

    assert json.loads(done.out) == printed
    assert len(done.out.splitlines()) == 1


def test_an_administrator_has_every_right(
    command: Command, target: str, cluster: EmbeddedCluster, tmp_path: Path
) -> None:
    path = kubeconfig(cluster, tmp_path)

    done = command("rbac", "verify", target, "--kubeconfig", path)
    assert (done.code, done.out) == (0, "")
    assert target in done.err
    done = command("rbac", "verify", target, "--kubeconfig", path, "--output", "json")
    assert (done.code, json.loads(done.out)) == (0, {"missing": []})


def test_the_context_decides_whose_rights_are_checked(
    command: Command, target: str, cluster: EmbeddedCluster, tmp_path: Path
) -> None:
    path = kubeconfig(cluster, tmp_path)

    done = command("rbac", "verify", target, "--kubeconfig", path, "--context", "weak")

    assert (done.code, done.out) == (1, "")
    for resource in ("pods", "configmaps", "nodes"):
        assert resource in done.err


def test_an_unknown_context_is_exit_2(command: Command, target: str, cluster: EmbeddedCluster, tmp_path: Path) -> None:
    done = command("rbac", "verify", target, "--kubeconfig", kubeconfig(cluster, tmp_path), "--context", "nowhere")

    assert done.code == 2
    assert "nowhere" in done.err


def test_a_user_is_checked_by_name_and_the_rights_it_has_are_not_missing(
    command: Command, target: str, cluster: EmbeddedCluster, tmp_path: Path
) -> None:
    path = kubeconfig(cluster, tmp_path)
    role, _ = json.loads(command("rbac", "generate", target, "--output", "json").out)
    rules: list[dict[str, Any]] = [rule for rule in role["rules"] if "nodes" not in rule["resources"]]
    account = {"kind": "ServiceAccount", "name": "operator", "namespace": "default"}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "granted"}
    create = cluster.client.create
    create(f"{RBAC}/ClusterRole", {"metadata": {"name": "granted"}, "rules": rules})
    create(f"{RBAC}/ClusterRoleBinding", {"metadata": {"name": "granted"}, "roleRef": reference, "subjects": [account]})
    user = "system:serviceaccount:default:operator"

    done = command("rbac", "verify", target, "--kubeconfig", path, "--as", user, "--output", "json")

    missing = json.loads(done.out)["missing"]
    assert done.code == 1
    assert [right for right in missing if "nodes" not in right] == []
    assert len(missing) == 1
    assert user in done.err


def test_rights_in_one_namespace_are_enough_for_that_namespace_only(
    command: Command, target: str, cluster: EmbeddedCluster, tmp_path: Path
) -> None:
    path = kubeconfig(cluster, tmp_path)
    role, _ = json.loads(command("rbac", "generate", target, "--output", "json").out)
    create = cluster.client.create
    subject = {"kind": "User", "name": "local", "apiGroup": "rbac.authorization.k8s.io"}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "local"}
    create(f"{RBAC}/Role", {"metadata": {"name": "local"}, "rules": role["rules"]}, namespace="default")
    binding = {"metadata": {"name": "local"}, "roleRef": reference, "subjects": [subject]}
    create(f"{RBAC}/RoleBinding", binding, namespace="default")

    def missing(*options: str) -> set[str]:
        done = command("rbac", "verify", target, "--kubeconfig", path, "--as", "local", "--output", "json", *options)
        return {word for right in json.loads(done.out)["missing"] for word in right.replace(",", " ").split()}

    everywhere, in_default, elsewhere = (
        missing(),
        missing("--namespace", "default"),
        missing("--namespace", "kube-system"),
    )
    assert "pods" in everywhere
    assert "pods" in elsewhere
    assert "pods" not in in_default


def test_a_module_of_models_has_no_rights_to_print(command: Command, tmp_path: Path) -> None:
    text = (
        "from zestor_controller import *\nclass A(CustomResource[Spec, Status], group='r.example.org', version='v1', "
    )
    (tmp_path / "only_models.py").write_text(text + "plural='as'):\n    'a'\n")

    done = command("rbac", "generate", str(tmp_path / "only_models.py"))

    assert done.code == 2
    assert "only_models.py" in done.err
    assert "Controller" in done.err
