"""The subresource ``ephemeralcontainers`` of Pods, by which ``kubectl debug`` works."""

from __future__ import annotations

from typing import Any

PODS = "/api/v1/namespaces/default/pods"
DEBUG = {"name": "debug", "image": "busybox"}


async def changed(talk: Any, *containers: Any, **more: Any) -> tuple[int, Any]:
    body = {"spec": {"ephemeralContainers": list(containers), **more}}
    media = "application/strategic-merge-patch+json"
    return await talk.ask("PATCH", f"{PODS}/p/ephemeralcontainers", body, content_type=media)


async def made(talk: Any) -> Any:
    return await talk.make("p", PODS, spec={"containers": [{"name": "c", "image": "i"}]})


async def test_an_ephemeral_container_is_added_and_nothing_else_is_changed(talk: Any) -> None:
    before = await made(talk)
    status, pod = await changed(talk, DEBUG, nodeName="n")
    assert status == 200, pod
    assert "nodeName" not in pod["spec"]
    (added,) = pod["spec"].pop("ephemeralContainers")
    assert (added["name"], added["imagePullPolicy"]) == ("debug", "Always")
    assert pod["spec"] == before["spec"]
    assert pod["metadata"]["generation"] == before["metadata"]["generation"] + 1
    _, read = await talk.ask("GET", f"{PODS}/p/ephemeralcontainers")
    assert [each["name"] for each in read["spec"]["ephemeralContainers"]] == ["debug"]
    subresources = {entry.get("subresource") for entry in pod["metadata"]["managedFields"]}
    assert "ephemeralcontainers" in subresources


async def test_the_main_write_adds_none(talk: Any) -> None:
    await made(talk)
    assert (await talk.merge(f"{PODS}/p", {"spec": {"ephemeralContainers": [DEBUG]}}))[0] == 422


async def test_what_is_there_is_neither_changed_nor_removed(talk: Any) -> None:
    await made(talk)
    await changed(talk, DEBUG)
    status, reported = await changed(talk, {**DEBUG, "image": "other"})
    assert (status, reported["details"]["causes"][0]["reason"]) == (422, "FieldValueForbidden")
    status, _ = await talk.merge(f"{PODS}/p/ephemeralcontainers", {"spec": {"ephemeralContainers": None}})
    assert status == 422
    status, pod = await changed(talk, {"name": "second", "image": "x", "targetContainerName": "c"})
    assert status == 200
    assert {each["name"] for each in pod["spec"]["ephemeralContainers"]} == {"debug", "second"}


async def test_a_new_one_has_a_name_of_its_own_and_no_ports(talk: Any) -> None:
    await made(talk)
    for wrong in (
        {"name": "c", "image": "i"},
        {"name": "d"},
        {"name": "d", "image": "i", "ports": [{"containerPort": 1}]},
        {"name": "d", "image": "i", "resources": {"limits": {"cpu": "1"}}},
        {"name": "d", "image": "i", "targetContainerName": "other"},
    ):
        assert (await changed(talk, wrong))[0] == 422, wrong
