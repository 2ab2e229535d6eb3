"""What a cache costs a kopf operator at its start: none, kopf's own index, and the mirror.

Run ``python benchmarks/kopf.py``; ``--quick`` is a short run that fails when the mirror adds more than it may. An
embedded API server in a process of its own holds the objects; each measurement is a process of its own too, and the
candidates take turns. The operator has one ``on.event`` handler; it is up when that has been called once for every
object.

- ``alone``: the handler and nothing else.
- ``index``: ``@kopf.index`` of the same kind, by namespace and name, as handlers need it to look at others.
- ``mirror``: :func:`zestor_controller.adapters.kopf.mirror` of the same kind.

"Up" is the time from the start of the process, imports included; "CPU" is the process's own; "memory" is what it
occupies then.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

CANDIDATES = ("alone", "mirror", "index")
MOST_ADDED = 0.15
KIND = "v1/ConfigMap"


def measure(candidate: str, kubeconfig: str, objects: int, began: float) -> dict[str, float]:
    """One start of an operator; in a process that does nothing else."""
    os.environ["KUBECONFIG"] = kubeconfig
    sys.path.remove(str(Path(__file__).parent))  # this file is called kopf.py, too
    import kopf

    seen: set[str] = set()
    stop = threading.Event()
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    memo = kopf.Memo()
    if candidate == "mirror":
        from zestor_controller.adapters.kopf import mirror

        mirror(KIND)
    elif candidate == "index":

        @kopf.index("configmaps", id="by_name")
        async def index(namespace: str, name: str, body: kopf.Body, **_: Any) -> dict[tuple[str, str], Any]:
            return {(namespace, name): body}

    @kopf.on.event("configmaps")
    async def handle(namespace: str, name: str, **_: Any) -> None:
        seen.add(f"{namespace}/{name}")
        if len(seen) == objects:
            found["up_s"] = time.time() - began
            found["cpu_s"] = time.process_time()
            found["memory_mb"] = resident() / 1e6
            assert candidate != "mirror" or memo.configmaps.count() == objects
            stop.set()

    found: dict[str, float] = {}
    asyncio.run(kopf.operator(standalone=True, clusterwide=True, settings=settings, memo=memo, stop_flag=stop))
    return found


def resident() -> int:
    """The memory that this process occupies, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def run(objects: int, rounds: dict[str, int], limit: float) -> dict[str, list[dict[str, float]]]:
    """Measure the candidates in turns; one that takes longer than `limit` seconds is reported and not run again."""
    from zestor_controller.testing.processes import ApiServerProcess

    found: dict[str, list[dict[str, float]]] = {candidate: [] for candidate in rounds}
    with tempfile.TemporaryDirectory() as folder, ApiServerProcess(folder=Path(folder)) as server:
        there = asyncio.run(fill(server.kubeconfig, objects))
        for turn in range(max(rounds.values())):
            for candidate in [candidate for candidate, times in rounds.items() if turn < times]:
                command = [sys.executable, __file__, "--measure", candidate, str(server.kubeconfig), str(there)]
                began = time.time()
                try:
                    done = subprocess.run(
                        [*command, str(began)],
                        check=True,
                        capture_output=True,
                        timeout=limit,
                    )
                except subprocess.TimeoutExpired:
                    print(f"  {candidate}: not up after {limit:g} s")
                    rounds[candidate] = 0
                    continue
                except subprocess.CalledProcessError as error:
                    sys.exit(error.stderr.decode())
                found[candidate].append(json.loads(done.stdout))
    return found


async def fill(kubeconfig: Path, objects: int) -> int:
    """Create the objects; returns how many there are, the server's own included."""
    from zestor_controller import Client

    async with Client.connect(kubeconfig=kubeconfig) as client:
        waiting = iter(range(objects))

        async def create() -> None:
            for number in waiting:
                body = {"metadata": {"name": f"object-{number}"}, "data": {"key": "value" * 20}}
                await client.create(KIND, body, namespace="default")

        await asyncio.gather(*(create() for _ in range(8)))
        return await count(client)


async def count(client: Any) -> int:
    """How many objects of the kind there are, in all namespaces."""
    total = 0
    for namespace in await client.list("v1/Namespace"):
        total += len((await client.list(KIND, namespace=namespace.metadata.name)).items)
    return total


def show(found: dict[str, list[dict[str, float]]]) -> None:
    """A line for each candidate: medians, the least and the greatest, and the ratio to kopf alone."""
    base = {key: statistics.median(one[key] for one in found["alone"]) for key in found["alone"][0]}
    print(f"  {'':8} {'up, s':>24} {'CPU, s':>24} {'memory, MB':>26}   of alone")
    for candidate, runs in found.items():
        if not runs:
            continue
        cells = []
        for key in ("up_s", "cpu_s", "memory_mb"):
            values = [one[key] for one in runs]
            cells.append(f"{statistics.median(values):8.2f} ({min(values):.2f} .. {max(values):.2f})")
        ratios = [f"{statistics.median(one[key] for one in runs) / base[key]:.2f}" for key in base]
        print(f"  {candidate:8} {cells[0]:>24} {cells[1]:>24} {cells[2]:>26}   {' '.join(ratios)}")


def main() -> None:
    """Measure and print; with ``--quick`` also check the limits."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a short run that fails when the mirror adds too much")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--objects", type=int, default=5_000)
    parser.add_argument("--limit", type=float, default=300, help="seconds after which a start is given up")
    parser.add_argument("--measure", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        candidate, kubeconfig, objects, began = options.measure
        print(json.dumps(measure(candidate, kubeconfig, int(objects), float(began))))
        return
    packages = ("zestor-controller", "kopf", "aiohttp", "kubernetes")
    print(f"{platform.platform()}, {os.cpu_count()} CPUs, Python {platform.python_version()}")
    print(f"{', '.join(f'{name} {version(name)}' for name in packages)}; load {os.getloadavg()[0]:.1f}")
    objects, repeats = (1_000, 3) if options.quick else (options.objects, options.repeats)
    rounds = {"alone": repeats, "mirror": repeats} | ({} if options.quick else {"index": 1})
    print(f"\n{objects} objects, {repeats} runs (index: one)")
    found = run(objects, rounds, options.limit)
    show(found)
    alone, mirrored = (statistics.median(one["up_s"] for one in found[who]) for who in ("alone", "mirror"))
    print(f"  the mirror adds {mirrored / alone - 1:.0%} to the start, at most {MOST_ADDED:.0%} at 5000 objects")
    if options.quick and mirrored - alone > 2 * MOST_ADDED * alone:  # a short start is mostly imports
        sys.exit("the mirror adds more than it may")


if __name__ == "__main__":
    main()
