"""The transport that a cache puts round a client's: the cache's overlays get the response of each write (C9).

Invariant: it changes no request and no response, it only looks at them. A write whose outcome is not known is noted
(C11): without a response, with one of a failing server, or with one that is no object.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from zestor_controller.cache.lostwrites import note_lost
from zestor_controller.client import ApiRequest, Transport, TransportDecorator
from zestor_controller.client.transport import REQUEST_TIMEOUT_S
from zestor_controller.errors import ApiError, ConfigError
from zestor_controller.http import HttpRequest, HttpResponse
from zestor_controller.objects import Kind

__all__ = ["Observer", "OverlayTransport"]

Observer: TypeAlias = Callable[[Kind[object], str, str | None, bytes], None]
"""Called with the kind, the method, the name in the cache that the request gave, and the body of the response."""


class OverlayTransport(TransportDecorator):
    """Reports each successful write of a verb.

    Args:
        inner: the transport that sends.
        observer: what it is reported to.
    """

    def __init__(self, inner: Transport, observer: Observer) -> None:
        super().__init__(inner)
        self._observer = observer

    async def request(self, request: HttpRequest, *, timeout: float = REQUEST_TIMEOUT_S) -> HttpResponse:
        """See :meth:`Transport.request`."""
        if not isinstance(request, ApiRequest) or request.kind is None or request.method == "GET" or request.dry_run:
            return await self.inner.request(request, timeout=timeout)
        kind = request.kind
        try:
            response = await self.inner.request(request, timeout=timeout)
        except BaseException as error:
            if not _is_refusal(error):
                note_lost(kind)
            raise
        body = response.body
        if response.status < 300 and isinstance(body, bytes) and (request.method == "DELETE" or _is_object(body)):
            if request.name or not _lingers(request):
                named = request.name and kind.namespaced
                self._observer(
                    kind, request.method, f"{request.namespace}/{request.name}" if named else request.name, body
                )
        elif not 300 <= response.status < 500:
            # A failure of the server (5xx) says nothing: it may come from a proxy, or after the write.
            note_lost(kind)
        return response


def _is_refusal(error: BaseException) -> bool:
    """Whether a write was not sent, such as for want of credentials, or the server has rejected it."""
    return isinstance(error, ConfigError) or (isinstance(error, ApiError) and error.status < 500)


def _lingers(request: HttpRequest) -> bool:
    """Whether a deletion leaves its objects for the garbage collector to finish, which a list of them does not show."""
    if request.method != "DELETE" or not request.body:
        return False
    return msgspec.json.decode(request.body).get("propagationPolicy") in ("Foreground", "Orphan")


def _is_object(body: bytes) -> bool:
    """Whether a body begins as a JSON object does, and is not the page of a proxy."""
    return body.lstrip()[:1] == b"{"
