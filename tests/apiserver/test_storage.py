from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zestor_controller.apiserver.storage.retention import MAX_BYTES, Retention
from zestor_controller.apiserver.storage.revisionlog import (
    ADDED,
    DELETED,
    MAX_OBJECT,
    MODIFIED,
    ObjectTooLarge,
    Storage,
)

TABLE = ("", "things")


def put(storage: Storage, name: str, value: int = 0, namespace: str = "n", table: tuple[str, str] = TABLE) -> int:
    obj = {"kind": "Thing", "apiVersion": "v1", "metadata": {"name": name, "namespace": namespace}, "value": value}
    return storage.write(table, namespace, name, obj).revision


def shown(storage: Storage, revision: int) -> list[tuple[str, int]]:
    return [(version.key, version.obj["value"]) for version in storage.table(TABLE).snapshot(revision)]


def test_one_counter_numbers_the_writes_of_all_tables():
    storage = Storage()
    first = put(storage, "a")
    assert put(storage, "a", table=("", "others")) == first + 1
    assert put(storage, "a", 1) == first + 2
    assert storage.table(TABLE).get("n", "a").obj["metadata"]["resourceVersion"] == str(first + 2)


def test_a_deletion_has_a_revision_of_its_own_and_reports_the_last_state():
    storage = Storage()
    put(storage, "a", 5)
    last = storage.delete(TABLE, "n", "a")
    assert last.revision == storage.revision
    assert last.obj["value"] == 5
    assert last.obj["metadata"]["resourceVersion"] == str(storage.revision)
    assert storage.table(TABLE).get("n", "a") is None


def test_objects_are_kept_with_their_type_first():
    storage = Storage()
    obj = {"value": 1, "metadata": {"name": "a"}, "apiVersion": "v1", "kind": "Thing"}
    assert storage.write(TABLE, "", "a", obj).raw.startswith(b'{"kind":"Thing","apiVersion":"v1","metadata":')


def test_lists_are_sorted_by_namespace_and_name_as_one_text():
    storage = Storage()
    for namespace, name in (("a", "x"), ("a-b", "y"), ("a", "b"), ("b", "a")):
        put(storage, name, namespace=namespace)
    assert [version.key for version in storage.table(TABLE).versions()] == ["a-b/y", "a/b", "a/x", "b/a"]
    assert [version.key for version in storage.table(TABLE).versions("a")] == ["a/b", "a/x"]


steps = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 9), st.booleans()), max_size=40)


@given(steps)
def test_every_revision_can_be_shown_as_it_was(history):
    storage = Storage()
    now: dict[str, int] = {}
    past = {storage.revision: {}}
    for name, value, gone in history:
        if gone and name in now:
            storage.delete(TABLE, "n", name)
            del now[name]
        else:
            put(storage, name, value)
            now[name] = value
        past[storage.revision] = dict(now)
    for revision, objects in past.items():
        assert shown(storage, revision) == [(f"n/{name}", objects[name]) for name in sorted(objects)]


@given(steps, st.integers(0, 40))
def test_a_list_and_the_changes_after_it_give_the_present_state(history, cut):
    storage = Storage()
    seen: dict[str, int] = {}
    since = storage.revision
    for index, (name, value, gone) in enumerate(history):
        if gone and storage.table(TABLE).get("n", name) is not None:
            storage.delete(TABLE, "n", name)
        else:
            put(storage, name, value)
        if index == cut:
            since = storage.revision
            seen = dict(shown(storage, since))
    for change in storage.table(TABLE).changes(since):
        assert change.type == (MODIFIED if change.version.key in seen else ADDED) or change.type == DELETED
        if change.type == DELETED:
            del seen[change.version.key]
        else:
            seen[change.version.key] = change.version.obj["value"]
    assert seen == dict(shown(storage, storage.revision))


def test_compaction_forgets_changes_and_nothing_else():
    storage = Storage()
    put(storage, "a")
    middle = put(storage, "b")
    last = put(storage, "a", 1)
    assert storage.compact(middle) == middle
    assert [change.revision for change in storage.table(TABLE).changes(0)] == [last]
    assert shown(storage, middle) == [("n/a", 0), ("n/b", 0)]
    assert storage.compact() == last
    assert list(storage.table(TABLE).changes(0)) == []
    assert shown(storage, last) == [("n/a", 1), ("n/b", 0)]


def test_history_is_bounded_without_being_asked():
    storage = Storage(history=10)
    for value in range(100):
        put(storage, "a", value)
    assert len(list(storage.table(TABLE).changes(0))) <= 10
    assert storage.compacted > 80


def test_a7_history_is_bounded_in_bytes_whatever_the_size_of_a_write():
    """Sixty versions of a megabyte: memory stays flat, and an old watch has expired."""
    storage = Storage()
    held = []
    for value in range(200):
        obj = {"kind": "Thing", "apiVersion": "v1", "metadata": {"name": "a"}, "value": f"{value}" + "x" * 1_000_000}
        storage.write(TABLE, "n", "a", obj)
        held.append(sum(len(change.version.raw) for change in storage.table(TABLE).changes(0)))
    assert max(held) <= MAX_BYTES
    assert 0 < storage.compacted < storage.revision


