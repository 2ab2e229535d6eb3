"""What the cache costs: the list of many objects, and a flood of events, beside other ways to read the same bytes.

Run ``python benchmarks/cache.py``, or with ``--quick`` for a short run that fails when the cache is slower than it may
be in proportion to the plain loop. A synthetic server in a process of its own sends bytes that it made beforehand; each
measurement is a process of its own too, and the candidates take turns. Figures are medians with the least and the
greatest. "CPU" is the client's; "stall" is the longest time between two turns of its event loop, on the clock, less the
millisecond for which the heartbeat slept.

- ``zestor``: :class:`zestor_controller.ClusterCache` with one watch that takes batches, as a controller does.
- ``orjson``: aiohttp, a split at newlines, ``orjson.loads``, a dict; no versions, no faults, no watches, no deadlines.
- ``lightkube``: its asynchronous client, ``list`` then ``watch``, kept in a dict.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PATHS = {"widgets": "/apis/bench.test/v1/widgets", "pods": "/api/v1/pods"}
COLUMNS = [
    ("list_s", "list, s", "{:.3f}"),
    ("list_cpu_s", "list CPU, s", "{:.3f}"),
    ("list_stall_ms", "list stall, ms", "{:.1f}"),
    ("bytes", "bytes/object", "{:.0f}"),
    ("events_s", "events/s", "{:.0f}"),
    ("event_us", "CPU us/event", "{:.1f}"),
    ("watch_stall_ms", "watch stall, ms", "{:.1f}"),
]
MOST_OF_PLAIN = 1.0  # CPU of an event as a multiple of the plain loop's, and it must not be more


class Meter:
    """Times of one process: the list, the flood, and the longest stall of each."""

    def __init__(self, objects: int, events: int) -> None:
        self.objects = objects
        self.events = events
        self.found: dict[str, float] = {}
        self._stall = self._last = 0.0
        self._seen = 0
        self._done = asyncio.Event()

    async def beat(self) -> None:
        """Notice how long the loop is held."""
        while True:
            self._last = time.perf_counter()
            await asyncio.sleep(0.001)
            self._stall = max(self._stall, time.perf_counter() - self._last - 0.001)

    def _calm(self) -> None:
        """Forget stalls so far, and the time that measuring itself took."""
        self._stall = 0.0
        self._last = time.perf_counter()

    def begin_list(self) -> None:
        """The list is about to begin."""
        gc.collect()
        self._rss = resident()
        self._calm()
        self._cpu, self._wall = time.process_time(), time.perf_counter()

    def end_list(self) -> None:
        """The list is in the cache."""
        self.found["list_s"] = time.perf_counter() - self._wall
        self.found["list_cpu_s"] = time.process_time() - self._cpu
        self.found["list_stall_ms"] = self._stall * 1000
        gc.collect()
        self.found["bytes"] = (resident() - self._rss) / self.objects
        self._calm()
        self._cpu = time.process_time()

    def see(self, count: int) -> None:
        """Some events have come."""
        if not self._seen:
            self._wall = time.perf_counter()
        self._seen += count
        if self._seen >= self.events:
            seconds = time.perf_counter() - self._wall
            self.found["events_s"] = self.events / seconds
            self.found["event_us"] = (time.process_time() - self._cpu) / self.events * 1e6
            self.found["watch_stall_ms"] = self._stall * 1000
            self._done.set()

    async def done(self) -> None:
        """Return when all events have come."""
        async with asyncio.timeout(300):
            await self._done.wait()


def resident() -> int:
    """The memory that this process occupies, in bytes; 0 where the system does not report it so."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


async def zestor(url: str, kind: str, meter: Meter) -> None:
    """This package's cache."""
    from zestor_controller.cache import ClusterCache
    from zestor_controller.client import Client
    from zestor_controller.objects import kind_of
    from zestor_controller.objects.registry import declare
    from zestor_controller.store import Overflow

    declare("bench.test/v1/Widget", "widgets")
    text = {"widgets": "bench.test/v1/Widget", "pods": "v1/Pod"}[kind]
    async with Client.connect(server=url) as client, ClusterCache(client) as cache:
        meter.begin_list()
        lister = await cache.add(text)
        meter.end_list()
        assert len(lister) == meter.objects
        with cache.informer(kind_of(text)).lister.watch(overflow=Overflow.CLOSE, buffer_size=1 << 20) as watch:
            counting = asyncio.create_task(count(watch, meter))
            await meter.done()
            counting.cancel()


async def count(watch: Any, meter: Meter) -> None:
    """Take the batches of a watch, and each event's name, as a controller does."""
    names = set()
    async for batch in watch.batches():
        for event in batch:
            names.add(event.name)
        meter.see(len(batch))


async def orjson(url: str, kind: str, meter: Meter) -> None:
    """The plainest loop that keeps objects."""
    import aiohttp
    from orjson import loads

    objects: dict[tuple[str, str], Any] = {}

    def keep(obj: Any) -> None:
        meta = obj["metadata"]
        objects[meta["namespace"], meta["name"]] = obj

    async with aiohttp.ClientSession(read_bufsize=1 << 18, timeout=aiohttp.ClientTimeout(total=None)) as session:
        meter.begin_list()
        query = {"limit": "500"}
        while True:
            async with session.get(url + PATHS[kind], params=query) as response:
                page = loads(await response.read())
            for obj in page["items"]:
                keep(obj)
            token = page["metadata"].get("continue")
            if not token:
                break
            query["continue"] = token
        del page
        meter.end_list()
        assert len(objects) == meter.objects
        async with session.get(url + PATHS[kind], params={"watch": "true"}) as response:
            rest = b""
            while chunk := await response.content.readany():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    keep(loads(line)["object"])
                meter.see(len(lines))
                if meter.found.get("events_s"):
                    return


