"""Where ``Any`` is on the public surface: in the annotations of what the packages export.

Counted are parameters, results and attributes of every exported function and class, of its base classes in that
package, and what a type alias of theirs contains. Of an overloaded function the overloads count, its implementation is
not public. ``JsonValue`` is counted nowhere: it is the one name for JSON, whose depth no type describes.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)
SPECIAL = {"__init__", "__enter__", "__aenter__", "__iter__", "__next__", "__anext__", "__getitem__", "__call__"}


def any_uses(package: str) -> list[str]:
    """Each use as ``module:line: name``, sorted."""
    module = importlib.import_module(package)
    found: set[str] = set()
    for name in module.__all__:
        value = getattr(module, name)
        if inspect.isclass(value):
            for base in value.__mro__:
                if base.__module__.startswith(package):
                    found |= set(_class_uses(base.__module__, base.__qualname__))
        elif inspect.isfunction(value):
            found |= set(_function_uses(value.__module__, _bodies(value.__module__)[None], value.__name__))
    return sorted(found)


def _class_uses(module: str, name: str) -> Iterator[str]:
    body = _bodies(module).get(name)
    if body is None:
        return
    for node in body:
        if isinstance(node, FUNCTION) and (node.name in SPECIAL or not node.name.startswith("_")):
            yield from _function_uses(module, body, node.name, within=f"{name}.")
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and not node.target.id.startswith("_"):
            yield from _uses(module, node.annotation, f"{name}.{node.target.id}")
        if isinstance(node, FUNCTION) and node.name == "__init__":
            for inner in ast.walk(node):
                if not isinstance(inner, ast.AnnAssign) or not isinstance(inner.target, ast.Attribute):
                    continue
                if not inner.target.attr.startswith("_"):
                    yield from _uses(module, inner.annotation, f"{name}.{inner.target.attr}")


def _function_uses(module: str, body: list[ast.stmt], name: str, within: str = "") -> Iterator[str]:
    functions = [node for node in body if isinstance(node, FUNCTION) and node.name == name]
    overloads = [node for node in functions if any(ast.unparse(d).endswith("overload") for d in node.decorator_list)]
    for node in overloads or functions:
        args = node.args
        given = [*args.posonlyargs, *args.args, *args.kwonlyargs, *filter(None, (args.vararg, args.kwarg))]
        for annotation in [*(one.annotation for one in given if one.arg[0] != "_"), node.returns]:
            if annotation is not None:
                yield from _uses(module, annotation, f"{within}{name}")


def _uses(module: str, annotation: ast.expr, where: str) -> Iterator[str]:
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        annotation = ast.parse(annotation.value, mode="eval").body
    for node in ast.walk(annotation):
        if isinstance(node, ast.Name) and (node.id == "Any" or node.id in _aliases_of_any(module)):
            yield f"{module}:{annotation.lineno}: {where}"


@cache
def _tree(module: str) -> ast.Module:
    return ast.parse(Path(str(sys.modules[module].__file__)).read_text())


@cache
def _bodies(module: str) -> dict[str | None, list[ast.stmt]]:
    """The statements of a module (None) and of its classes."""
    tree = _tree(module)
    return {None: tree.body, **{node.name: node.body for node in tree.body if isinstance(node, ast.ClassDef)}}


@cache
def _aliases_of_any(module: str) -> frozenset[str]:
    """Names that a module assigns, or imports from a module of this package, and whose type contains ``Any``."""
    found: set[str] = set()
    for node in _tree(module).body:
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("zestor_controller"):
            origin = importlib.import_module(str(node.module))
            if Path(str(origin.__file__)).name != "__init__.py":
                aliases = _aliases_of_any(origin.__name__)
                found |= {one.asname or one.name for one in node.names if one.name in aliases}
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
            names = {inner.id for inner in ast.walk(node.value) if isinstance(inner, ast.Name)}
            if isinstance(target, ast.Name) and not isinstance(node.value, ast.Call) and names & {"Any", *found}:
                found.add(target.id)
        found.discard("JsonValue")
    return frozenset(found)
