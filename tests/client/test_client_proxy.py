"""Which proxy is used: Go's rules for the environment, the kubeconfig's proxy-url, and SOCKS."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest
from conftest_types import Authority, Serve
from scripted import Script, config_map, ok

from zestor_controller.client import AiohttpTransport, Client, ClusterConfig
from zestor_controller.client.proxy import environment_proxy, parse_proxy
from zestor_controller.errors import ConfigError, Forbidden, TransportError


@pytest.mark.parametrize(
    ("server", "no_proxy", "used"),
    [
        ("https://api.example:6443", "", True),
        ("https://localhost:6443", "", False),
        ("https://127.0.0.1", "", False),
        ("https://127.8.9.1:6443", "", False),
        ("https://[::1]:6443", "", False),
        ("https://[::ffff:127.0.0.1]:6443", "", False),
        ("https://localhost.example", "", True),
        ("https://api.example", "*", False),
        ("https://10.0.0.1", "other, * ", False),
        ("https://api.example", "example", False),
        ("https://api.example", "EXAMPLE", False),
        ("https://API.example", "example", False),
        ("https://api.example", ".example", False),
        ("https://api.example", "*.example", False),
        ("https://example", "example", False),
        ("https://example", ".example", True),
        ("https://example", "*.example", True),
        ("https://apiexample", "example", True),
        ("https://api.example", "pi.example", True),
        ("https://api.example", "*api.example", True),
        ("https://api.example.org", "example", True),
        ("https://api.example:6443", "api.example:6443", False),
        ("https://api.example:6443", "api.example:443", True),
        ("https://api.example", "api.example:443", False),
        ("https://api.example:6443", "example:6443", False),
        ("https://10.96.0.1:443", "10.96.0.0/12,.svc", False),
        ("https://10.96.0.1:443", "localhost,127.0.0.0/8,10.0.0.0/8", False),
        ("https://10.96.0.1", "10.96.0.7/12", False),
        ("https://10.112.0.1", "10.96.0.0/12", True),
        ("https://10.96.0.1", "10.96.0.0/99,10.96.0.1", False),
        ("https://10.96.0.1", "10.96.0", True),
        ("https://10.96.0.1", "96.0.1", True),
        ("https://10.96.0.1:6443", "10.96.0.1:6443", False),
        ("https://10.96.0.1:6443", "10.96.0.1:443", True),
        ("https://[fd00::1]:6443", "fd00::/8", False),
        ("https://[fd00::1]:6443", "FD00:0::1", False),
        ("https://[fd00::1]:6443", "[fd00::1]:6443", False),
        ("https://[fd00::1]:6443", "[fd00::1]:443", True),
        ("https://[fd00::1]:6443", "10.0.0.0/8", True),
        ("https://bücher.example", "xn--bcher-kva.example", False),
        ("https://xn--bcher-kva.example", "bücher.example", False),
        ("https://api.example", ",, ,:443,", True),
    ],
)
def test_no_proxy_excepts_what_go_excepts(server: str, no_proxy: str, used: bool) -> None:
    proxy = environment_proxy(server, {"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": no_proxy})

    assert (proxy is not None) is used


@pytest.mark.parametrize(
    ("server", "environ", "expected"),
    [
        ("https://x", {"HTTPS_PROXY": "http://a:1", "https_proxy": "http://b:1"}, "http://a:1 (HTTPS_PROXY)"),
        ("https://x", {"HTTPS_PROXY": "", "https_proxy": "http://b:1"}, "http://b:1 (https_proxy)"),
        ("http://x", {"HTTPS_PROXY": "http://a:1", "http_proxy": "http://b:1"}, "http://b:1 (http_proxy)"),
        ("https://x", {"HTTP_PROXY": "http://b:1", "ALL_PROXY": "http://c:1"}, None),
        ("https://x", {"HTTPS_PROXY": "a:1", "no_proxy": "x"}, None),
        ("https://x", {"HTTPS_PROXY": "a:1", "NO_PROXY": "y", "no_proxy": "x"}, "http://a:1 (HTTPS_PROXY)"),
        ("https://x", {"HTTPS_PROXY": "proxy"}, "http://proxy:80 (HTTPS_PROXY)"),
        ("https://x", {"HTTPS_PROXY": "https://u:p@proxy"}, "https://proxy:443 (HTTPS_PROXY)"),
        ("https://x", {"HTTPS_PROXY": "SOCKS5://[::1]"}, "socks5://[::1]:1080 (HTTPS_PROXY)"),
    ],
)
def test_the_variable_of_the_servers_scheme_is_read_upper_case_first(
    server: str, environ: dict[str, str], expected: str | None
) -> None:
    proxy = environment_proxy(server, environ)

    assert (str(proxy) if proxy else None) == (f"the proxy {expected}" if expected else None)


@pytest.mark.parametrize("text", ["ftp://proxy:21", "socks4://proxy", "quic://proxy"])
def test_a_scheme_that_is_not_supported_is_named_with_its_field(text: str) -> None:
    with pytest.raises(ConfigError, match=f"^HTTPS_PROXY: proxies of the scheme '{text.partition(':')[0]}' are not"):
        environment_proxy("https://x", {"HTTPS_PROXY": text})


@pytest.mark.parametrize("text", ["http://", "http://:3128", "http://h:port", "http://user:secret@h:x", "http://[::1"])
def test_what_is_no_url_is_named_by_its_field_and_not_quoted(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^proxy-url: not the URL of a proxy") as raised:
        parse_proxy(text, "proxy-url")

    assert "secret" not in str(raised.value)


@dataclass
class Tunnel:
    """A proxy on loopback that serves CONNECT and SOCKS 5, and what it was asked for."""

    port: int = 0
    user: str = ""
    password: str = ""
    asked: list[str] = field(default_factory=list)
    target: int = 0
    """Where every connection is led; without it none is made."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            first = await reader.readexactly(1)
            made = await self._socks(reader, writer) if first == b"\x05" else await self._http(first, reader, writer)
            if made:
                there, back = await asyncio.open_connection("127.0.0.1", self.target)
                await asyncio.gather(self._pipe(reader, back), self._pipe(there, writer))
        writer.close()

    async def _http(self, first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        header = (first + await reader.readuntil(b"\r\n\r\n")).decode()
        self.asked.append(header.partition(" HTTP")[0])
        self.asked += [line for line in header.splitlines() if line.lower().startswith("proxy-authorization")]
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n" if self.target else b"HTTP/1.1 403 Forbidden\r\n\r\n")
        return bool(self.target)

    async def _socks(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        await reader.readexactly((await reader.readexactly(1))[0])
        writer.write(b"\x05\x02" if self.user else b"\x05\x00")
        if self.user:
            await reader.readexactly(1)
            user = await reader.readexactly((await reader.readexactly(1))[0])
            password = await reader.readexactly((await reader.readexactly(1))[0])
            self.user, self.password = user.decode(), password.decode()
            writer.write(b"\x01\x00")
        kind = (await reader.readexactly(4))[3]
        if kind == 3:
            host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        else:
            host = ".".join(str(part) for part in await reader.readexactly(4))
        port = int.from_bytes(await reader.readexactly(2), "big")
        self.asked.append(f"SOCKS {host}:{port}")
        writer.write((b"\x05\x00" if self.target else b"\x05\x02") + b"\x00\x01" + bytes(6))
        return bool(self.target)

    @staticmethod
    async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while part := await reader.read(1 << 16):
                writer.write(part)
                await writer.drain()
        writer.close()


@asynccontextmanager
async def tunnel(url: str = "") -> AsyncIterator[Tunnel]:
    made = Tunnel(target=int(url.rpartition(":")[2]) if url else 0)
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        await made.serve(reader, writer)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    async with server:
        yield made
        server.close()
    await asyncio.gather(*tasks)


def client_of(config: ClusterConfig) -> Client:
    return Client(AiohttpTransport(config))


@pytest.mark.parametrize(("scheme", "asked"), [("http", "CONNECT"), ("socks5", "SOCKS"), ("socks5h", "SOCKS")])
async def test_a_server_is_reached_through_a_proxy_that_is_given_its_name(
    serve: Serve, authority: Authority, scheme: str, asked: str
) -> None:
    """The name is one that only the proxy can resolve; TLS verifies the name that the configuration says."""
    async with serve(Script(ok(config_map()))) as url, tunnel(url) as proxy:
        config = ClusterConfig(
            "https://only-the-proxy-knows:6443",
            ca_data=authority.pem,
            server_name="kubernetes",
            proxy=f"{scheme}://127.0.0.1:{proxy.port}",
        )
        async with client_of(config) as client:
            assert (await client.get("v1/ConfigMap", "a")).metadata.name == "a"

        assert proxy.asked == [f"{asked} only-the-proxy-knows:6443"]

        config.server_name = "elsewhere"
        async with client_of(config) as client:
            with pytest.raises(
                TransportError, match=f"by the proxy {scheme}://127.* certificate is not trusted: Hostname mismatch"
            ):
                await client.get("v1/ConfigMap", "a")


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_a_login_at_the_proxy_is_sent_and_is_in_no_message(
    serve: Serve, authority: Authority, scheme: str
) -> None:
    async with serve(Script(ok(config_map()))) as url, tunnel(url) as proxy:
        proxy.user = "expected"
        config = ClusterConfig(url, ca_data=authority.pem, proxy=f"{scheme}://me:s%3Acret@127.0.0.1:{proxy.port}")
        async with client_of(config) as client:
            await client.get("v1/ConfigMap", "a")
        if scheme == "socks5":
            assert (proxy.user, proxy.password) == ("me", "s:cret")
        else:
            assert proxy.asked[1].split()[-1] == "bWU6czpjcmV0"

        proxy.target = 0
        async with client_of(config) as client:
            with pytest.raises(TransportError, match=r"\(by the proxy .* \(proxy-url\)\)") as raised:
                await client.get("v1/ConfigMap", "a")
    assert "cret" not in str(raised.value)


async def test_a_server_without_tls_is_asked_for_through_the_proxy_with_its_login() -> None:
    async with tunnel() as proxy:
        config = ClusterConfig("http://api.example:8080", proxy=f"me:secret@127.0.0.1:{proxy.port}")
        async with client_of(config) as client:
            with pytest.raises(Forbidden):
                await client.get("v1/ConfigMap", "a")

    path = "/api/v1/namespaces/default/configmaps/a"
    assert proxy.asked == [f"GET http://api.example:8080{path}", "Proxy-Authorization: Basic bWU6c2VjcmV0"]


async def test_a_failure_behind_a_proxy_says_which_proxy_and_why_it_was_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with tunnel() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        async with Client.connect(server="https://api.other.example:6443") as client:
            with pytest.raises(
                TransportError, match=rf"by the proxy http://127.0.0.1:{proxy.port} \(HTTPS_PROXY\).*403"
            ):
                await client.get("v1/ConfigMap", "a")

    assert proxy.asked == ["CONNECT api.other.example:6443"]


async def test_loopback_and_a_configuration_that_does_not_trust_the_environment_are_reached_directly(
    serve: Serve, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve(Script(ok(config_map()))) as url, tunnel() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        async with client_of(ClusterConfig(url, ca_data=authority.pem)) as client:
            await client.get("v1/ConfigMap", "a")
        async with client_of(ClusterConfig("https://name.invalid", trust_env=False)) as client:
            with pytest.raises(TransportError, match=r"name\.invalid"):
                await client.get("v1/ConfigMap", "a")

    assert proxy.asked == []


async def test_socks_without_its_library_is_an_error_that_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "python_socks", None)

    async with client_of(ClusterConfig("https://api.example", proxy="socks5://127.0.0.1:1")) as client:
        with pytest.raises(ConfigError, match=r"the proxy socks5://.* pip install 'zestor-controller\[socks\]'"):
            await client.get("v1/ConfigMap", "a")
