"""The manager: start and stop order, signals, leader election, rights, health, readiness, metrics."""

from zestor_controller.controller import Rule
from zestor_controller.manager.election import LeaderElection
from zestor_controller.manager.health import Check
from zestor_controller.manager.manager import Manager
from zestor_controller.manager.rights import Rules, missing_rights, rules_for

__all__ = ["Check", "LeaderElection", "Manager", "Rule", "Rules", "missing_rights", "rules_for"]
