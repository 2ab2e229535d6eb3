"""What a store costs does not grow with what else it holds: counted, not timed."""

import gc
import weakref

import pytest

from zestor_controller.store import MemoryStore

SIZES = (20, 2000)


class Counting(weakref.ref):
    """A reference that counts how often it is followed."""

    followed = 0

    def __call__(self):
        Counting.followed += 1
        return super().__call__()


@pytest.fixture
def numbers():
    with MemoryStore() as store:
        yield store.kind("numbers", int)


def test_subscribing_and_cancelling_looks_at_no_other_watch(numbers):
    cost = {}
    for size in SIZES:
        watches = [numbers.watch() for _ in range(size)]
        hub = numbers.encoded.hub
        hub.refs = {key: Counting(ref()) for key, ref in hub.refs.items()}
        Counting.followed = 0
        before = hub.refs
        numbers.watch().cancel()
        assert hub.refs is before  # nothing was copied either
        cost[size] = Counting.followed
        for watch in watches:
            watch.cancel()
        assert numbers.encoded.watches() == 0
    assert cost[SIZES[0]] == cost[SIZES[1]] == 0


def test_a_watch_dropped_among_many_is_forgotten_without_a_search(numbers):
    watches = [numbers.watch() for _ in range(100)]
    with pytest.warns(ResourceWarning, match="dropped without cancel"):  # noqa: PT031
        del watches[50]
        gc.collect()
    hub = numbers.encoded.hub
    assert len(hub.dead) == 1
    watches.append(numbers.watch())
    assert len(hub.refs) == 100 == numbers.encoded.watches()
    numbers.set("a", 1)
    assert [len(watch.drain()) for watch in watches] == [1] * 100
    for watch in watches:
        watch.cancel()
    assert hub.refs == {}


def test_a_watch_that_ends_while_others_catch_up_leaves_them_in_place(numbers):
    def fails(event):
        raise ZeroDivisionError

    with numbers.watch(buffer_size=1000) as before, numbers.watch(predicate=fails), numbers.watch() as after:
        for n in range(300):  # more than the log holds: every watch has to catch up
            numbers.set("a", n)
        assert numbers.encoded.watches() == 2
        assert (len(before.drain()), len(after.drain())) == (300, 128)
