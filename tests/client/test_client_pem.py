"""PEM as Go reads it, and the verification of a server as Go does it, on every version of Python."""

from __future__ import annotations

import base64
import logging
import os
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from conftest_types import Authority, Serve
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from scripted import Script, config_map, ok

from zestor_controller.client import AiohttpTransport, Client, ClusterConfig, load_config
from zestor_controller.client.pem import certificates, from_base64, private_key
from zestor_controller.errors import ConfigError, TransportError

COMMENT = "# Größe: CN=Ünïcode\n"


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-16"])
def test_text_outside_the_blocks_is_ignored_in_any_encoding(authority: Authority, encoding: str) -> None:
    between = COMMENT.encode(encoding) + b"\n"
    data = between + authority.pem.encode() + between + authority.pem.encode() + between

    assert certificates(data, "x") == [authority.pem, authority.pem]


def test_a_block_is_found_whatever_its_line_breaks_and_width(authority: Authority) -> None:
    lines = authority.pem.splitlines()
    one_line = f"{lines[0]}\n{''.join(lines[1:-1])}\n{lines[-1]}"

    assert certificates(authority.pem.replace("\n", "\r\n"), "x") == [authority.pem]
    assert certificates(one_line, "x") == [authority.pem]


def test_other_and_malformed_blocks_are_skipped(authority: Authority) -> None:
    pair = authority.issue("me")
    malformed = "-----BEGIN CERTIFICATE-----\nno base64!\n-----END CERTIFICATE-----\n"
    parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    everything = malformed + parameters + pair.cert + pair.key

    assert certificates(everything, "x") == [pair.cert]
    assert private_key(everything, "x") == pair.key


@pytest.mark.parametrize("data", ["", "no PEM", "-----BEGIN CERTIFICATE-----\nAA==\n"])
def test_a_text_without_a_certificate_or_key_is_an_error_that_names_it(data: str) -> None:
    with pytest.raises(ConfigError, match=r"^the CA holds no certificate"):
        certificates(data, "the CA")
    with pytest.raises(ConfigError, match=r"^the key holds no private key"):
        private_key(data, "the key")


def test_base64_ignores_line_breaks_and_nothing_else() -> None:
    assert from_base64("YW\r\nJj\nZA==\n", "x") == b"abcd"
    for wrong in ("YWJj ZA==", "YWJjZA", "YWJj!ZA=="):
        with pytest.raises(ConfigError, match="x is not base64"):
            from_base64(wrong, "x")


@pytest.mark.parametrize("how", ["data", "file"])
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
async def test_a_ca_and_a_client_certificate_with_comments_reach_a_server(
    serve: Serve, authority: Authority, tmp_path: Path, how: str, encoding: str
) -> None:
    script, pair, other = Script(ok(config_map())), authority.issue("me"), Authority("another-ca")
    texts = {
        "certificate-authority": other.pem + COMMENT + authority.pem,
        "client-certificate": COMMENT + pair.cert,
        "client-key": COMMENT + pair.cert + pair.key,
    }
    fields = {}
    for name, text in texts.items():
        data = (COMMENT + text).encode(encoding)
        (tmp_path / name).write_bytes(data)
        fields[f"{name}-data" if how == "data" else name] = base64.b64encode(data).decode() if how == "data" else name
    async with serve(script) as url:
        ca = {key: value for key, value in fields.items() if "authority" in key}
        user = {key: value for key, value in fields.items() if "client" in key}
        (tmp_path / "k").write_text(
            yaml.safe_dump(
                {
                    "current-context": "c",
                    "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
                    "clusters": [{"name": "c", "cluster": {"server": url, **ca}}],
                    "users": [{"name": "u", "user": user}],
                }
            )
        )
        config = await load_config(tmp_path / "k")
        async with Client(AiohttpTransport(config)) as client:
            await client.get("v1/ConfigMap", "a")
            assert url in client.transport.server, "checkpoints name the server by its CA"

    certificate = script.last.peer["certificate"]
    assert certificate is not None
    assert (("commonName", "me"),) in certificate["subject"]


async def test_a_ca_without_key_usage_and_key_identifiers_is_accepted(serve: Serve, authority: Authority) -> None:
    """Go accepts it and many clusters have one; Python 3.13 refuses it by default."""
    extensions = x509.load_pem_x509_certificate(authority.pem.encode()).extensions
    with pytest.raises(x509.ExtensionNotFound):
        extensions.get_extension_for_class(x509.KeyUsage)
    config = ClusterConfig("https://x", ca_data=authority.pem)
    context = config.ssl_context()
    assert isinstance(context, ssl.SSLContext)
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname

    async with serve(Script(ok(config_map()))) as url, Client.connect(server=url, ca=authority.pem) as client:
        assert (await client.get("v1/ConfigMap", "a")).metadata.name == "a"


async def test_a_chain_may_end_at_a_trusted_certificate_that_is_no_root(
    serve: Serve, authority: Authority, tmp_path: Path
) -> None:
    """As in Go: the server's own certificate, or an intermediate one, may be all that is trusted."""
    async with serve(Script(ok(config_map()))) as url:
        served = (tmp_path / "server.crt").read_text()
        async with Client.connect(server=url, ca=served) as client:
            assert (await client.get("v1/ConfigMap", "a")).metadata.name == "a"


async def test_a_server_whose_certificate_names_another_host_is_refused(serve: Serve, authority: Authority) -> None:
    async with serve(Script(ok(config_map()))) as url:
        config = ClusterConfig(url, ca_data=authority.pem, server_name="elsewhere.example")
        async with Client(AiohttpTransport(config)) as client:
            with pytest.raises(TransportError, match="elsewhere"):
                await client.get("v1/ConfigMap", "a")


def test_certificates_of_a_ca_that_cannot_be_read_are_skipped_and_counted(
    authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"

    with caplog.at_level(logging.WARNING):
        assert ClusterConfig("https://c", ca_data=broken + authority.pem).ssl_context()

    assert "1 of 2 CA certificates of https://c cannot be read" in caplog.text
    with pytest.raises(ConfigError, match="none of the 1 certificates of the CA of https://c"):
        ClusterConfig("https://c", ca_data=broken).ssl_context()


def test_an_encrypted_client_key_is_an_error_and_prompts_for_nothing(authority: Authority) -> None:
    pair = authority.issue("me")
    key = serialization.load_pem_private_key(pair.key.encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    encrypted = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"secret")
    ).decode()

    with pytest.raises(ConfigError, match="the client key is encrypted"):
        ClusterConfig("https://c", ca_data=authority.pem, cert_data=(pair.cert, encrypted)).ssl_context()


def test_a_ca_file_that_is_replaced_by_nothing_keeps_the_old_one(
    authority: Authority, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "ca.crt"
    path.write_text(authority.pem)
    config = ClusterConfig("https://c", ca_file=str(path))
    first = config.ssl_context()

    path.write_text("")
    moved = datetime.now(UTC) + timedelta(seconds=5)
    os.utime(path, (moved.timestamp(), moved.timestamp()))

    assert config.ssl_context() is first
    assert "the old ones stay" in caplog.text
