"""The transport over a real HTTPS socket."""

from __future__ import annotations

import asyncio
import gc
import gzip
import socket
import ssl
import threading
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest
from conftest_types import Authority, Serve
from scripted import JSON_HEADERS, Chunks, Script, config_map, line, ok, page

from zestor_controller.apiserver.server.kubeconfig import kubeconfig_for, write_kubeconfig
from zestor_controller.certificates import make_certificates
from zestor_controller.client import AiohttpTransport, Client, ClusterConfig, WriteGate, static_config
from zestor_controller.client.credentials import HeaderSource, TokenFile
from zestor_controller.errors import ConfigError, TransportError, Unauthorized
from zestor_controller.http import HttpRequest, HttpResponse
from zestor_controller.http.server import HttpServer

Respond = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def raw_server(respond: Respond) -> AsyncIterator[str]:
    """A server of bytes on loopback; gives its URL, and leaves when its last connection is closed."""
    open_connections: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        open_connections.add(task)
        await respond(reader, writer)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    await asyncio.gather(*open_connections)


def client_of(config: ClusterConfig, gate: WriteGate | None = None) -> Client:
    return Client(AiohttpTransport(config, gate=gate))


def unauthorized() -> HttpResponse:
    return HttpResponse(401, JSON_HEADERS, b'{"kind":"Status","code":401,"reason":"Unauthorized","message":"who?"}')


async def test_a_cluster_is_reached_by_address_token_and_ca(serve: Serve, authority: Authority) -> None:
    script = Script(ok(config_map()))

    async with serve(script) as url, Client.connect(server=url, token="secret", ca=authority.pem) as client:
        await client.get("v1/ConfigMap", "a")

    assert script.last.headers["authorization"] == "Bearer secret"


async def test_a_server_of_another_authority_is_refused(serve: Serve) -> None:
    async with serve(Script(ok({}))) as url, Client.connect(server=url, token="t") as client:
        with pytest.raises(TransportError, match="certificate"):
            await client.get("v1/ConfigMap", "a")


async def test_a_path_prefix_of_the_server_is_kept(serve: Serve, authority: Authority) -> None:
    """Rancher: aiohttp's own base_url would drop it."""
    script = Script(ok(config_map()))

    async with serve(script) as url, Client.connect(server=f"{url}/k8s/clusters/c-x/", ca=authority.pem) as client:
        await client.get("v1/ConfigMap", "a")

    assert script.last.path == "/k8s/clusters/c-x/api/v1/namespaces/default/configmaps/a"


async def test_a_name_and_a_query_arrive_as_they_were_given(serve: Serve, authority: Authority) -> None:
    script = Script(ok({"metadata": {"name": "x"}}))
    name = "system:node zürich%2F?#"

    async with serve(script) as url, Client.connect(server=url, ca=authority.pem) as client:
        await client.get("rbac.authorization.k8s.io/v1/ClusterRole", name)
        assert script.last.path.endswith(f"/clusterroles/{name}")
        await client.call(HttpRequest("GET", "/x", [("labelSelector", "a in (b,c),d!=e"), ("q", "&=+ %")]))

    assert script.last.query == [("labelSelector", "a in (b,c),d!=e"), ("q", "&=+ %")]


async def test_a_server_that_is_not_there_is_named(authority: Authority) -> None:
    with socket.socket() as held:  # bound and not listening: no other process can take the port meanwhile
        held.bind(("127.0.0.1", 0))
        url = f"https://127.0.0.1:{held.getsockname()[1]}"

        async with Client.connect(server=url, token="very-secret", ca=authority.pem) as client:
            with pytest.raises(TransportError) as raised:
                await client.get("v1/ConfigMap", "a")

    assert url in str(raised.value)
    assert "very-secret" not in str(raised.value)
    assert raised.value.__cause__ is not None


async def test_a_compressed_response_is_read(serve: Serve, authority: Authority) -> None:
    packed = gzip.compress(b'{"metadata":{"name":"a"}}')
    script = Script(HttpResponse(200, [*JSON_HEADERS, ("Content-Encoding", "gzip")], packed))
    async with serve(script) as url:
        config = ClusterConfig(url, ca_data=authority.pem)
        async with client_of(config) as client:
            assert (await client.get("v1/ConfigMap", "a")).metadata.name == "a"
        assert "gzip" in script.last.headers["accept-encoding"]

        async with Client.connect(server=url, ca=authority.pem) as client:
            await client.get("v1/ConfigMap", "a")
    assert script.last.headers["accept-encoding"] == "identity", "compressing for the same machine does not pay"


