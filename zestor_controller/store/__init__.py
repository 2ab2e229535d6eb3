"""A typed store with watch channels; it knows no Kubernetes and is usable alone."""

from zestor_controller.store.codec import Codec
from zestor_controller.store.contract import Stage, Store, StoreKind
from zestor_controller.store.encodedkind import EncodedKind, Tombstone
from zestor_controller.store.event import Change, Event, EventType, Overflow
from zestor_controller.store.memory import MemoryStore
from zestor_controller.store.stage import EncodedStage
from zestor_controller.store.watch import Watch

__all__ = [
    "Change",
    "Codec",
    "EncodedKind",
    "EncodedStage",
    "Event",
    "EventType",
    "MemoryStore",
    "Overflow",
    "Stage",
    "Store",
    "StoreKind",
    "Tombstone",
    "Watch",
]
