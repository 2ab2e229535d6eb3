"""Kubernetes objects within an object (``x-kubernetes-embedded-resource``).

They have a kind, an apiVersion and proper metadata, whatever the rest of the schema says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from zestor_controller.schema import nameformat
from zestor_controller.schema.fielderror import FieldError, forbidden, invalid, required, too_long
from zestor_controller.schema.structural import Structural

__all__ = ["Coercer", "CoercionError", "EmbeddedCheck", "MetadataReader", "coercer", "embedded_check"]

MetadataReader = Callable[[Any], tuple[dict[str, Any], list[str]]]
"""Reads ObjectMeta: the metadata as Go writes it, and the paths of unknown fields in it; ValueError in Go's words."""

Coercer = Callable[[Any, str, "list[str] | None"], None]
"""Brings the metadata of embedded objects into shape, in place; unknown fields are added to the list, if any."""

EmbeddedCheck = Callable[[Any, str, list[FieldError]], None]

_MAX_ANNOTATIONS = 256 * 1024


class CoercionError(ValueError):
    """An embedded object cannot be read as one."""

    def __init__(self, error: FieldError) -> None:
        super().__init__(error.message())
        self.error = error


def _walk(
    node: Structural, make: Callable[[Structural], Callable[..., None] | None], embedded: bool
) -> Callable[..., None] | None:
    """Closures that go where embedded objects are; None when there are none."""
    here = make(node) if embedded else None
    fields = {name: step for name, inner in node.properties.items() if (step := _walk(inner, make, inner.embedded))}
    others = _walk(node.additional, make, node.additional.embedded) if node.additional is not None else None
    items = _walk(node.items, make, node.items.embedded) if node.items is not None else None
    if here is None and not fields and others is None and items is None:
        return None

    def visit(value: Any, path: str, found: Any) -> None:
        if type(value) is dict:
            if here is not None:
                here(value, path, found)
            for name, inner in list(value.items()):
                if name in fields:
                    fields[name](inner, f"{path}.{name}" if path else name, found)
                elif others is not None and name not in node.properties:
                    others(inner, f"{path}[{name}]", found)
        elif type(value) is list and items is not None:
            for index, inner in enumerate(value):
                items(inner, f"{path}[{index}]", found)

    return visit


def coercer(node: Structural, reader: MetadataReader, *, is_object: bool = False) -> Coercer | None:
    """What reads the metadata of embedded objects; None when a schema has none.

    Raises:
        CoercionError: when called: an embedded object cannot be read.
    """

    def coerce(value: dict[str, Any], path: str, unknown: list[str] | None) -> None:
        prefix = f"{path}." if path else ""
        for name in ("apiVersion", "kind"):
            if name in value and not isinstance(value[name], str):
                raise CoercionError(invalid(prefix + name, value[name], "must be a string"))
        if "metadata" in value:
            try:
                value["metadata"], strange = reader(value["metadata"])
            except ValueError as error:
                raise CoercionError(invalid(f"{prefix}metadata", value["metadata"], str(error))) from None
            if unknown is not None:
                unknown.extend(f"{prefix}metadata.{name}" for name in strange)

    return _walk(node, lambda _: coerce, is_object or node.embedded)


def embedded_check(node: Structural, *, is_object: bool = False) -> EmbeddedCheck | None:
    """What checks embedded objects; None when a schema has none."""

    def check(value: dict[str, Any], path: str, found: list[FieldError]) -> None:
        found.extend(_check(value, f"{path}." if path else ""))

    return _walk(node, lambda _: check, is_object or node.embedded)


def _check(value: dict[str, Any], prefix: str) -> Iterator[FieldError]:
    for name in ("apiVersion", "kind"):
        if name not in value:
            yield required(prefix + name)
        elif not isinstance(value[name], str):
            yield invalid(prefix + name, value[name], "must be a string")
        elif not value[name]:
            yield invalid(prefix + name, "", "must not be empty")
        elif name == "apiVersion" and value[name].count("/") > 1:
            yield invalid(prefix + name, value[name], f"unexpected GroupVersion string: {value[name]}")
        elif name == "kind" and (wrong := nameformat.dns1035_label(value[name].lower())):
            why = "may have mixed case, but should otherwise match: " + ",".join(wrong)
            yield invalid(prefix + name, value[name], why)
    metadata = value.get("metadata")
    if isinstance(metadata, dict):
        yield from _check_metadata(metadata, f"{prefix}metadata")


def _check_metadata(metadata: dict[str, Any], path: str) -> Iterator[FieldError]:
    prefix = metadata.get("generateName")
    if isinstance(prefix, str):
        yield from (invalid(f"{path}.generateName", prefix, why) for why in nameformat.path_segment(f"{prefix}x"))
    name = metadata.get("name")
    if isinstance(name, str):
        yield from (invalid(f"{path}.name", name, why) for why in nameformat.path_segment(name))
    namespace = metadata.get("namespace")
    if isinstance(namespace, str) and namespace:
        yield from (invalid(f"{path}.namespace", namespace, why) for why in nameformat.dns1123_label(namespace))
    generation = metadata.get("generation")
    if isinstance(generation, int) and generation < 0:
        yield invalid(f"{path}.generation", generation, "must be greater than or equal to 0")
    yield from _check_labels(metadata, path)
    finalizers = metadata.get("finalizers") or ()
    for index, finalizer in enumerate(finalizers):
        yield from (
            invalid(f"{path}.finalizers[{index}]", finalizer, why) for why in nameformat.qualified_name(finalizer)
        )
    if "orphan" in finalizers and "foregroundDeletion" in finalizers:
        why = 'finalizer "foregroundDeletion" and "orphan" cannot be both set'
        yield forbidden(f"{path}.finalizers", why)


def _check_labels(metadata: dict[str, Any], path: str) -> Iterator[FieldError]:
    for key, value in (metadata.get("labels") or {}).items():
        yield from (invalid(f"{path}.labels", key, why) for why in nameformat.qualified_name(key))
        yield from (invalid(f"{path}.labels", value, why) for why in nameformat.label_value(value))
    annotations = metadata.get("annotations") or {}
    for key in annotations:
        yield from (invalid(f"{path}.annotations", key, why) for why in nameformat.qualified_name(key.lower()))
    size = sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items())
    if size > _MAX_ANNOTATIONS:
        yield too_long(f"{path}.annotations", _MAX_ANNOTATIONS)
