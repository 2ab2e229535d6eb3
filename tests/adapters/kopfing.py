"""Kopf operators for tests: real kopf, in a thread and loop of its own, against an embedded cluster."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any, Self
from weakref import WeakKeyDictionary

import kopf

from zestor_controller import CustomResource, EmbeddedCluster, Spec, Status
from zestor_controller.crd import crd_for

WATCHING: WeakKeyDictionary[kopf.OperatorRegistry, threading.Event] = WeakKeyDictionary()
CRD = "apiextensions.k8s.io/v1/CustomResourceDefinition"


class WebsiteSpec(Spec):
    replicas: int = 1


class WebsiteStatus(Status):
    ready: bool = False


class Website(CustomResource[WebsiteSpec, WebsiteStatus], group="kopf.example.org", version="v1", plural="websites"):
    """What the operators of these tests handle."""


def install(cluster: EmbeddedCluster) -> None:
    cluster.client.create(CRD, crd_for(Website))
    cluster.client.wait_for(CRD, "websites.kopf.example.org", "Established")


def registry_for(cluster: EmbeddedCluster) -> kopf.OperatorRegistry:
    """A registry that logs in to this cluster."""
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    def login(**kwargs: Any) -> Any:
        import yaml

        document = yaml.safe_load(cluster.kubeconfig.read_text())
        server = document["clusters"][0]["cluster"]
        return kopf.ConnectionInfo(
            server=server["server"],
            ca_data=server["certificate-authority-data"],
            token=document["users"][0]["user"]["token"],
        )

    @kopf.on.startup(registry=registry)
    def quiet(settings: kopf.OperatorSettings, **_: Any) -> None:
        settings.posting.enabled = False

    watching = WATCHING[registry] = threading.Event()

    @kopf.on.event("serviceaccounts", registry=registry)  # each namespace has one
    async def first(**_: Any) -> None:
        watching.set()

    return registry


class Operator:
    """A kopf operator while it runs.

    Attributes:
        error: what it ended with; None after a clean end.
        stopped_in: seconds that its end took.
    """

    def __init__(self, registry: kopf.OperatorRegistry, **options: Any) -> None:
        self.memo = options.pop("memo", None) or kopf.Memo()
        self.error: BaseException | None = None
        self.stopped_in = 0.0
        self._options = {"clusterwide": True, **options}
        self._registry = registry
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._main, name="kopf")

    def _main(self) -> None:
        try:
            run_kopf(
                registry=self._registry,
                settings=kopf.OperatorSettings(),
                memo=self.memo,
                stop_flag=self._stop,
                ready_flag=self._ready,
                **self._options,
            )
        except BaseException as error:
            self.error = error
        finally:
            self._ready.set()

    def __enter__(self) -> Self:
        watching = WATCHING[self._registry]
        watching.clear()
        self._thread.start()
        assert self._ready.wait(30)
        assert watching.wait(30)  # an operator that is stopped while it begins takes kopf five seconds
        return self

    def __exit__(self, *exc: object) -> None:
        began = time.monotonic()
        self._stop.set()
        self._thread.join(30)
        self.stopped_in = time.monotonic() - began
        assert not self._thread.is_alive()


def run_kopf(**options: Any) -> None:
    """Run an operator in this thread to its end, and collect the connections that kopf leaves.

    A request that is cancelled while it connects leaves its transport to the garbage collector (asyncio of Python 3.11,
    TLS): it is collected here, lest it be reported for whichever test runs by then.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            asyncio.run(kopf.operator(standalone=True, **options))
        finally:
            gc.collect()


def failed_start(registry: kopf.OperatorRegistry, **options: Any) -> str:
    """Why an operator does not start: what its start-up handlers failed with."""
    logged: list[str] = []

    def main() -> None:
        try:
            # Without a stop flag: kopf would wait for one that is a thread's before it ends with its error.
            run_kopf(registry=registry, **{"clusterwide": True, **options})
        except Exception as error:  # kopf's ActivityError is not among its public names
            logged.extend(str(outcome.exception) for outcome in error.outcomes.values() if outcome.exception)

    thread = threading.Thread(target=main, name="kopf")
    thread.start()
    thread.join(30)
    assert not thread.is_alive()
    return "; ".join(logged)


def until(condition: Callable[[], object], watch: Any, seconds: float = 20) -> None:
    """Wait until a condition holds; it is looked at after each event of a store's watch."""
    deadline = time.monotonic() + seconds
    while not condition():
        left = deadline - time.monotonic()
        assert left > 0, "it did not come about in time"
        watch.get(timeout=min(left, 1.0))
