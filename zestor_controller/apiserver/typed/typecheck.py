"""The type errors of an applied configuration, with the messages of the machinery.

Invariant: everything that is wrong is found in one walk, and nothing is changed. An applied configuration is checked
more strictly than a written object: unknown fields and repeated list items are rejected.

The rules and texts are those of sigs.k8s.io/structured-merge-diff v6 (typed/validate.go).
"""

from __future__ import annotations

import json
from typing import Any, Final

from zestor_controller.apiserver.typed.fieldset import shown_element
from zestor_controller.apiserver.typed.typedef import TypeDef
from zestor_controller.apiserver.typed.value import element_of, path_element

__all__ = ["type_errors"]

_UNTYPED_SCALARS: Final = frozenset({"int-or-string", "quantity", "time", "microtime"})


def type_errors(value: Any, typedef: TypeDef) -> str:
    """What is wrong with a value, one line for each complaint; empty when it fits."""
    found: list[str] = []
    _check(value, typedef, "", found)
    if len(found) < 2:
        return "".join(found)
    return "\n  ".join(["errors:", *found])


def _check(value: Any, typedef: TypeDef, path: str, found: list[str]) -> None:
    if value is None:
        return
    form = typedef.form
    if form == "any":
        form = "list" if isinstance(value, list) else "map" if isinstance(value, dict) else ""
    if form == "scalar":
        _check_scalar(value, typedef, path, found)
    elif form == "list":
        if isinstance(value, list):
            _check_list(value, typedef, path, found)
        else:
            found.append(f"{path}: expected list, got &{{{go_value(value)}}}")
    elif form:
        if not isinstance(value, dict):
            found.append(f"{path}: expected map, got &{{{go_value(value)}}}")
            return
        for name, item in value.items():
            inner = typedef.child(name)
            if inner is None:
                found.append(f"{path}.{name}: field not declared in schema")
                return  # the machinery stops at the first one of a map
            _check(item, inner, f"{path}.{name}", found)


def _check_list(value: list[Any], typedef: TypeDef, path: str, found: list[str]) -> None:
    element = element_of(typedef)
    seen: set[str] = set()
    keyed = typedef.form == "list" and typedef.topology in ("set", "map")
    for index, item in enumerate(value):
        place = f"i:{index}"
        if keyed:
            try:
                place = path_element(typedef, item)
            except ValueError as error:
                found.append(f"{path}: element {index}: {error}")
                return
            if place in seen:
                found.append(f"{path}: duplicate entries for key {shown_element(place)}")
            seen.add(place)
        _check(item, element, path + shown_element(place), found)


def _check_scalar(value: Any, typedef: TypeDef, path: str, found: list[str]) -> None:
    kind = typedef.scalar
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind in _UNTYPED_SCALARS:
        if isinstance(value, dict | list):
            found.append(f"{path}: expected any scalar, got &{{{go_value(value)}}}")
    elif kind in ("integer", "number"):
        if not number:
            found.append(f"{path}: expected numeric (int or float), got {_go_type(value)}")
    elif kind == "boolean":
        if not isinstance(value, bool):
            found.append(f"{path}: expected boolean, got &{{{go_value(value)}}}")
    elif not isinstance(value, str):
        found.append(f"{path}: expected string, got &value.valueUnstructured{{Value:{_go_syntax(value)}}}")


def _go_type(value: Any) -> str:
    if isinstance(value, dict):
        return "map[string]interface {}"
    if isinstance(value, list):
        return "[]interface {}"
    return "bool" if isinstance(value, bool) else "string"


def go_value(value: Any) -> str:
    """A value as Go's ``%v`` prints it."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{go_value(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(map(go_value, value)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "<nil>" if value is None else str(value)


def _go_syntax(value: Any) -> str:
    """A value as Go's ``%#v`` prints it."""
    if isinstance(value, dict):
        inner = ", ".join(f"{json.dumps(key)}:{_go_syntax(value[key])}" for key in sorted(value))
        return f"map[string]interface {{}}{{{inner}}}"
    if isinstance(value, list):
        return "[]interface {}{" + ", ".join(map(_go_syntax, value)) + "}"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return "interface {}(nil)" if value is None else go_value(value)
