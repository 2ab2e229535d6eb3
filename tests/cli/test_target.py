"""Which file of a folder is the operator, and what is shown when it does not import."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from zestor_controller.cli.search import operator_file
from zestor_controller.cli.target import find_target
from zestor_controller.errors import ConfigError
from zestor_controller.testing.processes import zestor

OPERATOR = """
from zestor_controller import *

class S(Spec):
    size: int = 1

class Web(CustomResource[S, Status], group="target.example.org", version="v1", plural="webs"):
    "a web"

webs = Controller(Web)

@webs.reconciler
async def reconcile(web, ctx): ...

manager = Manager(webs)
"""


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    return folder


def test_main_is_taken_whatever_else_defines_an_operator(tmp_path: Path) -> None:
    write(tmp_path, main="", app=OPERATOR, operator=OPERATOR)
    assert operator_file(tmp_path) == tmp_path / "main.py"


def test_the_only_file_that_defines_an_operator_is_taken_and_none_is_imported(tmp_path: Path) -> None:
    write(tmp_path, app=OPERATOR, helpers="raise RuntimeError('imported')", test_app=OPERATOR, conftest=OPERATOR)
    assert operator_file(tmp_path) == tmp_path / "app.py"


@pytest.mark.parametrize(
    "text",
    [
        "from zestor_controller import Controller\nwebs = Controller('v1/Pod').owns('v1/Secret')\n",
        "from zestor_controller.manager import Manager as M\nrunner: object = M()\n",
        "import zestor_controller as z\nwebs = z.Controller('v1/Pod')\n",
        "import zestor_controller.manager\nm = zestor_controller.manager.Manager()\n",
        "import zestor_controller\nfrom parts import build\nif True:\n    manager = build()\n",
        "from zestor_controller import *\ntry:\n    a, b = 1, Controller('v1/Pod')\nexcept ValueError:\n    pass\n",
    ],
)
def test_the_ways_to_define_an_operator(tmp_path: Path, text: str) -> None:
    write(tmp_path, app=text)
    assert operator_file(tmp_path) == tmp_path / "app.py"


@pytest.mark.parametrize(
    "text",
    [
        "from zestor_controller import Manager\ndef make():\n    manager = Manager()\n",
        "from multiprocessing import Manager\nmanager = Manager()\n",
        "from zestor_controller import Client, errors\nCONTROLLER = Client\n",
    ],
)
def test_what_does_not_define_an_operator(tmp_path: Path, text: str) -> None:
    write(tmp_path, app=text)
    with pytest.raises(ConfigError, match=r"no main\.py, and no \.py file in it defines.*looked at app\.py"):
        operator_file(tmp_path)


def test_several_operators_are_named(tmp_path: Path) -> None:
    write(tmp_path, one=OPERATOR, two=OPERATOR)
    done = zestor("run", str(tmp_path))
    assert done.returncode == 2
    assert "one.py, two.py" in done.stderr


def test_a_file_that_is_not_python_is_named_when_no_operator_is_found(tmp_path: Path) -> None:
    write(tmp_path, broken="x = 1\ndef f(:\n")
    with pytest.raises(ConfigError, match=r"broken\.py:2"):
        operator_file(tmp_path)


def test_the_former_name_still_works_and_is_warned_of(tmp_path: Path) -> None:
    write(tmp_path, operator=OPERATOR, other=OPERATOR)
    done = zestor("crd", "generate", str(tmp_path), "--output", "yaml", cwd=tmp_path.parent)
    assert done.returncode == 0, done.stderr
    assert "webs.target.example.org" in done.stdout
    assert "operator.py has the name of Python's standard module 'operator'" in done.stderr
    assert "rename it to main.py" in done.stderr


def test_no_example_has_the_name_of_a_standard_module() -> None:
    files = list((Path(__file__).parents[2] / "examples").rglob("*.py"))
    assert files
    assert [path for path in files if path.stem in sys.stdlib_module_names] == []


def test_a_chart_runs_the_file_that_was_found(tmp_path: Path) -> None:
    write(tmp_path, sites=OPERATOR)
    done = zestor("chart", "init", str(tmp_path), "--out", "chart", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "- sites.py\n" in (tmp_path / "chart/templates/deployment.yaml").read_text()


def test_a_failing_import_shows_the_way_to_it_through_the_users_files(tmp_path: Path) -> None:
    write(tmp_path, main="import deeper\n", deeper="def f():\n    return {}['no-such-key']\n\nf()\n")
    done = zestor("run", str(tmp_path))
    assert done.returncode == 2
    assert "deeper.py:2: KeyError: 'no-such-key'" in done.stderr
    assert 'main.py", line 1' in done.stderr
    assert 'deeper.py", line 4' in done.stderr
    assert "importlib" not in done.stderr
    assert "zestor_controller/cli" not in done.stderr


def test_a_sibling_can_import_the_operators_file_without_running_it_twice(tmp_path: Path) -> None:
    write(
        tmp_path,
        main=OPERATOR + "import late\nassert late.reconcile is reconcile\n",
        late="from main import reconcile\n",
    )
    done = zestor("crd", "generate", str(tmp_path), "--output", "yaml", cwd=tmp_path.parent)
    assert done.returncode == 0, done.stderr


def test_a_place_is_found_before_anything_is_imported(tmp_path: Path) -> None:
    write(tmp_path, main="raise RuntimeError('imported')\n")
    place = find_target(str(tmp_path))
    assert (place.file, place.folder) == (tmp_path / "main.py", tmp_path)
    assert find_target("package.module:attr").attribute == "attr"
