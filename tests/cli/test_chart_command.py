"""`zestor chart`: results in JSON, exit codes, and where a chart goes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from .conftest import Command

OPERATOR = """
from zestor_controller import *

class WebSpec(Spec):
    size: int = 1

class Web(CustomResource[WebSpec, Status], group="charts.example.org", version="v1", plural="webs"):
    "a web"

webs = Controller(Web)

@webs.reconciler
async def reconcile(web, ctx): ...
"""


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An operator in the present folder."""
    (tmp_path / "charted_operator.py").write_text(OPERATOR)
    monkeypatch.chdir(tmp_path)
    return "charted_operator.py"


def test_a_chart_is_written_under_the_operators_name_unless_a_folder_is_given(
    command: Command, target: str, tmp_path: Path
) -> None:
    done = command("chart", "init", target, "--output", "json")
    written = json.loads(done.out)
    assert (done.code, written["chart"]) == (0, "charts/web-operator")
    assert "charts/web-operator/Chart.yaml" in written["written"]
    assert yaml.safe_load((tmp_path / "charts/web-operator/Chart.yaml").read_text())["name"] == "web-operator"

    done = command("chart", "init", target, "--out", "mine")
    assert (done.code, done.out) == (0, "")
    assert (tmp_path / "mine" / "Chart.yaml").is_file()
    assert "mine/values.yaml" in done.err


def test_the_deployment_runs_the_operators_file(command: Command, target: str, tmp_path: Path) -> None:
    command("chart", "init", target, "--out", "mine")

    assert f"- {target}\n" in (tmp_path / "mine/templates/deployment.yaml").read_text()


def test_sync_names_what_it_wrote_and_removed(command: Command, target: str, tmp_path: Path) -> None:
    command("chart", "init", target, "--out", "mine")
    assert json.loads(command("chart", "sync", target, "--out", "mine", "--output", "json").out) == {
        "chart": "mine",
        "written": [],
        "removed": [],
    }
    assert "unchanged" in command("chart", "sync", target, "--out", "mine").err
    (tmp_path / target).write_text(
        OPERATOR.replace("webs.example", "x").replace('"webs"', '"sites"').replace("size", "width")
    )

    done = command("chart", "sync", target, "--out", "mine", "--output", "json")

    result = json.loads(done.out)
    assert (done.code, done.err) == (0, "")
    assert "mine/templates/crds/sites.charts.example.org.yaml" in result["written"]
    assert result["removed"] == ["mine/templates/crds/webs.charts.example.org.yaml"]


def test_an_edited_file_stops_sync_and_is_named_in_json(command: Command, target: str, tmp_path: Path) -> None:
    command("chart", "init", target, "--out", "mine")
    edited = tmp_path / "mine/templates/deployment.yaml"
    edited.write_text(edited.read_text() + "# mine\n")
    before = {path: path.read_text() for path in (tmp_path / "mine").rglob("*") if path.is_file()}
    (tmp_path / target).write_text(OPERATOR.replace("size", "width"))

    done = command("chart", "sync", target, "--out", "mine", "--output", "json")

    assert done.code == 1
    assert [row["file"] for row in json.loads(done.out)] == ["mine/templates/deployment.yaml"]
    assert {path: path.read_text() for path in (tmp_path / "mine").rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("verb", ["check", "lint"])
def test_what_differs_from_the_code_is_exit_1_with_the_file_the_line_and_the_difference(
    command: Command, target: str, tmp_path: Path, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # without Helm
    command("chart", "init", target, "--out", "mine")
    assert command("chart", verb, target, "--out", "mine").code == 0
    (tmp_path / target).write_text(OPERATOR.replace("size: int = 1", "size: int = 2"))

    done = command("chart", verb, target, "--out", "mine", "--output", "json")

    rows = json.loads(done.out)
    assert done.code == 1
    row = next(row for row in rows if row["file"] == "mine/templates/crds/webs.charts.example.org.yaml")
    line = (tmp_path / row["file"]).read_text().splitlines()[row["line"] - 1]
    assert "default: 1" in line
    assert "default: 2" in row["diff"]
    assert row["message"]

    done = command("chart", verb, target, "--out", "mine")
    assert (done.code, done.out) == (1, "")
    assert f"{row['file']}:{row['line']}" in done.err
    assert "default: 2" in done.err


def test_a_module_of_models_has_no_chart(command: Command, tmp_path: Path) -> None:
    (tmp_path / "models_without_operator.py").write_text(OPERATOR.partition("webs = ")[0])

    done = command("chart", "init", str(tmp_path / "models_without_operator.py"), "--out", str(tmp_path / "mine"))

    assert done.code == 2
    assert "models_without_operator.py" in done.err
    assert not (tmp_path / "mine").exists()
