"""The socket server with plain sockets and with the client: framing, limits, streams, endings."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator

import pytest

from zestor_controller.certificates import make_certificates
from zestor_controller.client import AiohttpTransport, static_config
from zestor_controller.http import HttpRequest, HttpResponse
from zestor_controller.http.http1 import MAX_BODY
from zestor_controller.http.server import HttpServer


class Echo:
    """Answers with what it was asked; /stream never ends until its reader goes."""

    def __init__(self) -> None:
        self.closed = asyncio.Event()

    async def handle(self, request: HttpRequest) -> HttpResponse:
        if request.path == "/stream":
            return HttpResponse(200, [("Content-Type", "application/json")], self.forever())
        if request.path == "/warn":
            return HttpResponse(200, [("Warning", '299 - "a\r\nSet-Cookie: b"')], b"{}")
        if request.path == "/groups":
            return HttpResponse(200, [], json.dumps(request.headers["impersonate-group"].split("\n")).encode())
        if request.path == "/raise":
            raise RuntimeError("a defect")
        body = {"method": request.method, "path": request.path, "query": request.query, "body": request.body.decode()}
        return HttpResponse(200, [("Content-Type", "application/json")], json.dumps(body).encode())

    async def forever(self) -> AsyncIterator[bytes]:
        try:
            for n in range(1_000_000):
                yield b'{"n":%d}\n' % n
                if n >= 2:
                    await asyncio.Event().wait()
        finally:
            self.closed.set()


@pytest.fixture
async def served() -> AsyncIterator[tuple[Echo, HttpServer]]:
    echo = Echo()
    server = HttpServer(echo)
    await server.start("127.0.0.1", 0)
    yield echo, server
    await server.stop()


async def talk(port: int, data: bytes) -> bytes:
    """Send bytes, read until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    await writer.drain()
    async with asyncio.timeout(5):
        answer = await reader.read()
    writer.close()
    return answer


async def test_requests_of_one_connection_are_answered_in_order(served: tuple[Echo, HttpServer]) -> None:
    data = b"GET /a?x=1&x=2 HTTP/1.1\r\nHost: h\r\n\r\n"
    data += b"POST /b%20c HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"
    answer = (await talk(served[1].port, data)).decode()
    first, second = answer.split("HTTP/1.1 200 OK")[1:]
    assert '"path": "/a", "query": [["x", "1"], ["x", "2"]]' in first
    assert '"path": "/b c"' in second
    assert '"body": "hi"' in second


