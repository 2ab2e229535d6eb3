"""Kubeconfig files: reading and merging them, and the fields of the chosen context.

Invariant: a field of the wrong type is an error that names it, never a guess. Relative paths are resolved against the
kubeconfig that holds them; where several files name the same thing, the first one wins. No message quotes a line or a
value, which may be a secret.

Source: client-go tools/clientcmd (loading rules, merging).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from zestor_controller.client.pem import from_base64
from zestor_controller.errors import ConfigError

__all__ = ["Chosen", "Entry", "choose", "existing", "read_documents"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One cluster, user or context entry, or a section of it, and the folder that its relative paths start from."""

    body: dict[str, Any]
    folder: Path

    def text(self, key: str, where: str) -> str | None:
        """A field of text; None when it is absent or empty."""
        value = self.body.get(key)
        if value is not None and not isinstance(value, str):
            raise ConfigError(f"{where}: {key} must be text; put it in quotes")
        return value or None

    def texts(self, key: str, where: str) -> list[str]:
        """A list of texts; empty when it is absent."""
        value = self.body.get(key)
        if value is not None and not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
            raise ConfigError(f"{where}: {key} must be a list of texts; put each of them in quotes")
        return value or []

    def flag(self, key: str, where: str) -> bool:
        """A boolean; False when it is absent."""
        value = self.body.get(key)
        if value is not None and not isinstance(value, bool):
            raise ConfigError(f"{where}: {key} must be true or false, without quotes")
        return bool(value)

    def section(self, key: str, where: str) -> dict[str, Any]:
        """A mapping; empty when it is absent."""
        value = self.body.get(key)
        if value is not None and not isinstance(value, dict):
            raise ConfigError(f"{where}: {key} must be a mapping")
        return value or {}

    def file(self, key: str, where: str) -> str | None:
        """The path of a file that exists."""
        value = self.text(key, where)
        return existing(self.folder / value, f"{where}: {key}") if value else None

    def data(self, key: str, where: str) -> bytes | None:
        """What a field holds in base64."""
        value = self.text(key, where)
        return from_base64(value, f"{where}: {key}") if value else None


@dataclass(frozen=True, slots=True)
class Chosen:
    """The entries of the chosen context; `where` names it in messages."""

    cluster: Entry
    user: Entry
    namespace: str
    where: str


def existing(path: Path, what: str) -> str:
    """The path of a file, as text.

    Raises:
        ConfigError: there is no such file.
    """
    if not path.is_file():
        raise ConfigError(f"{what}: the file {path} does not exist")
    return str(path)


def read_documents(paths: list[Path]) -> list[tuple[Path, dict[str, Any]]]:
    """The files that exist, in their order, each with its content.

    Raises:
        ConfigError: none exists, or one cannot be read.
    """
    present = [path for path in paths if path.exists()]
    if not present:
        raise ConfigError(f"kubeconfig {paths[0]} does not exist; check --kubeconfig and KUBECONFIG")
    return [(path, _read(path)) for path in present]


def choose(paths: list[Path], context: str | None) -> Chosen:
    """The entries of a context, by default the current one.

    Raises:
        ConfigError: a file cannot be read, or an entry is missing.
    """
    documents = read_documents(paths)
    name = os.pathsep.join(str(path) for path, _ in documents)
    wanted = context or next((d["current-context"] for _, d in documents if d.get("current-context")), None)
    contexts = _named(documents, "contexts", "context")
    there_are = ", ".join(contexts) or "(none)"
    if not wanted:
        raise ConfigError(f"kubeconfig {name}: no current-context; pass --context, one of: {there_are}")
    if wanted not in contexts:
        raise ConfigError(f"kubeconfig {name}: no context {wanted!r}; there are: {there_are}")
    where = f"kubeconfig {name}, context {wanted!r}"
    chosen = contexts[wanted]
    body = chosen.body
    cluster = _named(documents, "clusters", "cluster").get(str(body.get("cluster")))
    if cluster is None:
        raise ConfigError(f"{where} names the cluster {body.get('cluster')!r}, which is missing")
    if not cluster.text("server", where):
        raise ConfigError(f"{where}: cluster {body.get('cluster')!r} has no server")
    user: Entry | None = Entry({}, documents[0][0].parent)
    if body.get("user"):
        user = _named(documents, "users", "user").get(str(body["user"]))
    if user is None:
        raise ConfigError(f"{where} names the user {body['user']!r}, which is missing")
    return Chosen(cluster, user, chosen.text("namespace", where) or "default", where)


def _read(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"cannot read the kubeconfig {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"kubeconfig {path}: not UTF-8 text") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark is not None else ""
        # Without its context, which quotes lines of the file: one of them may be a token.
        raise ConfigError(f"kubeconfig {path}{line}: not valid YAML: {getattr(error, 'problem', '')}") from None
    if not isinstance(document, dict):
        raise ConfigError(f"kubeconfig {path}: a mapping with clusters, users and contexts is expected")
    return document


def _named(documents: list[tuple[Path, dict[str, Any]]], plural: str, singular: str) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    for path, document in documents:
        listed = document.get(plural) or []
        if not isinstance(listed, list):
            raise ConfigError(f"kubeconfig {path}: {plural} must be a list")
        for item in listed:
            body = item.get(singular) or {} if isinstance(item, dict) else None
            if not isinstance(body, dict) or not item.get("name"):
                raise ConfigError(f"kubeconfig {path}: each entry of {plural} needs a name and a {singular}")
            found.setdefault(str(item["name"]), Entry(body, path.absolute().parent))
    return found
