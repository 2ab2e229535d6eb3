"""What a reconcile is handed beside its object: reads from the cache, writes to the server, events, a log.

Invariant: reads come from the cache unless they go through ``ctx.client``; writes go to the server and never into the
cache, where they arrive by the watch.
"""

from __future__ import annotations

import asyncio
import builtins
import threading
from collections.abc import Coroutine, Mapping
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Never, TypeVar, overload

from zestor_controller.cache import Lister
from zestor_controller.client.gate import Term
from zestor_controller.client.officialclient import official_client
from zestor_controller.controller.objectlogger import ObjectLogger
from zestor_controller.controller.reconcile import Request
from zestor_controller.controller.services import Services
from zestor_controller.controller.workqueue import Item
from zestor_controller.errors import ConfigError
from zestor_controller.objects import Kind, KindRef, KindT, ObjectT, Unstructured, controller_reference
from zestor_controller.objects.configuration import changed_fields, note_applied

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

__all__ = ["BlockingContext", "Context", "Owner"]

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Owner:
    """The object being reconciled, as far as its children need to know it."""

    kind: Kind[object]
    name: str
    namespace: str
    uid: str
    resource_version: str

    def reference(self) -> dict[str, object]:
        """An object reference, as Events carry it."""
        reference: dict[str, object] = {
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

    Args:
        item: the key with what the queue knows of it.
        owner: the object that is reconciled; None when it does not exist.
        kind: its kind.
        controller: the controller's name.
        services: the manager's client, cache and recorder.

    Attributes:
        request: whose turn it is.
        client: the server itself, for what the cache does not hold.
        causes: why this reconcile runs, oldest first, at most ten.
        more_causes: how many further causes did not fit.
        attempt: 1, and one more for each failure since the last success.
    """

    def __init__(
        self, item: Item[Request], owner: Owner | None, kind: Kind[object], controller: str, services: Services
    ) -> None:
        self.request = item.key
        self.client = services.client
        self.causes = item.causes
        self.more_causes = item.more
        self.attempt = item.failures + 1
        self._kind = kind
        self._owner = owner
        self._term = Term.current()
        self._cache = services.cache
        self._recorder = services.recorder
        self._controller = controller
        self._loop = asyncio.get_running_loop()
        self._log: ObjectLogger | None = None

    @property
    def log(self) -> ObjectLogger:
        """A logger that names the controller and the object."""
        if self._log is None:
            self._log = ObjectLogger(self._controller, self.request.namespace, self.request.name)
        return self._log

    # Reading

    def lister(self, kind: KindRef[KindT]) -> Lister[KindT]:
        """The cache of a kind that this manager watches.

        Raises:
            ConfigError: no controller of this manager owns or watches the kind, so it is not cached.
        """
        return self._cache.lister(kind)

    def get(self, kind: KindRef[KindT], name: str, *, namespace: str | None = None) -> KindT | None:
        """An object from the cache, a private copy; None when it does not exist there.

        Args:
            kind: a class or ``group/version/Kind``.
            name: its name.
            namespace: the request's own unless given.

        Raises:
            ConfigError: the kind is not cached by this manager, or it lives in namespaces and none is given while the
                reconciled object is cluster-scoped and has none.
            InvalidObject: its model refuses it.
        """
        lister = self.lister(kind)
        complete = "/" in str(name)  # a lister takes namespace/name, too
        where = None if complete else self._namespace(lister.kind, name, namespace)
        return lister.get(name, namespace=where)

    def list(
        self, kind: KindRef[KindT], *, namespace: str | None = None, labels: str | Mapping[str, str] | None = None
    ) -> builtins.list[KindT]:
        """Objects from the cache, private copies.

        Args:
            kind: a class or ``group/version/Kind``.
            namespace: the request's own unless given, which means all of them while the reconciled object is
                cluster-scoped; ``"*"`` for all.
            labels: a label selector, as text or as a mapping of equalities.
        """
        where = None if namespace == "*" else (namespace or self.request.namespace or None)
        return self.lister(kind).list(namespace=where, labels=labels)

    # Writing

    @overload
    async def apply(self, child: Mapping[str, object]) -> Unstructured: ...
    @overload
    async def apply(self, child: ObjectT) -> ObjectT: ...
    async def apply(self, child: Any) -> object:
        """Server-side apply a child: an owner reference to the reconciled object is set, conflicts are forced.

        What was set is sent: defaults of a model that were not set are left to others. Of an object that was read
        (from the cache or the server), what was changed since and what this controller owns already is sent, so that
        other writers' fields stay theirs. The reconciled object itself can be applied, too; it does not own itself.

        Args:
            child: an object with apiVersion, kind and name; its namespace defaults to the owner's.

        Returns:
            The object as the server has it now.

        Raises:
            ConfigError: the child cannot be owned: it lives in another namespace, or is cluster-scoped; or it lives in
                a namespace, names none, and the reconciled object is cluster-scoped.
            ApiError: the server's refusal.
        """
        if isinstance(child, Mapping):
            await self.client.resolve(f"{child.get('apiVersion')}/{child.get('kind')}")
        kind, body = self.client.kinds.of_object(child)
        body = self._adopt(kind, changed_fields(child, body, self._controller))
        result = await self.client.apply(kind, body, field_manager=self._controller, force=True)
        note_applied(child, result)
        return result

    async def apply_status(self, obj: ObjectT) -> ObjectT:
        """Server-side apply the status of an object, and nothing else of it; an unchanged status writes nothing.

        What this controller owns of it and what was changed since the object was read is sent, and nothing that was
        only read: fields and conditions of other writers stay theirs. To give up a field, set it to None.

        Raises:
            ApiError: the server's refusal.
        """
        return await self.client.apply_status(obj, field_manager=self._controller)

    async def delete(self, kind: KindRef[object], name: str, *, namespace: str | None = None) -> None:
        """Delete an object; one that has gone already is fine.

        Args:
            kind: a class or ``group/version/Kind``.
            name: its name.
            namespace: the request's own unless given.

        Raises:
            ConfigError: the kind lives in namespaces, and none is given while the reconciled object is cluster-scoped.
        """
        known = await self.client.resolve(kind)
        where = self._namespace(known, name, namespace)
        await self.client.delete(known, name, namespace=where, missing_ok=True)

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

    def kubernetes_client(self) -> ApiClient:
        """The official ``kubernetes`` client, for the cluster that this operator runs against.

        For ``kubernetes.client.CoreV1Api(ctx.kubernetes_client())``. Its methods block: in an ``async def`` call them
        by ``asyncio.to_thread``. Its writes are refused like others while this replica does not lead, and they are in
        the cache once the watch has delivered them.

        Raises:
            ConfigError: the server is reached in memory, not over a socket.
        """
        return official_client(self.client.transport, self._loop)

    def regarding(self) -> dict[str, object]:
        """A reference to the reconciled object.

        Raises:
            ConfigError: the object has gone.
            TransportError: the term in which this reconcile was started has ended.
        """
        if self._term is not None:
            self._term.check(f"an Event about {self.request}")
        if self._owner is None:
            raise ConfigError(f"{self.request}: the object has gone; an Event needs one to regard")
        return self._owner.reference()

    def _namespace(self, kind: Kind[object], name: str, given: str | None) -> str | None:
        """The namespace of an object that a verb names.

        Raises:
            ConfigError: it has to have one, and nothing says which.
        """
        where = given or self.request.namespace or None
        if where is None and kind.namespaced:
            raise ConfigError(
                f"{kind.kind} {name} lives in a namespace, and {self._kind.kind} {self.request}, which is reconciled, "
                "is cluster-scoped: give the namespace"
            )
        return where

    def _adopt(self, kind: Kind[object], body: dict[str, Any]) -> dict[str, Any]:
        meta = dict(body.get("metadata") or {})
        owner = self._owner
        if kind.namespaced and not meta.get("namespace"):
            meta["namespace"] = self._namespace(kind, str(meta.get("name")), None)
        if owner is not None and not self._is_reconciled(kind, meta):
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

    def _is_reconciled(self, kind: Kind[object], meta: Mapping[str, Any]) -> bool:
        """Whether an object is the reconciled one, which must not be its own owner."""
        here, there = (self._kind.group, self._kind.kind), (kind.group, kind.kind)
        namespace = (meta.get("namespace") or "") if kind.namespaced else ""
        return here == there and (meta.get("name"), namespace) == (self.request.name, self.request.namespace)


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
        self.kubernetes_client = context.kubernetes_client
        self._lock = threading.Lock()
        self._waiting: Future[Any] | None = None
        self._cancelled = False

    def wait(self, coroutine: Coroutine[object, Never, R]) -> R:
        """Run a coroutine on the manager's loop and block this thread until it is done.

        Raises:
            CancelledError: the reconcile was cancelled, by its timeout or because the manager stops.
        """
        with self._lock:
            if self._cancelled:
                coroutine.close()
                raise CancelledError(f"the reconcile of {self.request} has been cancelled; return from it")
            self._waiting = waiting = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        result: R = waiting.result()
        return result

    def cancel(self) -> None:
        """End the verb that blocks now and refuse those that follow; the runner calls it at the timeout."""
        with self._lock:
            self._cancelled = True
            if self._waiting is not None:
                self._waiting.cancel()

    @overload
    def apply(self, child: Mapping[str, object]) -> Unstructured: ...
    @overload
    def apply(self, child: ObjectT) -> ObjectT: ...
    def apply(self, child: Any) -> object:
        """See :meth:`Context.apply`."""
        return self.wait(self._context.apply(child))

    def apply_status(self, obj: ObjectT) -> ObjectT:
        """See :meth:`Context.apply_status`."""
        return self.wait(self._context.apply_status(obj))

    def delete(self, kind: KindRef[object], name: str, *, namespace: str | None = None) -> None:
        """See :meth:`Context.delete`."""
        self.wait(self._context.delete(kind, name, namespace=namespace))

    def event(self, reason: str, message: str, *, type: str = "Normal", action: str = "Reconcile") -> None:
        """See :meth:`Context.event`."""
        self._context.regarding()  # refused here, where the caller sees it
        self._loop.call_soon_threadsafe(lambda: self._context.event(reason, message, type=type, action=action))


def owner_of(kind: Kind[object], obj: Any) -> Owner:
    """The Owner value of an object of this kind."""
    meta = obj.metadata
    return Owner(kind, meta.name or "", meta.namespace or "", meta.uid or "", meta.resource_version or "")
