"""``zestor dev``: an operator against an embedded cluster, and a view of what happens as it happens.

The server runs in a thread and loop of its own, so that a reconcile that blocks cannot freeze kubectl. The operator
runs on the main thread's loop; what is shown comes from watches and from the manager's outcomes, never from hooks
into them.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from zestor_controller.cache import AsyncClusterCache, ClusterCache, Informer
from zestor_controller.cli.account import OperatorAccount, operator_account
from zestor_controller.cli.apply import apply_crd, apply_manifests, condition_of
from zestor_controller.cli.console import Console, summary_of
from zestor_controller.cli.manifests import Manifest, read_manifests
from zestor_controller.cli.options import DURATION, check_overwritable
from zestor_controller.cli.target import Target, find_target, forget_modules, load_target, source_files
from zestor_controller.client import Client
from zestor_controller.client.environment import cluster_environment
from zestor_controller.cluster import BlockingCluster, EmbeddedCluster
from zestor_controller.controller import Outcome
from zestor_controller.crd import crd_for, own_models
from zestor_controller.errors import ConfigError, ZestorError
from zestor_controller.manager import Manager
from zestor_controller.objects import Kind, kind_of
from zestor_controller.store import EventType, Overflow

__all__ = ["dev"]

RELOAD_PERIOD_S = 0.5
_NEVER = timedelta(days=365)  # this session's own --timeout bounds it
EVENT = "events.k8s.io/v1/Event"
OF_EVERY_CLUSTER = ("/kube-root-ca.crt", "Service default/kubernetes")  # not of the operator's making


@click.command()
@click.argument("target")
@click.option(
    "--apply",
    "applied",
    multiple=True,
    metavar="FILE",
    help="Apply a file, a folder or -; the folder manifests/ beside the operator unless given.",
)
@click.option(
    "--exit-when",
    metavar="CONDITION",
    help="Exit 0 once every applied object of the operator's kinds has this condition.",
)
@click.option(
    "--timeout", type=DURATION, default="60s", show_default=True, help="How long --exit-when waits, such as 60s or 2m."
)
@click.option(
    "--kubeconfig",
    type=click.Path(dir_okay=False, path_type=Path),
    default=".zestor/kubeconfig",
    show_default=True,
    help="Where to write the kubeconfig of the embedded cluster.",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="The embedded server's port; 0 takes a free one."
)
@click.option("--rbac", is_flag=True, help="Run the operator with the rights that its code declares, and no others.")
@click.option("--reload", is_flag=True, help="Start the operator again when a file beside it changes.")
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def dev(
    target: str,
    applied: tuple[str, ...],
    exit_when: str | None,
    timeout: timedelta,
    kubeconfig: Path,
    port: int,
    rbac: bool,
    reload: bool,
    output: str,
) -> None:
    """Run the operator TARGET on an embedded cluster and show what happens.

    TARGET is a file, a folder, or module:attr. KUBECONFIG names the embedded cluster before TARGET is imported, and
    nothing in the process, or started by it, finds another one.
    """
    check_overwritable(kubeconfig)
    place = find_target(target)
    manifests = read_manifests(applied)
    console = Console(json_lines=output == "json")
    if not logging.getLogger().isEnabledFor(logging.DEBUG):
        # What the managers say of their start and stop is shown here in better words.
        logging.getLogger("zestor_controller.manager").setLevel(logging.WARNING)
    with ExitStack() as stack:
        account = stack.enter_context(operator_account()) if rbac else None
        tokens = account.token_file if account is not None else None
        cluster = stack.enter_context(EmbeddedCluster(rbac, port=port, kubeconfig=kubeconfig, token_file=tokens))
        if account is not None:
            account.write_kubeconfig(cluster.kubeconfig)
        stack.enter_context(cluster_environment(account.kubeconfig if account is not None else cluster.kubeconfig))
        loaded = load_target(place)
        if loaded.manager is None:
            raise ConfigError(f"{target}: there is no Manager and no Controller in it")
        if not applied and loaded.folder is not None and (loaded.folder / "manifests").is_dir():
            manifests = read_manifests([str(loaded.folder / "manifests")])
        if exit_when and not manifests:
            raise ConfigError("--exit-when needs objects to wait for: give --apply FILE")
        session = _Session(loaded, cluster, account, console, manifests, exit_when, timeout.total_seconds(), reload)
        code = asyncio.run(session.run())
    sys.exit(code)


@dataclass(slots=True)
class _Session:
    target: Target
    cluster: BlockingCluster
    account: OperatorAccount | None
    console: Console
    manifests: list[Manifest]
    exit_when: str | None
    timeout: float
    reload: bool
    client: Client = field(init=False)
    shown: set[str] = field(default_factory=set)
    errors: dict[str, str] = field(default_factory=dict)
    ending: tuple[str, list[dict[str, Any]], list[str]] | None = None

    async def run(self) -> int:
        """Serve until a signal, or until what was asked for has come about; answers the exit code."""
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        signalled: list[int] = []

        def on_signal(number: int) -> None:
            signalled.append(number)
            stop.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, on_signal, number)
        async with Client.connect(self.cluster.kubeconfig) as client, ClusterCache(client) as cache:
            self.client = client
            self.console.note(f"cluster {self.cluster.url}", url=self.cluster.url)
            self.console.note(
                f"in another terminal: export KUBECONFIG={self.cluster.kubeconfig}",
                kubeconfig=str(self.cluster.kubeconfig),
            )
            await self._install(self.target)
            await apply_manifests(self.client, self.manifests)
            async with asyncio.TaskGroup() as tasks:
                views = [tasks.create_task(self._view(cache, kind)) for kind in self._kinds(self.target)]
                views.append(tasks.create_task(self._view_events(cache)))
                operator = tasks.create_task(self._operate(stop))
                code = 0
                if self.exit_when:
                    code = await self._wait(cache, stop, operator)
                    stop.set()
                await stop.wait()
                await operator
                for view in views:
                    view.cancel()
        if self.ending is not None:
            self.console.result(*self.ending)  # the last word, after all that still happened
        if signalled and signalled[0] == signal.SIGINT and self.exit_when:
            return 130
        return code

    # The operator

    async def _operate(self, stop: asyncio.Event) -> None:
        target: Target | None = self.target
        while not stop.is_set():
            reloaded = asyncio.Event()
            stamp = self._stamp()
            async with asyncio.TaskGroup() as tasks:
                ending = asyncio.Event()
                watching = tasks.create_task(self._until(stop, reloaded, ending, stamp))
                if target is not None and target.manager is not None:
                    manager = target.manager
                    outcomes = tasks.create_task(self._view_outcomes(manager.outcomes))
                    await self._serve(manager, ending)
                    outcomes.cancel()
                else:
                    await ending.wait()
                await watching
            if not reloaded.is_set():
                return
            target = await self._reloaded()

    async def _serve(self, manager: Manager, ending: asyncio.Event) -> None:
        if self.account is None:
            await manager.serve(ending, client=self.client)
            return
        await self.account.grant(self.client, manager)
        self.console.note(f"the operator is {self.account.user} with the rights of `zestor rbac generate`")
        async with Client.connect(self.account.kubeconfig) as client:
            await manager.serve(ending, client=client)

    async def _until(self, stop: asyncio.Event, reloaded: asyncio.Event, ending: asyncio.Event, stamp: Any) -> None:
        """Set `ending` when the session stops, or when a file changed."""
        while not stop.is_set():
            if not self.reload:
                await stop.wait()
                break
            with suppress(TimeoutError):
                async with asyncio.timeout(RELOAD_PERIOD_S):
                    await stop.wait()
            if self._stamp() != stamp:
                reloaded.set()
                break
        ending.set()

    async def _reloaded(self) -> Target | None:
        self.console.note("a file changed: starting the operator again")
        if self.target.folder is not None:
            forget_modules(self.target.folder)
        try:
            target = load_target(self.target.name)
            await self._install(target)
        except ZestorError as error:
            self.console.note(f"cannot start it: {error}; waiting for the next change")
            return None
        return target

    def _stamp(self) -> dict[str, float]:
        folder = self.target.folder
        if folder is None:
            return {}
        return {str(path): path.stat().st_mtime for path in source_files(folder) if path.is_file()}

    # The cluster

    async def _install(self, target: Target) -> None:
        """Apply the CRDs of the operator's own models and wait until they are served."""
        own = own_models(target.models)
        for model in target.models:
            if model not in own:
                kind = kind_of(model)
                self.console.note(f"{kind.store_name} is external: apply its CRD with --apply where it is needed")
        for model in own:
            definition = crd_for(model)
            await apply_crd(self.client, definition, field_manager="zestor-dev")
            self.console.note(f"installed {definition['metadata']['name']}")

    def _kinds(self, target: Target) -> list[Kind[Any]]:
        assert target.manager is not None  # dev() looked
        kinds: dict[str, Kind[Any]] = {}
        for controller in target.manager.controllers:
            for kind in (controller.kind, *(source.kind for source in controller.sources)):
                kinds.setdefault(str(kind), kind_of(str(kind)))
        kinds.setdefault("v1/Pod", kind_of("v1/Pod"))
        return list(kinds.values())

    # The view

    async def _view(self, cache: AsyncClusterCache, kind: Kind[Any]) -> None:
        informer = cache.informer(kind)
        watch = informer.lister.watch(initial_replay=True, overflow=Overflow.COALESCE)
        words = {EventType.CREATE: "created", EventType.UPDATE: "changed", EventType.DELETE: "deleted"}
        with watch:
            async for batch in watch.batches():
                for event in batch:
                    if f"{kind.kind} {event.name}".endswith(OF_EVERY_CLUSTER):
                        continue
                    change, summary = words[event.type], summary_of(event)
                    line = f"{kind.kind} {event.name} {change} {summary}"
                    if event.type is EventType.UPDATE and line in self.shown:
                        continue  # a change of something that is not shown
                    self.shown = {known for known in self.shown if not known.startswith(f"{kind.kind} {event.name} ")}
                    self.shown.add(line)
                    self.console.object(change, kind.kind, event.name, summary)

    async def _view_events(self, cache: AsyncClusterCache) -> None:
        informer = cache.informer(kind_of(EVENT))
        with informer.lister.watch(initial_replay=True, overflow=Overflow.COALESCE) as watch:
            async for batch in watch.batches():
                for event in batch:
                    if event.type is EventType.DELETE:
                        continue
                    obj = event.object
                    about = obj.get("regarding") or {}
                    name = (
                        f"{about.get('namespace')}/{about.get('name')}"
                        if about.get("namespace")
                        else about.get("name", "")
                    )
                    self.console.event(
                        str(obj.get("type", "")), str(name), str(obj.get("reason", "")), str(obj.get("note", ""))
                    )

    async def _view_outcomes(self, outcomes: Any) -> None:
        with outcomes.watch(event_types={EventType.CREATE, EventType.UPDATE}, overflow=Overflow.COALESCE) as watch:
            async for batch in watch.batches():
                for event in batch:
                    outcome: Outcome = event.object
                    if outcome.error:
                        self.errors[outcome.request] = outcome.error
                    else:
                        self.errors.pop(outcome.request, None)
                    self.console.reconcile(
                        outcome.controller,
                        outcome.request,
                        outcome.result,
                        outcome.seconds,
                        outcome.causes,
                        outcome.error,
                        outcome.retry_after if outcome.error else None,
                    )

    # The end

    async def _wait(self, cache: AsyncClusterCache, stop: asyncio.Event, operator: asyncio.Task[None]) -> int:
        """Wait until every applied object of the operator's kinds has the condition; tells what came of it."""
        assert self.exit_when is not None  # run() looked
        wanted = self._wanted(cache)
        if not wanted:
            raise ConfigError("--exit-when: none of the applied objects is of a kind that the operator reconciles")
        waits = [
            asyncio.ensure_future(informer.lister.wait_for(name, self._holds, namespace=namespace, timeout=_NEVER))
            for informer, name, namespace in wanted
        ]
        stopping = asyncio.ensure_future(stop.wait())
        all_done = asyncio.ensure_future(asyncio.gather(*waits))
        await asyncio.wait({all_done, stopping, operator}, timeout=self.timeout, return_when=asyncio.FIRST_COMPLETED)
        held = all_done.done() and not all_done.cancelled() and all_done.exception() is None
        for task in (*waits, all_done, stopping):
            task.cancel()
        await asyncio.gather(*waits, all_done, stopping, return_exceptions=True)
        objects = [self._described(informer, name, namespace) for informer, name, namespace in wanted]
        if held:
            names = ", ".join(f"{o['kind']} {o['object']}" for o in objects)
            self.console.note(f"{self.exit_when}: {names}")
            self.ending = (str(self.exit_when), objects, [])
            return 0
        if stop.is_set():
            self.ending = ("interrupted", objects, [])
            return 130
        self.ending = ("timeout", objects, [line for o in objects for line in self._diagnosis(o)])
        return 1

    def _wanted(self, cache: AsyncClusterCache) -> list[tuple[Informer[Any], str, str | None]]:
        assert self.target.manager is not None  # dev() looked
        kinds = {str(controller.kind) for controller in self.target.manager.controllers}
        return [
            (
                cache.informer(kind_of(f"{m.body['apiVersion']}/{m.body['kind']}")),
                m.body["metadata"]["name"],
                m.body["metadata"].get("namespace") or self.client.namespace,
            )
            for m in self.manifests
            if f"{m.body['apiVersion']}/{m.body['kind']}" in kinds and m.body["metadata"].get("name")
        ]

    def _holds(self, obj: Any) -> bool:
        if obj is None:
            return False
        condition = condition_of(obj, str(self.exit_when))
        generation = obj.metadata.generation
        seen = condition.get("observedGeneration") if condition else None
        return bool(condition) and condition.get("status") == "True" and (seen is None or seen == generation)

    def _described(self, informer: Informer[Any], name: str, namespace: str | None) -> dict[str, Any]:
        obj = informer.lister.get(name, namespace)
        shown = f"{namespace}/{name}" if informer.kind.namespaced else name
        described: dict[str, Any] = {"kind": informer.kind.kind, "object": shown, "ready": self._holds(obj)}
        if obj is not None:
            described["conditions"] = [
                {key: c.get(key, "") for key in ("type", "status", "reason", "message")}
                for c in (obj.get("status") or {}).get("conditions") or []
            ]
        if shown in self.errors:
            described["error"] = self.errors[shown]
        return described

    def _diagnosis(self, described: dict[str, Any]) -> list[str]:
        if described["ready"]:
            return []
        what = f"{described['kind']} {described['object']}"
        conditions = described.get("conditions")
        if conditions is None:
            lines = [f"{what}: does not exist"]
        else:
            found = next((c for c in conditions if c["type"] == self.exit_when), None)
            if found is None:
                have = ", ".join(c["type"] for c in conditions) or "none"
                lines = [f"{what}: has no condition {self.exit_when} after {self.timeout:g} s; its conditions: {have}"]
            else:
                told = f"{found['reason']}: {found['message']}".strip(": ")
                lines = [f"{what}: {self.exit_when} is {found['status']} after {self.timeout:g} s ({told})"]
        error = described.get("error")
        lines.append(f"  last error: {error}" if error else "  no reconcile of it failed; see what it waits for above")
        return lines
