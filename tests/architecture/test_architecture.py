"""The architecture: layers, exports, documents, drift, what an import costs."""

import ast
import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import zestor_controller

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "zestor_controller"
MODULES = sorted(PACKAGE.rglob("*.py"))
EXPORTING = sorted(path.parent for path in PACKAGE.rglob("__init__.py") if "__all__" in path.read_text())


@pytest.mark.parametrize("package", EXPORTING, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_packages_exports_are_sorted_and_complete(package: Path) -> None:
    module = importlib.import_module(".".join(package.relative_to(ROOT).parts))
    tree = ast.parse((package / "__init__.py").read_text())
    defined = {node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    imported = {
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname != alias.name  # `x as x` is for this project's packages only
    }
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    public = {name for name in defined | (imported - used) if not name.startswith("_")} - {"annotations"}

    assert module.__all__ == sorted(module.__all__)
    assert [name for name in module.__all__ if not hasattr(module, name)] == []
    assert public <= set(module.__all__)


def test_every_package_that_imports_something_says_what_it_exports() -> None:
    inits = [path for path in PACKAGE.rglob("__init__.py") if path.parent not in EXPORTING]

    assert [path for path in inits if len(ast.parse(path.read_text()).body) > 1] == []


def test_every_name_of_the_root_can_be_imported() -> None:
    names = [name for name in zestor_controller.__all__ if name != "__version__"]
    assert [name for name in names if getattr(zestor_controller, name, None) is None] == []


def test_every_module_imports() -> None:
    found = [m.name for m in pkgutil.walk_packages([str(PACKAGE)], "zestor_controller.")]
    assert len(found) > 60
    for name in found:
        if not name.startswith("zestor_controller.adapters"):
            importlib.import_module(name)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_module_opens_with_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text())), f"{path} has no docstring"


def loaded_by(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_importing_the_store_loads_no_http_library_and_no_kubernetes() -> None:
    loaded = loaded_by("import zestor_controller.store")
    assert not loaded & {"aiohttp", "kubernetes", "kopf", "prometheus_client", "pydantic"}


def test_importing_the_root_loads_next_to_nothing() -> None:
    loaded = loaded_by("import zestor_controller")
    assert not loaded & {"aiohttp", "kubernetes", "kopf", "prometheus_client", "pydantic", "msgspec"}


def test_importing_an_operators_names_loads_no_kubernetes_package() -> None:
    loaded = loaded_by("from zestor_controller import Controller, Manager, CustomResource")
    assert not loaded & {"kubernetes", "kopf"}


def test_the_crds_are_what_the_examples_classes_say() -> None:
    command = [sys.executable, "-m", "zestor_controller.cli.main", "crd", "generate", "examples/01_website", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_changed_crd_file_is_reported_with_its_line(tmp_path: Path) -> None:
    text = (ROOT / "crds" / "websites.demo.zestor.dev.yaml").read_text()
    (tmp_path / "websites.demo.zestor.dev.yaml").write_text(text.replace("maximum: 50", "maximum: 51"))
    command = [sys.executable, "-m", "zestor_controller.cli.main", "crd", "generate", "examples/01_website"]
    command += ["--check", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    line = next(n for n, row in enumerate(text.splitlines(), 1) if "maximum: 50" in row)
    assert done.returncode == 1
    assert f"websites.demo.zestor.dev.yaml:{line}:" in done.stderr


BLOCK = re.compile(r"^```python\n(.*?)^```", re.M | re.S)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCKS = [
    pytest.param(block, id=f"{page.relative_to(ROOT)}-{number}")
    for page in PAGES
    for number, block in enumerate(BLOCK.findall(page.read_text()), 1)
]


@pytest.mark.parametrize("block", BLOCKS)
def test_the_programs_in_the_documents_run(block: str, tmp_path: Path) -> None:
    program = tmp_path / "block.py"
    program.write_text(block)
    done = subprocess.run(
        [sys.executable, "-W", "error", str(program)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_readme_names_exactly_two_commands() -> None:
    text = (ROOT / "README.md").read_text()
    section = text.split("## Two commands", 1)[1].split("\n## ", 1)[0]
    blocks = re.findall(r"^```sh\n(.*?)^```", section, re.M | re.S)
    assert [len(block.strip().splitlines()) for block in blocks] == [1, 1]


def test_the_example_operator_is_short() -> None:
    assert len((ROOT / "examples" / "01_website" / "main.py").read_text().splitlines()) <= 90
