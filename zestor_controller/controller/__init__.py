"""Controllers: requests, results, the work queue and the reconcile loop."""

from zestor_controller.controller.context import BlockingContext, Context
from zestor_controller.controller.controller import Controller
from zestor_controller.controller.reconcile import Request, Result
from zestor_controller.controller.recorder import EventRecorder
from zestor_controller.controller.rule import Rule
from zestor_controller.controller.runner import Runner
from zestor_controller.controller.services import Outcome, Services
from zestor_controller.controller.workqueue import Item, QueueClosed, WorkQueue

__all__ = [
    "BlockingContext",
    "Context",
    "Controller",
    "EventRecorder",
    "Item",
    "Outcome",
    "QueueClosed",
    "Request",
    "Result",
    "Rule",
    "Runner",
    "Services",
    "WorkQueue",
]
