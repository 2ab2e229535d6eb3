"""A toolkit for writing Kubernetes controllers in Python.

The root is lazy (PEP 562): a name is imported when it is first used, so that ``import zestor_controller.store`` loads
neither aiohttp nor the ``kubernetes`` package.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zestor_controller.cache import ClusterCache
    from zestor_controller.client import Client
    from zestor_controller.cluster import EmbeddedCluster
    from zestor_controller.controller import BlockingContext, Context, Controller, Request, Result, Rule
    from zestor_controller.errors import TerminalError
    from zestor_controller.manager import LeaderElection, Manager
    from zestor_controller.objects import (
        Column,
        Condition,
        Conditions,
        CustomResource,
        Duration,
        Kind,
        NamespacedName,
        Scale,
        Spec,
        Status,
        Unstructured,
    )

__version__ = "0.1.0"

_HOMES = {
    "BlockingContext": "controller",
    "Client": "client",
    "ClusterCache": "cache",
    "Column": "objects",
    "Condition": "objects",
    "Conditions": "objects",
    "Context": "controller",
    "Controller": "controller",
    "CustomResource": "objects",
    "Duration": "objects",
    "EmbeddedCluster": "cluster",
    "Kind": "objects",
    "LeaderElection": "manager",
    "Manager": "manager",
    "NamespacedName": "objects",
    "Request": "controller",
    "Result": "controller",
    "Rule": "controller",
    "Scale": "objects",
    "Spec": "objects",
    "Status": "objects",
    "TerminalError": "errors",
    "Unstructured": "objects",
}

__all__ = [
    "BlockingContext",
    "Client",
    "ClusterCache",
    "Column",
    "Condition",
    "Conditions",
    "Context",
    "Controller",
    "CustomResource",
    "Duration",
    "EmbeddedCluster",
    "Kind",
    "LeaderElection",
    "Manager",
    "NamespacedName",
    "Request",
    "Result",
    "Rule",
    "Scale",
    "Spec",
    "Status",
    "TerminalError",
    "Unstructured",
    "__version__",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{home}"), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
