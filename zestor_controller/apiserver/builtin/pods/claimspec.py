"""Rules of the spec of a volume claim, for PersistentVolumeClaims and for the templates inside other kinds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zestor_controller.apiserver.encoding.quantity import value_of
from zestor_controller.apiserver.validation.fieldchecks import bad_subdomain, check_labels, check_selector, check_text
from zestor_controller.schema.fielderror import FieldError, forbidden, invalid, not_supported, required

if TYPE_CHECKING:
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["check_access_modes", "check_claim_spec", "check_claim_template"]

_ACCESS_MODES = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"]
_VOLUME_MODES = ["Block", "Filesystem"]
_CLAIM = "PersistentVolumeClaim"


def check_claim_template(field: str, template: Json) -> list[FieldError]:
    """Errors of the claim template of an ephemeral volume: labels, annotations and the spec, nothing else."""
    metadata = template.get("metadata") or {}
    errors = check_labels(f"{field}.metadata.labels", metadata.get("labels"))
    errors += [
        forbidden(f"{field}.metadata.{name}", "cannot be set")
        for name, value in metadata.items()
        if value and name not in ("annotations", "labels")
    ]
    return errors + check_claim_spec(f"{field}.spec", template.get("spec") or {})


def check_claim_spec(field: str, spec: Json) -> list[FieldError]:
    """Errors of a claim's spec: modes, size, classes, sources."""
    errors = check_access_modes(f"{field}.accessModes", spec)
    errors += check_selector(f"{field}.selector", spec.get("selector"))
    if "ReadWriteOncePod" in (modes := spec.get("accessModes") or []) and set(modes) & {*_ACCESS_MODES[:3]}:
        message = "may not use ReadWriteOncePod with other access modes"
        errors.append(forbidden(f"{field}.accessModes", message))
    requests = (spec.get("resources") or {}).get("requests") or {}
    if "storage" not in requests:
        errors.append(required(f"{field}.resources[storage]"))
    elif value_of(requests["storage"]) <= 0:
        errors.append(invalid(f"{field}.resources[storage]", requests["storage"], "must be greater than zero"))
    for name in ("storageClassName", "volumeAttributesClassName"):
        if spec.get(name):
            errors += check_text(f"{field}.{name}", spec[name], bad_subdomain)
    mode = spec.get("volumeMode")
    if mode is not None and mode not in _VOLUME_MODES:
        errors.append(not_supported(f"{field}.volumeMode", mode, _VOLUME_MODES))
    for name in ("dataSource", "dataSourceRef"):
        if spec.get(name) is not None:
            errors += _check_source(f"{field}.{name}", spec[name])
    return errors


def check_access_modes(field: str, spec: Json) -> list[FieldError]:
    """Errors of the access modes of a claim or a volume."""
    modes = spec.get("accessModes") or []
    if not modes:
        return [required(field, "at least 1 access mode is required")]
    return [not_supported(field, mode, _ACCESS_MODES) for mode in modes if mode not in _ACCESS_MODES]


def _check_source(field: str, source: Json) -> list[FieldError]:
    errors = [required(f"{field}.{name}") for name in ("name", "kind") if not source.get(name)]
    group = source.get("apiGroup") or ""
    if not group and source.get("kind") != _CLAIM:
        message = "must be 'PersistentVolumeClaim' when referencing the default apiGroup"
        errors.append(invalid(field, source.get("kind", ""), message))
    elif group:
        errors += check_text(f"{field}.apiGroup", group, bad_subdomain)
    return errors
