"""A cluster in the process: the API server on a socket, with the controllers of a cluster.

The server and its controllers run in a thread and loop of their own, so that code of a user that blocks cannot stop
them. Invariant: leaving the block ends the thread, the socket and every watch; nothing of ours runs afterwards.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from zestor_controller.apiserver import AuditLog, AuditRecord
from zestor_controller.apiserver.server.secureserver import SecureServer, SecureServerOptions
from zestor_controller.client import AiohttpTransport, BlockingClient, Client, load_config
from zestor_controller.cluster.controllermanager import ControllerManager
from zestor_controller.errors import ConfigError
from zestor_controller.loopthread import LoopThread

__all__ = ["AsyncCluster", "BlockingCluster", "EmbeddedCluster", "RunningCluster"]

CONTROLLERS: Final = ("all", "none")


class RunningCluster:
    """An embedded cluster while it runs.

    Attributes:
        url: where the server listens.
        kubeconfig: the file for kubectl, Helm or any other client.
    """

    def __init__(self, served: SecureServer, thread: LoopThread, kubeconfig: Path, audit: AuditLog) -> None:
        self.url = served.url
        self.kubeconfig = kubeconfig
        self._served = served
        self._thread = thread
        self._audit = audit

    @property
    def requests(self) -> list[AuditRecord]:
        """The requests that the server got, oldest first; those of its own controllers are left out."""
        return self._audit.matching(lambda record: record.user != "system:zestor-cluster")

    def compact(self) -> None:
        """Discard the history: watches and lists of older versions get a 410."""
        self._thread.call(self._served.api.compact)

    def restart(self) -> None:
        """What a client sees of a server's restart: every connection ends, the address comes back, the objects stay."""
        self._thread.run(self._served.restart())


class BlockingCluster(RunningCluster):
    """An embedded cluster for code without an event loop.

    Attributes:
        client: a client with the administrator's rights, whose verbs block.
    """

    def __init__(
        self, client: BlockingClient, served: SecureServer, thread: LoopThread, kubeconfig: Path, audit: AuditLog
    ) -> None:
        super().__init__(served, thread, kubeconfig, audit)
        self.client = client


class AsyncCluster(RunningCluster):
    """An embedded cluster for code on an event loop.

    Attributes:
        client: a client with the administrator's rights, whose verbs are awaited on the loop that entered the cluster.
    """

    def __init__(
        self, client: Client, served: SecureServer, thread: LoopThread, kubeconfig: Path, audit: AuditLog
    ) -> None:
        super().__init__(served, thread, kubeconfig, audit)
        self.client = client


