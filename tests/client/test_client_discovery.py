"""Discovery: two requests where the server aggregates, one for each group where it does not."""

from __future__ import annotations

from typing import Any

from scripted import Script, failure, ok

from zestor_controller.client import Client, MemoryTransport, ServedResource
from zestor_controller.http import HttpRequest, HttpResponse

PODS = ServedResource("v1", "Pod", "pods", True, ("get", "list"))
DEPLOYMENTS = ServedResource("apps/v1", "Deployment", "deployments", True, ("get",))


def aggregated(group: str, *versions: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": group} if group else {}, "versions": list(versions)}


def version(name: str, kind: str, plural: str, verbs: list[str], **more: Any) -> dict[str, Any]:
    resource = {
        "resource": plural,
        "responseKind": {"group": "", "version": "", "kind": kind},
        "scope": "Namespaced",
        "verbs": verbs,
        "subresources": [{"subresource": "status"}],
    }
    return {"version": name, "resources": [resource], **more}


async def test_an_aggregating_server_is_asked_twice() -> None:
    pods = version("v1", "Pod", "pods", ["get", "list"], freshness="Current")
    stale = version("v2", "Old", "olds", [], freshness="Stale")
    apps = version("v1", "Deployment", "deployments", ["get"], freshness="Current")
    script = Script(
        ok({"kind": "APIGroupDiscoveryList", "items": [aggregated("", pods)]}),
        ok({"kind": "APIGroupDiscoveryList", "items": [aggregated("apps", stale, apps), aggregated("down", stale)]}),
    )

    found = await Client(MemoryTransport(script)).served_resources()

    assert found == [PODS, DEPLOYMENTS]
    assert len(script.requests) == 2
    assert "as=APIGroupDiscoveryList" in script.last.headers["accept"]


async def test_a_plain_server_is_asked_for_each_group_and_a_dead_group_hides_no_other() -> None:
    def answer(request: HttpRequest) -> HttpResponse:
        groups = [{"preferredVersion": {"groupVersion": name}} for name in ("apps/v1", "metrics.k8s.io/v1beta1")]
        resources = {
            "/api/v1": [
                {"name": "pods", "kind": "Pod", "namespaced": True, "verbs": ["get", "list"]},
                {"name": "pods/log", "kind": "Pod", "namespaced": True, "verbs": ["get"]},
            ],
            "/apis/apps/v1": [{"name": "deployments", "kind": "Deployment", "namespaced": True, "verbs": ["get"]}],
        }
        if request.path == "/api":
            return ok({"kind": "APIVersions", "versions": ["v1"]})
        if request.path == "/apis":
            return ok({"kind": "APIGroupList", "groups": groups})
        if request.path in resources:
            return ok({"kind": "APIResourceList", "resources": resources[request.path]})
        return failure(503, "ServiceUnavailable")

    assert await Client(MemoryTransport(Script(answer))).served_resources() == [PODS, DEPLOYMENTS]


async def test_a_resource_that_its_groups_preferred_version_lacks_is_found_in_another() -> None:
    deployments = version("v1", "Deployment", "deployments", ["get"], freshness="Current")
    older = version("v1beta1", "Gadget", "gadgets", ["get"], freshness="Current")
    older["resources"] += version("v1beta1", "Deployment", "deployments", [])["resources"]
    script = Script(
        ok({"kind": "APIGroupDiscoveryList", "items": []}),
        ok({"kind": "APIGroupDiscoveryList", "items": [aggregated("apps", deployments, older)]}),
    )

    found = await Client(MemoryTransport(script)).served_resources()

    assert found == [DEPLOYMENTS, ServedResource("apps/v1beta1", "Gadget", "gadgets", True, ("get",))]
