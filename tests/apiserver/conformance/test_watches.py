"""Options of watches: where they begin, bookmarks, timeouts, forms, and how they end."""

import pytest

from zestor_controller.testing.clock import run_virtual

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
METADATA = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
WATCH_LIST = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
NEEDS_MATCH = (
    "resourceVersionMatch",
    "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
)


@pytest.fixture
async def two(server):
    await server.configmap("a", {"k": "1"})
    await server.configmap("b", {"k": "1"}, labels={"q": "1"})
    return server


async def version(server):
    return (await server.get(server.configmaps)).body["metadata"]["resourceVersion"]


@pytest.mark.parametrize(
    ("query", "causes"),
    [
        ("sendInitialEvents=true", [NEEDS_MATCH]),
        ("sendInitialEvents=false", [NEEDS_MATCH]),
        (
            "sendInitialEvents=true&resourceVersionMatch=Exact",
            [
                NEEDS_MATCH,
                ("resourceVersionMatch", 'Unsupported value: "Exact": supported values: "NotOlderThan"'),
            ],
        ),
        (
            "resourceVersionMatch=NotOlderThan",
            [
                (
                    "resourceVersionMatch",
                    "Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
                )
            ],
        ),
    ],
)
async def test_initial_events_and_a_match_go_together(two, query, causes):
    refused = await two.get(f"{two.configmaps}?watch=1&{query}")

    assert (refused.status, refused.body["details"]["kind"]) == (422, "ListOptions")
    assert refused.causes == sorted(causes)


async def test_initial_events_end_with_a_bookmark_of_the_watched_kind(two):
    stream = await two.watch(f"{two.configmaps}?{WATCH_LIST}")

    assert await stream.events(2) == [("ADDED", "a"), ("ADDED", "b")]
    end = await stream.event()
    assert (end["type"], end["object"]["kind"], end["object"]["apiVersion"]) == ("BOOKMARK", "ConfigMap", "v1")
    assert end["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    await two.configmap("c")
    assert await stream.events(1) == [("ADDED", "c")]
    await stream.close()


async def test_initial_events_are_selected_and_their_end_comes_even_without_any(two):
    for selector, names in (("labelSelector=q", ["b"]), ("fieldSelector=metadata.name%3Dnone", [])):
        stream = await two.watch(f"{two.configmaps}?{WATCH_LIST}&{selector}")
        assert await stream.events(len(names)) == [("ADDED", name) for name in names]
        assert (await stream.event())["type"] == "BOOKMARK"
        await stream.close()


async def test_without_initial_events_only_the_changes_come(two):
    query = "watch=1&sendInitialEvents=false&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    stream = await two.watch(f"{two.configmaps}?{query}&resourceVersion={await version(two)}")

    await two.configmap("c")

    assert await stream.events(1) == [("ADDED", "c")]
    await stream.close()


@pytest.mark.parametrize("query", ["", "&resourceVersion=", "&resourceVersion=0"])
async def test_a_watch_from_no_version_begins_with_what_is_there(two, query):
    stream = await two.watch(f"{two.configmaps}?watch=1{query}")

    assert await stream.events(2) == [("ADDED", "a"), ("ADDED", "b")]
    await two.patch("merge", f"{two.configmaps}/a", {"data": {"k": "2"}})
    assert await stream.events(1) == [("MODIFIED", "a")]
    await stream.close()


async def test_a_watch_from_a_version_begins_right_after_it(two):
    before = await version(two)
    await two.patch("merge", f"{two.configmaps}/a", {"data": {"k": "2"}})
    await two.delete(f"{two.configmaps}/b")
    await two.configmap("c")

    stream = await two.watch(f"{two.configmaps}?watch=1&resourceVersion={before}")

    events = [await stream.event() for _ in range(3)]
    kinds = [(event["type"], event["object"]["metadata"]["name"]) for event in events]
    assert kinds == [("MODIFIED", "a"), ("DELETED", "b"), ("ADDED", "c")]
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in events]
    assert versions == sorted(set(versions))
    assert versions[0] > int(before)
    await stream.close()


@pytest.mark.parametrize(
    ("value", "watches"),
    [
        ("1", True),
        ("true", True),
        ("True", True),
        ("yes", True),
        ("", True),
        ("0", False),
        ("false", False),
        ("False", False),
        ("FALSE", False),
    ],
)
async def test_everything_but_zero_and_false_is_true(two, value, watches):
    response = await two.send("GET", f"{two.configmaps}?watch={value}")

    assert isinstance(response.body, bytes) is not watches
    if watches:
        await response.body.aclose()


