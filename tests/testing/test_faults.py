"""The faulty network: what a client sees through it is what it was asked to do, and nothing else."""

import asyncio
import json

import pytest

from zestor_controller.apiserver import ApiServer
from zestor_controller.apiserver.auth.authentication import ADMINISTRATOR, TokenAuthenticator
from zestor_controller.client import Client, MemoryTransport
from zestor_controller.errors import Gone, NotFound, TransportError
from zestor_controller.http import HttpRequest
from zestor_controller.testing.clock import run_virtual
from zestor_controller.testing.faults import FaultyNetwork, status_response, verb_of

KIND = "v1/ConfigMap"
PATH = "/api/v1/namespaces/default/configmaps"
TOKEN = {"authorization": "Bearer t"}


def client_of(handler):
    return Client(MemoryTransport(handler, {"Authorization": "Bearer t"}))


def with_network(test):
    """Run a coroutine of a network, a client through it, and a client beside it, in virtual time."""

    async def main():
        server = ApiServer(TokenAuthenticator({"t": ADMINISTRATOR}))
        network = FaultyNetwork(server)
        await test(network, client_of(network), client_of(server))
        assert network.open_watches == 0
        assert len(asyncio.all_tasks()) == 1, "a task leaked"

    run_virtual(main())


def made(name):
    return {"metadata": {"name": name}}


async def watch_of(network):
    """An open watch from now on: its response's body."""
    listed = await network.handle(HttpRequest("GET", PATH, [], TOKEN))
    version = json.loads(listed.body)["metadata"]["resourceVersion"]
    query = [("watch", "true"), ("resourceVersion", version)]
    return (await network.handle(HttpRequest("GET", PATH, query, TOKEN))).body


@pytest.mark.parametrize(
    ("method", "path", "query", "expected"),
    [
        ("GET", PATH, [], ("list", "configmaps")),
        ("GET", PATH + "/a", [], ("get", "configmaps")),
        ("GET", PATH, [("watch", "true")], ("watch", "configmaps")),
        ("GET", "/api/v1/namespaces", [], ("list", "namespaces")),
        ("GET", "/api/v1/namespaces/default", [], ("get", "namespaces")),
        ("PATCH", "/apis/apps/v1/namespaces/a/deployments/b/status", [], ("patch", "deployments")),
        ("POST", "/apis/demo.zestor.dev/v1/sites", [], ("create", "sites")),
        ("DELETE", "/apis/demo.zestor.dev/v1/sites/a", [], ("delete", "sites")),
    ],
)
def test_verbs_are_named_as_rbac_names_them(method, path, query, expected):
    assert verb_of(HttpRequest(method, path, query)) == expected


def test_a_failed_request_never_reaches_the_server_and_the_next_one_does():
    async def test(network, client, beside):
        network.fail("create", TransportError("refused"), plural="configmaps")
        await client.create("v1/Secret", made("other"), namespace="default")
        with pytest.raises(TransportError, match="refused"):
            await client.create(KIND, made("a"), namespace="default")
        assert list(await beside.list(KIND, namespace="default")) == []
        await client.create(KIND, made("a"), namespace="default")

    with_network(test)


def test_a_lost_response_is_of_a_request_that_was_carried_out():
    async def test(network, client, beside):
        network.lose("write")
        await client.list(KIND, namespace="default")
        with pytest.raises(TransportError, match="before the response came"):
            await client.create(KIND, made("a"), namespace="default")
        assert (await beside.get(KIND, "a", namespace="default")).metadata.name == "a"

    with_network(test)


def test_a_failure_is_for_as_many_requests_as_were_named():
    async def test(network, client, beside):
        network.fail("get", status_response(410, "Expired"), times=2)
        for _ in range(2):
            with pytest.raises(Gone):
                await client.get(KIND, "a", namespace="default")
        with pytest.raises(NotFound):
            await client.get(KIND, "a", namespace="default")

    with_network(test)


