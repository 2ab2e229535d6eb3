"""The writer's side of a kind: stored values in, exact events out."""

import asyncio
from dataclasses import dataclass

import pytest

from zestor_controller.errors import InvalidObject, StoreClosed
from zestor_controller.store import Change, EventType, MemoryStore, Overflow, Tombstone

CREATE, UPDATE, DELETE, SYNCED = EventType.CREATE, EventType.UPDATE, EventType.DELETE, EventType.SYNCED


@dataclass(frozen=True)
class Record:
    """A stored form: uid and version beside the raw value."""

    uid: str
    version: int
    raw: str


class RecordCodec:
    """Decodes to a dict; a raw value of '!' does not decode."""

    def __init__(self):
        self.decoded = 0

    def encode(self, value):
        return Record(value["uid"], value["version"], value["raw"])

    def decode(self, stored):
        self.decoded += 1
        if stored.raw == "!":
            raise InvalidObject("bad", name=stored.uid)
        return {"uid": stored.uid, "version": stored.version, "raw": stored.raw}

    def same(self, old, new):
        return (old.uid, old.version) == (new.uid, new.version)

    def replaced(self, old, new):
        return old.uid != new.uid


@pytest.fixture
def codec():
    return RecordCodec()


@pytest.fixture
def kind(codec):
    with MemoryStore() as store:
        yield store.kind("records", codec=codec)


def delivered(watch):
    return [(event.type, event.name, event.stored) for event in watch.drain()]


def test_apply_writes_in_order_and_counts_what_changed(kind):
    with kind.watch() as watch:
        a1, a1_again, a2, b1 = Record("a", 1, "x"), Record("a", 1, "x"), Record("a", 2, "y"), Record("b", 1, "z")

        assert kind.encoded.apply([("a", a1), ("a", a1_again), ("b", b1), ("a", a2), ("b", None), ("c", None)]) == 4

        assert delivered(watch) == [(CREATE, "a", a1), (CREATE, "b", b1), (UPDATE, "a", a2), (DELETE, "b", b1)]
        assert kind.encoded.items() == [("a", a2)]
        assert kind.encoded.count() == 1
        assert kind.encoded.get("a") is a2
        assert kind.encoded.get("b") is None


def test_apply_neither_decodes_nor_copies(kind, codec):
    record = Record("a", 1, "x")
    with kind.watch() as watch:
        kind.encoded.apply([("a", record)])
        (event,) = watch.drain()

    assert codec.decoded == 0
    assert kind.encoded.get("a") is record
    assert event.object == {"uid": "a", "version": 1, "raw": "x"}
    assert event.object is not event.object


def test_a_tombstone_deletes_and_delivers_the_final_state(kind):
    last, final = Record("a", 1, "x"), Record("a", 2, "final")
    kind.encoded.apply([("a", last)])
    with kind.watch() as watch:
        assert kind.encoded.apply([("a", Tombstone(final)), ("gone already", Tombstone(final))]) == 1

        (event,) = watch.drain()
    assert (event.type, event.stored, event.stored_old) == (DELETE, final, last)
    assert kind.count() == 0


def test_c3_a_replaced_object_is_delivered_as_delete_then_create(kind):
    old, new = Record("uid-1", 5, "x"), Record("uid-2", 6, "y")
    kind.encoded.apply([("a", old)])
    with kind.watch() as watch, kind.watch(overflow=Overflow.COALESCE) as folding:
        assert kind.encoded.apply([("a", new)]) == 1

        assert delivered(watch) == [(DELETE, "a", old), (CREATE, "a", new)]
        (event,) = folding.drain()
        assert (event.type, event.stored, event.stored_old) == (UPDATE, new, old)
    assert kind.set("a", {"uid": "uid-3", "version": 7, "raw": "z"}) is Change.UPDATED


def test_s4_synced_follows_mark_synced_on_a_kind_fed_by_a_writer(codec):
    with MemoryStore() as store:
        kind = store.kind("records", codec=codec, synced=False)
        kind.encoded.apply([("a", Record("a", 1, "x"))])
        watches = [kind.watch(initial_replay=True, bookmarks=True, overflow=overflow) for overflow in Overflow]
        quiet = kind.watch(initial_replay=True)

        assert quiet.get(timeout=0).name == "a"
        assert not quiet.synced
        kind.encoded.apply([("b", Record("b", 1, "x"))])
        kind.encoded.mark_synced()
        kind.encoded.mark_synced()
        kind.encoded.apply([("c", Record("c", 1, "x"))])

        assert not quiet.synced
        assert quiet.get(timeout=0).name == "b"
        assert quiet.synced
        assert [event.name for event in quiet.drain()] == ["c"]
        for watch in watches:
            assert not watch.synced
            assert [event.name or "SYNCED" for event in watch.drain()] == ["a", "b", "SYNCED", "c"]
            assert watch.synced
            watch.cancel()
        quiet.cancel()


