"""The admission plugins of this server."""

from __future__ import annotations

from collections.abc import Collection

from zestor_controller.apiserver.admission.chain import AdmissionChain
from zestor_controller.apiserver.admission.createauthorization import CreateAuthorization
from zestor_controller.apiserver.admission.namespacelifecycle import NamespaceLifecycle
from zestor_controller.apiserver.admission.plugin import AdmissionPlugin
from zestor_controller.apiserver.admission.priority import Priority
from zestor_controller.apiserver.admission.rbacescalation import PrivilegeEscalation
from zestor_controller.apiserver.auth.authorization import RbacAuthorizer
from zestor_controller.apiserver.storage.revisionlog import Storage

__all__ = ["admission_chain"]


def admission_chain(
    storage: Storage, authorizer: RbacAuthorizer | None, disabled: Collection[str] = ()
) -> AdmissionChain:
    """The chain.

    Args:
        storage: has what the plugins look up.
        authorizer: knows the permissions of users; None: they are not checked.
        disabled: names of plugins that are off.
    """
    plugins: list[AdmissionPlugin] = [NamespaceLifecycle(storage), Priority(storage)]
    if authorizer is not None:
        plugins += [CreateAuthorization(authorizer), PrivilegeEscalation(authorizer)]
    return AdmissionChain(plugins, disabled)
