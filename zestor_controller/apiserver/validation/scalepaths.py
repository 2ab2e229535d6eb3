"""The rules of the fields that a custom resource's scale is made of."""

from __future__ import annotations

from typing import Any

from zestor_controller.apiserver.rest.resource import ScalePaths
from zestor_controller.apiserver.typed.typedef import Json
from zestor_controller.schema import gotext
from zestor_controller.schema.fielderror import FieldError, invalid

__all__ = ["check_spec", "check_status", "find", "paths_of"]

_MAX = 2**31 - 1
_GO_TYPES = {str: "string", bool: "bool", int: "int64", float: "float64", list: "[]interface {}",
             dict: "map[string]interface {}"}  # fmt: skip


def paths_of(scale: Json) -> ScalePaths:
    """The paths that a definition states."""
    return ScalePaths(scale["specReplicasPath"], scale["statusReplicasPath"], scale.get("labelSelectorPath") or "")


class _WrongType(ValueError):
    """A value, or one on the way to it, has the wrong type; the message is Go's."""


def find(obj: Json, path: str, wanted: type, expected: str) -> Any:
    """The value at a path; None if it is absent.

    Raises:
        ValueError: it, or one on the way to it, has another type.
    """
    names = path.removeprefix(".").split(".")
    value: Any = obj
    for index, name in enumerate(names):
        if value is None:
            return None
        if not isinstance(value, dict):
            raise _WrongType(_complaint(names[: index + 1], value, "map[string]interface{}"))
        if name not in value:
            return None
        value = value[name]
    if type(value) is not wanted:
        raise _WrongType(_complaint(names, value, expected))
    return value


def _complaint(names: list[str], value: Any, expected: str) -> str:
    shown = value if isinstance(value, str) else "<nil>" if value is None else gotext.encode(value)
    found = _GO_TYPES.get(type(value), "<nil>")
    return f".{'.'.join(names)} accessor error: {shown} is of the type {found}, expected {expected}"


def _check_number(obj: Json, path: str) -> list[FieldError]:
    try:
        value = find(obj, path, int, "int64")
    except _WrongType as error:
        return [invalid(path, 0, str(error))]
    if value is None:
        return []
    if value < 0:
        return [invalid(path, value, "should be a non-negative integer")]
    return [invalid(path, value, f"should be less than or equal to {_MAX}")] if value > _MAX else []


def check_spec(obj: Json, paths: ScalePaths) -> list[FieldError]:
    """What is wrong with the wanted number of replicas."""
    return _check_number(obj, paths.spec_replicas)


def check_status(obj: Json, paths: ScalePaths) -> list[FieldError]:
    """What is wrong with the present number of replicas, and with the selector."""
    found = _check_number(obj, paths.status_replicas)
    if paths.label_selector:
        try:
            find(obj, paths.label_selector, str, "string")
        except _WrongType as error:
            found.append(invalid(paths.label_selector, "", str(error)))
    return found
