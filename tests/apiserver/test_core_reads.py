from __future__ import annotations

import pytest


async def filled(talk, count: int = 5) -> None:
    for index in range(count):
        await talk.make(f"c{index}", data={"n": str(index)})


def names(reply) -> list[str]:
    return [item["metadata"]["name"] for item in reply["items"]]


async def test_items_of_built_in_kinds_do_not_say_their_type(talk):
    await filled(talk, 1)
    _, reply = await talk.ask("GET", talk.configmaps)
    assert (reply["kind"], reply["apiVersion"]) == ("ConfigMapList", "v1")
    assert "kind" not in reply["items"][0]
    assert reply["items"][0]["data"] == {"n": "0"}


async def test_all_pages_show_the_version_of_the_first(talk):
    await filled(talk)
    _, first = await talk.ask("GET", f"{talk.configmaps}?limit=2")
    assert first["metadata"]["remainingItemCount"] == 3
    await talk.make("c2b")
    await talk.ask("DELETE", f"{talk.configmaps}/c4")
    seen, page = names(first), first
    while page["metadata"].get("continue"):
        _, page = await talk.ask("GET", f"{talk.configmaps}?limit=2&continue={page['metadata']['continue']}")
        assert page["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
        seen += names(page)
    assert seen == ["c0", "c1", "c2", "c3", "c4"]


async def test_a_page_of_forgotten_history_has_expired_and_hands_on_a_token_for_the_rest(talk):
    await filled(talk)
    _, first = await talk.ask("GET", f"{talk.configmaps}?limit=2")
    await talk.make("later")
    talk.api.compact()
    status, failure = await talk.ask("GET", f"{talk.configmaps}?limit=9&continue={first['metadata']['continue']}")
    assert (status, failure["reason"]) == (410, "Expired")
    _, rest = await talk.ask("GET", f"{talk.configmaps}?limit=9&continue={failure['metadata']['continue']}")
    assert names(rest) == ["c2", "c3", "c4", "later"]


async def test_an_exact_version_shows_the_past(talk):
    await filled(talk, 1)
    version = talk.api.storage.revision
    await talk.make("c1")
    _, past = await talk.ask("GET", f"{talk.configmaps}?resourceVersion={version}&resourceVersionMatch=Exact")
    assert (names(past), past["metadata"]["resourceVersion"]) == (["c0"], str(version))
    _, present = await talk.ask("GET", f"{talk.configmaps}?resourceVersion={version}")
    assert names(present) == ["c0", "c1"]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("resourceVersionMatch=Exact", 422),
        ("resourceVersion=0&resourceVersionMatch=Exact", 422),
        ("resourceVersion=1&resourceVersionMatch=Bogus", 422),
        ("resourceVersion=x", 400),
        ("sendInitialEvents=true", 422),
        ("continue=garbage", 400),
        ("limit=x", 400),
        ("watch=1&resourceVersion=x", 500),
        ("watch=1&sendInitialEvents=true", 422),
        ("watch=1&timeoutSeconds=x", 400),
    ],
)
async def test_options_that_make_no_sense_are_refused(talk, query, status):
    assert (await talk.ask("GET", f"{talk.configmaps}?{query}"))[0] == status


async def test_a_watch_reports_what_follows_its_list(talk):
    await filled(talk, 2)
    _, reply = await talk.ask("GET", talk.configmaps)
    stream = await talk.watch(f"{talk.configmaps}?watch=true&resourceVersion={reply['metadata']['resourceVersion']}")
    await talk.make("x")
    await talk.merge(f"{talk.configmaps}/x", {"data": {"k": "v"}})
    await talk.ask("DELETE", f"{talk.configmaps}/c0")
    assert await stream.reported(3) == [("ADDED", "x"), ("MODIFIED", "x"), ("DELETED", "c0")]
    await stream.close()


