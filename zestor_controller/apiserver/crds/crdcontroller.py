"""The CRD controller: accepts names, serves the resources of established CRDs, deletes custom resources with their CRD.

Invariant: a resource is served exactly while a definition of it is established, unless its group and version are built
in: those are served as they are, as in kube-apiserver, where a local API precedes. A definition that is being deleted
is removed only when the last of its objects has been. The controller watches the storage and works after the write that
made a change, on the event loop.

Source: ``k8s.io/apiextensions-apiserver/pkg/controller`` (status, establish, finalizer).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from zestor_controller.apiserver.crds.crdcondition import condition, is_true, set_condition
from zestor_controller.apiserver.crds.crdstrategy import CLEANUP, GROUP, PLURAL, definition_resource, definition_types
from zestor_controller.apiserver.crds.customresource import resources_of
from zestor_controller.apiserver.patch import managedfields
from zestor_controller.apiserver.patch.managedfields import FieldOwner
from zestor_controller.apiserver.rest.resource import custom_storage
from zestor_controller.apiserver.rest.resourceregistry import ResourceRegistry
from zestor_controller.apiserver.storage.revisionlog import DELETED, Storage, Watcher, WriteFailed
from zestor_controller.apiserver.typed.typedef import Json
from zestor_controller.schema.celrules import RuleEngine
from zestor_controller.schema.definition import definition_approval

__all__ = ["DefinitionController", "definition_resource"]

_log = logging.getLogger(__name__)

RETRY_S: Final = 5.0
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
        self, storage: Storage, registry: ResourceRegistry, now: Callable[[], str], rules: RuleEngine | None = None
    ) -> None:
        self._storage = storage
        self._registry = registry
        self._now = now
        self._rules = rules
        self._pending: dict[str, None] = {}
        self._processing = False
        self._scheduled = False
        self._served: dict[str, tuple[Any, list[tuple[str, str, str]]]] = {}
        self._definitions = storage.table(_KEY).watch("", _Signal(self._note_changes))
        self._terminating: dict[str, Watcher] = {}
        for version in storage.table(_KEY).versions():
            self._pending[version.obj["metadata"]["name"]] = None
        self.process_pending()

    def _note_changes(self) -> None:
        """Take note of changed definitions, and of deleted objects of definitions that are being deleted."""
        while self._definitions.pending:
            self._pending[self._definitions.take().version.obj["metadata"]["name"]] = None
        for name, objects in self._terminating.items():
            while objects.pending:
                if objects.take().type == DELETED:
                    self._pending[name] = None
        if not self._pending or self._processing or self._scheduled:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return  # without a loop the next call of process_pending goes on
        # The write that made the change gets its response first, with the object as it was stored.
        self._scheduled = True
        loop.call_soon(self.process_pending)

    def process_pending(self) -> None:
        """Sync every definition that has changed."""
        self._scheduled = False
        if self._processing:
            return
        self._processing = True
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
            self._processing = False

    def _retry(self) -> None:
        """Go on later with what is pending."""
        try:
            asyncio.get_running_loop().call_later(RETRY_S, self.process_pending)
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
        changed = self._accept_names(crd)
        if self._check_approval(crd) or changed:
            self._write_status(name, crd)
            self._requeue_group(name, crd["spec"]["group"])
        self._serve(name, crd)

    # Names

    def _accept_names(self, crd: Json) -> bool:
        """Set accepted names and the conditions that follow from them; whether anything changed."""
        status = crd["status"]
        wanted = crd["spec"]["names"]
        accepted = status.get("acceptedNames") or {}
        if wanted == accepted:
            return False
        names, reason, message = _accept(wanted, accepted, *self._taken(crd))
        good = reason == "NoConflicts"
        before = [dict(condition) for condition in status.get("conditions") or ()]
        set_condition(crd, self._now(), "NamesAccepted", good, reason, message)
        if good and not is_true(crd, "Established"):
            set_condition(
                crd, self._now(), "Established", True, "InitialNamesAccepted", "the initial names have been accepted"
            )
        elif condition(crd, "Established") is None:
            set_condition(crd, self._now(), "Established", False, "NotAccepted", "not all names are accepted")
        status["acceptedNames"] = names
        return bool(names != accepted or status["conditions"] != before)

    def _check_approval(self, crd: Json) -> bool:
        """Set the condition of definitions in the Kubernetes community's groups; whether it changed."""
        state, message = definition_approval(crd)
        if not state:
            return False
        before = condition(crd, _CONFORMANT)
        before = dict(before) if before is not None else None
        set_condition(crd, self._now(), _CONFORMANT, state == "approved", _APPROVALS[state], message)
        return condition(crd, _CONFORMANT) != before

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
        if not is_true(crd, "Established"):
            return
        status = crd["status"]
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

    def _withdraw(self, name: str) -> None:
        """The definition is gone: so are its resources, and whatever objects are left."""
        plural, _, group = name.partition(".")
        _, served = self._served.pop(name, (None, []))
        for where in served:
            self._registry.remove(*where)
        key = custom_storage(group, plural)
        self._terminating.pop(name, None)
        if served:
            self._delete_objects(key, by_force=True)
            self._storage.drop(key)
        self._requeue_group(name, group)

    # Deletion

    def _terminate(self, name: str, crd: Json) -> None:
        """Delete the objects of a definition; let it go when none is left."""
        metadata = crd["metadata"]
        if CLEANUP not in (metadata.get("finalizers") or ()):
            return
        spec = crd["spec"]
        key = custom_storage(spec["group"], spec["names"]["plural"])
        if not is_true(crd, "Established"):
            self._finish(name, crd, "NeverEstablished", "resource was never established")
            return
        pending = condition(crd, "Terminating")
        if pending is None or pending["reason"] != "InstanceDeletionInProgress":
            why = "CustomResource deletion is in progress"
            set_condition(crd, self._now(), "Terminating", True, "InstanceDeletionInProgress", why)
            self._write_status(name, crd)
        if name not in self._terminating:
            self._terminating[name] = self._storage.table(key).watch("", _Signal(self._note_changes))
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
        """Remove our finalizer; with the last one the definition is deleted."""
        objects = self._terminating.pop(name, None)
        if objects is not None:
            objects.close()
        set_condition(crd, self._now(), "Terminating", False, reason, message)
        metadata = crd["metadata"]
        left = [finalizer for finalizer in metadata.get("finalizers") or () if finalizer != CLEANUP]
        metadata["finalizers"] = left
        if left:
            self._write_status(name, crd)
            return
        del metadata["finalizers"]
        self._storage.delete(_KEY, "", name, crd)


@dataclass(frozen=True, slots=True)
class _Signal:
    """Of a channel of the storage: calls a function when there are changes to take."""

    notify: Callable[[], None]

    def set(self) -> None:
        self.notify()


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
