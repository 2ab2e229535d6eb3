"""What a reconcile is handed beside its object: reads from the cache, writes to the server, events, a log.

Invariant: reads come from the cache unless they go through ``ctx.client``; writes go to the server and never into the
cache, where they arrive by the watch.
"""

from __future__ import annotations

import asyncio
import builtins
import logging
import threading
from collections.abc import Coroutine, Mapping
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, overload

from zestor_controller.cache import ClusterCache, Lister
from zestor_controller.client import Client
from zestor_controller.client.discovery import discover
from zestor_controller.controller.reconcile import Request
from zestor_controller.controller.recorder import EventRecorder
from zestor_controller.errors import ConfigError
from zestor_controller.objects import Kind, Unstructured, controller_reference

__all__ = ["BlockingContext", "Context", "Owner"]

T = TypeVar("T")
R = TypeVar("R")


class Logger(Protocol):
    """The part of a standard logger that reconciles use."""

    def debug(self, msg: str, *args: Any) -> None:
        """Log at DEBUG."""

    def info(self, msg: str, *args: Any) -> None:
        """Log at INFO."""

    def warning(self, msg: str, *args: Any) -> None:
        """Log at WARNING."""

    def error(self, msg: str, *args: Any) -> None:
        """Log at ERROR."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The object being reconciled, as far as its children need to know it."""

    kind: Kind[Any]
    name: str
    namespace: str
    uid: str
    resource_version: str

    def reference(self) -> dict[str, Any]:
        """An object reference, as Events carry it."""
        reference = {
            "apiVersion": self.kind.api_version,
            "kind": self.kind.kind,
            "name": self.name,
            "uid": self.uid,
            "resourceVersion": self.resource_version,
        }
        if self.namespace:
            reference["namespace"] = self.namespace
        return reference


class Context:
    """The context of one reconcile.

    Attributes:
        request: whose turn it is.
        client: the server itself, for what the cache does not hold.
        log: a logger that names the controller and the object.
        causes: why this reconcile runs, oldest first, at most ten.
        more_causes: how many further causes did not fit.
        attempt: 1, and one more for each failure since the last success.
    """

    def __init__(
        self,
        *,
        request: Request,
        owner: Owner | None,
        client: Client,
        cache: ClusterCache,
        recorder: EventRecorder,
        controller: str,
        causes: tuple[str, ...],
        more_causes: int,
        attempt: int,
    ) -> None:
        self.request = request
        self.client = client
        self.causes = causes
        self.more_causes = more_causes
        self.attempt = attempt
        self.log: Logger = logging.LoggerAdapter(
            logging.getLogger(f"zestor_controller.reconcile.{controller}"),
            {"controller": controller, "namespace": request.namespace, "object": request.name},
        )
        self._owner = owner
        self._cache = cache
        self._recorder = recorder
        self._controller = controller

    # Reading

    def lister(self, kind: type[T] | str) -> Lister[Any]:
        """The cache of a kind that this manager watches.

        Raises:
            ConfigError: no controller of this manager owns or watches the kind, so it is not cached.
        """
        return self._cache.lister(kind)

    @overload
    def get(self, kind: type[T], name: str, *, namespace: str | None = None) -> T | None: ...
    @overload
    def get(self, kind: str, name: str, *, namespace: str | None = None) -> Unstructured | None: ...
    def get(self, kind: type[T] | str, name: str, *, namespace: str | None = None) -> T | Unstructured | None:
        """An object from the cache, a private copy; None when it does not exist there.

        Args:
            kind: a class or ``group/version/Kind``.
            name: its name.
            namespace: the request's own unless given.

        Raises:
            ConfigError: the kind is not cached by this manager.
            InvalidObject: its model refuses it.
        """
        found: T | Unstructured | None = self.lister(kind).get(
            name, namespace=namespace or self.request.namespace or None
        )
        return found

    @overload
    def list(
        self, kind: type[T], *, namespace: str | None = None, labels: str | Mapping[str, str] | None = None
    ) -> builtins.list[T]: ...
    @overload
    def list(
        self, kind: str, *, namespace: str | None = None, labels: str | Mapping[str, str] | None = None
    ) -> builtins.list[Unstructured]: ...
    def list(
        self, kind: type[T] | str, *, namespace: str | None = None, labels: str | Mapping[str, str] | None = None
    ) -> builtins.list[T] | builtins.list[Unstructured]:
        """Objects from the cache, private copies.

        Args:
            kind: a class or ``group/version/Kind``.
            namespace: the request's own unless given; ``"*"`` for all.
            labels: a label selector, as text or as a mapping of equalities.
        """
        where = None if namespace == "*" else (namespace or self.request.namespace or None)
        found: builtins.list[T] | builtins.list[Unstructured] = self.lister(kind).list(namespace=where, labels=labels)
        return found

    # Writing

    @overload
    async def apply(self, child: Mapping[str, Any]) -> Unstructured: ...
    @overload
    async def apply(self, child: T) -> T: ...
    async def apply(self, child: Any) -> Any:
        """Server-side apply a child: an owner reference to the reconciled object is set, conflicts are forced.

        Args:
            child: an object with apiVersion, kind and name; its namespace defaults to the owner's.

        Returns:
            The object as the server has it now.

        Raises:
            ConfigError: the child cannot be owned: it lives in another namespace, or is cluster-scoped.
            ApiError: the server's refusal.
        """
        if isinstance(child, Mapping):
            text = f"{child.get('apiVersion')}/{child.get('kind')}"
            try:
                self.client.kinds.of(text)
            except ConfigError:
                await discover(self.client, text)  # a kind that only the server knows
        kind, body = self.client.kinds.of_object(child)
        body = self._adopt(kind, body)
        return await self.client.apply(kind, body, field_manager=self._controller, force=True)

    async def apply_status(self, obj: T) -> T:
        """Server-side apply the status of an object, and nothing else of it; an unchanged status writes nothing.

        Raises:
            ApiError: the server's refusal.
        """
        return await self.client.apply_status(obj, field_manager=self._controller)

    async def delete(self, kind: type[Any] | str, name: str, *, namespace: str | None = None) -> None:
        """Delete an object; one that has gone already is fine.

        Args:
            kind: a class or ``group/version/Kind``.
            name: its name.
            namespace: the request's own unless given.
        """
        await self.client.delete(kind, name, namespace=namespace or self.request.namespace or None, missing_ok=True)

    def event(self, reason: str, message: str, *, type: str = "Normal", action: str = "Reconcile") -> None:
        """Write a Kubernetes Event about the reconciled object, in the background; repeats become a series.

        Args:
            reason: one CamelCase word.
            message: for people.
            type: ``Normal`` or ``Warning``.
            action: one CamelCase word: what was done or tried.

        Raises:
            ConfigError: the object has gone, so there is nothing an Event could regard.
        """
        self._recorder.record(self.regarding(), type, reason, message, action=action)

    def regarding(self) -> dict[str, Any]:
        """A reference to the reconciled object.

        Raises:
            ConfigError: the object has gone.
        """
        if self._owner is None:
            raise ConfigError(f"{self.request}: the object has gone; an Event needs one to regard")
        return self._owner.reference()

    def _adopt(self, kind: Kind[Any], body: dict[str, Any]) -> dict[str, Any]:
        meta = dict(body.get("metadata") or {})
        owner = self._owner
        if kind.namespaced and not meta.get("namespace"):
            meta["namespace"] = self.request.namespace or self.client.namespace
        if owner is not None:
            what = f"{kind.kind} {meta.get('name')}"
            if owner.namespace and not kind.namespaced:
                raise ConfigError(
                    f"{what} is cluster-scoped and cannot be owned by {owner.kind.kind} {self.request}, which is "
                    "namespaced: write it with ctx.client.apply and clean it up in a finalizer"
                )
            if owner.namespace and meta["namespace"] != owner.namespace:
                raise ConfigError(
                    f"{what} in namespace {meta['namespace']} cannot be owned by {owner.kind.kind} {self.request}: "
                    "owners and children share a namespace; write it with ctx.client.apply and clean it up in a "
                    "finalizer"
                )
            reference = controller_reference(owner.kind, owner.name, owner.uid)
            others = [r for r in meta.get("ownerReferences") or [] if r.get("uid") != owner.uid]
            meta["ownerReferences"] = [*others, reference]
        return {**body, "metadata": meta}


