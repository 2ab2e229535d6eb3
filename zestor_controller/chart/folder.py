"""A chart as a folder: written at first, brought up to date, checked.

Invariants: nothing that another author wrote is overwritten or removed: a generated file that was edited, or a file of
that name that was never generated, makes :func:`sync_chart` refuse before it has written anything. Every trouble is
reported with its file and line.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from zestor_controller.chart.checksum import FileState, file_state, is_header
from zestor_controller.chart.render import is_written_once
from zestor_controller.chart.values import Values
from zestor_controller.crd import drift_of
from zestor_controller.errors import ConfigError

__all__ = ["Synced", "Trouble", "check_chart", "init_chart", "lint_chart", "sync_chart"]

Texts = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with a file of a chart.

    Attributes:
        path: the file.
        line: where, from 1.
        message: what, and what to do.
        diff: from the file to what it should be; empty where that says nothing.
    """

    path: Path
    line: int
    message: str
    diff: str = ""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


@dataclass(frozen=True, slots=True)
class Synced:
    """What a sync did.

    Attributes:
        written: files that changed.
        removed: generated files that the operator does not need any more.
        refused: why nothing was done; empty when it was.
    """

    written: Sequence[Path]
    removed: Sequence[Path]
    refused: Sequence[Trouble] = ()


def init_chart(folder: Path, texts: Texts) -> list[Path]:
    """Write a new chart.

    Raises:
        ConfigError: the folder is a chart already, or holds files of another author.
    """
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder}: is a file; give a folder with --out")
    if (folder / "Chart.yaml").exists():
        raise ConfigError(f"{folder}: is a chart already; `zestor chart sync` brings it up to date")
    foreign = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    if foreign:
        shown = ", ".join(foreign[:3]) + (f" and {len(foreign) - 3} more" if len(foreign) > 3 else "")
        raise ConfigError(f"{folder}: holds files that are not a chart's ({shown}); give an empty folder with --out")
    return [_write(folder / path, text) for path, text in texts.items()]


def sync_chart(folder: Path, texts: Texts) -> Synced:
    """Write the generated files anew, unless one of them was edited; the author's own files are not touched.

    Raises:
        ConfigError: the folder is no chart.
    """
    _require(folder)
    refused = [
        _edited(folder / path, state, text)
        for path, text in texts.items()
        if not is_written_once(path) and (state := _state(folder, path)) in (FileState.EDITED, FileState.FOREIGN)
    ]
    stale = _stale(folder, texts)
    refused += [_edited(folder / path, FileState.EDITED, "") for path, state in stale if state is FileState.EDITED]
    if refused:
        return Synced((), (), refused)
    written = [
        _write(folder / path, text)
        for path, text in texts.items()
        if not is_written_once(path) and drift_of(folder / path, text) is not None
    ]
    for path, _ in stale:
        (folder / path).unlink()
    return Synced(written, [folder / path for path, _ in stale])


def check_chart(folder: Path, texts: Texts) -> list[Trouble]:
    """What is not as the operator's code says, and what is wrong with the values.

    Raises:
        ConfigError: the folder is no chart.
    """
    _require(folder)
    troubles: list[Trouble] = []
    for path, text in texts.items():
        if is_written_once(path):
            continue
        state = _state(folder, path)
        if state in (FileState.EDITED, FileState.FOREIGN):
            troubles.append(_edited(folder / path, state, text))
        elif (drift := drift_of(folder / path, text)) is not None:
            what = "is missing" if state is FileState.MISSING else "is not what the operator says"
            line = _first_change(drift.path, text)
            troubles.append(Trouble(drift.path, line, f"{what}; run `zestor chart sync`", drift.diff))
    for path, _ in _stale(folder, texts):
        troubles.append(Trouble(folder / path, 1, "is not part of the chart any more; run `zestor chart sync`"))
    return troubles + _values(folder / "values.yaml", {}, complete=True)


