"""Reading manifests: files, folders and standard input, as YAML or JSON documents, with the place of each."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from zestor_controller.errors import ConfigError

__all__ = ["Manifest", "read_manifests"]


@dataclass(frozen=True, slots=True)
class Manifest:
    """One document.

    Attributes:
        where: ``file:line`` of its first line.
        body: the object.
    """

    where: str
    body: dict[str, Any]


def read_manifests(sources: Iterable[str]) -> list[Manifest]:
    """Every object of the given files, folders (their ``.yaml``, ``.yml`` and ``.json`` files by name) and ``-``.

    A List is taken apart; an empty document is passed over.

    Raises:
        ConfigError: a source does not exist, is not valid YAML, or holds something that is no object; it names the
            place.
    """
    found: list[Manifest] = []
    for source in sources:
        if source == "-":
            found += _documents("<stdin>", sys.stdin.read())
            continue
        path = Path(source)
        if path.is_dir():
            files = sorted(p for p in path.rglob("*") if p.suffix in (".yaml", ".yml", ".json") and p.is_file())
            if not files:
                raise ConfigError(f"{source}: the folder holds no .yaml, .yml or .json file")
        elif path.is_file():
            files = [path]
        else:
            raise ConfigError(f"{source}: no such file or folder")
        for file in files:
            try:
                found += _documents(str(file), file.read_text())
            except UnicodeDecodeError as error:
                raise ConfigError(f"{file}: not a text file") from error
            except OSError as error:
                raise ConfigError(f"{file}: {error.strerror or error}") from error
    return found


def _documents(name: str, text: str) -> list[Manifest]:
    found: list[Manifest] = []
    try:
        loader = yaml.SafeLoader(text)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        character = f"the character U+{ord(text[error.position]):04X}"
        raise ConfigError(f"{name}:{line}: not valid YAML: {character} is not allowed") from error
    # Times stay text, as they are in JSON: a cluster knows no YAML timestamps.
    loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in loader.yaml_implicit_resolvers.items()
    }
    try:
        while loader.check_node():
            node = loader.get_node()
            assert node is not None  # check_node said that there is one
            where = f"{name}:{node.start_mark.line + 1}"
            body = loader.construct_document(node)
            if body is None:
                continue
            found += [Manifest(where, item) for item in _objects(where, body)]
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{name}:{mark.line + 1}" if mark is not None else name
        problem = getattr(error, "problem", None) or str(error)
        raise ConfigError(f"{place}: not valid YAML: {problem}") from error
    finally:
        loader.dispose()
    return found


def _objects(where: str, body: Any) -> list[dict[str, Any]]:
    if not isinstance(body, dict):
        raise ConfigError(f"{where}: an object is expected, not {type(body).__name__}")
    if isinstance(body.get("items"), list) and str(body.get("kind", "")).endswith("List"):
        return [item for inner in body["items"] for item in _objects(where, inner)]
    missing = [key for key in ("apiVersion", "kind") if not isinstance(body.get(key), str)]
    meta = body.get("metadata")
    if not missing and (not isinstance(meta, dict) or not (meta.get("name") or meta.get("generateName"))):
        missing = ["metadata.name"]
    if missing:
        raise ConfigError(f"{where}: the object has no {' and no '.join(missing)}")
    return [body]
