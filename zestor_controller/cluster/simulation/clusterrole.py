"""Aggregated ClusterRoles: the rules of all roles that carry the labels they select.

Source: pkg/controller/clusterroleaggregation.
"""

from __future__ import annotations

from typing import Any

from zestor_controller.apiserver.server.defaultroles import merged_rules
from zestor_controller.controller import Context, Controller, Request
from zestor_controller.errors import Conflict, NotFound
from zestor_controller.objects import LabelSelector, MergePatch, Unstructured

__all__ = ["aggregated_roles"]

CLUSTER_ROLE = "rbac.authorization.k8s.io/v1/ClusterRole"


def aggregated_roles() -> Controller[Any]:
    """The controller that fills aggregated ClusterRoles, whichever of the roles changed."""
    controller = Controller(CLUSTER_ROLE, name="clusterrole-aggregation-controller")

    @controller.reconciler
    async def reconcile(role: Unstructured, ctx: Context) -> None:
        await _fill(ctx)

    @controller.deleted
    async def forget(request: Request, last: Unstructured | None, ctx: Context) -> None:
        await _fill(ctx)

    return controller


async def _fill(ctx: Context) -> None:
    roles = sorted(ctx.list(CLUSTER_ROLE), key=lambda role: role.metadata.name)
    for role in roles:
        selectors = (role.get("aggregationRule") or {}).get("clusterRoleSelectors") or ()
        if not selectors:
            continue
        tests = [LabelSelector.of_spec(selector) for selector in selectors]
        parts = [
            each.get("rules") or []
            for each in roles
            if each is not role and any(test.matches(each.metadata.labels or {}) for test in tests)
        ]
        rules = merged_rules(parts)
        if rules == (role.get("rules") or []):
            continue
        try:
            await ctx.client.patch(CLUSTER_ROLE, role.metadata.name, MergePatch({"rules": rules}))
        except (Conflict, NotFound):
            continue