def test_a_lagging_watch_is_late_and_in_order():
    async def test(network, client, beside):
        loop = asyncio.get_running_loop()
        body = await watch_of(network)
        network.lag = 5.0
        reading = asyncio.ensure_future(anext(body))
        await asyncio.sleep(1)
        await beside.create(KIND, made("a"), namespace="default")
        await asyncio.sleep(1)
        network.lag = 0.0
        await beside.create(KIND, made("b"), namespace="default")
        first = await reading
        assert loop.time() == pytest.approx(6.0)
        assert json.loads(first)["object"]["metadata"]["name"] == "a"
        assert json.loads(await anext(body))["object"]["metadata"]["name"] == "b"
        await body.aclose()

    with_network(test)


def test_a_cut_watch_loses_what_was_on_its_way():
    async def test(network, client, beside):
        body = await watch_of(network)
        network.lag = 5.0
        reading = asyncio.ensure_future(anext(body, None))
        await asyncio.sleep(1)
        await beside.create(KIND, made("a"), namespace="default")
        await asyncio.sleep(1)
        network.cut(plural="secrets")
        await asyncio.sleep(1)
        assert not reading.done()
        network.cut(plural="configmaps")
        assert await reading is None

    with_network(test)


def test_a_torn_watch_breaks_within_a_line():
    async def test(network, client, beside):
        body = await watch_of(network)
        reading = asyncio.ensure_future(anext(body))
        await asyncio.sleep(1)
        network.cut(error=True, torn=True)
        with pytest.raises(json.JSONDecodeError):
            json.loads(await reading)
        with pytest.raises(TransportError, match="reset by peer"):
            await anext(body)

    with_network(test)


def test_a_frozen_watch_stays_silent_until_the_network_heals():
    async def test(network, client, beside):
        body = await watch_of(network)
        reading = asyncio.ensure_future(anext(body, None))
        await asyncio.sleep(1)
        network.freeze()
        await beside.create(KIND, made("a"), namespace="default")
        await asyncio.sleep(7200)
        assert not reading.done()
        network.heal()
        assert await reading is None

    with_network(test)


def test_a_short_watch_ends_after_its_first_piece_or_soon_without_one():
    async def test(network, client, beside):
        network.short_watches = True
        body = await watch_of(network)
        reading = asyncio.ensure_future(anext(body))
        await asyncio.sleep(0.01)
        await beside.create(KIND, made("a"), namespace="default")
        assert b'"ADDED"' in await reading
        assert await anext(body, None) is None
        silent = await watch_of(network)
        began = asyncio.get_running_loop().time()
        assert await anext(silent, None) is None
        assert asyncio.get_running_loop().time() - began == pytest.approx(0.05)

    with_network(test)


def test_a_piece_is_repeated_and_one_is_injected():
    async def test(network, client, beside):
        body = await watch_of(network)
        reading = asyncio.ensure_future(anext(body))
        await asyncio.sleep(1)
        await beside.create(KIND, made("a"), namespace="default")
        first = await reading
        network.repeat()
        network.inject(b"garbage\n")
        assert await anext(body) == first
        assert await anext(body) == b"garbage\n"
        await body.aclose()

    with_network(test)


def test_stale_lists_go_back_no_further_than_the_request_allows():
    async def test(network, client, beside):
        versions = []
        for name in "abc":
            obj = await beside.create(KIND, made(name), namespace="default")
            versions.append(obj.metadata.resource_version)
        network.staleness = 2

        async def names(*query):
            response = await network.handle(HttpRequest("GET", PATH, list(query), TOKEN))
            return [item["metadata"]["name"] for item in json.loads(response.body)["items"]]

        match = ("resourceVersionMatch", "NotOlderThan")
        assert await names() == ["a", "b", "c"]
        assert await names(("resourceVersion", "0")) == ["a"]
        assert await names(("resourceVersion", versions[1]), match) == ["a", "b"]
        assert await names(("resourceVersion", versions[2]), match) == ["a", "b", "c"]

    with_network(test)


def test_a_network_that_is_down_refuses_everything_and_leaves_open_watches_alone():
    async def test(network, client, beside):
        body = await watch_of(network)
        reading = asyncio.ensure_future(anext(body))
        await asyncio.sleep(1)
        network.down = True
        with pytest.raises(TransportError, match="refused"):
            await client.get(KIND, "a", namespace="default")
        await beside.create(KIND, made("a"), namespace="default")
        assert b'"ADDED"' in await reading
        await body.aclose()

    with_network(test)
