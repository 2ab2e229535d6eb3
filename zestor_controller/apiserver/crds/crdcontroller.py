"""What becomes of a stored definition: its names are accepted, its resources served, its objects deleted with it.

What always holds: a resource is served exactly while a definition of it is established, unless its group and version
are built in: those are served as they are, as in kube-apiserver, where a local API precedes. A definition that is being
deleted goes only when the last of its objects has gone. The controller is told of each change by the storage and works
after the write that it was told of, on the event loop; without one (in plain code and tests) at once.

Source: ``k8s.io/apiextensions-apiserver/pkg/controller`` (status, establish, finalizer).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

from zestor_controller.apiserver.crds.crdstrategy import GROUP, PLURAL, definition_resource, definition_types
from zestor_controller.apiserver.crds.customresource import resources_of
from zestor_controller.apiserver.patch import managedfields
from zestor_controller.apiserver.patch.managedfields import FieldOwner
from zestor_controller.apiserver.rest.resource import custom_storage
from zestor_controller.apiserver.rest.resourceregistry import Registry
from zestor_controller.apiserver.storage.revisionlog import DELETED, Change, Storage, WriteFailed
from zestor_controller.apiserver.typed.typedef import Json
from zestor_controller.schema.celrules import Rules
from zestor_controller.schema.definition import definition_approval

__all__ = ["DefinitionController", "definition_resource"]

_log = logging.getLogger(__name__)

RETRY_S: Final = 5.0
CLEANUP: Final = "customresourcecleanup.apiextensions.k8s.io"
_MANAGER: Final = "kube-apiserver"
_CONFORMANT: Final = "KubernetesAPIApprovalPolicyConformant"
_APPROVALS: Final = {
    "missing": "MissingAnnotation",
    "invalid": "InvalidAnnotation",
    "bypassed": "UnapprovedAnnotation",
    "approved": "ApprovedAnnotation",
}
_KEY: Final = (GROUP, PLURAL)


class DefinitionController:
    """Keeps the registry in step with the definitions.

    Args:
        storage: where definitions and their objects are.
        registry: what is served.
        now: the time, RFC 3339 with seconds.
        rules: the CEL engine; None: ``x-kubernetes-validations`` hold nothing back.
    """

    def __init__(
        self, storage: Storage, registry: Registry, now: Callable[[], str], rules: Rules | None = None
    ) -> None:
        self._storage = storage
        self._registry = registry
        self._now = now
        self._rules = rules
        self._pending: dict[str, None] = {}
        self._settling = False
        self._scheduled = False
        self._served: dict[str, tuple[Any, list[tuple[str, str, str]]]] = {}
        self._owners: dict[tuple[str, str], str] = {}
        storage.hooks.append(self._observe)
        for version in storage.table(_KEY).versions():
            self._pending[version.obj["metadata"]["name"]] = None
        self.settle()

    def _observe(self, key: tuple[str, str], change: Change) -> None:
        """Take note of a committed change."""
        if key == _KEY:
            self._later(change.version.obj["metadata"]["name"])
        elif change.type == DELETED and key in self._owners:
            self._later(self._owners[key])

    def _later(self, name: str) -> None:
        self._pending[name] = None
        if self._settling or self._scheduled:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.settle()
            return
        # The write that we are told of is answered first, as it was stored.
        self._scheduled = True
        loop.call_soon(self.settle)

    def settle(self) -> None:
        """Do everything that there is to do."""
        self._scheduled = False
        if self._settling:
            return
        self._settling = True
        name = ""
        try:
            while self._pending:
                name = next(iter(self._pending))
                del self._pending[name]  # before its sync, whose own writes make it pending again
                self._sync(name)
        except WriteFailed as failed:
            _log.error("CustomResourceDefinition %s: its status could not be stored: %s", name, failed)
            self._pending[name] = None
            self._retry()
        finally:
            self._settling = False

    def _retry(self) -> None:
        """Go on later with what is pending."""
        try:
            asyncio.get_running_loop().call_later(RETRY_S, self.settle)
        except RuntimeError:
            return  # without a loop the next change goes on
        self._scheduled = True

    def _sync(self, name: str) -> None:
        found = self._storage.table(_KEY).get("", name)
        if found is None:
            self._withdraw(name)
            return
        crd = found.copy()
        if crd["metadata"].get("deletionTimestamp"):
            self._serve(name, crd)
            self._terminate(name, crd)
            return
        changed = self._judge_names(crd)
        if self._judge_approval(crd) or changed:
            self._write_status(name, crd)
            self._requeue_group(name, crd["spec"]["group"])
        self._serve(name, crd)

    # Names

    def _judge_names(self, crd: Json) -> bool:
        """Set accepted names and the conditions that follow from them; whether anything changed."""
        status = crd["status"]
        wanted = crd["spec"]["names"]
        accepted = status.get("acceptedNames") or {}
        if wanted == accepted:
            return False
        names, reason, message = _accept(wanted, accepted, *self._taken(crd))
        good = reason == "NoConflicts"
        before = [dict(condition) for condition in status.get("conditions") or ()]
        self._set_condition(crd, "NamesAccepted", good, reason, message)
        if good and not _is_true(crd, "Established"):
            self._set_condition(
                crd, "Established", True, "InitialNamesAccepted", "the initial names have been accepted"
            )
        elif _condition(crd, "Established") is None:
            self._set_condition(crd, "Established", False, "NotAccepted", "not all names are accepted")
        status["acceptedNames"] = names
        return bool(names != accepted or status["conditions"] != before)

    def _judge_approval(self, crd: Json) -> bool:
        """Set the condition of definitions in the Kubernetes community's groups; whether it changed."""
        state, message = definition_approval(crd)
        if not state:
            return False
        before = _condition(crd, _CONFORMANT)
        before = dict(before) if before is not None else None
        self._set_condition(crd, _CONFORMANT, state == "approved", _APPROVALS[state], message)
        return _condition(crd, _CONFORMANT) != before

    def _taken(self, crd: Json) -> tuple[set[str], set[str]]:
        """The resource names and the kinds that the definitions of this group have."""
        resources: set[str] = set()
        kinds: set[str] = set()
        for version in self._storage.table(_KEY).versions():
            other = version.obj
            if other["spec"]["group"] != crd["spec"]["group"]:
                continue
            names = (other.get("status") or {}).get("acceptedNames") or {}
            resources |= {names.get("plural") or "", names.get("singular") or "", *(names.get("shortNames") or ())}
            kinds |= {names.get("kind") or "", names.get("listKind") or ""}
        return resources - {""}, kinds - {""}

    def _requeue_group(self, name: str, group: str) -> None:
        for version in self._storage.table(_KEY).versions():
            other = version.obj["metadata"]["name"]
            if version.obj["spec"]["group"] == group and other != name:
                self._pending[other] = None

    def _set_condition(self, crd: Json, kind: str, state: bool, reason: str, message: str) -> None:
        conditions = crd["status"].get("conditions") or []
        crd["status"]["conditions"] = conditions
        wanted = "True" if state else "False"
        found = _condition(crd, kind)
        if found is None:
            found = {"type": kind, "status": "", "lastTransitionTime": self._now()}
            conditions.append(found)
        if found["status"] != wanted:
            found["lastTransitionTime"] = self._now()
        found.update({"status": wanted, "reason": reason, "message": message})

    def _write_status(self, name: str, crd: Json) -> None:
        live = self._storage.table(_KEY).get("", name)
        if live is None:
            return
        written = managedfields.update(
            live.copy(),
            crd,
            definition_types(),
            FieldOwner(_MANAGER, f"{GROUP}/v1", "status", self._now()),
        )
        self._storage.write(_KEY, "", name, written)

    # Resources

    def _serve(self, name: str, crd: Json) -> None:
        """Serve the versions of an established definition, and no others."""
        if not _is_true(crd, "Established"):
            return
        spec, status = crd["spec"], crd["status"]
        terminating = bool(crd["metadata"].get("deletionTimestamp"))
        stamp = (crd["metadata"]["uid"], crd["metadata"].get("generation"), terminating, repr(status["acceptedNames"]))
        before, served = self._served.get(name, (None, []))
        if before == stamp:
            return
        resources = []
        for resource in resources_of(crd, self._rules):
            if self._registry.is_built_in(resource.group, resource.version):
                message = "CustomResourceDefinition %s: version %s is not served: %s is an API of the server's own"
                _log.warning(message, name, resource.version, resource.api_version)
            else:
                resources.append(resource)
        keys = [(resource.group, resource.version, resource.plural) for resource in resources]
        for group, version, plural in served:
            if (group, version, plural) not in keys:
                self._registry.remove(group, version, plural)
        for resource in resources:
            self._registry.add(resource)
        self._served[name] = (stamp, keys)
        self._owners[custom_storage(spec["group"], spec["names"]["plural"])] = name

    def _withdraw(self, name: str) -> None:
        """The definition is gone: so are its resources, and whatever objects are left."""
        plural, _, group = name.partition(".")
        _, served = self._served.pop(name, (None, []))
        for where in served:
            self._registry.remove(*where)
        key = custom_storage(group, plural)
        self._owners.pop(key, None)
        if served:
            self._delete_objects(key, by_force=True)
            self._storage.drop(key)
        self._requeue_group(name, group)

    # Deletion

    def mark(self, crd: Json) -> None:
        """Mark a definition for deletion, in place: it goes when its objects have been deleted."""
        metadata = crd["metadata"]
        metadata["deletionTimestamp"] = self._now()
        finalizers = metadata.get("finalizers") or []
        metadata["finalizers"] = finalizers if CLEANUP in finalizers else [*finalizers, CLEANUP]
        self._set_condition(
            crd,
            "Terminating",
            True,
            "InstanceDeletionPending",
            "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
        )

    def _terminate(self, name: str, crd: Json) -> None:
        """Delete the objects of a definition; let it go when none is left."""
        metadata = crd["metadata"]
        if CLEANUP not in (metadata.get("finalizers") or ()):
            return
        spec = crd["spec"]
        key = custom_storage(spec["group"], spec["names"]["plural"])
        if not _is_true(crd, "Established"):
            self._finish(name, crd, "NeverEstablished", "resource was never established")
            return
        pending = _condition(crd, "Terminating")
        if pending is None or pending["reason"] != "InstanceDeletionInProgress":
            why = "CustomResource deletion is in progress"
            self._set_condition(crd, "Terminating", True, "InstanceDeletionInProgress", why)
            self._write_status(name, crd)
        self._delete_objects(key)
        if not len(self._storage.table(key)):
            found = self._storage.table(_KEY).get("", name)
            if found is not None:
                self._finish(name, found.copy(), "InstanceDeletionCompleted", "removed all instances")

    def _delete_objects(self, key: tuple[str, str], *, by_force: bool = False) -> None:
        for version in self._storage.table(key).versions():
            name = version.obj["metadata"]["name"]
            finalizers = version.obj["metadata"].get("finalizers")
            if by_force or not finalizers:
                self._storage.delete(key, version.namespace, name)
            elif not version.obj["metadata"].get("deletionTimestamp"):
                obj = version.copy()
                obj["metadata"]["deletionTimestamp"] = self._now()
                obj["metadata"]["deletionGracePeriodSeconds"] = 0
                obj["metadata"]["generation"] = (obj["metadata"].get("generation") or 0) + 1
                self._storage.write(key, version.namespace, name, obj)

    def _finish(self, name: str, crd: Json, reason: str, message: str) -> None:
        """Take our finalizer off; with the last one the definition goes."""
        self._set_condition(crd, "Terminating", False, reason, message)
        metadata = crd["metadata"]
        left = [finalizer for finalizer in metadata.get("finalizers") or () if finalizer != CLEANUP]
        metadata["finalizers"] = left
        if left:
            self._write_status(name, crd)
            return
        del metadata["finalizers"]
        self._storage.delete(_KEY, "", name, crd)


