"""Where a server is and who we are there: asked at each request, so that rotated credentials are used at once.

Invariant: no header is frozen at start; a configuration that names credentials and yields none is an error, never an
anonymous request; no secret is logged or is in a message.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, time
from typing import Final

from zestor_controller.client.pem import certificates
from zestor_controller.client.tls import load_client_certificate, verifying_context
from zestor_controller.errors import ConfigError

__all__ = ["ClusterConfig", "Credential", "HeaderSource", "Renewed", "StaticHeader", "TokenFile"]

_log = logging.getLogger(__name__)

TOKEN_FILE_AGE_S: Final = 60.0
RETRY_S: Final = 10.0  # between two attempts of a renewal that fails while the old credential still works


class HeaderSource:
    """Returns the headers that say who we are; the base returns none (a client certificate, or an anonymous client).

    Attributes:
        refreshes: how many renewals succeeded and failed, for metrics.
    """

    def __init__(self) -> None:
        self.refreshes = {"success": 0, "failure": 0}

    @property
    def certificate(self) -> tuple[str, str] | None:
        """A client certificate and its key as PEM text, where the source yields one."""
        return None

    async def headers(self) -> dict[str, str]:
        """The present headers."""
        return {}

    async def refresh(self) -> bool:
        """The server refused the last ones: get new ones; False when there are none to be had."""
        return False


class StaticHeader(HeaderSource):
    """An ``Authorization`` header that never changes."""

    def __init__(self, value: str) -> None:
        super().__init__()
        self._value = value

    async def headers(self) -> dict[str, str]:
        """The header."""
        return {"Authorization": self._value}


class TokenFile(HeaderSource):
    """A bearer token in a file that is rotated, as a pod's service account token is.

    Args:
        path: the file; read again every minute, and after a 401.
        clock: seconds, monotonic.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = monotonic) -> None:
        super().__init__()
        self._path = path
        self._clock = clock
        self._token = ""
        self._read_at = 0.0

    async def headers(self) -> dict[str, str]:
        """The token as a header.

        Raises:
            ConfigError: the file has gone or is empty, and no earlier token is known.
        """
        if not self._token or self._clock() - self._read_at >= TOKEN_FILE_AGE_S:
            self._read()
        return {"Authorization": f"Bearer {self._token}"}

    async def refresh(self) -> bool:
        """Read the file now; True when it holds another token."""
        before = self._token
        self._read()
        return self._token != before

    def _read(self) -> None:
        self._read_at = self._clock()
        before = self._token
        try:
            token = self._path.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            self.refreshes["failure"] += 1
            if before:
                return  # keep the old one until it is refused
            raise ConfigError(f"cannot read the token file {self._path}: {error}") from error
        if token:
            self._token = token
            self.refreshes["success"] += token != before
        elif not before:
            raise ConfigError(f"the token file {self._path} is empty")
        else:
            self.refreshes["failure"] += 1  # an emptied file: keep the old one until it is refused


@dataclass(frozen=True, slots=True)
class Credential:
    """What a plugin or a login service handed out.

    Attributes:
        authorization: the header's value; empty where it is a certificate.
        certificate: a client certificate and its key as PEM text.
        expires: wall time as seconds since the epoch; None for no known end.
    """

    authorization: str = field(default="", repr=False)
    certificate: tuple[str, str] | None = field(default=None, repr=False)
    expires: float | None = None


