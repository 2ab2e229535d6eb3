"""IngressClasses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zestor_controller.apiserver.builtin.declaration import declare
from zestor_controller.apiserver.builtin.printcolumns import AGE, NAME, NONE, columns, value_at
from zestor_controller.apiserver.encoding.typedstrategy import BuiltinStrategy
from zestor_controller.apiserver.rest.resource import Resource
from zestor_controller.apiserver.validation.fieldchecks import bad_subdomain, check_immutable, check_text
from zestor_controller.schema.fielderror import FieldError, invalid, required

if TYPE_CHECKING:
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["IngressClassStrategy", "resource"]


class IngressClassStrategy(BuiltinStrategy):
    """IngressClasses."""

    has_status = False
    generation = True

    def default(self, obj: Json) -> None:
        """Parameters are cluster-wide by default."""
        parameters = (obj.get("spec") or {}).get("parameters")
        if parameters is not None and parameters.get("scope") is None:
            parameters["scope"] = "Cluster"

    def validate(self, obj: Json) -> list[FieldError]:
        """The controller's name."""
        controller = (obj.get("spec") or {}).get("controller", "")
        if not controller:
            return [required("spec.controller")]
        if len(controller) > 250:
            return [invalid("spec.controller", controller, "must be no more than 250 characters")]
        if "/" not in controller:
            message = 'must be a domain-prefixed path (such as "acme.io/foo")'
            return [invalid("spec.controller", controller, message)]
        return check_text("spec.controller", controller.partition("/")[0], bad_subdomain)

    def validate_change(self, new: Json, old: Json) -> list[FieldError]:
        """The controller stays."""
        now, was = (new.get("spec") or {}), (old.get("spec") or {})
        return check_immutable("spec.controller", now.get("controller"), was.get("controller"))


def _parameters(obj: Json) -> str:
    found = (obj.get("spec") or {}).get("parameters")
    if not found:
        return NONE
    group = f".{found['apiGroup']}" if found.get("apiGroup") else ""
    return f"{found.get('kind', '')}{group}/{found.get('name', '')}"


def resource() -> Resource:
    """The resource ``ingressclasses`` of ``networking.k8s.io/v1``."""
    return declare(
        "networking.k8s.io/v1",
        "IngressClass",
        "ingressclasses",
        IngressClassStrategy,
        columns(
            "ingressclasses",
            NAME,
            ("Controller", value_at("spec", "controller"), 0),
            ("Parameters", lambda obj, now: _parameters(obj), 0),
            AGE,
        ),
        namespaced=False,
    )
