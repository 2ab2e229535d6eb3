"""What admission knows of a write, beside the object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from zestor_controller.apiserver.rest.resource import Resource
    from zestor_controller.apiserver.rest.user import User
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["CREATE", "DELETE", "UPDATE", "AdmissionAttributes"]

CREATE: Final = "CREATE"
UPDATE: Final = "UPDATE"
DELETE: Final = "DELETE"


@dataclass(frozen=True, slots=True)
class AdmissionAttributes:
    """A write, as plugins see it.

    Attributes:
        operation: :data:`CREATE`, :data:`UPDATE` or :data:`DELETE`.
        verb: of the request: an ``update`` or ``patch`` may create.
        resource: whose object is written.
        subresource: empty for the object itself.
        namespace: of the request; empty for objects of the cluster.
        name: of the request; empty for a create that names its object in the body, and for collections.
        user: who writes.
        old: the object before; None for a create.
        dry_run: nothing will be persisted.
    """

    operation: str
    verb: str
    resource: Resource
    subresource: str
    namespace: str
    name: str
    user: User
    old: Json | None
    dry_run: bool
