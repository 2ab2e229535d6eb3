"""Roles and ClusterRoles: the form of their rules. Who may write them is decided by admission."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zestor_controller.apiserver.builtin.declaration import declare
from zestor_controller.apiserver.builtin.printcolumns import NAME, columns, value_at
from zestor_controller.apiserver.encoding.typedstrategy import BuiltinStrategy
from zestor_controller.apiserver.rest.resource import Resource
from zestor_controller.apiserver.validation.fieldchecks import check_selector
from zestor_controller.schema.fielderror import FieldError, invalid, required
from zestor_controller.schema.nameformat import path_segment

if TYPE_CHECKING:
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["ClusterRoleStrategy", "RoleStrategy", "cluster_resource", "resource"]


def _check_rules(rules: list[Json] | None, namespaced: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, rule in enumerate(rules or ()):
        where = f"rules[{index}]"
        if not rule.get("verbs"):
            errors.append(required(f"{where}.verbs", "verbs must contain at least one value"))
        urls = rule.get("nonResourceURLs")
        if urls:
            if namespaced:
                message = "namespaced rules cannot apply to non-resource URLs"
                errors.append(invalid(f"{where}.nonResourceURLs", urls, message))
            if rule.get("apiGroups") or rule.get("resources") or rule.get("resourceNames"):
                message = "rules cannot apply to both regular resources and non-resource URLs"
                errors.append(invalid(f"{where}.nonResourceURLs", urls, message))
            continue
        if not rule.get("apiGroups"):
            errors.append(required(f"{where}.apiGroups", "resource rules must supply at least one api group"))
        if not rule.get("resources"):
            errors.append(required(f"{where}.resources", "resource rules must supply at least one resource"))
    return errors


class RoleStrategy(BuiltinStrategy):
    """Roles."""

    has_status = False

    def validate_name(self, name: str) -> list[str]:
        """Names may have colons, as ``system:masters``."""
        return path_segment(name)

    def validate(self, obj: Json) -> list[FieldError]:
        """The rules."""
        return _check_rules(obj.get("rules"), True)


class ClusterRoleStrategy(BuiltinStrategy):
    """ClusterRoles."""

    has_status = False

    def validate_name(self, name: str) -> list[str]:
        """Names may have colons, as ``system:masters``."""
        return path_segment(name)

    def validate(self, obj: Json) -> list[FieldError]:
        """The rules, or the selectors that gather them."""
        errors = _check_rules(obj.get("rules"), False)
        aggregation = obj.get("aggregationRule")
        if aggregation is not None:
            selectors = aggregation.get("clusterRoleSelectors", ())
            field = "aggregationRule.clusterRoleSelectors"
            if not selectors:
                errors.append(
                    required(field, "at least one clusterRoleSelector required if aggregationRule is non-nil")
                )
            for index, selector in enumerate(selectors):
                errors += check_selector(f"{field}[{index}]", selector)
        return errors


def cluster_resource() -> Resource:
    """The resource ``clusterroles`` of ``rbac.authorization.k8s.io/v1``."""
    return declare(
        "rbac.authorization.k8s.io/v1",
        "ClusterRole",
        "clusterroles",
        ClusterRoleStrategy,
        columns("roles", NAME, ("Created At", value_at("metadata", "creationTimestamp"), 0)),
        namespaced=False,
        allow_create_on_update=True,
    )


def resource() -> Resource:
    """The resource ``roles`` of ``rbac.authorization.k8s.io/v1``."""
    return declare(
        "rbac.authorization.k8s.io/v1",
        "Role",
        "roles",
        RoleStrategy,
        columns("roles", NAME, ("Created At", value_at("metadata", "creationTimestamp"), 0)),
        allow_create_on_update=True,
    )