class EmbeddedCluster:
    """A cluster for development and tests.

    ``with EmbeddedCluster() as cluster`` gives a :class:`BlockingCluster`, whose client's verbs block; ``async with``
    an :class:`AsyncCluster`, whose client's verbs are awaited on the present loop.

    Args:
        rbac: rights are checked; without it every known user may do everything.
        controllers: ``"all"`` or ``"none"``: garbage collection, namespaces, workloads.
        seed: makes generated names, uids and tokens a function of it; never for anything but tests.
        port: 0 takes a free one.
        bind: the address to listen on.
        kubeconfig: where to write the administrator's kubeconfig; a temporary file unless given.
        token_file: further users, as CSV.
        audit_log: a file for the audit log.

    Raises:
        ConfigError: on entering: an argument cannot be used.
        OSError: on entering: the port is in use.
    """

    def __init__(
        self,
        rbac: bool = False,
        controllers: str = "all",
        seed: int | None = None,
        *,
        port: int = 0,
        bind: str = "127.0.0.1",
        kubeconfig: Path | str | None = None,
        token_file: Path | None = None,
        audit_log: Path | None = None,
    ) -> None:
        if controllers not in CONTROLLERS:
            raise ConfigError(f"controllers={controllers!r}: one of {', '.join(CONTROLLERS)}")
        self._controllers = controllers
        self._seed = seed
        self._kubeconfig = Path(kubeconfig) if kubeconfig is not None else None
        self._audit_path = audit_log
        self._settings = SecureServerOptions(bind=bind, port=port, rbac=rbac, token_file=token_file)
        self._resources = ExitStack()
        self._running: BlockingCluster | AsyncCluster | None = None

    # Lifecycle

    def __enter__(self) -> BlockingCluster:
        thread, kubeconfig, audit = self._prepared()
        try:
            served = thread.start(self._serving(kubeconfig, audit))
            client = BlockingClient(thread.run(_connect(kubeconfig)), thread)
        except BaseException:
            self._resources.close()
            raise
        self._running = cluster = BlockingCluster(client, served, thread, kubeconfig, audit)
        return cluster

    def __exit__(self, *exc: object) -> None:
        cluster = self._running
        try:
            if isinstance(cluster, BlockingCluster):
                cluster.client.wait(cluster.client.client.transport.close())
        finally:
            self._resources.close()

    async def __aenter__(self) -> AsyncCluster:
        thread, kubeconfig, audit = self._prepared()
        try:
            served = await asyncio.wrap_future(thread.begin(self._serving(kubeconfig, audit)))
            client = await _connect(kubeconfig)
        except BaseException:
            await asyncio.to_thread(self._resources.close)
            raise
        self._running = cluster = AsyncCluster(client, served, thread, kubeconfig, audit)
        return cluster

    async def __aexit__(self, *exc: object) -> None:
        cluster = self._running
        try:
            if isinstance(cluster, AsyncCluster):
                await cluster.client.transport.close()
        finally:
            await asyncio.to_thread(self._resources.close)

    # The running cluster, for code that kept the object that it entered

    @property
    def url(self) -> str:
        """See :class:`RunningCluster`."""
        return self._entered.url

    @property
    def kubeconfig(self) -> Path:
        """See :class:`RunningCluster`."""
        return self._entered.kubeconfig

    @property
    def client(self) -> BlockingClient | Client:
        """The client of the object that entering gave, which knows which of the two it is."""
        return self._entered.client

    @property
    def requests(self) -> list[AuditRecord]:
        """See :attr:`RunningCluster.requests`."""
        return self._entered.requests

    def compact(self) -> None:
        """See :meth:`RunningCluster.compact`."""
        self._entered.compact()

    def restart(self) -> None:
        """See :meth:`RunningCluster.restart`."""
        self._entered.restart()

    # Internals

    @property
    def _entered(self) -> BlockingCluster | AsyncCluster:
        if self._running is None:
            raise ConfigError("the cluster is not running: use it in `with EmbeddedCluster() as cluster`")
        return self._running

    def _prepared(self) -> tuple[LoopThread, Path, AuditLog]:
        """The thread, the kubeconfig's path and the audit log of one start; closing the resources undoes it."""
        audit = AuditLog(self._audit_path)
        thread = LoopThread("zestor-embedded-cluster")
        path = self._kubeconfig
        if path is None:
            folder = self._resources.enter_context(tempfile.TemporaryDirectory(prefix="zestor-"))
            path = Path(folder) / "kubeconfig"
        self._resources.callback(thread.stop)
        return thread, path, audit

    @asynccontextmanager
    async def _serving(self, kubeconfig: Path, audit: AuditLog) -> AsyncIterator[SecureServer]:
        rng = random.Random(self._seed) if self._seed is not None else None
        settings = replace(self._settings, kubeconfig=kubeconfig, audit=audit, rng=rng)
        async with SecureServer(settings) as served:
            if self._controllers == "none":
                yield served
                return
            stop = asyncio.Event()
            manager = ControllerManager(served.api, served.internal_token, served.ca)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(manager.run(stop), name="controller manager")
                yield served
                stop.set()


async def _connect(kubeconfig: Path) -> Client:
    """A client of the running loop; it never uses a proxy, for the server is in this process."""
    config = await load_config(kubeconfig)
    config.trust_env = False
    return Client(AiohttpTransport(config), namespace=config.namespace)
