"""Which function of a controller fits the state of an object, and the call of it.

Invariants: the state is read from the cache when the run starts. ``deleted`` is called once for each uid, with the last
known state. An object that is being deleted is not reconciled, with and without a finalizer of this controller: its
cleanup is called, if it has one, and only once it has succeeded is the finalizer removed (R4).
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Generic, TypeVar

import msgspec

from zestor_controller.cache import Lister
from zestor_controller.controller.context import BlockingContext, Context, Owner, owner_of
from zestor_controller.controller.controller import Controller
from zestor_controller.controller.finalizer import add_finalizer, remove_finalizer
from zestor_controller.controller.memory import Memory
from zestor_controller.controller.reconcile import Request, Result
from zestor_controller.controller.services import Services
from zestor_controller.controller.threadcall import in_thread
from zestor_controller.controller.workqueue import Item, WorkQueue
from zestor_controller.errors import InvalidObject, TerminalError
from zestor_controller.objects import Unstructured

__all__ = ["Dispatcher"]

T = TypeVar("T")


class Dispatcher(Generic[T]):
    """Calls a controller's functions.

    Args:
        controller: whose functions.
        services: the manager's client, cache, metrics and recorder.
        lister: the cached objects of the controller's kind.
        queue: the runner's queue.
        memory: what the controller remembers in this process.
    """

    def __init__(
        self,
        controller: Controller[T],
        services: Services,
        lister: Lister[T],
        queue: WorkQueue[Request],
        memory: Memory[T],
    ) -> None:
        self._controller = controller
        self._services = services
        self._lister = lister
        self._queue = queue
        self._memory = memory

    async def dispatch(self, item: Item[Request]) -> Result | None:
        """Read the level from the cache and call the function that fits it.

        Raises:
            TerminalError: the function's own, or the model rejects the object: not retried until it changes (C10).
            Exception: what the function raised.
        """
        request, functions = item.key, self._controller.functions
        if functions.requests is not None:
            return await self._call(functions.requests, item, self._owner(request), request)
        if request in self._memory.cleaned and request not in self._lister:
            del self._memory.cleaned[request]
        deleted, later = await self._report_deletions(item)
        try:
            obj: Any = self._lister.get(request.name, namespace=request.namespace or None)
        except InvalidObject as error:
            raise self._rejected(item, error) from error
        if obj is None or obj.metadata.uid in deleted:  # an own write of before the deletion may still be shown
            return later
        if obj.metadata.deletion_timestamp is not None:
            return _sooner(later, await self._clean_up(item, obj))
        if functions.finalizer is not None and functions.finalizer[0] not in (obj.metadata.finalizers or ()):
            obj = await add_finalizer(self._services.client, self._controller.kind, obj, functions.finalizer[0])
        assert functions.reconcile is not None  # Controller.check
        return _sooner(later, await self._call(functions.reconcile, item, self._as_owner(obj), obj))

    async def _clean_up(self, item: Item[Request], obj: Any) -> Result | None:
        """Call the cleanup of an object that is being deleted, unless it has succeeded, and remove the finalizer."""
        if self._controller.functions.finalizer is None:
            return None
        name, cleanup = self._controller.functions.finalizer
        if name not in (obj.metadata.finalizers or ()):
            return None
        if self._memory.cleaned.get(item.key) != obj.metadata.uid:
            later = await self._call(cleanup, item, self._as_owner(obj), obj)
            if later is not None and later.requeue_after is not None:
                return later  # not done yet: the object is held until it is
            self._memory.cleaned[item.key] = obj.metadata.uid
        await remove_finalizer(self._services.client, self._controller.kind, obj, name)
        return None

    async def _report_deletions(self, item: Item[Request]) -> tuple[set[str], Result | None]:
        """Call ``deleted`` for each object of this name that was deleted and not reported yet; returns their uids."""
        function = self._controller.functions.deleted
        reported: set[str] = set()
        result: Result | None = None
        if function is None:
            return reported, result
        for uid, deletion in list(self._memory.deletions.get(item.key, {}).items()):
            reported.add(uid)
            try:
                later = await self._call(function, item, None, item.key, deletion.last())
            except TerminalError:
                self._memory.reported(item.key, uid)
                if item.key in self._lister:  # another object has the name, and its reconcile has to come
                    self._queue.add(item.key, cause="a terminal error of the deleted function")
                raise
            if later is None or later.requeue_after is None:
                self._memory.reported(item.key, uid)
            result = _sooner(result, later)
        return reported, result

    def _rejected(self, item: Item[Request], error: InvalidObject) -> TerminalError:
        """Say on an object that its model rejects what that means for it, where its owner looks."""
        body: dict[str, Any] = msgspec.json.decode(error.raw)
        kind, meta = self._controller.kind, Unstructured(body).metadata
        finalizer = self._controller.functions.finalizer
        if finalizer is not None and meta.deletion_timestamp and finalizer[0] in (meta.finalizers or ()):
            what = (
                f"its cleanup cannot run, so the finalizer {finalizer[0]} keeps it from being deleted: correct the "
                "object, or clean up by hand and remove the finalizer"
            )
        else:
            what = "it is not reconciled: correct the object"
        details = " ".join(str(error.__cause__ or error).split())
        message = f"the model {kind.kind} of {self._controller.name} rejects this object, and {what}. {details}"
        regarding = owner_of(kind, Unstructured(body)).reference()
        self._services.recorder.record(regarding, "Warning", "InvalidObject", message, action="Reconcile")
        return TerminalError(f"{kind.kind} {item.key}: {message}")

    def _as_owner(self, obj: Any) -> Owner:
        return owner_of(self._controller.kind, obj)

    def _owner(self, request: Request) -> Owner | None:
        """The object of a request as an owner; one that its model rejects owns nothing here."""
        try:
            obj: Any = self._lister.get(request.name, namespace=request.namespace or None)
        except InvalidObject:
            return None
        return self._as_owner(obj) if obj is not None else None

    async def _call(
        self, function: Callable[..., Any], item: Item[Request], owner: Owner | None, *args: Any
    ) -> Result | None:
        name = self._controller.name
        context = Context(
            request=item.key,
            kind=self._controller.kind,
            owner=owner,
            client=self._services.client,
            cache=self._services.cache,
            recorder=self._services.recorder,
            controller=name,
            causes=item.causes,
            more_causes=item.more,
            attempt=self._queue.failures(item.key) + 1,
        )
        blocking = BlockingContext(context, asyncio.get_running_loop())
        try:
            if _is_async(function):
                result = await function(*args, context)
            else:
                result = await in_thread(
                    lambda: function(*args, blocking), name=f"{name}: {item.key}", on_cancel=blocking.cancel
                )
        except (SystemExit, KeyboardInterrupt) as error:  # raised by a task, they would stop the event loop
            self._services.metrics.reconcile_panics.labels(name).inc()
            what = f"called exit({error.code})" if isinstance(error, SystemExit) else "raised KeyboardInterrupt"
            raise RuntimeError(f"it {what}; a reconcile cannot end the manager") from error
        return _checked(name, function, result)


def _checked(controller: str, function: Callable[..., Any], result: Any) -> Result | None:
    if result is None or isinstance(result, Result):
        return result
    name = getattr(function, "__qualname__", repr(function))
    if inspect.isawaitable(result):
        close = getattr(result, "close", None)
        if close is not None:
            close()  # so that Python does not warn of it a second time
        way_out = "await it" if _is_async(function) else "make it async def"
        raise TypeError(f"{name} of {controller} returned a coroutine that was never awaited: {way_out}")
    raise TypeError(f"{name} of {controller} returned {result!r}; return None or Result(requeue_after=...)")


def _is_async(function: Callable[..., Any]) -> bool:
    """Whether calling it gives something to await; decorated functions and callable objects included."""
    candidates = (function, inspect.unwrap(function), getattr(function, "__call__", None))  # noqa: B004
    return any(inspect.iscoroutinefunction(candidate) for candidate in candidates)


def _sooner(one: Result | None, other: Result | None) -> Result | None:
    """The result that runs again first."""
    if one is None or one.requeue_after is None:
        return other
    if other is None or other.requeue_after is None:
        return one
    return min(one, other, key=lambda result: result.requeue_after or timedelta(0))
