"""A controller's declaration: which kind, whose changes matter, and which functions to call.

Invariant: declaring does no input or output and starts nothing. The same declaration can be run by several managers,
one after the other or side by side; what runs is a :class:`~zestor_controller.controller.runner.Runner`.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, Self, TypeAlias, TypeVar, overload

from zestor_controller.controller.context import BlockingContext, Context
from zestor_controller.controller.reconcile import Request, Result
from zestor_controller.controller.rule import Rule, declared_rules
from zestor_controller.errors import ConfigError
from zestor_controller.objects import CustomResource, Kind, NamespacedName, Unstructured, kind_of

__all__ = ["Controller", "Declaration", "MapFunction", "Source"]

T = TypeVar("T")
Target: TypeAlias = Request | NamespacedName | str
MapFunction: TypeAlias = Callable[[Any], Iterable[Target] | Target | None]
Reconcile: TypeAlias = Callable[[T, Context], Awaitable[Result | None]]
BlockingReconcile: TypeAlias = Callable[[T, BlockingContext], Result | None]
F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_TIMEOUT = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Source:
    """Another kind whose changes wake this controller.

    Attributes:
        kind: the kind.
        map: from an object (old and new one of each change) to the names to reconcile; None goes by owner reference.
    """

    kind: Kind[Any]
    map: MapFunction | None


@dataclass(slots=True)
class Declaration(Generic[T]):
    """The functions of a controller; at most one of each."""

    reconcile: Callable[..., Any] | None = None
    deleted: Callable[..., Any] | None = None
    requests: Callable[..., Any] | None = None
    finalizer: tuple[str, Callable[..., Any]] | None = None


class Controller(Generic[T]):
    """Watches a kind and calls a reconcile function for each object that changed.

    Args:
        kind: a class (``Website``) or text (``"apps/v1/Deployment"``).
        name: for logs, metrics and the field manager; ``plural.group`` of the kind unless given.
        concurrency: how many objects are reconciled at once.
        timeout: how long one reconcile may take before it is cancelled and retried.
        rules: rights that the functions need beside those that follow from the kind and from what is owned and watched,
            as in a Role: ``{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]}``, or a ``Rule``. They are in
            the chart, in ``zestor rbac`` and in what ``zestor dev --rbac`` grants.

    Raises:
        ConfigError: the kind is unknown, `concurrency` is below 1, `timeout` is no length of time, or a rule is none.
        SchemaError: the class cannot become a structural CRD.
    """

    @overload
    def __init__(
        self: Controller[T],
        kind: type[T],
        *,
        name: str | None = None,
        concurrency: int = 1,
        timeout: timedelta = DEFAULT_TIMEOUT,
        rules: Iterable[Rule | Mapping[str, Any]] = (),
    ) -> None: ...
    @overload
    def __init__(
        self: Controller[Unstructured],
        kind: str,
        *,
        name: str | None = None,
        concurrency: int = 1,
        timeout: timedelta = DEFAULT_TIMEOUT,
        rules: Iterable[Rule | Mapping[str, Any]] = (),
    ) -> None: ...
    def __init__(
        self,
        kind: type[Any] | str,
        *,
        name: str | None = None,
        concurrency: int = 1,
        timeout: timedelta = DEFAULT_TIMEOUT,
        rules: Iterable[Rule | Mapping[str, Any]] = (),
    ) -> None:
        if concurrency < 1:
            raise ConfigError(f"concurrency must be at least 1, not {concurrency}")
        if not isinstance(timeout, timedelta) or timeout <= timedelta(0):
            raise ConfigError(f"timeout takes a timedelta above zero, not {timeout!r}")
        self.kind: Kind[Any] = kind_of(kind)
        if isinstance(kind, type) and issubclass(kind, CustomResource) and not self.kind.external:
            from zestor_controller.crd import crd_for  # here, so that Unstructured controllers import no compiler

            crd_for(kind)
        self.name = name or self.kind.store_name
        self.concurrency = concurrency
        self.timeout = timeout
        self.rules = declared_rules(rules, self.name)
        self.sources: list[Source] = []
        self.functions: Declaration[T] = Declaration()

    def __repr__(self) -> str:
        return f"Controller({self.name!r})"

    # Whose changes matter

    def owns(self, kind: type[Any] | str) -> Self:
        """Reconcile an object when an object of `kind` that it controls (by owner reference) changes or goes."""
        self.sources.append(Source(kind_of(kind), None))
        return self

    def watches(self, kind: type[Any] | str, *, map: MapFunction) -> Self:
        """Reconcile the objects that `map` names when an object of `kind` changes.

        Args:
            kind: the kind to watch.
            map: from an object to names: ``NamespacedName``, ``Request`` or ``"namespace/name"``. It is called with the
                old and the new object of each change, so that an object whose reference was dropped is reconciled too.
                It is plain and quick; one that raises is logged and concerns that one change.

        Raises:
            ConfigError: `map` is no function, or an async one.
        """
        _callable(map, self.name, "watches(map=...)")
        if inspect.iscoroutinefunction(map):
            raise ConfigError(f"{self.name}: watches(map=...) takes a plain function, not an async one")
        self.sources.append(Source(kind_of(kind), map))
        return self

    # What to call

    @overload
    def reconciler(self, function: Reconcile[T]) -> Reconcile[T]: ...
    @overload
    def reconciler(self, function: BlockingReconcile[T]) -> BlockingReconcile[T]: ...
    def reconciler(self, function: Any) -> Any:
        """Register ``(obj, ctx) -> Result | None``, called while the object exists and is not being deleted.

        An object that is being deleted (it has a deletionTimestamp) is not reconciled, with and without a finalizer of
        this controller: a reconcile would make its children anew. A finalizer, or :meth:`requests`, acts on it.

        An ``async def`` runs on the manager's loop, a plain ``def`` in a thread with a context whose verbs block.
        """
        self._register("reconcile", function, "reconciler")
        return function

    def deleted(self, function: F) -> F:
        """Register ``(request, last, ctx)``, called after an object was deleted.

        It is called once for each uid, again only while it fails or returns ``Result(requeue_after=...)``. `last` is
        the last known state, or None where the model rejects that.
        """
        self._register("deleted", function, "deleted")
        return function

    def requests(self, function: F) -> F:
        """Register ``(request, ctx) -> Result | None``, called for every change of an object.

        That includes objects that are being deleted and those that have been deleted.
        """
        self._register("requests", function, "requests")
        return function

    def finalizer(self, name: str) -> Callable[[F], F]:
        """Register ``(obj, ctx)``, called before the object is removed, which waits until the function succeeds.

        A function that is not done yet returns ``Result(requeue_after=...)``: the object is held and it is called
        again. One that has succeeded is not called again for that object by this process, whatever other clients write
        meanwhile; after a crash it may be. While the model rejects the object, it cannot be called, and a Warning Event
        on the object says so.

        Args:
            name: the finalizer, ``domain/name``; other controllers' finalizers are never touched.

        Raises:
            ConfigError: the name has no domain, or a finalizer is registered already.
        """
        if name.count("/") != 1 or name.startswith("/") or name.endswith("/"):
            raise ConfigError(f"finalizer {name!r}: write it as domain/name, such as demo.example.org/cleanup")

        def register(function: F) -> F:
            if self.functions.finalizer is not None:
                raise ConfigError(f"{self.name}: a finalizer is registered already: {self.functions.finalizer[0]}")
            _callable(function, self.name, "finalizer")
            self.functions.finalizer = (name, function)
            return function

        return register

    def check(self) -> None:
        """Refuse a controller that would do nothing, or never call one of its functions.

        Raises:
            ConfigError: no reconcile function is registered, or @requests stands beside what it replaces.
        """
        if self.functions.requests is not None:
            for decorator, given in (("deleted", self.functions.deleted), ("finalizer", self.functions.finalizer)):
                if given is not None:
                    raise ConfigError(
                        f"{self.name}: @requests is called for objects that go, too, and @{decorator} would never be; "
                        "use @reconciler instead of @requests, or drop the other"
                    )
        if self.functions.reconcile is None and self.functions.requests is None:
            raise ConfigError(f"{self.name}: no reconcile function; register one with @controller.reconciler")

    def _register(self, slot: str, function: Callable[..., Any], decorator: str) -> None:
        _callable(function, self.name, decorator)
        if getattr(self.functions, slot) is not None:
            raise ConfigError(f"{self.name}: @{decorator} is used twice; a controller has one such function")
        other = {"reconcile": "requests", "requests": "reconcile"}.get(slot)
        if other and getattr(self.functions, other) is not None:
            raise ConfigError(f"{self.name}: use either @reconciler or @requests, not both")
        setattr(self.functions, slot, function)


def _callable(function: object, controller: str, decorator: str) -> None:
    if not callable(function) or inspect.isclass(function):
        raise ConfigError(f"{controller}: @{decorator} takes a function, not {function!r}")
