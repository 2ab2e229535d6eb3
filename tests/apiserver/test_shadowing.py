"""A custom resource, whatever it is called, touches no built-in object (A6)."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from zestor_controller.apiserver.auth.authorization import RbacAuthorizer

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
RBAC = "rbac.authorization.k8s.io"


async def define(talk: Any, group: str, plural: str, kind: str, *versions: str, scope: str = "Namespaced") -> None:
    """Create a definition named as a built-in kind, and wait until it is established."""
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    served = [
        {"name": version, "served": True, "storage": version == versions[0], "schema": schema} for version in versions
    ]
    approval = {"api-approved.kubernetes.io": "unapproved, a test"}
    names = {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"}
    spec = {"group": group, "scope": scope, "names": names, "versions": served}
    body = {"metadata": {"name": f"{plural}.{group}", "annotations": approval}, "spec": spec}
    status, answer = await talk.ask("POST", CRDS, body)
    assert status == 201, answer
    await asyncio.sleep(0)
    _, crd = await talk.ask("GET", f"{CRDS}/{plural}.{group}")
    assert {"Established", "NamesAccepted"} <= {c["type"] for c in crd["status"]["conditions"] if c["status"] == "True"}


async def remove(talk: Any, group: str, plural: str) -> None:
    assert (await talk.ask("DELETE", f"{CRDS}/{plural}.{group}"))[0] == 200
    await asyncio.sleep(0)
    assert (await talk.ask("GET", f"{CRDS}/{plural}.{group}"))[0] == 404


def names(listed: dict[str, Any]) -> list[str]:
    return [item["metadata"]["name"] for item in listed["items"]]


@pytest.mark.parametrize(
    ("group", "plural", "kind", "scope", "body"),
    [
        ("coordination.k8s.io", "leases", "Lease", "Namespaced", {"spec": {}}),
        (RBAC, "roles", "Role", "Namespaced", {"rules": []}),
        (RBAC, "clusterroles", "ClusterRole", "Cluster", {"rules": []}),
        ("events.k8s.io", "events", "Event", "Namespaced", None),
        ("networking.k8s.io", "networkpolicies", "NetworkPolicy", "Namespaced", {"spec": {"podSelector": {}}}),
        ("apiextensions.k8s.io", "customresourcedefinitions", "CustomResourceDefinition", "Cluster", None),
    ],
)
async def test_a6_a_version_beside_a_built_in_kind_has_objects_of_its_own(
    group: str, plural: str, kind: str, scope: str, body: dict[str, Any] | None, talk: Any
) -> None:
    where = "" if scope == "Cluster" else "/namespaces/default"
    built_in, custom = (f"/apis/{group}/{version}{where}/{plural}" for version in ("v1", "v9"))
    if body is not None:
        await talk.make("built-in", built_in, **body)
    await define(talk, group, plural, kind, "v9", scope=scope)
    before = names((await talk.ask("GET", built_in))[1])
    watch = await talk.watch(f"{built_in}?watch=1&resourceVersion={talk.api.storage.revision}")

    assert names((await talk.ask("GET", custom))[1]) == []
    custom_body = {"apiVersion": f"{group}/v9", "kind": kind, "metadata": {"name": "mine"}}
    status, made = await talk.ask("POST", custom, custom_body)
    assert status == 201, made
    assert names((await talk.ask("GET", custom))[1]) == ["mine"]
    assert names((await talk.ask("GET", built_in))[1]) == before
    if body is not None:
        status, _ = await talk.ask("POST", custom, {**custom_body, "metadata": {"name": "built-in"}})
        assert status == 201
        assert (await talk.ask("DELETE", f"{custom}/built-in"))[0] == 200
        assert names((await talk.ask("GET", built_in))[1]) == before
    if plural != "customresourcedefinitions":
        assert (await talk.ask("DELETE", f"{custom}/mine"))[0] == 200
    await remove(talk, group, plural)
    after = names((await talk.ask("GET", built_in))[1])
    assert set(before) - set(after) <= {f"{plural}.{group}"}
    assert (await talk.ask("GET", custom))[0] == 404
    if body is not None:
        await talk.make("later", built_in, **body)
        assert await watch.told(1) == [("ADDED", "later")]
    await watch.close()


@pytest.mark.parametrize(
    ("group", "plural", "kind"),
    [
        ("coordination.k8s.io", "leases", "Lease"),
        (RBAC, "rolebindings", "RoleBinding"),
        (RBAC, "widgets", "Widget"),
        ("authorization.k8s.io", "selfsubjectaccessreviews", "SelfSubjectAccessReview"),
    ],
)
async def test_a_version_that_is_built_in_is_served_as_it_is_and_the_definition_is_named_in_the_log(
    group: str, plural: str, kind: str, talk: Any, caplog: pytest.LogCaptureFixture
) -> None:
    _, before = await talk.ask("GET", f"/apis/{group}/v1")
    with caplog.at_level(logging.WARNING):
        await define(talk, group, plural, kind, "v1", "v9")

    assert (await talk.ask("GET", f"/apis/{group}/v1"))[1] == before
    assert f"{plural}.{group}: version v1 is not served: {group}/v1 is an API of the server's own" in caplog.text
    assert names((await talk.ask("GET", f"/apis/{group}/v9/namespaces/default/{plural}"))[1]) == []
    _, described = await talk.ask("GET", f"/apis/{group}")
    assert described["preferredVersion"]["version"] == "v1"
    await remove(talk, group, plural)
    assert (await talk.ask("GET", f"/apis/{group}/v1"))[1] == before
    if plural in ("leases", "rolebindings"):
        assert (await talk.ask("GET", f"/apis/{group}/v1/namespaces/default/{plural}"))[0] == 200


async def test_a6_custom_roles_grant_nothing(talk: Any) -> None:
    await define(talk, RBAC, "clusterroles", "ClusterRole", "v9", scope="Cluster")
    everything = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
    body = {"apiVersion": f"{RBAC}/v9", "kind": "ClusterRole", "metadata": {"name": "shadow"}, "rules": everything}
    assert (await talk.ask("POST", f"/apis/{RBAC}/v9/clusterroles", body))[0] == 201

    assert RbacAuthorizer(talk.api.storage).role_rules({"kind": "ClusterRole", "name": "shadow"}, "") is None
