"""The manager: start and stop order, signals, leader election, health, readiness, metrics."""

from zestor_controller.manager.election import LeaderElection
from zestor_controller.manager.health import Check
from zestor_controller.manager.manager import Manager

__all__ = ["Check", "LeaderElection", "Manager"]
