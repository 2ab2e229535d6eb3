"""Many writers and many consumers in threads and on loops: every consumer ends with exactly the kind's content."""

import asyncio
import random
import sys
import threading

import pytest

from zestor_controller.store import EventType, MemoryStore, Overflow


@pytest.fixture(autouse=True)
def _threads_switch_often():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def see(shadow, event):
    """Replay one event; a consumer that has missed nothing knows what was there."""
    assert event.old == shadow.get(event.name)
    if event.type is EventType.DELETE:
        del shadow[event.name]
    else:
        shadow[event.name] = event.object


def write(kind, seed, steps):
    random_ = random.Random(seed)
    for _ in range(steps):
        name, choice, value = f"n{random_.randrange(30)}", random_.random(), random_.randrange(100)
        if choice < 0.6:
            kind.set(name, value)
        elif choice < 0.8:
            kind.delete(name)
        elif choice < 0.9:
            kind.set_many({f"n{random_.randrange(30)}": value for _ in range(10)})
        elif choice < 0.97:
            kind.update(name, lambda old: (old or 0) + 1)
        else:
            with kind.stage() as stage:
                for i in range(random_.randrange(30)):
                    stage.put(f"n{i}", value)


async def follow_on_a_loop(watch, by_batch, shadow):
    if by_batch:
        async for batch in watch.batches():
            for event in batch:
                see(shadow, event)
    else:
        async for event in watch:
            see(shadow, event)


def follow_on_a_thread(watch, by_batch, shadow):
    if by_batch:
        for batch in watch.batches():
            for event in batch:
                see(shadow, event)
    else:
        for event in watch:
            see(shadow, event)


def test_s8_s9_every_consumer_ends_with_the_content_of_the_kind():
    store = MemoryStore()
    kind = store.kind("numbers", int, indexes={"parity": lambda value: [value % 2]})
    errors = []

    def follow(by_batch, on_loop, watch, shadow):
        try:
            if on_loop:
                asyncio.run(follow_on_a_loop(watch, by_batch, shadow))
            else:
                follow_on_a_thread(watch, by_batch, shadow)
        except BaseException as error:
            errors.append(error)

    shadows, threads = [], []
    for overflow in (Overflow.DROP, Overflow.COALESCE):
        for by_batch in (True, False):
            for on_loop in (True, False):
                watch = kind.watch(initial_replay=True, overflow=overflow, buffer_size=10**6)
                shadows.append({})
                threads.append(threading.Thread(target=follow, args=(by_batch, on_loop, watch, shadows[-1])))
    writers = [threading.Thread(target=write, args=(kind, seed, 300)) for seed in range(3)]
    for thread in (*threads, *writers):
        thread.start()
    for thread in writers:
        thread.join(30)

    final = dict(kind.items())
    assert sorted(kind.by_index("parity", 1)) == sorted(value for value in final.values() if value % 2)
    store.close()
    for thread in threads:
        thread.join(30)
    assert errors == []
    assert shadows == [final] * len(shadows)
