"""Controllers: requests, results, the work queue and the reconcile loop."""

from typing import TYPE_CHECKING

from zestor_controller.controller.context import BlockingContext, Context
from zestor_controller.controller.controller import Controller
from zestor_controller.controller.reconcile import Request, Result
from zestor_controller.controller.recorder import EventRecorder
from zestor_controller.controller.rule import Rule
from zestor_controller.controller.runner import Runner as _Runner
from zestor_controller.controller.services import Outcome
from zestor_controller.controller.services import Services as _Services
from zestor_controller.controller.workqueue import Item, QueueClosed, WorkQueue
from zestor_controller.deprecation import renamed

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
    "WorkQueue",
]

if not TYPE_CHECKING:
    __getattr__ = renamed(
        __name__,
        {
            "Runner": (f"{__name__}.runner.Runner", _Runner),
            "Services": (f"{__name__}.services.Services", _Services),
        },
        since="0.2",
    )
