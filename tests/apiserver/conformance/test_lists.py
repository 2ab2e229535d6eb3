"""Options of lists: limits and tokens, versions and how they are matched, and history that is not there any more."""

import base64
import json

import pytest

from zestor_controller.testing.clock import run_virtual

NEEDS_VERSION = "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided"
UNSUPPORTED = 'Unsupported value: "Bogus": supported values: "Exact", "NotOlderThan", ""'
NOT_A_NUMBER = (
    'invalid resource version: resourceVersion: Invalid value: "abc": strconv.ParseUint: parsing "abc": invalid syntax'
)


@pytest.fixture
async def seven(server):
    """Seven ConfigMaps, c0 to c6."""
    for number in range(7):
        await server.configmap(f"c{number}", {"n": str(number)}, labels={"par": "even" if number % 2 == 0 else "odd"})
    return server


def token(answer):
    return answer.body["metadata"].get("continue", "")


@pytest.mark.parametrize(
    ("query", "causes"),
    [
        ("resourceVersionMatch=Exact", [NEEDS_VERSION]),
        ("resourceVersionMatch=NotOlderThan", [NEEDS_VERSION]),
        ("resourceVersionMatch=Bogus", [NEEDS_VERSION, UNSUPPORTED]),
        ("resourceVersion=&resourceVersionMatch=Exact", [NEEDS_VERSION]),
        ("resourceVersion=1&resourceVersionMatch=Bogus", [UNSUPPORTED]),
        ("resourceVersion=abc&resourceVersionMatch=Bogus", [UNSUPPORTED]),
        (
            "resourceVersion=0&resourceVersionMatch=Exact",
            ['Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"'],
        ),
    ],
)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_a_match_that_makes_no_sense_is_invalid(seven, method, query, causes):
    refused = await seven.ask(method, f"{seven.configmaps}?{query}")

    assert (refused.status, refused.body["reason"], refused.body["details"]["kind"]) == (422, "Invalid", "ListOptions")
    assert refused.causes == [("resourceVersionMatch", cause) for cause in causes]
    assert len((await seven.get(seven.configmaps)).names) == 7


@pytest.mark.parametrize("query", ["resourceVersionMatch=Exact&", "resourceVersionMatch=NotOlderThan&", ""])
async def test_a_list_at_a_version_that_is_no_number_is_a_bad_request(seven, query):
    refused = await seven.get(f"{seven.configmaps}?{query}resourceVersion=abc")

    assert refused.failure == (400, "BadRequest", NOT_A_NUMBER)


@pytest.mark.parametrize(
    ("query", "causes"),
    [
        (
            "sendInitialEvents=true",
            [("sendInitialEvents", "Forbidden: sendInitialEvents is forbidden for list")],
        ),
        (
            "sendInitialEvents=false",
            [("sendInitialEvents", "Forbidden: sendInitialEvents is forbidden for list")],
        ),
    ],
)
async def test_initial_events_are_of_watches_alone(seven, query, causes):
    refused = await seven.get(f"{seven.configmaps}?{query}")

    assert (refused.status, refused.causes) == (422, causes)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("limit=x", 'strconv.ParseInt: parsing "x": invalid syntax'),
        ("limit=", 'strconv.ParseInt: parsing "": invalid syntax'),
        ("limit=1.5", 'strconv.ParseInt: parsing "1.5": invalid syntax'),
        ("limit=9223372036854775808", 'strconv.ParseInt: parsing "9223372036854775808": value out of range'),
        ("timeoutSeconds=x", 'strconv.ParseInt: parsing "x": invalid syntax'),
        ("limit=1&continue=garbage", None),
        ("limit=1&continue=e30", None),
    ],
)
async def test_a_number_or_token_that_cannot_be_read_is_a_bad_request(seven, query, message):
    refused = await seven.get(f"{seven.configmaps}?{query}")

    assert refused.failure[:2] == (400, "BadRequest")
    assert refused.message == message or (message is None and "continue" in refused.message)


@pytest.mark.parametrize("query", ["limit=0", "limit=-1", "limit=7", "limit=100", "", "continue=", "pretty=x"])
async def test_a_limit_that_holds_everything_leaves_no_token(seven, query):
    found = await seven.get(f"{seven.configmaps}?{query}")

    assert found.names == [f"c{number}" for number in range(7)]
    assert token(found) == ""
    assert "remainingItemCount" not in found.body["metadata"]


@pytest.mark.parametrize("limit", range(1, 7))
async def test_pages_of_any_size_have_every_object_once_and_count_what_remains(seven, limit):
    page = await seven.get(f"{seven.configmaps}?limit={limit}")
    seen = page.names
    while token(page):
        assert page.body["metadata"]["remainingItemCount"] == 7 - len(seen)
        page = await seven.get(f"{seven.configmaps}?limit={limit}&continue={token(page)}")
        seen += page.names

    assert seen == [f"c{number}" for number in range(7)]


