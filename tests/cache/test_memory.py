"""What a list costs in memory (C8): pages, and not a second copy of what is cached already.

The server sends bytes that were made before the measurement; what is measured is the peak of what Python allocates.
"""

from __future__ import annotations

import asyncio
import gc
import json
import tracemalloc

from zestor_controller import Client, ClusterCache
from zestor_controller.client import MemoryTransport
from zestor_controller.http import HttpRequest, HttpResponse

OBJECTS = 6_000
PAGE = 2 * 1024 * 1024  # a page is sized to about a mebibyte; it is there as text and as objects
KIND = "v1/ConfigMap"


class Pages:
    """A server of one kind: each list page by page, each watch silent until it is ended."""

    def __init__(self) -> None:
        self.items = [
            json.dumps(
                {
                    "metadata": {"name": f"c{n:05}", "namespace": "default", "uid": f"u{n}", "resourceVersion": "10"},
                    "data": {"text": "x" * 2000},
                }
            ).encode()
            for n in range(OBJECTS)
        ]
        self.lists = 0
        self.watched = asyncio.Event()
        self.expired = asyncio.Event()

    async def handle(self, request: HttpRequest) -> HttpResponse:
        query = dict(request.query)
        if query.get("watch") == "true":
            self.watched.set()
            return HttpResponse(200, [], self.expiring())
        limit, start = int(query.get("limit", OBJECTS)), int(query.get("continue", "0"))
        if limit > 1:
            self.lists += start == 0
        more = f',"continue":"{start + limit}"' if start + limit < OBJECTS else ""
        head = f'{{"kind":"List","metadata":{{"resourceVersion":"{10 + self.lists}"{more}}},"items":['.encode()
        return HttpResponse(200, [], head + b",".join(self.items[start : start + limit]) + b"]}")

    async def expiring(self):
        await self.expired.wait()
        self.expired.clear()
        yield b'{"type":"ERROR","object":{"kind":"Status","status":"Failure","reason":"Expired","code":410}}\n'


async def test_c8_a_relist_of_unchanged_objects_takes_little_more_memory_than_the_cache():
    server = Pages()
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        async with ClusterCache(Client(MemoryTransport(server))) as cache:
            lister = await cache.add(KIND)
            gc.collect()
            steady = tracemalloc.get_traced_memory()[0] - before
            first_peak = tracemalloc.get_traced_memory()[1] - before
            tracemalloc.reset_peak()

            server.watched.clear()
            server.expired.set()
            await server.watched.wait()  # the list has been applied
            relist_peak = tracemalloc.get_traced_memory()[1] - before
            assert (server.lists, len(lister)) == (2, OBJECTS)
    finally:
        tracemalloc.stop()

    assert steady > OBJECTS * 2000  # the objects are there
    assert first_peak <= 1.3 * steady + PAGE
    assert relist_peak <= 1.3 * steady + PAGE
