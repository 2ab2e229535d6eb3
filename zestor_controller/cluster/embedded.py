"""A cluster in the process: the API server on a socket, with the controllers that make it live.

The server and its controllers run in a thread and loop of their own, so that nothing a user's code does can freeze
them.
Invariant: leaving the block ends the thread, the socket and every watch; nothing of ours still runs then.
"""

from __future__ import annotations

import asyncio
import logging
import random
import tempfile
import threading
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from zestor_controller.apiserver import ApiServer, AuditLog, AuditRecord
from zestor_controller.apiserver.discovery.groups import GIT_VERSION
from zestor_controller.apiserver.server.secureserver import SecureServer, SecureServerOptions
from zestor_controller.cache import ClusterCache
from zestor_controller.client import AiohttpTransport, BlockingClient, Client, MemoryTransport, load_config
from zestor_controller.cluster.simulation import GarbageCollector, simulated_controllers
from zestor_controller.cluster.simulation.node import NODE
from zestor_controller.errors import AlreadyExists, ConfigError
from zestor_controller.manager import Manager

__all__ = ["EmbeddedCluster", "Housekeeping"]

R = TypeVar("R")

_log = logging.getLogger(__name__)

CONTROLLERS: Final = ("all", "none")
CONTROLLER_MANAGER: Final = "kube-controller-manager"
KUBELET: Final = "kubelet"


