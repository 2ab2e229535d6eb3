"""Discovery: two requests where the server aggregates, one for each group where it does not."""

from __future__ import annotations

from typing import Any

import pytest
from scripted import Script, failure, ok

from zestor_controller.cache import ClusterCache
from zestor_controller.client import Client, MemoryTransport, ServedResource
from zestor_controller.errors import ConfigError, TransportError
from zestor_controller.http import HttpRequest, HttpResponse
from zestor_controller.objects import CustomResource, Spec, Status, kind_of
from zestor_controller.testing.scripted import ScriptedServer

PODS = ServedResource("v1", "Pod", "pods", True, ("get", "list"))
DEPLOYMENTS = ServedResource("apps/v1", "Deployment", "deployments", True, ("get",))


class Thing(CustomResource[Spec, Status], group="declared.example", version="v1", plural="things"):
    """A kind of the process."""


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
    def respond(request: HttpRequest) -> HttpResponse:
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

    assert await Client(MemoryTransport(Script(respond))).served_resources() == [PODS, DEPLOYMENTS]


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


def plain(plural: str, *, namespaced: bool) -> HttpResponse:
    return ok({"resources": [{"name": plural, "kind": "Thing", "namespaced": namespaced, "verbs": ["get"]}]})


async def test_what_one_client_discovers_is_a_fact_of_its_own_server() -> None:
    """Two clusters of one process may serve a kind under another plural or in another scope."""
    text, thing = (
        "twice.example/v1/Thing",
        {"apiVersion": "twice.example/v1", "kind": "Thing", "metadata": {"name": "a"}},
    )
    paths = []
    for plural, namespaced in (("things", True), ("thingies", False), ("things", False)):
        script = Script(plain(plural, namespaced=namespaced), ok(thing))
        client = Client(MemoryTransport(script))
        await client.create(thing)
        await client.get(text, "a")
        assert client.kinds.of(text).plural == plural
        paths.append([request.path for request in script.requests[1:]])

    base = "/apis/twice.example/v1"
    assert paths == [
        [f"{base}/namespaces/default/things", f"{base}/namespaces/default/things/a"],
        [f"{base}/thingies", f"{base}/thingies/a"],
        [f"{base}/things", f"{base}/things/a"],
    ]
    with pytest.raises(ConfigError, match=r'objects\.declare\("twice\.example/v1/Thing", plural\)'):
        kind_of(text)


async def test_caches_share_the_kinds_of_their_client() -> None:
    text = "cached.example/v1/Thing"
    for namespaced in (True, False):
        server = ScriptedServer()

        class Discovering:
            async def handle(
                self, request: HttpRequest, server: ScriptedServer = server, namespaced: bool = namespaced
            ) -> HttpResponse:
                if request.path == "/apis/cached.example/v1":
                    return plain("things", namespaced=namespaced)
                return await server.handle(request)

        client = Client(MemoryTransport(Discovering()))
        async with ClusterCache(client) as cache:
            lister = await cache.add(text)

            assert lister.kind.namespaced is namespaced
            assert cache.lister(text) is lister
            assert cache.client.kinds is client.kinds


async def test_a_declared_class_is_a_fact_of_the_process_and_a_discovered_text_one_of_the_server() -> None:
    client = Client(MemoryTransport(Script(plain("widgetry", namespaced=False))))

    assert client.kinds.of("declared.example/v1/Thing").plural == "things"
    await client.discover("declared.example/v1/Thing")

    assert client.kinds.of("declared.example/v1/Thing").plural == "widgetry"
    assert client.kinds.of(Thing) is kind_of(Thing)
    assert kind_of("declared.example/v1/Thing").plural == "things"


@pytest.mark.parametrize(
    "item",
    [
        {"name": "others", "kind": "Other"},
        {"name": "others", "kind": "Other", "namespaced": None, "verbs": None},
        {"name": "others", "kind": "Other", "namespaced": False, "verbs": []},
    ],
)
async def test_a_discovery_document_may_leave_fields_out(item: dict[str, Any]) -> None:
    client = Client(MemoryTransport(Script(ok({"resources": [{}, item]}))))

    kind = await client.discover("leaving.example/v1/Other")

    assert (kind.plural, kind.namespaced) == ("others", False)


@pytest.mark.parametrize("body", [{"resources": "x"}, {"resources": [1]}, {"resources": [{"name": 1}]}])
async def test_a_discovery_document_of_another_form_is_an_error_that_names_it(body: dict[str, Any]) -> None:
    with pytest.raises(TransportError, match=r"^GET /apis/odd\.example/v1: the response is not"):
        await Client(MemoryTransport(Script(ok(body)))).discover("odd.example/v1/Thing")
