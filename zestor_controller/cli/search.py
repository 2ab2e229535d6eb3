"""The operator's file in a folder, found by parsing: no file of the folder is imported or executed.

Invariant: a folder has one operator or the search fails and names the candidates; which file is taken does not depend
on the order in which the file system lists them.
"""

from __future__ import annotations

import ast
import logging
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from zestor_controller.errors import ConfigError

__all__ = ["operator_file", "warn_of_shadowing"]

_log = logging.getLogger(__name__)

MAIN: Final = "main.py"
FORMER: Final = "operator.py"
PACKAGE: Final = "zestor_controller"
DEFINING: Final = ("Manager", "Controller")


def operator_file(folder: Path) -> Path:
    """The file that defines a folder's operator: ``main.py``, else the only one that defines a Manager or Controllers.

    ``operator.py``, which was the name once, is still taken before the others.

    Raises:
        ConfigError: there is no such file, or there are several.
    """
    for name in (MAIN, FORMER):
        if (folder / name).is_file():
            return folder / name
    files = [path for path in sorted(folder.glob("*.py")) if path.is_file() and not _is_test(path)]
    found: list[Path] = []
    broken: list[str] = []
    for path in files:
        try:
            tree = ast.parse(path.read_bytes(), str(path))
        except SyntaxError as error:
            broken.append(f"{path.name}:{error.lineno}: {error.msg}")
            continue
        except ValueError as error:  # a null byte, in some versions of Python
            broken.append(f"{path.name}: {error}")
            continue
        if _defines_operator(tree):
            found.append(path)
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(path.name for path in found)
        raise ConfigError(
            f"{folder}: several files define a Manager or Controllers: {names}; name one of them, such as "
            f"{found[0]}, or call the operator's file {MAIN}"
        )
    looked = f" (looked at {', '.join(path.name for path in files)})" if files else ""
    unread = f"; not valid Python: {'; '.join(broken)}" if broken else ""
    raise ConfigError(
        f"{folder}: the folder has no {MAIN}, and no .py file in it defines a Manager or a Controller{looked}{unread}; "
        "name the operator's file instead of the folder"
    )


def warn_of_shadowing(path: Path) -> None:
    """Log a warning when a file has the name of a module of the standard library."""
    if path.stem in sys.stdlib_module_names:
        _log.warning(
            "%s has the name of Python's standard module %r, and hides it from every program that is started in its "
            "folder: rename it to %s",
            path,
            path.stem,
            MAIN,
        )


def _is_test(path: Path) -> bool:
    return path.stem.startswith("test_") or path.stem.endswith("_test") or path.stem == "conftest"


def _defines_operator(tree: ast.Module) -> bool:
    """Whether a module-level assignment makes a Manager or a Controller, or sets `manager` in a module that uses us."""
    names, modules = _imported(tree)
    for statement in _module_level(tree.body):
        if not isinstance(statement, ast.Assign | ast.AnnAssign) or statement.value is None:
            continue
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        if (names or modules) and any(isinstance(t, ast.Name) and t.id == "manager" for t in targets):
            return True
        if any(_makes_one(node, names, modules) for node in ast.walk(statement.value)):
            return True
    return False


def _module_level(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that are executed when the module is imported, but for those in loops."""
    for statement in body:
        yield statement
        if isinstance(statement, ast.If | ast.Try | ast.With):
            for field in ("body", "orelse", "finalbody"):
                yield from _module_level(getattr(statement, field, ()))
            for handler in getattr(statement, "handlers", ()):
                yield from _module_level(handler.body)


def _imported(tree: ast.Module) -> tuple[dict[str, str], set[str]]:
    """What a module imports from this package: local names with the names they had, and names of modules."""
    names: dict[str, str] = {}
    modules: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == PACKAGE:
            for alias in node.names:
                if alias.name == "*":
                    names |= {name: name for name in DEFINING}
                else:
                    names[alias.asname or alias.name] = alias.name
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.partition(".")[0] == PACKAGE:
                    modules.add(alias.asname or PACKAGE)
    return names, modules


def _makes_one(node: ast.AST, names: dict[str, str], modules: set[str]) -> bool:
    if not isinstance(node, ast.Call):
        return False
    function = node.func
    if isinstance(function, ast.Subscript):  # Controller[Website](...)
        function = function.value
    if isinstance(function, ast.Name):
        return names.get(function.id) in DEFINING
    if isinstance(function, ast.Attribute) and function.attr in DEFINING:
        base: ast.expr = function.value
        while isinstance(base, ast.Attribute):
            base = base.value
        return isinstance(base, ast.Name) and (base.id in modules or base.id in names)
    return False
