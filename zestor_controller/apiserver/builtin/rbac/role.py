"""Roles and their bindings: the form of rules and references. Who may write them is decided by the authorizer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zestor_controller.apiserver.encoding.typedstrategy import BuiltinStrategy
from zestor_controller.apiserver.validation.fieldchecks import check_selector
from zestor_controller.schema.fielderror import FieldError, invalid, not_supported, required

if TYPE_CHECKING:
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["BindingStrategy", "ClusterBindingStrategy", "ClusterRoleStrategy", "RoleStrategy"]

_GROUP = "rbac.authorization.k8s.io"
_SUBJECTS = ["ServiceAccount", "User", "Group"]


def _check_rules(rules: list[Json] | None, namespaced: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, rule in enumerate(rules or ()):
        where = f"rules[{index}]"
        if not rule.get("verbs"):
            errors.append(required(f"{where}.verbs", "verbs must contain at least one value"))
        urls = rule.get("nonResourceURLs")
        if urls:
            if namespaced:
                words = "namespaced rules cannot apply to non-resource URLs"
                errors.append(invalid(f"{where}.nonResourceURLs", urls, words))
            if rule.get("apiGroups") or rule.get("resources") or rule.get("resourceNames"):
                words = "rules cannot apply to both regular resources and non-resource URLs"
                errors.append(invalid(f"{where}.nonResourceURLs", urls, words))
            continue
        if not rule.get("apiGroups"):
            errors.append(required(f"{where}.apiGroups", "resource rules must supply at least one api group"))
        if not rule.get("resources"):
            errors.append(required(f"{where}.resources", "resource rules must supply at least one resource"))
    return errors


class RoleStrategy(BuiltinStrategy):
    """Roles."""

    has_status = False

    def validate(self, obj: Json) -> list[FieldError]:
        """The rules."""
        return _check_rules(obj.get("rules"), True)


class ClusterRoleStrategy(BuiltinStrategy):
    """ClusterRoles."""

    has_status = False

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


class BindingStrategy(BuiltinStrategy):
    """RoleBindings."""

    has_status = False
    roles: tuple[str, ...] = ("Role", "ClusterRole")
    namespaced = True

    def default(self, obj: Json) -> None:
        """References without a group mean this API's group."""
        reference = obj.get("roleRef")
        if reference is not None and not reference.get("apiGroup"):
            reference["apiGroup"] = _GROUP
        for subject in obj.get("subjects", ()):
            if subject.get("kind") in ("User", "Group") and not subject.get("apiGroup"):
                subject["apiGroup"] = _GROUP

    def validate(self, obj: Json) -> list[FieldError]:
        """The role that is bound, and to whom."""
        reference = obj.get("roleRef") or {}
        errors: list[FieldError] = []
        if reference.get("apiGroup") != _GROUP:
            errors.append(not_supported("roleRef.apiGroup", reference.get("apiGroup", ""), [_GROUP]))
        if reference.get("kind") not in self.roles:
            errors.append(not_supported("roleRef.kind", reference.get("kind", ""), list(self.roles)))
        errors += _check_reference_name("roleRef.name", reference.get("name", ""))
        for index, subject in enumerate(obj.get("subjects", ())):
            errors += self._check_subject(f"subjects[{index}]", subject)
        return errors

    def _check_subject(self, field: str, subject: Json) -> list[FieldError]:
        kind, group = subject.get("kind", ""), subject.get("apiGroup", "")
        errors: list[FieldError] = []
        if not subject.get("name"):
            errors.append(required(f"{field}.name"))
        if kind == "ServiceAccount":
            if group:
                errors.append(not_supported(f"{field}.apiGroup", group, [""]))
            if not subject.get("namespace") and not self.namespaced:
                errors.append(required(f"{field}.namespace"))
        elif kind in _SUBJECTS:
            if group != _GROUP:
                errors.append(not_supported(f"{field}.apiGroup", group, [_GROUP]))
        else:
            errors.append(not_supported(f"{field}.kind", kind, _SUBJECTS))
        return errors

    def validate_change(self, new: Json, old: Json) -> list[FieldError]:
        """A binding never changes its role."""
        now = new.get("roleRef") or {}
        if now == old.get("roleRef"):
            return []
        shown = {"APIGroup": now.get("apiGroup", ""), "Kind": now.get("kind", ""), "Name": now.get("name", "")}
        return [invalid("roleRef", shown, "cannot change roleRef")]


class ClusterBindingStrategy(BindingStrategy):
    """ClusterRoleBindings."""

    roles = ("ClusterRole",)
    namespaced = False


def _check_reference_name(field: str, name: str) -> list[FieldError]:
    if not name:
        return [required(field)]
    if name in (".", ".."):
        return [invalid(field, name, f"may not be '{name}'")]
    return [invalid(field, name, f"may not contain '{part}'") for part in ("/", "%") if part in name]
