"""The privilege escalation check: roles, bindings, `escalate`, `bind`, aggregation."""

from __future__ import annotations

from typing import Any

import pytest

from zestor_controller import Client
from zestor_controller.apiserver import ApiServer
from zestor_controller.apiserver.auth.authentication import ADMINISTRATOR, AUTHENTICATED, TokenAuthenticator
from zestor_controller.apiserver.rest.user import User
from zestor_controller.client import MemoryTransport
from zestor_controller.errors import Forbidden, NotFound
from zestor_controller.objects import MergePatch

GROUP = "rbac.authorization.k8s.io"
ROLE, BINDING = f"{GROUP}/v1/Role", f"{GROUP}/v1/RoleBinding"
HELD = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}
MANAGE = {"apiGroups": [GROUP], "resources": ["roles", "rolebindings"], "verbs": ["create", "patch", "get"]}


def rules(*wanted: dict[str, Any]) -> dict[str, Any]:
    return {"rules": list(wanted)}


def binding(name: str, role: str, kind: str = "Role") -> dict[str, Any]:
    subject = {"kind": "User", "apiGroup": GROUP, "name": "bob"}
    reference = {"apiGroup": GROUP, "kind": kind, "name": role}
    return {"metadata": {"name": name}, "roleRef": reference, "subjects": [subject]}


@pytest.fixture
async def clients() -> tuple[Client, Client]:
    """An administrator, and bob, who may manage roles and read ConfigMaps."""
    bob = User("bob", groups=("devs", AUTHENTICATED))
    api = ApiServer(TokenAuthenticator({"a": ADMINISTRATOR, "b": bob}), rbac=True)
    admin, weak = (Client(MemoryTransport(api, {"Authorization": f"Bearer {token}"})) for token in "ab")
    await admin.create(ROLE, {"metadata": {"name": "own"}, **rules(HELD, MANAGE)}, namespace="default")
    await admin.create(BINDING, binding("own", "own"), namespace="default")
    return admin, weak


async def test_a_role_with_more_rights_than_its_writer_has_is_refused_and_they_are_named(
    clients: tuple[Client, Client],
) -> None:
    _, bob = clients
    secrets = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list"]}
    with pytest.raises(Forbidden) as caught:
        await bob.create(ROLE, {"metadata": {"name": "more"}, **rules(HELD, secrets)}, namespace="default")
    told = (
        'user "bob" (groups=["devs" "system:authenticated"]) is attempting to grant RBAC permissions not currently held'
    )
    assert told in str(caught.value)
    assert '{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list"]}' in str(caught.value)
    narrower = {**HELD, "resourceNames": ["mine"], "verbs": ["get"]}
    await bob.create(ROLE, {"metadata": {"name": "less"}, **rules(narrower)}, namespace="default")
    with pytest.raises(Forbidden, match="secrets"):
        await bob.patch(ROLE, "less", MergePatch(rules(secrets)), namespace="default")
    await bob.patch(ROLE, "less", MergePatch({"metadata": {"labels": {"a": "b"}}}), namespace="default")


async def test_a_binding_to_a_role_with_more_rights_is_refused_unless_its_writer_may_bind(
    clients: tuple[Client, Client],
) -> None:
    admin, bob = clients
    with pytest.raises(Forbidden) as caught:
        await bob.create(BINDING, binding("top", "cluster-admin", "ClusterRole"), namespace="default")
    assert '{NonResourceURLs:["*"], Verbs:["*"]}' in str(caught.value)
    with pytest.raises(NotFound):
        await bob.create(BINDING, binding("none", "missing"), namespace="default")
    may = {"apiGroups": [GROUP], "resources": ["clusterroles"], "verbs": ["bind"], "resourceNames": ["cluster-admin"]}
    await admin.patch(ROLE, "own", MergePatch(rules(HELD, MANAGE, may)), namespace="default")
    await bob.create(BINDING, binding("top", "cluster-admin", "ClusterRole"), namespace="default")


