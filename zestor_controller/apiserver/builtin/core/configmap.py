"""ConfigMaps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zestor_controller.apiserver.builtin.core.keyeddata import MAX_DATA, check_frozen, decoded_size
from zestor_controller.apiserver.builtin.declaration import declare
from zestor_controller.apiserver.builtin.printcolumns import AGE, NAME, columns
from zestor_controller.apiserver.encoding.typedstrategy import BuiltinStrategy
from zestor_controller.apiserver.rest.resource import Resource
from zestor_controller.apiserver.validation.fieldchecks import bad_config_key, check_text
from zestor_controller.schema.fielderror import FieldError, invalid, too_long

if TYPE_CHECKING:
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["ConfigMapStrategy", "resource"]


class ConfigMapStrategy(BuiltinStrategy):
    """ConfigMaps."""

    has_status = False

    def validate(self, obj: Json) -> list[FieldError]:
        """Keys, and no more than 1 MiB."""
        data, binary = obj.get("data") or {}, obj.get("binaryData") or {}
        errors: list[FieldError] = []
        for key in sorted(data):
            errors += check_text(f"data[{key}]", key, bad_config_key)
            if key in binary:
                errors.append(invalid(f"data[{key}]", key, "duplicate of key present in binaryData"))
        for key in sorted(binary):
            errors += check_text(f"binaryData[{key}]", key, bad_config_key)
        size = sum(len(value.encode()) for value in data.values()) + decoded_size(binary)
        if size > MAX_DATA:
            errors.append(too_long("[]", MAX_DATA))  # what Go shows of an empty path
        return errors

    def validate_change(self, new: Json, old: Json) -> list[FieldError]:
        """Nothing changes once ``immutable`` is set."""
        return check_frozen(new, old, ("data", "binaryData"))


def resource() -> Resource:
    """The resource ``configmaps`` of ``v1``."""
    return declare(
        "v1",
        "ConfigMap",
        "configmaps",
        ConfigMapStrategy,
        columns(
            "configmaps",
            NAME,
            ("Data", lambda obj, now: len(obj.get("data") or ()) + len(obj.get("binaryData") or ()), 0),
            AGE,
        ),
        short_names=("cm",),
    )
