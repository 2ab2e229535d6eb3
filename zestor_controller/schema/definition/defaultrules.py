"""The rules of defaults: a default must itself be a valid value, without fields that would be pruned from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from zestor_controller.schema.embeddedresource import embedded_check
from zestor_controller.schema.fielddefaulter import copy_json
from zestor_controller.schema.fielderror import FieldError, invalid
from zestor_controller.schema.fieldpruner import pruner
from zestor_controller.schema.ratchet import equal
from zestor_controller.schema.structural import META_FIELDS, Structural
from zestor_controller.schema.validation import Validator

__all__ = ["check_defaults"]

Surround = Callable[[Any], Any]
"""From a default to the object that it would stand in."""


def check_defaults(root: Structural, path: str) -> list[FieldError]:
    """What is wrong with the defaults of a schema.

    Args:
        root: the schema of a whole object, known to be structural.
        path: where it stands, for the complaints.
    """
    return list(_check(root, path, root, lambda value: value, inside_meta=False, is_object=True))


def _check(
    node: Structural, path: str, owner: Structural, surround: Surround, *, inside_meta: bool, is_object: bool = False
) -> Iterator[FieldError]:
    is_object = is_object or node.embedded
    if node.embedded:
        owner, surround, inside_meta = node, lambda value: value, False
    if node.default is not None:
        yield from _check_one(node, f"{path}.default", owner, surround, inside_meta=inside_meta, is_object=is_object)
    if node.items is not None:
        around = _nested(surround, lambda value: [value])
        yield from _check(node.items, f"{path}.items", owner, around, inside_meta=inside_meta)
    for name, inner in node.properties.items():
        around = _nested(surround, lambda value, name=name: {name: value})
        within = inside_meta or (is_object and name in META_FIELDS)
        yield from _check(inner, f"{path}.properties[{name}]", owner, around, inside_meta=within)


def _nested(outer: Surround, inner: Callable[..., Any]) -> Surround:
    return lambda value: outer(inner(value))


def _check_one(
    node: Structural, path: str, owner: Structural, surround: Surround, *, inside_meta: bool, is_object: bool
) -> Iterator[FieldError]:
    default = node.default
    found: list[FieldError] = []
    if inside_meta:
        whole = surround(copy_json(default))
        whole = {"apiVersion": "validation/v1", "kind": "Validation", **whole} if isinstance(whole, dict) else whole
        check = embedded_check(owner, is_object=True)
        if check is not None:
            check(whole, "", found)
        if found:
            texts = [error.message() for error in found]
            why = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
            yield invalid(path, default, f"must result in valid metadata: {why}")
            return
    else:
        pruned = copy_json(default)
        pruner(node, is_object=is_object)(pruned, None)
        if not equal(pruned, default):
            yield invalid(path, default, "must not have unknown fields")
        check = embedded_check(node, is_object=is_object)
        if check is not None:
            check(default, path, found)
        if found:
            yield from found
            return
    yield from Validator(node.raw, of_default=True).validate(default, path)
