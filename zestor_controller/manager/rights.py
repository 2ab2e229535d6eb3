"""The rights that an operator needs, computed from what its controllers declare, and which of them it lacks.

Invariant: a rule grants what a controller's own verbs do and nothing beyond: reading what it watches, writing what it
owns, its kind's status and finalizers, Events. What a reconcile does through ``ctx.client`` with other kinds is not
declared anywhere; the chart's ``rbac.extraRules`` is the place for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from zestor_controller.client import Client
from zestor_controller.controller import Controller
from zestor_controller.objects import Kind

__all__ = ["READ", "REVIEW_PATH", "VERBS", "Rule", "Rules", "missing_rights", "rules_for"]

REVIEWS: Final = "authorization.k8s.io/v1"
REVIEW_PATH: Final = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"

READ: Final = ("get", "list", "watch")
# What ctx.apply and ctx.delete do: a server-side apply is a patch, and a create where there is nothing yet.
OWN: Final = (*READ, "create", "delete", "patch")
VERBS: Final = ("get", "list", "watch", "create", "delete", "patch", "update")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a Role.

    Attributes:
        group: the API group; empty for the core.
        resources: plurals, with a subresource after a slash.
        verbs: what is allowed.
    """

    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """The rule as the API has it."""
        return {"apiGroups": [self.group], "resources": list(self.resources), "verbs": list(self.verbs)}


@dataclass(frozen=True, slots=True)
class Rules:
    """The rights of an operator.

    Attributes:
        namespaced: on kinds that live in namespaces; a Role in each watched namespace can grant them.
        cluster: on kinds that do not; only a ClusterRole can.
    """

    namespaced: tuple[Rule, ...]
    cluster: tuple[Rule, ...]


def rules_for(controllers: Iterable[Controller[Any]]) -> Rules:
    """What controllers need.

    Args:
        controllers: their kinds, and those that they own and watch, are read off them; nothing is started.
    """
    wanted: dict[tuple[bool, str, str], set[str]] = {}

    def grant(kind: Kind[Any], resource: str, verbs: Iterable[str]) -> None:
        wanted.setdefault((kind.namespaced, kind.group, resource), set()).update(verbs)

    for controller in controllers:
        kind = controller.kind
        grant(kind, kind.plural, READ)
        if controller.functions.finalizer is not None:
            grant(kind, kind.plural, ("patch",))
        grant(kind, f"{kind.plural}/status", ("get", "patch"))
        # Setting an owner reference that blocks the owner's deletion is a right of its own where
        # OwnerReferencesPermissionEnforcement is on, as in OpenShift.
        grant(kind, f"{kind.plural}/finalizers", ("update",))
        for source in controller.sources:
            grant(source.kind, source.kind.plural, READ if source.map is not None else OWN)

    def collected(namespaced: bool) -> tuple[Rule, ...]:
        by_verbs: dict[tuple[str, tuple[str, ...]], list[str]] = {}
        for (scope, group, resource), verbs in sorted(wanted.items()):
            if scope is namespaced:
                ordered = tuple(verb for verb in VERBS if verb in verbs)
                by_verbs.setdefault((group, ordered), []).append(resource)
        rules = [Rule(group, tuple(resources), verbs) for (group, verbs), resources in by_verbs.items()]
        if rules:
            rules.append(Rule("events.k8s.io", ("events",), ("create", "patch")))
        return tuple(rules)

    return Rules(collected(True), collected(False))


async def missing_rights(
    client: Client, rules: Rules, *, namespaces: Sequence[str] = (), user: str | None = None
) -> list[str]:
    """Ask the server for each right; answers those that are not granted, ``patch deployments.apps``.

    Args:
        client: whose rights are asked for.
        rules: what is needed.
        namespaces: where the namespaced ones are needed; in all unless given.
        user: ask for another user, such as ``system:serviceaccount:NAMESPACE:NAME``.

    Raises:
        ApiError: the server does not answer such questions, or not to this client.
    """
    missing: list[str] = []
    for rule, where in [(r, n) for r in rules.namespaced for n in namespaces or ("",)] + [
        (r, "") for r in rules.cluster
    ]:
        for resource in rule.resources:
            for verb in rule.verbs:
                if not await _allowed(client, rule.group, resource, verb, where, user):
                    right = f"{verb} {resource}{f'.{rule.group}' if rule.group else ''}"
                    missing.append(right + (f" in namespace {where}" if where else ""))
    return missing


async def _allowed(client: Client, group: str, resource: str, verb: str, namespace: str, user: str | None) -> bool:
    plural, _, subresource = resource.partition("/")
    attributes = {"group": group, "resource": plural, "subresource": subresource, "verb": verb, "namespace": namespace}
    spec: dict[str, Any] = {"resourceAttributes": {key: value for key, value in attributes.items() if value}}
    kind = "SelfSubjectAccessReview"
    if user is not None:
        kind = "SubjectAccessReview"
        spec["user"] = user
        spec["groups"] = ["system:authenticated"]
        if user.startswith("system:serviceaccount:"):
            spec["groups"] += ["system:serviceaccounts", f"system:serviceaccounts:{user.split(':')[2]}"]
    answer = await client.create(f"{REVIEWS}/{kind}", {"apiVersion": REVIEWS, "kind": kind, "spec": spec})
    return bool(answer.get("status", {}).get("allowed"))
