"""Finding a cluster: an address, kubeconfig files, or a pod's own account.

Invariant: an error about a file names the file, the entry and the next step. A user entry that names credentials and
yields none is an error, never an anonymous connection; a field that is read is obeyed, or an error.

Source: client-go tools/clientcmd (validation), plugin/pkg/client/auth/exec (precedence of the other credentials).
"""

from __future__ import annotations

import asyncio
import base64
import logging
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from time import time
from typing import Any, Final
from urllib.parse import quote, urlsplit

from zestor_controller.client.credentials import (
    ClusterConfig,
    Credential,
    HeaderSource,
    Renewed,
    StaticHeader,
    TokenFile,
)
from zestor_controller.client.execplugin import cluster_info, exec_credential
from zestor_controller.client.kubeconfig import Chosen, Entry, choose, existing, read_documents
from zestor_controller.client.pem import certificates, private_key
from zestor_controller.client.plugins import expiry_of_certificate, expiry_of_token, provider_credential
from zestor_controller.client.proxy import parse_proxy
from zestor_controller.errors import ConfigError

__all__ = ["in_cluster_config", "kubeconfig_documents", "load_config", "static_config"]

_log = logging.getLogger(__name__)

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")


def static_config(
    server: str,
    *,
    token: str | None = None,
    ca: str | os.PathLike[str] | None = None,
    client_cert: str | os.PathLike[str] | None = None,
    client_key: str | os.PathLike[str] | None = None,
    namespace: str = "default",
) -> ClusterConfig:
    """A cluster by address and credential; opens nothing and loads no further package.

    Args:
        server: the URL.
        token: a bearer token.
        ca: a file with the server's CA, or its PEM text.
        client_cert: a file with a client certificate.
        client_key: a file with its key.
        namespace: the default namespace.

    Raises:
        ConfigError: the URL has no scheme, or a file does not exist.
    """
    if not server.startswith(("http://", "https://")):
        raise ConfigError(f"server {server!r}: write the whole URL, such as https://127.0.0.1:6443")
    _check_address(server, "the server's address")
    config = ClusterConfig(server, namespace=namespace, compress=not _is_local(server))
    if token:
        config.source = StaticHeader(f"Bearer {token}")
    if ca is not None:
        text = os.fspath(ca)
        if "-----BEGIN" in text:
            config.ca_data = text
        else:
            config.ca_file = existing(Path(text), f"the CA of {server}")
    if client_cert is not None:
        config.cert_file = existing(Path(client_cert), "the client certificate")
        config.key_file = existing(Path(client_key if client_key is not None else client_cert), "the client key")
    return config


async def load_config(kubeconfig: str | os.PathLike[str] | None = None, context: str | None = None) -> ClusterConfig:
    """The cluster that the user means.

    Args:
        kubeconfig: a file; else the files of KUBECONFIG, else ``~/.kube/config``, else the pod's own account.
        context: a context of it; its current one unless given.

    Raises:
        ConfigError: nothing is there, or it cannot be used; the message names the file and the next step.
    """
    files = _files(kubeconfig)
    if files:
        return await _from_files(files, context)
    return in_cluster_config(os.environ, SERVICE_ACCOUNT)


def kubeconfig_documents(kubeconfig: str | os.PathLike[str] | None = None) -> list[tuple[Path, dict[str, Any]]]:
    """The kubeconfig files that :func:`load_config` reads, in their order; none means the pod's own account.

    Raises:
        ConfigError: no file exists, one cannot be read, or nothing names a cluster.
    """
    paths = _files(kubeconfig)
    return read_documents(paths) if paths else []


