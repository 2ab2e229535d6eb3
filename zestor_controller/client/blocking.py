"""A client for code without an event loop: the same verbs, each of which blocks.

Invariant: there is one implementation of each verb; this one runs it on a loop in another thread and waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from datetime import timedelta
from typing import Any, TypeVar, overload

from zestor_controller.client.client import Client
from zestor_controller.client.decoder import ObjectList
from zestor_controller.objects import Kind, Patch, Unstructured

__all__ = ["BlockingClient"]

T = TypeVar("T")
R = TypeVar("R")


class BlockingClient:
    """Verbs against one server that block the calling thread.

    Args:
        client: the client that does the work; it belongs to `loop`.
        loop: a loop that runs in another thread.
    """

    def __init__(self, client: Client, loop: asyncio.AbstractEventLoop) -> None:
        self.client = client
        self._loop = loop

    def wait(self, coroutine: Coroutine[Any, Any, R]) -> R:
        """Run any coroutine of the client and block until it is done.

        Raises:
            RuntimeError: called on the very loop that would have to do it.
        """
        try:
            here = asyncio.get_running_loop()
        except RuntimeError:
            here = None
        if here is self._loop:
            coroutine.close()
            raise RuntimeError(
                "this client blocks, and this is the event loop it works on: use `await client.client...`"
            )
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    @overload
    def get(self, kind: type[T] | Kind[T], name: str, *, namespace: str | None = None) -> T: ...
    @overload
    def get(self, kind: str, name: str, *, namespace: str | None = None) -> Unstructured: ...
    def get(self, kind: Any, name: str, *, namespace: str | None = None) -> Any:
        """See :meth:`Client.get`."""
        return self.wait(self.client.get(kind, name, namespace=namespace))

    @overload
    def list(
        self,
        kind: type[T] | Kind[T],
        *,
        namespace: str | None = None,
        labels: str | Mapping[str, str] | None = None,
        fields: str | None = None,
    ) -> ObjectList[T]: ...
    @overload
    def list(
        self,
        kind: str,
        *,
        namespace: str | None = None,
        labels: str | Mapping[str, str] | None = None,
        fields: str | None = None,
    ) -> ObjectList[Unstructured]: ...
    def list(
        self,
        kind: Any,
        *,
        namespace: str | None = None,
        labels: str | Mapping[str, str] | None = None,
        fields: str | None = None,
    ) -> ObjectList[Any]:
        """See :meth:`Client.list`."""
        listed: ObjectList[Any] = self.wait(self.client.list(kind, namespace=namespace, labels=labels, fields=fields))
        return listed

    def create(self, kind: Any, obj: Any = None, *, namespace: str | None = None, dry_run: bool = False) -> Any:
        """See :meth:`Client.create`."""
        return self.wait(self.client.create(kind, obj, namespace=namespace, dry_run=dry_run))

    def replace(self, kind: Any, obj: Any = None, *, namespace: str | None = None, dry_run: bool = False) -> Any:
        """See :meth:`Client.replace`."""
        return self.wait(self.client.replace(kind, obj, namespace=namespace, dry_run=dry_run))

    def patch(
        self, kind: Any, name: str, patch: Patch, *, namespace: str | None = None, subresource: str | None = None
    ) -> Any:
        """See :meth:`Client.patch`."""
        return self.wait(self.client.patch(kind, name, patch, namespace=namespace, subresource=subresource))

    def apply(self, kind: Any, obj: Any = None, *, namespace: str | None = None, force: bool = True) -> Any:
        """See :meth:`Client.apply`."""
        return self.wait(self.client.apply(kind, obj, namespace=namespace, force=force))

    def apply_status(self, obj: T) -> T:
        """See :meth:`Client.apply_status`."""
        return self.wait(self.client.apply_status(obj))

    def delete(
        self,
        kind: Any,
        name: str,
        *,
        namespace: str | None = None,
        propagation: str | None = None,
        missing_ok: bool = False,
    ) -> None:
        """See :meth:`Client.delete`."""
        self.wait(self.client.delete(kind, name, namespace=namespace, propagation=propagation, missing_ok=missing_ok))

    def wait_for(
        self,
        kind: Any,
        name: str,
        until: Callable[[Any], object] | str,
        *,
        namespace: str | None = None,
        timeout: timedelta | float = 30.0,
    ) -> Any:
        """See :meth:`Client.wait_for`."""
        return self.wait(self.client.wait_for(kind, name, until, namespace=namespace, timeout=timeout))
