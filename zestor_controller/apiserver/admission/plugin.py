"""Admission plugins: the protocol, with a default for each phase.

Invariant: a plugin raises, or lets the write pass; the object is changed in the admit phase only.

Source: apiserver pkg/admission/interfaces.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from zestor_controller.apiserver.admission.attributes import AdmissionAttributes
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["AdmissionPlugin"]


class AdmissionPlugin:
    """One check of writes, which lets everything pass unless it overrides a phase.

    Attributes:
        name: as kube-apiserver's ``--disable-admission-plugins`` names it.
        operations: the operations that it is called for.
        resources: the storage keys of the resources that it is called for; None for all.
    """

    name: ClassVar[str]
    operations: ClassVar[frozenset[str]]
    resources: ClassVar[frozenset[tuple[str, str]] | None] = None

    def admit(self, attributes: AdmissionAttributes, obj: Json) -> None:
        """Change an object that is to be written, in place, or deny the write; a DELETE's object is empty.

        Raises:
            Failure: 403 or 404.
        """

    def validate(self, attributes: AdmissionAttributes, obj: Json) -> None:
        """Deny the write of an object that is final.

        Raises:
            Failure: 403 or 422.
        """
