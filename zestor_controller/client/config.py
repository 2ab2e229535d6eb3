"""Finding a cluster: an address, kubeconfig files, or a pod's own account.

Invariant: what is wrong with a file is told by naming the file, the entry and the next step. A user entry that names
credentials and yields none is an error, never an anonymous connection. Relative paths are resolved against the
kubeconfig that they stand in; where several files name the same thing, the first one wins.

Source: client-go tools/clientcmd (loading rules, merging, precedence of token over exec).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import time
from typing import Any, Final
from urllib.parse import quote, urlsplit

import yaml

from zestor_controller.client.credentials import (
    ClusterConfig,
    Credential,
    HeaderSource,
    Renewed,
    StaticHeader,
    TokenFile,
)
from zestor_controller.client.plugins import (
    exec_credential,
    expiry_of_certificate,
    expiry_of_token,
    provider_credential,
)
from zestor_controller.errors import ConfigError

__all__ = ["in_cluster_config", "kubeconfig_documents", "load_config", "static_config"]

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
    config = ClusterConfig(server, namespace=namespace, compress=not _is_local(server))
    if token:
        config.source = StaticHeader(f"Bearer {token}")
    if ca is not None:
        text = os.fspath(ca)
        if "-----BEGIN" in text:
            config.ca_data = text
        else:
            config.ca_file = _existing(Path(text), f"the CA of {server}")
    if client_cert is not None:
        config.cert_file = _existing(Path(client_cert), "the client certificate")
        config.key_file = _existing(Path(client_key if client_key is not None else client_cert), "the client key")
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
    present = [path for path in paths if path.exists()]
    if paths and not present:
        raise ConfigError(f"kubeconfig {paths[0]} does not exist; check --kubeconfig and KUBECONFIG")
    return [(path, _read(path)) for path in present]


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
        environ: where KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT stand.
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


@dataclass(frozen=True, slots=True)
class _Part:
    """One cluster, user or context entry, and the folder that its relative paths start from."""

    body: dict[str, Any]
    folder: Path

    def file(self, key: str, where: str) -> str | None:
        value = self.body.get(key)
        return _existing(self.folder / str(value), f"{where}: {key}") if value else None

    def data(self, key: str, where: str) -> str | None:
        value = self.body.get(key)
        if not value:
            return None
        try:
            return base64.b64decode(str(value), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise ConfigError(f"{where}: {key} is not base64 of PEM text") from error


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The parts of the chosen context; `where` names it in messages."""

    cluster: _Part
    user: _Part
    namespace: str
    where: str


async def _from_files(paths: list[Path], context: str | None) -> ClusterConfig:
    chosen = await asyncio.to_thread(_choose, paths, context)
    cluster, user, where = chosen.cluster, chosen.user, chosen.where
    server = str(cluster.body["server"]).rstrip("/")
    if not server.startswith(("http://", "https://")):
        server = f"https://{server}"
    config = ClusterConfig(
        server,
        namespace=chosen.namespace,
        source=await _source(user, where, paths, context),
        ca_data=(ca := cluster.data("certificate-authority-data", where)),
        ca_file=None if ca else cluster.file("certificate-authority", where),
        verify=not cluster.body.get("insecure-skip-tls-verify"),
        server_name=cluster.body.get("tls-server-name"),
        proxy=cluster.body.get("proxy-url"),
        compress=not cluster.body.get("disable-compression") and not _is_local(server),
        extra=_impersonation(user.body),
    )
    _set_certificate(config, user, where)
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


async def _source(user: _Part, where: str, paths: list[Path], context: str | None) -> HeaderSource:
    body = user.body
    if path := user.file("tokenFile", where):
        return TokenFile(Path(path))
    if body.get("token"):

        async def read(refused: bool) -> Credential:
            # A login command, or a server that was started again, writes another token into the same file.
            chosen = await asyncio.to_thread(_choose, paths, context)
            if not chosen.user.body.get("token"):
                raise ConfigError(f"{where}: the token has gone from the user entry; log in again")
            header = f"Bearer {chosen.user.body['token']}"
            return Credential(header, None, expiry_of_token(header))

        header = f"Bearer {body['token']}"
        return Renewed(read, Credential(header, None, expiry_of_token(header)))
    if body.get("username") and body.get("password"):
        pair = base64.b64encode(f"{body['username']}:{body['password']}".encode()).decode()
        return StaticHeader(f"Basic {pair}")
    if body.get("exec"):

        async def run(refused: bool) -> Credential:
            return await exec_credential(body["exec"], user.folder, where)

        return Renewed(run, await run(False))
    if body.get("auth-provider"):

        async def ask(refused: bool) -> Credential:
            return await provider_credential(body, where, refused=refused)

        return Renewed(ask, await ask(False))
    return HeaderSource()


