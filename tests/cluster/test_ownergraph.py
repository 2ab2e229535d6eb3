"""The graph of owners and dependents, without a cluster."""

from __future__ import annotations

import json
from typing import Any

import pytest

from zestor_controller.cluster.simulation.ownergraph import FOREGROUND, ORPHAN, OwnerGraph, decode_metadata
from zestor_controller.objects import Kind, kind_of

KIND: Kind[Any] = kind_of("v1/ConfigMap")


def put(graph: OwnerGraph, uid: str, *owners: str, terminating: bool = False, **fields: Any) -> list[str]:
    references = [{"apiVersion": "v1", "kind": "ConfigMap", "name": owner, "uid": owner} for owner in owners]
    metadata = {"name": uid, "uid": uid, "namespace": "default", "ownerReferences": references, **fields}
    if terminating:
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return graph.put(KIND, decode_metadata(json.dumps({"metadata": metadata}).encode()))


def dependents(graph: OwnerGraph, uid: str) -> set[str]:
    node = graph.get(uid)
    assert node is not None
    return node.dependents


@pytest.fixture
def graph() -> OwnerGraph:
    return OwnerGraph()


def test_an_object_without_owners_concerns_the_garbage_collector_not_at_all(graph: OwnerGraph) -> None:
    assert put(graph, "a") == []


def test_an_object_with_owners_is_processed_when_it_appears(graph: OwnerGraph) -> None:
    put(graph, "owner")
    assert put(graph, "child", "owner") == ["child"]
    assert dependents(graph, "owner") == {"child"}


def test_a_dependent_that_is_seen_before_its_owner_is_not_lost(graph: OwnerGraph) -> None:
    put(graph, "child", "owner")
    put(graph, "owner")
    assert dependents(graph, "owner") == {"child"}


def test_the_deletion_of_an_owner_concerns_all_its_dependents(graph: OwnerGraph) -> None:
    put(graph, "owner")
    put(graph, "b", "owner")
    put(graph, "a", "owner")
    assert graph.remove("owner") == ["a", "b"]
    assert graph.get("owner") is None


def test_an_owner_that_comes_back_has_its_dependents_again(graph: OwnerGraph) -> None:
    put(graph, "owner")
    put(graph, "child", "owner")
    graph.remove("owner")
    put(graph, "owner")
    assert dependents(graph, "owner") == {"child"}


def test_a_change_of_owners_moves_the_dependent(graph: OwnerGraph) -> None:
    for name in ("one", "two"):
        put(graph, name)
    put(graph, "child", "one")
    put(graph, "child", "two")
    assert (dependents(graph, "one"), dependents(graph, "two")) == (set(), {"child"})


def test_an_object_that_no_longer_exists_is_no_dependent(graph: OwnerGraph) -> None:
    put(graph, "owner")
    put(graph, "child", "owner")
    assert graph.remove("child") == []
    assert dependents(graph, "owner") == set()


def test_the_removal_of_an_unknown_object_changes_nothing(graph: OwnerGraph) -> None:
    assert graph.remove("never-seen") == []


@pytest.mark.parametrize(("finalizer", "expected"), [(FOREGROUND, ["a"]), (ORPHAN, ["a"]), ("example.com/mine", [])])
def test_a_terminating_object_is_processed_for_the_finalizers_of_garbage_collection_only(
    graph: OwnerGraph, finalizer: str, expected: list[str]
) -> None:
    assert put(graph, "a", terminating=True, finalizers=[finalizer]) == expected


def test_a_terminating_owner_is_processed_again_with_each_change_of_its_dependents(graph: OwnerGraph) -> None:
    put(graph, "child", "owner")
    put(graph, "owner", terminating=True, finalizers=[FOREGROUND])
    assert put(graph, "child", "owner", terminating=True) == ["child", "owner"]
    assert put(graph, "child") == ["owner"]  # it has been released
    put(graph, "child", "owner")
    assert graph.remove("child") == ["owner"]


def test_an_owner_reference_keeps_what_blocks_its_deletion() -> None:
    reference = {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u", "blockOwnerDeletion": True, "other": 1}
    body = {"metadata": {"name": "n", "uid": "x", "ownerReferences": [reference]}, "spec": {}}
    (owner,) = decode_metadata(json.dumps(body).encode()).ownerReferences or []
    assert (owner.uid, owner.kind, owner.blockOwnerDeletion) == ("u", "Pod", True)