async def test_a_watch_delivers_each_piece_when_it_arrives_and_lines_of_any_length(
    serve: Serve, authority: Authority
) -> None:
    delivered = asyncio.Event()
    big = line("ADDED", config_map("big", data={"x": "y" * 3_000_000}))
    chunks = Chunks(line("ADDED", config_map("a")), big, then=delivered.wait)

    async with (
        serve(Script(chunks.response())) as url,
        Client.connect(server=url, ca=authority.pem) as client,
        client.watch("v1/ConfigMap") as watch,
    ):
        assert (await anext(watch)).object.metadata.name == "a"
        assert len((await anext(watch)).raw) == len(big) - 1, "the server still holds the stream open"
        delivered.set()
        with pytest.raises(StopAsyncIteration):
            await anext(watch)


async def test_leaving_a_watch_hangs_up(serve: Serve, authority: Authority) -> None:
    chunks = Chunks(line("ADDED", config_map()), then=asyncio.Event().wait)

    async with serve(Script(chunks.response())) as url, Client.connect(server=url, ca=authority.pem) as client:
        async with client.watch("v1/ConfigMap") as watch:
            await anext(watch)
        async with asyncio.timeout(5):
            await chunks.hung_up.wait()


async def test_a_connection_that_breaks_in_a_watch_is_a_transport_error(authority: Authority) -> None:
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n9\r\nhalf")
        await writer.drain()

    async with raw_server(half) as url, Client.connect(server=url) as client:
        with pytest.raises(TransportError) as raised:
            async for _ in client.watch("v1/ConfigMap"):
                pass
    assert url in str(raised.value)


async def test_c5_a_server_that_falls_silent_in_a_watch_is_left(serve: Serve, authority: Authority) -> None:
    chunks = Chunks(line("ADDED", config_map()), then=asyncio.Event().wait)

    async with (
        asyncio.timeout(5),
        serve(Script(chunks.response())) as url,
        Client.connect(server=url, ca=authority.pem) as client,
        client.watch("v1/ConfigMap", timeout=timedelta(seconds=-9.5)) as watch,
    ):
        assert len([event async for event in watch]) == 1


class Renewable(HeaderSource):
    """Counts how often it is asked to renew."""

    def __init__(self, *, renewable: bool = True) -> None:
        super().__init__()
        self.token = "old"
        self.calls = 0
        self._renewable = renewable

    async def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    async def refresh(self) -> bool:
        self.calls += 1
        if self._renewable:
            self.token = "new"
        return self._renewable


def only_new(request: HttpRequest) -> HttpResponse:
    return ok(config_map()) if request.headers.get("authorization") == "Bearer new" else unauthorized()


async def test_a_401_renews_the_credential_once_and_repeats_the_request_once(
    serve: Serve, authority: Authority
) -> None:
    script, source = Script(only_new), Renewable()
    async with serve(script) as url, client_of(ClusterConfig(url, source=source, ca_data=authority.pem)) as client:
        await client.create("v1/ConfigMap", {"metadata": {"name": "a"}})

    assert source.calls == 1
    assert [request.headers["authorization"] for request in script.requests] == ["Bearer old", "Bearer new"]
    assert script.requests[0].body == script.requests[1].body


async def test_a_401_that_renewing_does_not_cure_is_unauthorized(serve: Serve, authority: Authority) -> None:
    script, source = Script(unauthorized()), Renewable()
    async with serve(script) as url, client_of(ClusterConfig(url, source=source, ca_data=authority.pem)) as client:
        with pytest.raises(Unauthorized, match="who"):
            await client.get("v1/ConfigMap", "a")
    assert (source.calls, len(script.requests)) == (1, 2)

    script, source = Script(unauthorized()), Renewable(renewable=False)
    async with serve(script) as url, client_of(ClusterConfig(url, source=source, ca_data=authority.pem)) as client:
        with pytest.raises(Unauthorized):
            await client.get("v1/ConfigMap", "a")
    assert len(script.requests) == 1, "nothing new to try with"