def _set_certificate(config: ClusterConfig, user: _Part, where: str) -> None:
    cert = user.data("client-certificate-data", where)
    key = user.data("client-key-data", where)
    cert_file = None if cert else user.file("client-certificate", where)
    key_file = None if key else user.file("client-key", where)
    if not (cert or cert_file):
        return
    if not (key or key_file):
        raise ConfigError(f"{where}: a client certificate without client-key; log in again")
    if cert_file and key_file:
        config.cert_file, config.key_file = cert_file, key_file
    else:
        config.cert_data = (cert or Path(cert_file or "").read_text(), key or Path(key_file or "").read_text())
    pem = cert.encode() if cert else Path(cert_file or "").read_bytes()
    try:
        _refuse_expired(expiry_of_certificate(pem), "client certificate", where)
    except ConfigError as error:
        raise error if str(error).startswith(where) else ConfigError(f"{where}: {error}") from error


def _choose(paths: list[Path], context: str | None) -> _Chosen:
    """The context's parts, or a message that says what is missing."""
    present = [path for path in paths if path.exists()]
    if not present:
        raise ConfigError(f"kubeconfig {paths[0]} does not exist; check --kubeconfig and KUBECONFIG")
    documents = [(path, _read(path)) for path in present]
    name = os.pathsep.join(str(path) for path in present)
    wanted = context or next((d["current-context"] for _, d in documents if d.get("current-context")), None)
    contexts = _named(documents, "contexts", "context")
    there_are = ", ".join(contexts) or "(none)"
    if not wanted:
        raise ConfigError(f"kubeconfig {name}: no current-context; pass --context, one of: {there_are}")
    if wanted not in contexts:
        raise ConfigError(f"kubeconfig {name}: no context {wanted!r}; there are: {there_are}")
    where = f"kubeconfig {name}, context {wanted!r}"
    chosen = contexts[wanted].body
    cluster = _named(documents, "clusters", "cluster").get(str(chosen.get("cluster")))
    if cluster is None:
        raise ConfigError(f"{where} names the cluster {chosen.get('cluster')!r}, which is missing")
    if not cluster.body.get("server"):
        raise ConfigError(f"{where}: cluster {chosen.get('cluster')!r} has no server")
    user: _Part | None = _Part({}, present[0].parent)
    if chosen.get("user"):
        user = _named(documents, "users", "user").get(str(chosen["user"]))
    if user is None:
        raise ConfigError(f"{where} names the user {chosen['user']!r}, which is missing")
    return _Chosen(cluster, user, str(chosen.get("namespace") or "default"), where)


def _read(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_text())
    except OSError as error:
        raise ConfigError(f"cannot read the kubeconfig {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"kubeconfig {path}: not a text file") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark is not None else ""
        # Without its context, which quotes lines of the file: one of them may be a token.
        raise ConfigError(f"kubeconfig {path}{line}: not valid YAML: {getattr(error, 'problem', '')}") from None
    if not isinstance(document, dict):
        raise ConfigError(f"kubeconfig {path}: a mapping with clusters, users and contexts is expected")
    return document


def _named(documents: list[tuple[Path, dict[str, Any]]], plural: str, singular: str) -> dict[str, _Part]:
    found: dict[str, _Part] = {}
    for path, document in documents:
        listed = document.get(plural) or []
        if not isinstance(listed, list):
            raise ConfigError(f"kubeconfig {path}: {plural} must be a list")
        for item in listed:
            body = item.get(singular) or {} if isinstance(item, dict) else None
            if not isinstance(body, dict) or not item.get("name"):
                raise ConfigError(f"kubeconfig {path}: each entry of {plural} needs a name and a {singular}")
            found.setdefault(str(item["name"]), _Part(body, path.absolute().parent))
    return found


def _impersonation(user: dict[str, Any]) -> list[tuple[str, str]]:
    headers = []
    if user.get("as"):
        headers.append(("Impersonate-User", str(user["as"])))
    if user.get("as-uid"):
        headers.append(("Impersonate-Uid", str(user["as-uid"])))
    headers += [("Impersonate-Group", str(group)) for group in user.get("as-groups") or []]
    for key, values in (user.get("as-user-extra") or {}).items():
        headers += [(f"Impersonate-Extra-{quote(str(key), safe='')}", str(value)) for value in values]
    return headers


def _refuse_expired(expires: float | None, what: str, where: str) -> None:
    if expires is not None and expires < time():
        when = datetime.fromtimestamp(expires, UTC)
        raise ConfigError(f"{where}: the {what} expired on {when:%Y-%m-%d %H:%M} UTC; log in again")


def _existing(path: Path, what: str) -> str:
    if not path.is_file():
        raise ConfigError(f"{what}: the file {path} does not exist")
    return str(path)


def _is_local(server: str) -> bool:
    """Compressing for the same machine costs more than it saves."""
    return urlsplit(server).hostname in ("localhost", "127.0.0.1", "::1")
