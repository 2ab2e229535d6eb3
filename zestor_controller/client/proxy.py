"""Which proxy a server is reached through, by the rules of Go's clients.

Invariant: pure: the environment is an argument. A proxy that the configuration names overrides the environment; one of
the environment is never used for localhost and loopback addresses. Each proxy knows where it was configured, for error
messages; its password is in none of them.

Source: golang.org/x/net/http/httpproxy; client-go tools/clientcmd (``proxy-url``).
"""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from zestor_controller.errors import ConfigError

__all__ = ["Proxy", "environment_proxy", "parse_proxy"]

SCHEMES: Final = ("http", "https", "socks5", "socks5h")
PORTS: Final = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy.

    Attributes:
        url: its URL, without user and password, which would be quoted by other libraries' errors.
        source: where it is configured, such as ``HTTPS_PROXY``.
        login: user name and password, or neither.
    """

    url: str
    source: str
    login: tuple[str | None, str | None] = field(default=(None, None), repr=False)

    @property
    def socks(self) -> bool:
        """It speaks SOCKS 5. As in Go, ``socks5`` and ``socks5h`` both resolve names at the proxy."""
        return self._parts.scheme in ("socks5", "socks5h")

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        return self._parts.hostname or "", self._parts.port or PORTS[self._parts.scheme]

    @property
    def headers(self) -> dict[str, str]:
        """The headers of a login at an HTTP proxy."""
        user, password = self.login
        if user is None:
            return {}
        return {"Proxy-Authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}

    @property
    def _parts(self) -> SplitResult:
        return urlsplit(self.url)

    def __str__(self) -> str:
        host, port = self.address
        shown = f"[{host}]" if ":" in host else host
        return f"the proxy {self._parts.scheme}://{shown}:{port} ({self.source})"


def parse_proxy(text: str, source: str) -> Proxy:
    """A proxy from its URL; ``host:port`` means HTTP.

    Args:
        text: the URL.
        source: the variable or field that holds it.

    Raises:
        ConfigError: it is not the URL of a proxy, or of a scheme that is not supported.
    """
    url = text.strip() if "://" in text else f"http://{text.strip()}"
    scheme = url.partition("://")[0].lower()
    if scheme not in SCHEMES:
        raise ConfigError(f"{source}: proxies of the scheme {scheme!r} are not supported; use {', '.join(SCHEMES)}")
    parts = _split(url)
    if parts is None:
        # Without the text and without a cause: both may hold the password.
        raise ConfigError(f"{source}: not the URL of a proxy; write it as scheme://host:port")
    login = (unquote(parts.username), unquote(parts.password or "")) if parts.username is not None else (None, None)
    return Proxy(f"{scheme}://{parts.netloc.rpartition('@')[2]}", source, login)


def environment_proxy(server: str, environ: Mapping[str, str]) -> Proxy | None:
    """The proxy that HTTPS_PROXY, HTTP_PROXY and NO_PROXY, in upper or lower case, name for a server.

    Args:
        server: the server's URL.
        environ: the environment.

    Raises:
        ConfigError: the variable does not hold the URL of a proxy.
    """
    parts = urlsplit(server)
    variable, value = _first(environ, f"{parts.scheme}_proxy")
    if not value:
        return None
    host, port = _ascii((parts.hostname or "").lower()), parts.port or PORTS.get(parts.scheme, 0)
    if not _proxied(host, port, _first(environ, "no_proxy")[1]):
        return None
    return parse_proxy(value, variable)


def _split(url: str) -> SplitResult | None:
    """The parts of a URL that has a host and, if any, a port that is one."""
    try:
        parts = urlsplit(url)
        return parts if parts.hostname and parts.port != 0 else None
    except ValueError:
        return None


def _first(environ: Mapping[str, str], name: str) -> tuple[str, str]:
    """The first of a variable's two spellings that is not empty."""
    for spelling in (name.upper(), name):
        if environ.get(spelling):
            return spelling, environ[spelling]
    return "", ""


def _proxied(host: str, port: int, no_proxy: str) -> bool:
    address = _address(host)
    if host == "localhost" or (address is not None and address.is_loopback):
        return False
    return not any(_matches(entry.strip().lower(), host, address, port) for entry in no_proxy.split(","))


def _matches(entry: str, host: str, address: Address | None, port: int) -> bool:
    """Whether an entry of NO_PROXY covers a host."""
    if entry == "*":
        return True
    if "/" in entry:
        return address is not None and _within(address, entry)
    name, only_port = _split_port(entry)
    if not name or (only_port and only_port != str(port)):
        return False
    expected = _address(name)
    if expected is not None or address is not None:
        return expected == address
    if name.startswith("*."):
        name = name[1:]  # *.domain is .domain: subdomains only
    if name.startswith("."):
        return host.endswith(_ascii(name))
    return host == _ascii(name) or host.endswith(f".{_ascii(name)}")


def _within(address: Address, block: str) -> bool:
    try:
        network = ipaddress.ip_network(block, strict=False)  # as Go's ParseCIDR: bits of the host are ignored
    except ValueError:
        return False
    return network.version == address.version and address in network


def _split_port(entry: str) -> tuple[str, str]:
    """``host:port`` and ``[host]:port``; an IPv6 address without brackets has no port."""
    if entry.startswith("["):
        name, _, rest = entry[1:].partition("]")
        return name, rest.removeprefix(":")
    if entry.count(":") == 1:
        name, _, port = entry.partition(":")
        return name, port
    return entry, ""


def _address(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


def _ascii(name: str) -> str:
    if name.isascii():
        return name
    try:
        prefix = "." if name.startswith(".") else ""
        return prefix + name.removeprefix(".").encode("idna").decode()
    except UnicodeError:
        return name
