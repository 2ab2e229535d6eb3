"""The response to a request, from what its verb returned: converted, encoded, and with its warnings.

Invariant: every reply of a verb becomes a response here, so what a client accepts and what it is warned of is never
forgotten.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from zestor_controller.apiserver.response.negotiation import encode, negotiate, respond_bytes
from zestor_controller.apiserver.response.table import include_object, shape_object
from zestor_controller.apiserver.response.warningheaders import warning_headers
from zestor_controller.apiserver.rest.resource import Reply, RequestContext
from zestor_controller.http import HttpResponse

__all__ = ["encode_reply"]

_STREAM: Final = ("Content-Type", "application/json")


def encode_reply(ctx: RequestContext, reply: Reply, wall: Callable[[], float]) -> HttpResponse:
    """The response.

    Args:
        ctx: the request.
        reply: what its verb returned.
        wall: seconds since the epoch, for ages in Tables.

    Raises:
        Failure: 406.
    """
    warnings = warning_headers(ctx.warnings) if ctx.warnings else []
    if reply.stream is not None:
        return HttpResponse(200, [_STREAM, *warnings], reply.stream)
    request, value = ctx.request, reply.value
    if reply.raw is not None and reply.media:
        return respond_bytes(request, reply.status, reply.raw, reply.media, warnings)
    output = negotiate(request, ctx.resource.wire, listing=ctx.info.verb == "list")
    if reply.raw is not None:
        return respond_bytes(request, reply.status, reply.raw, output.media, warnings)
    assert value is not None  # a verb returns one of the three
    if output.transform and not reply.converted:
        value = shape_object(ctx.resource, value, output, include_object(request), wall())
    return respond_bytes(request, reply.status, encode(output, value), output.media, warnings)