async def test_a_watch_at_a_version_that_is_no_number_is_an_error_without_a_reason(two):
    refused = await two.get(f"{two.configmaps}?watch=1&resourceVersion=abc")

    message = 'resourceVersion: Invalid value: "abc": strconv.ParseUint: parsing "abc": invalid syntax'
    assert refused.failure == (500, None, message)


@pytest.mark.parametrize("seconds", ["x", "1.5", ""])
async def test_a_timeout_that_is_no_number_is_a_bad_request(two, seconds):
    refused = await two.get(f"{two.configmaps}?watch=1&timeoutSeconds={seconds}")

    assert refused.failure == (400, "BadRequest", f'strconv.ParseInt: parsing "{seconds}": invalid syntax')


def test_a_timeout_ends_a_watch_without_an_error(server):
    async def follow():
        await server.configmap("a")
        stream = await server.watch(f"{server.configmaps}?watch=1&timeoutSeconds=5")
        return await stream.rest()

    assert [event["type"] for event in run_virtual(follow())] == ["ADDED"]


def test_without_a_timeout_a_watch_lasts_at_least_half_an_hour_and_less_than_one():
    import asyncio

    from zestor_controller.apiserver import ADMINISTRATOR, ApiServer, TokenAuthenticator
    from zestor_controller.http import HttpRequest

    async def last() -> float:
        api = ApiServer(TokenAuthenticator({"t": ADMINISTRATOR}))
        query = [("watch", "1"), ("resourceVersion", "0")]
        headers = {"authorization": "Bearer t"}
        response = await api.handle(HttpRequest("GET", "/api/v1/configmaps", query, headers))
        loop = asyncio.get_running_loop()
        began = loop.time()
        async for _ in response.body:
            raise AssertionError("an event of nothing")
        return loop.time() - began

    for _ in range(5):
        assert 1800 <= run_virtual(last()) <= 3600


def test_bookmarks_come_each_minute_only_to_those_who_allow_them(server):
    async def follow(bookmarks):
        query = f"watch=1&resourceVersion=0&timeoutSeconds=200{bookmarks}"
        stream = await server.watch(f"{server.configmaps}?{query}")
        return await stream.rest()

    events = run_virtual(follow("&allowWatchBookmarks=true"))
    assert 2 <= len(events) <= 5
    assert {event["type"] for event in events} == {"BOOKMARK"}
    for event in events:
        assert set(event["object"]) == {"kind", "apiVersion", "metadata"}
        assert set(event["object"]["metadata"]) == {"resourceVersion"}
    assert run_virtual(follow("")) == []


@pytest.mark.parametrize("kind", ["configmaps", "widgets"])
async def test_a_watch_of_compacted_history_is_one_error_event(server, definition, widget, kind):
    if kind == "widgets":
        path = await server.define(definition())
        for name in ("x", "y"):
            await server.create(path, widget(name))
    else:
        path = server.configmaps
        for name in ("x", "y"):
            await server.configmap(name)
    server.api.compact()

    events = await (await server.watch(f"{path}?watch=1&resourceVersion=1")).rest()

    assert [event["type"] for event in events] == ["ERROR"]
    status = events[0]["object"]
    assert (status["kind"], status["code"], status["reason"]) == ("Status", 410, "Expired")
    assert status["message"].startswith(("too old resource version: 1 (", "The resourceVersion for the provided watch"))


async def test_one_object_is_watched_by_its_name(two):
    stream = await two.watch(f"{two.configmaps}?watch=1&fieldSelector=metadata.name%3Db")

    assert await stream.events(1) == [("ADDED", "b")]
    await two.patch("merge", f"{two.configmaps}/a", {"data": {"k": "2"}})
    await two.delete(f"{two.configmaps}/b")
    assert await stream.events(1) == [("DELETED", "b")]
    await stream.close()


async def test_the_old_path_of_watches_watches_without_a_parameter(two):
    stream = await two.watch("/api/v1/watch/namespaces/default/configmaps/b")
    assert await stream.events(1) == [("ADDED", "b")]
    await stream.close()

    stream = await two.watch("/api/v1/watch/namespaces/default/configmaps")
    assert await stream.events(2) == [("ADDED", "a"), ("ADDED", "b")]
    await stream.close()


async def test_a_watch_parameter_on_an_object_is_ignored(two):
    found = await two.get(f"{two.configmaps}/a?watch=1")

    assert (found.status, found.body["kind"]) == (200, "ConfigMap")


