"""ServiceAccounts, whose tokens are issued on request."""

from __future__ import annotations

from zestor_controller.apiserver.builtin.declaration import declare
from zestor_controller.apiserver.builtin.printcolumns import AGE, NAME, columns, count_at
from zestor_controller.apiserver.encoding.typedstrategy import BuiltinStrategy
from zestor_controller.apiserver.rest.resource import Resource, Subresource

__all__ = ["ServiceAccountStrategy", "resource"]


class ServiceAccountStrategy(BuiltinStrategy):
    """ServiceAccounts."""

    has_status = False


def resource(token: Subresource) -> Resource:
    """The resource ``serviceaccounts`` of ``v1``.

    Args:
        token: the subresource that issues tokens.
    """
    return declare(
        "v1",
        "ServiceAccount",
        "serviceaccounts",
        ServiceAccountStrategy,
        columns("serviceaccounts", NAME, ("Secrets", count_at("secrets"), 0), AGE),
        short_names=("sa",),
        subresources=(token,),
        returns_deleted_object=True,
    )