def _condition(crd: Json, kind: str) -> Json | None:
    for condition in crd["status"].get("conditions") or ():
        if condition.get("type") == kind:
            return condition  # type: ignore[no-any-return]
    return None


def _is_true(crd: Json, kind: str) -> bool:
    found = _condition(crd, kind)
    return found is not None and found.get("status") == "True"


def _accept(wanted: Json, accepted: Json, resources: set[str], kinds: set[str]) -> tuple[Json, str, str]:
    """The names that a definition gets, with the reason and the message of the last refusal."""
    names = dict(accepted)
    reason, message = "NoConflicts", "no conflicts found"
    for field, refusal, used in (("plural", "PluralConflict", resources), ("singular", "SingularConflict", resources)):
        reason, message = _take(names, wanted, field, refusal, used, (reason, message))
    mine = set(accepted.get("shortNames") or ())
    clashes = [short for short in wanted.get("shortNames") or () if short not in mine and short in resources]
    if clashes:
        texts = [f'"{short}" is already in use' for short in clashes]
        reason, message = "ShortNamesConflict", texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    elif wanted.get("shortNames"):
        names["shortNames"] = list(wanted["shortNames"])
    else:
        names.pop("shortNames", None)
    for field, refusal, used in (("kind", "KindConflict", kinds), ("listKind", "ListKindConflict", kinds)):
        reason, message = _take(names, wanted, field, refusal, used, (reason, message))
    if wanted.get("categories"):
        names["categories"] = list(wanted["categories"])
    else:
        names.pop("categories", None)
    return names, reason, message


def _take(
    names: Json, wanted: Json, field: str, refusal: str, used: set[str], so_far: tuple[str, str]
) -> tuple[str, str]:
    name = wanted.get(field) or ""
    if name != (names.get(field) or "") and name in used:
        return refusal, f'"{name}" is already in use'
    if name:
        names[field] = name
    return so_far