async def test_an_object_that_stops_matching_is_deleted_with_its_last_matching_state(two):
    stream = await two.watch(f"{two.configmaps}?watch=1&labelSelector=q&resourceVersion={await version(two)}")

    await two.patch("merge", f"{two.configmaps}/a", {"metadata": {"labels": {"q": "2"}}})
    await two.patch("merge", f"{two.configmaps}/a", {"data": {"k": "2"}})
    left = await two.patch("merge", f"{two.configmaps}/a", {"metadata": {"labels": None}, "data": {"k": "3"}})
    await two.patch("merge", f"{two.configmaps}/a", {"data": {"k": "4"}})
    await two.delete(f"{two.configmaps}/b")

    assert await stream.events(2) == [("ADDED", "a"), ("MODIFIED", "a")]
    gone = await stream.event()
    assert (gone["type"], gone["object"]["data"]) == ("DELETED", {"k": "2"})
    assert gone["object"]["metadata"]["resourceVersion"] == left.body["metadata"]["resourceVersion"]
    assert await stream.events(1) == [("DELETED", "b")]
    await stream.close()


async def test_a_deleted_event_has_the_version_of_the_deletion(two):
    before = await version(two)
    stream = await two.watch(f"{two.configmaps}?watch=1&resourceVersion={before}")

    await two.delete(f"{two.configmaps}/a")

    gone = await stream.event()
    assert gone["type"] == "DELETED"
    assert int(gone["object"]["metadata"]["resourceVersion"]) > int(before)
    assert gone["object"]["data"] == {"k": "1"}
    await stream.close()


async def test_events_of_all_namespaces_come_in_one_order(two):
    await two.create("/api/v1/namespaces", {"metadata": {"name": "other"}})
    stream = await two.watch(f"/api/v1/configmaps?watch=1&resourceVersion={await version(two)}")

    await two.create("/api/v1/namespaces/other/configmaps", {"metadata": {"name": "x"}})
    await two.configmap("y")
    await two.delete("/api/v1/namespaces/other/configmaps/x")

    assert await stream.events(3) == [("ADDED", "x"), ("ADDED", "y"), ("DELETED", "x")]
    await stream.close()


async def test_a_watched_table_has_its_columns_in_the_first_event_only(two):
    stream = await two.watch(f"{two.configmaps}?watch=1", accept=TABLE)

    first, second = await stream.event(), await stream.event()
    await stream.close()

    assert {first["object"]["kind"], second["object"]["kind"]} == {"Table"}
    assert [column["name"] for column in first["object"]["columnDefinitions"]] == ["Name", "Data", "Age"]
    assert second["object"]["columnDefinitions"] is None
    assert [row["cells"][:2] for row in second["object"]["rows"]] == [["b", 1]]
    assert second["object"]["rows"][0]["object"]["kind"] == "PartialObjectMetadata"


async def test_watched_metadata_has_no_data(two):
    stream = await two.watch(f"{two.configmaps}?watch=1", accept=METADATA)

    event = await stream.event()
    await stream.close()

    assert event["object"]["kind"] == "PartialObjectMetadata"
    assert event["object"]["apiVersion"] == "meta.k8s.io/v1"
    assert "data" not in event["object"]


@pytest.mark.parametrize("form", [TABLE, METADATA])
async def test_the_bookmark_of_a_converted_watch_is_converted_too(two, form):
    stream = await two.watch(f"{two.configmaps}?{WATCH_LIST}", accept=form)
    await stream.event()
    await stream.event()

    end = await stream.event()
    await stream.close()

    assert end["type"] == "BOOKMARK"
    kind = "Table" if form == TABLE else "PartialObjectMetadata"
    assert end["object"]["kind"] == kind


@pytest.mark.parametrize("accept", ["application/yaml", "text/plain", "application/json;stream=other"])
async def test_a_watch_in_another_form_than_json_is_not_acceptable(two, accept):
    refused = await two.get(f"{two.configmaps}?watch=1", accept=accept)

    assert refused.status == 406


async def test_a_watch_of_custom_resources_shows_their_defaults(server, definition, widget):
    path = await server.define(definition())
    stream = await server.watch(f"{path}?watch=1")

    await server.create(path, widget("w", spec={}))

    event = await stream.event()
    assert (event["type"], event["object"]["spec"]) == ("ADDED", {"size": 3})
    await stream.close()


async def test_a_watch_ends_when_its_kind_is_removed(server, definition, widget):
    path = await server.define(definition())
    await server.create(path, widget("w"))
    stream = await server.watch(f"{path}?watch=1")
    assert await stream.events(1) == [("ADDED", "w")]

    await server.delete(f"{server.definitions}/widgets.example.com")

    assert [event["type"] for event in await stream.rest()] == ["DELETED"]
