"""The logger of one reconcile: a standard adapter, so every method of a logger and its keyword arguments work."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    _Adapter = logging.LoggerAdapter[logging.Logger]
else:
    _Adapter = logging.LoggerAdapter

__all__ = ["ObjectLogger"]


class ObjectLogger(_Adapter):
    """A logger whose records name the controller and the object.

    Args:
        controller: the controller's name.
        namespace: the object's namespace, empty for a cluster-scoped one.
        name: the object's name.
    """

    def __init__(self, controller: str, namespace: str, name: str) -> None:
        logger = logging.getLogger(f"zestor_controller.reconcile.{controller}")
        super().__init__(logger, {"controller": controller, "namespace": namespace, "object": name})

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """Add the names to the `extra` of the call; the base class would drop what the caller passes there."""
        kwargs["extra"] = {**(kwargs.get("extra") or {}), **(self.extra or {})}
        return msg, kwargs
