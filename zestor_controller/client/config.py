"""Finding a cluster: kubeconfig files and a pod's own account, through the ``kubernetes`` package's loaders.

Invariant: that package is imported here only, and only when a kubeconfig is opened. What is wrong with a file is told
before the loader sees it: which file, which entry, what to do. A user entry that yields no credential is an error, never an
anonymous connection.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any, Final

import yaml

from zestor_controller.client.credentials import ClusterConfig, Loaded, StaticToken, TokenFile
from zestor_controller.errors import ConfigError

__all__ = ["load_config", "static_config"]

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
RELOAD_S: Final = 60.0
_CREDENTIALS: Final = (
    "token",
    "tokenFile",
    "client-certificate",
    "client-certificate-data",
    "exec",
    "auth-provider",
    "username",
)


def static_config(server: str, *, token: str | None = None, ca: str | os.PathLike[str] | None = None) -> ClusterConfig:
    """A cluster by address and token.

    Args:
        server: the URL.
        token: a bearer token.
        ca: a file with the server's CA, or its PEM text.

    Raises:
        ConfigError: the URL has no scheme, or the CA's file does not exist.
    """
    if not server.startswith(("http://", "https://")):
        raise ConfigError(f"server {server!r}: write the whole URL, such as https://127.0.0.1:6443")
    config = ClusterConfig(server)
    if token:
        config.source = StaticToken(token)
    if ca is not None:
        text = os.fspath(ca)
        if "-----BEGIN" in text:
            config.ca_data = text
        elif Path(text).is_file():
            config.ca_file = text
        else:
            raise ConfigError(f"the CA file {text} does not exist")
    return config


async def load_config(kubeconfig: str | os.PathLike[str] | None = None, context: str | None = None) -> ClusterConfig:
    """The cluster that the user means.

    Args:
        kubeconfig: a file; else the files of KUBECONFIG, else ``~/.kube/config``, else the pod's own account.
        context: a context of it; its current one unless given.

    Raises:
        ConfigError: nothing is there, or it cannot be used; the message names the file and the next step.
    """
    if kubeconfig is not None:
        return await _from_files([Path(kubeconfig)], context)
    named = [Path(part) for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    if named:
        return await _from_files(named, context)
    home = Path.home() / ".kube" / "config"
    if home.exists():
        return await _from_files([home], context)
    if os.environ.get("KUBERNETES_SERVICE_HOST"):
        return _in_cluster()
    raise ConfigError(
        f"no cluster: KUBECONFIG is not set, {home} does not exist, and this is no pod; pass --kubeconfig FILE, or start "
        "a server with `zestor apiserver --kubeconfig FILE`"
    )


def _in_cluster() -> ClusterConfig:
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    if ":" in host:
        host = f"[{host}]"
    ca, token, namespace = (SERVICE_ACCOUNT / name for name in ("ca.crt", "token", "namespace"))
    if not token.exists():
        raise ConfigError(
            f"this pod has no service account token at {token}: set automountServiceAccountToken: true on the pod"
        )
    return ClusterConfig(
        f"https://{host}:{port}",
        namespace=namespace.read_text().strip() if namespace.exists() else "default",
        source=TokenFile(token),
        ca_file=str(ca),
    )


async def _from_files(paths: list[Path], context: str | None) -> ClusterConfig:
    present = [path for path in paths if path.exists()]
    if not present:
        raise ConfigError(f"kubeconfig {paths[0]} does not exist; check --kubeconfig and KUBECONFIG")
    documents = [_read(path) for path in present]
    entry = _entry(documents, present, context)
    from kubernetes.aio.config.config_exception import ConfigException  # half a second of import: here or never
    from kubernetes.aio.config.kube_config import KubeConfigLoader, KubeConfigMerger
    from kubernetes.client import Configuration

    name = os.pathsep.join(str(path) for path in present)
    try:
        loader: Any = KubeConfigLoader(  # type: ignore[no-untyped-call]
            KubeConfigMerger(name).config,  # type: ignore[no-untyped-call]
            active_context=context,
            config_base_path=None,
        )
        made: Any = Configuration()
        await loader.load_and_set(made)
    except (ConfigException, KeyError, TypeError, ValueError, OSError, binascii.Error) as error:
        raise ConfigError(f"kubeconfig {name}: {error}") from error
    user, where = entry.get("user") or {}, entry["where"]
    config = ClusterConfig(
        made.host,
        namespace=entry["namespace"],
        ca_file=made.ssl_ca_cert,
        cert_file=made.cert_file,
        key_file=made.key_file,
        verify=bool(made.verify_ssl),
        server_name=made.tls_server_name,
        proxy=made.proxy,
        extra=_impersonation(user),
    )
    header = made.api_key.get("BearerToken")
    if any(user.get(name) for name in _CREDENTIALS) and not header and not config.cert_file:
        raise ConfigError(f"{where}: the user entry names credentials and yields none; run its login command by hand")
    _refuse_expired(config.cert_file, header, where)
    if header:
        loaded_at = monotonic()

        async def load(force: bool) -> dict[str, str]:
            nonlocal loaded_at
            if force or monotonic() - loaded_at > RELOAD_S:
                loaded_at = monotonic()
                if force and hasattr(loader, "exec_plugin_expiry"):
                    del loader.exec_plugin_expiry  # it was refused: its own word of when it ends counts no more
                await loader.load_and_set(made)
            return {"Authorization": str(made.api_key["BearerToken"])}

        config.source = Loaded(load)
    return config


def _read(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_text())
    except OSError as error:
        raise ConfigError(f"cannot read the kubeconfig {path}: {error.strerror or error}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark is not None else str(path)
        raise ConfigError(f"kubeconfig {where}: not valid YAML: {getattr(error, 'problem', error)}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"kubeconfig {path}: not a text file") from error
    if not isinstance(document, dict):
        raise ConfigError(f"kubeconfig {path}: a mapping with clusters, users and contexts is expected")
    return document


def _entry(documents: list[dict[str, Any]], paths: list[Path], context: str | None) -> dict[str, Any]:
    """The context's parts, or a message that says what is missing."""
    name = str(paths[0]) if len(paths) == 1 else os.pathsep.join(str(path) for path in paths)
    wanted = context or next((d["current-context"] for d in documents if d.get("current-context")), None)
    contexts = _named(documents, "contexts", "context")
    if not wanted:
        raise ConfigError(
            f"kubeconfig {name}: no current-context; pass --context, one of: {', '.join(contexts) or '(none)'}"
        )
    if wanted not in contexts:
        raise ConfigError(f"kubeconfig {name}: no context {wanted!r}; there are: {', '.join(contexts) or '(none)'}")
    chosen = contexts[wanted]
    clusters, users = _named(documents, "clusters", "cluster"), _named(documents, "users", "user")
    cluster = clusters.get(str(chosen.get("cluster")))
    if cluster is None:
        raise ConfigError(
            f"kubeconfig {name}: context {wanted!r} names the cluster {chosen.get('cluster')!r}, which is missing"
        )
    if not cluster.get("server"):
        raise ConfigError(f"kubeconfig {name}: cluster {chosen.get('cluster')!r} has no server")
    user = users.get(str(chosen.get("user"))) if chosen.get("user") else {}
    if user is None:
        raise ConfigError(
            f"kubeconfig {name}: context {wanted!r} names the user {chosen.get('user')!r}, which is missing"
        )
    where = f"kubeconfig {name}, context {wanted!r}"
    return {"user": user, "namespace": str(chosen.get("namespace") or "default"), "where": where}