def lint_chart(folder: Path, texts: Texts) -> list[Trouble]:
    """What :func:`check_chart` finds, the values files of ``ci/``, and what Helm says where it is on the PATH."""
    troubles = check_chart(folder, texts)
    base = _read(folder / "values.yaml") if (folder / "values.yaml").exists() else {}
    examples = sorted((folder / "ci").glob("*-values.yaml"))
    for path in examples:
        troubles += _values(path, base if isinstance(base, dict) else {}, complete=False)
    helm = shutil.which("helm")
    if helm is None or troubles:
        return troubles
    for values in (None, *examples):
        given = ["--values", str(values)] if values is not None else []
        for command in (["lint", "--strict", str(folder)], ["template", "lint", str(folder)]):
            with tempfile.TemporaryDirectory() as home:  # no user's plugins or repositories
                environment = {"PATH": "/usr/bin:/bin", "HOME": home}
                done = subprocess.run(
                    [helm, *command, *given], capture_output=True, text=True, env=environment, check=False
                )
            if done.returncode:
                message = " ".join((done.stderr or done.stdout).split())
                troubles.append(Trouble(values or folder / "values.yaml", 1, f"helm {command[0]}: {message}"))
    return troubles


def _require(folder: Path) -> None:
    if not (folder / "Chart.yaml").is_file():
        raise ConfigError(f"{folder}: is no chart; `zestor chart init` writes one")


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def _state(folder: Path, path: str) -> FileState:
    file = folder / path
    return file_state(file.read_text(encoding="utf-8") if file.exists() else None)


def _edited(path: Path, state: FileState, text: str) -> Trouble:
    drift = drift_of(path, text)
    line = _first_change(path, text) if text else 1
    what = "was edited by hand" if state is FileState.EDITED else "was not written by `zestor chart`"
    way_out = "move the change to values.yaml or to a file of your own, then delete this one and sync"
    return Trouble(path, line, f"{what}; {way_out}", drift.diff if drift is not None else "")


def _first_change(path: Path, text: str) -> int:
    """The first line, from 1, that differs and is not the checksum header: a checksum always does."""
    present = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    lines = zip_longest(present, text.splitlines())
    changed = (number for number, (old, new) in enumerate(lines, 1) if old != new and not is_header(old or new or ""))
    return next(changed, 1)


def _stale(folder: Path, texts: Texts) -> list[tuple[str, FileState]]:
    """Generated files that the chart has not any more."""
    found: list[tuple[str, FileState]] = []
    for file in sorted(folder.rglob("*")):
        path = file.relative_to(folder).as_posix()
        if path not in texts and file.suffix in (".yaml", ".tpl", ".txt") and not is_written_once(path):
            state = file_state(file.read_text(encoding="utf-8"))
            if state in (FileState.GENERATED, FileState.EDITED):
                found.append((path, state))
    return found


# Values


def _read(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError:
        return None


def _values(path: Path, base: Mapping[str, Any], *, complete: bool) -> list[Trouble]:
    """What is wrong with a values file that is laid over others."""
    if not path.exists():
        return [Trouble(path, 1, "is missing; every chart has one")]
    text = path.read_text(encoding="utf-8")
    try:
        document = yaml.safe_load(text) or {}
        node = yaml.compose(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        return [Trouble(path, mark.line + 1 if mark else 1, f"is no YAML: {getattr(error, 'problem', error)}")]
    if not isinstance(document, dict):
        return [Trouble(path, 1, "values are a mapping")]
    troubles = []
    merged = _merged(base, document)
    merged.pop("global", None)
    try:
        Values.model_validate(merged)
    except ValidationError as error:
        for found in error.errors():
            where = [part for part in found["loc"] if not isinstance(part, str) or part not in ("str", "int")]
            name = ".".join(str(part) for part in where)
            message = "is unknown" if found["type"] == "extra_forbidden" else found["msg"]
            troubles.append(Trouble(path, _line_of(node, where), f"{name}: {message}"))
    if complete:
        for missing in _missing(Values().model_dump(by_alias=True), document):
            name = ".".join(missing)
            troubles.append(Trouble(path, _line_of(node, missing), f"{name}: is missing, and templates read it"))
    return troubles


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        before = merged.get(key)
        merged[key] = _merged(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return merged


FREE = ("resources", "podSecurityContext", "securityContext")


def _missing(wanted: Mapping[str, Any], found: Mapping[str, Any], path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    missing: list[tuple[str, ...]] = []
    for key, value in wanted.items():
        where = (*path, key)
        if key not in found:
            missing.append(where)
        elif isinstance(value, dict) and isinstance(found[key], dict) and key not in FREE:
            missing += _missing(value, found[key], where)
    return missing


def _line_of(node: Any, where: Sequence[Any]) -> int:
    """The line of a value, or of what it is missing from."""
    line = 1
    for part in where:
        if isinstance(node, yaml.MappingNode):
            pair = next(((key, value) for key, value in node.value if key.value == str(part)), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line
