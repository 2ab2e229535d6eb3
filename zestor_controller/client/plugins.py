"""Login services (OIDC, GCP) of a kubeconfig, through the ``kubernetes`` package, and when credentials expire.

Invariant: this is the only module that imports that package, and only for a user entry that needs it; it is imported
in a thread, because that takes half a second. What a login service returns is in no message.
"""

from __future__ import annotations

import asyncio
import base64
import importlib
import json
from datetime import datetime
from time import time
from types import SimpleNamespace
from typing import Any, Final

from zestor_controller.client.credentials import Credential
from zestor_controller.errors import ConfigError

__all__ = ["expiry_of_certificate", "expiry_of_token", "provider_credential"]

TIMEOUT_S: Final = 60.0  # a login service may not block a cluster's clients indefinitely


async def provider_credential(user: dict[str, Any], where: str, *, refused: bool) -> Credential:
    """A token of an ``auth-provider`` (OIDC with refresh token, or GCP); kept up to date in `user` itself.

    Args:
        user: the user entry.
        where: names the entry in messages.
        refused: the last token was refused.

    Raises:
        ConfigError: it yields no token.
    """
    settings = user["auth-provider"].get("config") or {}
    if user["auth-provider"].get("name") == "oidc" and (token := str(settings.get("id-token") or "").strip()):
        expires = expiry_of_token(token)
        if (expires is None or expires > time()) and not (refused and settings.get("refresh-token")):
            return Credential(f"Bearer {token}", None, expires)
        # Without it the package renews at once. Its own look at the token is not used: it decodes plain base64 where a
        # JWT has the URL alphabet, and calls what Python 3.12 deprecates.
        del settings["id-token"]
    package = await _package("kube_config")
    document = {
        "current-context": "it",
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "clusters": [{"name": "it", "cluster": {}}],
        "users": [{"name": "it", "user": user}],
    }
    made = SimpleNamespace(api_key={})
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await package.KubeConfigLoader(document).load_and_set(made)
    except TimeoutError:
        raise ConfigError(f"{where}: the login service did not respond within {TIMEOUT_S:g} s") from None
    except Exception as error:  # every library below has exceptions of its own, and their texts may hold tokens
        raise ConfigError(f"{where}: the login service gave no token ({type(error).__name__}); log in again") from None
    header = str(made.api_key.get("BearerToken") or "")
    if not header:
        raise ConfigError(f"{where}: auth-provider {user['auth-provider'].get('name')!r} yields no token; log in again")
    return Credential(header, None, expiry_of_token(header) or _moment(settings.get("expiry")))


def expiry_of_token(header: str) -> float | None:
    """When a JWT in an Authorization header ends; None for a token of another form."""
    parts = header.rpartition(" ")[2].split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return None
    end = claims.get("exp") if isinstance(claims, dict) else None
    return float(end) if isinstance(end, int | float) else None


def expiry_of_certificate(pem: bytes) -> float:
    """When a certificate ends.

    Raises:
        ConfigError: it cannot be read.
    """
    from cryptography import x509  # here: a kubeconfig with a token needs none of it

    try:
        return x509.load_pem_x509_certificate(pem).not_valid_after_utc.timestamp()
    except ValueError as error:
        raise ConfigError(f"the client certificate cannot be read: {error}") from error


def _moment(value: object) -> float | None:
    if isinstance(value, datetime):
        return value.timestamp()
    try:
        return datetime.fromisoformat(str(value)).timestamp() if value else None
    except ValueError:
        return None


async def _package(module: str) -> Any:
    return await asyncio.to_thread(importlib.import_module, f"kubernetes.aio.config.{module}")