async def test_the_limit_may_change_from_page_to_page(seven):
    first = await seven.get(f"{seven.configmaps}?limit=1")
    second = await seven.get(f"{seven.configmaps}?limit=4&continue={token(first)}")
    rest = await seven.get(f"{seven.configmaps}?continue={token(second)}")

    assert (first.names, second.names, rest.names) == (["c0"], ["c1", "c2", "c3", "c4"], ["c5", "c6"])


async def test_pages_show_the_past_of_the_first_one(seven):
    first = await seven.get(f"{seven.configmaps}?limit=3")
    await seven.configmap("c2b")
    await seven.delete(f"{seven.configmaps}/c5")
    await seven.patch("merge", f"{seven.configmaps}/c6", {"data": {"n": "changed"}})

    rest = await seven.get(f"{seven.configmaps}?continue={token(first)}")

    assert rest.names == ["c3", "c4", "c5", "c6"]
    assert rest.body["items"][-1]["data"] == {"n": "6"}
    assert rest.body["metadata"]["resourceVersion"] == first.body["metadata"]["resourceVersion"]


async def test_selected_pages_are_full_and_count_nothing(seven):
    first = await seven.get(f"{seven.configmaps}?labelSelector=par%3Dodd&limit=2")
    rest = await seven.get(f"{seven.configmaps}?labelSelector=par%3Dodd&limit=2&continue={token(first)}")

    assert (first.names, rest.names) == (["c1", "c3"], ["c5"])
    assert "remainingItemCount" not in first.body["metadata"]
    assert token(rest) == ""


async def test_a_token_of_another_place_does_not_lead_out_of_it(seven):
    """A token names a key below the collection; one that climbs is refused."""
    climbing = base64.urlsafe_b64encode(
        json.dumps({"v": "meta.k8s.io/v1", "rv": 1, "start": "../../secrets/"}).encode()
    ).decode()

    refused = await seven.get(f"{seven.configmaps}?limit=1&continue={climbing.rstrip('=')}")

    assert refused.failure[:2] == (400, "BadRequest")
    assert refused.message.startswith("invalid continue token: continue key is not valid")


@pytest.mark.parametrize(
    ("query", "failure"),
    [
        ("resourceVersion=5", (400, "BadRequest", "specifying resource version is not allowed when using continue")),
        ("resourceVersion=0", None),
        ("resourceVersion=", None),
    ],
)
async def test_a_token_goes_with_no_version_of_its_own(seven, query, failure):
    first = await seven.get(f"{seven.configmaps}?limit=3")

    found = await seven.get(f"{seven.configmaps}?limit=1&continue={token(first)}&{query}")

    if failure is None:
        assert found.names[0] == "c3"
    else:
        assert found.failure == failure


async def test_a_token_goes_with_no_match(seven):
    first = await seven.get(f"{seven.configmaps}?limit=3")

    refused = await seven.get(f"{seven.configmaps}?continue={token(first)}&resourceVersionMatch=Exact")

    assert refused.causes == [
        ("resourceVersionMatch", NEEDS_VERSION),
        ("resourceVersionMatch", "Forbidden: resourceVersionMatch is forbidden when continue is provided"),
    ]


async def test_an_exact_version_shows_what_was_and_any_other_match_what_is(seven):
    then = (await seven.get(seven.configmaps)).body["metadata"]["resourceVersion"]
    await seven.delete(f"{seven.configmaps}/c0")
    await seven.configmap("c9")
    now = (await seven.get(seven.configmaps)).body["metadata"]["resourceVersion"]

    exact = await seven.get(f"{seven.configmaps}?resourceVersion={then}&resourceVersionMatch=Exact")
    newer = await seven.get(f"{seven.configmaps}?resourceVersion={then}&resourceVersionMatch=NotOlderThan")
    unset = await seven.get(f"{seven.configmaps}?resourceVersion={then}")
    any_version = await seven.get(f"{seven.configmaps}?resourceVersion=0")

    assert (exact.names[0], exact.names[-1], exact.body["metadata"]["resourceVersion"]) == ("c0", "c6", then)
    for found in (newer, unset, any_version):
        assert (found.names[0], found.names[-1]) == ("c1", "c9")
        assert int(found.body["metadata"]["resourceVersion"]) >= int(now)


