"""Limits of size and complexity, and names that are unique: no exceptions.

ruff measures the complexity of functions (C901, PLR0912, PLR0913, PLR0915); tests here check that it does, everywhere.
"""

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "zestor_controller"
MAX_MODULE_LINES = 400
MAX_FUNCTION_LINES = 60
SOURCES = ("zestor_controller", "benchmarks", "examples", "tests")
LIMITED = [path for folder in SOURCES[:3] for path in sorted((ROOT / folder).rglob("*.py"))]
COMPLEXITY = {"C901", "PLR0912", "PLR0913", "PLR0915"}
NOUNS = {
    "autoscaling",  # an API group of Kubernetes
    "binding",  # a kind of Kubernetes
    "encoding",  # the form in which something is written: a noun, as in "content encoding"
    "networking",  # an API group of Kubernetes
    "scheduling",  # an API group of Kubernetes
    "timing",  # when things happen: a noun, as in "the timing of retries"
    "testing",  # the customary name of a package for its users' tests, as in numpy
}
"""Names, or the ends of compound ones, that look like gerunds and are nouns."""

_DATA = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.Expr)
_CODE = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.IfExp, ast.Await, ast.NamedExpr)


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def functions(node: ast.AST, prefix: str = "") -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """The functions of a tree, each with its qualified name."""
    for child in ast.iter_child_nodes(node):
        name = prefix
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = f"{prefix}{child.name}."
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield name[:-1], child
        yield from functions(child, name)


def is_data(path: Path) -> bool:
    """Whether a module is a table: imports and assignments of plain values, and no code."""
    module = tree(path)
    return all(isinstance(node, _DATA) for node in module.body) and not any(
        isinstance(node, _CODE) for node in ast.walk(module)
    )


def modules() -> Iterator[Path]:
    """The modules that define something: no packages, and none that only exports another module's names."""
    for path in sorted(PACKAGE.rglob("*.py")):
        definitions = [node for node in tree(path).body if not isinstance(node, ast.Import | ast.ImportFrom | ast.Expr)]
        names = [getattr(node, "name", None) or ast.unparse(node).partition(" ")[0] for node in definitions]
        if path.stem not in ("__init__", "__main__") and set(names) - {"__all__", "__getattr__"}:
            yield path


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def complexity_codes(name: str, source: str) -> set[str]:
    """The codes of complexity that ruff finds in the source of a file of that name, with the project's settings."""
    ruff = str(Path(sys.executable).with_name("ruff"))
    command = [ruff, "check", "--output-format", "json", "--stdin-filename", name, "-"]
    done = subprocess.run(command, cwd=ROOT, input=source, capture_output=True, text=True, check=False)
    return {offence["code"] for offence in json.loads(done.stdout)} & COMPLEXITY


def long_modules() -> set[str]:
    sizes = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in LIMITED if not is_data(path)}
    return {relative(path) for path, size in sizes.items() if size > MAX_MODULE_LINES}


def long_functions() -> set[str]:
    found = ((path, name, function) for path in LIMITED for name, function in functions(tree(path)))
    return {
        f"{relative(path)}:{name}"
        for path, name, function in found
        if (function.end_lineno or 0) - function.lineno + 1 > MAX_FUNCTION_LINES
    }


def exempt_files() -> set[str]:
    lint = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]["lint"]
    exempting = {"C", "C9", "PL", "PLR", *COMPLEXITY}
    return {path for path, codes in lint["per-file-ignores"].items() if exempting & set(codes)}


def activities() -> set[str]:
    names = {relative(path): path.stem for path in modules()}
    names |= {relative(path.parent): path.parent.name for path in PACKAGE.rglob("__init__.py")}
    return {path for path, name in names.items() if name.endswith("ing") and not name.endswith(tuple(NOUNS))}


def shared_classes() -> set[str]:
    places: dict[str, int] = defaultdict(int)
    for path in PACKAGE.rglob("*.py"):
        for node in tree(path).body:
            places[getattr(node, "name", "_")] += isinstance(node, ast.ClassDef)
    return {name for name, count in places.items() if count > 1 and not name.startswith("_")}


def test_no_module_is_too_long() -> None:
    assert long_modules() == set()


def test_no_function_is_too_long() -> None:
    assert long_functions() == set()


def test_a_table_is_distinguished_from_code(tmp_path: Path) -> None:
    table, code = tmp_path / "table.py", tmp_path / "code.py"
    table.write_text('"""Doc."""\nfrom a import Row\nROWS: list[Row] = [Row("a", 1), Row("b", {"c": (2, None)})]\n')
    code.write_text('"""Doc."""\nROWS = [n for n in range(9)]\n')

    assert (is_data(table), is_data(code)) == (True, False)


@pytest.mark.parametrize("folder", ["zestor_controller/store", "tests/store", "benchmarks", "examples/01_website"])
def test_ruff_measures_the_complexity_of_every_function(folder: str) -> None:
    arguments = ", ".join(f"a{number}: int" for number in range(9))
    branches = "\n".join(f"    if a0 == {number}:\n        return {number}" for number in range(16))
    statements = "\n".join(f"    a0 += {number}" for number in range(51))
    source = f"def f({arguments}) -> int:\n{branches}\n{statements}\n    return 0\n"

    assert complexity_codes(f"{folder}/example.py", source) == COMPLEXITY


def test_no_file_is_exempt_from_the_complexity_limits() -> None:
    assert exempt_files() == set()


def test_every_name_that_the_search_for_dead_code_ignores_is_written() -> None:
    ignored = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["vulture"]["ignore_names"]
    text = "\n".join(path.read_text(encoding="utf-8") for path in LIMITED)

    assert [name for name in ignored if not re.search(rf"\b{name}\b", text)] == []


def test_no_comment_exempts_from_the_complexity_limits() -> None:
    comment = re.compile(r"noqa(?!:)|noqa:[^#]*(C90|PLR)")
    sources = [path for folder in SOURCES for path in (ROOT / folder).rglob("*.py") if path != Path(__file__)]

    assert [relative(path) for path in sources if comment.search(path.read_text(encoding="utf-8"))] == []


def test_no_module_is_named_after_an_activity() -> None:
    assert activities() == set()


def test_a_modules_name_is_unique_within_its_top_level_package() -> None:
    places: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path in modules():
        package, *rest = path.relative_to(PACKAGE).parts
        places[package if rest else "", path.stem].append(relative(path))

    assert [paths for paths in places.values() if len(paths) > 1] == []


def test_a_public_classs_name_is_unique_in_the_project() -> None:
    assert shared_classes() == set()
