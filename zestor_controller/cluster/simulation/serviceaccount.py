"""The default ServiceAccount of each namespace.

Source: pkg/controller/serviceaccount.
"""

from __future__ import annotations

from typing import Any

from zestor_controller.controller import Context, Controller, Result
from zestor_controller.errors import Conflict, Forbidden, NotFound
from zestor_controller.objects import Unstructured

__all__ = ["SERVICE_ACCOUNT", "service_accounts"]

SERVICE_ACCOUNT = "v1/ServiceAccount"


def service_accounts() -> Controller[Any]:
    """The controller that creates ServiceAccounts."""
    accounts = Controller("v1/Namespace", name="serviceaccount-controller").watches(
        SERVICE_ACCOUNT, map=lambda account: [account.metadata.namespace]
    )

    @accounts.reconciler
    async def reconcile(namespace: Unstructured, ctx: Context) -> Result | None:
        name = namespace.metadata.name
        if namespace.metadata.deletion_timestamp is not None or ctx.get(SERVICE_ACCOUNT, "default", namespace=name):
            return None
        try:
            await ctx.client.create(
                SERVICE_ACCOUNT, {"metadata": {"name": "default", "namespace": name}}, namespace=name
            )
        except (Conflict, Forbidden, NotFound):
            return None  # it is there already, or the namespace is terminating
        return None

    return accounts
