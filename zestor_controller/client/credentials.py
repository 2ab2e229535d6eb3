"""Where a server is and who we are there: asked at each request, so that rotated credentials are used at once.

Invariant: no header is frozen at start; a configuration that names credentials and yields none is an error, never an
anonymous request; no secret is logged or stands in a message.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Final

from zestor_controller.errors import ConfigError

__all__ = ["ClusterConfig", "HeaderSource", "StaticToken", "TokenFile"]

TOKEN_FILE_AGE_S: Final = 60.0


class HeaderSource:
    """Answers the headers that say who we are; the base answers none (client certificates, or nobody)."""

    async def headers(self) -> dict[str, str]:
        """The present headers."""
        return {}

    async def refresh(self) -> bool:
        """The server refused the last ones: get new ones; False when there are none to be had."""
        return False


class StaticToken(HeaderSource):
    """A bearer token that never changes."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def headers(self) -> dict[str, str]:
        """The token as a header."""
        return {"Authorization": f"Bearer {self._token}"}


class TokenFile(HeaderSource):
    """A bearer token in a file that somebody rotates, as a pod's service account token is.

    Args:
        path: the file; read again every minute, and after a 401.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._token = ""
        self._read_at = -TOKEN_FILE_AGE_S

    async def headers(self) -> dict[str, str]:
        """The token as a header.

        Raises:
            ConfigError: the file has gone or is empty, and no earlier token is known.
        """
        if not self._token or monotonic() - self._read_at >= TOKEN_FILE_AGE_S:
            self._read()
        return {"Authorization": f"Bearer {self._token}"}

    async def refresh(self) -> bool:
        """Read the file now; True when it holds another token."""
        before = self._token
        self._read()
        return self._token != before

    def _read(self) -> None:
        self._read_at = monotonic()
        try:
            token = self._path.read_text().strip()
        except OSError as error:
            if self._token:
                return  # keep the old one until it is refused
            raise ConfigError(f"cannot read the token file {self._path}: {error.strerror or error}") from error
        if token:
            self._token = token
        elif not self._token:
            raise ConfigError(f"the token file {self._path} is empty")


class Loaded(HeaderSource):
    """Headers from a loader of ours or of another package, one call at a time.

    Args:
        load: answers the headers; may run a plugin or a request.
    """

    def __init__(self, load: Callable[[bool], Awaitable[dict[str, str]]]) -> None:
        self._load = load
        self._headers: dict[str, str] = {}
        self._lock = asyncio.Lock()

    async def headers(self) -> dict[str, str]:
        """What the loader says now."""
        async with self._lock:
            self._headers = await self._load(False)
            return self._headers

    async def refresh(self) -> bool:
        """Load anew; concurrent refusals cause one load."""
        before = self._headers
        async with self._lock:
            if self._headers is not before and self._headers != before:
                return True  # somebody else has refreshed while we waited
            self._headers = await self._load(True)
            return self._headers != before


@dataclass(slots=True)
class ClusterConfig:
    """A server and the credentials for it.

    Attributes:
        server: the URL, a path prefix included.
        namespace: the default namespace.
        source: who we are.
        ca_file: the file that holds the server's CA; watched for rotation by its time stamp.
        ca_data: the CA as PEM text, where it is in no file.
        cert_file: the client certificate's file, and `key_file` its key; watched for rotation too.
        verify: False accepts any certificate (``insecure-skip-tls-verify``).
        server_name: the name to verify instead of the URL's host.
        proxy: the proxy's URL.
        extra: further headers, such as impersonation.
    """

    server: str
    namespace: str = "default"
    source: HeaderSource = field(default_factory=HeaderSource)
    ca_file: str | None = None
    ca_data: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    verify: bool = True
    server_name: str | None = None
    proxy: str | None = None
    extra: dict[str, str] = field(default_factory=dict)
    _context: ssl.SSLContext | None = field(default=None, repr=False)
    _stamp: tuple[float, ...] = ()

    async def headers(self) -> dict[str, str]:
        """The headers of a request."""
        return {**self.extra, **await self.source.headers()}

    async def refresh(self) -> bool:
        """The server answered 401: try to get other credentials."""
        return await self.source.refresh()

    def ssl_context(self) -> ssl.SSLContext | bool:
        """The TLS context; a new one when a certificate's file has changed, for connections opened from then on.

        Raises:
            ConfigError: a certificate cannot be loaded.
        """
        if not self.server.startswith("https:"):
            return False
        stamp = tuple(_stamp(path) for path in (self.ca_file, self.cert_file, self.key_file))
        if self._context is None or stamp != self._stamp:
            self._context = self._load()
            self._stamp = stamp
        return self._context

    def _load(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self.ca_file, cadata=self.ca_data)
            if not self.verify:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            if self.cert_file:
                context.load_cert_chain(self.cert_file, self.key_file)
        except (OSError, ssl.SSLError, ValueError) as error:
            raise ConfigError(f"cannot load the certificates for {self.server}: {error}") from error
        return context


def _stamp(path: str | None) -> float:
    if path is None:
        return 0.0
    try:
        return Path(path).stat().st_mtime
    except OSError:
        return -1.0
