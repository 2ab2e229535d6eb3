"""No reason to go on at once may repeat without end (C7), and a kind without a stream does not call itself live."""

import json

import pytest

from zestor_controller.http import HttpResponse
from zestor_controller.testing.scripted import status_answer


def line(kind, version, **obj):
    return json.dumps({"type": kind, "object": {"metadata": {"resourceVersion": str(version), **obj}}}).encode() + b"\n"


def error(code, reason):
    status = {"kind": "Status", "status": "Failure", "code": code, "reason": reason}
    return json.dumps({"type": "ERROR", "object": status}).encode() + b"\n"


def bookmark(server):
    return line("BOOKMARK", server.version)


def change(server):
    server.version += 1
    return line("MODIFIED", server.version, name="w", namespace="default", uid="uid-1")


ENDINGS = {
    "a bookmark": [bookmark],
    "an event": [change],
    "nothing": [],
    "history that has expired": [lambda server: error(410, "Expired")],
    "history that expires after an event": [change, lambda server: error(410, "Expired")],
    "an internal error after an event": [change, lambda server: error(500, "InternalError")],
    "a line that cannot be read": [lambda server: b"unusable\n"],
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_c7_a_watch_that_ends_at_once_is_not_asked_for_again_at_once(virtually, ending):
    async def test(world):
        world.server.put("websites", "w")
        lister = await world.synced()
        asked = 0

        def at_once(request):
            nonlocal asked
            asked += 1

            async def body():
                for piece in ENDINGS[ending]:
                    yield piece(world.server)

            return HttpResponse(200, [], body())

        world.server.refuse("watch", "websites", at_once)
        world.server.end_watches()
        await world.advance(600)
        assert 10 < asked < 60
        assert world.server.count("list") < 60
        assert not lister.status.live
        assert lister.get("w") is not None
        world.server.refuse("watch", "websites", None)
        await world.advance(100)
        assert lister.status.live

    virtually(test)


@pytest.mark.parametrize("code", [403, 404, 410, 500])
def test_c6_a_kind_that_lives_from_lists_alone_is_not_live(virtually, code):
    async def test(world):
        world.server.put("websites", "w")
        lister = await world.synced()
        world.server.refuse("watch", "websites", status_answer(code, "No"))
        world.server.end_watches()
        await world.advance(120)
        for _ in range(60):
            await world.advance(7)
            assert not lister.status.live
            assert lister.status.synced
        world.server.refuse("watch", "websites", None)
        await world.advance(100)
        assert lister.status.live

    virtually(test)
