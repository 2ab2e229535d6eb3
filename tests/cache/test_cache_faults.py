"""Faults of the server and of the way to it: what the cache does, and what it says."""

import asyncio
import json

import pytest

from zestor_controller.cache import Timing
from zestor_controller.errors import TransportError
from zestor_controller.http import HttpResponse
from zestor_controller.testing.scripted import status_answer


def error_line(code: int, reason: str = "") -> bytes:
    status = {"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": reason}
    return json.dumps({"type": "ERROR", "object": status}).encode() + b"\n"


def test_c3_an_expired_version_leads_to_a_list_that_delivers_what_vanished(virtually):
    async def test(world):
        for name in ("a", "b", "c"):
            world.server.put("websites", name, spec={"of": name})
        lister = await world.synced()
        world.delivered.clear()
        world.server.refuse("watch", "websites", TransportError("no route to host"))
        world.server.end_watches()
        await world.advance()
        world.server.remove("websites", "b")
        changed = world.server.put("websites", "c", spec={"of": "changed"})
        world.server.compact()
        world.server.refuse("watch", "websites", None)
        await world.advance(60)
        assert world.delivered == [
            ("UPDATE", "default/c", int(changed["metadata"]["resourceVersion"])),
            ("DELETE", "default/b", 102),  # its last known value
        ]
        assert world.versions(lister) == world.server_versions()
        assert world.metric("zestor_synthetic_deletes_total") == 1
        assert world.metric("zestor_relists_total", reason="gone") == 1

    virtually(test)


def test_c4_an_expired_second_page_leaves_the_old_content_until_a_whole_list(virtually):
    async def test(world):
        for n in range(600):
            world.server.put("websites", f"w{n}")
        lister = await world.synced()
        seen = []

        def expire(request):
            seen.append(len(lister))
            return status_answer(410, "Expired", "the continue token is too old")

        for n in range(600):
            world.server.put("websites", f"x{n}")
            world.server.remove("websites", f"w{n}")
            if n == 0:
                world.server.mute()
        world.server.script("list", world.server_page(), expire)
        world.server.compact()
        world.server.send("websites", b"")
        world.server.end_watches()
        await world.advance(400)
        assert seen == [600]
        assert world.versions(lister) == world.server_versions()

    async def prepared(world):
        def page():
            def response(request):
                body = {"metadata": {"resourceVersion": "9000", "continue": "next"}, "items": []}
                return HttpResponse(200, [], json.dumps(body).encode())

            return response

        world.server_page = page
        await test(world)

    virtually(prepared)


@pytest.mark.parametrize(
    "broken",
    [
        status_answer(500, "InternalError"),
        HttpResponse(200, [], b'{"kind":"List","metadata":{"resourceVersion":"9999"},"items":[{"metadata":{"name":"w'),
        HttpResponse(200, [], b"<html>a proxy says hello</html>"),
        HttpResponse(502, [], b"<html>bad gateway</html>"),
        TransportError("the connection broke"),
    ],
    ids=["500", "aborted", "html", "502", "reset"],
)
def test_c4_a_list_that_fails_changes_nothing(virtually, broken):
    async def test(world):
        world.server.put("websites", "w")
        lister = await world.synced()
        world.server.refuse("list", "websites", broken)
        world.server.refuse("watch", "websites", status_answer(410, "Expired"))
        world.server.end_watches()
        await world.advance(100)
        assert lister.get("w") is not None
        assert lister.status.state.value == "stale"
        assert lister.status.synced
        assert "cannot list websites.cache.test" in lister.status.reason
        world.server.refuse("list", "websites", None)
        world.server.refuse("watch", "websites", None)
        await world.advance(100)
        assert lister.status.state.value == "live"
        assert [kind for kind, _, _ in world.delivered] == ["CREATE"]

    virtually(test)


def test_c7_an_error_event_is_retried_in_place_and_listed_after_half_a_minute(virtually):
    async def test(world):
        lister = await world.synced()
        world.server.send("websites", error_line(500, "InternalError"))
        await world.advance(10)
        assert world.server.count("list") == 1
        assert world.server.count("watch") == 2
        assert lister.status.state.value == "live"
        world.server.refuse("watch", "websites", HttpResponse(200, [], error_line(500)))
        world.server.end_watches()
        await world.advance(25)
        assert world.server.count("list") == 1
        await world.advance(100)
        assert world.server.count("list") > 1

    virtually(test)


def test_c6_forbidden_is_said_and_outlived(virtually):
    async def test(world):
        world.server.put("websites", "w")
        message = 'websites.cache.test is forbidden: User "u" cannot list resource "websites"'
        world.server.refuse("list", "websites", status_answer(403, "Forbidden", message))
        informer = world.informer()
        other = await world.cache.add("cache.test/v1/Other")
        await world.advance(5)
        assert informer.status.state.value == "forbidden"
        assert "not allowed to list websites.cache.test" in informer.status.reason
        assert message in informer.status.reason
        assert not informer.status.synced
        assert other.status.live
        world.server.refuse("list", "websites", None)
        await world.advance(120)
        assert informer.status.live
        assert len(informer.lister) == 1

    virtually(test)


