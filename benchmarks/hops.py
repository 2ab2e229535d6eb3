"""How many hops a request or an event makes through the package: functions, calls, modules, changes of module.

Run ``python benchmarks/hops.py`` for a table, ``--json`` for figures, ``--trace event`` for the calls of one walk in
their order. Counted are the calls of functions of ``zestor_controller``, by a profile hook in the thread of the walk; a
coroutine that goes on after a wait counts as called again, comprehensions count as part of their function. A change of
module is a call in another module than the call before it. Each walk is warm, and the shortest of several rounds
counts, so that a timer in between does not.

- ``event``: a change of one object, from the socket of a watch to the first line of the user's reconcile function.
  Server and writer run in threads of their own and are not counted.
- ``status``: ``client.apply_status`` of a status that is new, to the object that the server returns.
- ``write``: ``ctx.apply_status`` in that function, of the object that it was given: what was changed and what is owned
  is found out before, and the cache has the write after it.
- ``crd``: a model to the text of its CustomResourceDefinition.
- ``patch``: a strategic merge patch of a Deployment, as ``kubectl patch`` sends it, through ``ApiServer.handle``.
- ``line``: from the end of that request to the line on a watch of Deployments.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count, pairwise
from pathlib import Path
from types import CodeType, FrameType
from typing import Any
from urllib.parse import parse_qsl

import zestor_controller
from zestor_controller import Client, Context, Controller, CustomResource, EmbeddedCluster, Manager, Spec, Status
from zestor_controller.apiserver import ADMINISTRATOR, ApiServer, TokenAuthenticator
from zestor_controller.crd import crd_for, render_crd
from zestor_controller.http import HttpRequest
from zestor_controller.objects import MergePatch

PACKAGE = str(Path(zestor_controller.__file__).parent) + "/"
CRD = "apiextensions.k8s.io/v1/CustomResourceDefinition"
WALKS = ("event", "status", "write", "crd", "patch", "line")
COLUMNS = ("functions", "calls", "modules", "changes")
COMPREHENSIONS = ("<listcomp>", "<dictcomp>", "<setcomp>", "<genexpr>")  # functions in some versions of Python
WARM = 3
ROUNDS = 9
CALM_S = 0.02  # for what follows the walk before, such as its outcome
WAIT = timedelta(seconds=50)


@dataclass
class Walk:
    """The calls of one walk, in their order.

    Attributes:
        calls: the code objects of the called functions.
    """

    calls: list[CodeType] = field(default_factory=list)

    def figures(self) -> dict[str, int]:
        """The counts."""
        modules = [module_of(code) for code in self.calls]
        return {
            "functions": len(set(self.calls)),
            "calls": len(self.calls),
            "modules": len(set(modules)),
            "changes": sum(one != other for one, other in pairwise(modules)),
        }

    def trace(self) -> str:
        """The calls, one a line; a blank line where the module changes."""
        lines: list[str] = []
        last = ""
        for code in self.calls:
            module = module_of(code)
            if last and module != last:
                lines.append("")
            last = module
            lines.append(f"{module:<40} {code.co_qualname}")
        return "\n".join(lines)


def module_of(code: CodeType) -> str:
    """The module's name without that of the package."""
    return code.co_filename.removeprefix(PACKAGE).removesuffix(".py").removesuffix("/__init__").replace("/", ".")


