"""What ``zestor dev`` shows of objects, Kubernetes Events and reconciles, as it happens.

Invariant: it only reads watches; nothing hooks into the manager, so what is shown cannot delay what is run.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from zestor_controller.cache import AsyncClusterCache
from zestor_controller.cli.console import Console, summary_of
from zestor_controller.controller import Outcome
from zestor_controller.objects import Kind, kind_of
from zestor_controller.store import EventType, Overflow

__all__ = ["DevView"]

EVENT: Final = "events.k8s.io/v1/Event"
OF_EVERY_CLUSTER: Final = ("/kube-root-ca.crt", "Service default/kubernetes")  # not created by the operator
CHANGES: Final = {EventType.CREATE: "created", EventType.UPDATE: "changed", EventType.DELETE: "deleted"}


class DevView:
    """Prints changes on a console.

    Attributes:
        errors: the last error of each request whose last reconcile failed.
    """

    def __init__(self, console: Console) -> None:
        self.errors: dict[str, str] = {}
        self._console = console
        self._shown: set[str] = set()

    async def show_objects(self, cache: AsyncClusterCache, kind: Kind[Any]) -> None:
        """Show the objects of a kind until cancelled."""
        lister = cache.informer(kind).lister
        with lister.watch(initial_replay=True, overflow=Overflow.COALESCE) as watch:
            async for batch in watch.batches():
                for event in batch:
                    if f"{kind.kind} {event.name}".endswith(OF_EVERY_CLUSTER):
                        continue
                    change, summary = CHANGES[event.type], summary_of(event)
                    line = f"{kind.kind} {event.name} {change} {summary}"
                    if event.type is EventType.UPDATE and line in self._shown:
                        continue  # a change of something that is not shown
                    self._forget(f"{kind.kind} {event.name} ")
                    self._shown.add(line)
                    self._console.object(change, kind.kind, event.name, summary)

    async def show_events(self, cache: AsyncClusterCache) -> None:
        """Show Kubernetes Events until cancelled."""
        lister = cache.informer(kind_of(EVENT)).lister
        with lister.watch(initial_replay=True, overflow=Overflow.COALESCE) as watch:
            async for batch in watch.batches():
                for event in batch:
                    if event.type is not EventType.DELETE:
                        self._show_event(event.object)

    async def show_outcomes(self, outcomes: Any) -> None:
        """Show the outcome of each reconcile until cancelled."""
        with outcomes.watch(event_types={EventType.CREATE, EventType.UPDATE}, overflow=Overflow.COALESCE) as watch:
            async for batch in watch.batches():
                self._show_outcomes(event.object for event in batch)

    # Internals

    def _forget(self, prefix: str) -> None:
        self._shown = {known for known in self._shown if not known.startswith(prefix)}

    def _show_event(self, obj: Any) -> None:
        about = obj.get("regarding") or {}
        name = str(about.get("name", ""))
        if about.get("namespace"):
            name = f"{about['namespace']}/{about.get('name')}"
        self._console.event(str(obj.get("type", "")), name, str(obj.get("reason", "")), str(obj.get("note", "")))

    def _show_outcomes(self, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            if outcome.error:
                self.errors[outcome.request] = outcome.error
            else:
                self.errors.pop(outcome.request, None)
            self._console.reconcile(
                outcome.controller,
                outcome.request,
                outcome.result,
                outcome.seconds,
                outcome.causes,
                outcome.error,
                outcome.retry_after if outcome.error else None,
            )