def test_c6_an_unknown_kind_waits_for_its_definition_and_is_emptied_with_it(virtually):
    async def test(world):
        missing = HttpResponse(404, [], b"404 page not found")
        world.server.refuse("list", "websites", missing)
        informer = world.informer()
        await world.advance(300)
        assert informer.status.state.value == "no_crd"
        assert "CustomResourceDefinition" in informer.status.reason
        world.server.refuse("list", "websites", None)
        world.server.put("websites", "w")
        await world.advance(90)
        assert informer.status.live
        assert len(informer.lister) == 1
        for verb in ("list", "watch"):
            world.server.refuse(verb, "websites", missing)
        world.server.end_watches()
        await world.advance(90)
        assert informer.status.state.value == "no_crd"
        assert len(informer.lister) == 0
        assert [kind for kind, _, _ in world.delivered] == ["CREATE", "DELETE"]

    virtually(test)


def test_c7_retry_after_is_honoured_by_lists_and_watches(virtually):
    async def test(world):
        busy = status_answer(429, "TooManyRequests", "slow down", retry_after=7)
        world.server.script("list", busy)
        informer = world.informer()
        await world.advance(6.9)
        assert world.server.count("list") == 1
        await world.advance(3)
        assert informer.status.live
        world.server.script("watch", busy)
        world.server.end_watches()
        await world.advance(6.9)
        assert world.server.count("watch") == 2
        await world.advance(0.2)
        assert world.server.count("watch") == 3
        assert world.server.count("list") == 2

    virtually(test)


def test_c7_watches_that_end_at_once_and_empty_back_off(virtually):
    async def test(world):
        await world.synced()
        world.server.refuse("watch", "websites", HttpResponse(200, [], b""))
        world.server.end_watches()
        before = world.server.count("watch")
        await world.advance(600)
        assert 10 <= world.server.count("watch") - before <= 30
        assert world.server.count("list") == 1
        assert world.metric("zestor_watch_streams_total", end="short") >= 10

    virtually(test)


def test_c7_a_server_that_is_away_is_asked_less_and_less_and_is_not_listed_again(virtually):
    async def test(world):
        world.server.put("websites", "w")
        lister = await world.synced()
        world.server.refuse("watch", "websites", TransportError("connection refused"))
        world.server.end_watches()
        before = world.server.count("watch")
        await world.advance(60)
        assert world.server.count("watch") - before <= 8
        assert lister.status.state.value == "stale"
        assert lister.get("w") is not None
        world.server.refuse("watch", "websites", None)
        await world.advance(60)
        assert world.server.count("list") == 1
        assert lister.status.live

    virtually(test)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"garbage\n", "malformed"),
        (b'{"type":"WHAT","object":{"metadata":{"name":"x","resourceVersion":"99999"}}}\n', "malformed"),
        (b'{"type":"ADDED","object":{}}\n', "malformed"),
        (b'{"type":"ADDED","object":{"metadata":{"name":"x"}}}\n', "malformed"),
        (b'{"type":"ADDED","object":{"kind":"Pod","metadata":{"name":"x","resourceVersion":"9"}}}\n', "wrong_kind"),
    ],
)
def test_c1_an_unusable_line_is_skipped_counted_and_made_good_by_a_list(virtually, line, reason):
    async def test(world):
        lister = await world.synced()
        world.server.put("websites", "before")
        await world.advance()
        world.server.mute()
        world.server.put("websites", "garbled")
        for stream in world.server._streams:
            stream.muted = False
        world.server.send("websites", line)
        world.server.put("websites", "after")
        await world.advance()
        assert set(world.versions(lister)) == {"default/before", "default/after"}
        assert lister.status.version == str(world.server.version)
        assert world.metric("zestor_watch_skipped_events_total", reason=reason) == 1
        await world.advance(30)
        assert world.versions(lister) == world.server_versions()
        assert world.server.count("list") == 2
        assert world.metric("zestor_relists_total", reason="skipped") == 1

    virtually(test)


def test_c2_a_list_older_than_the_cache_is_refused(virtually):
    async def test(world):
        world.server.put("websites", "w")
        world.server.put("websites", "w", spec={"n": 2})
        lister = await world.synced()
        stale = {"metadata": {"resourceVersion": "101"}, "items": []}
        world.server.script("list", HttpResponse(200, [], json.dumps(stale).encode()))
        world.server.script("watch", status_answer(410, "Expired"))
        world.server.end_watches()
        await world.advance(0.1)
        assert lister.get("w")["spec"]["n"] == 2
        assert "older than the cache" in lister.status.reason
        await world.advance(60)
        assert lister.status.live
        assert world.versions(lister) == world.server_versions()
        assert [kind for kind, _, _ in world.delivered] == ["CREATE"]

    virtually(test)


