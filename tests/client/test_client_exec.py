"""Exec plugins of a kubeconfig: what they are given, what becomes of their output, and how they end."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest_types import Authority

from zestor_controller.client import load_config
from zestor_controller.client.execplugin import exec_credential
from zestor_controller.errors import ConfigError

V1 = "client.authentication.k8s.io/v1"


def document(user: dict[str, Any], **cluster: Any) -> dict[str, Any]:
    return {
        "current-context": "main",
        "contexts": [{"name": "main", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:6443", **cluster}}],
        "users": [{"name": "u", "user": user}],
    }


def write(path: Path, body: Any) -> Path:
    path.write_text(yaml.safe_dump(body))
    return path


def plugin(folder: Path, body: str, api: str = "client.authentication.k8s.io/v1") -> dict[str, Any]:
    script = folder / "login"
    script.write_text(f"#!{sys.executable}\nimport json, sys\napi = {api!r}\n{body}\n")
    script.chmod(0o700)
    return {"exec": {"apiVersion": api, "command": "./login", "interactiveMode": "Never"}}


CREDENTIAL = 'print(json.dumps({"apiVersion": api, "kind": "ExecCredential", "status": %s}))'


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
async def test_an_exec_plugin_of_either_version_gives_a_token(tmp_path: Path, version: str) -> None:
    user = plugin(tmp_path, CREDENTIAL % '{"token": "from-plugin"}', f"client.authentication.k8s.io/{version}")

    config = await load_config(write(tmp_path / "k", document(user)))

    assert await config.headers() == [("Authorization", "Bearer from-plugin")]


async def test_an_exec_plugin_runs_again_when_its_token_is_refused_and_not_before(tmp_path: Path) -> None:
    count = (
        "from pathlib import Path; f = Path(__file__).with_name('runs'); n = len(f.read_text()) if f.exists() else 0\n"
        "f.write_text('x' * (n + 1))\n"
    )
    user = plugin(tmp_path, count + CREDENTIAL % '{"token": str(n), "expirationTimestamp": "2100-01-01T00:00:00Z"}')
    config = await load_config(write(tmp_path / "k", document(user)))

    before = [await config.headers() for _ in range(3)]
    refreshed = await asyncio.gather(*(config.refresh(before[0]) for _ in range(5)))
    refreshed.append(await config.refresh(before[0]))

    assert before == [[("Authorization", "Bearer 0")]] * 3
    assert refreshed == [True] * 6
    assert await config.headers() == [("Authorization", "Bearer 1")], "refusals of one credential cause one run"


async def test_an_exec_plugin_may_give_a_certificate(tmp_path: Path, authority: Authority) -> None:
    pair = authority.issue("me")
    status = f'{{"clientCertificateData": {pair.cert!r}, "clientKeyData": {pair.key!r}}}'

    config = await load_config(write(tmp_path / "k", document(plugin(tmp_path, CREDENTIAL % status))))

    assert config.source.certificate == (pair.cert, pair.key)
    assert await config.headers() == []
    assert config.ssl_context()


@pytest.mark.parametrize(
    "body",
    [
        "print('top-secret'); sys.exit(3)",
        "print('top-secret')",
        'print(json.dumps({"apiVersion": api, "kind": "ExecCredential", "status": {"note": "top-secret"}}))',
        'print(json.dumps({"apiVersion": "other/v1", "kind": "ExecCredential", "status": {"token": "top-secret"}}))',
    ],
)
async def test_an_exec_plugin_that_yields_nothing_is_an_error_and_never_anonymous(
    tmp_path: Path, body: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path / "k", document(plugin(tmp_path, body)))

    with caplog.at_level(logging.DEBUG), pytest.raises(ConfigError, match="login") as raised:
        await load_config(path)

    assert "by hand" in str(raised.value)
    assert "top-secret" not in str(raised.value) + caplog.text


async def test_an_exec_plugin_that_is_not_installed_says_how_to_get_it(tmp_path: Path) -> None:
    section = {"apiVersion": "client.authentication.k8s.io/v1", "command": "no-such-plugin", "installHint": "brew it"}

    with pytest.raises(ConfigError, match="'no-such-plugin' was not found: brew it"):
        await load_config(write(tmp_path / "k", document({"exec": section})))


RECORD = "import os\ninfo = json.loads(os.environ['KUBERNETES_EXEC_INFO'])\n"
REPEAT = 'print(json.dumps({"apiVersion": api, "kind": "ExecCredential", "status": {"token": json.dumps(%s)}}))'


async def recorded(path: Path) -> Any:
    """What a plugin that returns what it was given as its token was given."""
    [(_, header)] = await (await load_config(path)).headers()
    return json.loads(header.removeprefix("Bearer "))


async def test_a_plugin_with_cluster_info_is_given_all_of_the_cluster(tmp_path: Path, authority: Authority) -> None:
    user = plugin(tmp_path, RECORD + REPEAT % "info['spec']")
    user["exec"]["provideClusterInfo"] = True
    ca = base64.b64encode(authority.pem.encode()).decode()
    cluster = {
        "certificate-authority-data": ca,
        "tls-server-name": "kubernetes",
        "proxy-url": "http://proxy:3128",
        "disable-compression": True,
        "extensions": [
            {"name": "other", "extension": {"no": "no"}},
            {"name": "client.authentication.k8s.io/exec", "extension": {"audience": ["me"]}},
        ],
    }

    given = await recorded(write(tmp_path / "k", document(user, **cluster)))

    assert given == {
        "interactive": False,
        "cluster": {
            "server": "https://127.0.0.1:6443",
            "certificate-authority-data": ca,
            "tls-server-name": "kubernetes",
            "proxy-url": "http://proxy:3128",
            "disable-compression": True,
            "config": {"audience": ["me"]},
        },
    }


async def test_cluster_info_holds_the_ca_of_a_file_and_that_nothing_is_verified(
    tmp_path: Path, authority: Authority
) -> None:
    (tmp_path / "ca.crt").write_text(authority.pem)
    user = plugin(tmp_path, RECORD + REPEAT % "info['spec']['cluster']")
    user["exec"]["provideClusterInfo"] = True

    by_file = await recorded(write(tmp_path / "k", document(user, **{"certificate-authority": "ca.crt"})))
    insecure = await recorded(write(tmp_path / "k", document(user, **{"insecure-skip-tls-verify": True})))

    assert base64.b64decode(by_file["certificate-authority-data"]).decode() == authority.pem
    assert insecure == {"server": "https://127.0.0.1:6443", "insecure-skip-tls-verify": True}


async def test_a_plugin_that_does_not_ask_for_it_is_given_no_cluster(tmp_path: Path) -> None:
    user = plugin(tmp_path, RECORD + REPEAT % "info['spec']")

    assert await recorded(write(tmp_path / "k", document(user))) == {"interactive": False}


async def test_arguments_and_variables_reach_the_plugin_and_one_without_a_value_is_empty(tmp_path: Path) -> None:
    user = plugin(tmp_path, RECORD + REPEAT % "[sys.argv[1:], os.environ['ONE'], os.environ['NONE']]")
    user["exec"] |= {"args": ["get-token", "x y"], "env": [{"name": "ONE", "value": "1"}, {"name": "NONE"}]}

    assert await recorded(write(tmp_path / "k", document(user))) == [["get-token", "x y"], "1", ""]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"env": [{"value": "1"}]}, "each entry of env needs a name"),
        ({"env": [{"name": "PORT", "value": 1}]}, "value must be text; put it in quotes"),
        ({"args": "get-token"}, "args must be a list"),
        ({"interactiveMode": "Sometimes"}, "interactiveMode 'Sometimes' is not known; use Never, IfAvailable, Always"),
        ({"apiVersion": "client.authentication.k8s.io/v1alpha1"}, "v1alpha1' is not supported"),
        ({"command": ""}, "command is missing"),
        ({"provideClusterInfo": "yes"}, "provideClusterInfo must be true or false"),
        ({"command": "./absent", "installHint": "brew\x1b[31m it"}, r"was not found: brew\[31m it"),
    ],
)
async def test_a_section_that_cannot_be_obeyed_is_an_error(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    user = plugin(tmp_path, CREDENTIAL % '{"token": "t"}')
    user["exec"] |= change

    with pytest.raises(ConfigError, match=message) as raised:
        await load_config(write(tmp_path / "k", document(user)))

    assert "context 'main'" in str(raised.value)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ('{"clientCertificateData": "c"}', "a client certificate or a key, not both"),
        ('{"token": "t", "expirationTimestamp": "tomorrow"}', "no RFC 3339 time"),
        ('{"token": "t", "expirationTimestamp": "2100-01-01T00:00:00"}', "no RFC 3339 time"),
    ],
)
async def test_a_credential_that_is_half_or_whose_end_is_unreadable_is_an_error(
    tmp_path: Path, status: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        await load_config(write(tmp_path / "k", document(plugin(tmp_path, CREDENTIAL % status))))


async def test_a_token_and_a_certificate_of_one_plugin_are_both_used(tmp_path: Path, authority: Authority) -> None:
    pair = authority.issue("me")
    status = f'{{"token": "t\\n", "clientCertificateData": {pair.cert!r}, "clientKeyData": {pair.key!r}}}'

    config = await load_config(write(tmp_path / "k", document(plugin(tmp_path, CREDENTIAL % status))))

    assert await config.headers() == [("Authorization", "Bearer t")]
    assert config.source.certificate == (pair.cert, pair.key)


async def run_program(kubeconfig: Path) -> subprocess.CompletedProcess[str]:
    """A program of its own that loads a kubeconfig; its standard streams are pipes, its input is no terminal."""
    code = (
        "import asyncio, sys; from zestor_controller.client import load_config\n"
        "async def main(): print(await (await load_config(sys.argv[1])).headers())\n"
        "asyncio.run(main())"
    )
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", code, str(kubeconfig)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


async def test_what_a_plugin_writes_to_standard_error_reaches_the_user_however_long_it_is(tmp_path: Path) -> None:
    """Instructions to sign in; and no pipe fills up."""
    body = "print('to sign in open https://login.example', 'x' * 400_000, file=sys.stderr)\n"
    path = write(tmp_path / "k", document(plugin(tmp_path, body + CREDENTIAL % '{"token": "t"}')))

    done = await run_program(path)

    assert "Bearer t" in done.stdout
    assert "to sign in open https://login.example" in done.stderr
    assert len(done.stderr) > 400_000


async def test_a_plugin_may_print_a_long_credential(tmp_path: Path) -> None:
    user = plugin(tmp_path, CREDENTIAL % '{"token": "t", "note": "x" * 400_000}')

    config = await load_config(write(tmp_path / "k", document(user)))

    assert await config.headers() == [("Authorization", "Bearer t")]


async def test_a_plugin_that_needs_a_terminal_is_not_run_without_one(tmp_path: Path) -> None:
    user = plugin(tmp_path, CREDENTIAL % '{"token": "t"}')
    user["exec"]["interactiveMode"] = "Always"

    done = await run_program(write(tmp_path / "k", document(user)))

    assert "needs a terminal (interactiveMode: Always)" in done.stderr


async def test_a_plugin_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    section = {"apiVersion": V1, "command": "sleep", "args": ["600"], "interactiveMode": "Never"}

    with pytest.raises(ConfigError, match=r"'sleep' did not return within 0\.2 s and was ended"):
        await exec_credential(section, tmp_path, {}, "x", timeout=0.2)


async def test_a_plugin_that_is_given_up_is_ended_with_the_processes_it_started(tmp_path: Path) -> None:
    script, held = tmp_path / "login", tmp_path / "held"
    os.mkfifo(held)
    script.write_text(f"#!/bin/sh\nexec 3> {held}\nsleep 600 &\necho started >&3\nwait\n")
    script.chmod(0o700)
    section = {"apiVersion": V1, "command": str(script), "interactiveMode": "Never"}
    running = asyncio.create_task(exec_credential(section, tmp_path, {}, "x"))

    with await asyncio.to_thread(held.open) as reader:
        assert await asyncio.to_thread(reader.readline) == "started\n"
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        # Both hold the pipe open, so it ends when both of them have.
        assert await asyncio.to_thread(reader.read) == ""
