"""ServiceAccounts."""

from __future__ import annotations

from zestor_controller.apiserver.encoding.typedstrategy import BuiltinStrategy

__all__ = ["ServiceAccountStrategy"]


class ServiceAccountStrategy(BuiltinStrategy):
    """ServiceAccounts."""

    has_status = False
