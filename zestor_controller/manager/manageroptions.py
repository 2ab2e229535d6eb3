"""The options of a manager, spelt once.

:class:`ManagerOptions` is what callers see, as keyword arguments; :class:`ManagerSettings` holds the same with every
default filled in. Invariant: both have the same names.
"""

from __future__ import annotations

import os
import random
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final, TypedDict

from zestor_controller.manager.election import LeaderElection

__all__ = ["ManagerOptions", "ManagerSettings"]

GRACE: Final = timedelta(seconds=30)


class ManagerOptions(TypedDict, total=False):
    """How a manager connects, what it watches and what it serves; every option may be left out.

    Attributes:
        kubeconfig: a file; KUBECONFIG, ``~/.kube/config`` or the pod's own account unless given.
        context: a context of the kubeconfig.
        namespaces: watch these only; all unless given.
        health_port: where to serve /healthz, /readyz and /statusz; None serves none.
        metrics_port: where to serve /metrics; None serves none.
        host: the address of both; loopback outside a cluster, every address inside.
        grace: how long a stop waits for running reconciles; 30 s unless given.
        leader_election: work only while this replica leads; without it, it always works.
        checkpoints: a folder that keeps what the caches hold, so that a restart lists nothing.
        rng: jitter and generated names; a simulation passes its seeded one.
    """

    kubeconfig: str | os.PathLike[str] | None
    context: str | None
    namespaces: list[str] | None
    health_port: int | None
    metrics_port: int | None
    host: str | None
    grace: timedelta
    leader_election: LeaderElection | None
    checkpoints: Path | None
    rng: random.Random | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagerSettings:
    """The options of one manager, complete."""

    kubeconfig: str | os.PathLike[str] | None = None
    context: str | None = None
    namespaces: list[str] | None = None
    health_port: int | None = None
    metrics_port: int | None = None
    host: str | None = None
    grace: timedelta = GRACE
    leader_election: LeaderElection | None = None
    checkpoints: Path | None = None
    rng: random.Random | None = None
