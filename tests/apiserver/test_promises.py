"""What the server promises beyond the recorded answers (A2, A4)."""

from __future__ import annotations

import asyncio

import pytest


def versions(objects):
    """Names by the version that each object has."""
    return {obj["metadata"]["resourceVersion"]: obj["metadata"]["name"] for obj in objects}


async def test_a2_a_subresource_without_code_is_refused_and_never_taken_for_its_object(talk):
    pods = "/api/v1/namespaces/default/pods"
    await talk.make("p", pods, spec={"containers": [{"name": "c", "image": "i"}]})

    status, told = await talk.ask("GET", f"{pods}/p/exec?command=ls")

    assert (status, told["reason"], told["details"]) == (501, "NotImplemented", {"name": "p", "kind": "pods/exec"})
    assert told["message"] == 'the embedded API server does not implement pods/exec (asked of "p")'
    assert (await talk.ask("GET", f"{pods}/p"))[1]["kind"] == "Pod"


async def test_a2_every_listed_subresource_is_stored_or_has_code_or_is_refused(talk):
    """Discovery and code cannot drift apart: what is neither stored nor given code answers 501."""
    registry, refused = talk.api.registry, set()
    for resource in registry.resources():
        base = f"/apis/{resource.group}/v1" if resource.group else "/api/v1"
        where = f"{base}/namespaces/default" if resource.namespaced else base
        for sub in resource.subresources.values():
            for verb in sub.verbs:
                if sub.strategy is not None or sub.scales or verb in sub.handlers:
                    continue
                method = {"get": "GET", "create": "POST", "update": "PUT"}.get(verb, verb.upper())
                status, _ = await talk.ask(
                    method, f"{where}/{resource.plural}/x/{sub.name}", None if verb == "get" else {}
                )
                assert status == 501, (resource.plural, sub.name, verb)
                refused.add(f"{resource.plural}/{sub.name}")
    assert {"pods/exec", "pods/portforward", "pods/proxy", "pods/resize"} <= refused


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/apis/none.example/v1/things", {}, 404),
        ("GET", "/api/v1/namespaces/default/pods/p/nothing", {}, 404),
        ("PUT", "/api/v1/namespaces/default/configmaps", {}, 405),
        ("TRACE", "/api/v1/namespaces/default/configmaps", {}, 405),
        ("POST", "/api/v1/namespaces/default/configmaps", {"content_type": "image/png"}, 415),
        ("PATCH", "/api/v1/namespaces/default/configmaps/c", {"content_type": "text/plain"}, 415),
        ("GET", "/api/v1/namespaces/default/configmaps", {"accept": "image/png"}, 406),
    ],
)
async def test_a2_what_is_not_supported_fails_with_its_status(talk, method, path, headers, status):
    await talk.make("c")
    body = {"metadata": {"name": "x"}} if method in ("POST", "PUT", "PATCH") else None
    answer = await talk.send(method, path, body, **headers)
    assert answer.status == status


async def test_a4_every_write_that_was_acknowledged_is_read_listed_and_told(talk):
    start = (await talk.ask("GET", talk.configmaps))[1]["metadata"]["resourceVersion"]
    watch = await talk.watch(f"{talk.configmaps}?watch=true&resourceVersion={start}")

    made = await asyncio.gather(*[talk.make(f"c{number}") for number in range(50)])
    told = [(await watch.event())["object"] for _ in range(50)]
    await watch.close()
    listed = (await talk.ask("GET", talk.configmaps))[1]["items"]

    assert len(versions(made)) == 50
    assert versions(listed) == versions(told) == versions(made)
    order = [int(obj["metadata"]["resourceVersion"]) for obj in told]
    assert order == sorted(order)
