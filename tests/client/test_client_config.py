"""Kubeconfig files, a pod's account, and credentials that rotate."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest_types import Authority

from zestor_controller.client import load_config
from zestor_controller.client.config import in_cluster_config
from zestor_controller.client.credentials import Credential, Renewed, TokenFile
from zestor_controller.errors import ConfigError


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def document(user: dict[str, Any] | None = None, **cluster: Any) -> dict[str, Any]:
    return {
        "current-context": "main",
        "contexts": [{"name": "main", "context": {"cluster": "c", "user": "u", "namespace": "apps"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:6443", **cluster}}],
        "users": [{"name": "u", "user": {"token": "t"} if user is None else user}],
    }


def write(path: Path, body: Any) -> Path:
    path.write_text(body if isinstance(body, str) else yaml.safe_dump(body))
    return path


def jwt(expires: float) -> str:
    parts = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({}, {"exp": expires})
    ]
    return ".".join([*parts, "signature"])


async def test_a_kubeconfig_gives_server_namespace_and_credential(tmp_path: Path, authority: Authority) -> None:
    body = document(**{"certificate-authority-data": b64(authority.pem), "tls-server-name": "kubernetes"})

    config = await load_config(write(tmp_path / "k", body))

    assert (config.server, config.namespace, config.server_name) == ("https://127.0.0.1:6443", "apps", "kubernetes")
    assert await config.headers() == [("Authorization", "Bearer t")]
    assert config.ssl_context()
    assert "Bearer" not in repr(config)


async def test_a_plain_kubeconfig_loads_nothing_of_the_kubernetes_package(tmp_path: Path) -> None:
    code = (
        "import asyncio, sys; from zestor_controller.client import load_config; "
        "asyncio.run(load_config(sys.argv[1])); print('kubernetes' in sys.modules)"
    )
    path = write(tmp_path / "k", document())

    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)  # noqa: ASYNC221

    assert done.stdout.strip() == "False"


async def test_relative_paths_start_from_the_kubeconfig_that_holds_them(tmp_path: Path, authority: Authority) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "ca.crt").write_text(authority.pem)
    authority.issue("me").save(tmp_path / "deep", "me")
    user = {"client-certificate": "me.crt", "client-key": "me.key"}
    path = write(tmp_path / "deep" / "k", document(user, **{"certificate-authority": "ca.crt"}))

    config = await load_config(path)

    assert config.ca_file == str(tmp_path / "deep" / "ca.crt")
    assert config.ssl_context()


async def test_several_files_are_merged_and_the_first_one_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = document(), document({"token": "second"}, server="https://second")
    two["current-context"] = "other"
    two["contexts"].append({"name": "other", "context": {"cluster": "extra", "user": "u"}})
    two["clusters"].append({"name": "extra", "cluster": {"server": "https://extra"}})
    paths = [write(tmp_path / "one", one), tmp_path / "absent", write(tmp_path / "two", two)]
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join(str(path) for path in paths))

    assert (await load_config()).server == "https://127.0.0.1:6443"
    other = await load_config(context="other")
    assert other.server == "https://extra"
    assert await other.headers() == [("Authorization", "Bearer t")]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("a: [1\nb: ]", r"k:\d+: not valid YAML"),
        ("just text", "a mapping with clusters"),
        ({"clusters": {}}, "no current-context"),
        ({**document(), "contexts": "x"}, "contexts must be a list"),
        ({**document(), "current-context": "gone"}, "no context 'gone'; there are: main"),
        ({**document(), "clusters": []}, "names the cluster 'c', which is missing"),
        ({**document(), "users": []}, "names the user 'u', which is missing"),
        ({**document(), "users": [{"name": "u", "user": "text"}]}, "each entry of users"),
        (document(server=""), "has no server"),
        (document({"client-certificate": "none.crt", "client-key": "none.key"}), r"none\.crt does not exist"),
        (document({"client-certificate-data": "!!", "client-key-data": "!!"}), "not base64"),
        (document({"client-certificate-data": b64("x"), "client-key-data": b64("x")}), "holds no certificate"),
        (document({"client-certificate-data": b64("x")}), "without client-key"),
        (document({"username": "me"}), "yields none"),
        (document({"token": 12345}), "token must be text; put it in quotes"),
        (document({"token": "a\nb"}), "line break"),
        (document({"token": "t", "username": "me", "password": "p"}), "a token and a username"),
        (
            document({"exec": {"command": "x"}, "auth-provider": {"name": "oidc"}}),
            "an exec plugin and an auth-provider",
        ),
        (document({"token": "t", "as-groups": ["a"]}), "need as, the user to impersonate"),
        (document({"token": "t", "as": "me", "as-groups": "a"}), "as-groups must be a list"),
        (document(**{"insecure-skip-tls-verify": "false"}), "insecure-skip-tls-verify must be true or false"),
        (document(**{"disable-compression": "no"}), "disable-compression must be true or false"),
        (document(**{"certificate-authority-data": b64("no PEM")}), "certificate-authority-data holds no certificate"),
        (document(**{"proxy-url": "ftp://proxy:21"}), "proxy-url: proxies of the scheme 'ftp' are not supported"),
        (document(**{"proxy-url": "http://"}), "proxy-url: not the URL of a proxy"),
        (document(server="https://host:port"), "is no URL; write it as https://host:port"),
        (document({"token": jwt(1_000_000_000)}), "the token expired on 2001-09-09"),
    ],
)
async def test_a_kubeconfig_that_cannot_be_used_is_reported_with_its_file(
    tmp_path: Path, body: Any, message: str
) -> None:
    path = write(tmp_path / "k", body)

    with pytest.raises(ConfigError, match=message) as raised:
        await load_config(path)

    assert str(path) in str(raised.value)


async def test_a_certificate_authority_and_no_verification_exclude_each_other(
    tmp_path: Path, authority: Authority
) -> None:
    """As for kubectl: one of the two would be ignored."""
    body = document(**{"certificate-authority-data": b64(authority.pem), "insecure-skip-tls-verify": True})

    with pytest.raises(ConfigError, match="exclude each other"):
        await load_config(write(tmp_path / "k", body))


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
async def test_base64_may_be_wrapped_over_lines_and_end_with_one(
    tmp_path: Path, authority: Authority, newline: str
) -> None:
    pair = authority.issue("me")

    def wrapped(text: str) -> str:
        plain = b64(text)
        return newline.join(plain[at : at + 64] for at in range(0, len(plain), 64)) + newline

    user = {"client-certificate-data": wrapped(pair.cert), "client-key-data": wrapped(pair.key)}
    body = document(user, **{"certificate-authority-data": wrapped(authority.pem)})

    config = await load_config(write(tmp_path / "k", json.dumps(body)))

    assert config.authority() == [authority.pem]
    assert config.cert_data == (pair.cert, pair.key)
    assert config.ssl_context()


async def test_a_token_is_used_without_the_line_break_of_its_text_block(tmp_path: Path) -> None:
    config = await load_config(write(tmp_path / "k", document({"token": "t\n"})))

    assert await config.headers() == [("Authorization", "Bearer t")]


async def test_an_exec_plugin_is_passed_over_for_another_credential_and_that_is_logged(
    tmp_path: Path, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    """As in client-go, where a token or a client certificate makes the plugin unnecessary."""
    pair = authority.issue("me")
    section = {"apiVersion": "client.authentication.k8s.io/v1", "command": "no-such-plugin"}
    user = {"exec": section, "client-certificate-data": b64(pair.cert), "client-key-data": b64(pair.key)}

    config = await load_config(write(tmp_path / "k", document(user)))

    assert config.cert_data == (pair.cert, pair.key)
    assert "the exec plugin is not run" in caplog.text


async def test_an_expired_client_certificate_is_reported_before_a_request(tmp_path: Path, authority: Authority) -> None:
    pair = authority.issue("me", days=-1)
    user = {"client-certificate-data": b64(pair.cert), "client-key-data": b64(pair.key)}

    with pytest.raises(ConfigError, match=r"client certificate expired on .* log in again"):
        await load_config(write(tmp_path / "k", document(user)))


async def test_a_missing_file_and_no_configuration_at_all_say_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match="does not exist; check --kubeconfig"):
        await load_config(tmp_path / "absent")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(ConfigError, match="pass --kubeconfig FILE"):
        await load_config()


async def test_a_broken_line_of_a_kubeconfig_is_not_quoted(tmp_path: Path) -> None:
    """It may be the token."""
    path = write(tmp_path / "k", "users:\n- user:\n    token: 'top-secret\n  x: [")

    with pytest.raises(ConfigError) as raised:
        await load_config(path)

    assert "top-secret" not in str(raised.value)
    assert raised.value.__cause__ is None


async def test_impersonation_sends_every_group_and_attribute(tmp_path: Path) -> None:
    user = {"token": "t", "as": "jane", "as-groups": ["a", "b"], "as-uid": "7", "as-user-extra": {"x/y": ["1", "2"]}}

    config = await load_config(write(tmp_path / "k", document(user)))

    assert config.extra == [
        ("Impersonate-User", "jane"),
        ("Impersonate-Uid", "7"),
        ("Impersonate-Group", "a"),
        ("Impersonate-Group", "b"),
        ("Impersonate-Extra-x%2Fy", "1"),
        ("Impersonate-Extra-x%2Fy", "2"),
    ]


async def test_a_token_that_was_written_anew_into_the_kubeconfig_is_used_after_a_refusal(tmp_path: Path) -> None:
    path = write(tmp_path / "k", document())
    config = await load_config(path)
    refused = await config.headers()

    assert not await config.refresh(refused), "nothing new to try with"
    write(path, document({"token": "new"}))
    assert await config.refresh(refused)
    assert await config.headers() == [("Authorization", "Bearer new")]


async def test_an_oidc_login_gives_its_token(tmp_path: Path) -> None:
    token = jwt(time.time() + 3600)
    user = {"auth-provider": {"name": "oidc", "config": {"id-token": token, "client-id": "x"}}}

    config = await load_config(write(tmp_path / "k", document(user)))

    assert await config.headers() == [("Authorization", f"Bearer {token}")]


async def test_an_oidc_token_whose_claims_need_the_url_alphabet_is_read(tmp_path: Path) -> None:
    claims = {"exp": time.time() + 3600, "name": "ÿþ?>~~"}
    body = base64.urlsafe_b64encode(json.dumps(claims, ensure_ascii=False).encode()).decode().rstrip("=")
    assert set("-_") & set(body)
    user = {"auth-provider": {"name": "oidc", "config": {"id-token": f"e30.{body}.sig", "client-id": "x"}}}

    config = await load_config(write(tmp_path / "k", document(user)))

    assert await config.headers() == [("Authorization", f"Bearer e30.{body}.sig")]


async def test_an_oidc_token_that_has_expired_and_cannot_be_renewed_is_an_error(tmp_path: Path) -> None:
    config = {"id-token": jwt(time.time() - 1), "client-id": "x"}

    with pytest.raises(ConfigError, match="log in again"):
        await load_config(write(tmp_path / "k", document({"auth-provider": {"name": "oidc", "config": config}})))


async def test_an_oidc_login_without_a_token_is_an_error(tmp_path: Path) -> None:
    user = {"auth-provider": {"name": "oidc", "config": {"client-id": "x"}}}

    with pytest.raises(ConfigError, match="log in again"):
        await load_config(write(tmp_path / "k", document(user)))


class Clock:
    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def obtaining(*results: Credential | ConfigError) -> Any:
    left = list(results)

    async def obtain(refused: bool) -> Credential:
        result = left.pop(0)
        if isinstance(result, ConfigError):
            raise result
        return result

    return obtain


async def test_a_credential_is_renewed_a_minute_before_it_ends() -> None:
    clock, wall = Clock(), Clock(1000.0)
    source = Renewed(obtaining(Credential("b")), Credential("a", None, 1600.0), clock=clock, wall=wall)

    clock.now, wall.now = 539.0, 1539.0
    assert (await source.headers())["Authorization"] == "a"
    clock.now, wall.now = 541.0, 1541.0
    assert (await source.headers())["Authorization"] == "b"
    assert source.refreshes == {"success": 1, "failure": 0}


@pytest.mark.parametrize(("clock_now", "wall_now"), [(541.0, 1.0), (1.0, 1541.0)])
async def test_either_clock_ends_a_credential(clock_now: float, wall_now: float) -> None:
    """A wall clock that was set back, or a monotonic one that stopped while the machine slept."""
    clock, wall = Clock(), Clock(1000.0)
    source = Renewed(obtaining(Credential("b")), Credential("a", None, 1600.0), clock=clock, wall=wall)

    clock.now, wall.now = clock_now, wall_now

    assert (await source.headers())["Authorization"] == "b"


async def test_a_credential_that_lives_shortly_is_not_renewed_at_each_request() -> None:
    clock, wall = Clock(), Clock(1000.0)
    source = Renewed(obtaining(Credential("b", None, 1100.0)), Credential("a", None, 1010.0), clock=clock, wall=wall)

    clock.now, wall.now = 7.0, 1007.0
    assert (await source.headers())["Authorization"] == "a"
    clock.now, wall.now = 9.0, 1009.0
    assert (await source.headers())["Authorization"] == "b"


async def test_a_renewal_that_fails_keeps_the_old_credential_and_waits(caplog: pytest.LogCaptureFixture) -> None:
    clock, wall = Clock(), Clock(1000.0)
    results = obtaining(ConfigError("down"), ConfigError("down"), Credential("b"))
    source = Renewed(results, Credential("a", None, 1600.0), clock=clock, wall=wall)
    clock.now, wall.now = 550.0, 1550.0

    for _ in range(3):
        assert (await source.headers())["Authorization"] == "a"
    assert source.refreshes == {"success": 0, "failure": 1}, "not asked again at each request"
    clock.now += 10
    assert (await source.headers())["Authorization"] == "a"
    clock.now += 10
    assert (await source.headers())["Authorization"] == "b"
    assert "kept until refused" in caplog.text


async def test_a_source_that_hands_out_the_same_again_is_not_asked_at_each_request() -> None:
    clock, wall = Clock(), Clock(1000.0)
    same = Credential("a", None, 1600.0)
    source = Renewed(obtaining(same, same), same, clock=clock, wall=wall)
    clock.now, wall.now = 600.0, 1600.0

    for _ in range(5):
        await source.headers()
    assert source.refreshes["success"] == 1
    clock.now += 10
    await source.headers()
    assert source.refreshes["success"] == 2


def account(folder: Path, authority: Authority) -> Path:
    (folder / "token").write_text("one\n")
    (folder / "ca.crt").write_text(authority.pem)
    (folder / "namespace").write_text("apps\n")
    return folder


async def test_a_pod_uses_its_account(tmp_path: Path, authority: Authority) -> None:
    environ = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}

    config = in_cluster_config(environ, account(tmp_path, authority))

    assert (config.server, config.namespace) == ("https://[fd00::1]:443", "apps")
    assert await config.headers() == [("Authorization", "Bearer one")]
    assert config.ssl_context()


async def test_a_pod_without_an_account_is_an_error_that_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="automountServiceAccountToken"):
        in_cluster_config({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, tmp_path)


async def test_a_token_file_is_read_again_every_minute(tmp_path: Path) -> None:
    clock, path = Clock(), tmp_path / "token"
    path.write_text("one")
    source = TokenFile(path, clock=clock)
    assert await source.headers() == {"Authorization": "Bearer one"}

    path.write_text("two")
    clock.now = 59
    assert await source.headers() == {"Authorization": "Bearer one"}
    clock.now = 60
    assert await source.headers() == {"Authorization": "Bearer two"}


async def test_a_token_file_that_goes_keeps_its_last_token_and_an_absent_one_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("one")
    source = TokenFile(path)
    await source.headers()
    path.unlink()

    assert not await source.refresh()
    assert await source.headers() == {"Authorization": "Bearer one"}
    with pytest.raises(ConfigError, match="token file"):
        await TokenFile(path).headers()
    path.write_text("  \n")
    with pytest.raises(ConfigError, match="is empty"):
        await TokenFile(path).headers()


async def test_a_rotated_ca_makes_a_new_context_and_an_unchanged_one_does_not(
    tmp_path: Path, authority: Authority
) -> None:
    config = in_cluster_config({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, account(tmp_path, authority))
    first = config.ssl_context()
    assert config.ssl_context() is first, "connections are shared by their context"

    (tmp_path / "ca.crt").write_text(Authority().pem)
    os.utime(tmp_path / "ca.crt", (1, 1))

    assert config.ssl_context() is not first
