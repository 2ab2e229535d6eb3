"""Connections that say nothing are closed, and none of them keeps the server from others (A7)."""

from __future__ import annotations

import asyncio
import itertools
import logging
import resource
import socket
import ssl
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvloop

from zestor_controller.certificates import make_certificates
from zestor_controller.http import HttpRequest, HttpResponse
from zestor_controller.http.listener import connection_limit
from zestor_controller.http.server import RECEIVING, HttpConnection, HttpServer, Shared
from zestor_controller.testing.clock import run_virtual

HEAD = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n"
GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
STREAM = b"GET /stream HTTP/1.1\r\nHost: h\r\n\r\n"


class Handler:
    async def handle(self, request: HttpRequest) -> HttpResponse:
        if request.path == "/stream":
            return HttpResponse(200, [], self.hourly())
        return HttpResponse(200, [], b"x" * 2_000_000 if request.path == "/large" else b"ok")

    async def hourly(self) -> AsyncIterator[bytes]:
        for _ in range(12):
            await asyncio.sleep(3600)
            yield b"event\n"


class Wire(asyncio.Transport):
    """A client's end in memory: what the server writes, and when it closes."""

    def __init__(self, shared: Shared | None = None) -> None:
        super().__init__()
        self.written = b""
        self.server = HttpConnection(Handler(), shared or Shared())
        self.taken = True
        self.server.connection_made(self)

    def send(self, data: bytes) -> None:
        self.server.data_received(data)

    async def closed_after(self) -> float:
        """Seconds until the server closes."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        await self.server.gone.wait()
        return loop.time() - start

    def write(self, data: Any) -> None:
        self.written += data

    def close(self) -> None:
        if self.taken:
            self.abort()

    def abort(self) -> None:
        if not self.server.gone.is_set():
            self.server.connection_lost(None)

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


@pytest.mark.parametrize("sent", [b"", b"GET", b"GET / HTTP/1.1\r\nHost: h\r\nX-Slow: ", b"\r\n\r\n"])
def test_a7_a_client_has_32_seconds_for_its_first_head(sent: bytes) -> None:
    async def scenario() -> float:
        wire = Wire()
        wire.send(sent)
        return await wire.closed_after()

    assert run_virtual(scenario()) == pytest.approx(32)


@pytest.mark.parametrize(("first", "drop", "limit"), [(b"GET / HTTP/1.1\r\n", b"X: y\r\n", 32), (HEAD, b"x", 60)])
def test_a_client_that_sends_a_little_now_and_then_gets_no_more_time(first: bytes, drop: bytes, limit: float) -> None:
    async def scenario() -> float:
        wire = Wire()
        wire.send(first)

        async def drip() -> None:
            while not wire.server.gone.is_set():
                await asyncio.sleep(5)
                wire.send(drop)

        dripping = asyncio.ensure_future(drip())
        try:
            return await wire.closed_after()
        finally:
            dripping.cancel()

    assert run_virtual(scenario()) == pytest.approx(limit)


def test_an_idle_connection_is_kept_for_90_seconds_after_each_response() -> None:
    async def scenario() -> float:
        wire = Wire()
        for _ in range(5):
            await asyncio.sleep(31 if not wire.written else 85)
            wire.send(GET)
        await asyncio.sleep(1)
        assert wire.written.count(b"200 OK") == 5
        wire.send(b"\r\n")  # an empty line is no request
        return await wire.closed_after()

    assert run_virtual(scenario()) == pytest.approx(89)


def test_a_head_that_begins_on_an_idle_connection_has_32_seconds() -> None:
    async def scenario() -> float:
        wire = Wire()
        wire.send(GET)
        await asyncio.sleep(10)
        wire.send(b"GET / HT")
        return await wire.closed_after()

    assert run_virtual(scenario()) == pytest.approx(32)


def test_a_watch_is_not_cut_by_any_limit() -> None:
    async def scenario() -> Wire:
        wire = Wire()
        wire.send(STREAM)
        await asyncio.sleep(13 * 3600)
        return wire

    wire = run_virtual(scenario())
    assert wire.written.count(b"event\n") == 12
    assert wire.written.endswith(b"0\r\n\r\n")


def test_a_long_response_is_written_as_its_client_reads_however_long_that_takes() -> None:
    async def scenario() -> list[int]:
        wire = Wire()
        wire.server.pause_writing()
        wire.send(b"GET /large HTTP/1.1\r\nHost: h\r\n\r\n")
        sizes = []
        for _ in range(10):
            await asyncio.sleep(80)
            sizes.append(len(wire.written))
            wire.server.resume_writing()
            wire.server.pause_writing()
        return sizes

    sizes = run_virtual(scenario())
    assert sizes == sorted(sizes)
    assert max(after - before for before, after in itertools.pairwise(sizes)) <= 256 * 1024
    assert sizes[-1] > 2_000_000


def test_a_client_that_takes_nothing_of_a_response_is_dropped() -> None:
    async def scenario() -> float:
        wire = Wire()
        wire.server.pause_writing()
        wire.send(b"GET /large HTTP/1.1\r\nHost: h\r\n\r\n")
        return await wire.closed_after()

    assert run_virtual(scenario()) == pytest.approx(90)


def test_a_watch_whose_client_does_not_read_is_not_cut() -> None:
    async def scenario() -> bool:
        wire = Wire()
        wire.send(STREAM)
        await asyncio.sleep(1)
        wire.server.pause_writing()
        await asyncio.sleep(9000)
        return wire.server.gone.is_set()

    assert not run_virtual(scenario())


def test_a_client_that_does_not_take_the_last_response_is_dropped() -> None:
    async def scenario() -> float:
        wire = Wire()
        wire.taken = False
        wire.send(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        return await wire.closed_after()

    assert run_virtual(scenario()) == pytest.approx(32)


def test_a7_what_all_requests_hold_while_they_arrive_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> tuple[int, int]:
        shared = Shared()
        wires = [Wire(shared) for _ in range(100)]
        for wire in wires:
            wire.send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3145728\r\n\r\n" + b"x" * 3_000_000)
        open_ = len(shared.connections)
        held = shared.held
        for wire in wires:
            wire.abort()
        assert shared.held == 0
        return open_, held

    connections, held = run_virtual(scenario())
    assert held <= RECEIVING
    assert 80 < connections < 90
    assert "requests that are being received hold" in caplog.text


async def opened(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", port)


async def test_a7_more_clients_than_the_limit_wait_until_one_ends(caplog: pytest.LogCaptureFixture) -> None:
    server = HttpServer(Handler(), limit=2)
    await server.start("127.0.0.1", 0)
    try:
        first, second, third = [await opened(server.port) for _ in range(3)]
        for _, writer in (first, second, third):
            writer.write(GET)
        async with asyncio.timeout(20):
            await first[0].readuntil(b"ok")
            await second[0].readuntil(b"ok")
            waiting = asyncio.ensure_future(third[0].readuntil(b"ok"))
            done, _ = await asyncio.wait([waiting], timeout=0.2)
            assert not done
            first[1].close()
            await waiting
        assert "all 2 connections are in use" in caplog.text
        for _, writer in (second, third):
            writer.close()
    finally:
        await server.stop()


async def test_a_handshake_that_does_not_come_holds_up_nobody_and_ends_with_the_server() -> None:
    certificates = make_certificates(["localhost", "127.0.0.1"])
    server = HttpServer(Handler(), certificates.context(), limit=10)
    await server.start("127.0.0.1", 0)
    silent = [await opened(server.port) for _ in range(3)]
    wrong = await opened(server.port)
    wrong[1].write(b"GET / HTTP/1.1\r\n\r\n")
    async with asyncio.timeout(20):
        assert b"HTTP" not in await wrong[0].read()
        await server.stop()
        for reader, writer in (*silent, wrong):
            await reader.read()
            writer.close()


async def test_a_process_without_descriptors_waits_before_it_accepts_again(caplog: pytest.LogCaptureFixture) -> None:
    server = HttpServer(Handler())
    await server.start("127.0.0.1", 0)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    client = socket.create_connection(("127.0.0.1", server.port))  # the kernel takes it; the server has not yet
    try:
        with caplog.at_level(logging.WARNING):
            resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
            try:
                for _ in range(1000):
                    await asyncio.sleep(0)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert caplog.text.count("connections cannot be accepted, the next attempt is in 1 s") == 1
        client.setblocking(False)
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(20):
            await loop.sock_sendall(client, GET)
            assert b"200 OK" in await loop.sock_recv(client, 1000)
    finally:
        client.close()
        await server.stop()


def test_the_number_of_connections_follows_the_descriptors_of_the_process() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
    try:
        assert connection_limit() == 1024 - 128
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_tls_is_served_on_either_event_loop(loop_factory: Any) -> None:
    async def scenario() -> bytes:
        certificates = make_certificates(["localhost", "127.0.0.1"])
        server = HttpServer(Handler(), certificates.context())
        await server.start("127.0.0.1", 0)
        trust = ssl.create_default_context(cadata=certificates.ca)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=trust)
        writer.write(b"GET /large HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        async with asyncio.timeout(20):
            answer = await reader.read()
        writer.close()
        await server.stop()
        return answer

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        assert len(runner.run(scenario()).partition(b"\r\n\r\n")[2]) == 2_000_000
