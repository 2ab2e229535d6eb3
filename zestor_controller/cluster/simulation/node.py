"""The one node of the embedded cluster, on which simulated Pods run."""

from __future__ import annotations

__all__ = ["NODE", "NODE_KIND"]

NODE = "embedded-node"
NODE_KIND = "v1/Node"
