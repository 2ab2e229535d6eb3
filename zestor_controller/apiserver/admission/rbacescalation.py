"""The privilege escalation check: a user may grant only permissions that they hold.

Invariant: with RBAC, a write of a role or a binding passes only if it changes nothing but what garbage collection
writes, if its user holds every permission that it grants, or may ``escalate`` the role or ``bind`` to it. A role that
aggregates others, which it selects by their labels, needs all permissions. Members of ``system:masters`` hold all.

Source: kubernetes pkg/registry/rbac/{role,clusterrole,rolebinding}/policybased, component-helpers auth/rbac/validation.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from zestor_controller.apiserver.auth.authorization import GROUP, MASTERS, Attributes, RbacAuthorizer, covers
from zestor_controller.apiserver.rest.resource import RequestContext
from zestor_controller.apiserver.rest.status import forbidden, not_found
from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["EscalationGuard"]

ROLES = ("roles", "clusterroles")
BINDINGS = ("rolebindings", "clusterrolebindings")
GUARDED: Final = frozenset((GROUP, plural) for plural in (*ROLES, *BINDINGS))
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


class EscalationGuard:
    """Checks writes of roles and bindings.

    Args:
        authorizer: knows who holds what.
        enforced: rights are checked; else everything passes.
    """

    def __init__(self, authorizer: RbacAuthorizer, *, enforced: bool) -> None:
        self._authorizer = authorizer
        self._enforced = enforced

    def admit(self, ctx: RequestContext, new: Json, old: Json | None) -> None:
        """Let a write pass, or not.

        Args:
            ctx: the write, of any resource; all but roles and bindings pass.
            new: the object to be written.
            old: the object before; None for a create.

        Raises:
            Failure: 403 for permissions that the user does not hold, 404 for a binding to a role that does not exist.
        """
        user, resource = ctx.user, ctx.resource
        guarded = resource.storage in GUARDED
        if not self._enforced or not guarded or MASTERS in user.groups:
            return
        if old is not None and _without_collected(new) == _without_collected(old):
            return
        namespace, name = new["metadata"].get("namespace", ""), new["metadata"].get("name", "")
        if resource.plural in ROLES:
            # A create is authorized without a name, so a right to escalate certain roles does not cover it.
            escalate = Attributes("escalate", GROUP, resource.plural, "", namespace, ctx.info.name)
            if self._authorizer.allowed(user, escalate):
                return
            rules = new.get("rules") or []
        else:
            reference = new.get("roleRef") or {}
            plural, role = ROLES[reference.get("kind") == "ClusterRole"], str(reference.get("name", ""))
            if self._authorizer.allowed(user, Attributes("bind", GROUP, plural, "", namespace, role)):
                return
            found = self._authorizer.role_rules(reference, namespace)
            if found is None:
                raise not_found(GROUP, resource.plural, role)
            rules = found
        held = list(self._authorizer.rules(user, namespace))
        missing = covers(held, rules)
        if missing:
            why = (
                f"user {_quoted(user.name)} (groups={_list(user.groups)}) is attempting to grant RBAC permissions not "
            )
            why += "currently held:\n" + "\n".join(sorted(_compact(missing)))
            raise forbidden(GROUP, resource.plural, name, why)
        if any(map(_aggregates, (new, old or {}))) and covers(held, EVERYTHING):
            why = "must have cluster-admin privileges to use the aggregationRule"
            raise forbidden(GROUP, resource.plural, name, why)


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