def _files(kubeconfig: str | os.PathLike[str] | None) -> list[Path]:
    """The kubeconfig files to read; none means the pod's own account."""
    if kubeconfig is not None:
        return [Path(kubeconfig).expanduser()]
    named = [Path(part).expanduser() for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    home = Path.home() / ".kube" / "config"
    if named or home.exists():
        return named or [home]
    if os.environ.get("KUBERNETES_SERVICE_HOST"):
        return []
    raise ConfigError(
        f"no cluster: KUBECONFIG is not set, {home} does not exist, and this is no pod; pass --kubeconfig FILE, or "
        "start a server with `zestor apiserver --kubeconfig FILE`"
    )


def in_cluster_config(environ: Mapping[str, str], account: Path) -> ClusterConfig:
    """The pod's own account.

    Args:
        environ: where KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are looked for.
        account: the folder with ``token``, ``ca.crt`` and ``namespace``; both files are watched for rotation.

    Raises:
        ConfigError: the account is not mounted.
    """
    host, port = environ["KUBERNETES_SERVICE_HOST"], environ.get("KUBERNETES_SERVICE_PORT") or "443"
    if ":" in host:
        host = f"[{host}]"
    ca, token, namespace = (account / name for name in ("ca.crt", "token", "namespace"))
    for path in (token, ca):
        if not path.exists():
            raise ConfigError(f"this pod has no {path}: set automountServiceAccountToken: true on the pod")
    return ClusterConfig(
        f"https://{host}:{port}",
        namespace=namespace.read_text().strip() if namespace.exists() else "default",
        source=TokenFile(token),
        ca_file=str(ca),
    )


# Kubeconfig files


async def _from_files(paths: list[Path], context: str | None) -> ClusterConfig:
    chosen = await asyncio.to_thread(choose, paths, context)
    cluster, user, where = chosen.cluster, chosen.user, chosen.where
    server = (cluster.text("server", where) or "").rstrip("/")
    if not server.startswith(("http://", "https://")):
        server = f"https://{server}"
    _check_address(server, where)
    proxy = cluster.text("proxy-url", where)
    if proxy:
        parse_proxy(proxy, f"{where}: proxy-url")
    ca_data = cluster.data("certificate-authority-data", where)
    config = ClusterConfig(
        server,
        namespace=chosen.namespace,
        ca_data="".join(certificates(ca_data, f"{where}: certificate-authority-data")) if ca_data else None,
        ca_file=None if ca_data else cluster.file("certificate-authority", where),
        verify=not cluster.flag("insecure-skip-tls-verify", where),
        server_name=cluster.text("tls-server-name", where),
        proxy=proxy,
        compress=not cluster.flag("disable-compression", where) and not _is_local(server),
        extra=_impersonation(user, where),
    )
    if not config.verify and (config.ca_data or config.ca_file):
        raise ConfigError(
            f"{where}: a certificate authority and insecure-skip-tls-verify exclude each other; remove one"
        )
    _set_certificate(config, user, where)
    config.source = await _source(chosen, config, paths, context)
    has_certificate = bool(config.cert_file or config.cert_data or config.source.certificate)
    header = (await config.source.headers()).get("Authorization", "")
    if any(user.body.get(name) for name in _CREDENTIALS) and not header and not has_certificate:
        raise ConfigError(f"{where}: the user entry names credentials and yields none; log in again")
    _refuse_expired(expiry_of_token(header), "token", where)
    return config


_CREDENTIALS: Final = (
    "token",
    "tokenFile",
    "client-certificate",
    "client-certificate-data",
    "exec",
    "auth-provider",
    "username",
    "password",
)


async def _source(chosen: Chosen, config: ClusterConfig, paths: list[Path], context: str | None) -> HeaderSource:
    """Who the user is. One way is used, by the precedence of client-go; one that is passed over is logged."""
    user, where = chosen.user, chosen.where
    token, file = _token(user, where), user.file("tokenFile", where)
    name, password = user.text("username", where), user.text("password", where)
    plugin, provider = user.section("exec", where), user.section("auth-provider", where)
    if (token or file) and name:
        raise ConfigError(f"{where}: the user entry has a token and a username; remove one")
    if plugin and provider:
        raise ConfigError(f"{where}: the user entry has an exec plugin and an auth-provider; remove one")
    if plugin and (token or file or name or config.cert_data or config.cert_file):
        _log.warning("%s: the exec plugin is not run, because the user entry has another credential", where)
        plugin = {}
    if file:
        return TokenFile(Path(file))
    if token:

        async def read(refused: bool) -> Credential:
            # A login command, or a server that was started again, writes another token into the same file.
            again = await asyncio.to_thread(choose, paths, context)
            if not (token := _token(again.user, where)):
                raise ConfigError(f"{where}: the user entry has no token any more; log in again")
            return _bearer(token)

        return Renewed(read, _bearer(token))
    if name and password:
        pair = base64.b64encode(f"{name}:{password}".encode()).decode()
        return StaticHeader(f"Basic {pair}")
    if plugin:
        cluster = cluster_info(chosen.cluster, config.server, where)

        async def run(refused: bool) -> Credential:
            return await exec_credential(plugin, user.folder, cluster, where)

        return Renewed(run, await run(False))
    if provider:

        async def ask(refused: bool) -> Credential:
            return await provider_credential(user.body, where, refused=refused)

        return Renewed(ask, await ask(False))
    return HeaderSource()


def _token(user: Entry, where: str) -> str:
    """The token of a user entry, without the line break that a text block ends with."""
    token = (user.text("token", where) or "").strip()
    if not token.isprintable():
        raise ConfigError(f"{where}: the token holds a line break or a control character; log in again")
    return token


def _bearer(token: str) -> Credential:
    return Credential(f"Bearer {token}", None, expiry_of_token(f"Bearer {token}"))


def _set_certificate(config: ClusterConfig, user: Entry, where: str) -> None:
    cert = user.data("client-certificate-data", where)
    key = user.data("client-key-data", where)
    cert_file = None if cert else user.file("client-certificate", where)
    key_file = None if key else user.file("client-key", where)
    if not (cert or cert_file):
        return
    if not (key or key_file):
        raise ConfigError(f"{where}: a client certificate without client-key; log in again")
    pem = cert or Path(cert_file or "").read_bytes()
    try:
        chain = "".join(certificates(pem, "the client certificate"))
        _refuse_expired(expiry_of_certificate(chain.encode()), "client certificate", where)
        if cert_file and key_file:
            config.cert_file, config.key_file = cert_file, key_file
        else:
            config.cert_data = (chain, private_key(key or Path(key_file or "").read_bytes(), "the client key"))
    except ConfigError as error:
        raise error if str(error).startswith(where) else ConfigError(f"{where}: {error}") from error


def _impersonation(user: Entry, where: str) -> list[tuple[str, str]]:
    name, uid, groups = user.text("as", where), user.text("as-uid", where), user.texts("as-groups", where)
    extra = Entry(user.section("as-user-extra", where), user.folder)
    if not name:
        if uid or groups or extra.body:
            raise ConfigError(f"{where}: as-uid, as-groups and as-user-extra need as, the user to impersonate")
        return []
    headers = [("Impersonate-User", name)]
    if uid:
        headers.append(("Impersonate-Uid", uid))
    headers += [("Impersonate-Group", group) for group in groups]
    for key in extra.body:
        values = extra.texts(key, f"{where}: as-user-extra")
        headers += [(f"Impersonate-Extra-{quote(str(key), safe='')}", value) for value in values]
    return headers


def _refuse_expired(expires: float | None, what: str, where: str) -> None:
    if expires is not None and expires < time():
        when = datetime.fromtimestamp(expires, UTC)
        raise ConfigError(f"{where}: the {what} expired on {when:%Y-%m-%d %H:%M} UTC; log in again")


def _check_address(server: str, where: str) -> None:
    try:
        parts = urlsplit(server)
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ConfigError(f"{where}: server {server!r} is no URL; write it as https://host:port")


def _is_local(server: str) -> bool:
    """Compressing for the same machine costs more than it saves."""
    return urlsplit(server).hostname in ("localhost", "127.0.0.1", "::1")
