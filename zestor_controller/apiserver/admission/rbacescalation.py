"""The privilege escalation check: a user may grant only permissions that they hold.

Invariant: with RBAC, a write of a role or a binding passes only if it changes nothing but what garbage collection
writes, if its user holds every permission that it grants, or may ``escalate`` the role or ``bind`` to it. A role that
aggregates others, which it selects by their labels, needs all permissions. Members of ``system:masters`` hold all.

Source: kubernetes pkg/registry/rbac/{role,clusterrole,rolebinding}/policybased, component-helpers auth/rbac/validation.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from zestor_controller.apiserver.admission.attributes import CREATE, UPDATE, AdmissionAttributes
from zestor_controller.apiserver.admission.plugin import AdmissionPlugin
from zestor_controller.apiserver.auth.authorization import GROUP, MASTERS, Attributes, RbacAuthorizer, covers
from zestor_controller.apiserver.rest.status import forbidden, not_found
from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["PrivilegeEscalation"]

ROLES = ("roles", "clusterroles")
BINDINGS = ("rolebindings", "clusterrolebindings")
SHOWN = {
    "apiGroups": "APIGroups",
    "resources": "Resources",
    "resourceNames": "ResourceNames",
    "nonResourceURLs": "NonResourceURLs",
}


EVERYTHING: Final[list[Json]] = [
    {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
    {"verbs": ["*"], "nonResourceURLs": ["*"]},
]
_COLLECTED: Final = ("ownerReferences", "finalizers", "managedFields", "resourceVersion")


class PrivilegeEscalation(AdmissionPlugin):
    """Checks writes of roles and bindings.

    Args:
        authorizer: knows who holds what.
    """

    name = "PrivilegeEscalation"
    operations = frozenset({CREATE, UPDATE})
    resources = frozenset((GROUP, plural) for plural in (*ROLES, *BINDINGS))

    def __init__(self, authorizer: RbacAuthorizer) -> None:
        self._authorizer = authorizer

    def admit(self, attributes: AdmissionAttributes, obj: Json) -> None:
        """Deny a write that grants what its user does not hold.

        Raises:
            Failure: 403 for permissions that the user does not hold, 404 for a binding to a role that does not exist.
        """
        user, old, plural = attributes.user, attributes.old, attributes.resource.plural
        if MASTERS in user.groups or (old is not None and _without_collected(obj) == _without_collected(old)):
            return
        namespace, name = obj["metadata"].get("namespace", ""), obj["metadata"].get("name", "")
        rules = self._granted(attributes, obj, namespace)
        if rules is None:
            return
        held = list(self._authorizer.rules(user, namespace))
        missing = covers(held, rules)
        if missing:
            why = (
                f"user {_quoted(user.name)} (groups={_list(user.groups)}) is attempting to grant RBAC permissions not "
            )
            why += "currently held:\n" + "\n".join(sorted(_compact(missing)))
            raise forbidden(GROUP, plural, name, why)
        if any(map(_aggregates, (obj, old or {}))) and covers(held, EVERYTHING):
            why = "must have cluster-admin privileges to use the aggregationRule"
            raise forbidden(GROUP, plural, name, why)

    def _granted(self, attributes: AdmissionAttributes, obj: Json, namespace: str) -> list[Json] | None:
        """The rules that a role or binding grants; None where the user may grant any.

        Raises:
            Failure: 404 for a binding to a role that does not exist.
        """
        user, plural = attributes.user, attributes.resource.plural
        if plural in ROLES:
            # A create is authorized without a name, so a right to escalate certain roles does not cover it.
            escalate = Attributes("escalate", GROUP, plural, "", namespace, attributes.name)
            return None if self._authorizer.allowed(user, escalate) else obj.get("rules") or []
        reference = obj.get("roleRef") or {}
        kind, role = ROLES[reference.get("kind") == "ClusterRole"], str(reference.get("name", ""))
        if self._authorizer.allowed(user, Attributes("bind", GROUP, kind, "", namespace, role)):
            return None
        found = self._authorizer.role_rules(reference, namespace)
        if found is None:
            raise not_found(GROUP, plural, role)
        return found


def _without_collected(obj: Json) -> Json:
    """An object without what garbage collection and the server itself change."""
    metadata = {key: value for key, value in obj["metadata"].items() if key not in _COLLECTED}
    return {**obj, "metadata": metadata}


def _aggregates(role: Json) -> bool:
    return bool((role.get("aggregationRule") or {}).get("clusterRoleSelectors"))


def _compact(parts: list[Json]) -> Iterable[str]:
    """Rules of one verb each, joined where they differ in the verb alone, as the server shows them."""
    joined: dict[tuple[Any, ...], list[str]] = {}
    for part in parts:
        joined.setdefault(tuple(tuple(part.get(key, ())) for key in SHOWN), []).extend(part["verbs"])
    for values, verbs in joined.items():
        shown = [f"{name}:{_list(value)}" for name, value in zip(SHOWN.values(), values, strict=True) if value]
        yield "{" + ", ".join([*shown, f"Verbs:{_list(dict.fromkeys(verbs))}"]) + "}"


def _list(values: Iterable[str]) -> str:
    return "[" + " ".join(_quoted(value) for value in values) + "]"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
