"""What the client's tests share: a scripted server, and a real HTTPS socket before it."""

from __future__ import annotations

import datetime
import ipaddress
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

sys.path.insert(0, str(Path(__file__).parent))  # `scripted`: importlib mode puts no test folder on the path

from ssl import CERT_OPTIONAL, Purpose, create_default_context

from zestor_controller.http import Handler, HttpRequest


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, as PEM text."""

    cert: str
    key: str

    def save(self, folder: Path, name: str) -> tuple[Path, Path]:
        cert, key = folder / f"{name}.crt", folder / f"{name}.key"
        cert.write_text(self.cert)
        key.write_text(self.key)
        return cert, key


class Authority:
    """A certificate authority of one test run."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test-ca")])
        cert = self._build(self._name, self._key, ca=True, days=10).sign(self._key, hashes.SHA256())
        self.pem = cert.public_bytes(serialization.Encoding.PEM).decode()

    def issue(self, name: str, *, days: float = 1.0) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        cert = self._build(subject, key, ca=False, days=days).sign(self._key, hashes.SHA256())
        return Pair(
            cert.public_bytes(serialization.Encoding.PEM).decode(),
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.TraditionalOpenSSL,
                serialization.NoEncryption(),
            ).decode(),
        )

    def _build(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, ca: bool, days: float
    ) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        names = [
            x509.DNSName("localhost"),
            x509.DNSName("kubernetes"),
            x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        ]
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=2))
            .not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
        )


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()


Serve = Callable[[Handler], AbstractAsyncContextManager[str]]


@pytest.fixture
def serve(authority: Authority, tmp_path: Path) -> Serve:
    """Serve a Handler over HTTPS on loopback; gives the URL."""

    @asynccontextmanager
    async def serving(handler: Handler) -> AsyncIterator[str]:
        async def answer(request: web.Request) -> web.StreamResponse:
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
        tls.load_cert_chain(*authority.issue("server").save(tmp_path, "server"))
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
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
