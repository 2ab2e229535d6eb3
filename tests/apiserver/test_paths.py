"""Paths that exist for no kind, and queries that a kind does not take: the status, and what it names."""

from __future__ import annotations

import asyncio

import pytest

from zestor_controller.testing.clock import run_virtual

from .conftest import Talk

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
ALL = "/apis/paths.example/v1"
HERE = f"{ALL}/namespaces/default"


async def kinds(talk):
    for plural, kind, scope in (("bs", "B", "Namespaced"), ("cs", "C", "Cluster")):
        names = {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"}
        schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
        versions = [{"name": "v1", "served": True, "storage": True, "schema": schema}]
        spec = {"group": "paths.example", "scope": scope, "names": names, "versions": versions}
        made = await talk.ask("POST", DEFINITIONS, {"metadata": {"name": f"{plural}.paths.example"}, "spec": spec})
        assert made[0] == 201
    await asyncio.sleep(0)
    for path, kind in ((f"{HERE}/bs", "B"), (f"{ALL}/cs", "C")):
        body = {"apiVersion": "paths.example/v1", "kind": kind, "metadata": {"name": "x"}}
        assert (await talk.ask("POST", path, body))[0] == 201


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "POST"])
@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/configmaps/x",
        "/apis/apps/v1/deployments/x",
        "/apis/apps/v1/deployments/x/scale",
        "/api/v1/namespaces/default/nodes",
        "/api/v1/namespaces/default/nodes/x",
        "/api/v1/namespaces/default/configmaps/x/status",
        "/api/v1/namespaces/default/configmaps/x/y/z",
        "/api/v1/namespaces/default/pods/x/status/y",
        f"{ALL}/bs/x",
        f"{HERE}/cs",
        f"{HERE}/cs/x",
    ],
)
async def test_a_path_of_no_kind_is_not_found_by_any_verb(talk, method, path):
    await kinds(talk)
    body = None if method == "GET" else {}
    response = await talk.send(method, path, body, content_type="application/merge-patch+json")
    assert response.status == 404
    message = b"404 page not found" if "paths.example" in path else b"the server could not find the requested resource"
    assert message in response.body


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_a_list_of_all_namespaces_is_read_only(talk, method):
    await kinds(talk)
    assert (await talk.send("GET", f"{ALL}/bs")).status == 200
    assert (await talk.send(method, f"{ALL}/bs", {})).status == 404
    assert (await talk.send(method, "/api/v1/configmaps", {})).status == 405


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("part", ["status", "scale", "more", "status/more"])
async def test_a_part_that_a_custom_resource_has_not_is_not_found_by_its_name(talk, method, part):
    await kinds(talk)
    for path, plural in ((f"{HERE}/bs/x", "bs"), (f"{ALL}/cs/x", "cs")):
        status, failure = await talk.ask(method, f"{path}/{part}", None if method == "GET" else {})
        assert (status, failure["message"]) == (404, f'{plural}.paths.example "x" not found')
        assert failure["details"] == {"name": "x", "group": "paths.example", "kind": plural}


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_a_write_of_a_collection_of_custom_resources_names_nothing(talk, method):
    await kinds(talk)
    for path in (f"{HERE}/bs", f"{ALL}/cs"):
        assert (await talk.ask(method, path, {}))[1]["message"] == "name must be provided"


@pytest.mark.parametrize("path", [f"{ALL}/cs", "/api/v1/namespaces", "/api/v1/nodes"])
@pytest.mark.parametrize("selector", ["metadata.namespace=default", "metadata.name=x,metadata.namespace!=y"])
async def test_an_object_of_the_cluster_is_not_selected_by_namespace(talk, path, selector):
    await kinds(talk)
    for query in ("", "&watch=1&timeoutSeconds=1"):
        status, failure = await talk.ask("GET", f"{path}?fieldSelector={selector}{query}")
        assert (status, failure["message"]) == (400, "field label not supported: metadata.namespace")
    assert (await talk.ask("GET", f"{HERE}/bs?fieldSelector=metadata.namespace=default"))[0] == 200


@pytest.mark.parametrize(
    ("accept", "streams"),
    [
        ("application/yaml", True),
        ("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", True),
        ("application/json;as=Foo;g=meta.k8s.io;v=v1", False),
        ("application/json;as=Table;g=meta.k8s.io;v=v2", False),
        ("application/json;stream=foo", False),
    ],
)
async def test_a_watch_in_a_form_that_no_stream_has_is_406(talk, accept, streams):
    await kinds(talk)
    await talk.make("x")
    for path in (talk.configmaps, f"{HERE}/bs", f"{ALL}/cs"):
        response = await talk.send("GET", f"{path}?watch=1&timeoutSeconds=1", accept=accept)
        assert response.status == 406
        assert (b"stream=watch" in response.body) is streams


def test_a_watch_list_from_a_version_that_has_not_come_ends_with_a_timeout() -> None:
    async def main() -> None:
        talk = Talk()
        await kinds(talk)
        for path in (f"{ALL}/cs", f"{HERE}/bs", talk.configmaps, "/api/v1/namespaces"):
            query = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
            stream = await talk.watch(f"{path}?{query}&resourceVersion=99999")
            event = await stream.event()
            assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 504, "Timeout")
            assert event["object"]["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"
            with pytest.raises(StopAsyncIteration):
                await stream.event()

    run_virtual(main())


def test_a_watch_is_never_sent_back_behind_its_version() -> None:
    async def main() -> None:
        talk = Talk()
        stream = await talk.watch(
            f"{talk.configmaps}?watch=1&allowWatchBookmarks=true&timeoutSeconds=200&resourceVersion=99999"
        )
        with pytest.raises(StopAsyncIteration):
            await stream.event()

    run_virtual(main())