async def lightkube(url: str, kind: str, meter: Meter) -> None:
    """Another asynchronous client."""
    from lightkube import AsyncClient, KubeConfig
    from lightkube.config.models import Cluster, User
    from lightkube.generic_resource import create_namespaced_resource
    from lightkube.resources.core_v1 import Pod

    resource = {"widgets": create_namespaced_resource("bench.test", "v1", "Widget", "widgets"), "pods": Pod}[kind]
    config = KubeConfig.from_one(cluster=Cluster(server=url), user=User(token="none"), context_name="bench")
    client = AsyncClient(config=config, trust_env=False)
    objects: dict[tuple[str, str], Any] = {}
    meter.begin_list()
    async for obj in client.list(resource, namespace="*", chunk_size=500):
        objects[obj.metadata.namespace, obj.metadata.name] = obj
    meter.end_list()
    assert len(objects) == meter.objects
    async for _, obj in client.watch(resource, namespace="*", resource_version="1"):
        objects[obj.metadata.namespace, obj.metadata.name] = obj
        meter.see(1)
        if meter.found.get("events_s"):
            break
    await client.close()


CANDIDATES: dict[str, Callable[[str, str, Meter], Awaitable[None]]] = {
    "zestor": zestor,
    "orjson": orjson,
    "lightkube": lightkube,
}


async def measure(candidate: str, url: str, kind: str, objects: int, events: int) -> dict[str, float]:
    """One candidate, once, in this process."""
    meter = Meter(objects, events)
    beating = asyncio.create_task(meter.beat())
    await CANDIDATES[candidate](url, kind, meter)
    beating.cancel()
    return meter.found


def run(kind: str, objects: int, events: int, repeats: int, candidates: list[str]) -> dict[str, list[dict[str, float]]]:
    """All candidates in turn against one server."""
    command = [sys.executable, str(HERE / "synthetic" / "server.py"), "--kind", kind]
    command += ["--objects", str(objects), "--events", str(events)]
    found: dict[str, list[dict[str, float]]] = {candidate: [] for candidate in candidates}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        url = f"http://127.0.0.1:{int(server.stdout.readline())}"
        for _ in range(repeats):
            for candidate in candidates:
                given = [candidate, url, kind, str(objects), str(events)]
                done = subprocess.run(
                    [sys.executable, __file__, "--measure", *given], capture_output=True, text=True, check=False
                )
                if done.returncode:
                    sys.exit(f"{candidate}: {done.stderr}")
                found[candidate].append(json.loads(done.stdout))
        server.stdin.close()
    return found


def show(found: dict[str, list[dict[str, float]]]) -> None:
    """Print medians and spreads."""
    print(f"  {'':10}" + "".join(f"{title:>26}" for _, title, _ in COLUMNS))
    for candidate, results in found.items():
        cells = []
        for key, _, form in COLUMNS:
            values = [result[key] for result in results]
            middle, least, most = (form.format(one) for one in (statistics.median(values), min(values), max(values)))
            cells.append(f"{f'{middle} [{least}-{most}]':>26}")
        print(f"  {candidate:10}" + "".join(cells), flush=True)


def main() -> None:
    """Measure and print; with ``--quick`` also check the limits."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a short run for CI that fails when a limit is broken")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--objects", type=int, default=10_000)
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--kind", choices=sorted(PATHS), help="both unless given")
    parser.add_argument("--candidates", default=",".join(CANDIDATES))
    parser.add_argument("--measure", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        candidate, url, kind, objects, events = options.measure
        print(json.dumps(asyncio.run(measure(candidate, url, kind, int(objects), int(events)))))
        return

    packages = ("zestor-controller", "aiohttp", "msgspec", "orjson", "lightkube")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    print(f"{platform.platform()}, {os.cpu_count()} CPUs, Python {platform.python_version()}")
    print(f"{versions}; load {os.getloadavg()[0]:.1f}")
    candidates = options.candidates.split(",")
    objects, events, repeats = options.objects, options.events, options.repeats
    if options.quick:
        candidates, objects, events, repeats = ["zestor", "orjson"], 3_000, 15_000, 3
    broken = []
    for kind in [options.kind] if options.kind else ["widgets", "pods"]:
        print(f"\n{kind}: {objects} objects, {events} events, {repeats} runs")
        found = run(kind, objects, events, repeats, candidates)
        show(found)
        if options.quick:
            ours, plain = (statistics.median(one["event_us"] for one in found[who]) for who in ("zestor", "orjson"))
            print(f"  CPU of an event: {ours / plain:.2f} of the plain loop's, at most {MOST_OF_PLAIN}")
            if ours > MOST_OF_PLAIN * plain:
                broken.append(kind)
    if broken:
        sys.exit(f"slower than allowed: {', '.join(broken)}")


if __name__ == "__main__":
    main()