def test_a_bookmark_takes_no_place_and_a_gap_is_counted_by_an_event_that_is_taken(codec):
    with MemoryStore() as store:
        kind = store.kind("records", codec=codec, synced=False)
        with kind.watch(buffer_size=1) as plain, kind.watch(buffer_size=1, bookmarks=True) as marked:
            kind.encoded.apply([("a", Record("a", 1, "x"))])
            kind.encoded.mark_synced()
            kind.encoded.apply([("b", Record("b", 1, "x")), ("c", Record("c", 1, "x"))])

            assert [(event.name, event.missed) for event in plain.drain()] == [("a", 2)]
            assert [(event.type, event.missed) for event in marked.drain()] == [(CREATE, 0), (SYNCED, 2)]
            assert plain.synced
            assert marked.synced


def test_one_wake_up_for_a_whole_apply(kind):
    async def check():
        batches = []
        async with kind.watch() as watch:

            async def consume():
                async for batch in watch.batches():
                    batches.append(len(batch))

            task = asyncio.ensure_future(consume())
            await asyncio.sleep(0)
            kind.encoded.apply([(f"n{i}", Record(f"n{i}", 1, "x")) for i in range(100)])
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            watch.cancel()
            await task
        return batches

    assert asyncio.run(check()) == [100]


def test_c10_a_bad_object_is_kept_and_found_on_access(kind):
    bad, good = Record("bad", 1, "!"), Record("good", 1, "x")
    kind.add_index("raw", lambda value: [value["raw"]])
    with kind.watch(predicate=lambda event: event.object["raw"] == "y") as watch:
        kind.encoded.apply([("bad", bad), ("good", good)])

        with pytest.raises(InvalidObject):
            kind.get("bad")
        assert kind.list() == [{"uid": "good", "version": 1, "raw": "x"}]
        assert [name for name, _ in kind.items()] == ["good"]
        assert kind.undecodable == 2
        assert kind.names() == ["bad", "good"]
        assert kind.by_index("raw", "x") == [{"uid": "good", "version": 1, "raw": "x"}]
        assert kind.encoded.index("raw").failures == {"bad": "InvalidObject"}
        (event,) = watch.drain()
        assert event.name == "bad"
        with pytest.raises(InvalidObject):
            _ = event.object


def test_an_index_may_read_the_stored_form(kind, codec):
    kind.encoded.apply([("a", Record("a", 1, "x")), ("b", Record("b", 1, "!"))])
    kind.add_index("uid", lambda record: [record.uid], encoded=True)
    kind.encoded.apply([("c", Record("c", 1, "x"))])

    assert codec.decoded == 0
    assert kind.encoded.by_index("uid", "b") == [("b", Record("b", 1, "!"))]
    assert [value["uid"] for value in kind.by_index("uid", "c")] == ["c"]


def test_compare_overrides_the_codec_and_keeps_its_replaced(codec):
    with MemoryStore() as store:
        kind = store.kind("records", codec=codec, compare=lambda old, new: old["raw"] == new["raw"])
        kind.encoded.apply([("a", Record("a", 1, "x"))])

        assert kind.encoded.apply([("a", Record("a", 2, "x"))]) == 0
        with kind.watch() as watch:
            assert kind.encoded.apply([("a", Record("other", 3, "y"))]) == 1
            assert [event.type for event in watch.drain()] == [DELETE, CREATE]


def test_s12_the_writers_side_is_closed_too(codec):
    store = MemoryStore()
    kind = store.kind("records", codec=codec)
    encoded = kind.encoded
    store.close()

    for attempt in (
        lambda: encoded.apply([("a", Record("a", 1, "x"))]),
        lambda: encoded.get("a"),
        encoded.items,
        encoded.count,
        encoded.stage,
        encoded.mark_synced,
        encoded.watch,
    ):
        with pytest.raises(StoreClosed):
            attempt()


def test_what_an_apply_has_written_is_delivered_even_when_the_codec_fails_half_way(kind):
    kind.encoded.apply([("a", Record("a", 1, "x")), ("b", Record("b", 1, "x"))])
    with kind.watch() as watch:
        with pytest.raises(AttributeError):
            kind.encoded.apply([("a", Record("a", 2, "y")), ("b", "not a record")])

        assert delivered(watch) == [(UPDATE, "a", Record("a", 2, "y"))]


def test_deleting_a_bad_object_succeeds(kind):
    kind.encoded.apply([("bad", Record("bad", 1, "!"))])

    assert kind.delete("bad") is None
    assert kind.count() == 0


@pytest.mark.parametrize("replayed", [False, True])
def test_what_came_and_went_unseen_is_delivered_to_a_consumer_that_reads_the_kind_too(replayed):
    with MemoryStore() as store:
        kind = store.kind("pairs", int)
        if replayed:
            kind.set("a", 1)
        options = {"initial_replay": True, "overflow": Overflow.COALESCE}
        with kind.encoded.watch(**options, brief=True) as brief, kind.watch(**options) as other:
            kind.set("a", 2)
            assert kind.get("a") == 2  # this is when a reader sees it
            kind.delete("a")
            assert [(event.type, event.object) for event in brief.drain()] == [(EventType.DELETE, 2)]
            assert other.drain() == []
            kind.set("a", 3)
            kind.delete("a")
            kind.set("a", 4)
            assert [event.object for event in brief.drain()] == [4]