def test_c2_older_lists_of_lagging_replicas_begin_no_epoch(virtually):
    async def test(world):
        world.server.put("websites", "w")
        world.server.put("websites", "w", spec={"n": 2})
        lister = await world.synced()
        stale = HttpResponse(200, [], json.dumps({"metadata": {"resourceVersion": "101"}, "items": []}).encode())

        def lagging(request):
            query = dict(request.query)
            return stale if "resourceVersion" in query else world.server._list("websites", None, query)

        world.server.refuse("list", "websites", lagging)
        for _ in range(5):
            world.server.script("watch", status_answer(410, "Expired"))
            world.server.end_watches()
            await world.advance(60)
            assert lister.get("w")["spec"]["n"] == 2
            assert lister.status.live
        assert world.cache.informers()[0]._reflectors[None].history.suspicion is None

    virtually(test)


def test_c2_a_replica_that_lags_is_asked_for_the_newest_state(virtually):
    async def test(world):
        world.server.put("websites", "w")
        lister = await world.synced()
        lagging = status_answer(504, "Timeout", "Too large resource version: 102, current: 90")
        body = json.loads(lagging.body)
        body["details"] = {"causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]}
        lagging = HttpResponse(504, [], json.dumps(body).encode())
        world.server.script("watch", status_answer(410, "Expired"))
        world.server.script("list", lagging)
        world.server.end_watches()
        await world.advance(60)
        lists = [query for verb, _, query in world.server.requests if verb == "list"]
        assert ["resourceVersion" in query for query in lists] == [False, True, False]
        assert lister.status.live

    virtually(test)


def test_c2_a_restored_server_begins_a_new_epoch_after_half_a_minute(virtually, caplog):
    async def test(world):
        world.server.put("websites", "kept")
        backup, version = world.server.objects("websites"), world.server.version
        world.server.put("websites", "kept", spec={"n": 2})
        world.server.put("websites", "lost")
        lister = await world.synced()
        world.server.script("watch", status_answer(410, "Expired"))
        world.server.restore("websites", backup, version)
        await world.advance(30)
        assert len(lister) == 2  # not believed yet
        await world.advance(60)
        assert world.versions(lister) == world.server_versions() == {"default/kept": "101"}
        assert [delivered for delivered in world.delivered if delivered[0] != "CREATE"] == [
            ("UPDATE", "default/kept", 101),
            ("DELETE", "default/lost", 103),
        ]
        assert lister.status.live
        assert "restored from a backup" in caplog.text
        world.server.put("websites", "kept", spec={"n": 3})
        await world.advance()
        assert lister.get("kept")["spec"]["n"] == 3

    virtually(test)


@pytest.mark.parametrize("sign", ["MODIFIED", "BOOKMARK"])
def test_c2_a_restored_server_that_takes_the_watch_is_found_by_its_first_line(virtually, sign):
    async def test(world):
        world.server.put("websites", "kept")
        backup, version = world.server.objects("websites"), world.server.version
        for n in range(9):
            world.server.put("websites", "kept", spec={"n": n})
        lister = await world.synced()
        world.server.restore("websites", backup, version)
        await world.advance(5)  # the watch is open again, from a version that the server has not reached
        world.server._history.clear()
        world.server.put("websites", "kept", spec={"n": "after"})
        line = {"type": sign, "object": world.server.objects("websites")["default/kept"]}
        world.server.send("websites", json.dumps(line).encode() + b"\n")
        await world.advance(180)
        assert lister.get("kept")["spec"] == {"n": "after"}
        assert world.versions(lister) == world.server_versions()
        assert lister.status.live

    virtually(test)


def test_c1_a_list_whose_pages_always_expire_is_read_in_one_piece(virtually):
    async def test(world):
        for n in range(700):
            world.server.put("websites", f"w{n}")

        def expire(request):
            query = dict(request.query)
            if "continue" in query:
                return status_answer(410, "Expired", "the continue token is too old")
            return world.server._list("websites", None, query)

        world.server.refuse("list", "websites", expire)
        lister = await world.synced()
        assert len(lister) == 700
        assert "limit" not in world.server.requests[-2][2]

    virtually(test)


def test_c7_history_that_expires_faster_than_it_is_listed_makes_no_hot_loop(virtually):
    async def test(world):
        await world.synced()
        world.server.refuse("watch", "websites", status_answer(410, "Expired"))
        world.server.end_watches()
        await world.advance(600)
        assert world.server.count("list") < 35

    virtually(test)


def test_c5_a_server_that_never_responds_to_the_watch_makes_the_kind_stale(virtually):
    async def test(world):
        lister = await world.synced()

        async def silence(request):
            await asyncio.Event().wait()

        usual = world.server.handle
        world.server.handle = silence
        world.server.end_watches()
        await world.advance(14.5)
        assert lister.status.state.value == "stale"
        assert "did not respond" in lister.status.reason
        world.server.handle = usual
        await world.advance(60)
        assert lister.status.live

    virtually(test, Timing(watch=2, margin=10))


def test_c5_the_deadline_can_be_seconds(virtually):
    async def test(world):
        lister = await world.synced()
        world.server.mute()
        world.server.put("websites", "w")
        await world.advance(4)
        assert len(lister) == 1
        assert world.server.count("list") == 1

    virtually(test, Timing(watch=2, margin=1))
