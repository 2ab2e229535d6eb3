"""The rules of what a version of a CustomResourceDefinition says beside its schema: scale, columns, selectable fields.

Source: ``k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from zestor_controller.errors import SchemaError
from zestor_controller.schema.fielderror import FieldError, duplicate, invalid, required, too_many
from zestor_controller.schema.fieldpath import FieldPathError, find_field
from zestor_controller.schema.structural import Schema, parse

__all__ = ["check_column", "check_scale", "check_selectable"]

Json = Mapping[str, Any]

_COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
_COLUMN_FORMATS = ("byte", "date", "date-time", "double", "float", "int32", "int64", "password")
_MAX_SELECTABLE = 8


def _wrong_path(text: str) -> str:
    return "" if text.startswith(".") else "must be a simple json path starting with ."


def check_scale(scale: Json | None, path: str) -> Iterator[FieldError]:
    """The paths of a scale subresource: present, simple, under spec or status."""
    if scale is None:
        return
    for name, roots in (("specReplicasPath", (".spec.",)), ("statusReplicasPath", (".status.",))):
        yield from _check_scale_path(scale.get(name) or "", f"{path}.{name}", roots, needed=True)
    text = scale.get("labelSelectorPath") or ""
    yield from _check_scale_path(text, f"{path}.labelSelectorPath", (".spec.", ".status."), needed=False)


def _check_scale_path(text: str, path: str, roots: tuple[str, ...], *, needed: bool) -> Iterator[FieldError]:
    if not text:
        if needed:
            yield required(path)
        return
    if why := _wrong_path(text):
        yield invalid(path, text, why)
    elif not text.startswith(roots):
        under = " or ".join(root.rstrip(".") for root in roots)
        yield invalid(path, text, f"should be a json path under {'either ' if len(roots) > 1 else ''}{under}")


def check_column(column: Json, path: str) -> Iterator[FieldError]:
    """A printer column: name, type, format and path."""
    if not column.get("name"):
        yield required(f"{path}.name")
    kind = column.get("type") or ""
    if kind not in _COLUMN_TYPES:
        why = f"must be one of {','.join(_COLUMN_TYPES)}"
        yield invalid(f"{path}.type", kind, why) if kind else required(f"{path}.type", why)
    form = column.get("format") or ""
    if form and form not in _COLUMN_FORMATS:
        yield invalid(f"{path}.format", form, f"must be one of {','.join(_COLUMN_FORMATS)}")
    text = column.get("jsonPath") or ""
    if not text:
        yield required(f"{path}.JSONPath")
    elif why := _wrong_path(text):
        yield invalid(f"{path}.JSONPath", text, why)


def check_selectable(fields: Sequence[Json], schema: Schema | None, path: str) -> Iterator[FieldError]:
    """Selectable fields: paths to scalar fields of the schema, each once, at most eight."""
    if schema is None:
        why = "may only be set when `version.schema.openAPIV3Schema` is not included"
        yield invalid(path, "", why)
        return
    try:
        root = parse(schema)
    except SchemaError:
        # What is wrong with the schema is told elsewhere.
        return
    seen: set[tuple[str, ...]] = set()
    for index, field in enumerate(fields):
        where = f"{path}[{index}].jsonPath"
        text = field.get("jsonPath") or ""
        if not text:
            yield required(where)
            continue
        try:
            found, node = find_field(root, text, arrays=False)
        except FieldPathError as error:
            yield invalid(where, text, f"is an invalid path: {error}")
            continue
        if found[0] == "metadata":
            yield invalid(where, text, "must not point to fields in metadata")
        if node.type not in ("string", "boolean", "integer"):
            why = (
                "must point to a field of type string, boolean or integer. Enum string fields and strings with formats "
                "are allowed."
            )
            yield invalid(where, text, why)
        if found in seen:
            yield duplicate(where, text)
        seen.add(found)
    if len(seen) > _MAX_SELECTABLE:
        yield too_many(path, len(seen), _MAX_SELECTABLE)