class BlockingContext:
    """The same context for a plain ``def`` reconcile, which runs in a thread: its verbs block.

    Reading needs no waiting, so ``get``, ``list``, ``lister`` and ``event`` are the same; ``client`` stays
    asynchronous and is reached by ``ctx.wait(ctx.client.get(...))``.
    """

    def __init__(self, context: Context, loop: asyncio.AbstractEventLoop) -> None:
        self._context = context
        self._loop = loop
        self.request = context.request
        self.client = context.client
        self.causes = context.causes
        self.more_causes = context.more_causes
        self.attempt = context.attempt
        self.log = context.log
        self.get = context.get
        self.list = context.list
        self.lister = context.lister
        self._lock = threading.Lock()
        self._waiting: Future[Any] | None = None
        self._cancelled = False

    def wait(self, coroutine: Coroutine[Any, Any, R]) -> R:
        """Run a coroutine on the manager's loop and block this thread until it is done.

        Raises:
            CancelledError: the reconcile was cancelled, by its timeout or because the manager stops.
        """
        with self._lock:
            if self._cancelled:
                coroutine.close()
                raise CancelledError(f"the reconcile of {self.request} has been cancelled; return from it")
            self._waiting = waiting = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        answer: R = waiting.result()
        return answer

    def cancel(self) -> None:
        """End the verb that blocks now and refuse those that follow; the runner calls it at the timeout."""
        with self._lock:
            self._cancelled = True
            if self._waiting is not None:
                self._waiting.cancel()

    @overload
    def apply(self, child: Mapping[str, Any]) -> Unstructured: ...
    @overload
    def apply(self, child: T) -> T: ...
    def apply(self, child: Any) -> Any:
        """See :meth:`Context.apply`."""
        return self.wait(self._context.apply(child))

    def apply_status(self, obj: T) -> T:
        """See :meth:`Context.apply_status`."""
        return self.wait(self._context.apply_status(obj))

    def delete(self, kind: type[Any] | str, name: str, *, namespace: str | None = None) -> None:
        """See :meth:`Context.delete`."""
        self.wait(self._context.delete(kind, name, namespace=namespace))

    def event(self, reason: str, message: str, *, type: str = "Normal", action: str = "Reconcile") -> None:
        """See :meth:`Context.event`."""
        self._context.regarding()  # refused here, where the caller sees it
        self._loop.call_soon_threadsafe(lambda: self._context.event(reason, message, type=type, action=action))


def owner_of(kind: Kind[Any], obj: Any) -> Owner:
    """The Owner value of an object of this kind."""
    meta = obj.metadata
    return Owner(kind, meta.name or "", meta.namespace or "", meta.uid or "", meta.resource_version or "")
