"""An opened client as a context manager."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeVar

__all__ = ["ClientConnection"]


class _Closing(Protocol):
    async def __aexit__(self, *exc: object) -> object: ...


ClientT = TypeVar("ClientT", bound=_Closing)


class ClientConnection(AbstractAsyncContextManager[ClientT]):
    """What ``Client.connect`` gives: entering opens, leaving closes, and an abandoned one has nothing to close.

    Args:
        open_: opens the client.
    """

    def __init__(self, open_: Callable[[], Awaitable[ClientT]]) -> None:
        self._open = open_
        self._client: ClientT | None = None

    async def __aenter__(self) -> ClientT:
        self._client = await self._open()
        return self._client

    async def __aexit__(self, *exc: object) -> None:
        if self._client is not None:
            await self._client.__aexit__(*exc)
