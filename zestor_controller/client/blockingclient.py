"""A client for code without an event loop: the same verbs, each of which blocks.

Invariant: there is one implementation of each verb; this client runs it on a loop in another thread and waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from datetime import timedelta
from typing import Any, Never, TypeVar, Unpack, overload

from zestor_controller.client.client import Client
from zestor_controller.client.conditionwait import Until
from zestor_controller.client.decoder import ObjectList
from zestor_controller.client.options import (
    ApplyOptions,
    DeletionOptions,
    ListOptions,
    OwnerOptions,
    PatchOptions,
    WriteOptions,
)
from zestor_controller.loopthread import LoopThread, wait_on
from zestor_controller.objects import KindRef, KindT, ObjectT, Patch, Unstructured

__all__ = ["BlockingClient"]

T = TypeVar("T")
R = TypeVar("R")


class BlockingClient:
    """Verbs against one server that block the calling thread.

    Args:
        client: the client that does the work; it belongs to `loop`.
        loop: the loop, which runs in another thread.
    """

    def __init__(self, client: Client, loop: LoopThread | asyncio.AbstractEventLoop) -> None:
        self.client = client
        self._loop = loop

    def wait(self, coroutine: Coroutine[object, Never, R]) -> R:
        """Run any coroutine of the client and block until it is done.

        Raises:
            RuntimeError: called on the very loop that would have to do it.
        """
        return self._loop.run(coroutine) if isinstance(self._loop, LoopThread) else wait_on(self._loop, coroutine)

    def get(self, kind: KindRef[KindT], name: str, *, namespace: str | None = None) -> KindT:
        """See :meth:`Client.get`."""
        return self.wait(self.client.get(kind, name, namespace=namespace))

    def list(self, kind: KindRef[KindT], **options: Unpack[ListOptions]) -> ObjectList[KindT]:
        """See :meth:`Client.list`."""
        return self.wait(self.client.list(kind, **options))

    @overload
    def create(
        self, kind: KindRef[ObjectT], obj: ObjectT | Mapping[str, object], **options: Unpack[WriteOptions]
    ) -> ObjectT: ...
    @overload
    def create(self, kind: Mapping[str, object], obj: None = None, **options: Unpack[WriteOptions]) -> Unstructured: ...
    @overload
    def create(self, kind: ObjectT, obj: None = None, **options: Unpack[WriteOptions]) -> ObjectT: ...
    def create(self, kind: Any, obj: Any = None, **options: Unpack[WriteOptions]) -> object:
        """See :meth:`Client.create`."""
        return self.wait(self.client.create(kind, obj, **options))

    @overload
    def replace(
        self, kind: KindRef[ObjectT], obj: ObjectT | Mapping[str, object], **options: Unpack[PatchOptions]
    ) -> ObjectT: ...
    @overload
    def replace(
        self, kind: Mapping[str, object], obj: None = None, **options: Unpack[PatchOptions]
    ) -> Unstructured: ...
    @overload
    def replace(self, kind: ObjectT, obj: None = None, **options: Unpack[PatchOptions]) -> ObjectT: ...
    def replace(self, kind: Any, obj: Any = None, **options: Unpack[PatchOptions]) -> object:
        """See :meth:`Client.replace`."""
        return self.wait(self.client.replace(kind, obj, **options))

    def patch(self, kind: KindRef[KindT], name: str, patch: Patch, **options: Unpack[PatchOptions]) -> KindT:
        """See :meth:`Client.patch`."""
        return self.wait(self.client.patch(kind, name, patch, **options))

    @overload
    def apply(
        self, kind: KindRef[ObjectT], obj: ObjectT | Mapping[str, object], **options: Unpack[ApplyOptions]
    ) -> ObjectT: ...
    @overload
    def apply(self, kind: Mapping[str, object], obj: None = None, **options: Unpack[ApplyOptions]) -> Unstructured: ...
    @overload
    def apply(self, kind: ObjectT, obj: None = None, **options: Unpack[ApplyOptions]) -> ObjectT: ...
    def apply(self, kind: Any, obj: Any = None, **options: Unpack[ApplyOptions]) -> object:
        """See :meth:`Client.apply`."""
        return self.wait(self.client.apply(kind, obj, **options))

    def apply_status(self, obj: ObjectT, **options: Unpack[OwnerOptions]) -> ObjectT:
        """See :meth:`Client.apply_status`."""
        return self.wait(self.client.apply_status(obj, **options))

    def delete(
        self,
        kind: KindRef[object],
        name: str,
        *,
        namespace: str | None = None,
        missing_ok: bool = False,
        dry_run: bool = False,
        **options: Unpack[DeletionOptions],
    ) -> None:
        """See :meth:`Client.delete`."""
        self.wait(
            self.client.delete(kind, name, namespace=namespace, missing_ok=missing_ok, dry_run=dry_run, **options)
        )

    @overload
    def wait_for(
        self,
        kind: str,
        name: str,
        until: Until[Unstructured],
        *,
        namespace: str | None = None,
        timeout: timedelta | float = 30.0,
    ) -> Unstructured: ...
    @overload
    def wait_for(
        self,
        kind: KindRef[T],
        name: str,
        until: Until[T],
        *,
        namespace: str | None = None,
        timeout: timedelta | float = 30.0,
    ) -> T: ...
    def wait_for(
        self,
        kind: Any,
        name: str,
        until: Until[Any],
        *,
        namespace: str | None = None,
        timeout: timedelta | float = 30.0,
    ) -> object:
        """See :meth:`Client.wait_for`."""
        return self.wait(self.client.wait_for(kind, name, until, namespace=namespace, timeout=timeout))
