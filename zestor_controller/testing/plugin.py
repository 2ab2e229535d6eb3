"""The pytest plugin: ``zestor_cluster`` and ``zestor_client``; it imports nothing heavy until one is used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from zestor_controller.client import BlockingClient
    from zestor_controller.cluster import BlockingCluster

__all__ = ["zestor_client", "zestor_cluster"]


@pytest.fixture
def zestor_cluster() -> Iterator[BlockingCluster]:
    """An embedded cluster with its controllers, on a free port; stopped after the test.

    During the test KUBECONFIG names it, so that code under test that looks for a cluster by itself, and the programs
    that it starts, find this one and no other.
    """
    from zestor_controller.client.environment import cluster_environment
    from zestor_controller.cluster import EmbeddedCluster

    with EmbeddedCluster() as cluster, cluster_environment(cluster.kubeconfig):
        yield cluster


@pytest.fixture
def zestor_client(zestor_cluster: BlockingCluster) -> BlockingClient:
    """A client of ``zestor_cluster`` whose verbs block, with the administrator's rights."""
    return zestor_cluster.client
