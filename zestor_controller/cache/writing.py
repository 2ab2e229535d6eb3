"""The client that a cache wraps round a plain one: what it writes is told to the cache's overlays (C9).

Invariant: it changes no request and no answer; it only looks at them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from zestor_controller.client import Client
from zestor_controller.objects import Kind

__all__ = ["ObservedClient"]

Observer = Callable[[Kind[Any], str, str | None, bytes], None]


class ObservedClient(Client):
    """A client over another one's transport that tells of each successful write of an object.

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
        written = method != "GET" and not (method == "DELETE" and name is None)
        if written and subresource in (None, "status") and "dryRun" not in (query or {}):
            key = f"{namespace}/{name}" if name and kind.namespaced else name
            self._observer(kind, method, key, answer)
        return answer


class DeletedDetails(msgspec.Struct):
    """Whom a Status is about."""

    uid: str = ""


class DeletedAnswer(msgspec.Struct):
    """The answer to a deletion that was carried out."""

    kind: str = ""
    details: DeletedDetails = msgspec.field(default_factory=DeletedDetails)


decode_deleted = msgspec.json.Decoder(DeletedAnswer).decode
