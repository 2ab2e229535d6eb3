"""CreateAuthorization: an update or an apply of what does not exist creates it, which is a permission of its own.

Source: apiserver pkg/endpoints/handlers/update.go (withAuthorization).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zestor_controller.apiserver.admission.attributes import CREATE, AdmissionAttributes
from zestor_controller.apiserver.admission.plugin import AdmissionPlugin
from zestor_controller.apiserver.auth.authorization import Attributes, RbacAuthorizer
from zestor_controller.apiserver.rest.status import forbidden

if TYPE_CHECKING:
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["CreateAuthorization"]


class CreateAuthorization(AdmissionPlugin):
    """The plugin.

    Args:
        authorizer: knows who holds what.
    """

    name = "CreateAuthorization"
    operations = frozenset({CREATE})

    def __init__(self, authorizer: RbacAuthorizer) -> None:
        self._authorizer = authorizer

    def validate(self, attributes: AdmissionAttributes, obj: Json) -> None:
        """Deny a create by another verb to a user who may not create.

        Raises:
            Failure: 403.
        """
        if attributes.verb == "create":
            return  # authorized as such
        group, plural = attributes.resource.group, attributes.resource.plural
        create = Attributes("create", group, plural, attributes.subresource, attributes.namespace, attributes.name)
        if not self._authorizer.allowed(attributes.user, create):
            raise forbidden(group, plural, attributes.name, "")
