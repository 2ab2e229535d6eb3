"""RoleBindings and ClusterRoleBindings: the form of subjects and references. The role of a binding is immutable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zestor_controller.apiserver.builtin.declaration import declare
from zestor_controller.apiserver.builtin.printcolumns import AGE, NAME, Cell, CellColumn, columns
from zestor_controller.apiserver.encoding.typedstrategy import BuiltinStrategy
from zestor_controller.apiserver.rest.resource import Resource
from zestor_controller.schema.fielderror import FieldError, invalid, not_supported, required
from zestor_controller.schema.nameformat import path_segment

if TYPE_CHECKING:
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["BindingStrategy", "ClusterBindingStrategy", "cluster_resource", "resource"]

_GROUP = "rbac.authorization.k8s.io"
_SUBJECTS = ["ServiceAccount", "User", "Group"]


class BindingStrategy(BuiltinStrategy):
    """RoleBindings."""

    has_status = False
    roles: tuple[str, ...] = ("Role", "ClusterRole")
    namespaced = True

    def validate_name(self, name: str) -> list[str]:
        """Names may have colons, as ``system:masters``."""
        return path_segment(name)

    def default(self, obj: Json) -> None:
        """References without a group mean this API's group."""
        reference = obj.get("roleRef")
        if reference is not None and not reference.get("apiGroup"):
            reference["apiGroup"] = _GROUP
        for subject in obj.get("subjects", ()):
            if subject.get("kind") in ("User", "Group") and not subject.get("apiGroup"):
                subject["apiGroup"] = _GROUP

    def validate(self, obj: Json) -> list[FieldError]:
        """The role that is bound, and its subjects."""
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


def _subjects(kind: str) -> Cell:
    def cell(obj: Json, now: float) -> str:
        found = [each for each in obj.get("subjects", ()) if each.get("kind") == kind]
        if kind == "ServiceAccount":
            return ", ".join(f"{each.get('namespace', '')}/{each.get('name', '')}" for each in found)
        return ", ".join(each.get("name", "") for each in found)

    return cell


def _role(obj: Json, now: float) -> str:
    reference = obj.get("roleRef") or {}
    return f"{reference.get('kind', '')}/{reference.get('name', '')}"


_COLUMNS: tuple[CellColumn, ...] = (
    NAME,
    ("Role", _role, 0),
    AGE,
    ("Users", _subjects("User"), 1),
    ("Groups", _subjects("Group"), 1),
    ("ServiceAccounts", _subjects("ServiceAccount"), 1),
)


def cluster_resource() -> Resource:
    """The resource ``clusterrolebindings`` of ``rbac.authorization.k8s.io/v1``."""
    return declare(
        "rbac.authorization.k8s.io/v1",
        "ClusterRoleBinding",
        "clusterrolebindings",
        ClusterBindingStrategy,
        columns("rolebindings", *_COLUMNS),
        namespaced=False,
        allow_create_on_update=True,
    )


def resource() -> Resource:
    """The resource ``rolebindings`` of ``rbac.authorization.k8s.io/v1``."""
    return declare(
        "rbac.authorization.k8s.io/v1",
        "RoleBinding",
        "rolebindings",
        BindingStrategy,
        columns("rolebindings", *_COLUMNS),
        allow_create_on_update=True,
    )
