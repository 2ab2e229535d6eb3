"""Responses of foreign servers, and objects that their model rejects: each is read, or an error that names it."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from pydantic import Field, field_validator
from scripted import JSON_HEADERS, Chunks, Script, config_map, line, ok, page

from zestor_controller.cache import ClusterCache
from zestor_controller.client import Client, MemoryTransport
from zestor_controller.errors import InvalidObject, TransportError, Unauthorized, ZestorError
from zestor_controller.http import HttpResponse
from zestor_controller.objects import CustomResource, MergePatch, ObjectMeta, Spec, Status, Unstructured
from zestor_controller.testing.scripted import ScriptedServer


class FoodSpec(Spec):
    price: int = Field(0, ge=0)
    secret: str = ""

    @field_validator("secret")
    @classmethod
    def _no_bombs(cls, value: str) -> str:
        if value == "bomb":
            raise RuntimeError("boom")
        return value


class Food(CustomResource[FoodSpec, Status], group="reading.example", version="v1", plural="foods"):
    """A kind whose model is stricter than its server."""


def food(name: str, price: int = 1, version: str = "1", **spec: Any) -> dict[str, Any]:
    meta = {"name": name, "namespace": "default", "uid": f"u-{name}", "resourceVersion": version}
    kind = {"apiVersion": "reading.example/v1", "kind": "Food"}
    return {**kind, "metadata": meta, "spec": {"price": price, **spec}}


def client_of(script: Any) -> Client:
    return Client(MemoryTransport(script))


def raw(body: bytes | str, status: int = 200) -> HttpResponse:
    return HttpResponse(status, JSON_HEADERS, body.encode() if isinstance(body, str) else body)


LISTS = [
    {"items": [config_map()]},
    {"metadata": None, "items": [config_map()]},
    {"metadata": {}, "items": [config_map()]},
    {"metadata": {"resourceVersion": None, "continue": None}, "items": [config_map()]},
    {"metadata": {"resourceVersion": "7", "continue": ""}, "items": [{"kind": None, **config_map()}]},
    {"kind": None, "items": [config_map()]},
]


@pytest.mark.parametrize("body", LISTS)
async def test_a_list_is_read_whatever_of_its_metadata_is_missing(body: dict[str, Any]) -> None:
    listed = await client_of(Script(ok(body))).list("v1/ConfigMap")

    assert [(obj.kind, obj.metadata.name) for obj in listed] == [("ConfigMap", "a")]
    assert listed.resource_version == ("7" if "7" in json.dumps(body) else "")


@pytest.mark.parametrize("body", LISTS)
async def test_a_cache_reads_the_same_lists(body: dict[str, Any]) -> None:
    server = ScriptedServer()
    server.refuse("list", "configmaps", ok(body))

    async with ClusterCache(client_of(server)) as cache:
        lister = await cache.add("v1/ConfigMap")

        assert [obj.metadata.name for obj in lister.list()] == ["a"]


@pytest.mark.parametrize("body", [{"kind": "ConfigMapList"}, {"items": None}, {"metadata": {}, "items": []}])
async def test_a_list_without_items_is_empty(body: dict[str, Any]) -> None:
    assert list(await client_of(Script(ok(body))).list("v1/ConfigMap")) == []


UNREADABLE = [
    "<html>please log in</html>",
    "",
    "[]",
    "null",
    "true",
    '"text"',
    '{"items": 1}',
    "{",
    "\xff",
    "[" * 100_000,
]


@pytest.mark.parametrize("body", [*UNREADABLE, "{}", '{"message": "log in"}', '{"kind": "Status"}'])
async def test_what_is_no_list_is_an_error_that_names_the_request(body: str) -> None:
    with pytest.raises(TransportError, match=r"^GET /api/v1/configmaps: the response is not"):
        await client_of(Script(raw(body.encode("latin-1")))).list("v1/ConfigMap")


VERBS: dict[str, Callable[[Client], Awaitable[Any]]] = {
    "get": lambda client: client.get("v1/ConfigMap", "a"),
    "create": lambda client: client.create("v1/ConfigMap", {"metadata": {"name": "a"}}),
    "patch": lambda client: client.patch(Food, "a", MergePatch({})),
    "scale": lambda client: client.get_scale("apps/v1/Deployment", "a"),
    "discover": lambda client: client.discover("none.example/v1/Thing"),
    "served": lambda client: client.served_resources(),
}


@pytest.mark.parametrize("body", ["<html>please log in</html>", "", "[]", "null", "true", '"text"', "\xff"])
@pytest.mark.parametrize("verb", VERBS)
async def test_what_is_no_json_object_is_an_error_that_names_the_request(verb: str, body: str) -> None:
    with pytest.raises(TransportError, match=r"(GET|POST|PATCH) /api.*: the response is not"):
        await VERBS[verb](client_of(Script(raw(body.encode("latin-1")))))


@pytest.mark.parametrize("body", ["", "ok", "<html>"])
async def test_the_response_to_a_deletion_is_not_read(body: str) -> None:
    script = Script(raw(body))

    await client_of(script).delete("v1/ConfigMap", "a")

    assert script.last.method == "DELETE"


@pytest.mark.parametrize("spec", [None, {}, {"replicas": None}, {"replicas": 0}])
async def test_a_scale_without_a_number_is_none(spec: Any) -> None:
    assert await client_of(Script(ok({"spec": spec}))).get_scale("apps/v1/Deployment", "a") == 0


async def test_a_scale_that_is_no_number_is_an_error() -> None:
    with pytest.raises(TransportError, match=r"the scale of deployments\.apps a"):
        await client_of(Script(ok({"spec": {"replicas": "x"}}))).get_scale("apps/v1/Deployment", "a")


async def test_metadata_that_is_null_is_empty_and_of_another_type_invalid() -> None:
    read = await client_of(Script(ok({"kind": "ConfigMap", "metadata": None}))).get("v1/ConfigMap", "a")
    assert read.metadata.name == ""

    with pytest.raises(InvalidObject, match="configmaps"):
        await client_of(Script(ok({"metadata": []}))).get("v1/ConfigMap", "a")


async def test_one_object_that_the_model_rejects_does_not_fail_a_list(caplog: pytest.LogCaptureFixture) -> None:
    bad = food("spam", -5, secret="do-not-show")
    script = Script(page([food("eggs"), bad], token="t"), page([food("odd", secret="bomb"), food("toast")]))

    with caplog.at_level(logging.WARNING):
        listed = await client_of(script).list(Food)

    assert [obj.metadata.name for obj in listed] == ["eggs", "toast"]
    assert len(listed) == 2
    assert set(listed.invalid) == {"default/spam", "default/odd"}
    error = listed.invalid["default/spam"]
    assert (error.kind, error.name, json.loads(error.raw)) == ("foods.reading.example", "default/spam", bad)
    assert "spec.price: Input should be greater than or equal to 0" in str(error)
    assert "RuntimeError: boom" in str(listed.invalid["default/odd"])
    assert "2 of 4 objects are left out" in caplog.text
    assert "do-not-show" not in caplog.text


async def test_a_list_that_begins_anew_forgets_what_it_rejected() -> None:
    gone = raw('{"kind":"Status","code":410,"reason":"Expired"}', 410)
    script = Script(page([food("spam", -5)], token="t"), gone, page([food("spam", 5)]))

    listed = await client_of(script).list(Food)

    assert [obj.metadata.name for obj in listed] == ["spam"]
    assert listed.invalid == {}


async def test_get_of_an_object_that_the_model_rejects_names_it() -> None:
    with pytest.raises(InvalidObject, match=r"^foods\.reading\.example: default/spam is not a valid Food: spec\.price"):
        await client_of(Script(ok(food("spam", -5)))).get(Food, "spam")


@pytest.mark.parametrize("verb", ["create", "replace", "apply", "patch"])
async def test_a_write_whose_result_the_model_rejects_says_that_it_was_carried_out(verb: str) -> None:
    client, obj = client_of(Script(ok(food("spam", -5)))), Food(metadata=ObjectMeta(name="spam"))
    written = client.patch(Food, "spam", MergePatch({})) if verb == "patch" else getattr(client, verb)(obj)

    with pytest.raises(InvalidObject, match=r"default/spam .* \(the server has carried out the request\)"):
        await written


async def test_a_watch_goes_on_past_an_object_that_the_model_rejects(caplog: pytest.LogCaptureFixture) -> None:
    lines = [
        line("ADDED", food("spam", -5, "2")),
        line("ADDED", food("toast", 3, "3")),
        line("MODIFIED", food("odd", -1, "4")),
        line("MODIFIED", food("spam", 5, "5")),
        line("DELETED", food("ham", -1, "6")),
    ]
    watch = client_of(Script(Chunks(*lines).response())).watch(Food)

    seen = [(event.type, event.object.metadata.name) async for event in watch]

    assert seen == [("ADDED", "toast"), ("MODIFIED", "spam")]
    assert set(watch.invalid) == {"default/odd", "default/ham"}, "one that became valid is not invalid any more"
    assert watch.resource_version == "6"
    assert "a DELETED event is left out: foods.reading.example: default/ham" in caplog.text


@pytest.mark.parametrize("text", ["<html>please log in</html>", "[]", '{"type": 1}', '{"type": "ERROR", "object": []}'])
async def test_a_watch_line_that_is_no_event_is_an_error_that_names_the_request(text: str) -> None:
    watch = client_of(Script(Chunks(text.encode() + b"\n").response())).watch(Food)

    with pytest.raises(TransportError, match=r"^GET /apis/reading\.example/v1/foods\?watch=true: "):
        await anext(watch)


async def test_an_event_whose_object_has_no_metadata_is_read() -> None:
    watch = client_of(Script(Chunks(line("ADDED", {"metadata": None}), line("ADDED", {})).response())).watch(
        "v1/ConfigMap"
    )

    assert [event.object.kind async for event in watch] == ["ConfigMap", "ConfigMap"]


async def test_wait_for_ends_with_the_error_of_an_object_that_the_model_rejects() -> None:
    with pytest.raises(InvalidObject, match="default/spam"):
        await client_of(Script(page([food("spam", -5)]))).wait_for(Food, "spam", lambda obj: obj)

    changed = Chunks(line("MODIFIED", food("spam", -5, "2")))
    script = Script(page([food("spam", 1)]), changed.response())
    with pytest.raises(InvalidObject, match="default/spam"):
        await client_of(script).wait_for(Food, "spam", lambda obj: obj.spec.price > 1)
    assert changed.closed


async def test_what_is_not_decoded_may_be_read_without_a_model() -> None:
    read = await client_of(Script(ok(food("spam", -5)))).get("reading.example/v1/Food", "spam")

    assert isinstance(read, Unstructured)
    assert read["spec"]["price"] == -5


async def test_a_401_is_reported_as_a_matter_of_the_credential() -> None:
    refusal = raw('{"kind":"Status","code":401,"reason":"Unauthorized","message":"Unauthorized"}', 401)

    with pytest.raises(Unauthorized) as raised:
        await client_of(Script(refusal)).get("v1/ConfigMap", "a")

    assert "does not accept the credential: log in again" in str(raised.value)
    assert raised.value.message == "Unauthorized", "the server's own"


async def test_a_cache_that_gets_a_401_names_the_credential_and_no_grant() -> None:
    server = ScriptedServer()
    server.refuse("list", "configmaps", raw('{"kind":"Status","code":401,"reason":"Unauthorized"}', 401))

    async with ClusterCache(client_of(server)) as cache:
        with pytest.raises(ZestorError) as raised:
            await cache.add("v1/ConfigMap", timeout=timedelta(seconds=0.2))

    assert "credential" in str(raised.value)
    assert "grant" not in str(raised.value)
