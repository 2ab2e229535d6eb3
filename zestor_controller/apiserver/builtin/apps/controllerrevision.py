"""ControllerRevisions: immutable data, and a revision number that may change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zestor_controller.apiserver.builtin.declaration import declare
from zestor_controller.apiserver.builtin.printcolumns import AGE, NAME, NONE, columns, value_at
from zestor_controller.apiserver.encoding.typedstrategy import BuiltinStrategy
from zestor_controller.apiserver.rest.resource import Resource
from zestor_controller.apiserver.validation.fieldchecks import check_immutable, check_not_negative
from zestor_controller.schema.fielderror import FieldError, required

if TYPE_CHECKING:
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["ControllerRevisionStrategy", "resource"]


class ControllerRevisionStrategy(BuiltinStrategy):
    """ControllerRevisions: data that never changes, and a revision number that may."""

    has_status = False

    def validate(self, obj: Json) -> list[FieldError]:
        """Data and a revision."""
        errors: list[FieldError] = []
        if obj.get("data") is None:
            errors.append(required("data", "data is mandatory"))
        revision = obj.get("revision", 0)
        return errors + check_not_negative("revision", revision)

    def validate_change(self, new: Json, old: Json) -> list[FieldError]:
        """The data stays."""
        return check_immutable("data", new.get("data"), old.get("data"))


def _controller(obj: Json, now: float) -> str:
    owners = obj["metadata"].get("ownerReferences", ())
    owner = next((each for each in owners if each.get("controller")), None)
    if owner is None:
        return NONE
    group = owner.get("apiVersion", "").partition("/")
    kind = owner.get("kind", "").lower()
    return f"{kind}.{group[0]}/{owner.get('name', '')}" if group[1] else f"{kind}/{owner.get('name', '')}"


def resource() -> Resource:
    """The resource ``controllerrevisions`` of ``apps/v1``."""
    return declare(
        "apps/v1",
        "ControllerRevision",
        "controllerrevisions",
        ControllerRevisionStrategy,
        columns(
            "controllerrevisions",
            NAME,
            ("Controller", _controller, 0),
            ("Revision", value_at("revision", absent=0), 0),
            AGE,
        ),
    )
