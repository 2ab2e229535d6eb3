"""Ephemeral containers: the one part of a pod that the subresource ``ephemeralcontainers`` writes, and only adds to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zestor_controller.apiserver.builtin.pods.podchecks import check_container
from zestor_controller.schema.fielderror import FieldError, duplicate, forbidden, not_found

if TYPE_CHECKING:
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["check_ephemeral_change", "keep_all_but_ephemeral"]

_FIELD = "spec.ephemeralContainers"
_METADATA = ("labels", "annotations", "finalizers", "ownerReferences", "deletionTimestamp", "generation")
_NOT_ALLOWED = (
    "lifecycle", "livenessProbe", "ports", "readinessProbe", "resizePolicy", "startupProbe",
)  # fmt: skip


def keep_all_but_ephemeral(new: Json, old: Json) -> None:
    """Bring everything else of the pod back to what it was, in place."""
    containers = (new.get("spec") or {}).get("ephemeralContainers")
    new["spec"] = {name: value for name, value in old["spec"].items() if name != "ephemeralContainers"}
    if containers:
        new["spec"]["ephemeralContainers"] = containers
    new["status"] = old.get("status", {})
    for name in _METADATA:
        new["metadata"].pop(name, None)
        if name in old["metadata"]:
            new["metadata"][name] = old["metadata"][name]


def check_ephemeral_change(new: Json, old: Json) -> list[FieldError]:
    """Those that are there stay as they are; new ones are validated."""
    now, was = new["spec"].get("ephemeralContainers") or [], old["spec"].get("ephemeralContainers") or []
    known = {each.get("name"): each for each in was}
    others = [*(new["spec"].get("containers") or ()), *(new["spec"].get("initContainers") or ())]
    taken = {each.get("name") for each in others}
    volumes = {volume.get("name", ""): volume for volume in new["spec"].get("volumes") or ()}
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, container in enumerate(now):
        where, name = f"{_FIELD}[{index}]", container.get("name", "")
        if name in known:
            if container != known[name]:
                errors.append(forbidden(_FIELD, f'existing ephemeral containers "{name}" may not be changed\n'))
        else:
            errors += check_container(where, container, volumes)
            errors += _check_shape(where, container, {each.get("name") for each in others})
        if name and (name in taken or name in seen):
            errors.append(duplicate(f"{where}.name", name))
        seen.add(name)
    errors += [
        forbidden(_FIELD, f'existing ephemeral containers "{name}" may not be removed\n')
        for name in known
        if name not in seen
    ]
    return errors


def _check_shape(field: str, container: Json, targets: set[str | None]) -> list[FieldError]:
    errors = [
        forbidden(f"{field}.{name}", "cannot be set for an Ephemeral Container")
        for name in _NOT_ALLOWED
        if container.get(name)
    ]
    if container.get("resources"):
        errors.append(forbidden(f"{field}.resources", "cannot be set for an Ephemeral Container"))
    target = container.get("targetContainerName")
    if target and target not in targets:
        errors.append(not_found(f"{field}.targetContainerName", target))
    return errors