async def test_who_may_escalate_may_grant_anything(clients: tuple[Client, Client]) -> None:
    admin, bob = clients
    may = {"apiGroups": [GROUP], "resources": ["roles"], "verbs": ["escalate"]}
    await admin.patch(ROLE, "own", MergePatch(rules(HELD, MANAGE, may)), namespace="default")
    everything = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    await bob.create(ROLE, {"metadata": {"name": "all"}, **rules(everything)}, namespace="default")


async def test_the_right_to_escalate_certain_roles_does_not_cover_a_new_one(clients: tuple[Client, Client]) -> None:
    """A create is authorized without a name, as by the server itself."""
    admin, bob = clients
    escalate = {"apiGroups": [GROUP], "resources": ["roles"], "verbs": ["escalate"], "resourceNames": ["more"]}
    await admin.patch(ROLE, "own", MergePatch(rules(HELD, MANAGE, escalate)), namespace="default")
    secrets = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}

    with pytest.raises(Forbidden):
        await bob.create(ROLE, {"metadata": {"name": "more"}, **rules(secrets)}, namespace="default")
    await bob.create(ROLE, {"metadata": {"name": "more"}, **rules(HELD)}, namespace="default")
    await bob.patch(ROLE, "more", MergePatch(rules(secrets)), namespace="default")


async def test_labels_of_a_role_with_more_rights_are_not_changed_for_they_can_aggregate_it(
    clients: tuple[Client, Client],
) -> None:
    admin, bob = clients
    secrets = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}
    await admin.create(ROLE, {"metadata": {"name": "more"}, **rules(secrets)}, namespace="default")

    with pytest.raises(Forbidden, match="secrets"):
        await bob.patch(ROLE, "more", MergePatch({"metadata": {"labels": {"a": "b"}}}), namespace="default")
    collected = {"metadata": {"finalizers": ["example.org/a"]}}
    await bob.patch(ROLE, "more", MergePatch(collected), namespace="default")


async def test_a_role_that_aggregates_others_is_written_by_one_who_holds_everything(
    clients: tuple[Client, Client],
) -> None:
    admin, bob = clients
    cluster_role, cluster_binding = f"{GROUP}/v1/ClusterRole", f"{GROUP}/v1/ClusterRoleBinding"
    manage = {"apiGroups": [GROUP], "resources": ["clusterroles"], "verbs": ["create", "patch"]}
    await admin.create(cluster_role, {"metadata": {"name": "own"}, **rules(manage)})
    await admin.create(cluster_binding, binding("own", "own", "ClusterRole"))
    everything = {"aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}}

    with pytest.raises(Forbidden, match="must have cluster-admin privileges to use the aggregationRule"):
        await bob.create(cluster_role, {"metadata": {"name": "all"}, "rules": [], **everything})
    await admin.create(cluster_role, {"metadata": {"name": "all"}, "rules": [], **everything})
    with pytest.raises(Forbidden, match="aggregationRule"):
        await bob.patch(cluster_role, "all", MergePatch({"aggregationRule": None}))


async def test_all_scales_cover_the_scale_of_one_kind(clients: tuple[Client, Client]) -> None:
    admin, bob = clients
    scales = {"apiGroups": ["apps"], "resources": ["*/scale"], "verbs": ["get"]}
    await admin.patch(ROLE, "own", MergePatch(rules(HELD, MANAGE, scales)), namespace="default")
    one = {"apiGroups": ["apps"], "resources": ["deployments/scale"], "verbs": ["get"]}

    await bob.create(ROLE, {"metadata": {"name": "scaler"}, **rules(one)}, namespace="default")
    wider = {**one, "resources": ["deployments"]}
    with pytest.raises(Forbidden):
        await bob.create(ROLE, {"metadata": {"name": "wider"}, **rules(wider)}, namespace="default")
