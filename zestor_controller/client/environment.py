"""The process environment that names a cluster: what every client library and every child process reads.

Invariant: while :func:`cluster_environment` is in effect, the environment names one cluster and no other: KUBECONFIG is
one file, and the variables of a pod's own account and of Helm that would name another server are removed. Leaving the
block restores all of it.

Source: client-go tools/clientcmd and rest (InClusterConfig), Helm's environment variables, and the ``kubernetes``
package, which reads KUBECONFIG once, when it is imported.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from zestor_controller.client.config import kubeconfig_documents
from zestor_controller.errors import ConfigError

__all__ = ["Kubeconfig", "cluster_environment", "merged_kubeconfig"]

# With these set, client-go and every library that follows it talk to the cluster of the pod that they are in.
POD: Final = ("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "KUBERNETES_SERVICE_PORT_HTTPS", "KUBERNETES_PORT")
POD_PREFIX: Final = "KUBERNETES_PORT_"
# Helm takes these before what the kubeconfig says.
HELM_PREFIX: Final = "HELM_KUBE"
OTHERS: Final = ("KUBERNETES_MASTER",)
# Where the official clients keep the value that KUBECONFIG had when they were imported.
OFFICIAL: Final = tuple(
    f"{package}.config{module}" for package in ("kubernetes", "kubernetes_asyncio") for module in ("", ".kube_config")
)
LOCATION: Final = "KUBE_CONFIG_DEFAULT_LOCATION"
FILES: Final = {
    "cluster": ("certificate-authority",),
    "user": ("client-certificate", "client-key", "tokenFile"),
}


@dataclass(frozen=True, slots=True)
class Kubeconfig:
    """The kubeconfig that a process uses.

    Attributes:
        paths: its files, absolute; the first one wins where two define the same entry.
        context: the name of the context in use.
        current: whether that is the files' own current context.
        server: the URL of its cluster.
    """

    paths: tuple[Path, ...]
    context: str
    current: bool
    server: str


@contextmanager
def cluster_environment(
    kubeconfig: str | os.PathLike[str] | None = None, context: str | None = None
) -> Iterator[Kubeconfig | None]:
    """Make the environment of this process, and of its children, name one cluster.

    Args:
        kubeconfig: a file, which need not exist yet unless `context` is given; else the files that the environment
            names now, or the pod's own account, which stays as it is.
        context: a context of it. If it is not the current one, or there are several files, KUBECONFIG names a private
            copy in which it is current, readable by this user only and removed at the end; a login that renews a token
            in the original is not seen by those who read the copy.

    Yields:
        What is used; None for a file that does not exist yet, and for a pod's own account.

    Raises:
        ConfigError: the kubeconfig cannot be used, or has no such context.
    """
    if kubeconfig is not None and context is None and not Path(kubeconfig).expanduser().exists():
        with _pointed_at(Path(kubeconfig).expanduser().absolute()):
            yield None
        return
    used = merged_kubeconfig(kubeconfig, context)
    if used is None:
        yield None
    elif used[0].current and len(used[0].paths) == 1:
        with _pointed_at(used[0].paths[0]):
            yield used[0]
    else:
        with _private(used[1]) as path, _pointed_at(path):
            yield used[0]


def merged_kubeconfig(
    kubeconfig: str | os.PathLike[str] | None, context: str | None
) -> tuple[Kubeconfig, dict[str, Any]] | None:
    """The kubeconfig in use, and its files merged into one document with absolute paths.

    Returns:
        None where there is no file: in a pod, its own account is used.

    Raises:
        ConfigError: as :func:`~zestor_controller.client.load_config`.
    """
    documents = kubeconfig_documents(kubeconfig)
    if not documents:
        if context is not None:
            raise ConfigError(f"--context {context}: there is no kubeconfig; a pod's own account has no contexts")
        return None
    own = next((str(d["current-context"]) for _, d in documents if d.get("current-context")), "")
    merged: dict[str, Any] = {"apiVersion": "v1", "kind": "Config", "preferences": {}}
    for plural, singular in (("clusters", "cluster"), ("users", "user"), ("contexts", "context")):
        merged[plural] = list(_entries(documents, plural, singular).values())
    chosen = context or own
    contexts = {entry["name"]: entry.get("context") or {} for entry in merged["contexts"]}
    if chosen not in contexts:
        names = ", ".join(contexts) or "(none)"
        files = os.pathsep.join(str(path) for path, _ in documents)
        wanted = f"no context {chosen!r}" if chosen else "no current-context; pass --context"
        raise ConfigError(f"kubeconfig {files}: {wanted}; there are: {names}")
    clusters = {entry["name"]: entry.get("cluster") or {} for entry in merged["clusters"]}
    server = str((clusters.get(contexts[chosen].get("cluster")) or {}).get("server") or "")
    merged["current-context"] = chosen
    paths = tuple(path.absolute() for path, _ in documents)
    return Kubeconfig(paths, chosen, chosen == own, server), merged


def _entries(documents: list[tuple[Path, dict[str, Any]]], plural: str, singular: str) -> dict[str, dict[str, Any]]:
    """The entries of one list by name, with every relative path made absolute."""
    found: dict[str, dict[str, Any]] = {}
    for path, document in documents:
        folder = path.absolute().parent
        for entry in document.get(plural) or []:
            body = entry.get(singular) if isinstance(entry, dict) else None
            if not isinstance(body, dict) or "name" not in entry or str(entry["name"]) in found:
                continue
            body = dict(body)
            for key in FILES.get(singular, ()):
                if body.get(key):
                    body[key] = str(folder / str(body[key]))
            command = body.get("exec")
            if isinstance(command, dict) and os.sep in str(command.get("command", "")):
                body["exec"] = {**command, "command": str(folder / str(command["command"]))}
            found[str(entry["name"])] = {**entry, "name": str(entry["name"]), singular: body}
    return found


@contextmanager
def _private(document: Mapping[str, Any]) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="zestor-") as folder:  # made with mode 0700
        path = Path(folder) / "kubeconfig"
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            yaml.safe_dump(dict(document), file, sort_keys=False)
        yield path


@contextmanager
def _pointed_at(path: Path) -> Iterator[None]:
    removed = {name for name in os.environ if name in (*POD, *OTHERS) or name.startswith((POD_PREFIX, HELM_PREFIX))}
    before = {name: os.environ.get(name) for name in (*removed, "KUBECONFIG")}
    for name in removed:
        del os.environ[name]
    os.environ["KUBECONFIG"] = str(path)
    with _official_location(str(path)):
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


@contextmanager
def _official_location(path: str) -> Iterator[None]:
    """Replace what official clients that are imported already remember of KUBECONFIG."""
    before = {
        name: getattr(module, LOCATION)
        for name in OFFICIAL
        if (module := sys.modules.get(name)) is not None and hasattr(module, LOCATION)
    }
    for name in before:
        setattr(sys.modules[name], LOCATION, path)
    try:
        yield
    finally:
        # One that was imported meanwhile has read the variable, and would keep this file's name after its end.
        former = os.environ.get("KUBECONFIG", "~/.kube/config")
        for name in OFFICIAL:
            module = sys.modules.get(name)
            if module is not None and getattr(module, LOCATION, None) == path:
                setattr(module, LOCATION, before.get(name, former))
