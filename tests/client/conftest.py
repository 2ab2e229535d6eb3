"""What the client's tests share: a certificate authority, and a real HTTPS socket before a Handler."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from ssl import CERT_OPTIONAL, VERIFY_X509_STRICT, Purpose, create_default_context

import pytest
from aiohttp import web

from zestor_controller.http import Handler, HttpRequest

sys.path.insert(0, str(Path(__file__).parent))  # importlib mode puts no folder of tests on the path

from conftest_types import Authority, Serve  # needs the line above


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def serve(authority: Authority, tmp_path: Path) -> Serve:
    """Serve a Handler over HTTPS on loopback; gives the URL."""

    @asynccontextmanager
    async def serving(handler: Handler) -> AsyncIterator[str]:
        async def respond(request: web.Request) -> web.StreamResponse:
            given = HttpRequest(
                request.method,
                request.path,
                list(request.query.items()),
                {name.lower(): value for name, value in request.headers.items()},
                await request.read(),
                {"certificate": request.transport.get_extra_info("peercert") if request.transport else None},
            )
            made = await handler.handle(given)
            if isinstance(made.body, bytes):
                return web.Response(status=made.status, headers=made.headers, body=made.body)
            response = web.StreamResponse(status=made.status, headers=made.headers)
            await response.prepare(request)
            async for chunk in made.body:
                await response.write(chunk)
            return response

        tls = create_default_context(Purpose.CLIENT_AUTH, cadata=authority.pem)
        tls.verify_mode = CERT_OPTIONAL
        tls.verify_flags &= ~VERIFY_X509_STRICT  # a server in Go does not ask client certificates for key identifiers
        tls.load_cert_chain(*authority.issue("server").save(tmp_path, "server"))
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", respond)
        runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        try:
            port = runner.addresses[0][1]
            yield f"https://127.0.0.1:{port}"
        finally:
            await runner.cleanup()

    return serving
