"""The API server on a socket: what a client without TLS libraries of ours sees of it."""

import asyncio
import json
import ssl

import pytest

from zestor_controller.apiserver.server.secureserver import SecureServer, SecureServerOptions
from zestor_controller.http.http1 import MAX_BODY


async def exchange(served: SecureServer, data: bytes) -> tuple[bytes, bytes]:
    """Send bytes over TLS; the head and the body of what comes until the server closes."""
    trust = ssl.create_default_context(cadata=served.ca)
    port = int(served.url.rpartition(":")[2])
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust)
        writer.write(data)
        received = await reader.read()
    writer.close()
    head, _, body = received.partition(b"\r\n\r\n")
    return head, body


@pytest.mark.parametrize(
    ("sent", "code", "reason"),
    [
        (b"nonsense\r\n\r\n", 400, "BadRequest"),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY + 1), 413, "RequestEntityTooLarge"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000, 431, None),
        (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", 501, None),
    ],
)
async def test_bytes_that_are_no_request_get_a_status_object_and_the_connection_ends(
    sent: bytes, code: int, reason: str | None
) -> None:
    async with SecureServer(SecureServerOptions()) as served:
        head, body = await exchange(served, sent)
    status = json.loads(body)
    assert head.startswith(b"HTTP/1.1 %d " % code)
    assert b"Content-Type: application/json\r\nConnection: close" in head
    assert (status["kind"], status["status"], status["code"], status.get("reason")) == (
        "Status",
        "Failure",
        code,
        reason,
    )
    assert status["message"]


async def test_a_restart_keeps_the_port_the_token_and_the_objects() -> None:
    async with SecureServer(SecureServerOptions()) as served:
        request = (
            b"%s HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer " + served.token.encode() + b"\r\nConnection: close\r\n"
        )
        made = b'{"metadata": {"name": "kept"}}'
        line = b"POST /api/v1/namespaces/default/configmaps"
        typed = b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(made)
        first, _ = await exchange(served, request % line + typed + made)
        url = served.url
        await served.restart()
        second, body = await exchange(served, request % b"GET /api/v1/namespaces/default/configmaps/kept" + b"\r\n")
    assert first.startswith(b"HTTP/1.1 201 ")
    assert second.startswith(b"HTTP/1.1 200 ")
    assert json.loads(body)["metadata"]["name"] == "kept"
    assert served.url == url
