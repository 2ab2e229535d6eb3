"""What a controller remembers of deletions, and what it does while the cache shows a deleted object still."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from operating import Shop, virtual

from zestor_controller import Context, Controller, Request
from zestor_controller.cache.record import Record, RecordCodec
from zestor_controller.controller.dispatch import Dispatcher
from zestor_controller.controller.memory import Memory
from zestor_controller.controller.workqueue import Item, WorkQueue
from zestor_controller.objects import kind_of
from zestor_controller.store import Event, EventType

CODEC = RecordCodec(kind_of(Shop))
A = Request("a", "default")


def record(uid: str, size: object = 1) -> Record:
    meta = {"name": "a", "namespace": "default", "uid": uid}
    return Record(uid, 1, json.dumps({"metadata": meta, "spec": {"size": size}}).encode(), wrapped=False)


def event(type: EventType, now: Record | None, old: Record | None = None) -> Event[Shop]:
    return Event("shops", "default/a", type, now, old, CODEC.decode)


def pending(memory: Memory[Shop]) -> dict[str, Any]:
    return {uid: deletion.last() for uid, deletion in memory.deletions.get(A, {}).items()}


def test_a_change_of_uid_under_one_name_is_the_deletion_of_the_former_object() -> None:
    memory: Memory[Shop] = Memory()
    memory.observe(A, event(EventType.CREATE, record("1")))
    memory.observe(A, event(EventType.UPDATE, record("1", 2), record("1")))
    assert pending(memory) == {}
    memory.observe(A, event(EventType.UPDATE, record("2"), record("1", 2)))
    memory.observe(A, event(EventType.DELETE, record("2", 5)))
    assert {uid: last.spec.size for uid, last in pending(memory).items()} == {"1": 2, "2": 5}


def test_an_object_that_is_there_after_all_is_not_reported_as_deleted() -> None:
    memory: Memory[Shop] = Memory()
    memory.observe(A, event(EventType.DELETE, record("1")))
    memory.observe(A, event(EventType.CREATE, record("1")))
    assert memory.deletions == {}


def test_the_last_state_of_an_object_that_its_model_rejects_is_unknown() -> None:
    memory: Memory[Shop] = Memory()
    memory.observe(A, event(EventType.DELETE, record("1", "many")))
    assert pending(memory) == {"1": None}


@virtual
async def test_an_object_whose_deletion_was_delivered_is_reported_though_the_cache_shows_an_own_write_of_it() -> None:
    calls: list[str] = []
    shops = Controller(Shop)

    @shops.reconciler
    async def reconcile(shop: Shop, ctx: Context) -> None:
        calls.append(f"reconcile {shop.metadata.uid}")

    @shops.deleted
    async def deleted(request: Request, last: Shop | None, ctx: Context) -> None:
        calls.append(f"deleted {last.metadata.uid if last else None}")

    memory: Memory[Shop] = Memory()
    shown: list[Record] = [record("1")]
    lister: Any = SimpleNamespace(get=lambda name, namespace: CODEC.decode(shown[0]))
    services: Any = SimpleNamespace(client=None, cache=None, recorder=None, metrics=None)
    dispatcher = Dispatcher(shops, services, lister, WorkQueue[Request](), memory)
    memory.observe(A, event(EventType.DELETE, record("1")))
    await dispatcher.dispatch(Item(A, (), 0, 0.0))
    shown[0] = record("2")
    await dispatcher.dispatch(Item(A, (), 0, 0.0))
    assert calls == ["deleted 1", "reconcile 2"]
