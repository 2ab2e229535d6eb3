"""Namespaces: which ones take new objects, which ones stay, and what a new one looks like.

Source: apiserver plugin/pkg/admission/namespace/lifecycle, pkg/registry/core/namespace.
"""

from __future__ import annotations

from typing import Final

from zestor_controller.apiserver.rest.resource import Resource
from zestor_controller.apiserver.rest.status import Failure, forbidden, not_found
from zestor_controller.apiserver.storage.revisionlog import Storage

__all__ = ["INITIAL", "PROTECTED", "NamespaceGuard"]

INITIAL: Final = ("default", "kube-node-lease", "kube-public", "kube-system")
PROTECTED: Final = frozenset({"default", "kube-public", "kube-system"})
STORAGE: Final = ("", "namespaces")


class NamespaceGuard:
    """Judges creates by the namespace that they go to.

    Args:
        storage: where the namespaces are.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def admit(self, namespace: str, resource: Resource, name: str) -> None:
        """Let a create pass, or not.

        Raises:
            Failure: 404 for a namespace that does not exist, 403 for one that is being deleted.
        """
        found = self._storage.table(STORAGE).get("", namespace)
        if found is None:
            raise not_found("", "namespaces", namespace)
        if found.obj["metadata"].get("deletionTimestamp"):
            told = f"unable to create new content in namespace {namespace} because it is being terminated"
            cause = {
                "reason": "NamespaceTerminating",
                "message": f"namespace {namespace} is being terminated",
                "field": "metadata.namespace",
            }
            raise forbidden(resource.group, resource.plural, name, told, causes=[cause])

    def refuse_deletion(self, name: str) -> Failure | None:
        """403 for a namespace that every cluster needs; None for another."""
        if name not in PROTECTED:
            return None
        return forbidden("", "namespaces", name, "this namespace may not be deleted")
