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

from zestor_controller.cache import AsyncClusterCache, ClusterCache
from zestor_controller.cli.account import OperatorAccount, operator_account
from zestor_controller.cli.apply import apply_crd, apply_manifests
from zestor_controller.cli.console import Console
from zestor_controller.cli.devview import DevView
from zestor_controller.cli.exitcondition import ExitCondition, WaitResult
from zestor_controller.cli.manifests import Manifest, read_manifests
from zestor_controller.cli.options import DURATION, check_overwritable
from zestor_controller.cli.target import Target, find_target, forget_modules, load_target, source_files
from zestor_controller.client import Client
from zestor_controller.client.environment import cluster_environment
from zestor_controller.cluster import BlockingCluster, EmbeddedCluster
from zestor_controller.crd import crd_for, own_models
from zestor_controller.errors import ConfigError, ZestorError
from zestor_controller.manager import Manager
from zestor_controller.objects import Kind, kind_of

__all__ = ["DevOptions", "dev"]

RELOAD_PERIOD_S = 0.5


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
def dev(target: str, **given: Any) -> None:
    """Run the operator TARGET on an embedded cluster and show what happens.

    TARGET is a file, a folder, or module:attr. KUBECONFIG names the embedded cluster before TARGET is imported, and
    nothing in the process, or started by it, finds another one.
    """
    options = DevOptions(**given)
    check_overwritable(options.kubeconfig)
    place = find_target(target)
    manifests = read_manifests(options.applied)
    if not logging.getLogger().isEnabledFor(logging.DEBUG):
        # What the managers log of their start and stop is shown here in another form.
        logging.getLogger("zestor_controller.manager").setLevel(logging.WARNING)
    with ExitStack() as stack:
        account = stack.enter_context(operator_account()) if options.rbac else None
        tokens = account.token_file if account is not None else None
        embedded = EmbeddedCluster(options.rbac, port=options.port, kubeconfig=options.kubeconfig, token_file=tokens)
        cluster = stack.enter_context(embedded)
        if account is not None:
            account.write_kubeconfig(cluster.kubeconfig)
        stack.enter_context(cluster_environment(account.kubeconfig if account is not None else cluster.kubeconfig))
        loaded = load_target(place)
        if loaded.manager is None:
            raise ConfigError(f"{target}: there is no Manager and no Controller in it")
        if not options.applied and loaded.folder is not None and (loaded.folder / "manifests").is_dir():
            manifests = read_manifests([str(loaded.folder / "manifests")])
        if options.exit_when and not manifests:
            raise ConfigError("--exit-when needs objects to wait for: give --apply FILE")
        code = asyncio.run(_Session(options, loaded, cluster, account, manifests).run())
    sys.exit(code)


@dataclass(frozen=True, slots=True)
class DevOptions:
    """The options of ``zestor dev``."""

    applied: tuple[str, ...]
    exit_when: str | None
    timeout: timedelta
    kubeconfig: Path
    port: int
    rbac: bool
    reload: bool
    output: str


@dataclass(slots=True)
class _Session:
    """An operator that runs on a cluster until it is stopped."""

    options: DevOptions
    target: Target
    cluster: BlockingCluster
    account: OperatorAccount | None
    manifests: list[Manifest]
    client: Client = field(init=False)
    console: Console = field(init=False)
    view: DevView = field(init=False)

    def __post_init__(self) -> None:
        self.console = Console(json_lines=self.options.output == "json")
        self.view = DevView(self.console)

    async def run(self) -> int:
        """Serve until a signal, or until the requested condition is met; returns the exit code."""
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
            ended = None
            async with asyncio.TaskGroup() as tasks:
                views = [tasks.create_task(self.view.show_objects(cache, kind)) for kind in self._kinds()]
                views.append(tasks.create_task(self.view.show_events(cache)))
                operator = tasks.create_task(self._operate(stop))
                if self.options.exit_when:
                    ended = await self._wait(self.options.exit_when, cache, stop, operator)
                    stop.set()
                await stop.wait()
                await operator
                for view in views:
                    view.cancel()
        if ended is None:
            return 0
        self.console.result(ended.result, ended.objects, ended.lines)  # last, after all that still happened
        return 130 if signalled and signalled[0] == signal.SIGINT else ended.code

    async def _wait(
        self, condition: str, cache: AsyncClusterCache, stop: asyncio.Event, operator: asyncio.Task[None]
    ) -> WaitResult:
        assert self.target.manager is not None  # dev() looked
        wait = ExitCondition(condition, self.options.timeout.total_seconds(), self.view.errors)
        waited = wait.waited(cache, self.target.manager, self.manifests, self.client.namespace)
        return await wait.wait(waited, stop, operator, self.console)

    # Running the operator

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
                    outcomes = tasks.create_task(self.view.show_outcomes(manager.outcomes))
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
            if not self.options.reload:
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

    # Preparing the cluster

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

    def _kinds(self) -> list[Kind[Any]]:
        assert self.target.manager is not None  # dev() looked
        kinds: dict[str, Kind[Any]] = {}
        for controller in self.target.manager.controllers:
            for kind in (controller.kind, *(source.kind for source in controller.sources)):
                kinds.setdefault(str(kind), kind_of(str(kind)))
        kinds.setdefault("v1/Pod", kind_of("v1/Pod"))
        return list(kinds.values())
