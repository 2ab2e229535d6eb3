"""The client that a cache wraps round a plain one: what it writes is told to the cache's overlays (C9).

Invariant: it changes no request and no answer; it only looks at them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from zestor_controller.client import Client
from zestor_controller.errors import ApiError, ConfigError
from zestor_controller.objects import Kind

__all__ = ["LostWrites", "ObservedClient", "note_lost", "noting_lost_writes"]

Observer = Callable[[Kind[Any], str, str | None, bytes], None]
LostWrites = dict[tuple[str, str], Kind[Any]]


class ObservedClient(Client):
    """A client over another one's transport that tells of each write: of its response, or that there was none.

    Args:
        client: whose transport, namespace and field manager to use; whoever opened it closes it.
        observer: called with the kind, the method, the name that was asked for and the server's answer.
    """

    def __init__(self, client: Client, observer: Observer) -> None:
        super().__init__(client.transport, namespace=client.namespace, field_manager=client.field_manager)
        self.requests = client.requests  # counted as one client
        self.kinds = client.kinds
        self._observer = observer

    async def _send(
        self,
        method: str,
        kind: Kind[Any],
        *,
        namespace: str | None,
        name: str | None = None,
        subresource: str | None = None,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        media_type: str = "application/json",
    ) -> bytes:
        dry = "dryRun" in (query or {})
        try:
            answer = await super()._send(
                method,
                kind,
                namespace=namespace,
                name=name,
                subresource=subresource,
                query=query,
                body=body,
                media_type=media_type,
            )
        except BaseException as error:
            if method != "GET" and not dry and not _is_refusal(error):
                note_lost(kind)
            raise
        if method != "GET" and not dry and (name or not _lingers(method, body)):
            key = f"{namespace}/{name}" if name and kind.namespaced else name
            self._observer(kind, method, key, answer)
        return answer


@contextmanager
def noting_lost_writes() -> Iterator[LostWrites]:
    """Collect the kinds of the writes, made within this block or by tasks begun in it, whose outcome is not known.

    The server may have carried them out: whoever would decide again what to write waits first until the caches of these
    kinds are current (C11).
    """
    kinds: LostWrites = {}
    token = _lost.set(kinds)
    try:
        yield kinds
    finally:
        _lost.reset(token)


def note_lost(kind: Kind[Any]) -> None:
    """Note that it is not known whether a write to a kind was carried out."""
    kinds = _lost.get()
    if kinds is not None:
        kinds[kind.api_version, kind.kind] = kind


_lost: ContextVar[LostWrites | None] = ContextVar("_lost", default=None)


def _lingers(method: str, options: Any) -> bool:
    """Whether a deletion leaves its objects for the garbage collector to finish, which a list of them does not tell."""
    policy = options.get("propagationPolicy") if isinstance(options, Mapping) else None
    return method == "DELETE" and policy in ("Foreground", "Orphan")


def _is_refusal(error: BaseException) -> bool:
    """Whether the server has said that it did not carry out a write, or the write was never sent.

    A failure of the server (5xx) says nothing: it may come from a proxy, or after the write.
    """
    return isinstance(error, ConfigError) or (isinstance(error, ApiError) and error.status < 500)
