"""A server on a socket: certificates, tokens, kubeconfig, and the order in which they come.

Invariant: the kubeconfig is written, readable by its owner only, before the first request is served (A5).
"""

from __future__ import annotations

import json
import random
import secrets
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from zestor_controller.apiserver.auth.audit import AuditLog
from zestor_controller.apiserver.auth.authentication import (
    ADMINISTRATOR,
    AUTHENTICATED,
    TokenAuthenticator,
    read_token_file,
)
from zestor_controller.apiserver.rest.status import status_body
from zestor_controller.apiserver.rest.user import User
from zestor_controller.apiserver.server.api import ApiServer
from zestor_controller.apiserver.server.identity import kept_identity, new_identity
from zestor_controller.apiserver.server.kubeconfig import kubeconfig_for, write_kubeconfig
from zestor_controller.apiserver.storage.journal import FileJournal
from zestor_controller.http import HttpResponse
from zestor_controller.http.http1 import MalformedRequest
from zestor_controller.http.server import HttpServer

__all__ = ["SecureServer", "SecureServerOptions"]

_REASONS: Final = {400: "BadRequest", 413: "RequestEntityTooLarge"}
INTERNAL = User("system:zestor-cluster", groups=("system:masters", AUTHENTICATED))


@dataclass(slots=True)
class SecureServerOptions:
    """How to serve.

    Attributes:
        bind: the address.
        port: 0 takes a free one.
        kubeconfig: where to write the administrator's.
        rbac: rights are checked, and requests without a token are anonymous.
        token_file: further users.
        audit: where requests are noted.
        rng: makes generated names and uids repeat; tokens stay random.
        data: a folder that keeps the objects and who the server is; without one it begins anew each time.
    """

    bind: str = "127.0.0.1"
    port: int = 0
    kubeconfig: Path | None = None
    rbac: bool = False
    token_file: Path | None = None
    audit: AuditLog | None = None
    rng: random.Random | None = None
    data: Path | None = None


class SecureServer:
    """A server while it serves: ``async with SecureServer(settings) as served``.

    Attributes:
        api: the server.
        url: where it listens.
        ca: the certificate of its authority, as PEM text.
        token: the administrator's.
        internal_token: the token of the cluster's own controllers.

    Raises:
        ConfigError: the token file or the data folder cannot be used.
        OSError: on entering: the address cannot be had, or the kubeconfig cannot be written.
    """

    def __init__(self, settings: SecureServerOptions) -> None:
        self._settings = settings
        hosts = _names(settings.bind)
        self._journal = FileJournal(settings.data) if settings.data is not None else None
        try:
            self._identity = (
                kept_identity(settings.data / "identity.json", hosts) if settings.data else new_identity(hosts)
            )
            self.token = self._identity.token
            self.internal_token = secrets.token_urlsafe(32)
            tokens = {self.token: ADMINISTRATOR, self.internal_token: INTERNAL}
            if settings.token_file is not None:
                tokens |= read_token_file(settings.token_file)
            self.api = ApiServer(
                TokenAuthenticator(tokens, anonymous=settings.rbac),
                rbac=settings.rbac,
                audit=settings.audit,
                rng=settings.rng,
                journal=self._journal,
                signing_key=self._identity.signing_key,
            )
        except BaseException:
            self._close()
            raise
        self.url = ""
        self.ca = ""
        self._socket: HttpServer | None = None
        self._context: ssl.SSLContext | None = None

    async def __aenter__(self) -> Self:
        settings = self._settings
        certificates = self._identity.certificates
        self._context = certificates.context()
        self._socket = HttpServer(self.api, self._context, reject=_status_of)
        await self._socket.start(settings.bind, settings.port)
        host = "127.0.0.1" if settings.bind in ("0.0.0.0", "::") else settings.bind
        self.url = f"https://{f'[{host}]' if ':' in host else host}:{self._socket.port}"
        self.ca = certificates.ca
        self.api.publish(_address(host), self._socket.port)
        if settings.kubeconfig is not None:
            try:
                write_kubeconfig(settings.kubeconfig, kubeconfig_for(self.url, self.ca, self.token))
            except BaseException:
                await self._socket.stop()
                raise
        return self

    async def restart(self) -> None:
        """End every connection and listen again on the same port; objects, tokens and certificates stay."""
        assert self._socket is not None  # only while it serves
        assert self._context is not None
        port = self._socket.port
        await self._socket.stop()
        self._socket = HttpServer(self.api, self._context, reject=_status_of)
        await self._socket.start(self._settings.bind, port)

    async def __aexit__(self, *exc: Any) -> None:
        if self._socket is not None:
            await self._socket.stop()
        self._close()

    def _close(self) -> None:
        if self._journal is not None:
            self._journal.close()
        if self._settings.audit is not None:
            self._settings.audit.close()


def _status_of(error: MalformedRequest) -> HttpResponse:
    """The Status object for bytes that are no request."""
    body = status_body(error.status, str(error), _REASONS.get(error.status, ""))
    return HttpResponse(error.status, [("Content-Type", "application/json")], json.dumps(body).encode())


def _address(host: str) -> str:
    """The IP address of a host to which the server is bound; endpoints hold no names."""
    return str(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0])


def _names(bind: str) -> list[str]:
    names = ["localhost", "127.0.0.1", "::1", "kubernetes", "kubernetes.default", "kubernetes.default.svc"]
    return names if bind in (*names, "0.0.0.0", "::") else [*names, bind]
