"""Which classes become CRDs, and that no two of them want to be the same one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from zestor_controller.errors import SchemaError
from zestor_controller.objects import CustomResource, kind_of

__all__ = ["own_models"]

Model = type[CustomResource[Any, Any]]


def own_models(models: Iterable[Model]) -> list[Model]:
    """The classes that become CRDs: those of the operator's own kinds, each once, in the given order.

    Args:
        models: classes with ``group=``, ``version=`` and ``plural=``; those with ``external=True`` are left out.

    Raises:
        SchemaError: two classes want the same CRD, or names that a server gives to one of two CRDs only.
    """
    own = [model for model in dict.fromkeys(models) if not kind_of(model).external]
    taken: dict[tuple[str, str, str], Model] = {}
    for model in own:
        kind = kind_of(model)
        names = {(kind.group, "resource", kind.plural), (kind.group, "resource", kind.kind.lower())}
        names |= {(kind.group, "resource", name) for name in kind.presentation.short_names}
        names |= {(kind.group, "kind", kind.kind), (kind.group, "kind", f"{kind.kind}List")}
        for name in sorted(names):
            other = taken.setdefault(name, model)
            if other is not model:
                raise SchemaError(_conflict(other, model, name[2]))
    return own


def _conflict(first: Model, second: Model, name: str) -> str:
    one, two = kind_of(first), kind_of(second)
    classes = f"classes {_title(first)} ({one}) and {_title(second)} ({two})"
    if one.store_name == two.store_name and one.kind == two.kind:
        return (
            f"{classes} are both the CRD {one.store_name}, and one would overwrite the other: keep one of them, or "
            "mark the one that another operator installs with external=True"
        )
    return (
        f"{classes} both use the name {name!r} in the group {one.group}, which a server gives to one CRD only: "
        "give one of them another plural=, kind= or short name"
    )


def _title(model: Model) -> str:
    return f"{model.__module__}.{model.__qualname__}"
