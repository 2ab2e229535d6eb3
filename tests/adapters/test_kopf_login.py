"""What the mirror makes of the results of kopf's login handlers."""

from __future__ import annotations

import base64
import logging
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import kopf
import pytest

from zestor_controller.adapters.kopflogin import KopfLogin
from zestor_controller.certificates import Certificates, make_certificates
from zestor_controller.client import AiohttpTransport, ClusterConfig
from zestor_controller.errors import ConfigError

COMMENT = "# Größe\n".encode("latin-1")
SERVER = "https://api.example:6443"


@pytest.fixture(scope="module")
def made() -> Certificates:
    return make_certificates(["api.example"])


async def config_of(*results: Any, **fields: Any) -> ClusterConfig:
    """The configuration that the mirror makes when the login handlers return these, or a ConnectionInfo of these."""
    registry = kopf.OperatorRegistry()
    for number, result in enumerate(results or (kopf.ConnectionInfo(server=SERVER, **fields),)):
        kopf.on.login(registry=registry, id=f"login-{number}")(lambda _result=result, **_: _result)
    login = KopfLogin(registry, memo=kopf.Memo(), settings=kopf.OperatorSettings(), logger=logging.getLogger("login"))
    return await login.config()


@pytest.mark.parametrize(
    ("fields", "header"),
    [
        ({"token": "t"}, "Bearer t"),
        ({"token": "t\n"}, "Bearer t"),
        ({"token": "t", "scheme": "Digest"}, "Digest t"),
        ({"scheme": "Negotiate"}, "Negotiate"),
        ({"username": "me", "password": "pä:ss"}, f"Basic {base64.b64encode('me:pä:ss'.encode()).decode()}"),
        ({"username": "me", "password": "p", "token": "t"}, f"Basic {base64.b64encode(b'me:p').decode()}"),
        ({"username": "me", "token": "t"}, "Bearer t"),
        ({"username": "me"}, ""),
        ({}, ""),
    ],
)
async def test_the_header_is_the_one_that_kopf_sends(fields: dict[str, str], header: str) -> None:
    config = await config_of(**fields)

    assert dict(await config.headers()).get("Authorization", "") == header
    if "password" not in fields:  # kopf 1.44 sends it in another way
        expected = kopf.ConnectionInfo(server=SERVER, **fields).as_http_headers()  # type: ignore[arg-type]
        assert header == expected.get("Authorization", "").strip()


def shapes(data: bytes, path: Path, name: str) -> list[dict[str, Any]]:
    """Each documented way to give PEM: text, bytes, base64 as text and as bytes, and paths."""
    path.write_bytes(COMMENT + data)
    encoded = base64.encodebytes(COMMENT + data)
    return [
        {f"{name}_data": data.decode()},
        {f"{name}_data": COMMENT + data},
        {f"{name}_data": encoded},
        {f"{name}_data": encoded.decode()},
        {f"{name}_path": str(path)},
        {f"{name}_path": path},
        {f"{name}_path": os.fsencode(path)},
    ]


async def test_certificates_are_read_in_each_form_that_kopf_documents(made: Certificates, tmp_path: Path) -> None:
    authorities = shapes(made.ca.encode(), tmp_path / "ca", "ca")
    certificates = shapes(made.certificate.encode(), tmp_path / "cert", "certificate")
    keys = shapes(made.key.encode(), tmp_path / "key", "private_key")
    for ca, certificate, key in zip(authorities, certificates, keys, strict=True):
        config = await config_of(**ca, **certificate, **key)

        assert config.authority() == [made.ca]
        assert config.source.certificate == (made.certificate, made.key)
        assert config.ssl_context()


async def test_an_insecure_login_verifies_nothing_even_with_a_ca(made: Certificates) -> None:
    config = await config_of(insecure=True, ca_data=made.ca)

    assert not config.verify
    assert config.ssl_context()


@pytest.mark.parametrize("trusted", [True, False])
async def test_the_proxy_of_the_environment_is_used_if_the_login_trusts_it(
    trusted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "quic://proxy")
    config = await config_of(trust_env=trusted)

    assert config.trust_env is trusted
    if trusted:
        with pytest.raises(ConfigError, match="HTTPS_PROXY"):
            AiohttpTransport(config)
    else:
        AiohttpTransport(config)


async def test_the_login_says_namespace_proxy_and_end(made: Certificates) -> None:
    end = datetime.now(UTC) + timedelta(hours=1)
    config = await config_of(default_namespace="apps", proxy_url="http://proxy:3128", expiration=end, token="t")

    assert (config.server, config.namespace, config.proxy) == (SERVER, "apps", "http://proxy:3128")


async def test_the_highest_priority_wins_and_nothing_is_no_login() -> None:
    low, high = (kopf.ConnectionInfo(server=f"https://{name}", priority=n) for n, name in enumerate(("low", "high")))

    assert (await config_of(high, None, low)).server == "https://high"
    with pytest.raises(ConfigError, match="no login handler of this kopf registry names a cluster"):
        await config_of(None)


async def test_a_session_of_kopfs_own_loop_is_refused_with_the_way_out() -> None:
    async with aiohttp.ClientSession() as session:
        custom = kopf.AiohttpSession(server=SERVER, aiohttp_session=session, priority=9)

        with pytest.raises(ConfigError, match=r"AiohttpSession.* return a kopf\.ConnectionInfo as well"):
            await config_of(custom)
        assert (await config_of(custom, kopf.ConnectionInfo(server="https://other"))).server == "https://other"


async def test_data_that_is_no_pem_is_an_error_that_names_the_field() -> None:
    with pytest.raises(ConfigError, match="ca_data of the kopf login is not base64"):
        await config_of(ca_data="no PEM at all")
    with pytest.raises(ConfigError, match="ca_data of the kopf login holds no certificate"):
        await config_of(ca_data=base64.b64encode(b"x"))
