"""What a manager provides to its runners, and the outcomes that they report."""

from __future__ import annotations

from dataclasses import dataclass

from zestor_controller.cache import AsyncClusterCache
from zestor_controller.client import Client
from zestor_controller.controller.recorder import EventRecorder
from zestor_controller.metrics import Metrics
from zestor_controller.store import StoreKind

__all__ = ["Outcome", "Services"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one reconcile ended, for the watchers of the manager.

    Attributes:
        controller: the controller's name.
        request: whose turn it was.
        result: ``success``, ``requeue_after``, ``error``, ``terminal`` or ``timeout``.
        seconds: how long it took.
        causes: why it ran.
        error: one line, empty unless it failed.
        retry_after: seconds until the next run that is already arranged; None waits for a change.
        runs: how many reconciles of this object have ended so far.
    """

    controller: str
    request: str
    result: str
    seconds: float
    causes: tuple[str, ...]
    error: str = ""
    retry_after: float | None = None
    runs: int = 1


@dataclass(frozen=True, slots=True)
class Services:
    """What a manager provides to its runners."""

    client: Client
    cache: AsyncClusterCache
    metrics: Metrics
    recorder: EventRecorder
    outcomes: StoreKind[Outcome]