async def test_a_watch_that_meets_a_401_is_opened_with_the_new_credential(serve: Serve, authority: Authority) -> None:
    def respond(request: HttpRequest) -> HttpResponse:
        return (
            Chunks(line("ADDED", config_map())).response()
            if "new" in request.headers["authorization"]
            else unauthorized()
        )

    config = ClusterConfig("", source=Renewable())
    async with serve(Script(respond)) as url:
        config.server, config.ca_data = url, authority.pem
        async with client_of(config) as client:
            assert len([event async for event in client.watch("v1/ConfigMap")]) == 1


async def test_a_rotated_token_file_is_used_after_a_401(serve: Serve, authority: Authority, tmp_path: Path) -> None:
    """A pod's bound token expires after an hour; a header made at start would die then."""
    token = tmp_path / "token"
    token.write_text("old\n")
    script = Script(only_new)
    config = ClusterConfig("", source=TokenFile(token))
    async with serve(script) as url:
        config.server, config.ca_data = url, authority.pem
        async with client_of(config) as client:
            with pytest.raises(Unauthorized):
                await client.get("v1/ConfigMap", "a")
            token.write_text("new\n")
            await client.get("v1/ConfigMap", "a")


async def test_requests_that_are_refused_together_are_all_repeated(
    serve: Serve, authority: Authority, tmp_path: Path
) -> None:
    """The first of them reads the new token; the others must not take it for the one that was refused."""
    token = tmp_path / "token"
    token.write_text("old")
    together = asyncio.Barrier(5)

    class Strict:
        async def handle(self, request: HttpRequest) -> HttpResponse:
            if request.headers["authorization"] == "Bearer old":
                await together.wait()
                token.write_text("new")
            return only_new(request)

    config = ClusterConfig("", source=TokenFile(token))
    async with serve(Strict()) as url:
        config.server, config.ca_data = url, authority.pem
        async with client_of(config) as client:
            found = await asyncio.gather(*(client.get("v1/ConfigMap", "a") for _ in range(5)))

    assert len(found) == 5


async def test_a_client_certificate_that_is_rotated_on_disk_is_used_for_new_connections(
    serve: Serve, authority: Authority, tmp_path: Path
) -> None:
    """An expired client certificate causes a TLS alert and no 401, so nothing but the file shows it."""
    cert, key = authority.issue("first").save(tmp_path, "client")
    script = Script(ok(config_map()))
    async with serve(script) as url:
        config = static_config(url, ca=authority.pem, client_cert=cert, client_key=key)
        async with client_of(config) as client:
            await client.get("v1/ConfigMap", "a")
            first = script.last.peer["certificate"]["subject"]
            authority.issue("second").save(tmp_path, "client")
            await client.get("v1/ConfigMap", "a")
            second = script.last.peer["certificate"]["subject"]
            key.write_text("half written")
            await client.get("v1/ConfigMap", "a")

    assert first == ((("commonName", "first"),),)
    assert second == ((("commonName", "second"),),)


async def test_a_server_is_verified_by_another_name_where_one_is_given(serve: Serve, authority: Authority) -> None:
    async with serve(Script(ok(config_map()))) as url:
        async with client_of(ClusterConfig(url, ca_data=authority.pem, server_name="kubernetes")) as client:
            await client.get("v1/ConfigMap", "a")
        async with client_of(ClusterConfig(url, ca_data=authority.pem, server_name="other.example.org")) as client:
            with pytest.raises(TransportError, match="certificate"):
                await client.get("v1/ConfigMap", "a")


async def test_l1_a_closed_gate_keeps_a_write_off_the_socket(serve: Serve, authority: Authority) -> None:
    gate, script = WriteGate(), Script(ok(config_map()))
    async with serve(script) as url, client_of(ClusterConfig(url, ca_data=authority.pem), gate) as client:
        await client.get("v1/ConfigMap", "a")
        gate.close("leadership was lost")
        with pytest.raises(TransportError, match="leadership was lost"):
            await client.delete("v1/ConfigMap", "a")
        await client.get("v1/ConfigMap", "a")

    assert [request.method for request in script.requests] == ["GET", "GET"]


