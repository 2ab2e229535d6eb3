"""A cluster in the process: the embedded API server, garbage collection, namespaces and simulated workloads."""

from typing import TYPE_CHECKING

from zestor_controller.cluster.controllermanager import ControllerManager
from zestor_controller.cluster.embedded import AsyncCluster, BlockingCluster, EmbeddedCluster
from zestor_controller.deprecation import renamed

__all__ = ["AsyncCluster", "BlockingCluster", "ControllerManager", "EmbeddedCluster"]

if not TYPE_CHECKING:
    __getattr__ = renamed(
        __name__, {"Housekeeping": ("zestor_controller.cluster.ControllerManager", ControllerManager)}, since="0.2"
    )
