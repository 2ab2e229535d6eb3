"""What a pydantic model may not do in a custom resource: read and write one field in two ways.

A server stores what is written and hands it back; so each field is read under the name and in the form in which it is
written, and nothing is written that is not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import AliasChoices, AliasPath
from pydantic.fields import FieldInfo

__all__ = ["faults"]


def faults(model: type[Any]) -> Iterator[tuple[str, str]]:
    """The fields of a model, or of a pydantic dataclass, that no custom resource can have.

    Args:
        model: the class.

    Yields:
        The field's name, and what is wrong with the way out.
    """
    fields: dict[str, FieldInfo] = getattr(model, "__pydantic_fields__", {})
    for name in getattr(model, "model_computed_fields", {}):
        yield (
            name,
            f"{model.__name__}.{name} is computed: it would be written and never read; make it a plain @property, or a "
            "field that the reconciler sets",
        )
    if getattr(model, "__pydantic_root_model__", False):
        return
    config = getattr(model, "model_config", {})
    by_name = config.get("populate_by_name") or config.get("validate_by_name")
    taken: dict[str, str] = {}
    for name, field in fields.items():
        wrong = _field_fault(model.__name__, name, field)
        if wrong is None and config.get("validate_by_alias") is False and _written(name, field) != name:
            wrong = "is written under its alias, which the model does not read (validate_by_alias=False); allow it"
        wire = _written(name, field)
        other = taken.setdefault(wire, name)
        if wrong is None and other != name:
            wrong = f"is called {wire!r} on the wire, as {other!r} is; give one of them another alias"
        if wrong is None and by_name and wire != name and wire in fields:
            wrong = f"is called {wire!r} on the wire, which {wire!r} is read from too; give one of them another alias"
        if wrong is not None:
            yield name, f"{model.__name__}.{name} {wrong}"


def _written(name: str, field: FieldInfo) -> str:
    return field.serialization_alias or field.alias or name


def _field_fault(owner: str, name: str, field: FieldInfo) -> str | None:
    read: Any = field.validation_alias or field.alias or name
    written = _written(name, field)
    if isinstance(read, AliasChoices | AliasPath):
        return f"is read from {read!r} and written as {written!r}; give it one name with alias="
    if read != written:
        return f"is read as {read!r} and written as {written!r}; give it one name with alias="
    if field.exclude or getattr(field, "exclude_if", None) is not None:
        return "is read and not always written (exclude), so a rewrite of the object deletes it; drop exclude"
    if "_" in written and field.alias is None and field.serialization_alias is None:
        return (
            f"would be called {written!r} on the wire: derive {owner} from Spec or Status, whose wire names are "
            "camelCase, or give the field an alias"
        )
    return None
