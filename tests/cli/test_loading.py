"""What an operator may be: a file, a folder, a module or one of its attributes; and what is not one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from zestor_controller.cli.target import Place, find_target, forget_modules, load_target, source_files
from zestor_controller.errors import ConfigError

HEAD = "from zestor_controller import *\n"
MODEL = (
    "class {name}(CustomResource[Spec, Status], group='loading.example', version='v1', plural='{plural}'):\n    'one'\n"
)


@pytest.fixture(autouse=True)
def _imports() -> Iterator[None]:
    """What a test imports is forgotten after it."""
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if not name.startswith("zestor_controller"):
            del sys.modules[name]


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / f"{name}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_the_manager_of_a_module_is_taken_before_its_controllers(tmp_path: Path) -> None:
    text = (
        HEAD
        + "one = Controller('v1/Pod', name='one')\ntwo = Controller('v1/Pod', name='two')\nmanager = Manager(two)\n"
    )
    target = load_target(str(written(tmp_path, "loading_a", text)))

    assert target.manager is not None
    assert [c.name for c in target.manager.controllers] == ["two"]
    assert (target.models, target.folder) == ([], tmp_path)


def test_without_a_manager_all_controllers_are_run_in_the_order_they_are_written(tmp_path: Path) -> None:
    text = HEAD + "b = Controller('v1/Pod', name='b')\na = Controller('v1/Secret', name='a')\n"
    target = load_target(str(written(tmp_path, "loading_b", text)))

    assert target.manager is not None
    assert [c.name for c in target.manager.controllers] == ["b", "a"]


def test_a_controller_that_is_called_manager_is_run(tmp_path: Path) -> None:
    target = load_target(str(written(tmp_path, "loading_c", HEAD + "manager = Controller('v1/Pod', name='m')\n")))

    assert target.manager is not None
    assert [c.name for c in target.manager.controllers] == ["m"]


def test_a_manager_of_another_type_is_passed_over(tmp_path: Path) -> None:
    text = HEAD + "manager = 'Ms Smith'\nc = Controller('v1/Pod', name='c')\n"
    target = load_target(str(written(tmp_path, "loading_d", text)))

    assert target.manager is not None
    assert [c.name for c in target.manager.controllers] == ["c"]


def test_the_models_are_the_modules_and_the_controllers_sorted_by_name_and_each_once(tmp_path: Path) -> None:
    written(tmp_path, "loading_models", HEAD + MODEL.format(name="Elsewhere", plural="es"))
    text = (
        HEAD
        + "import loading_models\n"
        + MODEL.format(name="Zebra", plural="zs")
        + MODEL.format(name="Ant", plural="as")
    )
    text += "again = Ant\nc = Controller(loading_models.Elsewhere)\nd = Controller(Ant)\n"

    target = load_target(str(written(tmp_path, "loading_e", text)))

    assert [model.__name__ for model in target.models] == ["Ant", "Elsewhere", "Zebra"]


def test_a_module_of_models_only_has_no_manager(tmp_path: Path) -> None:
    target = load_target(str(written(tmp_path, "loading_f", HEAD + MODEL.format(name="Only", plural="onlys"))))

    assert target.manager is None
    assert [model.__name__ for model in target.models] == ["Only"]


def test_a_module_is_imported_by_its_name_from_the_present_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, "loading_package/__init__", "")
    text = (
        HEAD
        + "from . import parts\nmanager = Manager(parts.controller)\nspare = Controller('v1/Secret', name='spare')\n"
    )
    written(tmp_path, "loading_package/app", text)
    written(tmp_path, "loading_package/parts", HEAD + "controller = Controller('v1/Pod', name='of a part')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])

    target = load_target("loading_package.app")
    assert target.manager is not None
    assert [c.name for c in target.manager.controllers] == ["of a part"]
    assert target.folder == tmp_path / "loading_package"

    target = load_target("loading_package.app:spare")
    assert target.manager is not None
    assert [c.name for c in target.manager.controllers] == ["spare"]


@pytest.mark.parametrize(
    ("attribute", "message"),
    [
        ("nothing", "has no 'nothing'"),
        ("number", "number is no Manager and no Controller, but int"),
        ("Manager", "Manager is no Manager and no Controller, but type"),
    ],
)
def test_an_attribute_that_cannot_be_run_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, attribute: str, message: str
) -> None:
    written(tmp_path, "loading_g", HEAD + "number = 7\nc = Controller('v1/Pod')\n")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(ConfigError, match=message):
        load_target(f"loading_g:{attribute}")


@pytest.mark.parametrize("text", ["no/such/folder", "a-b", "a..b", "1a:b", "x y", "loading.py.", "no_such_file.py"])
def test_what_is_neither_a_file_nor_a_modules_name(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="no such file"):
        find_target(text)


def test_a_module_that_does_not_exist_is_named() -> None:
    with pytest.raises(ConfigError, match="ModuleNotFoundError: No module named 'no_such_module_at_all'"):
        load_target("no_such_module_at_all:x")


def test_a_file_that_is_there_is_a_file_whatever_its_name_is(tmp_path: Path) -> None:
    path = tmp_path / "operator-of-mine.v2.py"
    path.write_text(HEAD + "c = Controller('v1/Pod', name='c')\n")

    assert find_target(str(path)) == Place(str(path), path)
    target = load_target(str(path))
    assert target.manager is not None


def test_a_file_that_is_no_python_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "operator.txt").write_text("hello")
    with pytest.raises(ConfigError, match=r"operator\.txt: not a Python file"):
        load_target(str(tmp_path / "operator.txt"))


def test_a_file_never_takes_the_place_of_another_module(tmp_path: Path) -> None:
    import json

    load_target(str(written(tmp_path, "json", HEAD + "c = Controller('v1/Pod', name='c')\n")))

    assert sys.modules["json"] is json
    assert json.loads("1") == 1


def test_a_library_of_the_standard_is_not_hidden_by_a_sibling(tmp_path: Path) -> None:
    written(tmp_path, "sched", "raise RuntimeError('the sibling')\n")
    text = HEAD + "import sched\nassert sched.scheduler\nc = Controller('v1/Pod', name='c')\n"

    load_target(str(written(tmp_path, "loading_h", text)))


def test_a_file_that_exits_while_it_is_imported_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"loading_i\.py: exits while being imported.*__main__"):
        load_target(str(written(tmp_path, "loading_i", "raise SystemExit(0)\n")))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = (\n", r"loading_j\.py:1: "),
        (HEAD + "\nraise ValueError('a\\n  b')\n", r"loading_j\.py:3: ValueError: a b"),
        (HEAD + "\nManager(Controller('v1/Pod'), Controller('v1/Pod'))\n", r"loading_j\.py:3: two controllers"),
        (HEAD + "from no_such_thing import x\n", r"loading_j\.py:2: ModuleNotFoundError"),
        ("x = 1\n", "no Manager, no Controller and no CustomResource"),
    ],
)
def test_a_failure_while_importing_names_the_users_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_target(str(written(tmp_path, "loading_j", text)))


def test_the_sources_of_a_folder_are_the_users_own(tmp_path: Path) -> None:
    for name in ("a", "b/c", ".venv/x", "b/node_modules/y", "z/site-packages/q", "__pycache__/p", ".hidden/h"):
        written(tmp_path, name, "")
    (tmp_path / "notes.txt").write_text("")

    assert source_files(tmp_path) == [tmp_path / "a.py", tmp_path / "b" / "c.py"]


def test_forgotten_modules_are_imported_anew_and_only_those_of_the_folder(tmp_path: Path) -> None:
    helper = written(tmp_path, "loading_helper", "VALUE = 1\n")
    main = written(tmp_path, "loading_k", HEAD + "import loading_helper\nc = Controller('v1/Pod', name='c')\n")
    load_target(str(main))
    assert sys.modules["loading_helper"].VALUE == 1
    package = sys.modules["zestor_controller"]
    helper.write_text("VALUE = 'another one'\n")

    forget_modules(tmp_path)
    assert not {"loading_helper", "loading_k"} & set(sys.modules)
    assert sys.modules["zestor_controller"] is package
    load_target(str(main))
    assert sys.modules["loading_helper"].VALUE == "another one"