async def test_pages_of_an_exact_version_stay_there(seven):
    then = (await seven.get(seven.configmaps)).body["metadata"]["resourceVersion"]
    await seven.delete(f"{seven.configmaps}/c3")

    first = await seven.get(f"{seven.configmaps}?resourceVersion={then}&resourceVersionMatch=Exact&limit=3")
    rest = await seven.get(f"{seven.configmaps}?continue={token(first)}")

    assert (first.names, rest.names) == (["c0", "c1", "c2"], ["c3", "c4", "c5", "c6"])


async def test_an_object_is_read_at_any_version_but_not_at_a_bad_one(seven):
    made = (await seven.get(f"{seven.configmaps}/c0")).body
    version = made["metadata"]["resourceVersion"]

    for query in ("", "?resourceVersion=0", f"?resourceVersion={version}", "?resourceVersionMatch=Exact"):
        assert (await seven.get(f"{seven.configmaps}/c0{query}")).body == made
    refused = await seven.get(f"{seven.configmaps}/c0?resourceVersion=abc")
    assert refused.failure == (500, None, NOT_A_NUMBER.removeprefix("invalid resource version: "))


@pytest.mark.parametrize("path", ["/c0?", "?", "?resourceVersionMatch=NotOlderThan&", "?resourceVersionMatch=Exact&"])
def test_a_version_that_has_not_come_is_waited_for_and_then_a_timeout(server, path):
    async def read():
        await server.configmap("c0")
        return await server.get(f"{server.configmaps}{path}resourceVersion=999999999")

    refused = run_virtual(read())

    status, reason, message = refused.failure
    assert (status, reason) == (504, "Timeout")
    assert message.startswith("Timeout: Too large resource version: 999999999, current: ")
    assert refused.body["details"] == {
        "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
        "retryAfterSeconds": 1,
    }
    assert refused.header("retry-after") == "1"


EXPIRED = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
    "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or "
    "deleted between the time the first chunk was returned and now may show up in the list."
)


async def test_a_compacted_page_hands_out_a_token_for_the_rest_of_the_present(seven):
    first = await seven.get(f"{seven.configmaps}?limit=2")
    await seven.delete(f"{seven.configmaps}/c3")
    await seven.configmap("c4b")
    seven.api.compact()

    expired = await seven.get(f"{seven.configmaps}?limit=2&continue={token(first)}")
    assert expired.failure == (410, "Expired", EXPIRED)
    fresh = expired.body["metadata"]["continue"]
    assert fresh != token(first)
    rest = await seven.get(f"{seven.configmaps}?limit=2&continue={fresh}")
    last = await seven.get(f"{seven.configmaps}?continue={token(rest)}")

    assert (rest.names, last.names) == (["c2", "c4"], ["c4b", "c5", "c6"])
    assert last.body["metadata"]["resourceVersion"] == rest.body["metadata"]["resourceVersion"]


async def test_a_compacted_exact_version_is_expired_and_a_not_older_one_is_not(seven):
    then = (await seven.get(seven.configmaps)).body["metadata"]["resourceVersion"]
    await seven.delete(f"{seven.configmaps}/c0")
    await seven.delete(f"{seven.configmaps}/c1")
    seven.api.compact()

    expired = await seven.get(f"{seven.configmaps}?resourceVersion={then}&resourceVersionMatch=Exact")
    newer = await seven.get(f"{seven.configmaps}?resourceVersion={then}&resourceVersionMatch=NotOlderThan")

    assert expired.failure == (410, "Expired", "The resourceVersion for the provided list is too old.")
    assert len(newer.names) == 5


async def test_a_list_of_all_namespaces_is_ordered_by_namespace_and_name(seven):
    await seven.create("/api/v1/namespaces", {"metadata": {"name": "aaa"}})
    await seven.create("/api/v1/namespaces/aaa/configmaps", {"metadata": {"name": "z"}})

    first = await seven.get("/api/v1/configmaps?limit=2")
    rest = await seven.get(f"/api/v1/configmaps?limit=2&continue={token(first)}")

    assert (first.names, rest.names) == (["z", "c0"], ["c1", "c2"])


async def test_a_list_of_custom_resources_says_its_items_types_and_an_empty_token(server, definition, widget):
    path = await server.define(definition())
    await server.create(path, widget("w"))

    found = await server.get(path)

    assert (found.body["kind"], found.body["apiVersion"]) == ("WidgetList", "example.com/v1")
    assert found.body["metadata"]["continue"] == ""
    assert [(item["kind"], item["apiVersion"]) for item in found.body["items"]] == [("Widget", "example.com/v1")]


async def test_a_list_of_built_in_objects_does_not(seven):
    found = await seven.get(seven.configmaps)

    assert (found.body["kind"], found.body["apiVersion"]) == ("ConfigMapList", "v1")
    assert set(found.body["metadata"]) == {"resourceVersion"}
    assert not any({"kind", "apiVersion"} & set(item) for item in found.body["items"])
