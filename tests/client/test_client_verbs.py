"""The verbs: what is sent, and what comes back."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any

import pytest
from pydantic import BaseModel
from scripted import Chunks, Script, config_map, failure, line, ok, page

from zestor_controller.client import BlockingClient, Client, MemoryTransport, WriteGate, retry_on_conflict
from zestor_controller.errors import (
    AlreadyExists,
    ConfigError,
    Conflict,
    Gone,
    Invalid,
    NotFound,
    ServerError,
    TooManyRequests,
    TransportError,
)
from zestor_controller.http import HttpRequest, HttpResponse
from zestor_controller.objects import (
    ApplyPatch,
    CustomResource,
    JsonPatch,
    Kind,
    MergePatch,
    Patch,
    Spec,
    Status,
    Unstructured,
    kind_of,
    register,
)

MAPS = "/api/v1/namespaces/default/configmaps"


class SiteSpec(Spec):
    replicas: int = 1


class SiteStatus(Status):
    ready_replicas: int = 0


class Site(CustomResource[SiteSpec, SiteStatus], group="client.zestor.dev", version="v1", plural="sites"):
    """A site."""


SITES = "/apis/client.zestor.dev/v1/namespaces/default/sites"


def client_of(script: Script, **options: Any) -> Client:
    return Client(MemoryTransport(script, {"Authorization": "Bearer t"}), **options)


async def test_get_reads_one_object_typed_by_its_kind() -> None:
    script = Script(ok(config_map(data={"k": "v"})))
    client = client_of(script)

    found = await client.get("v1/ConfigMap", "a")

    assert (script.last.method, script.last.path) == ("GET", f"{MAPS}/a")
    assert script.last.headers["authorization"] == "Bearer t"
    assert isinstance(found, Unstructured)
    assert found["data"] == {"k": "v"}
    site = await client.get(Site, "a", namespace="other")
    assert isinstance(site, Site)
    assert script.last.path == "/apis/client.zestor.dev/v1/namespaces/other/sites/a"


async def test_the_default_namespace_is_the_clients() -> None:
    script = Script(ok(config_map()))

    await client_of(script, namespace="mine").get("v1/ConfigMap", "a")

    assert script.last.path == "/api/v1/namespaces/mine/configmaps/a"


async def test_a_cluster_scoped_kind_has_no_namespace() -> None:
    script = Script(ok({"metadata": {"name": "n"}}))

    await client_of(script).get("v1/Node", "n", namespace="x")

    assert script.last.path == "/api/v1/nodes/n"


@pytest.mark.parametrize("name", ["", "a/b"])
async def test_a_name_that_would_address_something_else_is_refused(name: str) -> None:
    script = Script(ok({}))

    with pytest.raises(ConfigError, match="name"):
        await client_of(script).delete("v1/ConfigMap", name)
    assert not script.requests


async def test_list_follows_its_pages_and_gives_the_version() -> None:
    script = Script(page([config_map("a"), config_map("b")], token="t1"), page([config_map("c")], version="11"))

    listed = await client_of(script).list("v1/ConfigMap", namespace="default", labels={"app": "web"}, limit=2)

    assert [obj.metadata.name for obj in listed] == ["a", "b", "c"]
    assert listed.resource_version == "11"
    assert (len(listed), listed[0].kind) == (3, "ConfigMap")
    assert dict(script.requests[0].query) == {"labelSelector": "app=web", "limit": "2"}
    assert dict(script.requests[1].query) == {"labelSelector": "app=web", "limit": "2", "continue": "t1"}


async def test_list_without_a_namespace_reads_all_of_them() -> None:
    script = Script(page([]))

    await client_of(script, namespace="mine").list("v1/ConfigMap", fields={"metadata.name": "a,b"})

    assert script.last.path == "/api/v1/configmaps"
    assert script.query["fieldSelector"] == "metadata.name=a\\,b"


async def test_a_list_whose_pages_expired_begins_anew_once() -> None:
    gone = failure(410, "Expired")
    script = Script(page([config_map("a")], token="t"), gone, page([config_map("b")]))
    assert [o.metadata.name for o in await client_of(script).list("v1/ConfigMap")] == ["b"]

    script = Script(page([config_map("a")], token="t"), gone, page([config_map("a")], token="t"), gone)
    with pytest.raises(Gone):
        await client_of(script).list("v1/ConfigMap")


async def test_create_sends_the_wire_form_and_returns_what_the_server_stores() -> None:
    script = Script(ok(config_map(version="5")))

    made = await client_of(script, field_manager="me").create("v1/ConfigMap", {"metadata": {"name": "a"}}, dry_run=True)

    assert (script.last.method, script.last.path) == ("POST", MAPS)
    assert script.body == {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
    assert script.query == {"fieldManager": "me", "dryRun": "All"}
    assert made.metadata.resource_version == "5"


async def test_the_kind_may_be_left_out_where_the_object_has_it() -> None:
    script = Script(ok(config_map()))
    client = client_of(script)

    await client.create(Site(metadata={"name": "a", "namespace": "ns"}))  # type: ignore[arg-type]
    assert script.last.path == "/apis/client.zestor.dev/v1/namespaces/ns/sites"
    assert "status" not in script.body
    await client.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}})
    assert script.last.path == f"{MAPS}/a"
    with pytest.raises(ConfigError, match="apiVersion"):
        await client.create({"metadata": {"name": "a"}})


async def test_replace_puts_the_whole_object_with_its_version() -> None:
    script = Script(ok(config_map()))
    obj = Unstructured(config_map(version="7", extra={"unknown": True}))

    await client_of(script).replace("v1/ConfigMap", obj)

    assert (script.last.method, script.last.path) == ("PUT", f"{MAPS}/a")
    assert script.body["metadata"]["resourceVersion"] == "7"
    assert script.body["extra"] == {"unknown": True}


@pytest.mark.parametrize(
    ("patch", "media_type"),
    [
        (MergePatch({"data": None}), "application/merge-patch+json"),
        (JsonPatch([{"op": "remove", "path": "/data"}]), "application/json-patch+json"),
        (ApplyPatch({"data": {}}), "application/apply-patch+yaml"),
    ],
)
async def test_patch_sends_the_payload_as_what_it_is(patch: Patch, media_type: str) -> None:
    script = Script(ok(config_map()))

    await client_of(script).patch("v1/ConfigMap", "a", patch, subresource="status")

    assert (script.last.method, script.last.path) == ("PATCH", f"{MAPS}/a/status")
    assert {name.lower(): value for name, value in script.last.headers.items()}["content-type"] == media_type
    assert script.body == patch.body
    assert ("force" in script.query) is isinstance(patch, ApplyPatch)


async def test_apply_owns_fields_under_its_manager_and_sends_no_managed_fields() -> None:
    script = Script(ok(config_map()))
    obj = {"metadata": {"name": "a", "managedFields": [{"manager": "x"}]}, "data": {"k": "v"}}

    await client_of(script).apply("v1/ConfigMap", obj, field_manager="me", force=False)

    assert script.last.headers["content-type"] == "application/apply-patch+yaml"
    assert script.query == {"fieldManager": "me"}
    assert script.body == {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "v"}}


async def test_r5_apply_status_sends_the_status_alone() -> None:
    """No spec and no resourceVersion: an unchanged status changes nothing on the server."""
    script = Script(ok({"metadata": {"name": "a"}, "status": {"readyReplicas": 2}}))
    client = client_of(script)
    site = Site.model_validate({"metadata": {"name": "a", "namespace": "default", "resourceVersion": "3"}})
    site.status.ready_replicas = 2

    returned = await client.apply_status(site)

    assert script.last.path == f"{SITES}/a/status"
    assert script.query == {"fieldManager": "zestor-controller", "force": "true"}
    assert script.body == {
        "apiVersion": "client.zestor.dev/v1",
        "kind": "Site",
        "metadata": {"name": "a", "namespace": "default"},
        "status": {"readyReplicas": 2},
    }
    assert isinstance(returned, Site)
    with pytest.raises(ConfigError, match="status"):
        await client.apply_status(Site(metadata={"name": "a"}))  # type: ignore[arg-type]


async def test_delete_states_its_preconditions_and_tolerates_absence_on_request() -> None:
    script = Script(ok({}), failure(404, "NotFound"))
    client = client_of(script)

    await client.delete("v1/Pod", "a", uid="u", resource_version="3", propagation="Foreground", grace_period=0)

    assert script.body == {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "preconditions": {"uid": "u", "resourceVersion": "3"},
        "propagationPolicy": "Foreground",
        "gracePeriodSeconds": 0,
    }
    await client.delete("v1/Pod", "a", missing_ok=True)
    with pytest.raises(NotFound):
        await client.delete("v1/Pod", "a")


async def test_scale_reads_and_sets_the_number() -> None:
    script = Script(ok({"spec": {"replicas": 3}}), ok({"spec": {"replicas": 5}}))
    client = client_of(script)

    assert await client.get_scale("apps/v1/Deployment", "web") == 3
    assert await client.set_scale("apps/v1/Deployment", "web", 5) == 5
    assert script.last.path.endswith("/deployments/web/scale")
    assert script.body == {"spec": {"replicas": 5}}


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (failure(404, "NotFound"), NotFound),
        (failure(409, "AlreadyExists"), AlreadyExists),
        (failure(409, "Conflict"), Conflict),
        (failure(422, "Invalid", causes=[{"field": "spec.x", "reason": "Required", "message": "m"}]), Invalid),
        (HttpResponse(502, [], b"<html>bad gateway</html>"), ServerError),
        (HttpResponse(500, [], b""), ServerError),
    ],
)
async def test_a_failed_response_is_the_error_it_means(response: HttpResponse, error: type[Exception]) -> None:
    with pytest.raises(error) as raised:
        await client_of(Script(response)).get("v1/ConfigMap", "a")
    if error is Invalid:
        assert raised.value.causes[0].field == "spec.x"  # type: ignore[attr-defined]


async def test_a_redirect_is_no_success() -> None:
    with pytest.raises(Exception, match="302"):
        await client_of(Script(HttpResponse(302, [("Location", "https://elsewhere")], b""))).get("v1/ConfigMap", "a")


async def test_a_server_that_asks_to_wait_is_asked_again_after_that_time() -> None:
    script = Script(failure(429, "TooManyRequests", "slow", ("Retry-After", "0")), ok(config_map()))

    await client_of(script).create("v1/ConfigMap", {"metadata": {"name": "a"}})

    assert len(script.requests) == 2


async def test_a_server_that_requests_waits_without_end_is_an_error_in_the_end() -> None:
    script = Script(failure(429, "TooManyRequests", "slow", ("Retry-After", "0")))

    with pytest.raises(TooManyRequests):
        await client_of(script).get("v1/ConfigMap", "a")
    assert len(script.requests) == 5


async def test_a_failed_write_is_not_repeated_by_itself() -> None:
    """A 500 may have been carried out."""
    script = Script(failure(500, "InternalError"))

    with pytest.raises(ServerError):
        await client_of(script).create("v1/ConfigMap", {"metadata": {"name": "a"}})
    assert len(script.requests) == 1


async def test_a_warning_of_the_server_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    warning = ("Warning", '299 - "v1 Endpoints is deprecated"')
    client = client_of(Script(ok(config_map(), warning, ("Warning", '299 - "second"'))))

    with caplog.at_level(logging.WARNING):
        await client.get("v1/ConfigMap", "a")
        await client.get("v1/ConfigMap", "a")

    messages = [record.getMessage() for record in caplog.records]
    assert messages == [
        "the API server warns: v1 Endpoints is deprecated",
        "the API server warns: second",
    ]


async def test_an_unknown_text_is_looked_up_at_the_server_once() -> None:
    resources = {
        "resources": [
            {"name": "cacti/status", "kind": "Cactus", "namespaced": True},
            {"name": "cacti", "kind": "Cactus", "namespaced": True, "verbs": ["get"]},
        ]
    }
    script = Script(ok(resources), ok(config_map()))
    client = client_of(script)

    await client.get("found.example.org/v1/Cactus", "a")
    await client.get("found.example.org/v1/Cactus", "b")

    assert [request.path for request in script.requests] == [
        "/apis/found.example.org/v1",
        "/apis/found.example.org/v1/namespaces/default/cacti/a",
        "/apis/found.example.org/v1/namespaces/default/cacti/b",
    ]


async def test_a_kind_that_the_server_does_not_serve_is_reported_as_such() -> None:
    with pytest.raises(ConfigError, match="CustomResourceDefinition"):
        await client_of(Script(failure(404, "NotFound"))).get("absent.example.org/v1/Thing", "a")


async def test_l1_a_closed_gate_refuses_writes_and_lets_reads_pass() -> None:
    gate = WriteGate()
    script = Script(ok(config_map()))
    client = Client(MemoryTransport(script, gate=gate))
    gate.close("this process is no longer the leader")

    with pytest.raises(TransportError, match="no longer the leader"):
        await client.create("v1/ConfigMap", {"metadata": {"name": "a"}})
    await client.get("v1/ConfigMap", "a")
    gate.open()
    await client.create("v1/ConfigMap", {"metadata": {"name": "a"}})

    assert [request.method for request in script.requests] == ["GET", "POST"]


async def test_retry_on_conflict_calls_the_attempt_anew_and_gives_up() -> None:
    calls = 0

    async def attempt() -> int:
        nonlocal calls
        calls += 1
        if calls < 3:
            raise Conflict("another client")
        return calls

    assert await retry_on_conflict(attempt) == 3

    async def hopeless() -> int:
        raise Conflict("always")

    with pytest.raises(Conflict):
        await retry_on_conflict(hopeless, attempts=2)


async def test_wait_for_returns_at_once_what_is_so_already() -> None:
    ready = config_map(status={"conditions": [{"type": "Ready", "status": "True"}]})
    script = Script(page([ready]))

    found = await client_of(script).wait_for("v1/Pod", "a", "Ready")

    assert found.metadata.name == "a"
    assert len(script.requests) == 1
    assert script.query["fieldSelector"] == "metadata.name=a"


async def test_wait_for_follows_the_object_over_ends_and_failures_and_closes_its_watch() -> None:
    ready = config_map(version="12", status={"conditions": [{"type": "Ready", "status": "True"}]})
    first = Chunks(line("MODIFIED", config_map(version="11")))
    last = Chunks(line("BOOKMARK", config_map(version="11")), line("MODIFIED", ready), then=asyncio.Event().wait)
    script = Script(
        failure(503, "ServiceUnavailable"),
        page([]),
        first.response(),
        page([config_map()], version="10"),
        last.response(),
    )

    found = await client_of(script).wait_for("v1/Pod", "a", "Ready", timeout=5)

    assert found.metadata.resource_version == "12"
    assert dict(script.last.query)["resourceVersion"] == "10"
    assert last.closed


async def test_wait_for_can_wait_for_absence() -> None:
    script = Script(page([config_map()]), Chunks(line("DELETED", config_map(version="11"))).response())

    assert await client_of(script).wait_for("v1/Pod", "a", lambda obj: obj is None) is None


async def test_wait_for_reports_what_did_not_come() -> None:
    script = Script(page([]), Chunks(then=asyncio.Event().wait).response())

    with pytest.raises(TimeoutError, match=r"v1/Pod a: condition Ready did not come within 0\.05 s"):
        await client_of(script).wait_for("v1/Pod", "a", "Ready", timeout=0.05)


async def test_wait_for_does_not_outlive_what_will_not_pass() -> None:
    with pytest.raises(Exception, match="403"):
        await client_of(Script(failure(403, "Forbidden"))).wait_for("v1/Pod", "a", "Ready", timeout=5)


async def test_a_raw_page_is_handed_on_as_it_came() -> None:
    body = b'{"metadata": {},   "items": []}'
    script = Script(HttpResponse(200, [], body))
    assert await client_of(script).read_page(kind_of("v1/Pod"), namespace=None, query={"limit": "5"}) == body
    assert isinstance(script.last, HttpRequest)
    assert script.last.path == "/api/v1/pods"


async def test_a_client_counts_its_requests_by_method_and_code() -> None:
    gate = WriteGate()
    client = Client(MemoryTransport(Script(ok(config_map()), failure(404, "NotFound"), Chunks().response()), gate=gate))

    await client.get("v1/ConfigMap", "a")
    await client.delete("v1/ConfigMap", "a", missing_ok=True)
    async for _ in client.watch("v1/ConfigMap"):
        pass
    gate.close("deposed")
    with pytest.raises(TransportError):
        await client.delete("v1/ConfigMap", "a")

    assert client.requests == {("GET", "200"): 2, ("DELETE", "404"): 1, ("DELETE", "<error>"): 1}


class Lossy(BaseModel):
    """A model that drops what it does not know, as those of the kubernetes package do."""

    metadata: dict[str, str] = {}  # pydantic copies a default


def encode_lossy(obj: Any) -> dict[str, Any]:
    body = dict(obj) if isinstance(obj, dict) else obj.model_dump()
    return {"apiVersion": "lossy.example.org/v1", "kind": "Lossy", **body}


async def test_an_object_whose_model_drops_fields_is_never_written_back_whole() -> None:
    register(
        Kind("lossy.example.org", "v1", "Lossy", "lossies", True, Lossy, Lossy.model_validate_json, encode_lossy, False)
    )
    script = Script(ok({"metadata": {"name": "a"}}))
    client = client_of(script)
    read = await client.get(Lossy, "a")

    for write in (
        client.replace(Lossy, read),
        client.replace(read),
        client.replace("lossy.example.org/v1/Lossy", read),
    ):
        with pytest.raises(ConfigError, match="use apply or patch"):
            await write

    assert [request.method for request in script.requests] == ["GET"]
    await client.apply(read)
    await client.replace(Lossy, {"metadata": {"name": "a"}})
    assert [request.method for request in script.requests] == ["GET", "PATCH", "PUT"]


async def test_a_typed_object_may_be_given_with_its_kind_as_text() -> None:
    script = Script(ok({"metadata": {"name": "a"}}))

    made = await client_of(script).create("client.zestor.dev/v1/Site", Site(spec=SiteSpec(replicas=2)))

    assert script.body["spec"] == {"replicas": 2}
    assert isinstance(made, Unstructured)


def test_the_blocking_client_does_the_same_from_a_thread_without_a_loop() -> None:
    script = Script(
        ok({"metadata": {"name": "a", "namespace": "default"}, "spec": {"replicas": 3}}),
        page([]),
        failure(404, "NotFound"),
    )
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        client = BlockingClient(client_of(script), loop)

        assert client.get(Site, "a").spec.replicas == 3
        assert list(client.list("v1/Pod")) == []
        with pytest.raises(NotFound):
            client.delete("v1/Pod", "a")
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def test_the_blocking_client_refuses_to_block_the_loop_it_works_on() -> None:
    """It would wait for itself."""
    client = BlockingClient(client_of(Script(page([]))), asyncio.get_running_loop())

    with pytest.raises(RuntimeError, match="event loop"):
        client.list("v1/Pod")
