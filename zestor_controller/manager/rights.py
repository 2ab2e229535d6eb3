"""The rights that an operator needs, computed from what its controllers declare, and which of them it lacks.

Invariant: a rule grants what a controller does to its own kind and to what it owns by ordinary means, reading what it
watches, Events, and what ``Controller(..., rules=[...])`` declares. What a reconcile does with other kinds and does
not declare is not granted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Final

from zestor_controller.client import Client
from zestor_controller.controller import Controller, Rule
from zestor_controller.objects import Kind
from zestor_controller.objects.builtin import BUILTIN

__all__ = ["LEASES", "READ", "REVIEW_PATH", "VERBS", "Rule", "Rules", "missing_rights", "rules_for"]

REVIEWS: Final = "authorization.k8s.io/v1"
REVIEW_PATH: Final = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"

READ: Final = ("get", "list", "watch")
# Of the reconciled kind: metadata and spec are patched or replaced; objects of it are made and deleted by others.
RECONCILED: Final = (*READ, "patch", "update")
VERBS: Final = ("get", "list", "watch", "create", "delete", "patch", "update")
# Of owned kinds: a server-side apply is a patch, and a create where there is nothing yet.
OWNED: Final = VERBS
EVENT_GROUPS: Final = ("", "events.k8s.io")  # the official client and others still write to the first
LEASES: Final = Rule("coordination.k8s.io", ("leases",), ("get", "create", "update"))


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

    declared: list[Rule] = []
    for controller in controllers:
        kind = controller.kind
        grant(kind, kind.plural, RECONCILED)
        grant(kind, f"{kind.plural}/status", ("get", "patch", "update"))
        # Setting an owner reference that blocks the owner's deletion is a right of its own where
        # OwnerReferencesPermissionEnforcement is on, as in OpenShift.
        grant(kind, f"{kind.plural}/finalizers", ("update",))
        for source in controller.sources:
            grant(source.kind, source.kind.plural, READ if source.map is not None else OWNED)
            if source.map is None:  # it may be the owner of further objects
                grant(source.kind, f"{source.kind.plural}/finalizers", ("update",))
        declared += [rule for rule in controller.rules if rule not in declared]

    def collected(namespaced: bool) -> tuple[Rule, ...]:
        by_verbs: dict[tuple[str, tuple[str, ...]], list[str]] = {}
        for (scope, group, resource), verbs in sorted(wanted.items()):
            if scope is namespaced:
                ordered = tuple(verb for verb in VERBS if verb in verbs)
                by_verbs.setdefault((group, ordered), []).append(resource)
        rules = [Rule(group, tuple(resources), verbs) for (group, verbs), resources in by_verbs.items()]
        if rules:
            rules += [Rule(group, ("events",), ("create", "patch")) for group in EVENT_GROUPS]
        for rule in declared:
            resources = tuple(name for name in rule.resources if _in_namespaces(rule, name) is namespaced)
            if resources:
                rules.append(replace(rule, resources=resources))
        return tuple(rules)

    return Rules(collected(True), collected(False))


def _in_namespaces(rule: Rule, resource: str) -> bool:
    """Whether a Role can grant this part of a declared rule: it is not known to be cluster-scoped."""
    plural = resource.partition("/")[0]
    return not rule.cluster and not any(
        not namespaced and known == plural and version.rpartition("/")[0] == rule.group
        for (version, _), (known, namespaced) in BUILTIN.items()
    )


async def missing_rights(
    client: Client, rules: Rules, *, namespaces: Sequence[str] = (), user: str | None = None
) -> list[str]:
    """Ask the server for each right; returns those that are not granted, ``patch deployments.apps``.

    Args:
        client: whose rights are asked for.
        rules: what is needed.
        namespaces: where the namespaced ones are needed; in all unless given.
        user: ask for another user, such as ``system:serviceaccount:NAMESPACE:NAME``.

    Raises:
        ApiError: the server does not serve such reviews, or not to this client.
    """
    missing: list[str] = []
    for rule, where in [(r, n) for r in rules.namespaced for n in namespaces or ("",)] + [
        (r, "") for r in rules.cluster
    ]:
        for resource, verb, name in product(rule.resources, rule.verbs, rule.names or ("",)):
            plural, _, subresource = resource.partition("/")
            attributes = {
                "group": rule.group,
                "resource": plural,
                "subresource": subresource,
                "verb": verb,
                "namespace": where,
                "name": name,
            }
            if not await _allowed(client, attributes, user):
                right = f"{verb} {resource}{f'.{rule.group}' if rule.group else ''}"
                missing.append(right + (f" {name}" if name else "") + (f" in namespace {where}" if where else ""))
    return missing


async def _allowed(client: Client, attributes: Mapping[str, str], user: str | None) -> bool:
    spec: dict[str, Any] = {"resourceAttributes": {key: value for key, value in attributes.items() if value}}
    kind = "SelfSubjectAccessReview"
    if user is not None:
        kind = "SubjectAccessReview"
        spec["user"] = user
        spec["groups"] = ["system:authenticated"]
        if user.startswith("system:serviceaccount:"):
            spec["groups"] += ["system:serviceaccounts", f"system:serviceaccounts:{user.split(':')[2]}"]
    review = await client.create(f"{REVIEWS}/{kind}", {"apiVersion": REVIEWS, "kind": kind, "spec": spec})
    return bool(review.get("status", {}).get("allowed"))
