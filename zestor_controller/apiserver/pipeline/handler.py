"""The handler of one request: who sends it, may they, who serves it, and how the reply is encoded.

A request passes ``rest.requestinfo`` (what its path says), ``auth.authentication`` and ``auth.impersonation`` (user),
``auth.authorization`` (permission), ``pipeline.router`` (resource and verb), the verb, and ``response`` (encoding).

Invariants: every response to a known user is audited once; a bug is reported as 500 without a traceback (A3).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime

from zestor_controller.apiserver.auth.audit import AuditLog, AuditRecord
from zestor_controller.apiserver.auth.authentication import TokenAuthenticator
from zestor_controller.apiserver.auth.authorization import RbacAuthorizer, attributes_of, refused
from zestor_controller.apiserver.auth.impersonation import Impersonation
from zestor_controller.apiserver.pipeline.router import Router
from zestor_controller.apiserver.response.negotiation import failure_response
from zestor_controller.apiserver.response.replyencoder import encode_reply
from zestor_controller.apiserver.response.warningheaders import warning_headers
from zestor_controller.apiserver.rest.requestinfo import RequestInfo, request_info
from zestor_controller.apiserver.rest.resource import Reply
from zestor_controller.apiserver.rest.status import Failure, status_body
from zestor_controller.apiserver.rest.user import User
from zestor_controller.apiserver.storage.revisionlog import ObjectTooLarge, WriteFailed
from zestor_controller.http import HttpRequest, HttpResponse

__all__ = ["RequestHandler"]

_log = logging.getLogger(__name__)


class RequestHandler:
    """Serves requests.

    Args:
        router: finds the verb of each request.
        authenticator: knows the users.
        authorizer: what they may do; None: everything.
        audit: where each request is noted.
        wall: seconds since the epoch.
    """

    def __init__(
        self,
        router: Router,
        authenticator: TokenAuthenticator,
        authorizer: RbacAuthorizer | None,
        audit: AuditLog,
        wall: Callable[[], float],
    ) -> None:
        self._router = router
        self._authenticator = authenticator
        self._authorizer = authorizer
        self._impersonation = Impersonation(authorizer)
        self._audit = audit
        self._wall = wall

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """Respond to a request; never raises."""
        info = request_info(request)
        received = datetime.fromtimestamp(self._wall(), UTC)
        user = User("")
        try:
            user = self._impersonation.user(request, info, self._authenticator.authenticate(request))
            response = await self._serve(request, info, user, received)
        except Failure as failure:
            response = failure_response(request, failure)
        except ObjectTooLarge as failed:
            response = failure_response(request, Failure(status_body(500, str(failed))))
        except WriteFailed as failed:
            _log.error("%s %s: not stored: %s", request.method, request.path, failed.__cause__)
            message = f"Internal error occurred: the write could not be stored, and nothing has changed: {failed}"
            response = failure_response(request, Failure(status_body(500, message, "InternalError", {})))
        except asyncio.CancelledError:
            raise
        except Exception:  # A3: whatever happens inside, the client gets a Status and the log gets the reason
            _log.exception("%s %s failed", request.method, request.path)
            status = status_body(500, "Internal error occurred: the server met a defect", "InternalError", {})
            response = failure_response(request, Failure(status))
        self._audit.write(
            AuditRecord(
                received.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                user.name,
                info.verb,
                f"{info.resource}.{info.group}" if info.group else info.resource,
                info.namespace,
                info.name,
                info.subresource,
                response.status,
                request.path,
            )
        )
        return response

    async def _serve(self, request: HttpRequest, info: RequestInfo, user: User, received: datetime) -> HttpResponse:
        """Authorize, route and serve.

        Raises:
            Failure: 403 for a user who may not, and whatever the router and the verb raise.
        """
        if self._authorizer is not None and not self._authorizer.allowed(user, attributes := attributes_of(info)):
            raise refused(user, attributes)
        ctx = self._router.route(request, info, user, received.strftime("%Y-%m-%dT%H:%M:%SZ"))
        if isinstance(ctx, HttpResponse):
            return ctx
        try:
            reply = self._router.handler(ctx)(ctx)
            if not isinstance(reply, Reply):
                reply = await reply
        except Failure as failure:
            failure.headers.extend(warning_headers(ctx.warnings))
            raise
        return encode_reply(ctx, reply, self._wall)
