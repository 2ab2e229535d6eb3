"""From an event of a store to the requests that it causes: by itself, by owner, by a map function.

Pure but for the user's map function; one that raises concerns its own event only.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec

from zestor_controller.controller.controller import Source
from zestor_controller.controller.reconcile import Request
from zestor_controller.errors import InvalidObject
from zestor_controller.objects import Kind, NamespacedName, Unstructured
from zestor_controller.store import Event

__all__ = ["requests_of"]

T = TypeVar("T")

_log = logging.getLogger(__name__)


def requests_of(source: Source, event: Event[Any], owner: Kind[Any]) -> Iterable[Request]:
    """The requests that an event of `source` causes for a controller of `owner`.

    Both the old and the new object are taken, so that an object that has lost its owner, or its reference, wakes the
    one that it pointed at before. An owner is woken by a child that the child's model rejects, too: owner references
    are read from the object as the server has it. A map function takes the model, so it is not called for such an
    object, which is logged.
    """
    found: dict[Request, None] = {}
    for which in ("object", "old"):
        try:
            obj = getattr(event, which)
        except InvalidObject as error:
            if source.map is not None:
                _log.warning(
                    "the map function of %s is not called for %s, for the controller of %s: %s",
                    *(source.kind.store_name, event.name, owner.store_name, error),
                )
                continue
            obj = Unstructured(msgspec.json.decode(error.raw))
        if obj is None:
            continue
        try:
            found |= dict.fromkeys(_mapped(source, obj) if source.map is not None else _owners(obj, owner))
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            # The user's function: its failure must neither end the pump nor hide the other object.
            _log.error(
                "the map function of %s failed for %s, for the controller of %s: %s: %s",
                *(source.kind.store_name, event.name, owner.store_name, type(error).__name__, error),
                exc_info=error,
            )
    return found


def _owners(obj: Any, owner: Kind[Any]) -> Iterable[Request]:
    meta = obj.metadata
    for reference in meta.owner_references or ():
        if not reference.controller or reference.kind != owner.kind:
            continue
        group, _, _ = str(reference.api_version).rpartition("/")
        if group == owner.group:
            yield Request(reference.name, (meta.namespace or "") if owner.namespaced else "")


def _mapped(source: Source, obj: Any) -> Iterable[Request]:
    assert source.map is not None  # the caller looked
    found = source.map(obj)
    # A text and a NamespacedName can be iterated too, into nonsense: one name alone is taken as one.
    for target in (found,) if isinstance(found, str | NamespacedName | Request) else found or ():
        if isinstance(target, Request):
            yield target
        elif isinstance(target, NamespacedName):
            yield Request(target.name, target.namespace)
        elif isinstance(target, str):
            yield Request.parse(target)
        else:
            raise TypeError(f"a map function yields names, not {type(target).__name__}: {target!r}")
