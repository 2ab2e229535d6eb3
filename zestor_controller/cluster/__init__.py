"""A cluster in the process: the embedded API server, garbage collection, namespaces and simulated workloads."""

from zestor_controller.cluster.embedded import EmbeddedCluster, Housekeeping

__all__ = ["EmbeddedCluster", "Housekeeping"]
