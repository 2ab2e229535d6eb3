"""Exec credential plugins of a kubeconfig, run as client-go runs them.

Invariant: a plugin runs only because the user chose the kubeconfig that names it. Its standard error is the program's
own, so that log-in instructions reach the user; its standard output, which holds the credential, is in no message.
A plugin that is given up, by time-out or cancellation, is ended with the processes that it started.

Source: client-go plugin/pkg/client/auth/exec; client.authentication.k8s.io/v1 ExecCredential.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from zestor_controller.client.credentials import Credential
from zestor_controller.client.kubeconfig import Entry
from zestor_controller.client.plugins import expiry_of_certificate
from zestor_controller.errors import ConfigError

__all__ = ["cluster_info", "exec_credential"]

TIMEOUT_S: Final = 60.0  # a plugin may open a browser, but it may not block a cluster's clients indefinitely
VERSIONS: Final = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
EXTENSION: Final = "client.authentication.k8s.io/exec"
MODES: Final = ("Never", "IfAvailable", "Always")
STDIN: Final = 0


def cluster_info(cluster: Entry, server: str, where: str) -> dict[str, Any]:
    """What a plugin with ``provideClusterInfo`` is given as ``spec.cluster``.

    Args:
        cluster: the cluster entry.
        server: the server's URL.
        where: names the context in messages.

    Raises:
        ConfigError: the CA cannot be read.
    """
    info: dict[str, Any] = {"server": server}
    if name := cluster.text("tls-server-name", where):
        info["tls-server-name"] = name
    for flag in ("insecure-skip-tls-verify", "disable-compression"):
        if cluster.flag(flag, where):
            info[flag] = True
    ca = cluster.data("certificate-authority-data", where)
    if ca is None and (path := cluster.file("certificate-authority", where)):
        ca = Path(path).read_bytes()
    if ca:
        info["certificate-authority-data"] = base64.b64encode(ca).decode()
    if proxy := cluster.text("proxy-url", where):
        info["proxy-url"] = proxy
    for extension in cluster.body.get("extensions") or []:
        if isinstance(extension, Mapping) and extension.get("name") == EXTENSION:
            info["config"] = extension.get("extension")
    return info


async def exec_credential(
    spec: Mapping[str, Any], folder: Path, cluster: Mapping[str, Any], where: str, *, timeout: float = TIMEOUT_S
) -> Credential:
    """Run an exec plugin.

    Args:
        spec: the ``exec`` section of a user entry; API versions v1 and v1beta1.
        folder: the kubeconfig's folder; a relative command is resolved against it.
        cluster: what a plugin with ``provideClusterInfo`` is given.
        where: names the context in messages.
        timeout: seconds until the plugin is ended.

    Raises:
        ConfigError: it is not installed, fails, takes too long, or returns no credential.
    """
    section = Entry(dict(spec), folder)
    where = f"{where}: exec"
    version, command = section.text("apiVersion", where), section.text("command", where)
    if not command:
        raise ConfigError(f"{where}: command is missing")
    if version not in VERSIONS:
        raise ConfigError(f"{where}: apiVersion {version!r} is not supported; use {' or '.join(VERSIONS)}")
    where = f"{where} plugin {command!r}"
    interactive = _interactive(section.text("interactiveMode", where) or "IfAvailable", where)
    info: dict[str, Any] = {"interactive": interactive}
    if section.flag("provideClusterInfo", where):
        info["cluster"] = dict(cluster)
    document = {"apiVersion": version, "kind": "ExecCredential", "spec": info}
    environment = {**os.environ, **_variables(section, where), "KUBERNETES_EXEC_INFO": json.dumps(document)}
    arguments = [command, *section.texts("args", where)]
    program = _program(command, folder, section.text("installHint", where), where)
    try:
        code, output = await _run(program, arguments, environment, interactive, timeout)
    except TimeoutError:
        raise ConfigError(f"{where} did not return within {timeout:g} s and was ended; run it by hand") from None
    except OSError as error:
        raise ConfigError(f"{where} cannot be run: {error.strerror or error}") from error
    if code != 0:
        raise ConfigError(f"{where} failed with exit code {code}; its message is on standard error, or run it by hand")
    return _credential(_status(output, version, where), where)


def _interactive(mode: str, where: str) -> bool:
    """Whether the plugin is given this process's standard input."""
    if mode not in MODES:
        raise ConfigError(f"{where}: interactiveMode {mode!r} is not known; use {', '.join(MODES)}")
    try:
        terminal = os.isatty(STDIN)
    except OSError:
        terminal = False
    if mode == "Always" and not terminal:
        raise ConfigError(f"{where} needs a terminal (interactiveMode: Always), and standard input is none")
    return terminal and mode != "Never"


