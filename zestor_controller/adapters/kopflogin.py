"""The login of a kopf operator, for a client of our own.

Invariant: the login handlers of the operator's registry are asked, as kopf asks them: those that the author registered,
else kopf's own; and they are asked on kopf's loop, again when a credential has expired or was refused.
"""

from __future__ import annotations

import asyncio
import base64
import inspect
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from zestor_controller.client import ClusterConfig
from zestor_controller.client.credentials import Credential, Renewed
from zestor_controller.client.pem import certificates, from_base64, private_key
from zestor_controller.errors import ConfigError

__all__ = ["KopfLogin"]


class KopfLogin:
    """Asks the login handlers of a registry.

    Args:
        registry: kopf's.
        memo: what the handlers are given, as by kopf.
        settings: the operator's.
        logger: what the handlers may write to.
    """

    def __init__(self, registry: Any, *, memo: Any, settings: Any, logger: Any) -> None:
        self._registry = registry
        self._given = {"memo": memo, "settings": settings, "logger": logger}
        self._loop = asyncio.get_running_loop()

    async def config(self) -> ClusterConfig:
        """The cluster that the handlers name, with a credential that renews itself.

        Raises:
            ConfigError: no handler returns anything, or what it returns cannot be used.
        """
        info = await self._login()
        config = ClusterConfig(str(info.server), namespace=info.default_namespace or "default")
        config.verify = not info.insecure
        config.proxy = info.proxy_url or None
        config.trust_env = bool(info.trust_env)  # False by default: kopf's own requests use no proxy then either
        if info.ca_path:
            config.ca_file = os.fsdecode(info.ca_path)
        elif info.ca_data:
            config.ca_data = "".join(certificates(_pem(info.ca_data, "ca_data"), "ca_data of the kopf login"))
        config.source = Renewed(self._renew, _credential(info))
        return config

    async def _renew(self, refused: bool) -> Credential:
        asked = asyncio.run_coroutine_threadsafe(self._login(), self._loop)
        return _credential(await asyncio.wrap_future(asked))

    async def _login(self) -> Any:
        """The ConnectionInfo of the highest priority."""
        found = []
        for handler in self._handlers():
            try:
                login = handler.fn(**self._given, param=handler.param, retry=0, started=datetime.now(UTC), runtime=None)
                found.append(await login if inspect.isawaitable(login) else login)
            except Exception as error:  # a login handler may raise anything; the next one is asked
                self._given["logger"].warning(f"the login handler {handler.id} failed: {error}")
        named = [info for info in found if getattr(info, "server", None)]
        usable = [info for info in named if hasattr(info, "ca_path")]
        if named and not usable:
            raise ConfigError(
                f"the mirror cannot use a login by {type(named[0]).__name__}, which belongs to kopf's event loop: let "
                "a login handler return a kopf.ConnectionInfo as well, of a lower priority"
            )
        if not usable:
            raise ConfigError(
                "no login handler of this kopf registry names a cluster: set KUBECONFIG, or register one with "
                "@kopf.on.login()"
            )
        return max(usable, key=lambda info: info.priority)

    def _handlers(self) -> list[Any]:
        # Kopf has no public way to log in before its start-up is over; this is what its authenticator reads.
        try:
            known = list(self._registry._activities._handlers)
            logins = [handler for handler in known if handler.activity.value == "authentication"]
            regular = [handler for handler in logins if not handler._fallback]
        except AttributeError as error:
            raise ConfigError(f"this version of kopf keeps its login handlers elsewhere ({error}); use 1.45") from error
        return regular or logins


def _credential(info: Any) -> Credential:
    # The order of precedence is kopf's, see ConnectionInfo.as_http_headers().
    if info.username and info.password:
        header = f"Basic {base64.b64encode(f'{info.username}:{info.password}'.encode()).decode()}"
    elif info.token:
        header = f"{info.scheme or 'Bearer'} {str(info.token).strip()}"
    else:
        header = info.scheme or ""
    certificate = _part(info.certificate_data, info.certificate_path, "certificate_data")
    key = _part(info.private_key_data, info.private_key_path, "private_key_data")
    pair = None
    if certificate and key:
        chain = certificates(certificate, "the client certificate of the kopf login")
        pair = ("".join(chain), private_key(key, "the private key of the kopf login"))
    expires = info.expiration
    if expires is not None and expires.tzinfo is None:
        expires = expires.replace(tzinfo=UTC)
    return Credential(header, pair, expires.timestamp() if expires is not None else None)


def _part(data: str | bytes | None, path: Any, field: str) -> bytes:
    if data:
        return _pem(data, field)
    if not path:
        return b""
    try:
        return Path(os.fsdecode(path)).read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read {os.fsdecode(path)}: {error.strerror}") from error


def _pem(data: str | bytes, field: str) -> bytes:
    """PEM text: kopf takes it as it is, or in base64 as a kubeconfig has it."""
    raw = data.encode() if isinstance(data, str) else data
    return raw if b"-----BEGIN" in raw else from_base64(raw.decode("latin-1"), f"{field} of the kopf login")
