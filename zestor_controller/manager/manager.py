"""The manager: starts and stops caches and controllers in the right order, owns the signals and the pages.

Start: pages, caches, recorder, election, controllers. Stop (L3): controllers take nothing new, what runs may finish
within the grace period, Events are flushed, the lease is handed back, caches and pages end, and the process exits 0. A
second signal exits at once. A replica that does not lead keeps its caches warm; one that has lost the lease goes back
to standing by.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
import socket
import threading
from collections.abc import Coroutine
from contextlib import AsyncExitStack, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from zestor_controller.cache import ClusterCache
from zestor_controller.cache.status import InformerStatus
from zestor_controller.client import Client, WriteGate
from zestor_controller.client.environment import cluster_environment
from zestor_controller.controller import Controller, Outcome, Runner, Services
from zestor_controller.controller.denial import describe_denial
from zestor_controller.controller.memory import Memory
from zestor_controller.controller.recorder import EventRecorder
from zestor_controller.errors import ConfigError, Forbidden, NotFound, Unauthorized, ZestorError
from zestor_controller.manager.election import LeaderElection, LeaderElector, election_clock
from zestor_controller.manager.health import Check, HealthServer, check_to_dict, default_host
from zestor_controller.manager.report import report_cluster, report_informers, report_namespaces
from zestor_controller.manager.rights import REVIEW_PATH, missing_rights, rules_for
from zestor_controller.manager.sampler import Sampler
from zestor_controller.manager.term import elected, serve_term
from zestor_controller.manager.watchdog import LoopWatchdog
from zestor_controller.metrics import Metrics
from zestor_controller.objects import checked_namespaces
from zestor_controller.store import MemoryStore, StoreKind

__all__ = ["Manager"]

_log = logging.getLogger(__name__)

GRACE: Final = timedelta(seconds=30)
BLOCKED_LIMIT_S: Final = 60.0
FLUSH_S: Final = 5.0
LEAVE_S: Final = 1.0
RIGHTS_S: Final = (30.0, 300.0)  # how often the rights are asked for while some are missing, and while none is


class Manager:
    """Runs controllers against one cluster.

    Constructing does no input or output and reads no configuration; :meth:`run` and :meth:`serve` do.

    Args:
        controllers: what to run.
        kubeconfig: a file; KUBECONFIG, ``~/.kube/config`` or the pod's own account unless given.
        context: a context of the kubeconfig.
        namespaces: watch these only; all unless given.
        health_port: where to serve /healthz, /readyz and /statusz; None serves none.
        metrics_port: where to serve /metrics; None serves none.
        host: the address of both; loopback outside a cluster, every address inside.
        grace: how long a stop waits for running reconciles.
        leader_election: work only while this replica leads; without it, it always works.
        checkpoints: a folder that keeps what the caches hold, so that a restart lists nothing.
        rng: jitter and generated names; a simulation passes its seeded one.

    Attributes:
        gate: refuses writes while this replica does not lead; the manager's own connections ask it.

    Raises:
        ConfigError: two controllers have the same name, or `namespaces` is no list of names.
    """

    def __init__(
        self,
        *controllers: Controller[Any],
        kubeconfig: str | os.PathLike[str] | None = None,
        context: str | None = None,
        namespaces: list[str] | None = None,
        health_port: int | None = None,
        metrics_port: int | None = None,
        host: str | None = None,
        grace: timedelta = GRACE,
        leader_election: LeaderElection | None = None,
        checkpoints: Path | None = None,
        rng: random.Random | None = None,
    ) -> None:
        names = [controller.name for controller in controllers]
        for name in names:
            if names.count(name) > 1:
                raise ConfigError(f"two controllers are named {name!r}; give one of them name=...")
        self.controllers = controllers
        self.kubeconfig = kubeconfig
        self.context = context
        checked = checked_namespaces(namespaces, where="Manager(namespaces=...)")
        self.namespaces = list(checked) if checked is not None else None
        self.health_port = health_port
        self.metrics_port = metrics_port
        self.host = host
        self.grace = grace
        self.leader_election = leader_election
        self.checkpoints = checkpoints
        self._rng = rng if rng is not None else random.Random()
        self.gate = WriteGate()
        self.metrics = Metrics()
        self.outcomes: StoreKind[Outcome] = MemoryStore().kind("outcomes", Outcome, compare=lambda old, new: False)
        self.ports: dict[str, int] = {}
        self._cache: ClusterCache | None = None
        self._runners: list[Runner[Any]] = []
        self._memories: list[Memory[Any]] = [Memory() for _ in controllers]  # of this process, beyond a term
        self._recorder: EventRecorder | None = None
        self._elector: LeaderElector | None = None
        self._missing: list[str] = []
        self._denied = ""
        self._watchdog: LoopWatchdog | None = None
        self._sampler = Sampler(self.metrics)
        self._collecting = False

    # Running

    def run(self) -> int:
        """Block until SIGTERM or SIGINT; for the main thread of a process.

        A `kubeconfig` or `context` of this manager is meanwhile that of the whole process: KUBECONFIG names it.

        Returns:
            An exit code: 0 after a clean stop, 2 for bad configuration, 3 when it cannot serve or connect.
        """
        try:
            if threading.current_thread() is not threading.main_thread():
                raise ConfigError("run() owns the signals and so the main thread; elsewhere, await manager.serve(stop)")
            self.host = self.host or default_host()  # before the environment of a pod is hidden
            named = self.kubeconfig is not None or self.context is not None
            with cluster_environment(self.kubeconfig, self.context) if named else nullcontext():
                return _run_to_end(self._run())
        except ConfigError as error:
            _log.error("%s", error)
            return 2
        except ZestorError as error:
            _log.error("%s", error)
            return 3

    async def _run(self) -> int:
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()

        def on_signal(number: signal.Signals) -> None:
            if stop.is_set():
                _log.warning("%s again: exiting now", number.name)
                os._exit(128 + number)
            _log.info("%s: stopping", number.name)
            stop.set()

        signals = (signal.SIGTERM, signal.SIGINT)
        for number in signals:
            loop.add_signal_handler(number, on_signal, number)
        try:
            if not self._collecting:
                self.metrics.add_process_collectors()  # this process is the manager's own
                self._collecting = True
            await self.serve(stop)
        finally:
            for number in signals:
                loop.remove_signal_handler(number)
        return 0

    async def serve(self, stop: asyncio.Event, *, client: Client | None = None) -> None:
        """Run until `stop` is set; touches no signal.

        Args:
            stop: set it to stop in order.
            client: an open client to use; a connection by this manager's own configuration unless given. With leader
                election its transport has to ask this manager's ``gate``.

        Raises:
            ConfigError: the configuration cannot be used, a port is taken, or a controller has no reconcile function.
                A server that cannot be reached is no error: it is tried again, and /readyz tells.
        """
        for controller in self.controllers:
            controller.check()
        own = client is None  # the connection, and so the process
        told = own or self.health_port is not None  # whether anybody looks at what this manager says
        async with AsyncExitStack() as stack:
            if client is None:
                client = await stack.enter_async_context(
                    Client.connect(kubeconfig=self.kubeconfig, context=self.context, gate=self.gate)
                )
            health = self._health_server()
            stack.push_async_callback(health.stop)  # also when one port of two could be had
            await health.start()
            self.ports = health.ports
            self._watchdog = stack.enter_context(LoopWatchdog(self.metrics))
            cache = self._cache = await stack.enter_async_context(
                ClusterCache(
                    client,
                    namespaces=self.namespaces,
                    metrics=self.metrics,
                    rng=self._rng,
                    checkpoints=self.checkpoints,
                )
            )
            rng = self._rng
            recorder = self._recorder = EventRecorder(
                client,
                controller=self.controllers[0].name if len(self.controllers) == 1 else "zestor-controller",
                instance=socket.gethostname(),
                now=lambda: datetime.now(UTC),
                clock=asyncio.get_running_loop().time,
                suffix=lambda: f"{rng.getrandbits(64):016x}",
            )
            services = Services(cache.client, cache, self.metrics, recorder, self.outcomes)
            self._elector = self._electing(client, rng)
            async with asyncio.TaskGroup() as tasks:
                writing = tasks.create_task(recorder.run(), name="event recorder")
                asides = [tasks.create_task(self._ask_for_rights(client), name="rights")] if told else []
                if own:
                    asides += self._report(tasks, client, cache)
                while not stop.is_set():
                    # Runners are made before the election: they start the caches, and those who stand by keep them.
                    pairs = zip(self.controllers, self._memories, strict=True)
                    self._runners = [Runner(controller, services, memory) for controller, memory in pairs]
                    if await elected(self._elector, stop):
                        await serve_term(self._runners, self._elector, stop, self.grace.total_seconds())
                await self._leave(recorder)
                writing.cancel()
                for aside in asides:
                    aside.cancel()

    def _report(self, tasks: asyncio.TaskGroup, client: Client, cache: ClusterCache) -> list[asyncio.Task[None]]:
        """Log what this manager works with, and from then on whether it is in sync."""
        where = f"http://{self.host or default_host()}"
        paths = {"health": "/readyz?verbose", "metrics": "/metrics"}
        addresses = {what: f"{where}:{port}{paths[what]}" for what, port in self.ports.items()}
        report_cluster(client, self.kubeconfig, self.context, self.namespaces, addresses)
        statuses = report_informers(lambda: [informer.status for informer in cache.informers()])
        namespaces = report_namespaces(client, self.namespaces or ())
        return [tasks.create_task(statuses, name="reports"), tasks.create_task(namespaces, name="namespaces")]

    async def _ask_for_rights(self, client: Client) -> None:
        """Find missing rights before a reconcile does; a server that does not tell is not asked again."""
        rules = rules_for(self.controllers)
        while True:
            try:
                missing = await missing_rights(client, rules, namespaces=self.namespaces or ())
                denied = ""
            except (Forbidden, NotFound) as error:
                _log.debug("the server does not report what is allowed: %s", error)
                self._denied = ""
                return
            except Unauthorized as error:  # no grant would help: the server does not know who this is
                missing, denied = self._missing, describe_denial(error)
            except ZestorError:
                missing, denied = self._missing, self._denied
            if missing and missing != self._missing:
                _log.warning("missing rights: %s; grant them, or see `zestor rbac generate`", ", ".join(missing))
            if denied and not self._denied:
                _log.warning("%s", denied)
            self._missing, self._denied = missing, denied
            await asyncio.sleep(RIGHTS_S[0] if missing or denied else RIGHTS_S[1])

    def _electing(self, client: Client, rng: random.Random) -> LeaderElector | None:
        election = self.leader_election
        if election is None:
            return None
        elector = LeaderElector(
            client,
            election,
            namespace=election.namespace or os.environ.get("POD_NAMESPACE") or client.namespace,
            identity=f"{os.environ.get('POD_NAME') or socket.gethostname()}_{rng.getrandbits(64):016x}",
            gate=self.gate,
            clock=election_clock(),
            rng=rng,
        )
        self.gate.exempt += (REVIEW_PATH,)  # a question, though it is a POST
        return elector

    async def _leave(self, recorder: EventRecorder) -> None:
        """Flush what cancelled reconciles had to tell, too, and hand the lease back last of all."""
        try:
            async with asyncio.timeout(FLUSH_S):
                await recorder.flush()
        except TimeoutError:
            _log.warning("some Events could not be written before the end")
        if self._elector is not None:
            try:
                async with asyncio.timeout(FLUSH_S):
                    await self._elector.release()
            except TimeoutError:
                _log.warning("the lease %s could not be handed back in time", self._elector.lease)

    # Telling

    def checks(self) -> list[Check]:
        """Readiness, one line for each kind and each controller."""
        checks: list[Check] = []
        if self._cache is None:
            return [Check("manager", False, "not started")]
        for informer in self._cache.informers():
            status = informer.status
            checks.append(Check(f"informer/{status.kind}", status.synced and status.live, _described(status)))
        elector = self._elector
        if elector is not None:
            checks.append(Check("leader-election", not elector.trouble, elector.reason))
        for runner in self._runners:
            missing = [i.status.kind for i in runner.informers if not i.status.synced]
            if missing:
                ok, reason = False, f"waits for {', '.join(missing)}"
            elif elector is not None and not elector.leading:
                ok, reason = True, "stands by"
            elif runner.refused:
                ok, reason = False, next(iter(runner.refused.values()))
            else:
                ok, reason = runner.ready, f"{len(runner.queue)} waiting"
            checks.append(Check(f"controller/{runner.name}", ok, reason))
        if self._denied:
            checks.append(Check("credentials", False, self._denied))
        if self._missing:  # what has to do without one is not ready by itself
            checks.append(Check("rights", True, f"missing: {', '.join(self._missing)}"))
        if self._recorder is not None and self._recorder.refused:
            # An operator without Events does its work, so it stays ready.
            checks.append(Check("events", True, self._recorder.refused))
        return checks

    def _health_server(self) -> HealthServer:
        return HealthServer(
            host=self.host or default_host(),
            health_port=self.health_port,
            metrics_port=self.metrics_port,
            metrics=self.metrics,
            refresh=self._refresh,
            checks=self.checks,
            alive=self._alive,
            status=self._status,
        )

    def _alive(self) -> str | None:
        blocked = self._watchdog.blocked_for if self._watchdog is not None else 0.0
        return f"the event loop has been held for {blocked:.0f} s" if blocked > BLOCKED_LIMIT_S else None

    def _status(self) -> dict[str, Any]:
        return {
            "version": 1,
            "checks": [check_to_dict(check) for check in self.checks()],
            "reconciles": [
                {
                    "controller": outcome.controller,
                    "object": outcome.request,
                    "result": outcome.result,
                    "seconds": round(outcome.seconds, 6),
                    "causes": list(outcome.causes),
                    "error": outcome.error,
                    "retryAfter": outcome.retry_after,
                    "runs": outcome.runs,
                }
                for outcome in self.outcomes.list()
            ],
        }

    def _refresh(self) -> None:
        """Bring the series that are computed at scrape time up to date."""
        if self._elector is not None and self.leader_election is not None:
            name = self.leader_election.lease_name
            self.metrics.leader.labels(name).set(self._elector.leading and not self.gate.closed)
            self._sampler.count(self.metrics.fenced_writes, (name,), self.gate.refused)
        if self._cache is not None:
            self._sampler.sample_cache(self._cache)
            self._sampler.sample_client(self._cache.client)
        self._sampler.sample_queues(self._runners)


def _described(status: InformerStatus) -> str:
    return f"{status.state.value}: {status.reason}"


def _run_to_end(main: Coroutine[Any, Any, int]) -> int:
    """``asyncio.run``, but tasks that ignore their cancellation do not keep it from ending (L3)."""
    loop = _new_loop()
    try:
        asyncio.set_event_loop(loop)
        try:
            return loop.run_until_complete(main)
        finally:
            loop.run_until_complete(_leave())
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def _new_loop() -> asyncio.AbstractEventLoop:
    """A loop: that of uvloop where it is installed (the extra ``fast``)."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


async def _leave() -> None:
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    if rest:
        _, abandoned = await asyncio.wait(rest, timeout=LEAVE_S)
        for task in abandoned:
            _log.warning("%s ignores its cancellation and is left behind", task.get_name())
    await asyncio.get_running_loop().shutdown_asyncgens()