def _variables(section: Entry, where: str) -> dict[str, str]:
    variables: dict[str, str] = {}
    for item in section.body.get("env") or []:
        variable = Entry(item, section.folder) if isinstance(item, dict) else None
        if variable is None or not (name := variable.text("name", where)):
            raise ConfigError(f"{where}: each entry of env needs a name")
        variables[name] = variable.text("value", where) or ""
    return variables


def _program(command: str, folder: Path, hint: str | None, where: str) -> str:
    """The path of a command, from this process's PATH; a relative path starts from the kubeconfig's folder."""
    found = str(folder / command) if os.sep in command else shutil.which(command)
    if found is None or not os.path.exists(found):
        # Without control characters: a hint must not rewrite what the terminal shows.
        advice = "".join(c for c in hint or "" if c.isprintable() or c == "\n").strip()
        raise ConfigError(f"{where} was not found: {advice or 'install it, or log in another way'}")
    return found


async def _run(
    program: str, arguments: list[str], environment: Mapping[str, str], interactive: bool, timeout: float
) -> tuple[int, bytes]:
    """Exit code and standard output of a plugin."""
    loop = asyncio.get_running_loop()
    # A plugin on the terminal stays in the foreground process group, where it may read; any other leads a new one.
    process = subprocess.Popen(  # noqa: ASYNC220  # returns once the program has been loaded
        arguments,
        executable=program,
        env=environment,
        stdin=None if interactive else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=not interactive,
    )
    done: asyncio.Future[bytes] = loop.create_future()

    def finish(output: bytes) -> None:
        if not done.done():
            done.set_result(output)

    def read() -> None:
        output, _ = process.communicate()
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(finish, output)

    # A daemon: a grandchild that keeps the pipe open must not block the interpreter's exit.
    threading.Thread(target=read, name="exec-plugin", daemon=True).start()
    try:
        async with asyncio.timeout(timeout):
            output = await done
    except BaseException:
        with suppress(ProcessLookupError, PermissionError):
            process.kill() if interactive else os.killpg(process.pid, signal.SIGKILL)
        raise
    return process.returncode, output


def _status(output: bytes, version: str, where: str) -> dict[str, Any]:
    """The status of the ExecCredential that a plugin printed; no message quotes it, for it may hold a secret."""
    try:
        printed = json.loads(output)
    except ValueError:
        raise ConfigError(f"{where} printed no JSON; run it by hand to see what it prints") from None
    if not isinstance(printed, dict) or printed.get("kind") != "ExecCredential":
        raise ConfigError(f"{where} printed no ExecCredential; run it by hand to see what it prints")
    if printed.get("apiVersion") != version:
        raise ConfigError(f"{where} printed another apiVersion than {version}; run it by hand")
    status = printed.get("status")
    if not isinstance(status, dict):
        raise ConfigError(f"{where} printed no status; run it by hand")
    return status


def _credential(status: Mapping[str, Any], where: str) -> Credential:
    """A token, a certificate with its key, or both."""
    token, certificate, key = (
        str(status.get(name) or "") for name in ("token", "clientCertificateData", "clientKeyData")
    )
    token = token.strip()
    if bool(certificate) != bool(key):
        raise ConfigError(f"{where} printed a client certificate or a key, not both; run it by hand")
    if not token and not certificate:
        raise ConfigError(f"{where} printed neither a token nor a certificate with its key; run it by hand")
    expires = _expiry(status.get("expirationTimestamp"), where)
    if expires is None and certificate:
        expires = expiry_of_certificate(certificate.encode())
    return Credential(f"Bearer {token}" if token else "", (certificate, key) if certificate else None, expires)


def _expiry(text: object, where: str) -> float | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ConfigError(f"{where} printed an expirationTimestamp that is no RFC 3339 time; run it by hand")
    return moment.timestamp()