async def test_a_watch_without_a_version_begins_with_what_there_is(talk):
    await filled(talk, 2)
    stream = await talk.watch(f"{talk.configmaps}?watch=1")
    assert await stream.reported(2) == [("ADDED", "c0"), ("ADDED", "c1")]
    await stream.close()


async def test_initial_events_end_with_a_bookmark(talk):
    await filled(talk, 1)
    query = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    stream = await talk.watch(f"{talk.configmaps}?{query}")
    assert await stream.reported(1) == [("ADDED", "c0")]
    metadata = {"resourceVersion": str(talk.api.storage.revision), "annotations": {"k8s.io/initial-events-end": "true"}}
    bookmark = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": metadata}
    assert await stream.event() == {"type": "BOOKMARK", "object": bookmark}
    await stream.close()


async def test_crossing_a_selector_is_an_arrival_or_a_departure(talk):
    await filled(talk, 1)
    stream = await talk.watch(f"{talk.configmaps}?watch=1&labelSelector=x&resourceVersion={talk.api.storage.revision}")
    path = f"{talk.configmaps}/c0"
    await talk.merge(path, {"metadata": {"labels": {"x": "1"}}})
    await talk.merge(path, {"metadata": {"labels": {"x": "2"}}})
    _, left = await talk.merge(path, {"metadata": {"labels": None}})
    await talk.merge(path, {"data": {"unseen": "1"}})
    assert await stream.reported(2) == [("ADDED", "c0"), ("MODIFIED", "c0")]
    gone = await stream.event()
    assert (gone["type"], gone["object"]["metadata"]["labels"]) == ("DELETED", {"x": "2"})
    assert gone["object"]["metadata"]["resourceVersion"] == left["metadata"]["resourceVersion"]
    await stream.close()


async def test_a_watch_of_forgotten_history_is_notified_on_the_stream(talk):
    await filled(talk, 2)
    talk.api.compact()
    stream = await talk.watch(f"{talk.configmaps}?watch=1&resourceVersion=2")
    event = await stream.event()
    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")
    with pytest.raises(StopAsyncIteration):
        await stream.event()


async def test_watchers_share_the_bytes_of_an_event(talk):
    one = await talk.watch(f"{talk.configmaps}?watch=1&resourceVersion={talk.api.storage.revision}")
    two = await talk.watch(f"{talk.configmaps}?watch=1&resourceVersion={talk.api.storage.revision}")
    made = await talk.make("a")
    assert (await one.event())["object"] == (await two.event())["object"] == made
    change = next(talk.api.storage.table(("", "configmaps")).changes(int(made["metadata"]["resourceVersion"]) - 1))
    assert len(change.lines) == 1
    await one.close()
    await two.close()


async def test_a_closed_watch_frees_its_channel(talk):
    stream = await talk.watch(f"{talk.configmaps}?watch=1&resourceVersion=0")
    await talk.make("a")
    await stream.event()
    table = talk.api.storage.table(("", "configmaps"))
    assert table.watchers == 1
    await stream.close()
    assert table.watchers == 0


async def test_tables_are_watched_as_they_are_listed(talk):
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io"
    await filled(talk, 1)
    _, table = await talk.ask("GET", talk.configmaps, accept=accept)
    assert table["rows"][0]["cells"][:2] == ["c0", 1]
    response = await talk.send("GET", f"{talk.configmaps}?watch=1", accept=accept)
    line = await anext(response.body)
    assert b'"kind":"Table"' in line
    await response.body.aclose()


async def test_events_are_selected_by_the_fields_of_the_version_that_is_asked_for(talk):
    body = {
        "metadata": {"name": "e", "namespace": "default"},
        "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"},
        "reason": "Because",
        "type": "Normal",
    }
    assert (await talk.ask("POST", "/api/v1/namespaces/default/events", body))[0] == 201
    path = "/apis/events.k8s.io/v1/namespaces/default/events"
    _, reply = await talk.ask("GET", f"{path}?fieldSelector=regarding.kind=Pod")
    assert names(reply) == ["e"]