class Housekeeping:
    """The controllers of a cluster, as one thing to run beside a server.

    Args:
        api: the server; it is reached in memory.
        token: an administrator's.
        ca: the certificate of the server's authority, as PEM text: each namespace gets it in a ConfigMap.
    """

    def __init__(self, api: ApiServer, token: str, ca: str = "") -> None:
        self._api = api
        self._token = token
        self._ca = ca

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set."""
        transport = MemoryTransport(
            self._api, {"Authorization": f"Bearer {self._token}", "User-Agent": "zestor-cluster"}
        )
        client = Client(transport, field_manager=CONTROLLER_MANAGER)
        node_client = Client(transport, field_manager=KUBELET)
        await _make_node(node_client)
        manager = Manager(*simulated_controllers(node_client, self._ca))
        async with ClusterCache(client) as cache, asyncio.TaskGroup() as tasks:
            collector = tasks.create_task(GarbageCollector(client, cache).run(), name="collector")
            managing = tasks.create_task(manager.serve(stop, client=client), name="controllers")
            await stop.wait()
            collector.cancel()
            await managing


async def _make_node(client: Client) -> None:
    """The one node on which simulated Pods run."""
    node = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": NODE, "labels": {"kubernetes.io/hostname": NODE, "kubernetes.io/os": "linux"}},
    }
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "KubeletReady",
        "message": "the embedded node is simulated",
    }
    room = {"cpu": "64", "memory": "256Gi", "pods": "10000"}
    try:
        made = await client.create("v1/Node", node)
    except AlreadyExists:
        return
    info = {"kubeletVersion": GIT_VERSION, "operatingSystem": "linux", "architecture": "amd64", "osImage": "simulated"}
    made["status"] = {"conditions": [ready], "capacity": room, "allocatable": room, "nodeInfo": info}
    await client.apply_status(made, field_manager=KUBELET)


class EmbeddedCluster:
    """A cluster for development and tests.

    ``with EmbeddedCluster() as cluster`` gives a ``cluster.client`` whose verbs block; ``async with`` one whose verbs
    are awaited on the present loop.

    Args:
        rbac: rights are checked; without it every known user may do everything.
        controllers: ``"all"`` or ``"none"``: garbage collection, namespaces, workloads.
        seed: makes generated names, uids and tokens a function of it; never for anything but tests.
        port: 0 takes a free one.
        bind: the address to listen on.
        kubeconfig: where to write the administrator's kubeconfig; a temporary file unless given.
        token_file: further users, as CSV.
        audit_log: a file for the audit log.

    Attributes:
        url: where it listens.
        kubeconfig: the file to give to kubectl, Helm or any other client.
        client: a client with the administrator's rights.

    Raises:
        ConfigError: on entering: an argument cannot be used.
        OSError: on entering: the port is in use.
    """

    url: str
    kubeconfig: Path
    client: Any

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
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._where = Path(kubeconfig) if kubeconfig is not None else None
        self._rbac = rbac
        self._port = port
        self._bind = bind
        self._token_file = token_file
        self._audit_path = audit_log
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._up = threading.Event()
        self._failure: BaseException | None = None
        self._served: SecureServer | None = None
        self._audit: AuditLog | None = None
        self._stack = AsyncExitStack()

    # Life

    def __enter__(self) -> Self:
        self._start()
        self.client = BlockingClient(self._run(self._connect()), self._running_loop)
        return self

    def __exit__(self, *exc: object) -> None:
        try:
            self._run(self.client.client.transport.close())
        finally:
            self._end()

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._start)
        self.client = await self._stack.enter_async_context(await self._connect())
        return self

    async def __aexit__(self, *exc: object) -> None:
        try:
            await self._stack.aclose()
        finally:
            await asyncio.to_thread(self._end)

    @property
    def requests(self) -> list[AuditRecord]:
        """What the server was asked, oldest first; its own controllers' requests are left out."""
        assert self._audit is not None  # only while it runs
        return self._audit.matching(lambda record: record.user != "system:zestor-cluster")

    def compact(self) -> None:
        """Forget the history: watches and lists of older versions get a 410."""
        assert self._served is not None  # only while it runs
        served = self._served
        self._running_loop.call_soon_threadsafe(served.api.compact)
        self._run(asyncio.sleep(0))

    def restart(self) -> None:
        """What a client sees of a server's restart: every connection ends, the address comes back, the objects stay."""
        assert self._served is not None  # only while it runs
        self._run(self._served.restart())

    # Inside

    @property
    def _running_loop(self) -> asyncio.AbstractEventLoop:
        assert self._loop is not None  # only while it runs
        return self._loop

    def _run(self, coroutine: Coroutine[Any, Any, R]) -> R:
        return asyncio.run_coroutine_threadsafe(coroutine, self._running_loop).result()

    async def _connect(self) -> Client:
        """A client of the running loop; it never uses a proxy, for the server is in this process."""
        config = await load_config(self.kubeconfig)
        config.trust_env = False
        return Client(AiohttpTransport(config), namespace=config.namespace)

    def _start(self) -> None:
        if self._where is None:
            self._folder = tempfile.TemporaryDirectory(prefix="zestor-")
            self.kubeconfig = Path(self._folder.name) / "kubeconfig"
        else:
            self.kubeconfig = self._where
        self._thread = threading.Thread(target=self._main, name="zestor-embedded-cluster", daemon=True)
        self._thread.start()
        self._up.wait()
        if self._failure is not None:
            self._thread.join()
            self._clean()
            raise self._failure

    def _end(self) -> None:
        if self._loop is not None and self._stop is not None and self._thread is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        if self._thread is not None:
            self._thread.join()
        self._clean()

    def _clean(self) -> None:
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _main(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # whatever it is, the caller's thread must learn of it and not hang
            if self._up.is_set():
                _log.exception("the embedded cluster failed")
            self._failure = error
            self._up.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        rng = random.Random(self._seed) if self._seed is not None else None
        self._audit = AuditLog(self._audit_path)
        settings = SecureServerOptions(
            bind=self._bind,
            port=self._port,
            kubeconfig=self.kubeconfig,
            rbac=self._rbac,
            token_file=self._token_file,
            audit=self._audit,
            rng=rng,
        )
        async with SecureServer(settings) as served:
            self._served = served
            self.url = served.url
            stop = self._stop
            if self._controllers == "none":
                self._up.set()
                await stop.wait()
                return
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(
                    Housekeeping(served.api, served.internal_token, served.ca).run(stop), name="housekeeping"
                )
                self._up.set()
                await stop.wait()
