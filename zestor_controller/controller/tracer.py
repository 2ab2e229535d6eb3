"""A span for each reconcile, where OpenTelemetry's API is installed (the extra ``otel``); nothing without it.

Invariant: only the API is used. Whether and where spans are exported is up to the program: it installs an SDK
and sets a tracer provider before its manager runs; until then there are no spans.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, suppress
from importlib import import_module
from typing import Any

__all__ = ["Tracer"]


class Tracer:
    """Opens spans for one controller.

    Args:
        controller: the controller's name.
    """

    def __init__(self, controller: str) -> None:
        self._controller = controller
        self._api: Any = None
        self._tracer: Any = None
        with suppress(ImportError):
            self._api = import_module("opentelemetry.trace")
            self._tracer = self._api.get_tracer("zestor_controller")

    @property
    def enabled(self) -> bool:
        """Whether spans go anywhere: the library is installed, and the program has set a provider."""
        api = self._api
        return api is not None and not isinstance(api.get_tracer_provider(), api.ProxyTracerProvider)

    def span(self, name: str, namespace: str, causes: tuple[str, ...]) -> AbstractContextManager[object]:
        """A span that says which object is reconciled and why; an exception that leaves it is recorded in it."""
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
