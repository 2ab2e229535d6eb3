"""The manager: start and stop order, signals, health, readiness, metrics."""

from zestor_controller.manager.health import Check
from zestor_controller.manager.manager import Manager

__all__ = ["Check", "Manager"]