def test_history_is_kept_for_one_to_two_intervals_of_time():
    now = [0.0]
    history = Retention(1000, age=300.0, clock=lambda: now[0])
    due = {}
    for revision in range(1, 21):
        now[0] = revision * 60.0
        due[revision] = history.add(revision, 1)
    assert {revision: upto for revision, upto in due.items() if upto} == {10: 5, 15: 10, 20: 15}


def test_what_is_forgotten_no_longer_counts():
    history = Retention(4, size=100)
    assert [history.add(revision, 10) for revision in range(1, 5)] == [0, 0, 0, 0]
    history.forget(3)
    assert [history.add(revision, 10) for revision in range(5, 8)] == [0, 0, 0]
    assert history.add(8, 10) == 6
    history.forget(6)
    assert history.add(9, 1000) == 9


def test_an_object_that_is_too_large_is_not_stored():
    storage = Storage()
    put(storage, "a")
    before = storage.revision
    obj = {"kind": "Thing", "apiVersion": "v1", "metadata": {"name": "b"}, "value": "x" * MAX_OBJECT}
    with pytest.raises(ObjectTooLarge, match="etcdserver: request is too large"):
        storage.write(TABLE, "n", "b", obj)
    assert (storage.revision, len(storage.table(TABLE))) == (before, 1)


def test_an_object_that_fits_without_its_managed_fields_is_stored_without_them():
    """As by kube-apiserver, which tries once more."""
    storage = Storage()
    meta = {"name": "b", "managedFields": [{"manager": "m" * 1000}]}
    obj = {"kind": "Thing", "apiVersion": "v1", "metadata": meta, "value": "x" * (MAX_OBJECT - 500)}
    assert "managedFields" not in storage.write(TABLE, "n", "b", obj).obj["metadata"]


async def test_a_channel_whose_reader_is_away_holds_a_bounded_number_of_bytes():
    storage = Storage()
    channel = storage.table(TABLE).watch("", asyncio.Event())
    for value in range(100):
        obj = {"kind": "Thing", "apiVersion": "v1", "metadata": {"name": "a"}, "value": f"{value}" + "x" * 1_000_000}
        storage.write(TABLE, "n", "a", obj)
    assert channel.closed
    assert sum(len(change.version.raw) for change in channel.pending) <= MAX_BYTES + 1_000_100
    taken = [channel.take().revision for _ in range(len(channel.pending))]
    assert taken == sorted(taken)


async def test_a_channel_that_is_read_is_never_closed_for_its_bytes():
    storage = Storage()
    channel = storage.table(TABLE).watch("", asyncio.Event())
    for value in range(100):
        obj = {"kind": "Thing", "apiVersion": "v1", "metadata": {"name": "a"}, "value": f"{value}" + "x" * 1_000_000}
        storage.write(TABLE, "n", "a", obj)
        channel.take()
    assert not channel.closed


async def test_a_channel_gets_the_changes_of_its_namespace_in_order():
    storage = Storage()
    channel = storage.table(TABLE).watch("n", asyncio.Event())
    everything = storage.table(TABLE).watch("", asyncio.Event())
    put(storage, "a")
    put(storage, "b", namespace="other")
    put(storage, "a", 1)
    assert [change.type for change in channel.pending] == [ADDED, MODIFIED]
    assert [change.version.key for change in everything.pending] == ["n/a", "other/b", "n/a"]
    assert channel.signal.is_set()


async def test_a_channel_that_falls_behind_is_closed_and_keeps_what_it_has():
    storage = Storage()
    table = storage.table(TABLE)
    channel = table.watch("", asyncio.Event())
    for value in range(10_001):
        put(storage, "a", value)
    assert channel.closed
    assert [change.version.obj["value"] for change in channel.pending] == list(range(10_000))
    put(storage, "a", -1)
    assert len(channel.pending) == 10_000


async def test_a_table_that_is_dropped_ends_its_channels():
    storage = Storage()
    channel = storage.table(TABLE).watch("", asyncio.Event())
    storage.drop(TABLE)
    assert channel.closed
    assert channel.signal.is_set()


def test_a_channel_signals_each_change_in_order_once_it_is_committed():
    storage = Storage()
    taken: list[tuple[str, int]] = []

    class Signal:
        def set(self) -> None:
            while channel.pending:
                taken.append((channel.take().type, storage.revision))

    channel = storage.table(TABLE).watch("", Signal())
    put(storage, "a")
    put(storage, "a", 1)
    storage.delete(TABLE, "n", "a")
    assert taken == [(ADDED, 2), (MODIFIED, 3), (DELETED, 4)]