async def test_a_chunked_body_that_arrives_in_pieces_is_put_together(served: tuple[Echo, HttpServer]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", served[1].port)
    message = (
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nTrailer: t\r\n\r\n"
    )
    for at in range(0, len(message), 5):
        writer.write(message[at : at + 5])
        await writer.drain()
        await asyncio.sleep(0)
    async with asyncio.timeout(5):
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        body = json.loads(await reader.readexactly(length))
    writer.close()
    assert body["body"] == "abcdefg"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET / HTTP/3\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", b"400"),
        (b"GET nowhere HTTP/1.1\r\nHost: h\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -5\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY + 1), b"413"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000, b"431"),
        (b"GET / HTTP/1.1\r\nX: y\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: h\r\nX: a\nY: b\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: h\r\n folded\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", b"501"),
        (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcXX0\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n300001\r\n", b"413"),
    ],
)
async def test_what_is_no_request_is_answered_with_a_status_and_the_connection_ends(
    served: tuple[Echo, HttpServer], data: bytes, status: bytes
) -> None:
    answer = await talk(served[1].port, data)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 " + status)
    assert b"Content-Type: text/plain" in head
    assert head.count(b"Connection: close") == 1
    assert body.endswith(b"\n")
    assert body.strip()


async def test_the_owner_of_the_server_decides_what_a_rejection_looks_like() -> None:
    server = HttpServer(Echo(), reject=lambda error: HttpResponse(error.status, [("X-Why", str(error))], b"{}"))
    await server.start("127.0.0.1", 0)
    try:
        answer = await talk(server.port, b"nonsense\r\n\r\n")
    finally:
        await server.stop()
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\nX-Why: malformed HTTP request line\r\nConnection: close\r\n")
    assert answer.endswith(b"\r\n\r\n{}")


async def test_a_client_that_waits_for_continue_is_told_to_go_on(served: tuple[Echo, HttpServer]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", served[1].port)
    writer.write(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    async with asyncio.timeout(5):
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"ok")
        assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
    writer.close()


async def test_a_reader_that_goes_away_closes_the_stream_it_was_reading(served: tuple[Echo, HttpServer]) -> None:
    echo, server = served
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET /stream HTTP/1.1\r\nHost: h\r\n\r\n")
    async with asyncio.timeout(5):
        await reader.readuntil(b'{"n":2}\n\r\n')
        assert not echo.closed.is_set()
        writer.close()
        await echo.closed.wait()


async def test_a_body_that_is_too_large_is_answered_although_the_client_sends_on(
    served: tuple[Echo, HttpServer],
) -> None:
    size = 3 * MAX_BODY
    answer = await talk(
        served[1].port, b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size
    )
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert answer.partition(b"\r\n\r\n")[2] == b"Request entity too large: limit is 3145728\n"


async def test_stopping_the_server_brings_open_streams_to_their_regular_end(served: tuple[Echo, HttpServer]) -> None:
    echo, server = served
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET /stream HTTP/1.1\r\nHost: h\r\n\r\n")
    async with asyncio.timeout(5):
        await reader.readuntil(b'{"n":2}\n\r\n')
        await server.stop()
        await echo.closed.wait()
        assert (await reader.read()) == b"0\r\n\r\n"
    writer.close()


async def test_a_defect_of_the_handler_ends_the_connection_and_not_the_server(
    served: tuple[Echo, HttpServer],
) -> None:
    assert await talk(served[1].port, b"GET /raise HTTP/1.1\r\nHost: h\r\n\r\n") == b""
    assert b"200 OK" in await talk(served[1].port, b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")


async def test_the_client_speaks_https_with_the_servers_own_ca_and_reads_a_stream() -> None:
    certificates = make_certificates(["localhost", "127.0.0.1"])
    server = HttpServer(Echo(), certificates.context())
    await server.start("127.0.0.1", 0)
    transport = AiohttpTransport(static_config(f"https://127.0.0.1:{server.port}/prefix", ca=certificates.ca))
    try:
        answer = await transport.request(HttpRequest("PUT", "/x y", [("q", "a b")], {}, b"body"))
        assert json.loads(answer.body) == {
            "method": "PUT",
            "path": "/prefix/x y",
            "query": [["q", "a b"]],
            "body": "body",
        }
        plain = AiohttpTransport(static_config(f"https://localhost:{server.port}", ca=certificates.ca))
        async with plain.stream(HttpRequest("GET", "/stream")) as stream:
            chunks = b""
            async for chunk in stream.chunks:
                chunks += chunk
                if chunks.endswith(b'{"n":2}\n'):
                    break
        await plain.close()
    finally:
        await transport.close()
        await server.stop()
    assert chunks.splitlines() == [b'{"n":0}', b'{"n":1}', b'{"n":2}']


async def test_a_line_end_in_a_header_of_the_answer_begins_no_other_header(
    served: tuple[Echo, HttpServer],
) -> None:
    answer = await talk(served[1].port, b"GET /warn HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    assert b"\r\nSet-Cookie" not in answer
    assert b'Warning: 299 - "a  Set-Cookie: b"\r\n' in answer


async def test_repeated_groups_are_kept_apart_even_when_they_hold_commas(served: tuple[Echo, HttpServer]) -> None:
    head = b"Host: h\r\nConnection: close\r\nImpersonate-Group: cn=a,ou=b\r\nImpersonate-Group: c\r\n"
    answer = await talk(served[1].port, b"GET /groups HTTP/1.1\r\n" + head + b"\r\n")
    assert json.loads(answer.partition(b"\r\n\r\n")[2]) == ["cn=a,ou=b", "c"]


async def test_a_large_chunked_body_in_tiny_chunks_costs_linear_time(served: tuple[Echo, HttpServer]) -> None:
    count = 100_000
    data = b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = await talk(served[1].port, data + b"1\r\nx\r\n" * count + b"0\r\n\r\n")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["body"] == "x" * count


async def test_stopping_does_not_wait_for_a_client_that_reads_nothing() -> None:
    certificates = make_certificates(["localhost", "127.0.0.1"])
    echo = Echo()
    server = HttpServer(echo, certificates.context())
    await server.start("127.0.0.1", 0)
    trust = ssl.create_default_context(cadata=certificates.ca)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=trust)
    writer.write(b"GET /stream HTTP/1.1\r\nHost: h\r\n\r\n")
    await reader.readuntil(b'{"n":2}\n\r\n')
    writer.transport.pause_reading()
    async with asyncio.timeout(5):
        await server.stop()
    assert echo.closed.is_set()
    writer.transport.abort()
