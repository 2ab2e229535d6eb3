"""Kubeconfig files: written whole or not at all, readable by their owner alone."""

from __future__ import annotations

import base64
import os
import tempfile
from pathlib import Path
from typing import Any

import yaml

__all__ = ["kubeconfig_for", "write_kubeconfig"]

NAME = "zestor"


def kubeconfig_for(url: str, ca: str, token: str, *, user: str = "admin", namespace: str = "default") -> dict[str, Any]:
    """A kubeconfig with one cluster, one user and one context.

    Args:
        url: the server's URL.
        ca: the CA's certificate as PEM text; empty for plain HTTP.
        token: the user's bearer token.
        user: the user entry's name.
        namespace: the context's default namespace.
    """
    cluster: dict[str, Any] = {"server": url}
    if ca:
        cluster["certificate-authority-data"] = base64.b64encode(ca.encode()).decode()
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": NAME, "cluster": cluster}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": NAME, "context": {"cluster": NAME, "user": user, "namespace": namespace}}],
        "current-context": NAME,
        "preferences": {},
    }


def write_kubeconfig(path: Path, config: dict[str, Any]) -> None:
    """Write it with mode 0600 and move it into place; folders are made.

    Raises:
        OSError: the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # mkstemp makes the file 0600 from the start: there is no moment at which others could read the token.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w") as file:
            yaml.safe_dump(config, file, sort_keys=False)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
