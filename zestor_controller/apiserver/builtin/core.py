"""The small kinds of the core group: Namespace, ConfigMap, Secret, ServiceAccount, volumes and nodes."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

from zestor_controller.apiserver.builtin.claims import check_access_modes, check_claim_spec
from zestor_controller.apiserver.builtin.pods.podchecks import check_quantities
from zestor_controller.apiserver.builtin.pods.poddefaults import default_claim_spec
from zestor_controller.apiserver.encoding.quantity import canonical, value_of
from zestor_controller.apiserver.encoding.typedstrategy import BuiltinStrategy
from zestor_controller.apiserver.validation.fieldchecks import (
    bad_config_key,
    check_immutable,
    check_label_name,
    check_text,
)
from zestor_controller.schema.fielderror import (
    FieldError,
    duplicate,
    forbidden,
    invalid,
    not_supported,
    required,
    too_long,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zestor_controller.apiserver.rest.resource import Writing
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = [
    "ClaimStrategy",
    "ConfigMapStrategy",
    "LimitRangeStrategy",
    "NamespaceStrategy",
    "NodeStrategy",
    "QuotaStrategy",
    "SecretStrategy",
    "ServiceAccountStrategy",
    "VolumeStrategy",
]

_MAX_DATA = 1024 * 1024
_NAME_LABEL = "kubernetes.io/metadata.name"
_FROZEN = "field is immutable when `immutable` is set"
_SECRET_KEYS = {
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}


class NamespaceStrategy(BuiltinStrategy):
    """Namespaces: the finalizer ``kubernetes`` holds them until their content is gone."""

    def default(self, obj: Json) -> None:
        """Label the namespace with its name."""
        name = obj["metadata"].get("name")
        if name:
            obj["metadata"].setdefault("labels", {})[_NAME_LABEL] = name

    def prepare_create(self, obj: Json, writing: Writing) -> None:
        """Start as Active, held by the finalizer."""
        obj["status"] = {"phase": "Active"}
        spec = obj.setdefault("spec", {})
        finalizers = spec.get("finalizers") or []
        if "kubernetes" not in finalizers:
            spec["finalizers"] = [*finalizers, "kubernetes"]

    def prepare_update(self, new: Json, old: Json, writing: Writing) -> None:
        """Spec and status have one subresource each: ``finalize`` and ``status``."""
        if writing.subresource != "finalize":
            new["spec"] = old.get("spec", {})
        if writing.subresource != "status":
            new["status"] = old.get("status", {})

    def validate_status(self, new: Json, old: Json) -> list[FieldError]:
        """Terminating and deletion go together."""
        phase = (new.get("status") or {}).get("phase", "")
        deleting = "deletionTimestamp" in new["metadata"]
        if deleting and phase != "Terminating":
            words = "may only be 'Terminating' if `deletionTimestamp` is not empty"
            return [invalid("status.Phase", phase, words)]
        if not deleting and phase != "Active":
            words = "may only be 'Active' if `deletionTimestamp` is empty"
            return [invalid("status.Phase", phase, words)]
        return []


def _check_frozen(new: Json, old: Json, fields: tuple[str, ...]) -> list[FieldError]:
    if not old.get("immutable"):
        return []
    errors = [] if new.get("immutable") else [forbidden("immutable", _FROZEN)]
    return errors + [forbidden(name, _FROZEN) for name in fields if (new.get(name) or {}) != (old.get(name) or {})]


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
        size = sum(len(value.encode()) for value in data.values()) + _decoded_size(binary)
        if size > _MAX_DATA:
            errors.append(too_long("[]", _MAX_DATA))  # what Go shows of an empty path
        return errors

    def validate_change(self, new: Json, old: Json) -> list[FieldError]:
        """Nothing changes once ``immutable`` is set."""
        return _check_frozen(new, old, ("data", "binaryData"))


def _decoded_size(values: Mapping[str, str | None]) -> int:
    return sum(len(value) * 3 // 4 - value.count("=", -2) for value in values.values() if value)


class SecretStrategy(BuiltinStrategy):
    """Secrets."""

    has_status = False

    def default(self, obj: Json) -> None:
        """Opaque unless told otherwise; ``stringData`` is only a way to write ``data``."""
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
        if _decoded_size(data) > _MAX_DATA:
            errors.append(too_long("data", _MAX_DATA))
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
        return errors + _check_frozen(new, old, ("data",))


class ServiceAccountStrategy(BuiltinStrategy):
    """ServiceAccounts."""

    has_status = False


class ClaimStrategy(BuiltinStrategy):
    """PersistentVolumeClaims."""

    def default(self, obj: Json) -> None:
        """A file system."""
        if obj.get("spec") is not None:
            default_claim_spec(obj["spec"])
        if not (obj.get("status") or {}).get("phase"):
            obj.setdefault("status", {})["phase"] = "Pending"

    def prepare_create(self, obj: Json, writing: Writing) -> None:
        """Start as Pending, protected by the finalizer that admission adds."""
        super().prepare_create(obj, writing)
        finalizers = obj["metadata"].setdefault("finalizers", [])
        if "kubernetes.io/pvc-protection" not in finalizers:
            finalizers.append("kubernetes.io/pvc-protection")

    def reset_status(self, obj: Json) -> None:
        """Not bound yet."""
        obj["status"] = {"phase": "Pending"}

    def validate(self, obj: Json) -> list[FieldError]:
        """Modes, and a size."""
        return check_claim_spec("spec", obj.get("spec") or {})

    def validate_change(self, new: Json, old: Json) -> list[FieldError]:
        """Only the volume may be bound, and a bound claim may ask for more."""
        now, was = dict(new["spec"]), dict(old["spec"])
        if not was.get("volumeName"):
            now.pop("volumeName", None)
        was_size = ((was.get("resources") or {}).get("requests") or {}).get("storage", "0")
        now_size = ((now.get("resources") or {}).get("requests") or {}).get("storage", "0")
        if (old.get("status") or {}).get("phase") == "Bound":
            if value_of(now_size) < value_of(was_size):
                words = "field can not be less than status.capacity"
                return [forbidden("spec.resources.requests.storage", words)]
            now["resources"] = was.get("resources")
        if "volumeAttributesClassName" in now or "volumeAttributesClassName" in was:
            now["volumeAttributesClassName"] = was.get("volumeAttributesClassName")
        if now != was:
            free = "resources.requests and volumeAttributesClassName for bound claims"
            return [forbidden("spec", f"spec is immutable after creation except {free}")]
        return []


class VolumeStrategy(BuiltinStrategy):
    """PersistentVolumes."""

    def default(self, obj: Json) -> None:
        """A file system that is kept."""
        spec = obj.get("spec")
        if spec is not None:
            spec.setdefault("persistentVolumeReclaimPolicy", "Retain")
            spec.setdefault("volumeMode", "Filesystem")
            if "hostPath" in spec:
                spec["hostPath"].setdefault("type", "")
        if not (obj.get("status") or {}).get("phase"):
            obj.setdefault("status", {})["phase"] = "Pending"

    def reset_status(self, obj: Json) -> None:
        """Not available yet."""
        obj["status"] = {"phase": "Pending"}

    def prepare_create(self, obj: Json, writing: Writing) -> None:
        """Start as Pending, protected by the finalizer that admission adds."""
        super().prepare_create(obj, writing)
        finalizers = obj["metadata"].setdefault("finalizers", [])
        if "kubernetes.io/pv-protection" not in finalizers:
            finalizers.append("kubernetes.io/pv-protection")

    def validate(self, obj: Json) -> list[FieldError]:
        """Modes, a capacity and a policy."""
        spec = obj.get("spec") or {}
        errors = check_access_modes("spec.accessModes", spec)
        capacity = spec.get("capacity") or {}
        if not capacity:
            errors.append(required("spec.capacity"))
        elif set(capacity) != {"storage"}:
            errors.append(not_supported("spec.capacity", capacity, ["storage"]))
        elif value_of(capacity["storage"]) <= 0:
            errors.append(invalid("spec.capacity[storage]", capacity["storage"], "must be greater than zero"))
        policy, policies = spec.get("persistentVolumeReclaimPolicy"), ["Delete", "Recycle", "Retain"]
        if policy not in policies:
            errors.append(not_supported("spec.persistentVolumeReclaimPolicy", policy, policies))
        return errors


class NodeStrategy(BuiltinStrategy):
    """Nodes."""

    def default(self, obj: Json) -> None:
        """Everything that a node has is allocatable unless told otherwise."""
        status = obj.get("status")
        if status and "capacity" in status and "allocatable" not in status:
            status["allocatable"] = {name: canonical(amount) for name, amount in status["capacity"].items()}

    def prepare_create(self, obj: Json, writing: Writing) -> None:
        """A kubelet registers itself with its status, so the status stays."""

    def validate(self, obj: Json) -> list[FieldError]:
        """Taints."""
        errors: list[FieldError] = []
        seen: set[tuple[str, str]] = set()
        effects = ["NoSchedule", "PreferNoSchedule", "NoExecute"]
        for index, taint in enumerate((obj.get("spec") or {}).get("taints", ())):
            where = f"spec.taints[{index}]"
            errors += check_label_name(f"{where}.key", taint.get("key", ""))
            effect = taint.get("effect", "")
            if not effect:
                errors.append(required(f"{where}.effect"))
            elif effect not in effects:
                errors.append(not_supported(f"{where}.effect", effect, effects))
            if (taint.get("key", ""), effect) in seen:
                errors.append(duplicate(where, taint))
            seen.add((taint.get("key", ""), effect))
        return errors


class QuotaStrategy(BuiltinStrategy):
    """ResourceQuotas."""

    def validate(self, obj: Json) -> list[FieldError]:
        """No negative amounts."""
        return check_quantities("spec.hard", (obj.get("spec") or {}).get("hard"))


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
                    words = f"min value {low[name]} is greater than max value {high[name]}"
                    errors.append(invalid(f"{where}.min[{name}]", low[name], words))
        return errors
