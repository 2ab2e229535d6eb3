"""Secrets: keys that their type requires, and ``stringData``, a way to write ``data``."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

from zestor_controller.apiserver.builtin.core.keyeddata import MAX_DATA, check_frozen, decoded_size
from zestor_controller.apiserver.builtin.declaration import declare
from zestor_controller.apiserver.builtin.fieldgetter import text_at
from zestor_controller.apiserver.builtin.printcolumns import AGE, NAME, columns, count_at, value_at
from zestor_controller.apiserver.encoding.typedstrategy import BuiltinStrategy
from zestor_controller.apiserver.rest.resource import Resource
from zestor_controller.apiserver.validation.fieldchecks import bad_config_key, check_immutable, check_text
from zestor_controller.schema.fielderror import FieldError, invalid, required, too_long

if TYPE_CHECKING:
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["SecretStrategy", "resource"]

_SECRET_KEYS = {
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}


class SecretStrategy(BuiltinStrategy):
    """Secrets."""

    has_status = False

    def default(self, obj: Json) -> None:
        """Opaque by default; ``stringData`` is only a way to write ``data``."""
        obj.setdefault("type", "Opaque")
        plain = obj.pop("stringData", None)
        if plain:
            data = obj.get("data") or {}
            obj["data"] = {**data, **{key: base64.b64encode(text.encode()).decode() for key, text in plain.items()}}

    def validate(self, obj: Json) -> list[FieldError]:
        """Keys, the size, and the keys that the type demands."""
        data = obj.get("data") or {}
        errors: list[FieldError] = []
        for key in sorted(data):
            errors += check_text(f"data[{key}]", key, bad_config_key)
        if decoded_size(data) > MAX_DATA:
            errors.append(too_long("data", MAX_DATA))
        kind = obj.get("type", "")
        errors += [required(f"data[{key}]") for key in _SECRET_KEYS.get(kind, ()) if key not in data]
        if kind == "kubernetes.io/service-account-token":
            annotations = obj["metadata"].get("annotations") or {}
            if not annotations.get("kubernetes.io/service-account.name"):
                errors.append(required("metadata.annotations[kubernetes.io/service-account.name]"))
        if kind == "kubernetes.io/basic-auth" and "username" not in data and "password" not in data:
            errors += [required("data[username]"), required("data[password]")]
        if kind in ("kubernetes.io/dockercfg", "kubernetes.io/dockerconfigjson") and not errors:
            key = _SECRET_KEYS[kind][0]
            try:
                json.loads(base64.b64decode(data[key] or ""))
            except ValueError:
                errors.append(invalid(f"data[{key}]", "<secret contents redacted>", "invalid JSON"))
        return errors

    def validate_change(self, new: Json, old: Json) -> list[FieldError]:
        """The type stays, and everything once ``immutable`` is set."""
        errors = check_immutable("type", new.get("type"), old.get("type"))
        return errors + check_frozen(new, old, ("data",))


def resource() -> Resource:
    """The resource ``secrets`` of ``v1``."""
    return declare(
        "v1",
        "Secret",
        "secrets",
        SecretStrategy,
        columns("secrets", NAME, ("Type", value_at("type"), 0), ("Data", count_at("data"), 0), AGE),
        selectable_fields={"type": text_at("type")},
    )
