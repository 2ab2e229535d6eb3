"""A span for each reconcile, where OpenTelemetry's API is installed (the extra ``otel``); nothing without it.

Invariant: only the API is used. Whether and where spans are exported is the program's own affair: it installs an SDK
and sets a tracer provider before its manager runs; until then each span is a no-op.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from typing import Any

__all__ = ["Tracing"]


class Tracing:
    """Opens spans for one controller.

    Args:
        controller: the controller's name.
    """

    def __init__(self, controller: str) -> None:
        self._controller = controller
        try:
            api: Any = import_module("opentelemetry.trace")
        except ImportError:
            self._tracer: Any = None
        else:
            self._tracer = api.get_tracer("zestor_controller")

    def span(self, name: str, namespace: str, causes: tuple[str, ...]) -> AbstractContextManager[object]:
        """A span that says which object is reconciled and why; an exception that leaves it is recorded in it."""
        if self._tracer is None:
            return nullcontext()
        attributes = {
            "zestor.controller": self._controller,
            "k8s.namespace.name": namespace,
            "zestor.object.name": name,
            "zestor.causes": causes,
        }
        opened: AbstractContextManager[object] = self._tracer.start_as_current_span(
            f"reconcile {self._controller}", attributes=attributes
        )
        return opened