def _named(documents: list[dict[str, Any]], plural: str, singular: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for document in documents:
        for item in document.get(plural) or []:
            if isinstance(item, dict) and item.get("name"):
                found.setdefault(str(item["name"]), item.get(singular) or {})
    return found


def _impersonation(user: dict[str, Any]) -> dict[str, str]:
    headers: dict[str, str] = {}
    if user.get("as"):
        headers["Impersonate-User"] = str(user["as"])
    if user.get("as-uid"):
        headers["Impersonate-Uid"] = str(user["as-uid"])
    groups = user.get("as-groups") or []
    if len(groups) > 1 or user.get("as-user-extra"):
        raise ConfigError(
            "the kubeconfig impersonates several groups or extra attributes; this client sends one group only"
        )
    if groups:
        headers["Impersonate-Group"] = str(groups[0])
    return headers


def _refuse_expired(cert_file: str | None, header: str | None, where: str) -> None:
    now = datetime.now(UTC)
    if cert_file:
        from cryptography import x509

        try:
            ends = x509.load_pem_x509_certificate(Path(cert_file).read_bytes()).not_valid_after_utc
        except (OSError, ValueError) as error:
            raise ConfigError(f"{where}: the client certificate cannot be read: {error}") from error
        if ends < now:
            raise ConfigError(f"{where}: the client certificate expired on {ends:%Y-%m-%d %H:%M} UTC; log in again")
    if header and header.count(".") == 2:
        try:
            payload = header.split(".")[1]
            claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
            expires = claims.get("exp") if isinstance(claims, dict) else None
        except ValueError:
            return  # not a JWT after all; the server will judge it
        if isinstance(expires, int | float) and expires < now.timestamp():
            when = datetime.fromtimestamp(expires, UTC)
            raise ConfigError(f"{where}: the token expired on {when:%Y-%m-%d %H:%M} UTC; log in again")
