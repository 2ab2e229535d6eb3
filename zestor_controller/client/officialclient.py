"""The official ``kubernetes`` client for the server that a client of ours talks to.

Invariant: it sends what our client would send: the same server, TLS context, proxy, impersonation and current
credentials, and no write that the gate refuses. The package is loaded by its name and on the first call, because
importing it is slow.
"""

from __future__ import annotations

import asyncio
import importlib
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from zestor_controller.client.aiohttptransport import AiohttpTransport
from zestor_controller.client.transport import Transport
from zestor_controller.errors import ConfigError

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

__all__ = ["official_client"]

CREDENTIALS_S: Final = 30.0


def official_client(transport: Transport, loop: asyncio.AbstractEventLoop) -> ApiClient:
    """An ``ApiClient`` for the server of a transport, such as for ``kubernetes.client.CoreV1Api(...)``.

    There is one for each transport, and closing the transport closes its connections. Its methods block: on an event
    loop, call them by ``asyncio.to_thread``.

    Args:
        transport: a transport over sockets.
        loop: the loop that the transport is used on; credentials are renewed there.

    Raises:
        ConfigError: the transport reaches its server in memory, or by a SOCKS proxy.
    """
    if not isinstance(transport, AiohttpTransport):
        raise ConfigError("kubernetes_client() needs a server that is reached over a socket; this one is in memory")
    if transport.official is None:
        transport.official = _made(transport, loop)
    context = transport.config.ssl_context()
    if context:
        # The context of our own client, so that both trust the same servers; another one after a rotation.
        transport.official.rest_client.pool_manager.connection_pool_kw["ssl_context"] = context
    client: ApiClient = transport.official
    return client


def _made(transport: AiohttpTransport, loop: asyncio.AbstractEventLoop) -> Any:
    official = importlib.import_module("kubernetes.client")
    config = transport.config
    configuration = official.Configuration(host=config.server.rstrip("/"))
    configuration.verify_ssl = config.verify
    configuration.ssl_ca_cert = config.ca_file  # the files are for websockets, which take no TLS context
    configuration.ca_cert_data = config.ca_data
    configuration.cert_file, configuration.key_file = config.cert_file, config.key_file
    configuration.tls_server_name = config.server_name
    # Both, or the variables of the environment would decide by other rules than ours.
    proxy = transport.proxy
    if proxy is not None and proxy.socks:
        raise ConfigError(f"the official client speaks no SOCKS, and the server is reached by {proxy}; use ctx.client")
    configuration.proxy, configuration.no_proxy = (proxy.url, "") if proxy is not None else (None, "*")
    configuration.proxy_headers = proxy.headers if proxy is not None else None

    def current() -> dict[str, str]:
        """The present headers; a renewal that is due waits for the loop, so not on the loop itself."""
        try:
            inside = asyncio.get_running_loop() is loop
        except RuntimeError:
            inside = False
        if inside:
            return dict(transport.last_credentials)
        return dict(asyncio.run_coroutine_threadsafe(config.headers(), loop).result(CREDENTIALS_S))

    def renew(target: Any) -> None:
        target.api_key["authorization"] = current().get("Authorization", "")

    if "Authorization" in dict(transport.last_credentials):
        configuration.api_key = {"authorization": ""}  # filled in by the hook, before each request
        configuration.refresh_api_key_hook = renew
    return _guarded(official.ApiClient, transport)(configuration)


def _guarded(base: Any, transport: AiohttpTransport) -> Any:
    """A class of API clients whose requests pass the gate and carry the configuration's further headers."""

    class GuardedApiClient(base):  # type: ignore[misc]
        def call_api(self, method: str, url: str, header_params: Any = None, *args: Any, **kwargs: Any) -> Any:
            transport.check_gate(method, urlsplit(url).path)
            headers = {**(header_params or {}), **dict(transport.config.extra)}
            return super().call_api(method, url, headers, *args, **kwargs)

    return GuardedApiClient
