"""Nobody grants what they have not: roles and bindings are judged by the rights of whoever writes them.

Invariant: with rights checked, a write of a role or a binding passes if it changes nothing that grants, if its writer
holds every right that it grants, or may ``escalate`` the role or ``bind`` to it. Members of ``system:masters`` hold
every right.

Source: kubernetes pkg/registry/rbac/{role,rolebinding}/policybased, component-helpers auth/rbac/validation.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from zestor_controller.apiserver.contract import Json, Resource, User
from zestor_controller.apiserver.rbac import GROUP, MASTERS, Attributes, RbacAuthorizer, covers
from zestor_controller.apiserver.status import forbidden, not_found

__all__ = ["EscalationGuard"]

ROLES = ("roles", "clusterroles")
BINDINGS = ("rolebindings", "clusterrolebindings")
SHOWN = {
    "apiGroups": "APIGroups",
    "resources": "Resources",
    "resourceNames": "ResourceNames",
    "nonResourceURLs": "NonResourceURLs",
}


class EscalationGuard:
    """Judges writes of roles and bindings.

    Args:
        authorizer: knows who holds what.
        enforced: rights are checked; else everything passes.
    """

    def __init__(self, authorizer: RbacAuthorizer, *, enforced: bool) -> None:
        self._authorizer = authorizer
        self._enforced = enforced

    def admit(self, user: User, resource: Resource, new: Json, old: Json | None) -> None:
        """Let a write pass, or not.

        Args:
            user: who writes.
            resource: what of; any, and all but roles and bindings pass.
            new: the object to be written.
            old: the object before; None for a create.

        Raises:
            Failure: 403 for rights that the user does not hold, 404 for a binding to a role that is not there.
        """
        if not self._enforced or resource.group != GROUP or MASTERS in user.groups:
            return
        namespace, name = new["metadata"].get("namespace", ""), new["metadata"].get("name", "")
        if resource.plural in ROLES:
            if old is not None and all(old.get(key) == new.get(key) for key in ("rules", "aggregationRule")):
                return
            if self._authorizer.allowed(user, Attributes("escalate", GROUP, resource.plural, "", namespace, name)):
                return
            rules = new.get("rules") or []
        elif resource.plural in BINDINGS:
            if old is not None and all(old.get(key) == new.get(key) for key in ("roleRef", "subjects")):
                return
            reference = new.get("roleRef") or {}
            plural, role = ROLES[reference.get("kind") == "ClusterRole"], str(reference.get("name", ""))
            if self._authorizer.allowed(user, Attributes("bind", GROUP, plural, "", namespace, role)):
                return
            found = self._authorizer.role_rules(reference, namespace)
            if found is None:
                raise not_found(GROUP, resource.plural, role)
            rules = found
        else:
            return
        missing = covers(list(self._authorizer.rules(user, namespace)), rules)
        if missing:
            why = (
                f"user {_quoted(user.name)} (groups={_list(user.groups)}) is attempting to grant RBAC permissions not "
            )
            why += "currently held:\n" + "\n".join(sorted(_compact(missing)))
            raise forbidden(GROUP, resource.plural, name, why)


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
