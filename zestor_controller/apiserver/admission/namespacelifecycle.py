"""NamespaceLifecycle: nothing is created in a namespace that is absent or terminating, and some are never deleted.

Source: apiserver pkg/admission/plugin/namespace/lifecycle.
"""

from __future__ import annotations

from typing import Final

from zestor_controller.apiserver.admission.attributes import CREATE, DELETE, AdmissionAttributes
from zestor_controller.apiserver.admission.plugin import AdmissionPlugin
from zestor_controller.apiserver.rest.status import forbidden, not_found
from zestor_controller.apiserver.storage.revisionlog import Storage
from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["INITIAL", "PROTECTED", "NamespaceLifecycle"]

INITIAL: Final = ("default", "kube-node-lease", "kube-public", "kube-system")
PROTECTED: Final = frozenset({"default", "kube-public", "kube-system"})
NAMESPACES: Final = ("", "namespaces")


class NamespaceLifecycle(AdmissionPlugin):
    """The plugin.

    Args:
        storage: where the namespaces are.
    """

    name = "NamespaceLifecycle"
    operations = frozenset({CREATE, DELETE})

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def admit(self, attributes: AdmissionAttributes, obj: Json) -> None:
        """Deny creates by their namespace, and deletes of protected namespaces.

        Raises:
            Failure: 404 for a namespace that does not exist, 403 for one that is terminating or protected.
        """
        resource = attributes.resource
        if attributes.operation == DELETE:
            if resource.storage == NAMESPACES and attributes.name in PROTECTED:
                raise forbidden("", "namespaces", attributes.name, "this namespace may not be deleted")
            return
        if not resource.namespaced:
            return
        namespace = attributes.namespace
        found = self._storage.table(NAMESPACES).get("", namespace)
        if found is None:
            raise not_found("", "namespaces", namespace)
        if found.obj["metadata"].get("deletionTimestamp"):
            message = f"unable to create new content in namespace {namespace} because it is being terminated"
            cause = {
                "reason": "NamespaceTerminating",
                "message": f"namespace {namespace} is being terminated",
                "field": "metadata.namespace",
            }
            name = str(obj["metadata"].get("name", ""))
            raise forbidden(resource.group, resource.plural, name, message, causes=[cause])