@contextmanager
def recorded(*, own_task: bool = False) -> Iterator[Walk]:
    """Record the calls of this thread.

    Args:
        own_task: only those of the present task, not of others that run while it waits.
    """
    walk = Walk()
    own = asyncio.current_task() if own_task else None

    def hook(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event != "call" or not code.co_filename.startswith(PACKAGE) or code.co_name in COMPREHENSIONS:
            return
        if own is None or asyncio.current_task() is own:
            walk.calls.append(code)

    sys.setprofile(hook)
    try:
        yield walk
    finally:
        sys.setprofile(None)


def shortest(walks: list[Walk]) -> Walk:
    """The walk that nothing else got into."""
    return min(walks, key=lambda walk: len(walk.calls))


class Operator:
    """A running manager with one controller, which says when its function begins and records its status write."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.begun = asyncio.Event()
        self.ended = asyncio.Event()
        self.writes: list[Walk] = []
        self.writing = False

    def controller(self) -> Controller[Any]:
        """The declaration."""
        made: Controller[Any] = Controller(self.model)
        made.reconciler(self.reconcile)
        return made

    async def reconcile(self, hop: Any, ctx: Context) -> None:
        """End the record of the event, and write the status when asked to."""
        sys.setprofile(None)
        self.begun.set()
        if self.writing and hop.status.seen != hop.spec.text:
            hop.status.seen = hop.spec.text
            with recorded(own_task=True) as walk:
                await ctx.apply_status(hop)
            self.writes.append(walk)
            self.ended.set()


def a_model() -> Any:
    """A custom resource, declared anew so that nothing of it is cached."""

    class HopSpec(Spec):
        text: str = ""

    class HopStatus(Status):
        seen: str = ""

    class Hop(CustomResource[HopSpec, HopStatus], group="hops.test", version="v1", plural="hops"):
        """What is written and reconciled."""

    return Hop


def with_a_server() -> dict[str, Walk]:
    """The walks of an event, of the write which the reconcile function makes, and of a client's status write."""
    with EmbeddedCluster(controllers="none", seed=1) as cluster:
        model = a_model()
        cluster.client.create(crd_for(model))
        cluster.client.wait_for(CRD, crd_for(model)["metadata"]["name"], "Established", timeout=WAIT)
        cluster.client.create(model(metadata={"name": "one", "namespace": "default"}, spec={"text": "0"}))
        return {**asyncio.run(_operate(cluster, model)), "status": asyncio.run(_write_status(cluster, model))}


async def _write_status(cluster: EmbeddedCluster, model: Any) -> Walk:
    walks = []
    async with Client.connect(kubeconfig=cluster.kubeconfig) as client:
        for round_ in range(WARM + ROUNDS):
            status = {"metadata": {"name": "one", "namespace": "default"}, "status": {"seen": f"round {round_}"}}
            with recorded(own_task=True) as walk:
                await client.apply_status(model, status)
            walks.append(walk)
    return shortest(walks[WARM:])


async def _operate(cluster: EmbeddedCluster, model: Any) -> dict[str, Walk]:
    operator = Operator(model)
    manager = Manager(operator.controller(), kubeconfig=cluster.kubeconfig)
    stop = asyncio.Event()
    texts = (str(number) for number in count(1))

    async def change() -> None:
        patch = MergePatch({"spec": {"text": next(texts)}})
        await asyncio.to_thread(cluster.client.patch, model, "one", patch, namespace="default")

    events: list[Walk] = []
    async with asyncio.timeout(WAIT.total_seconds()), asyncio.TaskGroup() as tasks:
        tasks.create_task(manager.serve(stop))
        await operator.begun.wait()
        for round_ in range(WARM + ROUNDS):
            await asyncio.sleep(CALM_S)
            operator.begun.clear()
            with recorded() as walk:
                await change()
                await operator.begun.wait()
            if round_ >= WARM:
                events.append(walk)
        operator.writing = True
        for _ in range(WARM + ROUNDS):
            operator.ended.clear()
            await change()
            await operator.ended.wait()
        stop.set()
    return {"event": shortest(events), "write": shortest(operator.writes[WARM:])}


def crd() -> Walk:
    """The walk of a model to the text of its CustomResourceDefinition."""
    render_crd(a_model())
    walks = []
    for _ in range(ROUNDS):
        model = a_model()
        with recorded() as walk:
            render_crd(model)
        walks.append(walk)
    return shortest(walks)


DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"


def deployment() -> bytes:
    """A body to create."""
    container = {"name": "web", "image": "nginx:1.27", "ports": [{"containerPort": 80}]}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}}
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}
    return json.dumps(body).encode()


async def patch_and_line() -> dict[str, Walk]:
    """The walk of a PATCH, and what follows until a watch has its line."""
    api = ApiServer(TokenAuthenticator({"token": ADMINISTRATOR}), rng=random.Random(1))

    def request(method: str, path: str, body: bytes = b"", media_type: str = "application/json") -> HttpRequest:
        path, _, query = path.partition("?")
        headers = {"authorization": "Bearer token", "accept": "application/json", "user-agent": "kubectl/v1.36.0"}
        if body:
            headers["content-type"] = media_type
        return HttpRequest(method, path, parse_qsl(query), headers, body)

    made = await api.handle(request("POST", DEPLOYMENTS, deployment()))
    assert made.status == 201, made.body
    assert isinstance(made.body, bytes)
    version = json.loads(made.body)["metadata"]["resourceVersion"]
    watch = await api.handle(request("GET", f"{DEPLOYMENTS}?watch=true&resourceVersion={version}"))
    stream: Any = watch.body
    patches, lines = [], []
    for replicas in range(2, 2 + WARM + ROUNDS):
        patch = request(
            "PATCH",
            f"{DEPLOYMENTS}/web?fieldManager=kubectl-patch",
            json.dumps({"spec": {"replicas": replicas}}).encode(),
            "application/strategic-merge-patch+json",
        )
        with recorded() as walk:
            response = await api.handle(patch)
        assert response.status == 200, response.body
        patches.append(walk)
        with recorded() as walk:
            line = await anext(stream)
        assert json.loads(line)["object"]["spec"]["replicas"] == replicas
        lines.append(walk)
    await stream.aclose()
    return {"patch": shortest(patches[WARM:]), "line": shortest(lines[WARM:])}


def walks() -> dict[str, Walk]:
    """Every walk, by its name."""
    return {**with_a_server(), "crd": crd(), **asyncio.run(patch_and_line())}


def main() -> None:
    parser = argparse.ArgumentParser(description="Count the hops of six walks through the package.")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--trace", metavar="WALK", choices=WALKS, help="print the calls of one walk")
    options = parser.parse_args()
    found = walks()
    if options.trace:
        print(found[options.trace].trace())
        return
    figures = {name: found[name].figures() for name in WALKS}
    if options.json:
        print(json.dumps(figures, indent=2))
        return
    print(f"{'walk':<8}" + "".join(f"{column:>11}" for column in COLUMNS))
    for name, row in figures.items():
        print(f"{name:<8}" + "".join(f"{row[column]:>11}" for column in COLUMNS))


if __name__ == "__main__":
    main()
