"""The structure of the API server: what its generic code may know, and how its parts are put together."""

import ast
import dataclasses
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

import zestor_controller.apiserver
from zestor_controller.apiserver import ApiServer, TokenAuthenticator
from zestor_controller.apiserver.rest.resource import Resource, Subresource
from zestor_controller.apiserver.rest.strategy import BaseStrategy, Strategy, SubresourceStrategy

ROOT = Path(zestor_controller.apiserver.__file__).parent
GENERIC = ("pipeline", "verbs", "request", "response")


def modules(*packages: str) -> Iterator[tuple[str, ast.Module]]:
    for package in packages or (".",):
        for path in sorted((ROOT / package).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text())


def names_of_kinds() -> set[str]:
    """Every kind, plural and group that the server has from the start."""
    resources = ApiServer(TokenAuthenticator({}), rng=random.Random(1)).registry.resources()
    found = {name for each in resources for name in (each.kind, each.plural, each.group)}
    return found - {""}


def literals(tree: ast.Module) -> Iterator[ast.Constant]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node


def test_generic_code_names_no_kind_and_no_group():
    kinds = names_of_kinds()
    assert {"Pod", "namespaces", "apiextensions.k8s.io"} <= kinds
    found = [
        f"{path}:{node.lineno}: {node.value}"
        for path, tree in modules(*GENERIC)
        for node in literals(tree)
        if node.value in kinds
    ]
    assert found == []


def test_no_code_asks_whether_a_resource_is_custom():
    found = [
        f"{path}:{node.lineno}"
        for path, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "custom"
    ]
    assert found == []


def test_members_of_strategies_and_resources_are_called_and_never_looked_up():
    members = {name for name in vars(Strategy) if not name.startswith("_")}
    members |= {each.name for kind in (Resource, Subresource) for each in dataclasses.fields(kind)}
    assert {"reset_fields", "scale_paths", "graceful_delete"} <= members
    found = [
        f"{path}:{node.lineno}: {argument.value}"
        for path, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        if node.func.id in ("getattr", "hasattr", "setattr", "delattr")
        for argument in node.args[1:2]
        if not isinstance(argument, ast.Constant) or argument.value in members
    ]
    assert found == []


def assigned(node: ast.AST) -> Iterator[ast.Attribute]:
    """The attributes that a statement assigns to."""
    targets = node.targets if isinstance(node, ast.Assign) else []
    if isinstance(node, ast.AugAssign | ast.AnnAssign):
        targets = [node.target]
    while targets:
        target = targets.pop()
        if isinstance(target, ast.Tuple | ast.List):
            targets += target.elts
        elif isinstance(target, ast.Attribute):
            yield target


def made_here(function: ast.AST) -> set[str]:
    """The names that a function gives to what it makes by a call of a class: a factory may complete those."""
    found = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            made = node.value.func
            name = made.id if isinstance(made, ast.Name) else made.attr if isinstance(made, ast.Attribute) else ""
            if name.lstrip("_")[:1].isupper() or name == "cls":
                found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.ExceptHandler) and node.name:
            found.add(node.name)  # an exception that is completed before it is raised again
    return found


def fields_of(tree: ast.Module) -> set[str]:
    """The fields of the module's own classes: what it declares, it may keep up to date."""
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    fields = [node for each in classes for node in ast.walk(each) if isinstance(node, ast.AnnAssign | ast.Assign)]
    own = {node.target.id for node in fields if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)}
    return own | {target.attr for node in fields for target in assigned(node) if ast.unparse(target.value) == "self"}


def test_no_attribute_of_another_object_is_assigned_but_by_its_maker_or_its_own_module():
    found = []
    for path, tree in modules():
        fields = fields_of(tree)
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        for function in functions:
            own = {"self", "cls", *made_here(function)}
            for node in ast.walk(function):
                for target in assigned(node):
                    by_name = isinstance(target.value, ast.Name) and target.value.id in own
                    if not by_name and target.attr not in fields:
                        found.append(f"{path}:{target.lineno}: {ast.unparse(target)}")
    assert found == []


@pytest.mark.parametrize("base", [BaseStrategy, SubresourceStrategy])
def test_every_member_of_the_strategy_protocol_has_a_default(base):
    members = [name for name in vars(Strategy) if not name.startswith("_")]
    assert [name for name in members if not callable(getattr(base, name, None))] == []
