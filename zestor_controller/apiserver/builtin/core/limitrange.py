"""LimitRanges."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zestor_controller.apiserver.builtin.declaration import declare
from zestor_controller.apiserver.builtin.printcolumns import NAME, columns, value_at
from zestor_controller.apiserver.encoding.quantity import value_of
from zestor_controller.apiserver.encoding.typedstrategy import BuiltinStrategy
from zestor_controller.apiserver.rest.resource import Resource
from zestor_controller.schema.fielderror import FieldError, duplicate, invalid

if TYPE_CHECKING:
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["LimitRangeStrategy", "resource"]


class LimitRangeStrategy(BuiltinStrategy):
    """LimitRanges."""

    has_status = False

    def default(self, obj: Json) -> None:
        """For containers: the maximum is the default limit, and the default limit the default request."""
        for limit in (obj.get("spec") or {}).get("limits") or ():
            if limit.get("type") != "Container":
                continue
            for target, source in (("default", "max"), ("defaultRequest", "default"), ("defaultRequest", "min")):
                for name, amount in (limit.get(source) or {}).items():
                    limit.setdefault(target, {}).setdefault(name, amount)

    def validate(self, obj: Json) -> list[FieldError]:
        """One limit of each type, and no minimum above its maximum."""
        errors: list[FieldError] = []
        seen: set[str] = set()
        for index, limit in enumerate((obj.get("spec") or {}).get("limits") or ()):
            where = f"spec.limits[{index}]"
            kind = limit.get("type", "")
            if kind in seen:
                errors.append(duplicate(f"{where}.type", kind))
            seen.add(kind)
            low, high = limit.get("min") or {}, limit.get("max") or {}
            for name in sorted({*low} & {*high}):
                if value_of(low[name]) > value_of(high[name]):
                    message = f"min value {low[name]} is greater than max value {high[name]}"
                    errors.append(invalid(f"{where}.min[{name}]", low[name], message))
        return errors


def resource() -> Resource:
    """The resource ``limitranges`` of ``v1``."""
    return declare(
        "v1",
        "LimitRange",
        "limitranges",
        LimitRangeStrategy,
        columns("roles", NAME, ("Created At", value_at("metadata", "creationTimestamp"), 0)),
        short_names=("limits",),
        allow_create_on_update=True,
    )