class Renewed(HeaderSource):
    """A credential that a plugin or a login service renews, one call at a time.

    It is renewed shortly before it expires by either of two clocks, because a wall clock that was set back would call a
    dead token fresh for hours; and once after a 401. A renewal that fails keeps the old one until it is refused.

    Args:
        obtain: hands out a credential; its argument says whether the last one was refused.
        first: the first credential.
        clock: seconds, monotonic.
        wall: seconds since the epoch.
    """

    def __init__(
        self,
        obtain: Callable[[bool], Awaitable[Credential]],
        first: Credential,
        *,
        clock: Callable[[], float] = monotonic,
        wall: Callable[[], float] = time,
    ) -> None:
        super().__init__()
        self._obtain = obtain
        self._clock = clock
        self._wall = wall
        self._lock = asyncio.Lock()
        self._retry_at = clock()
        self._deadline = self._wall_deadline = 0.0
        self._keep(first)

    @property
    def certificate(self) -> tuple[str, str] | None:
        """See :attr:`HeaderSource.certificate`."""
        return self._credential.certificate

    async def headers(self) -> dict[str, str]:
        """The header; renewed first when its end is near."""
        if self._due():
            async with self._lock:
                if self._due():
                    await self._renew(refused=False)
        authorization = self._credential.authorization
        return {"Authorization": authorization} if authorization else {}

    async def refresh(self) -> bool:
        """Obtain anew; concurrent refusals cause one call."""
        before = self._credential
        async with self._lock:
            if self._credential is not before:
                return True  # another request has renewed it while we waited
            await self._renew(refused=True)
            return self._credential != before

    def _due(self) -> bool:
        if self._credential.expires is None or self._clock() < self._retry_at:
            return False
        return self._clock() >= self._deadline or self._wall() >= self._wall_deadline

    async def _renew(self, *, refused: bool) -> None:
        # Whatever comes of it: a source that fails, or that hands out the same again, is not asked at each request.
        self._retry_at = self._clock() + RETRY_S
        try:
            obtained = await self._obtain(refused)
        except ConfigError as error:
            self.refreshes["failure"] += 1
            _log.warning("credentials could not be renewed, the old ones are kept until refused: %s", error)
            return
        self.refreshes["success"] += 1
        self._keep(obtained)

    def _keep(self, credential: Credential) -> None:
        self._credential = credential
        if credential.expires is not None:
            lifetime = max(0.0, credential.expires - self._wall())
            skew = min(60.0, lifetime / 5)  # a minute before its end, less for one that lives shortly
            self._wall_deadline = credential.expires - skew
            self._deadline = self._clock() + lifetime - skew


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
        cert_data: the client certificate and its key as PEM text, where they are in no files.
        verify: False accepts any certificate (``insecure-skip-tls-verify``).
        server_name: the name to verify instead of the URL's host.
        proxy: the proxy's URL; the environment's unless given. Schemes: http, https, socks5, socks5h.
        trust_env: without `proxy`, use the proxy of HTTPS_PROXY, HTTP_PROXY and NO_PROXY.
        compress: request compressed responses.
        extra: further headers, such as impersonation; a name may occur more than once.
    """

    server: str
    namespace: str = "default"
    source: HeaderSource = field(default_factory=HeaderSource, repr=False)
    ca_file: str | None = None
    ca_data: str | None = field(default=None, repr=False)
    cert_file: str | None = None
    key_file: str | None = None
    cert_data: tuple[str, str] | None = field(default=None, repr=False)
    verify: bool = True
    server_name: str | None = None
    proxy: str | None = field(default=None, repr=False)  # may hold a password
    trust_env: bool = True
    compress: bool = True
    extra: list[tuple[str, str]] = field(default_factory=list)
    _context: ssl.SSLContext | None = field(default=None, repr=False)
    _stamp: tuple[object, ...] = field(default=(), repr=False)

    async def headers(self) -> list[tuple[str, str]]:
        """The headers of a request.

        Raises:
            ConfigError: there is no credential to be had, and there has been none.
        """
        return [*self.extra, *(await self.source.headers()).items()]

    async def refresh(self, refused: list[tuple[str, str]]) -> bool:
        """The server returned 401: try to get other credentials.

        Args:
            refused: the headers that it refused; when they are not the present ones any more, a concurrent request has
                been refused too and has done the work.

        Returns:
            Whether there is something new to try with.
        """
        return await self.headers() != refused or await self.source.refresh()

    def ssl_context(self) -> ssl.SSLContext | bool:
        """The TLS context; a new one when a certificate has changed, for connections opened from then on.

        Raises:
            ConfigError: a certificate cannot be loaded, and there is no earlier context.
        """
        if not self.server.startswith("https:"):
            return False
        files = [_modified(path) for path in (self.ca_file, self.cert_file, self.key_file)]
        stamp = (*files, self.source.certificate)
        if self._context is None or stamp != self._stamp:
            try:
                self._context = self._load()
            except (OSError, ssl.SSLError, ValueError, ConfigError) as error:
                if self._context is None:
                    raise ConfigError(f"cannot load the certificates for {self.server}: {error}") from error
                # A certificate and its key are two files: between two writes they do not match.
                _log.warning("the rotated certificates for %s do not load, the old ones stay: %s", self.server, error)
            self._stamp = stamp
        return self._context

    def authority(self) -> list[str]:
        """The CA's certificates as PEM blocks, comments left out; empty where the system's own are used.

        Raises:
            ConfigError: there is a CA, and it holds no certificate or cannot be read.
        """
        if self.ca_data is not None:
            return certificates(self.ca_data, f"the CA of {self.server}")
        if self.ca_file is None:
            return []
        try:
            return certificates(Path(self.ca_file).read_bytes(), f"the CA file {self.ca_file}")
        except OSError as error:
            raise ConfigError(f"cannot read the CA file {self.ca_file}: {error.strerror or error}") from error

    def _load(self) -> ssl.SSLContext:
        context = verifying_context(self.authority(), self.server)
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        given = self.source.certificate or self.cert_data
        if given is not None:
            load_client_certificate(context, *given)
        elif self.cert_file:
            cert, key = Path(self.cert_file), Path(self.key_file or self.cert_file)
            load_client_certificate(context, cert.read_bytes(), key.read_bytes())
        return context


def _modified(path: str | None) -> float:
    if path is None:
        return 0.0
    try:
        return Path(path).stat().st_mtime
    except OSError:
        return -1.0