async def test_l1_a_gate_that_closes_while_the_connection_is_made_still_holds(authority: Authority) -> None:
    """Connecting may take longer than a lease: the gate is checked when the connection is open."""
    gate = WriteGate()
    received = bytearray()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.extend(await reader.read(1 << 16))

    class Closing(HeaderSource):
        async def headers(self) -> dict[str, str]:
            asyncio.get_running_loop().call_soon(gate.close, "leadership was lost")
            return {}

    async with raw_server(accept) as url, client_of(ClusterConfig(url, source=Closing()), gate) as client:
        with pytest.raises(TransportError, match="leadership was lost"):
            await client.create("v1/ConfigMap", {"metadata": {"name": "a"}})
    assert not received


async def test_a_proxy_of_the_environment_is_used_unless_the_host_is_excepted(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = asyncio.Event()

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"GET http://nowhere.example.org/"):
            asked.set()
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}")
        await writer.drain()

    async with raw_server(proxy) as url:
        monkeypatch.setenv("http_proxy", url)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        async with Client.connect(server="http://nowhere.example.org") as client:
            await client.call(HttpRequest("GET", "/version"))

    assert asked.is_set()


async def test_a_malformed_address_and_a_missing_ca_are_configuration_errors() -> None:
    with pytest.raises(ConfigError, match="whole URL"):
        static_config("127.0.0.1:6443")
    with pytest.raises(ConfigError, match="does not exist"):
        static_config("https://127.0.0.1:6443", ca="no-such-file.crt")


async def test_a_client_that_was_entered_by_hand_stays_open(authority: Authority) -> None:
    connections = 0

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        with suppress(asyncio.IncompleteReadError):
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    async with raw_server(respond) as url:
        client = await Client.connect(server=url).__aenter__()
        for _ in range(3):
            gc.collect()
            await client.call(HttpRequest("GET", "/version"))
        await client.transport.close()

    assert connections == 1


def test_a_stream_that_is_left_does_not_wait_for_the_servers_goodbye(authority: Authority, tmp_path: Path) -> None:
    """A peer that sends no TLS close_notify must not keep the socket beyond the client, nor beyond the loop."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(*authority.issue("server").save(tmp_path, "server"))
    done = threading.Event()

    def respond_and_hang(listening: socket.socket) -> None:
        accepted, _ = listening.accept()
        with tls.wrap_socket(accepted, server_side=True) as connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n")
            done.wait(20)

    async def read_a_little_and_leave(url: str) -> bytes:
        async with (
            Client.connect(server=url, token="t", ca=authority.pem) as client,
            client.transport.stream(HttpRequest("GET", "/x")) as stream,
        ):
            return await anext(aiter(stream.chunks))

    gc.collect()  # what other tests left is not this one's
    with socket.create_server(("127.0.0.1", 0)) as listening, warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always", ResourceWarning)
        peer = threading.Thread(target=respond_and_hang, args=(listening,))
        peer.start()
        try:
            got = asyncio.run(read_a_little_and_leave(f"https://127.0.0.1:{listening.getsockname()[1]}"))
            gc.collect()
        finally:
            done.set()
            peer.join(20)

    assert got == b"{}"
    assert [str(warning.message) for warning in warned] == []


async def test_the_embedded_servers_socket_and_kubeconfig_fit_this_client(tmp_path: Path) -> None:
    chunks = Chunks(line("ADDED", config_map("a")), line("ADDED", config_map("b")), then=asyncio.Event().wait)
    script = Script(page([config_map()], version="7"), chunks.response())
    certificates = make_certificates(["127.0.0.1", "localhost"])
    server = HttpServer(script, certificates.context())
    await server.start("127.0.0.1", 0)
    try:
        path = tmp_path / "kubeconfig"
        url = f"https://127.0.0.1:{server.port}"
        write_kubeconfig(path, kubeconfig_for(url, certificates.ca, "secret", namespace="apps"))
        async with Client.connect(path) as client:
            assert client.namespace == "apps"
            listed = await client.list("v1/ConfigMap")
            async with client.watch("v1/ConfigMap", resource_version=listed.resource_version) as watch:
                names = [(await anext(watch)).object.metadata.name for _ in range(2)]
            async with asyncio.timeout(5):
                await chunks.hung_up.wait()
    finally:
        await server.stop()

    assert names == ["a", "b"]
    assert script.last.headers["authorization"] == "Bearer secret"
