"""`zestor crd generate`: what it writes, prints and finds to differ."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from .conftest import Command, Done

MODELS = """
from zestor_controller import *

class OneSpec(Spec):
    size: int = 1

class One(CustomResource[OneSpec, Status], group="GROUP", version="v1", plural="ones"):
    "the first"

class Two(CustomResource[Spec, Status], group="GROUP", version="v1", plural="twos", namespaced=False):
    "the second"

class Foreign(CustomResource[Spec, Status], group="GROUP", version="v1", plural="foreigns", external=True):
    "of another operator"
"""
GROUP = "crds.example.org"


@pytest.fixture
def models(tmp_path: Path) -> str:
    path = tmp_path / "models_of_crds.py"
    path.write_text(MODELS.replace("GROUP", GROUP))
    return str(path)


def generate(command: Command, models: str, folder: Path, *options: str) -> Done:
    return command("crd", "generate", models, "--out", str(folder), *options)


def test_each_class_that_is_not_external_gets_a_file(command: Command, models: str, tmp_path: Path) -> None:
    out = tmp_path / "a" / "b"

    done = generate(command, models, out)

    assert (done.code, done.out) == (0, "")
    assert sorted(path.name for path in out.iterdir()) == [f"ones.{GROUP}.yaml", f"twos.{GROUP}.yaml"]
    one, two = (yaml.safe_load((out / f"{plural}.{GROUP}.yaml").read_text()) for plural in ("ones", "twos"))
    assert (one["spec"]["scope"], two["spec"]["scope"]) == ("Namespaced", "Cluster")
    assert [line.rpartition(": ")[2] for line in done.err.splitlines()] == ["written", "written"]


def test_a_second_time_nothing_is_written(command: Command, models: str, tmp_path: Path) -> None:
    generate(command, models, tmp_path / "crds")
    (tmp_path / "crds" / f"twos.{GROUP}.yaml").write_text("other\n")
    kept = (tmp_path / "crds" / f"ones.{GROUP}.yaml").stat().st_mtime_ns

    done = generate(command, models, tmp_path / "crds")

    assert [line.rpartition(": ")[2] for line in done.err.splitlines()] == ["unchanged", "written"]
    assert (tmp_path / "crds" / f"ones.{GROUP}.yaml").stat().st_mtime_ns == kept


def test_in_json_only_what_was_written_is_named(command: Command, models: str, tmp_path: Path) -> None:
    path = tmp_path / "crds" / f"ones.{GROUP}.yaml"
    generate(command, models, tmp_path / "crds")
    assert json.loads(generate(command, models, tmp_path / "crds", "--output", "json").out) == {"written": []}
    path.unlink()
    assert json.loads(generate(command, models, tmp_path / "crds", "--output", "json").out) == {"written": [str(path)]}


def test_yaml_prints_the_definitions_and_writes_nothing(command: Command, models: str, tmp_path: Path) -> None:
    done = generate(command, models, tmp_path / "crds", "--output", "yaml")

    assert [crd["spec"]["names"]["kind"] for crd in yaml.safe_load_all(done.out)] == ["One", "Two"]
    assert not (tmp_path / "crds").exists()


def test_what_was_generated_has_no_drift(command: Command, models: str, tmp_path: Path) -> None:
    generate(command, models, tmp_path / "crds")

    done = generate(command, models, tmp_path / "crds", "--check")
    assert (done.code, done.out, done.err) == (0, "", "")
    done = generate(command, models, tmp_path / "crds", "--check", "--output", "json")
    assert (done.code, json.loads(done.out), done.err) == (0, [], "")


def test_drift_and_a_missing_file_are_exit_1_with_their_places(command: Command, models: str, tmp_path: Path) -> None:
    folder = tmp_path / "crds"
    generate(command, models, folder)
    edited, missing = folder / f"ones.{GROUP}.yaml", folder / f"twos.{GROUP}.yaml"
    text = edited.read_text().replace("default: 1", "default: 2")
    edited.write_text(text)
    missing.unlink()
    line = next(number for number, row in enumerate(text.splitlines(), 1) if "default: 2" in row)

    done = generate(command, models, folder, "--check")
    assert (done.code, done.out) == (1, "")
    assert f"{edited}:{line}: " in done.err
    assert f"{missing}:1: " in done.err
    assert "-" in done.err
    assert "default: 2" in done.err
    assert "zestor crd generate" in done.err

    done = generate(command, models, folder, "--check", "--output", "json")
    first, second = json.loads(done.out)
    assert done.code == 1
    assert (first["file"], first["line"]) == (str(edited), line)
    assert "default: 2" in first["diff"]
    assert (second["file"], second["line"]) == (str(missing), 1)
    assert "default: 2" not in done.err  # the difference is in the document
    assert not missing.exists()
    assert edited.read_text() == text


def test_a_module_without_a_class_is_exit_2(command: Command, tmp_path: Path) -> None:
    (tmp_path / "nothing_in_it.py").write_text("x = 1\n")
    done = command("crd", "generate", str(tmp_path / "nothing_in_it.py"))
    assert done.code == 2
    assert "nothing_in_it.py" in done.err
    assert "CustomResource" in done.err
